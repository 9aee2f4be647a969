//! A reference dataplane for Kuma: it takes Kuma's own resources and does what the documents say.
//!
//! It knows its seams and Kuma's resources; nothing of simulators, scenarios or judges.
//!
//! * [`net`] — the seam to the network: listeners, streams, resets; real sockets.
//! * [`spawn`], [`clock`] — the seams to tasks and to wall time.

pub mod clock;
pub mod net;
pub mod spawn;
