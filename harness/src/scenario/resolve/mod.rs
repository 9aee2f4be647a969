//! From a file as written to a scenario as meant: names are looked up, verbs and checks are made sure of, defaults filled in.

mod expects;
mod http;
mod names;
mod pods;
mod resources;
mod steps;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Kind, Problem, line_column};
use super::file::world::{World as WorldAsWritten, Worlds};
use super::file::{File, Mtls as MtlsAsWritten, Only};
use super::matrix::Case;
use super::node::Node;
use crate::language::{Mesh, Mtls, OnlyIn, Scenario, World};
use crate::requirements::Requirements;
use names::Names;
use steps::Ids;

/// Virtual time after which a run is a hang, unless the file says otherwise: more than the longest of Kuma's times, 24 h.
const DEADLINE: Duration = Duration::from_secs(26 * 3600);

/// What all parts of one case need.
pub(crate) struct Resolver<'a> {
    case: &'a Case<'a>,
    source: &'a str,
    contract: &'a Requirements,
    names: Names,
    ids: Ids,
    problems: Vec<Problem>,
}

/// The case as meant. Errors are added to `problems`.
pub(crate) fn scenario(
    name: &str,
    path: &Path,
    (source, tree): (&Arc<str>, &Node),
    (file, case): (File, &Case<'_>),
    contract: &Requirements,
    problems: &mut Vec<Problem>,
) -> Scenario {
    let mut resolver = Resolver {
        case,
        source,
        contract,
        names: Names::default(),
        ids: Ids::default(),
        problems: Vec::new(),
    };
    if file.about.value.trim().is_empty() {
        resolver.error(
            Problem::new(Kind::Value, "`about` is empty")
                .at(file.about.span.clone())
                .label("expected one sentence"),
        );
    }
    let worlds = file.worlds.and_then(|worlds| resolver.worlds(worlds));
    let pods = resolver.pods(file.pods, mtls(file.mesh.mtls));
    resolver.names = Names::new(&pods);
    let permissions = file.mesh.permissions.map(|names| {
        names.iter().filter_map(|name| resolver.check(|resolver| resolver.names.pod(name))).collect()
    });
    let mesh = Mesh { mtls: mtls(file.mesh.mtls), permissions };
    let resources = resources::texts(tree, &mut resolver.problems);
    let steps = resolver.steps(file.steps);
    let expect = resolver.expectations(file.expect.unwrap_or_default(), None);
    problems.append(&mut resolver.problems);
    Scenario {
        name: format!("{name}{}", case.suffix()),
        file: path.to_path_buf(),
        source: Arc::clone(source),
        about: file.about.value,
        large: file.large.unwrap_or(false),
        worlds,
        deadline: file.deadline.map_or(DEADLINE, |wait| wait.0),
        mesh,
        pods,
        resources,
        steps,
        expect,
    }
}

fn mtls(mtls: MtlsAsWritten) -> Mtls {
    match mtls {
        MtlsAsWritten::Strict => Mtls::Strict,
        MtlsAsWritten::Disabled => Mtls::Disabled,
    }
}

impl Resolver<'_> {
    fn error(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The value, or `None` and one error more.
    fn check<T>(&mut self, look: impl FnOnce(&Self) -> Result<T, Problem>) -> Option<T> {
        match look(self) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.error(problem);
                None
            }
        }
    }

    /// The one world of this case, if it has one.
    fn worlds(&mut self, written: Worlds) -> Option<OnlyIn> {
        if written.because.value.trim().is_empty() {
            self.error(
                Problem::new(Kind::Value, "`because` is empty")
                    .at(written.because.span.clone())
                    .label("expected a reason"),
            );
        }
        let world = match written.only {
            WorldAsWritten::Sim => World::Sim,
            WorldAsWritten::Live => World::Live,
        };
        self.is_there(written.when.as_ref()).then_some(OnlyIn { world, because: written.because.value })
    }

    fn line(&self, at: usize) -> u32 {
        line_column(self.source, at).0
    }

    /// Whether a piece with this `when` is there in this case.
    fn is_there(&mut self, when: Option<&Only>) -> bool {
        let mut there = true;
        for (name, values) in when.into_iter().flatten() {
            let Some(value) = self.case.value(&name.value) else {
                let problem = Problem::new(Kind::Matrix, format!("unknown matrix name `{}`", name.value));
                self.error(
                    problem
                        .at(name.span.clone())
                        .label("not in `for`")
                        .did_you_mean(&name.value, self.case.names()),
                );
                continue;
            };
            let allowed = self.case.allowed(&name.value);
            for wanted in values.value.0.iter().filter(|wanted| !allowed.contains(&wanted.0.as_str())) {
                let problem = Problem::new(
                    Kind::Matrix,
                    format!("`{}` never has the value `{}`", name.value, wanted.0),
                );
                let problem =
                    problem.at(values.span.clone()).label(format!("values: {}", allowed.join(", ")));
                self.problems.push(problem.did_you_mean(&wanted.0, allowed.iter().copied()));
            }
            there &= values.value.0.iter().any(|wanted| wanted.0 == value);
        }
        there
    }
}
