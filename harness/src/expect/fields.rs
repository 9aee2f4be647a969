//! Header fields against what their values must be; of ends and of the wire alike.

use super::Moment;
use super::words;
use crate::language::FieldMatch;
use crate::observe::observation::HttpEvent;
use crate::observe::{Role, Seen};

/// Judges the lines of one field among `fields` (names in lower case): nothing, or what was expected and what was found, in words.
///
/// [`FieldMatch::SameAsApp`] needs what apps saw: see [`judge_seen`]. Here it is never satisfied.
pub(super) fn judge(
    wanted: &FieldMatch,
    name: &str,
    fields: &[(String, String)],
) -> Option<(String, String)> {
    let lines: Vec<&str> =
        fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
    let fits = match wanted {
        FieldMatch::Absent => lines.is_empty(),
        FieldMatch::Present => !lines.is_empty(),
        FieldMatch::Once => lines.len() == 1,
        FieldMatch::Values(values) => are(name, &lines, values),
        FieldMatch::Any(values) => {
            matches!(lines.as_slice(), [line] if values.iter().any(|value| glob(value, line)))
        }
        FieldMatch::SameAsApp(_) => false,
    };
    (!fits).then(|| (expected(wanted), found(&lines)))
}

/// As [`judge`], among what apps saw until the moment.
pub(super) fn judge_seen(
    moment: &Moment<'_>,
    wanted: &FieldMatch,
    name: &str,
    fields: &[(String, String)],
) -> Option<(String, String)> {
    let FieldMatch::SameAsApp(pod) = wanted else { return judge(wanted, name, fields) };
    let lines = |fields: &[(String, String)]| -> Vec<String> {
        fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
    };
    let here = lines(fields);
    if here.len() != 1 {
        return Some((expected(wanted), found(&here)));
    }
    let mut there = requests(moment, pod).map(lines).peekable();
    if there.peek().is_none() {
        return Some((expected(wanted), format!("{}; the app of {pod} got no request", found(&here))));
    }
    let other = there.find(|there| *there != here)?;
    Some((expected(wanted), format!("{}; the app of {pod} got {}", found(&here), found(&other))))
}

/// Header fields of the requests that the app of a pod got.
fn requests<'a>(moment: &Moment<'a>, pod: &str) -> impl Iterator<Item = &'a [(String, String)]> {
    let of_app = move |o: &&crate::observe::Observation| o.role == Role::App && o.pod == pod;
    let until = moment.until;
    let seen = moment.run.observations.iter().take_while(move |o| o.at <= until);
    seen.filter(of_app).filter_map(|o| match &o.seen {
        Seen::Http { event: HttpEvent::Request(head), .. } => Some(head.headers.as_slice()),
        _ => None,
    })
}

/// Whether field lines, in order, are these values in order. A line may join several of them (RFC 9110 5.3), but for `set-cookie`.
fn are(name: &str, lines: &[&str], values: &[String]) -> bool {
    let Some((line, more)) = lines.split_first() else { return values.is_empty() };
    let most = if name == "set-cookie" { values.len().min(1) } else { values.len() };
    // RFC 9113 8.2.3: crumbs of a cookie are joined as RFC 6265 writes them.
    let separator = if name == "cookie" { ';' } else { ',' };
    (1..=most).any(|taken| {
        let (these, others) = values.split_at(taken);
        joined(line, these, separator) && are(name, more, others)
    })
}

/// Whether a line is these values, joined.
fn joined(line: &str, values: &[String], separator: char) -> bool {
    match values {
        [] => false,
        [value] => glob(value, line),
        [value, more @ ..] => line.match_indices(separator).any(|(at, _)| {
            let (this, rest) = (line[..at].trim_end(), line[at + 1..].trim_start());
            glob(value, this) && joined(rest, more, separator)
        }),
    }
}

/// Whether a text is as a pattern, in which `*` stands for any run of characters and `?` for one.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read) = (0, 0);
    // The last star, and where its run ends so far.
    let mut star = None;
    while read < text.len() {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, read));
                at += 1;
            }
            (Some(wanted), _) if *wanted == '?' || *wanted == text[read] => {
                at += 1;
                read += 1;
            }
            (_, Some((place, end))) => {
                star = Some((place, end + 1));
                (at, read) = (place + 1, end + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// What must be, in words.
pub(super) fn expected(wanted: &FieldMatch) -> String {
    match wanted {
        FieldMatch::Absent => "absent".to_owned(),
        FieldMatch::Present => "present".to_owned(),
        FieldMatch::Once => "one field line".to_owned(),
        FieldMatch::Values(values) => list(values, " and "),
        FieldMatch::Any(values) => list(values, " or "),
        FieldMatch::SameAsApp(pod) => format!("the value that the app of {pod} got"),
    }
}

fn found(lines: &[impl AsRef<str>]) -> String {
    if lines.is_empty() { "none".to_owned() } else { list(lines, " and ") }
}

fn list(values: &[impl AsRef<str>], between: &str) -> String {
    values.iter().map(|value| words::whole(value.as_ref().as_bytes())).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests;
