//! Reports for programs. The same cases and seeds give the same bytes: times are the run's own.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::Summary;
use crate::language::World;
use crate::suite::{CaseResult, Target};
use crate::verdict::CaseVerdict;

/// One case.
#[derive(Serialize)]
struct Case<'a> {
    seed: u64,
    #[serde(flatten)]
    target: Told<'a>,
    #[serde(flatten)]
    verdict: &'a CaseVerdict,
    /// The folder of its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a Path>,
    packets: Option<u64>,
    /// BLAKE3 of the packet trace; empty for real sockets.
    trace: Option<&'a str>,
    /// BLAKE3 of the schedule; empty for real sockets.
    schedule: Option<&'a str>,
}

/// Who was judged.
#[derive(Clone, Copy, PartialEq, Serialize)]
struct Told<'a> {
    dataplane: &'a str,
    version: Option<&'a str>,
    /// The dataplane on the other side.
    peer: &'a str,
    world: World,
}

impl<'a> Told<'a> {
    fn of(target: &'a Target) -> Self {
        Self {
            dataplane: &target.dataplane.name,
            version: target.dataplane.version.as_deref(),
            peer: target.peer.as_ref().map_or("same", |peer| &peer.name),
            world: target.world,
        }
    }
}

impl<'a> Case<'a> {
    fn of(result: &'a CaseResult) -> Self {
        let hash = result.case.as_ref().map(|case| &case.hash);
        Self {
            seed: result.seed,
            target: Told::of(&result.target),
            verdict: &result.verdict,
            record: result.record.as_deref(),
            packets: hash.map(|hash| hash.count),
            trace: hash.map(|hash| hash.packets.as_str()),
            schedule: hash.map(|hash| hash.schedule.as_str()),
        }
    }
}

/// The report of all results, with a newline at its end.
///
/// # Errors
/// Of serialisation: a bug.
pub fn report(results: &[CaseResult], summary: &Summary) -> io::Result<String> {
    let cases: Vec<_> = results.iter().map(Case::of).collect();
    let schedules: serde_json::Map<String, Value> = summary
        .schedules
        .iter()
        .map(|(name, (distinct, seeds, _))| (name.clone(), json!({"distinct": distinct, "seeds": seeds})))
        .collect();
    let report = json!({
        "select_seeded": crate::sim::run::select_is_seeded(),
        "summary": {
            "passed": summary.passed,
            "warned": summary.warned,
            "failed": summary.failed,
            "known_failures": summary.known_failures,
            "unsupported": summary.unsupported,
            "not_run": summary.not_run,
            "broken": summary.broken,
            "left_out": summary.left_out,
            "clauses": summary.clauses,
            "schedules": schedules,
        },
        "cases": cases,
    });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

/// The report of one result.
///
/// # Errors
/// Of serialisation: a bug.
pub fn case(result: &CaseResult) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(&Case::of(result))? + "\n")
}
