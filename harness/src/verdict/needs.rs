//! Features without which there is nothing to see: of an expectation, by what its checks look at; of a case, by the protocols of its pods.

use crate::language::value::Match;
use crate::language::{Check, Expectation, Link, Mtls, Scenario, WireCheck};

/// Metrics can be asked for.
pub(super) const METRICS: &str = "metrics";
/// Sidecars speak TLS to each other.
const MTLS: &str = "mtls";
/// Protocols that are features by the same name. Opaque tcp is what is left when a sidecar understands nothing.
const PROTOCOLS: [&str; 4] = ["http", "http2", "grpc", "kafka"];

/// What an expectation looks at, each feature once.
pub(super) fn of_expectation(expectation: &Expectation, scenario: &Scenario) -> Vec<&'static str> {
    let mut features = Vec::new();
    for check in &expectation.checks {
        let feature = match check {
            Check::Metrics(_) => METRICS,
            Check::Wire(wire) if is_about_mesh_tls(wire, scenario) => MTLS,
            _ => continue,
        };
        if !features.contains(&feature) {
            features.push(feature);
        }
    }
    features
}

/// Protocols that the sidecars of a case must understand, in the order of its pods.
pub(super) fn of_pods(scenario: &Scenario) -> Vec<String> {
    let mut features = Vec::new();
    // Letter case is no matter in a tag.
    let tags = scenario.pods.iter().filter_map(|pod| pod.protocol.as_deref()).map(str::to_ascii_lowercase);
    for tag in tags.filter(|tag| PROTOCOLS.contains(&tag.as_str())) {
        if !features.contains(&tag) {
            features.push(tag);
        }
    }
    features
}

/// Whether only mesh TLS can be what is asked for.
fn is_about_mesh_tls(wire: &WireCheck, scenario: &Scenario) -> bool {
    // Whoever takes another word besides is content without, as is whoever asks for none.
    let is_mesh = |wanted: &Match<String>| match wanted {
        Match::Any(words) => words.iter().all(|word| word == "mesh-tls"),
        Match::Absent => false,
    };
    let asks = |wanted: &Option<Match<String>>| matches!(wanted, Some(Match::Any(_)));
    let within = wire.inner.is_some() || wire.inner_sni.is_some() || wire.inner_alpn.is_some();
    let certified = !wire.client_uris.is_empty() || !wire.server_uris.is_empty() || wire.lifetime.is_some();
    let hello = asks(&wire.sni) || asks(&wire.alpn) || asks(&wire.version);
    let outermost = scenario.mesh.mtls == Mtls::Strict && leaves_its_pod(&wire.link);
    wire.outer.as_ref().is_some_and(is_mesh) || within || certified || (hello && outermost)
}

/// Whether a link is no sidecar's to its own app, where TLS is the app's.
fn leaves_its_pod(link: &Link) -> bool {
    fn pod(host: &str) -> &str {
        host.strip_suffix(".proxy").unwrap_or(host)
    }
    pod(&link.from) != pod(&link.to)
}
