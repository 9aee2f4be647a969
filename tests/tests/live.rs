//! The same files on real sockets: what the reference dataplane is judged to do there, case by case and expectation by expectation, is what it is
//! judged to do in the simulator. A plain relay, the control, passes what needs no more than a relay. With Envoy, too, where there is one
//! (`CONFORM_ENVOY`, or `envoy` on the PATH): what it shares with the reference in a few cases; `.ci/run` plays all.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use harness::dataplane::adapter::Adapter;
use harness::dataplane::process::Process;
use harness::dataplane::reference::Reference;
use harness::language::{Scenario, World};
use harness::sim::run::Config;
use harness::suite::{Party, Player, RealSockets, Simulator, Suite, Target};
use harness::verdict::{CaseVerdict, Verdict};

#[path = "shared/programs.rs"]
mod programs;

/// Worlds beside each other: they mostly wait.
const WORLDS: usize = 20;

/// What Envoy does as the documents say, without an excuse.
const WITH_ENVOY: &[&str] = &[
    "http/caller_id",
    "http/versions[",
    "mtls/sni_alpn",
    "tcp/echo[",
    "tls/names",
    "tls/passthrough",
    "tls/resumption[",
];

/// Clauses that ask for no more than a relay does that takes every byte from one end to the other: whoever passes more of them by doing nothing has found
/// a check that cannot fail.
const OF_A_RELAY: &[&str] = &[
    // Interim answers, pipelined requests, connections one to one and answers that are cut come out of a relay as they went in.
    "HTTP-16", "HTTP-27", "HTTP-33", "RES-3", // Opaque bytes.
    "PROTO-10", "TCP-1", "TCP-12", "TCP-13", "TCP-14", "TCP-2", "TCP-3", "TCP-5", "TCP-6", "TCP-7",
    // The app's own TLS.
    "TLS-1", "TLS-2", "TLS-5", "TLS-6", "TLS-9",
];

/// Why a check that is judged in the simulator may not be on real sockets.
const UNSEEN: &str = "refused calls leave no trace in this world";

/// Cases of one file that a relay is given: it gets many of them wrong by waiting.
const OF_A_FILE: usize = 2;

/// Real sockets for one test at a time: more worlds at once than the machine bears are late.
static SOCKETS: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All cases that are played on real sockets.
fn all() -> Vec<Scenario> {
    let all = harness::scenario::find(&root().join("scenarios"), &[]);
    let all = all.unwrap_or_else(|errors| panic!("{errors}"));
    all.into_iter().filter(|case| case.runs_in(World::Live).is_ok()).collect()
}

fn cases(wanted: &[&str]) -> Vec<Scenario> {
    let all = all();
    for name in wanted {
        assert!(all.iter().any(|case| case.name.starts_with(name)), "no case is called {name}");
    }
    all.into_iter().filter(|case| wanted.iter().any(|name| case.name.starts_with(name))).collect()
}

/// A suite for the dataplane of an adapter, and who plays it on real sockets.
fn live(process: Process) -> (Suite, RealSockets) {
    let adapter = process.adapter();
    let version = process.version().unwrap_or_else(|error| panic!("{error}"));
    let target = Target {
        world: World::Live,
        dataplane: Party { name: adapter.name.clone(), version, path: None },
        peer: None,
    };
    let suite = Suite::of(&root(), &adapter.dir, adapter.declared.clone(), target);
    (suite.unwrap_or_else(|error| panic!("{error}")), RealSockets::new(Arc::new(process), None))
}

/// Plays all cases, some at once, the long ones first.
fn play(suite: &Suite, player: &dyn Player, cases: &[Scenario]) -> Vec<CaseVerdict> {
    let mut queue: Vec<_> = cases.iter().collect();
    queue.sort_by_key(|case| std::cmp::Reverse(case.at_least()));
    let (queue, played) = (Mutex::new(queue.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORLDS {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
                    let Some(case) = next else { return };
                    let verdict = suite.play(player, case, &Config::default()).verdict;
                    played.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(verdict);
                }
            });
        }
    });
    let mut played = played.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    played.sort_by(|a, b| a.name.cmp(&b.name));
    played
}

#[test]
fn the_reference_is_judged_alike_in_both_worlds() {
    let adapter = Adapter::find(&root(), "reference").unwrap_or_else(|wrong| panic!("{wrong}"));
    let process = Process::new(adapter, &root())
        .unwrap_or_else(|why| panic!("{why}: run `cargo build -p reference-dp --bins`"));
    programs::check(process.program(), &root());
    let cases = all();
    let simulator = Suite::open(&root(), "reference").unwrap_or_else(|error| panic!("{error}"));
    let simulated = play(&simulator, &Simulator(Arc::new(Reference)), &cases);
    let _alone = SOCKETS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (suite, sockets) = live(process);
    let real = play(&suite, &sockets, &cases);
    assert_eq!(simulated.len(), cases.len());
    let differing: Vec<_> =
        simulated.iter().zip(&real).flat_map(|(simulated, real)| differences(simulated, real)).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

/// In what a case is judged otherwise on real sockets. Nothing may be lost there but what a relay cannot see.
fn differences(simulated: &CaseVerdict, real: &CaseVerdict) -> Vec<String> {
    let is_unseen =
        |verdict: &Verdict| matches!(verdict, Verdict::NotRun(reason) if reason.ends_with(UNSEEN));
    let all = [
        simulated.expectations.len() == real.expectations.len(),
        simulated.always.len() == real.always.len(),
        simulated.verdict == real.verdict || is_unseen(&real.verdict),
    ];
    let mut differing = Vec::new();
    if all.contains(&false) {
        differing.push(format!("{}: {:?} became {:?}", real.name, simulated.verdict, real.verdict));
    }
    for (one, other) in simulated.expectations.iter().zip(&real.expectations) {
        if one.verdict != other.verdict && !is_unseen(&other.verdict) {
            differing.push(format!("{}:{} {:?} {:?}", real.name, one.line, other.verdict, other.findings));
        }
    }
    for (one, other) in simulated.always.iter().zip(&real.always) {
        if one.verdict != other.verdict {
            differing.push(format!("{} {} {:?} {:?}", real.name, other.name, other.verdict, other.findings));
        }
    }
    differing
}

#[test]
fn envoy_holds_what_it_is_known_to_hold() {
    let adapter = Adapter::find(&root(), "envoy").unwrap_or_else(|wrong| panic!("{wrong}"));
    let process = match Process::new(adapter, &root()) {
        Ok(process) => process,
        Err(why) => {
            // Without a standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "not run with envoy: {why}");
            return;
        }
    };
    let _alone = SOCKETS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (suite, sockets) = live(process);
    let played = play(&suite, &sockets, &cases(WITH_ENVOY));
    let failed: Vec<_> = played.iter().filter(|case| case.verdict != Verdict::Pass).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_plain_relay_passes_what_needs_no_more() {
    let adapter = Adapter::find(&root(), "passthrough").unwrap_or_else(|wrong| panic!("{wrong}"));
    let process = Process::new(adapter, &root())
        .unwrap_or_else(|why| panic!("{why}: run `cargo build -p tests --bins`"));
    let mut of_a_file: BTreeMap<String, usize> = BTreeMap::new();
    let mut cases = all();
    cases.retain(|case| {
        let before = of_a_file.entry(case.base_name().to_owned()).or_default();
        *before += 1;
        *before <= OF_A_FILE
    });
    let _alone = SOCKETS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (suite, sockets) = live(process);
    let played = play(&suite, &sockets, &cases);
    let mut clauses: BTreeMap<&str, bool> = BTreeMap::new();
    for (clause, verdict) in played.iter().flat_map(|case| &case.clauses) {
        match verdict {
            Verdict::NotRun(_) | Verdict::Unsupported(_) => {}
            Verdict::Broken(why) => panic!("{why}"),
            verdict => *clauses.entry(clause).or_insert(true) &= *verdict == Verdict::Pass,
        }
    }
    let passed: BTreeSet<&str> =
        clauses.iter().filter(|(_, passed)| **passed).map(|(clause, _)| *clause).collect();
    assert_eq!(passed, OF_A_RELAY.iter().copied().collect());
    assert!(clauses.len() > 3 * passed.len(), "{clauses:?}");
}
