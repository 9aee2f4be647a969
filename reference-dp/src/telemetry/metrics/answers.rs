//! Answers by the class of their status, and by their status.

use std::array;
use std::sync::OnceLock;

use super::super::registry::{Counter, Registry};

/// Statuses that have a class: 100 to 599.
const STATUSES: std::ops::Range<u16> = 100..600;
const CLASSES: [&str; 5] = ["1", "2", "3", "4", "5"];

/// The families of one kind of answers.
pub(super) struct Answers {
    completed: Counter,
    classes: [Counter; 5],
    codes: Option<Codes>,
}

/// Their names; `codes` where Envoy counts each status.
pub(super) struct AnswerNames {
    pub(super) completed: &'static str,
    pub(super) classes: &'static str,
    pub(super) codes: Option<&'static str>,
}

impl Answers {
    pub(super) fn new(registry: &Registry, names: &AnswerNames, labels: &[(&'static str, &str)]) -> Self {
        let with = |key, value| {
            let mut all = vec![(key, value)];
            all.extend_from_slice(labels);
            all
        };
        let class = |class| registry.counter(names.classes, &with("envoy_response_code_class", class));
        Self {
            completed: registry.counter(names.completed, labels),
            classes: CLASSES.map(class),
            codes: names.codes.map(|family| Codes::new(registry, family, labels)),
        }
    }

    /// An answer of this status, the last one of its request: not a 100.
    pub(super) fn count(&self, status: u16) {
        self.completed.inc();
        if !STATUSES.contains(&status) {
            return;
        }
        if let Some(class) = self.classes.get(usize::from(status / 100) - 1) {
            class.inc();
        }
        if let Some(codes) = &self.codes {
            codes.count(status);
        }
    }
}

/// A counter for each status, made at its first use.
struct Codes {
    registry: Registry,
    family: &'static str,
    labels: Vec<(&'static str, String)>,
    // Boxed each, for hardly any comes to be used.
    cells: Box<[OnceLock<Box<Counter>>; 500]>,
}

impl Codes {
    fn new(registry: &Registry, family: &'static str, labels: &[(&'static str, &str)]) -> Self {
        let labels = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let cells = Box::new(array::from_fn(|_| OnceLock::new()));
        Self { registry: registry.clone(), family, labels, cells }
    }

    fn count(&self, status: u16) {
        let cell = status.checked_sub(STATUSES.start).and_then(|at| self.cells.get(usize::from(at)));
        if let Some(cell) = cell {
            cell.get_or_init(|| Box::new(self.make(status))).inc();
        }
    }

    fn make(&self, status: u16) -> Counter {
        let status = status.to_string();
        let mut labels = vec![("envoy_response_code", status.as_str())];
        labels.extend(self.labels.iter().map(|(key, value)| (*key, value.as_str())));
        self.registry.counter(self.family, &labels)
    }
}
