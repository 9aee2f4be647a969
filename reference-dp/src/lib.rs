//! A reference dataplane for Kuma: it takes Kuma's own resources and does what the documents say.
//!
//! It knows its seams and Kuma's resources; nothing of simulators, scenarios or judges. From the outside in:
//!
//! * [`resource`] — Kuma's resources as people write them;
//! * [`plan`] — what one sidecar must do, worked out from them (pure);
//! * [`proxy`] — a running sidecar: [`proxy::Sidecar::start`] takes a plan and the seams;
//! * [`tls`] — the mesh's authority, certificates, who is believed;
//! * `protocol` — how connections are carried, one module a protocol;
//! * `lifecycle` — running, draining, stopped: what all tasks of a sidecar obey;
//! * `telemetry` — what is told about them;
//! * [`net`], [`spawn`], [`clock`], [`tls::Entropy`] — the seams to network, tasks, wall time and random numbers, each
//!   with its real implementation.

pub mod clock;
mod lifecycle;
pub mod net;
pub mod plan;
mod protocol;
pub mod proxy;
pub mod resource;
pub mod spawn;
mod telemetry;
pub mod tls;
