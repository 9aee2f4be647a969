//! The arguments of `client` and `app`, judged over the connections of one end.

use super::received::received;
use super::scene::Connection;
use super::words::{self, finding};
use super::{Finding, Slack};
use crate::language::EndCheck;
use crate::language::value::{Count, Match, Span};
use crate::observe::observation::End;
use crate::observe::{HandshakeFacts, Nanos, Seen};

/// One check at work.
pub(super) struct Judge<'a> {
    pub(super) check: &'a EndCheck,
    /// `client` or `app`.
    pub(super) side: &'static str,
    /// Whether this end has TLS of its own.
    pub(super) own_tls: bool,
    /// When the step began.
    pub(super) began: Option<Nanos>,
    pub(super) slack: Slack,
    pub(super) connections: Vec<Connection<'a>>,
}

impl Judge<'_> {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.counts(&mut findings);
        if self.connections.is_empty() {
            self.without_connections(&mut findings);
        }
        for connection in &self.connections {
            self.course(connection, &mut findings);
            self.handshake(connection, &mut findings);
            self.times(connection, &mut findings);
        }
        findings
    }

    /// `client.received`, and which connection if there are several.
    fn what(&self, argument: &str, connection: &Connection<'_>) -> String {
        match self.connections.len() {
            0 | 1 => format!("{}.{argument}", self.side),
            _ => format!("{}.{argument} (connection {})", self.side, connection.number),
        }
    }

    /// Arguments that count over all connections.
    fn counts(&self, findings: &mut Vec<Finding>) {
        let mut count = |argument: &str, wanted: &Option<Count>, matching: Vec<&Connection<'_>>| {
            let Some(wanted) = wanted else { return };
            let n = matching.len() as u64;
            if !words::allows(wanted, n) {
                let points_at = matching.last().and_then(|connection| connection.last());
                findings.push(finding(
                    format!("{}.{argument}", self.side),
                    words::count(wanted),
                    n.to_string(),
                    points_at,
                ));
            }
        };
        let stood = self.connections.iter().filter(|connection| connection.stood()).collect();
        count("connections", &self.check.connections, stood);
        let resumed = |connection: &&Connection<'_>| matches!(connection.handshake(self.own_tls), Some((_, Ok(facts))) if facts.resumed);
        count("resumed", &self.check.resumed, self.connections.iter().filter(resumed).collect());
    }

    /// Without any connection nothing was received or sent; everything else that is asked of one is not there.
    fn without_connections(&self, findings: &mut Vec<Finding>) {
        let check = self.check;
        let nobody = Connection { number: 0, seen: Vec::new() };
        self.flows(&nobody, findings);
        let asked = [
            ("done", check.done.is_some()),
            ("end", check.end.as_ref().is_some_and(|wanted| *wanted != Match::Absent)),
            ("handshake", asks(&check.handshake)),
            ("certificate", asks(&check.certificate)),
            ("alpn", asks(&check.alpn)),
            ("sni", asks(&check.sni)),
            ("version", asks(&check.version)),
            ("blocked_after", check.blocked_after.as_ref().is_some_and(|wanted| *wanted != Count::Absent)),
            ("first_byte", check.first_byte.is_some()),
            ("ended", check.ended.is_some()),
        ];
        for (argument, _) in asked.into_iter().filter(|(_, asked)| *asked) {
            findings.push(finding(
                format!("{}.{argument}", self.side),
                "a connection",
                "no connection",
                None,
            ));
        }
    }

    /// How the script and the connection went.
    fn course(&self, connection: &Connection<'_>, findings: &mut Vec<Finding>) {
        self.flows(connection, findings);
        let check = self.check;
        let ended = connection.ended();
        let at = ended.map(|(index, _)| index).or(connection.last());
        if let Some(wanted) = check.done {
            let done = ended.is_some_and(|(_, ended)| ended.done);
            if done != wanted {
                let words = |done| if done { "the script ran to its end" } else { "the script did not" };
                let reason = connection.find(stopped);
                let found = reason.as_ref().map_or_else(|| words(done).into(), |(_, why)| why.clone());
                let at = reason.map(|(index, _)| index).or(at);
                findings.push(finding(self.what("done", connection), words(wanted), found, at));
            }
        }
        if let Some(wanted) = &check.end {
            let end = connection.end();
            if !matches!(wanted, Match::Any(ends) if ends.contains(&end)) {
                findings.push(finding(
                    self.what("end", connection),
                    words::choice(wanted, |end| end_word(*end)),
                    end_word(end),
                    connection.end_time().map(|(index, _)| index).or(at),
                ));
            }
        }
        if let Some(wanted) = &check.blocked_after {
            let blocked = connection.find(|seen| match seen {
                Seen::Blocked { after } => Some(*after),
                _ => None,
            });
            if !wanted.allows(blocked.map(|(_, after)| after)) {
                let found = blocked.map_or_else(|| "never blocked".into(), |(_, after)| after.to_string());
                let at = blocked.map(|(index, _)| index).or(at);
                findings.push(finding(
                    self.what("blocked_after", connection),
                    words::count(wanted),
                    found,
                    at,
                ));
            }
        }
    }

    /// What was received and sent.
    fn flows(&self, connection: &Connection<'_>, findings: &mut Vec<Finding>) {
        if let Some(wanted) = &self.check.received
            && let Some((found, at)) = received(wanted, connection)
        {
            findings.push(finding(self.what("received", connection), words::bytes(wanted), found, at));
        }
        if let Some(wanted) = &self.check.sent {
            let sent = sent(connection);
            if !words::allows(wanted, sent) {
                let what = self.what("sent", connection);
                findings.push(finding(what, words::count(wanted), sent.to_string(), connection.last()));
            }
        }
    }

    fn handshake(&self, connection: &Connection<'_>, findings: &mut Vec<Finding>) {
        let check = self.check;
        let seen = connection.handshake(self.own_tls);
        let at = seen.map(|(index, _)| index).or(connection.last());
        let mut compare = |argument: &str, wanted: &Option<Match<String>>, values: &[&str], found: String| {
            let Some(wanted) = wanted else { return };
            let holds = match wanted {
                Match::Absent => values.is_empty(),
                Match::Any(allowed) => values.iter().any(|value| allowed.iter().any(|a| a == value)),
            };
            if !holds {
                let expected = words::choice(wanted, String::clone);
                findings.push(finding(self.what(argument, connection), expected, found, at));
            }
        };
        let outcome = match seen {
            Some((_, Ok(_))) => Some(("ok", "ok".to_owned())),
            Some((_, Err(error))) => Some(("failed", format!("failed: {error}"))),
            None => None,
        };
        let outcome_words = outcome.as_ref().map_or_else(|| "none".into(), |(_, words)| words.clone());
        compare(
            "handshake",
            &check.handshake,
            outcome.as_ref().map(|(word, _)| *word).as_slice(),
            outcome_words,
        );

        let facts: Option<&HandshakeFacts> = seen.and_then(|(_, outcome)| outcome.ok());
        let names: Vec<&str> = facts.iter().flat_map(|facts| &facts.peer).map(String::as_str).collect();
        let name_words = if names.is_empty() { "none".into() } else { names.join(", ") };
        compare("certificate", &check.certificate, &names, name_words);
        let mut one = |argument: &str, wanted: &Option<Match<String>>, value: Option<&str>| {
            compare(argument, wanted, value.as_slice(), words::or_none(value));
        };
        one("alpn", &check.alpn, facts.and_then(|facts| facts.alpn.as_deref()));
        one("sni", &check.sni, facts.and_then(|facts| facts.sni.as_deref()));
        one("version", &check.version, facts.map(|facts| facts.version.as_str()));
    }

    fn times(&self, connection: &Connection<'_>, findings: &mut Vec<Finding>) {
        let mut compare = |argument: &str, wanted: &Option<Span>, seen: Option<(usize, Nanos)>| {
            let Some(wanted) = wanted else { return };
            let took = self.began.zip(seen).map(|(began, (_, at))| at.saturating_sub(began));
            if !took.is_some_and(|took| self.slack.allows(wanted, took)) {
                let found = took.map_or_else(|| "never".into(), words::nanos);
                let at = seen.map(|(index, _)| index).or(connection.last());
                findings.push(finding(self.what(argument, connection), words::span(wanted), found, at));
            }
        };
        compare("first_byte", &self.check.first_byte, connection.first_byte());
        compare("ended", &self.check.ended, connection.end_time());
    }
}

fn asks(wanted: &Option<Match<String>>) -> bool {
    wanted.as_ref().is_some_and(|wanted| *wanted != Match::Absent)
}

/// What stopped a script, in words.
fn stopped(seen: &Seen) -> Option<String> {
    match seen {
        Seen::Mismatch { expected, found } => Some(format!("expected {expected}, found {found}")),
        Seen::Failed { error } => Some(format!("the connection failed: {error:?}")),
        Seen::ConnectFailed { error } => Some(format!("no connection: {error:?}")),
        Seen::HandshakeFailed { error, .. } => Some(format!("handshake failed: {error}")),
        _ => None,
    }
}

fn sent(connection: &Connection<'_>) -> u64 {
    match connection.ended() {
        Some((_, ended)) => ended.sent.bytes,
        None => connection
            .seen
            .iter()
            .map(|(_, observation)| match observation.seen {
                Seen::Sent { bytes, .. } => bytes,
                _ => 0,
            })
            .sum(),
    }
}

/// The word of scenario files for an end.
fn end_word(end: End) -> String {
    match end {
        End::Eof => "eof",
        End::Reset => "reset",
        End::Truncated => "truncated",
        End::TlsError => "tls_error",
        End::Closed => "closed",
        End::Open => "open",
        End::Refused => "refused",
        End::TimedOut => "timed_out",
    }
    .into()
}
