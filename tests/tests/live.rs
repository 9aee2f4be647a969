//! The same files on real sockets: what the reference dataplane is judged to do there, expectation by expectation, is what it is judged to do in the
//! simulator. With Envoy, too, where there is one (`CONFORM_ENVOY`, or `envoy` on the PATH): what it shares with the reference in a few cases.

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
const WORLDS: usize = 6;

/// One or more of each kind of app, fault and check.
const CASES: &[&str] = &[
    "http/added[",
    "http/bodies[",
    "http/caller_id",
    "http/exchange[",
    "http/hop_by_hop[",
    "http/no_body",
    "http/request_id[",
    "http/versions[",
    "http/websocket_refused",
    "metrics/tcp_counts[",
    "mtls/allowed[",
    "mtls/http_denied",
    "mtls/identities",
    "mtls/plaintext",
    "mtls/sni_alpn",
    "mtls/wrong_client[",
    "proto/disagree",
    "proto/own_port",
    "resilience/http_closed",
    "resilience/http_refused",
    "resilience/http_retried[",
    "tcp/echo[",
    "tcp/no_endpoint",
    "tcp/one_to_one",
    "tcp/segments[",
    "tls/names",
    "tls/passthrough",
    "tls/raw[",
    "tls/resumption[",
    "tls/starttls[",
    "tls/versions[",
];

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

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cases(wanted: &[&str]) -> Vec<Scenario> {
    let all =
        harness::scenario::find(&root().join("scenarios"), &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let all: Vec<_> = all.into_iter().filter(|case| case.runs_in(World::Live).is_ok()).collect();
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

/// Plays all cases, some at once.
fn play(suite: &Suite, player: &dyn Player, cases: &[Scenario]) -> Vec<CaseVerdict> {
    let (queue, played) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
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
    let cases = cases(CASES);
    let simulator = Suite::open(&root(), "reference").unwrap_or_else(|error| panic!("{error}"));
    let simulated = play(&simulator, &Simulator(Arc::new(Reference)), &cases);
    let (suite, sockets) = live(process);
    let real = play(&suite, &sockets, &cases);
    assert_eq!(simulated.len(), cases.len());
    let mut differing = Vec::new();
    for (simulated, real) in simulated.iter().zip(&real) {
        let both = simulated.expectations.iter().zip(&real.expectations);
        for (one, other) in both.filter(|(one, other)| {
            // What a relay cannot see is not run there.
            one.verdict != other.verdict && !matches!(other.verdict, Verdict::NotRun(_))
        }) {
            differing.push(format!("{}:{} {:?} {:?}", real.name, one.line, other.verdict, other.findings));
        }
        for always in real.always.iter().filter(|always| always.verdict == Verdict::Fail) {
            differing.push(format!("{} {} {:?}", real.name, always.name, always.findings));
        }
        if simulated.verdict != real.verdict && matches!(real.verdict, Verdict::Broken(_)) {
            differing.push(format!("{} {:?}", real.name, real.verdict));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
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
    let (suite, sockets) = live(process);
    let played = play(&suite, &sockets, &cases(WITH_ENVOY));
    let failed: Vec<_> = played.iter().filter(|case| case.verdict != Verdict::Pass).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
