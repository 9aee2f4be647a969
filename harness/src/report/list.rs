//! Cases, as `conform list` tells them.

use serde_json::{Value, json};

use super::pretty::{FAINT, SO_SO, STRONG};
use super::text::{put, wrapped};
use crate::language::{Scenario, World};
use crate::requirements::Requirements;
use crate::select::features;

/// For people, with ANSI styles: cases that show the same have their names above one another.
#[must_use]
pub fn pretty(contract: &Requirements, cases: &[Scenario]) -> String {
    let mut text = String::new();
    // The cases of a matrix show the same.
    let alike = |a: &Scenario, b: &Scenario| {
        a.file == b.file && a.about == b.about && a.clauses() == b.clauses() && a.worlds == b.worlds
    };
    for group in cases.chunk_by(alike) {
        for case in group {
            put(&mut text, format_args!("{STRONG}{}{STRONG:#}\n", case.name));
        }
        let Some(case) = group.first() else { continue };
        text.push_str(&wrapped(&case.about, 2));
        let (clauses, features) = (case.clauses().join(", "), features(contract, case).join(", "));
        let line = wrapped(&format!("proves {clauses}; features {features}"), 2);
        put(&mut text, format_args!("{FAINT}{line}{FAINT:#}"));
        if let Some(only) = &case.worlds {
            let line = wrapped(&format!("only in {}: {}", only.world, only.because), 2);
            put(&mut text, format_args!("{SO_SO}{line}{SO_SO:#}"));
        }
    }
    let s = if cases.len() == 1 { "" } else { "s" };
    put(&mut text, format_args!("\n{} case{s}\n", cases.len()));
    text
}

/// For programs: an array with an object a case, and a newline.
#[must_use]
pub fn json(contract: &Requirements, cases: &[Scenario]) -> String {
    let case = |case: &Scenario| {
        let worlds = World::ALL.into_iter().filter(|world| case.runs_in(*world).is_ok());
        json!({
            "name": case.name,
            "about": case.about,
            "file": case.file.display().to_string(),
            "large": case.large,
            "clauses": case.clauses(),
            "features": features(contract, case),
            "worlds": worlds.map(World::word).collect::<Vec<_>>(),
            "because": case.worlds.as_ref().map(|only| &only.because),
        })
    };
    let cases: Vec<Value> = cases.iter().map(case).collect();
    format!("{:#}\n", Value::Array(cases))
}
