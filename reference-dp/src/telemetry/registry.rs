//! Prometheus series that come into being at their first use, so that what was never used is never shown (Envoy's
//! `usedonly`). Afterwards a series is one atomic number; nothing is looked up per event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, TextEncoder};

/// Content type of [`Registry::text`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Envoy's default buckets of histograms, in milliseconds.
const BUCKETS_MS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// The families of one sidecar.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// One for each set of labels: prometheus wants the same labels in all of a family, Envoy's `rbac` has others for http
    /// than for tcp.
    families: Mutex<BTreeMap<Vec<&'static str>, Families>>,
}

/// The families of one set of labels.
#[derive(Default)]
struct Families {
    registry: prometheus::Registry,
    made: BTreeMap<&'static str, Family>,
}

#[derive(Clone)]
enum Family {
    Counter(IntCounterVec),
    Gauge(IntGaugeVec),
    Histogram(HistogramVec),
}

/// What names a series.
#[derive(Clone)]
pub(crate) struct Name {
    family: &'static str,
    labels: Vec<(&'static str, String)>,
}

impl Registry {
    /// Everything used so far, in Prometheus' text format 0.0.4.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut whole: BTreeMap<String, MetricFamily> = BTreeMap::new();
        for families in self.0.families.lock().unwrap_or_else(PoisonError::into_inner).values() {
            for mut family in families.registry.gather() {
                match whole.get_mut(family.name()) {
                    Some(same) => same.mut_metric().extend(family.take_metric()),
                    None => {
                        whole.insert(family.name().to_owned(), family);
                    }
                }
            }
        }
        let mut text = Vec::new();
        // Writing to memory cannot fail, and our families are well-formed.
        let _ = TextEncoder::new().encode(&whole.into_values().collect::<Vec<_>>(), &mut text);
        text
    }

    pub(crate) fn counter(&self, family: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        Counter(Series::new(self, family, labels))
    }

    pub(crate) fn gauge(&self, family: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        Gauge(Series::new(self, family, labels))
    }

    pub(crate) fn histogram(&self, family: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        Histogram(Series::new(self, family, labels))
    }

    /// The family of this name, made by `make` if it is new. `None` if prometheus refuses it, which our constant names
    /// never cause; then the series is silently left out rather than the proxy stopped.
    fn family<C: Collector + Clone + 'static>(
        &self,
        name: &Name,
        make: impl FnOnce(Opts) -> prometheus::Result<C>,
        wrap: impl FnOnce(C) -> Family,
    ) -> Option<Family> {
        let mut families = self.0.families.lock().unwrap_or_else(PoisonError::into_inner);
        let families = families.entry(name.keys()).or_default();
        if let Some(family) = families.made.get(name.family) {
            return Some(family.clone());
        }
        let help = format!("Envoy's {}.", name.family.trim_start_matches("envoy_"));
        let collector = make(Opts::new(name.family, help)).ok()?;
        families.registry.register(Box::new(collector.clone())).ok()?;
        let family = wrap(collector);
        families.made.insert(name.family, family.clone());
        Some(family)
    }
}

/// A series, made at its first use.
struct Series<T> {
    registry: Registry,
    name: Name,
    cell: OnceLock<Option<T>>,
}

impl<T> Series<T> {
    fn new(registry: &Registry, family: &'static str, labels: &[(&'static str, &str)]) -> Self {
        let labels = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Self { registry: registry.clone(), name: Name { family, labels }, cell: OnceLock::new() }
    }

    fn get(&self, make: impl FnOnce(&Registry, &Name) -> Option<T>) -> Option<&T> {
        self.cell.get_or_init(|| make(&self.registry, &self.name)).as_ref()
    }
}

impl Name {
    fn keys(&self) -> Vec<&'static str> {
        self.labels.iter().map(|(key, _)| *key).collect()
    }

    fn values(&self) -> Vec<&str> {
        self.labels.iter().map(|(_, value)| value.as_str()).collect()
    }
}

/// A number that only grows.
pub(crate) struct Counter(Series<prometheus::IntCounter>);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        let counter = self.0.get(|registry, name| {
            let make = |opts| IntCounterVec::new(opts, &name.keys());
            match registry.family(name, make, Family::Counter)? {
                Family::Counter(family) => family.get_metric_with_label_values(&name.values()).ok(),
                Family::Gauge(_) | Family::Histogram(_) => None,
            }
        });
        if let Some(counter) = counter {
            counter.inc_by(n as u64);
        }
    }

    pub(crate) fn inc(&self) {
        self.add(1);
    }
}

/// A number that grows and shrinks.
pub(crate) struct Gauge(Series<prometheus::IntGauge>);

impl Gauge {
    pub(crate) fn inc(&self) {
        if let Some(gauge) = self.get() {
            gauge.inc();
        }
    }

    pub(crate) fn dec(&self) {
        if let Some(gauge) = self.get() {
            gauge.dec();
        }
    }

    pub(crate) fn set(&self, value: i64) {
        if let Some(gauge) = self.get() {
            gauge.set(value);
        }
    }

    fn get(&self) -> Option<&prometheus::IntGauge> {
        self.0.get(|registry, name| {
            let make = |opts| IntGaugeVec::new(opts, &name.keys());
            match registry.family(name, make, Family::Gauge)? {
                Family::Gauge(family) => family.get_metric_with_label_values(&name.values()).ok(),
                Family::Counter(_) | Family::Histogram(_) => None,
            }
        })
    }
}

/// A distribution of times, in milliseconds.
pub(crate) struct Histogram(Series<prometheus::Histogram>);

impl Histogram {
    pub(crate) fn observe(&self, took: Duration) {
        let histogram = self.0.get(|registry, name| {
            let make = |opts: Opts| {
                let opts = HistogramOpts { common_opts: opts, buckets: BUCKETS_MS.to_vec() };
                HistogramVec::new(opts, &name.keys())
            };
            match registry.family(name, make, Family::Histogram)? {
                Family::Histogram(family) => family.get_metric_with_label_values(&name.values()).ok(),
                Family::Counter(_) | Family::Gauge(_) => None,
            }
        });
        if let Some(histogram) = histogram {
            // Whole milliseconds, as Envoy records them.
            histogram.observe(took.as_millis() as f64);
        }
    }
}
