//! A judge for service-mesh dataplanes: scripted apps around a dataplane, in a deterministic network simulator, checked
//! against scenario files.
//!
//! ```text
//! scenarios/**.yaml -> scenario -> world: pods, faults, dataplane -> run -> [Observation] -> verdict (pure) -> report (pure)
//! ```
//!
//! * [`language`] — what scenarios can say, as it is meant: the types that all others speak of.
//! * [`scenario`] — scenario files: as written, then as meant; errors with file, line and column.
//! * [`requirements`] — the contract, clause by clause.
//! * [`select`] — which clauses and cases are wanted; [`planted`] — bugs that show that a clause is watched.
//! * [`coverage`] — how much of the contract cases prove.
//! * [`app`] — scripted clients and servers, one protocol a file.
//! * [`observe`] — what was seen: observations, packet captures, TLS inside them, metrics.
//! * [`expect`] — one check a file: pure functions from what was seen to findings.
//! * [`verdict`] — all expectations of a case and the checks that are always on, clause by clause.
//! * [`dataplane`] — the dataplane under test; [`kuma`] — the resources it is given.
//! * [`world`] — plays a scenario: sets up pods and sidecars, runs steps, collects what was seen.
//! * [`suite`] — a folder of scenarios, the contract and the dictionaries; runs one case.
//! * [`mod@record`] — a run as a folder, to be judged again without playing it.
//! * [`report`], [`cli`] — what a person or a program is told; the command line.
//! * [`golden`], [`replay`] — whether a case's packets are what they were; where two plays of it part.
//! * [`sim`] — the deterministic network simulator; [`live`] — real sockets, and dataplanes as processes.
//!
//! It shares no code with the dataplane it judges but the traits of its seams.

pub mod app;
pub mod cli;
pub mod coverage;
pub mod dataplane;
pub mod expect;
pub mod golden;
pub mod kuma;
pub mod language;
pub mod live;
pub mod observe;
pub mod planted;
pub mod record;
pub mod replay;
pub mod report;
pub mod requirements;
pub mod scenario;
pub mod select;
pub mod sim;
pub mod suite;
pub mod verdict;
pub mod world;
