//! All expectations of a run at their moments, clause by clause.

use indexmap::IndexMap;

use super::support::{out_of_sight, said, unsupported};
use super::{AlwaysVerdict, CaseVerdict, ExpectationVerdict, NO_PANIC, QUIET, Verdict, worsen};
use super::{agree, always, known};
use crate::dataplane::declared::Declared;
use crate::expect::{Answer, Dictionaries, Finding, Moment, Run, Slack, scene, words};
use crate::language::{Expectation, Level, World};
use crate::observe::{Nanos, Observation, Seen};
use crate::requirements::{Binding, Requirements};

/// What a run is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The contract. A clause that it does not have binds like a must.
    pub requirements: &'a Requirements,
    /// Signals to metrics, by sidecar.
    pub dictionaries: &'a Dictionaries,
    /// What the dataplane says of itself.
    pub declared: &'a Declared,
    /// Its version, as it tells it; known failures may be limited to some.
    pub version: Option<&'a str>,
    /// The world in which it was played.
    pub world: World,
}

impl Terms<'_> {
    fn level(&self, clause: &str) -> Level {
        self.requirements.get(clause).map_or(Level::Must, |clause| match clause.level {
            Binding::Must => Level::Must,
            Binding::Should => Level::Should,
            Binding::May => Level::May,
        })
    }

    fn unsupported(&self, clause: &str) -> Option<String> {
        self.requirements.get(clause).and_then(|clause| unsupported(clause, self.declared))
    }
}

/// Judges a run; `panics` are those of the dataplane's tasks, with their backtraces.
#[must_use]
pub fn judge(run: &Run, panics: &[String], terms: &Terms<'_>) -> CaseVerdict {
    if let Some(what) = beyond(run) {
        return CaseVerdict::unplayed(&run.scenario, &Verdict::NotRun(what));
    }
    let moments = moments(run, terms);
    let mut judged: Vec<_> =
        moments.iter().map(|(moment, expectation)| expectation_of(moment, expectation, terms)).collect();
    let is_peers = |host: &str| {
        let pod = host.strip_suffix(".proxy");
        pod.is_some_and(|pod| terms.dictionaries.is_of_peer(&run.scenario, pod))
    };
    let mut always = always::judge(run, is_peers);
    always.push(agree::judge(run, terms.dictionaries, terms.declared));
    always.push(no_panic(run, panics, is_peers));
    known::apply(&run.scenario.name, &mut judged, &mut always, terms);
    let mut clauses = IndexMap::new();
    for (clause, verdict) in judged.iter().flat_map(|judged| &judged.each) {
        let so_far = clauses.entry(clause.clone()).or_insert_with(|| verdict.clone());
        // One expectation that is not asked says nothing against another that was.
        if matches!(so_far, Verdict::Unsupported(_)) {
            *so_far = verdict.clone();
        } else if !matches!(verdict, Verdict::Unsupported(_)) {
            worsen(so_far, verdict);
        }
    }
    let expectations: Vec<_> = judged.into_iter().map(Judged::finish).collect();
    let verdict = overall(
        expectations.iter().map(|expectation| &expectation.verdict),
        always.iter().map(|always| &always.verdict),
    );
    let took = run.observations.iter().map(|observation| observation.at).max().unwrap_or(0);
    CaseVerdict { name: run.scenario.name.clone(), verdict, took, expectations, always, clauses }
}

/// What the dataplane asked for that no app of the harness can do.
fn beyond(run: &Run) -> Option<String> {
    run.observations.iter().find_map(|observation| match &observation.seen {
        Seen::Beyond { what } => Some(what.clone()),
        _ => None,
    })
}

/// An expectation while its clauses may still be excused.
pub(super) struct Judged {
    /// As it stands; its verdict is that of no clause.
    whole: ExpectationVerdict,
    /// Its verdict for each clause that it proves.
    each: Vec<(String, Verdict)>,
}

impl Judged {
    /// The verdict on a clause and the findings beside it, if it was named and is judged.
    pub(super) fn of(&mut self, clause: &str) -> Option<(&mut Verdict, &mut Vec<Finding>)> {
        let (_, verdict) = self.each.iter_mut().find(|(id, _)| id == clause)?;
        (!matches!(verdict, Verdict::Unsupported(_))).then_some((verdict, &mut self.whole.findings))
    }

    /// The worst of its clauses; those that are unsupported count only when all are.
    fn finish(self) -> ExpectationVerdict {
        let Self { mut whole, each } = self;
        let kept = each.into_iter().map(|(_, verdict)| verdict);
        let kept = kept.filter(|verdict| !matches!(verdict, Verdict::Unsupported(_)));
        if let Some(worst) = kept.max_by_key(Verdict::weight) {
            whole.verdict = worst;
        }
        whole
    }
}

fn expectation_of(moment: &Moment<'_>, expectation: &Expectation, terms: &Terms<'_>) -> Judged {
    let unseen = out_of_sight(expectation, &moment.run.scenario, terms.declared);
    let reasons: Vec<_> = expectation.proves.iter().map(|clause| terms.unsupported(clause)).collect();
    let reasons: Vec<_> = reasons.into_iter().map(|reason| reason.or_else(|| unseen.clone())).collect();
    let own = |clause: &str| expectation.level.unwrap_or_else(|| terms.level(clause));
    let all_unsupported = if reasons.is_empty() {
        unseen
    } else {
        reasons.iter().cloned().collect::<Option<Vec<_>>>().and_then(said)
    };
    // Whoever does not claim a feature is not asked about it.
    let (findings, not_run) =
        if all_unsupported.is_some() { (Vec::new(), None) } else { evaluate(moment, expectation) };
    let verdict_at = |level| match &not_run {
        _ if !findings.is_empty() => Verdict::of(level),
        Some(reason) => Verdict::NotRun(reason.clone()),
        None => Verdict::Pass,
    };
    let each: Vec<_> = expectation
        .proves
        .iter()
        .zip(&reasons)
        .map(|(clause, reason)| {
            let verdict = match reason {
                Some(reason) => Verdict::Unsupported(reason.clone()),
                None => verdict_at(own(clause)),
            };
            (clause.clone(), verdict)
        })
        .collect();
    let kept =
        expectation.proves.iter().zip(&reasons).filter(|(_, why)| all_unsupported.is_some() || why.is_none());
    let strongest = kept.map(|(clause, _)| own(clause)).min_by_key(|level| strength(*level));
    let level = strongest.or(expectation.level).unwrap_or(Level::Must);
    let verdict = all_unsupported.map_or_else(|| verdict_at(level), Verdict::Unsupported);
    let whole = ExpectationVerdict {
        step: moment.step.map(str::to_owned),
        line: expectation.line,
        checks: expectation.checks.iter().map(|check| check.name()).collect::<Vec<_>>().join(", "),
        proves: expectation.proves.clone(),
        level,
        verdict,
        findings,
    };
    Judged { whole, each }
}

/// All expectations with the moments at which they are judged.
fn moments<'a>(run: &'a Run, terms: &Terms<'a>) -> Vec<(Moment<'a>, &'a Expectation)> {
    let slack = match terms.world {
        World::Sim => Slack::NONE,
        World::Live => Slack::REAL,
    };
    let dictionaries = terms.dictionaries;
    let at = |step: Option<&'a str>, until| Moment { run, step, until, dictionaries, slack };
    let mut all = Vec::new();
    for step in scene::steps(&run.scenario) {
        let seen = |wanted: Seen| {
            time_of(run, |observation| {
                observation.seen == wanted && observation.step.as_deref() == Some(&step.id)
            })
        };
        // A step that never ended is judged on everything: what it misses shows there.
        let until = match seen(Seen::StepSettled) {
            Nanos::MAX => seen(Seen::StepEnded),
            settled => settled,
        };
        all.extend(step.expect.iter().map(|expectation| (at(Some(&step.id), until), expectation)));
    }
    let quiet = time_of(run, |observation| matches!(&observation.seen, Seen::Did { what } if what == QUIET));
    all.extend(run.scenario.expect.iter().map(|expectation| (at(None, quiet), expectation)));
    all
}

/// When it was seen; the end of time if never.
fn time_of(run: &Run, wanted: impl Fn(&Observation) -> bool) -> Nanos {
    run.observations
        .iter()
        .find(|observation| wanted(observation))
        .map_or(Nanos::MAX, |observation| observation.at)
}

/// Findings of all checks, and the first reason why one could not be judged.
fn evaluate(moment: &Moment<'_>, expectation: &Expectation) -> (Vec<Finding>, Option<String>) {
    if expectation.not_run.is_some() {
        return (Vec::new(), expectation.not_run.clone());
    }
    let mut findings = Vec::new();
    let mut not_run = None;
    for check in &expectation.checks {
        match check.judge(moment) {
            Answer::Judged(more) => findings.extend(more),
            Answer::NotRun(reason) => {
                not_run.get_or_insert(format!("{}: {reason}", check.name()));
            }
        }
    }
    (findings, not_run)
}

/// The dataplane's tasks do not panic, its processes do not end by themselves. That those of another one do, is warned of.
fn no_panic(run: &Run, panics: &[String], is_peers: impl Fn(&str) -> bool) -> AlwaysVerdict {
    let mut findings: Vec<_> = panics
        .iter()
        .map(|panic| words::finding("panic", "no panic in the dataplane", panic, None))
        .collect();
    let mut verdict = if findings.is_empty() { Verdict::Pass } else { Verdict::Fail };
    for (index, seen) in run.observations.iter().enumerate() {
        let Seen::Died { how } = &seen.seen else { continue };
        let host = format!("{}.proxy", seen.pod);
        worsen(&mut verdict, if is_peers(&host) { &Verdict::Warn } else { &Verdict::Fail });
        let what = format!("end ({host})");
        findings.push(words::finding(what, "no end that nobody asked for", how, Some(index)));
    }
    AlwaysVerdict { name: NO_PANIC.to_owned(), verdict, findings }
}

/// Smaller is stronger.
fn strength(level: Level) -> u8 {
    match level {
        Level::Must => 0,
        Level::Should => 1,
        Level::May => 2,
    }
}

/// The worst of what was judged; what could not be judged shows only when no expectation was.
fn overall<'a>(
    expectations: impl Iterator<Item = &'a Verdict>,
    always: impl Iterator<Item = &'a Verdict>,
) -> Verdict {
    let (judged, unjudged): (Vec<_>, Vec<_>) = expectations.partition(|verdict| verdict.is_judged());
    let mut worst = Verdict::Pass;
    if judged.is_empty() {
        unjudged.into_iter().for_each(|verdict| worsen(&mut worst, verdict));
    }
    let always = always.filter(|verdict| verdict.is_judged());
    // What stands for a whole case that was not judged is no better than a pass.
    for verdict in judged.into_iter().chain(always) {
        worsen(&mut worst, verdict);
    }
    worst
}
