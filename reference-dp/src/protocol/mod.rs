//! How connections are carried, one module a protocol.

pub(crate) mod tcp;
