//! Prometheus text, format 0.0.4, read strictly: what the format forbids is an error with its line, never skipped.
//!
//! * `line` — one line.
//! * `histogram` — whether a histogram adds up.

mod histogram;
mod line;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use line::Line;

/// All families of a scrape, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// In order.
    pub families: Vec<Family>,
}

/// Samples of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name, as in its TYPE line.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Its HELP text, unescaped.
    pub help: Option<String>,
    /// In order.
    pub samples: Vec<Sample>,
}

/// A metric's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `counter`
    Counter,
    /// `gauge`
    Gauge,
    /// `histogram`
    Histogram,
    /// `summary`
    Summary,
    /// `untyped`
    Untyped,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its name: the family's, or with `_bucket`, `_sum`, `_count`.
    pub name: String,
    /// In order, values unescaped.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
    /// Milliseconds since 1970, if given.
    pub timestamp: Option<i64>,
}

impl Sample {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

/// What the format forbids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct MetricsError {
    /// Line, from 1; for a histogram that does not add up, the family's first.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The last line has no line feed.
    #[error("no line feed at the end")]
    NoLineFeed,
    /// Not a metric name.
    #[error("`{0}` is no metric name")]
    MetricName(String),
    /// Not a label name.
    #[error("`{0}` is no label name")]
    LabelName(String),
    /// Labels that are not `name="value"`, parted by commas.
    #[error("malformed labels at `{0}`")]
    Labels(String),
    /// A backslash before something else than the format has.
    #[error("unknown escape `\\{0}`")]
    Escape(char),
    /// Not a number.
    #[error("`{0}` is no value")]
    Value(String),
    /// Not a whole number of milliseconds.
    #[error("`{0}` is no timestamp")]
    Timestamp(String),
    /// Something behind the timestamp.
    #[error("unexpected `{0}`")]
    Rest(String),
    /// Not a type.
    #[error("`{0}` is no type")]
    Type(String),
    /// A second TYPE line.
    #[error("second TYPE of `{0}`")]
    SecondType(String),
    /// A second HELP line.
    #[error("second HELP of `{0}`")]
    SecondHelp(String),
    /// TYPE or HELP behind samples.
    #[error("TYPE or HELP of `{0}` behind its samples")]
    Late(String),
    /// A sample of a metric without TYPE.
    #[error("`{0}` has no TYPE")]
    Untyped(String),
    /// A family that begins again after another.
    #[error("lines of `{0}` are not together")]
    Interleaved(String),
    /// A label twice on one sample.
    #[error("label `{0}` twice")]
    LabelTwice(String),
    /// A sample twice.
    #[error("`{0}` twice with the same labels")]
    Duplicate(String),
    /// A sample whose name does not suit its family's type.
    #[error("`{0}` is no sample of a {1:?}")]
    Misfit(String, Kind),
    /// A counter that went below zero.
    #[error("counter `{0}` is negative")]
    Negative(String),
    /// A histogram that does not add up.
    #[error("histogram `{0}`: {1}")]
    Histogram(String, &'static str),
}

impl Metrics {
    /// Reads a scrape.
    ///
    /// # Errors
    /// The first line that breaks the format.
    pub fn parse(text: &str) -> Result<Self, MetricsError> {
        let mut reader = Reader::default();
        let mut count = 0;
        for (line, number) in text.split_terminator('\n').zip(1..) {
            count = number;
            let read = line::read(line).map_err(|problem| MetricsError { line: number, problem })?;
            reader.take(number, read)?;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            return Err(MetricsError { line: count, problem: Problem::NoLineFeed });
        }
        reader.finish()
    }

    /// All samples, in order.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.iter().flat_map(|family| &family.samples)
    }
}

/// A family while its lines are read.
#[derive(Debug)]
struct Open {
    name: String,
    first_line: usize,
    kind: Option<Kind>,
    help: Option<String>,
    samples: Vec<Sample>,
    /// Name and sorted labels of each sample, in one row.
    seen: BTreeSet<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Reader {
    metrics: Metrics,
    open: Option<Open>,
    /// Families that were begun.
    names: BTreeSet<String>,
}

impl Reader {
    fn take(&mut self, number: usize, line: Line) -> Result<(), MetricsError> {
        let at = |problem| MetricsError { line: number, problem };
        match line {
            Line::Nothing => Ok(()),
            Line::Help(name, help) => {
                let open = self.header(number, &name)?;
                if open.help.replace(help).is_some() { Err(at(Problem::SecondHelp(name))) } else { Ok(()) }
            }
            Line::Type(name, kind) => {
                let open = self.header(number, &name)?;
                if open.kind.replace(kind).is_some() { Err(at(Problem::SecondType(name))) } else { Ok(()) }
            }
            Line::Sample(sample) => self.sample(sample).map_err(at),
        }
    }

    /// The family that a TYPE or HELP line is about, begun if it is not the one being read.
    fn header(&mut self, number: usize, name: &str) -> Result<&mut Open, MetricsError> {
        let at = |problem| MetricsError { line: number, problem };
        let same = self.open.as_ref().filter(|open| open.name == name);
        if same.is_some_and(|open| !open.samples.is_empty()) {
            return Err(at(Problem::Late(name.to_owned())));
        }
        if same.is_none() {
            if !self.names.insert(name.to_owned()) {
                return Err(at(Problem::Interleaved(name.to_owned())));
            }
            self.close()?;
        }
        Ok(self.open.get_or_insert_with(|| Open {
            name: name.to_owned(),
            first_line: number,
            kind: None,
            help: None,
            samples: Vec::new(),
            seen: BTreeSet::new(),
        }))
    }

    fn sample(&mut self, sample: Sample) -> Result<(), Problem> {
        let Some(open) = &mut self.open else { return Err(Problem::Untyped(sample.name)) };
        let Some(kind) = open.kind.filter(|kind| kind.owns(&open.name, &sample.name)) else {
            return Err(match open.kind {
                Some(kind) if sample.name == open.name => Problem::Misfit(sample.name, kind),
                _ if self
                    .metrics
                    .families
                    .iter()
                    .any(|family| family.kind.owns(&family.name, &sample.name)) =>
                {
                    Problem::Interleaved(sample.name)
                }
                _ => Problem::Untyped(sample.name),
            });
        };
        if kind == Kind::Counter && sample.value < 0.0 {
            return Err(Problem::Negative(sample.name));
        }
        let mut labels: Vec<_> = sample.labels.iter().collect();
        labels.sort();
        if let Some(pair) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Problem::LabelTwice(pair[0].0.clone()));
        }
        if !open.seen.insert(identity(&sample.name, &labels)) {
            return Err(Problem::Duplicate(sample.name));
        }
        open.samples.push(sample);
        Ok(())
    }

    /// Ends the family being read.
    fn close(&mut self) -> Result<(), MetricsError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let family = Family {
            kind: open.kind.unwrap_or(Kind::Untyped),
            name: open.name,
            help: open.help,
            samples: open.samples,
        };
        if family.kind == Kind::Histogram {
            histogram::check(&family).map_err(|why| MetricsError {
                line: open.first_line,
                problem: Problem::Histogram(family.name.clone(), why),
            })?;
        }
        self.metrics.families.push(family);
        Ok(())
    }

    fn finish(mut self) -> Result<Metrics, MetricsError> {
        self.close()?;
        Ok(self.metrics)
    }
}

/// Bytes that are the same for no other name and labels: names end at what is in no name, and before each value stands its length.
fn identity(name: &str, labels: &[&(String, String)]) -> Vec<u8> {
    let room: usize = labels.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    let mut row = Vec::with_capacity(name.len() + room);
    row.extend_from_slice(name.as_bytes());
    for (name, value) in labels {
        row.push(b',');
        row.extend_from_slice(name.as_bytes());
        row.push(b'=');
        row.extend_from_slice(&value.len().to_le_bytes());
        row.extend_from_slice(value.as_bytes());
    }
    row
}

impl Kind {
    /// Whether a family of this type and name has samples of that name.
    fn owns(self, family: &str, sample: &str) -> bool {
        let Some(suffix) = sample.strip_prefix(family) else { return false };
        match self {
            Self::Counter | Self::Gauge | Self::Untyped => suffix.is_empty(),
            Self::Histogram => matches!(suffix, "_bucket" | "_sum" | "_count"),
            Self::Summary => matches!(suffix, "" | "_sum" | "_count"),
        }
    }
}
