//! The live world: the same scenarios on real sockets, with dataplanes as processes.
//!
//! * `addresses` — where everyone is, below 127.0.0.0/8; several worlds stand beside each other.
//! * `links` — what faults do to bytes, and the account of them; `lane` — one direction of one; `notes` — the account itself.
//! * `pump`, `relay` — carry connections: one of them, and those between sidecars.
//! * [`network`] — sockets of scripted apps and clients.
//! * `tasks`, `keys`, `rest`, `group`, `sockets` — what else a ground is asked for.
//! * [`ground`] — all of that as a [`crate::world::Ground`]; [`play`] — a whole case; [`processes`] — the dataplanes of it.
//!
//! Nothing here waits for time to pass: clients and apps wait for each other, sidecars for their sockets, and the world for all of them to be at
//! rest, under one deadline.

mod addresses;
pub mod ground;
mod group;
mod keys;
mod lane;
mod links;
pub mod network;
mod notes;
pub mod play;
pub mod processes;
mod pump;
mod relay;
mod rest;
mod sockets;
mod tasks;
