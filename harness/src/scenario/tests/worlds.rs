//! `worlds`: where a case is played.

use super::*;
use crate::language::{OnlyIn, World};

fn in_worlds(worlds: &str) -> String {
    format!("worlds: {worlds}\n{}", with(HELLO, QUIET))
}

#[test]
fn a_case_runs_everywhere_unless_it_says_otherwise() {
    let everywhere = one(&with(HELLO, QUIET));
    assert!(World::ALL.into_iter().all(|world| everywhere.runs_in(world) == Ok(())));
    let case = one(&in_worlds("{only: sim, because: needs 24 virtual hours}"));
    assert_eq!(case.worlds, Some(OnlyIn { world: World::Sim, because: "needs 24 virtual hours".into() }));
    assert_eq!(case.runs_in(World::Sim), Ok(()));
    assert_eq!(case.runs_in(World::Live), Err("only in the simulator: needs 24 virtual hours".into()));
    let case = one(&in_worlds("{only: live, because: asks the kernel}"));
    assert_eq!(case.runs_in(World::Sim), Err("only in the live world: asks the kernel".into()));
}

#[test]
fn some_cases_of_a_matrix_may_be_of_one_world() {
    let text = in_worlds("{only: $where, because: the wait is $wait, when: {wait: [2h, 24h]}}")
        .replace("steps:\n", "steps:\n  - {wait: $wait}\n");
    let cases = read(&format!("for: {{wait: [1s, 2h], where: [sim]}}\n{}", text.replace("[2h, 24h]", "2h")));
    assert_eq!(cases[0].worlds, None);
    assert_eq!(cases[1].runs_in(World::Live), Err("only in the simulator: the wait is $wait".into()));
    let never = format!("for: {{wait: [1s, 2h], where: [sim]}}\n{text}");
    assert!(refused(&never).to_string().contains("`wait` never has the value `24h`"), "{}", refused(&never));
}

#[test]
fn mistakes_in_worlds_are_shown() {
    error_at(&in_worlds("{only: moon, because: x}"), Kind::Value, "moon");
    error_at(&in_worlds("{only: sim}"), Kind::Missing, "{only");
    error_at(&in_worlds("{because: x}"), Kind::Missing, "{because");
    error_at(&in_worlds("{only: sim, because: ''}"), Kind::Value, "''");
    error_at(&in_worlds("{only: sim, because: x, why: y}"), Kind::Key, "why");
    for short in ["[sim]", "sim"] {
        let error = error_at(&in_worlds(short), Kind::Type, short);
        assert!(format!("{error:?}").contains("{only: sim, because: "), "{error:?}");
    }
    error_at(&in_worlds("{only: sim, because: x, when: {x: y}}"), Kind::Matrix, "x: y");
}
