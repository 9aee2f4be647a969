//! What is wrong with a source, and where, in the manner of rustc.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::Source;
use super::document::{Document, Id};

/// A mistake in a source. Its `Display` names file, line and column, shows the line and says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    source_name: String,
    /// 1-based; `None` if the mistake is the whole file.
    place: Option<Place>,
    message: String,
    help: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// 1-based.
    line: usize,
    /// 1-based, in characters.
    column: usize,
    text: String,
}

impl Error {
    /// Where in the source, as 1-based line and column, if it is at one place.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }

    /// What is wrong, in one line without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn too_large(source: &Source) -> Self {
        let message = format!(
            "file of {} bytes is larger than the limit of {}",
            source.text.len(),
            super::MAX_SOURCE_BYTES
        );
        Self { source_name: source.name.clone(), place: None, message, help: None }
    }

    pub(super) fn twice(source: &Source, document: &Document<'_>, id: &Id) -> Self {
        Self::at(source, document, 1, 1, format!("{id} is defined twice"), None)
    }

    pub(super) fn at(
        source: &Source,
        document: &Document<'_>,
        line: usize,
        column: usize,
        message: String,
        help: Option<String>,
    ) -> Self {
        let text = document.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        // A line of a whole minified file would drown the message.
        let text = text.chars().take(MAX_SHOWN_COLUMNS).collect();
        let place = Place { line: document.first_line + line.saturating_sub(1), column, text };
        Self { source_name: source.name.clone(), place: Some(place), message, help }
    }

    pub(super) fn yaml(source: &Source, document: &Document<'_>, error: &serde_saphyr::Error) -> Self {
        let error = error.without_snippet();
        let (message, help) = describe(error);
        let (line, column) = error.location().map_or((1, 1), |at| {
            (usize::try_from(at.line()).unwrap_or(1).max(1), usize::try_from(at.column()).unwrap_or(1).max(1))
        });
        Self::at(source, document, line, column, message, help)
    }
}

const MAX_SHOWN_COLUMNS: usize = 200;

fn describe(error: &serde_saphyr::Error) -> (String, Option<String>) {
    use serde_saphyr::Error as Yaml;
    match error {
        Yaml::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown field `{field}`"), Some(did_you_mean(field, expected)))
        }
        Yaml::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown value `{variant}`"), Some(did_you_mean(variant, expected)))
        }
        Yaml::DuplicateMappingKey { key: Some(key), .. } => (format!("`{key}` is given twice"), None),
        other => {
            let rendered = other.render_with_options(serde_saphyr::render_options! {
                snippets: serde_saphyr::SnippetMode::Off,
            });
            // The place is shown by us, in the file's own lines.
            let message = rendered.split(" at line ").next().unwrap_or(&rendered).to_owned();
            (message, None)
        }
    }
}

/// Advice for a word that is none of `allowed`.
pub(super) fn did_you_mean(word: &str, allowed: &[&str]) -> String {
    match closest(word, allowed.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? expected one of: {}", allowed.join(", ")),
        None if allowed.is_empty() => "nothing is expected here".to_owned(),
        None => format!("expected one of: {}", allowed.join(", ")),
    }
}

/// The candidate that `word` was most likely meant to be: a slip or two away, or begun and not finished.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= candidate.len().max(3) / 3 || (word.len() >= 3 && candidate.starts_with(word))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else {
            return write!(f, "error: {}: {}", self.source_name, self.message);
        };
        let at = place.text.char_indices().nth(place.column - 1).map_or(place.text.len(), |(at, _)| at);
        let word =
            place.text[at..].chars().take_while(|c| !c.is_whitespace() && !matches!(c, ':' | ',' | '}'));
        let end = at + word.map(char::len_utf8).sum::<usize>().max(usize::from(at < place.text.len()));
        let mut mark = AnnotationKind::Primary.span(at..end);
        if let Some(help) = &self.help {
            mark = mark.label(help.as_str());
        }
        let snippet = Snippet::source(place.text.as_str())
            .line_start(place.line)
            .path(self.source_name.as_str())
            .annotation(mark);
        let report = [Level::ERROR.primary_title(self.message.as_str()).element(snippet)];
        f.write_str(&Renderer::plain().render(&report))
    }
}
