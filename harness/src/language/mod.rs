//! What scenarios can say, as it is meant: plain types, below all that reads, plays or judges them.
//!
//! * [`Scenario`], [`Pod`], [`Step`] — cases: pods, and what happens. [`Link`], [`Fault`] — what is done to links.
//! * [`script`] — what apps do on a connection; [`http`] — what they ask and answer; [`TlsOptions`] — their own TLS.
//! * [`Expectation`], [`Check`] — what must hold: checks with their arguments.
//! * [`World`] — where cases are played, and which cases are played in one world alone.
//! * [`value`] — sizes, payloads, matchers.
//!
//! After loading, an impossible scenario cannot be expressed.

mod expectation;
mod fault;
pub mod http;
mod scenario;
pub mod script;
mod tls;
pub mod value;
mod world;

pub use expectation::{
    BytesCheck, Check, End, EndCheck, Expectation, FieldMatch, HttpCheck, Level, MetricsCheck, QuietCheck,
    Sameness, StatusMatch, TookCheck, WireCheck,
};
pub use fault::{Condition, Direction, Fault, Latency, Link, When};
pub use scenario::{
    Mesh, Mtls, Outbounds, Pod, PodIdentity, ProxyAct, ProxyKind, Scenario, Step, Target, Verb,
};
pub use script::{ClientScript, ServerScript, Talk};
pub use tls::{TlsOptions, TlsVersion};
pub use world::{OnlyIn, World};
