//! Scenario files: as written (`file`), then as meant ([`crate::language`]).
//!
//! ```text
//! text -> yaml: located tree -> matrix: one tree a case -> decode: as written -> resolve: as meant
//! ```
//!
//! * [`load`], [`parse`], [`find`] — a file, a text, the files below a folder.
//! * [`schema()`], [`reference()`] — the JSON Schema of scenario files, and every key in Markdown.
//! * [`Diagnostics`] — what is wrong, as rustc would show it.

mod decode;
mod diagnostic;
mod file;
mod find;
mod load;
mod matrix;
mod node;
mod reference;
mod refusal;
mod resolve;
mod schema;
mod strict;
#[cfg(test)]
mod tests;
mod yaml;

pub(crate) use decode::At;
pub use diagnostic::{Diagnostic, Diagnostics, Kind};
pub(crate) use diagnostic::{Problem, nearest};
pub use find::find;
pub use load::{load, parse};
pub use reference::reference;
pub use schema::schema;
pub(crate) use strict::Strict;

// Whoever loads scenarios looks at them.
pub use crate::language::{
    Condition, Direction, Fault, Latency, Link, Mesh, Mtls, Outbounds, Pod, PodIdentity, ProxyAct, ProxyKind,
    Scenario, Step, Target, Verb, When,
};
