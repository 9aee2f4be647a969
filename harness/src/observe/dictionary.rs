//! Signals by meaning, and where a dataplane's metrics show them (fixtures/dataplanes/NAME/dictionary.yaml).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::metrics::{Metrics, Sample};

/// From a signal's name to the samples that add up to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dictionary {
    /// Samples that bear one of these labels, values may contain `*`, count for no signal: what a dataplane tells of its admin endpoint, or
    /// tells again by worker.
    #[serde(default)]
    pub without: IndexMap<String, String>,
    /// In file order.
    pub signals: IndexMap<String, Signal>,
}

/// How one signal is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Names of samples (of a histogram: with `_count` or `_sum`; buckets are never taken), matched as a whole; `*` stands for any run of
    /// characters. They are summed.
    pub families: Vec<String>,
    /// Labels a sample must bear, values may contain `*`.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
}

/// Why a dictionary can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DictionaryError {
    /// Not the YAML that a dictionary is.
    #[error("malformed dictionary: {0}")]
    Malformed(String),
    /// A signal without families.
    #[error("signal `{0}` names no family")]
    Empty(String),
    /// No signal of this name, or none that this pattern names.
    #[error("no signal `{0}`")]
    Unknown(String),
}

impl Dictionary {
    /// Reads a dictionary from YAML.
    ///
    /// # Errors
    /// Unknown or missing fields, and signals that name no family.
    pub fn parse(yaml: &str) -> Result<Self, DictionaryError> {
        let dictionary: Self =
            serde_saphyr::from_str(yaml).map_err(|error| DictionaryError::Malformed(error.to_string()))?;
        match dictionary.signals.iter().find(|(_, signal)| signal.families.is_empty()) {
            Some((name, _)) => Err(DictionaryError::Empty(name.clone())),
            None => Ok(dictionary),
        }
    }

    /// Names of the signals that a name (itself) or a pattern such as `http.*` stands for.
    ///
    /// # Errors
    /// There is none.
    pub fn names(&self, pattern: &str) -> Result<Vec<&str>, DictionaryError> {
        let names: Vec<_> =
            self.signals.keys().map(String::as_str).filter(|name| glob(pattern, name)).collect();
        if names.is_empty() { Err(DictionaryError::Unknown(pattern.to_owned())) } else { Ok(names) }
    }

    /// A signal's value: the sum of the samples that match; `None` if none does.
    ///
    /// # Errors
    /// No signal of this name.
    pub fn value(&self, metrics: &Metrics, signal: &str) -> Result<Option<f64>, DictionaryError> {
        let how = self.signals.get(signal).ok_or_else(|| DictionaryError::Unknown(signal.to_owned()))?;
        let mut sum = None;
        let counts = |sample: &&Sample| !bears_any(sample, &self.without);
        for sample in metrics.samples().filter(counts).filter(|sample| how.takes(sample)) {
            *sum.get_or_insert(0.0) += sample.value;
        }
        Ok(sum)
    }
}

/// Whether a sample bears one of these labels, whose values may contain `*`.
pub(crate) fn bears_any(sample: &Sample, labels: &IndexMap<String, String>) -> bool {
    labels.iter().any(|(name, pattern)| sample.label(name).is_some_and(|value| glob(pattern, value)))
}

impl Signal {
    fn takes(&self, sample: &Sample) -> bool {
        !sample.name.ends_with("_bucket")
            && self.families.iter().any(|pattern| glob(pattern, &sample.name))
            && self
                .labels
                .iter()
                .all(|(name, pattern)| sample.label(name).is_some_and(|value| glob(pattern, value)))
    }
}

/// Whether a text is a pattern's, as a whole.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../fixtures/dataplanes/reference/dictionary.yaml");

    fn metrics(text: &str) -> Metrics {
        Metrics::parse(text).expect("metrics")
    }

    #[test]
    fn globs_match_as_a_whole() {
        for (pattern, text, matches) in [
            ("a.b", "a.b", true),
            ("a.b", "axb", false),
            ("http.*", "http.requests", true),
            ("http.*", "xhttp.requests", false),
            ("*_ms", "cx_ms", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn matching_samples_are_summed() {
        let yaml = "signals:\n  x: {families: [a_total, b_*], labels: {side: 'in*'}}\n";
        let dictionary = Dictionary::parse(yaml).expect("a dictionary");
        let text = "# TYPE a_total counter\na_total{side=\"inbound\"} 2\na_total{side=\"outbound\"} 4\n# TYPE b_c gauge\nb_c{side=\"in\"} 0.5\n";
        assert_eq!(dictionary.value(&metrics(text), "x"), Ok(Some(2.5)));
        assert_eq!(dictionary.value(&metrics("# TYPE c gauge\nc 1\n"), "x"), Ok(None));
        assert_eq!(dictionary.value(&metrics(text), "y"), Err(DictionaryError::Unknown("y".into())));
    }

    #[test]
    fn samples_that_are_none_of_the_mesh_count_for_nothing() {
        let yaml = "without: {prefix: admin, worker: '*'}\nsignals:\n  x: {families: [a_total]}\n";
        let dictionary = Dictionary::parse(yaml).expect("a dictionary");
        let text = "# TYPE a_total counter\na_total{prefix=\"backend\"} 2\na_total{prefix=\"admin\"} 4\na_total{prefix=\"backend\",worker=\"0\"} 2\n";
        assert_eq!(dictionary.value(&metrics(text), "x"), Ok(Some(2.0)));
    }

    #[test]
    fn buckets_are_never_summed() {
        let dictionary = Dictionary::parse("signals:\n  x: {families: ['a_*']}\n").expect("a dictionary");
        let text = "# TYPE a histogram\na_bucket{le=\"+Inf\"} 3\na_sum 10\na_count 3\n";
        assert_eq!(dictionary.value(&metrics(text), "x"), Ok(Some(13.0)));
    }

    #[test]
    fn mistakes_are_errors() {
        for yaml in [
            "signals:\n  x: {family: [a]}\n",
            "signals:\n  x: {families: []}\n",
            "signals: [",
            "{}",
            "other: 1\n",
        ] {
            assert!(Dictionary::parse(yaml).is_err(), "{yaml}");
        }
    }

    /// Names and labels as a real Envoy was seen to write them (facts/envoy-observed.md, section 2).
    #[test]
    fn the_shipped_dictionary_reads_what_envoy_writes() {
        let dictionary = Dictionary::parse(SHIPPED).expect("a dictionary");
        let text = "\
# TYPE envoy_tcp_downstream_cx_total counter
envoy_tcp_downstream_cx_total{envoy_tcp_prefix=\"backend\"} 3
# TYPE envoy_tcp_downstream_cx_rx_bytes_total counter
envoy_tcp_downstream_cx_rx_bytes_total{envoy_tcp_prefix=\"backend\"} 234
# TYPE envoy_tcp_downstream_cx_tx_bytes_total counter
envoy_tcp_downstream_cx_tx_bytes_total{envoy_tcp_prefix=\"backend\"} 630
# TYPE envoy_rbac_allowed counter
envoy_rbac_allowed{envoy_rbac_prefix=\"inbound_127_0_0_3_8401\",listener=\"inbound_127_0_0_3_8401\"} 3
# TYPE envoy_listener_ssl_handshake counter
envoy_listener_ssl_handshake{envoy_listener_address=\"127.0.0.3_8401\"} 2
# TYPE envoy_cluster_ssl_handshake counter
envoy_cluster_ssl_handshake{envoy_cluster_name=\"backend\"} 1
# TYPE envoy_listener_ssl_fail_verify_no_cert counter
envoy_listener_ssl_fail_verify_no_cert{envoy_listener_address=\"127.0.0.3_8401\"} 1
# TYPE envoy_listener_ssl_connection_error counter
envoy_listener_ssl_connection_error{envoy_listener_address=\"127.0.0.3_8401\"} 1
# TYPE envoy_cluster_upstream_rq_total counter
envoy_cluster_upstream_rq_total{envoy_cluster_name=\"backend\"} 3
# TYPE envoy_listener_downstream_cx_length_ms histogram
envoy_listener_downstream_cx_length_ms_bucket{envoy_listener_address=\"127.0.0.2_8401\",le=\"1\"} 1
envoy_listener_downstream_cx_length_ms_bucket{envoy_listener_address=\"127.0.0.2_8401\",le=\"+Inf\"} 3
envoy_listener_downstream_cx_length_ms_sum{envoy_listener_address=\"127.0.0.2_8401\"} 40
envoy_listener_downstream_cx_length_ms_count{envoy_listener_address=\"127.0.0.2_8401\"} 3
";
        let metrics = metrics(text);
        for (signal, value) in [
            ("tcp.connections", Some(3.0)),
            ("tcp.received", Some(234.0)),
            ("tcp.sent", Some(630.0)),
            ("tcp.lengths", Some(3.0)),
            ("tls.handshakes", Some(2.0)),
            ("tls.failures", Some(2.0)),
            ("upstream.tls.handshakes", Some(1.0)),
            ("rbac.allowed", Some(3.0)),
            ("rbac.denied", None),
        ] {
            assert_eq!(dictionary.value(&metrics, signal), Ok(value), "{signal}");
        }
        // A tcp service has envoy_cluster_upstream_rq_total, which is no request of HTTP.
        for pattern in ["http.*", "grpc.*"] {
            for name in dictionary.names(pattern).expect("signals") {
                assert_eq!(dictionary.value(&metrics, name), Ok(None), "{name}");
            }
        }
    }

    /// Three requests at a sidecar that offers http and tcp, in the words of section 2, "http, side B".
    #[test]
    fn the_shipped_dictionary_tells_http_apart() {
        let dictionary = Dictionary::parse(SHIPPED).expect("a dictionary");
        let text = "\
# TYPE envoy_http_downstream_rq_xx counter
envoy_http_downstream_rq_xx{envoy_response_code_class=\"2\",envoy_http_conn_manager_prefix=\"localhost_8101\"} 3
envoy_http_downstream_rq_xx{envoy_response_code_class=\"5\",envoy_http_conn_manager_prefix=\"localhost_8101\"} 1
# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_response_code=\"200\",envoy_cluster_name=\"localhost_8101\"} 3
envoy_cluster_upstream_rq{envoy_response_code=\"503\",envoy_cluster_name=\"localhost_8101\"} 1
# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"2\",envoy_cluster_name=\"localhost_8101\"} 3
# TYPE envoy_http_downstream_rq_http2_total counter
envoy_http_downstream_rq_http2_total{envoy_http_conn_manager_prefix=\"localhost_8101\"} 4
# TYPE envoy_rbac_allowed counter
envoy_rbac_allowed{listener=\"http.localhost_8101\",envoy_http_conn_manager_prefix=\"localhost_8101\"} 3
envoy_rbac_allowed{envoy_rbac_prefix=\"inbound_127_0_0_3_8401\",listener=\"inbound_127_0_0_3_8401\"} 2
";
        let metrics = metrics(text);
        for (signal, value) in [
            ("http.responses", Some(4.0)),
            ("http.responses.2xx", Some(3.0)),
            ("http.responses.4xx", None),
            ("http.responses.5xx", Some(1.0)),
            ("http.upstream.responses.2xx", Some(3.0)),
            ("http.upstream.codes.503", Some(1.0)),
            ("http.requests.h2", Some(4.0)),
            ("http.requests.h1", None),
            ("http.rbac.allowed", Some(3.0)),
            ("rbac.allowed", Some(5.0)),
        ] {
            assert_eq!(dictionary.value(&metrics, signal), Ok(value), "{signal}");
        }
    }

    #[test]
    fn the_shipped_dictionary_knows_requests_when_it_sees_them() {
        let dictionary = Dictionary::parse(SHIPPED).expect("a dictionary");
        for family in [
            "envoy_http_downstream_rq_total",
            "envoy_http_rq_total",
            "envoy_http2_nghttp2_downstream_connections",
            "envoy_listener_http_downstream_rq_xx",
            "envoy_cluster_upstream_rq_xx",
            "envoy_cluster_upstream_rq",
            "envoy_cluster_upstream_rq_completed",
            "envoy_cluster_external_upstream_rq_xx",
            "envoy_cluster_upstream_cx_http2_total",
            "envoy_cluster_http2_nghttp2_upstream_connections",
        ] {
            let metrics =
                metrics(&format!("# TYPE {family} counter\n{family}{{envoy_cluster_name=\"backend\"}} 1\n"));
            let seen = dictionary
                .names("http.*")
                .expect("signals")
                .into_iter()
                .any(|name| dictionary.value(&metrics, name).expect("a signal").is_some());
            assert!(seen, "{family}");
        }
    }
}
