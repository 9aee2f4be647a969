//! HTTP requests, one by one.
//!
//! * [`pool`] — connections to a cluster's endpoints, which requests share or reuse;
//! * [`failure`] — why a try brought no answer.

pub(crate) mod failure;
pub(crate) mod pool;
