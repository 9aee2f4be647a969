//! Arguments of `metrics`, as written.

use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::json;

use super::shape::{of, to_schema};
use crate::language::value::Count;
use crate::scenario::decode::At;

/// Arguments of `metrics`: `at`, `valid`, and a signal for each other key.
#[derive(Debug, Clone)]
pub(crate) struct MetricsArgs {
    /// `POD.proxy`.
    pub(crate) at: At<String>,
    /// Strictly valid Prometheus text.
    pub(crate) valid: Option<bool>,
    /// `tcp.connections: 1`, `http.*: absent`.
    pub(crate) signals: IndexMap<String, Count>,
}

/// Words with a dot, the last of which may be `*`.
const SIGNAL: &str = "^[a-z][a-z0-9_]*(\\.[a-z0-9_]+)*(\\.[a-z0-9_]+|\\.\\*)$";

fn is_signal(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    match name.rsplit_once('.') {
        Some((head, last)) => {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && head.split('.').all(part)
                && (last == "*" || part(last))
        }
        None => false,
    }
}

/// A key of `metrics`.
#[derive(Debug)]
enum MetricsKey {
    At,
    Valid,
    Signal(String),
}

impl<'de> Deserialize<'de> for MetricsKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "at" => Ok(Self::At),
            "valid" => Ok(Self::Valid),
            signal if is_signal(signal) => Ok(Self::Signal(name)),
            other => Err(D::Error::unknown_field(other, &["at", "valid", "tcp.connections", "http.*"])),
        }
    }
}

struct MetricsVisitor;

impl<'de> Visitor<'de> for MetricsVisitor {
    type Value = MetricsArgs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with `at` and signals such as `tcp.connections: 1`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MetricsArgs, A::Error> {
        let (mut at, mut valid, mut signals) = (None, None, IndexMap::new());
        while let Some(key) = map.next_key()? {
            match key {
                MetricsKey::At => at = Some(map.next_value()?),
                MetricsKey::Valid => valid = Some(map.next_value()?),
                MetricsKey::Signal(name) => {
                    signals.insert(name, map.next_value()?);
                }
            }
        }
        let at = at.ok_or_else(|| A::Error::missing_field("at"))?;
        Ok(MetricsArgs { at, valid, signals })
    }
}

impl<'de> Deserialize<'de> for MetricsArgs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetricsVisitor)
    }
}

impl JsonSchema for MetricsArgs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Metrics".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        to_schema(json!({
            "type": "object",
            "description": "Arguments of `metrics`: a sidecar's signals by meaning, as fixtures/dataplanes/NAME/dictionary.yaml finds them in its metrics.",
            "properties": {
                "at": {"type": "string", "description": "`POD.proxy`."},
                "valid": {"type": "boolean", "description": "`true`: strictly valid Prometheus text."},
            },
            "patternProperties": {SIGNAL: {"allOf": [of::<Count>(generator)], "description": "How much of the signal there must be; `http.*` stands for all that begin with `http.`."}},
            "required": ["at"],
            "additionalProperties": false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_dotted_words() {
        for good in ["tcp.connections", "http.*", "http.requests.2xx", "rbac.denied"] {
            assert!(is_signal(good), "{good}");
        }
        for bad in ["vaild", "tcp.", ".x", "tcp..x", "TCP.x", "*", "tcp.*.x", ""] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
