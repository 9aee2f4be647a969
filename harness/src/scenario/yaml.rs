//! Bytes to a located tree: limits, and the YAML reader's errors in our own look.

use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{DefaultMessageFormatter, Error, Location, MessageFormatter};

use super::diagnostic::{Kind, Problem};
use super::node::{Node, Raw, bytes_of};

/// Bytes a scenario file may have.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// How deep lists and mappings may nest.
const MAX_DEPTH: usize = 48;

/// Nodes that aliases may add.
const MAX_REPLAYED: usize = 10_000;

/// The text of a file, if it is one.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > MAX_BYTES {
        return Err(too_big());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::new(
            Kind::Encoding,
            format!("not UTF-8 text: byte {} is {:#04x}", error.valid_up_to(), bytes[error.valid_up_to()]),
        )
    })?;
    if let Some(at) = text.find('\0') {
        return Err(Problem::new(Kind::Encoding, format!("not a text file: byte {at} is NUL")));
    }
    Ok(text)
}

pub(crate) fn too_big() -> Problem {
    Problem::new(Kind::Limit, "larger than 1 MiB")
        .help("scenario files are short; for much data write `{size: 16MiB}`")
}

/// Reads one YAML document.
pub(crate) fn read(source: &str) -> Result<Node, Problem> {
    if source.len() > MAX_BYTES {
        return Err(too_big());
    }
    let raw: Raw =
        serde_saphyr::from_str_with_options(source, options()).map_err(|error| translate(source, error))?;
    Ok(raw.locate(source))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 1,
            max_nodes: 100_000,
            max_events: 200_000,
            max_aliases: 1_000,
            max_total_scalar_bytes: MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        emit_comments: false,
    }
}

fn translate(source: &str, error: Error) -> Problem {
    let location = error.location();
    let problem = match error {
        Error::AliasError { error, .. } => return translate(source, *error),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.map_or_else(String::new, |key| format!(" `{key}`"));
            Problem::new(Kind::Duplicate, format!("the key{key} is there twice")).label("second time")
        }
        Error::Eof { .. } => Problem::new(Kind::Yaml, "the file ends too soon"),
        Error::MultipleDocuments { .. } => {
            Problem::new(Kind::Yaml, "more than one YAML document").label("one file, one document")
        }
        Error::MergeKeyNotAllowed { .. } => Problem::new(Kind::Yaml, "merge keys (`<<`) are not allowed"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => Problem::new(Kind::Limit, message(&error)),
        error => {
            let message = message(&error);
            // The scanner has its own limit and reports it as bad syntax.
            let limit = message.contains("recursion limit") || message.contains("nesting");
            Problem::new(if limit { Kind::Limit } else { Kind::Yaml }, message)
        }
    };
    match location {
        Some(location) if location != Location::UNKNOWN => problem.at(bytes_of(source, &location)),
        _ => problem,
    }
}

fn message(error: &Error) -> String {
    DefaultMessageFormatter.format_message(error).into_owned()
}
