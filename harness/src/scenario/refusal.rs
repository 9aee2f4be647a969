//! Serde's errors in our words.

use std::fmt;

use serde::de::{self, Unexpected};

use super::diagnostic::{Kind, Problem};

/// Words of the language that are not understood yet.
const LATER: &[&str] =
    &["grpc", "kafka", "websocket", "apply", "log", "trace", "permissive", "close", "stall", "at"];

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Value, message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Type, format!("expected {expected}, found {}", describe(&found)))
            .label(format!("expected {expected}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            Unexpected::Str(text) => format!("`{text}`"),
            other => describe(&other),
        };
        Self::new(Kind::Value, format!("bad value {found}")).label(format!("expected {expected}"))
    }

    fn invalid_length(found: usize, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Value, format!("{found} elements")).label(format!("expected {expected}"))
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        later(Self::new(Kind::Value, format!("bad value `{found}`")), found, expected)
            .label(format!("expected {}", one_of(expected)))
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        later(Self::new(Kind::Key, format!("unknown key `{found}`")), found, expected)
            .label(format!("expected {}", one_of(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing, format!("the key `{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Kind::Duplicate, format!("the key `{field}` is there twice"))
    }
}

fn later(problem: Problem, found: &str, expected: &[&str]) -> Problem {
    if LATER.contains(&found) {
        return problem.help(format!("`{found}` comes with a later step of the project"));
    }
    problem.did_you_mean(found, expected.iter().copied())
}

fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing here".to_owned(),
        [word] => format!("`{word}`"),
        words => {
            format!("one of {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
        }
    }
}

fn describe(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("the boolean `{value}`"),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Str(text) => format!("`{text}`"),
        Unexpected::Unit => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}
