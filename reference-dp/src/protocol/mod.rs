//! How connections are carried, one module a protocol.

pub(crate) mod http;
pub(crate) mod tcp;
