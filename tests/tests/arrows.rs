//! Arrows of the architecture, held: between crates, between modules, and who may name what; and what keeps a code base tidy.

use std::path::{Path, PathBuf};

use harness::scenario;

#[path = "arrows/layers.rs"]
mod layers;
#[path = "arrows/manifest.rs"]
mod manifest;
#[path = "arrows/source.rs"]
mod source;

use layers::circles;
use manifest::Manifest;
use source::{blank, files, first_names, read, tokens, uses, without_tests};

/// The crates of the project, each with those of them that it may depend on.
const CRATES: [(&str, &str, &[&str]); 4] = [
    ("reference-dp", "reference-dp", &[]),
    ("entropy", "harness/entropy", &[]),
    ("harness", "harness", &["reference-dp", "entropy"]),
    ("tests", "tests", &["harness", "reference-dp", "entropy"]),
];

/// The crate that may be unsafe: it defines two C symbols.
const UNSAFE: &str = "harness/entropy";
/// The file that knows the kernel.
const KERNEL: &str = "harness/src/sim/kernel.rs";
/// The file that knows the proxy.
const PROXY: &str = "harness/src/dataplane/reference.rs";
/// The file that knows the plan: what adapters of other dataplanes are given. It tells them what to do, and says nothing of what is expected.
const PLAN: &str = "harness/src/dataplane/plan.rs";
/// What that file may name besides the seams.
const PLANNING: [&str; 2] = ["plan", "resource"];
/// The seams that the harness and the dataplane share.
const SEAMS: [&str; 3] = ["net", "spawn", "clock"];

/// Lines of a file of src; more than that is more than one concept.
const LINES_MAX: usize = 450;
/// Longer ones, each with the length it may not pass, and why it is one concept all the same.
const LONGER: [(&str, usize, &str); 2] = [
    (KERNEL, 600, "the one file that names turmoil-net: what it gets wrong is mended in one place"),
    (
        "harness/src/sim/scheduler.rs",
        560,
        "the one function that every packet passes, and the faults it obeys",
    ),
];

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// A path as the project names it.
fn plain(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with a list of all complaints.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Complaints about source files below some folders.
fn in_sources(folders: &[&str], complain: impl Fn(&Path, &str) -> Vec<(usize, String)>) -> Vec<String> {
    let paths: Vec<_> = folders.iter().flat_map(|folder| files(&root().join(folder), "rs")).collect();
    assert!(!paths.is_empty(), "no sources in {folders:?}");
    let told = |path: &PathBuf| {
        let found = complain(path, &blank(&read(path)));
        found.into_iter().map(|(line, what)| format!("{}:{line}: {what}", plain(path))).collect::<Vec<_>>()
    };
    paths.iter().flat_map(told).collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let mut complaints = Vec::new();
    for (name, folder, may) in CRATES {
        let manifest = Manifest::read(&root().join(folder).join("Cargo.toml"));
        for dependency in manifest.dependencies() {
            let ours = CRATES.iter().any(|(other, ..)| *other == dependency.name);
            if ours && !may.contains(&dependency.name.as_str()) {
                complaints.push(format!(
                    "{folder}/Cargo.toml:{}: {name} depends on {}",
                    dependency.line, dependency.name
                ));
            }
        }
    }
    none(&complaints);
}

#[test]
fn every_crate_is_known_here() {
    let members = Manifest::read(&root().join("Cargo.toml")).members();
    let mut known: Vec<_> = CRATES.iter().map(|(_, folder, _)| (*folder).to_owned()).collect();
    known.sort();
    assert_eq!(members, known);
}

#[test]
fn the_dataplane_knows_nothing_of_who_judges_it() {
    let strange = |word: &str| {
        word.starts_with("turmoil") || word.contains("scenario") || word == "harness" || word == "entropy"
    };
    let manifest = Manifest::read(&root().join("reference-dp/Cargo.toml"));
    let dependencies = manifest.dependencies();
    let mut complaints: Vec<_> = dependencies
        .iter()
        .filter(|dependency| strange(&dependency.name))
        .map(|dependency| {
            format!("reference-dp/Cargo.toml:{}: depends on {}", dependency.line, dependency.name)
        })
        .collect();
    assert!(!dependencies.is_empty(), "no dependencies were read");
    complaints.extend(in_sources(&["reference-dp/src"], |_, text| {
        let names = |word: &str| word.starts_with("turmoil") || word == "harness" || word == "entropy";
        // `entropy` is a word of its own there too, but as a crate it would begin a path.
        let tokens = tokens(text);
        let begins = |at: usize| at == 0 || tokens[at - 1].text != "::" && tokens[at - 1].text != ".";
        let path = |at: usize| tokens.get(at + 1).is_some_and(|next| next.text == "::");
        (0..tokens.len())
            .filter(|at| names(tokens[*at].text) && begins(*at) && path(*at))
            .map(|at| (tokens[at].line, format!("names {}", tokens[at].text)))
            .collect()
    }));
    none(&complaints);
}

#[test]
fn one_file_names_the_kernel() {
    let folders = ["harness", "reference-dp", "tests"];
    let naming = |path: &Path, text: &str| {
        let found = tokens(text).into_iter().filter(|token| token.text == "turmoil_net");
        if path == root().join(KERNEL) {
            Vec::new()
        } else {
            found.map(|token| (token.line, "names turmoil_net".to_owned())).collect()
        }
    };
    none(&in_sources(&folders, naming));
    assert!(tokens(&blank(&read(&root().join(KERNEL)))).iter().any(|token| token.text == "turmoil_net"));
}

#[test]
fn one_file_of_the_harness_names_the_proxy() {
    let naming = |path: &Path, text: &str| {
        if path == root().join(PROXY) {
            return Vec::new();
        }
        let tokens = tokens(text);
        let paths = (0..tokens.len()).filter(|at| tokens[*at].text == "reference_dp");
        let named = paths.flat_map(|at| match tokens.get(at + 1) {
            Some(next) if next.text == "::" => first_names(&tokens[at + 2..]),
            // Renamed or imported as a whole, anything could be reached.
            _ => vec![("itself", tokens[at].line)],
        });
        let plans = path == root().join(PLAN);
        let may = |name: &str| SEAMS.contains(&name) || plans && PLANNING.contains(&name);
        let others = named.filter(|(name, _)| !may(name));
        others.map(|(name, line)| (line, format!("names {name} of reference_dp"))).collect()
    };
    none(&in_sources(&["harness"], naming));
}

#[test]
fn modules_form_layers() {
    let mut complaints = Vec::new();
    for (name, folder, _) in CRATES {
        let root = root().join(folder).join("src/lib.rs");
        for circle in circles(&uses(&root)) {
            let steps = circle.iter().map(|edge| {
                let (to, file, line) = (&edge.to, plain(&edge.file), edge.line);
                format!("  {} -> {to}  {file}:{line}", edge.from)
            });
            complaints.push(format!("{name}: modules in a circle\n{}", steps.collect::<Vec<_>>().join("\n")));
        }
    }
    none(&complaints);
    let layers = uses(&root().join("harness/src/lib.rs"));
    assert!(layers.iter().any(|found| found.from == "cli" && found.to == "suite"), "no paths were read");
}

#[test]
fn nothing_is_unsafe_but_the_entropy_crate() {
    let workspace = read(&root().join("Cargo.toml"));
    assert!(
        workspace.lines().any(|line| line == "unsafe_code = \"forbid\""),
        "the workspace must forbid unsafe code"
    );
    let mut complaints = Vec::new();
    for (name, folder, _) in CRATES.iter().filter(|(_, folder, _)| *folder != UNSAFE) {
        if !Manifest::read(&root().join(folder).join("Cargo.toml")).takes_lints_of_workspace() {
            complaints.push(format!("{name}: does not take the workspace's lints"));
        }
    }
    complaints.extend(in_sources(&["harness", "reference-dp", "tests"], |path, text| {
        if path.starts_with(root().join(UNSAFE)) {
            return Vec::new();
        }
        let found = tokens(text).into_iter().filter(|token| token.text == "unsafe");
        found.map(|token| (token.line, "is unsafe".to_owned())).collect()
    }));
    none(&complaints);
}

#[test]
fn every_dependency_has_its_reason() {
    let workspace = Manifest::read(&root().join("Cargo.toml"));
    let dependencies = workspace.dependencies();
    assert!(!dependencies.is_empty(), "no dependencies were read");
    let without = dependencies.iter().filter(|dependency| !dependency.has_reason);
    none(
        &without
            .map(|found| format!("Cargo.toml:{}: {} has no comment", found.line, found.name))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn no_source_file_is_long() {
    let mut complaints = Vec::new();
    for (_, folder, _) in CRATES {
        for path in files(&root().join(folder).join("src"), "rs") {
            let (name, lines) = (plain(&path), read(&path).lines().count());
            // Tables of tests grow with what they test.
            let is_tests = path.file_name().is_some_and(|name| name == "tests.rs");
            let max = LONGER.iter().find(|(long, ..)| *long == name).map_or(LINES_MAX, |(_, max, _)| *max);
            if lines > max && !is_tests {
                complaints.push(format!("{name}: {lines} lines, more than {max}"));
            }
        }
    }
    for (name, _, why) in LONGER {
        if read(&root().join(name)).lines().count() <= LINES_MAX {
            complaints.push(format!("{name}: is no longer long, so needs no exception ({why})"));
        }
    }
    none(&complaints);
}

#[test]
fn no_test_is_left_out_and_none_sleeps() {
    none(&in_sources(&["harness", "reference-dp", "tests"], |_, text| {
        let tokens = tokens(text);
        let has = |words: &[&str], what: &str| {
            let places = tokens
                .windows(words.len())
                .filter(|window| window.iter().map(|token| token.text).eq(words.iter().copied()));
            places.map(|window| (window[0].line, what.to_owned())).collect::<Vec<_>>()
        };
        let mut found = has(&["#", "[", "ignore"], "leaves a test out");
        found.extend(has(&["with_ignored_flag"], "leaves a test out"));
        found.extend(has(&["thread", "::", "sleep"], "sleeps in real time"));
        found.extend(has(&["thread", "::", "{", "sleep"], "sleeps in real time"));
        found
    }));
}

#[test]
fn the_scanner_leaves_out_whole_items() {
    // It cuts what `#[cfg(test)]` marks: a cut in the wrong place could hide a path, and leaves a brace alone.
    let marked = in_sources(&["harness/src", "reference-dp/src"], |_, text| {
        let all = tokens(text);
        let left = without_tests(&all);
        let counts =
            |tokens: &[source::Token<'_>], word| tokens.iter().filter(|token| token.text == word).count();
        let unbalanced = counts(&left, "{") != counts(&left, "}");
        if unbalanced {
            vec![(1, "braces do not match once tests are left out".to_owned())]
        } else {
            Vec::new()
        }
    });
    none(&marked);
}

#[test]
fn every_case_proves_a_clause() {
    let cases = scenario::find(&root().join("scenarios"), &[])
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    assert!(!cases.is_empty(), "there are no cases");
    let mut complaints = Vec::new();
    for case in &cases {
        if clauses(case) == 0 {
            complaints.push(format!("{}: proves nothing", case.name));
        }
    }
    none(&complaints);
}

/// How many clauses the expectations of a case name.
fn clauses(case: &scenario::Scenario) -> usize {
    fn of(steps: &[scenario::Step]) -> usize {
        let own = |step: &scenario::Step| {
            step.expect.iter().map(|expectation| expectation.proves.len()).sum::<usize>()
        };
        let inner = |step: &scenario::Step| match &step.verb {
            scenario::Verb::Parallel(steps) => of(steps),
            _ => 0,
        };
        steps.iter().map(|step| own(step) + inner(step)).sum()
    }
    case.expect.iter().map(|expectation| expectation.proves.len()).sum::<usize>() + of(&case.steps)
}
