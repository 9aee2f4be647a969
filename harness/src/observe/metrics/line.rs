//! One line of Prometheus text.

use memchr::{memchr, memchr2, memchr3};

use super::{Kind, Problem, Sample};

/// Names and values, in order.
type Labels = Vec<(String, String)>;

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// Empty, or a comment.
    Nothing,
    /// `# HELP name text`
    Help(String, String),
    /// `# TYPE name kind`
    Type(String, Kind),
    /// A sample.
    Sample(Sample),
}

/// Reads a line, without its line feed.
pub(super) fn read(line: &str) -> Result<Line, Problem> {
    let line = trim(line);
    if line.is_empty() {
        return Ok(Line::Nothing);
    }
    match line.strip_prefix('#') {
        Some(comment) => self::comment(comment),
        None => sample(line).map(Line::Sample),
    }
}

/// Blanks and tabs part tokens; those around a line mean nothing.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The first token and what follows it.
fn token(text: &str) -> (&str, &str) {
    let text = trim(text);
    let end = memchr2(b' ', b'\t', text.as_bytes()).unwrap_or(text.len());
    let (token, rest) = text.split_at(end);
    (token, trim(rest))
}

fn comment(comment: &str) -> Result<Line, Problem> {
    let (word, rest) = token(comment);
    match word {
        "HELP" => {
            let (name, text) = token(rest);
            Ok(Line::Help(metric_name(name)?, unescape(text, &['\\', 'n'])?))
        }
        "TYPE" => {
            let (name, rest) = token(rest);
            let name = metric_name(name)?;
            let kind = match rest {
                "counter" => Kind::Counter,
                "gauge" => Kind::Gauge,
                "histogram" => Kind::Histogram,
                "summary" => Kind::Summary,
                "untyped" => Kind::Untyped,
                other => return Err(Problem::Type(other.to_owned())),
            };
            Ok(Line::Type(name, kind))
        }
        _ => Ok(Line::Nothing),
    }
}

fn sample(line: &str) -> Result<Sample, Problem> {
    let end = memchr3(b' ', b'\t', b'{', line.as_bytes()).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let name = metric_name(name)?;
    let rest = trim(rest);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Vec::new(), rest),
    };
    let (value, rest) = token(rest);
    let value = number(value)?;
    let (timestamp, rest) = token(rest);
    let timestamp = match timestamp {
        "" => None,
        digits => Some(digits.parse().map_err(|_| Problem::Timestamp(digits.to_owned()))?),
    };
    if !rest.is_empty() {
        return Err(Problem::Rest(rest.to_owned()));
    }
    Ok(Sample { name, labels, value, timestamp })
}

/// Reads labels up to the closing brace; returns them and what follows it.
fn labels(text: &str) -> Result<(Labels, &str), Problem> {
    let mut labels = Vec::new();
    let mut rest = trim(text);
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let malformed = || Problem::Labels(rest.chars().take(20).collect());
        let equals = memchr(b'=', rest.as_bytes()).ok_or_else(malformed)?;
        let name = label_name(trim(&rest[..equals]))?;
        let quoted = trim(&rest[equals + 1..]).strip_prefix('"').ok_or_else(malformed)?;
        let end = closing_quote(quoted).ok_or_else(malformed)?;
        labels.push((name, unescape(&quoted[..end], &['\\', 'n', '"'])?));
        let after = trim(&quoted[end + 1..]);
        // A comma may follow the last label, too.
        rest = match after.strip_prefix(',') {
            Some(after) => trim(after),
            None if after.starts_with('}') => after,
            None => return Err(Problem::Labels(after.chars().take(20).collect())),
        };
    }
}

/// The first quote that no backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut from = 0;
    // No byte of another character is one of these two.
    while let Some(found) = memchr2(b'"', b'\\', text.as_bytes().get(from..)?) {
        let at = from + found;
        if text.as_bytes()[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
    None
}

fn unescape(text: &str, known: &[char]) -> Result<String, Problem> {
    if memchr(b'\\', text.as_bytes()).is_none() {
        return Ok(text.to_owned());
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            plain.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some(escaped) if known.contains(&escaped) => plain.push(escaped),
            other => return Err(Problem::Escape(other.unwrap_or(' '))),
        }
    }
    Ok(plain)
}

/// A value as Go reads floats, which is what the format says: decimal, `NaN`, `+Inf`, `-Inf`.
fn number(text: &str) -> Result<f64, Problem> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let infinite = ["inf", "infinity"].iter().any(|word| digits.eq_ignore_ascii_case(word));
    let known = infinite
        || text.eq_ignore_ascii_case("nan")
        || digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|_| known).ok_or_else(|| Problem::Value(text.to_owned()))
}

fn metric_name(name: &str) -> Result<String, Problem> {
    if is_name(name, true) { Ok(name.to_owned()) } else { Err(Problem::MetricName(name.to_owned())) }
}

fn label_name(name: &str) -> Result<String, Problem> {
    if is_name(name, false) { Ok(name.to_owned()) } else { Err(Problem::LabelName(name.to_owned())) }
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`, without colons for labels.
fn is_name(name: &str, colons: bool) -> bool {
    let is_in = |byte: u8| NAME[usize::from(byte)] && (colons || byte != b':');
    name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit()) && name.bytes().all(is_in)
}

/// The bytes of names, looked up: a scrape has ten thousand of them.
const NAME: [bool; 256] = {
    let mut bytes = [false; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        bytes[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
        byte += 1;
    }
    bytes
};
