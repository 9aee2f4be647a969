//! What is told about traffic. One connection is an [`exchange::Exchange`], a stream of events; everything told about
//! it is a fold of those events, so that no two accounts of it can disagree.

pub(crate) mod exchange;
pub(crate) mod metrics;
pub(crate) mod registry;
pub(crate) mod request;
pub(crate) mod session;
