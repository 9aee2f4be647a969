//! Tests of the whole project; see `tests/`. Nothing here is shared by them but what several need.
//!
//! * [`planted`] — planted bugs: each turns a clause red, or the suite is blind to it.

pub mod planted;
