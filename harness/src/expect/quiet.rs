//! `quiet`: sockets of hosts at a moment.

use super::words::{self, finding};
use super::{Answer, Finding, Moment, SocketCount};
use crate::language::QuietCheck;
use crate::language::value::Count;
use crate::observe::Seen;

impl QuietCheck {
    /// Judges the sockets as counted at this moment.
    #[must_use]
    pub fn judge(&self, moment: &Moment<'_>) -> Answer {
        let uncounted = moment.run.observations.iter().find_map(|observation| match &observation.seen {
            Seen::Uncounted { host, why } if self.at.is_empty() || self.at.contains(host) => {
                Some(format!("{host}: {why}"))
            }
            _ => None,
        });
        if let Some(why) = uncounted {
            return Answer::NotRun(why);
        }
        let counts: Vec<&SocketCount> =
            moment.run.sockets.iter().filter(|count| count.step.as_deref() == moment.step).collect();
        if counts.is_empty() {
            return Answer::NotRun("no sockets were counted at this moment".into());
        }
        let mut findings = Vec::new();
        for host in &self.at {
            if !counts.iter().any(|count| count.host == *host) {
                findings.push(finding("quiet.at", host, "no such host was counted", None));
            }
        }
        for count in counts.iter().filter(|count| self.at.is_empty() || self.at.contains(&count.host)) {
            self.host(count, &mut findings);
        }
        Answer::Judged(findings)
    }

    fn host(&self, count: &SocketCount, findings: &mut Vec<Finding>) {
        let mut compare = |argument: &str, wanted: &Option<Count>, n: u64| {
            let Some(wanted) = wanted else { return };
            if !words::allows(wanted, n) {
                let what = format!("quiet.{argument} ({})", count.host);
                findings.push(finding(what, words::count(wanted), states(count), None));
            }
        };
        compare("connections", &self.connections, connections(count));
        compare("listeners", &self.listeners, listeners(count));
    }
}

/// Connections in any state.
pub(crate) fn connections(count: &SocketCount) -> u64 {
    count.by_state.iter().filter(|(state, _)| !is_listener(state)).map(|(_, n)| u64::from(*n)).sum()
}

/// Listening sockets.
fn listeners(count: &SocketCount) -> u64 {
    count.by_state.iter().filter(|(state, _)| is_listener(state)).map(|(_, n)| u64::from(*n)).sum()
}

fn is_listener(state: &str) -> bool {
    state.eq_ignore_ascii_case("LISTEN")
}

/// A count in words: `ESTABLISHED: 2, LISTEN: 1`.
pub(crate) fn states(count: &SocketCount) -> String {
    let words: Vec<_> =
        count.by_state.iter().filter(|(_, n)| **n > 0).map(|(state, n)| format!("{state}: {n}")).collect();
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

#[cfg(test)]
mod tests;
