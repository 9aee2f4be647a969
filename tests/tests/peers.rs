//! The reference dataplane beside the harness itself (`--peer scripted`): what a case still shows then holds, and most of what is opaque to sidecars
//! is still shown.

use std::path::Path;
use std::sync::Arc;

use harness::dataplane::declared::Declared;
use harness::dataplane::reference::Reference;
use harness::scenario;
use harness::sim::run::Config;
use harness::suite::{Party, Simulator, Suite, Target};
use harness::verdict::{CaseVerdict, Verdict};

/// Cases that must have been judged: else it is the judge that went missing.
const JUDGED: usize = 250;

#[test]
fn the_reference_gets_along_with_a_scripted_peer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = Target { peer: Some(Party::scripted()), ..Target::default() };
    let suite = Suite::of(&root, &root.join("fixtures/dataplanes/reference"), Declared::reference(), target)
        .unwrap_or_else(|error| panic!("{error}"));
    let cases = scenario::find(&suite.scenarios(), &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
    let player = Simulator(Arc::new(Reference));
    let play = |case| suite.play(&player, case, &Config::default()).verdict;
    let (mut judged, mut wrong): (usize, Vec<CaseVerdict>) = (0, Vec::new());
    for verdict in cases.iter().filter(|case| !case.large).map(play) {
        match verdict.verdict {
            Verdict::Pass | Verdict::Warn => judged += 1,
            Verdict::NotRun(_) => {}
            _ => wrong.push(verdict),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(judged >= JUDGED, "only {judged} cases were judged");
}
