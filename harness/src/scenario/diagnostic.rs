//! What is wrong with a scenario file, shown as rustc shows it: kind, place, line, caret, help.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

/// Sort of error; its name stands in brackets in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The file can't be read or found.
    Io,
    /// Too big, too deep, too many aliases or cases.
    Limit,
    /// Not UTF-8 text.
    Encoding,
    /// Not YAML.
    Yaml,
    /// A key that does not exist here.
    Key,
    /// A key that must be there.
    Missing,
    /// The same key or id twice.
    Duplicate,
    /// A list where a word is wanted, and the like.
    Type,
    /// A word or number that is not allowed here.
    Value,
    /// No verb, two verbs, or keys that do not go with the verb.
    Verb,
    /// An unknown pod, host or step.
    Name,
    /// An unknown clause.
    Clause,
    /// A placeholder or condition that the matrix does not have.
    Matrix,
    /// A check without what it needs.
    Check,
}

impl Kind {
    /// The name in brackets.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::Limit => "limit",
            Self::Encoding => "encoding",
            Self::Yaml => "yaml",
            Self::Key => "key",
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Type => "type",
            Self::Value => "value",
            Self::Verb => "verb",
            Self::Name => "name",
            Self::Clause => "clause",
            Self::Matrix => "matrix",
            Self::Check => "check",
        }
    }
}

/// One error, not yet bound to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// Bytes of the file it is about.
    pub(crate) span: Option<Range<usize>>,
    pub(crate) label: Option<String>,
    pub(crate) help: Vec<String>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), span: None, label: None, help: Vec::new() }
    }

    /// Puts it at a place, whatever place it had.
    pub(crate) fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// Puts it at a place unless it has one: the innermost place wins.
    pub(crate) fn or_at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds the nearest of the known names, if one is near.
    pub(crate) fn did_you_mean<'a>(self, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(found, known) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// The known name that looks most like `found`, if any does; the first of equals.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing is quadratic; nobody means a name of this length.
    if found.len() > 100 {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let distance = strsim::osa_distance(&found.to_lowercase(), &name.to_lowercase());
        let near = distance <= 1 + name.len().min(found.len()) / 4;
        if near && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// One error and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Sort of error.
    pub kind: Kind,
    /// What is wrong, in one line.
    pub message: String,
    /// The file, as given.
    pub file: PathBuf,
    /// Line, from 1; 0 when it is about the file as a whole.
    pub line: u32,
    /// Column in characters, from 1; 0 when it is about the file as a whole.
    pub column: u32,
    /// What was expected at that place.
    pub label: Option<String>,
    /// Hints.
    pub help: Vec<String>,
    place: Option<(Arc<str>, Range<usize>)>,
}

impl Diagnostic {
    pub(crate) fn new(problem: Problem, file: &Path, source: &Arc<str>) -> Self {
        let place = problem.span.map(|span| (Arc::clone(source), clamp(source, span)));
        let (line, column) = place.as_ref().map_or((0, 0), |(text, span)| line_column(text, span.start));
        Self {
            kind: problem.kind,
            message: problem.message,
            file: file.to_path_buf(),
            line,
            column,
            label: problem.label,
            help: problem.help,
            place,
        }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let path = self.file.display().to_string();
        let title = Level::ERROR.primary_title(self.message.as_str()).id(self.kind.name());
        let mut group = match &self.place {
            Some((source, span)) => title.element(
                Snippet::source(source.as_ref())
                    .path(path)
                    .annotation(AnnotationKind::Primary.span(span.clone()).label(self.label.as_deref())),
            ),
            None => title.element(Origin::path(path)),
        };
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// All errors of one or several files. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(crate) fn new(items: Vec<Diagnostic>) -> Self {
        debug_assert!(!items.is_empty(), "diagnostics without an error");
        Self { items }
    }

    pub(crate) fn of(problems: Vec<Problem>, file: &Path, source: &Arc<str>) -> Self {
        let mut items: Vec<Diagnostic> = Vec::new();
        for problem in problems {
            let item = Diagnostic::new(problem, file, source);
            // Each case of a matrix finds the same errors again.
            if !items.contains(&item) {
                items.push(item);
            }
        }
        items.sort_by_key(|item| (item.line, item.column));
        Self::new(items)
    }

    /// The errors, by file and place.
    #[must_use]
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    pub(crate) fn into_items(self) -> Vec<Diagnostic> {
        self.items
    }

    /// The report for people, with colours (ANSI) or without.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer =
            if colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
        let parts: Vec<String> = self.items.iter().map(|item| item.render(&renderer)).collect();
        parts.join("\n\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// Keeps a span inside its text, on character borders and within one line, and gives it at least one byte where there is one.
fn clamp(source: &str, span: Range<usize>) -> Range<usize> {
    let mut start = span.start.min(source.len());
    while !source.is_char_boundary(start) {
        start -= 1;
    }
    let line_end = source[start..].find('\n').map_or(source.len(), |n| start + n);
    let mut end = span.end.clamp(start, line_end);
    while !source.is_char_boundary(end) {
        end += 1;
    }
    if end == start && start < line_end {
        end += source[start..].chars().next().map_or(0, char::len_utf8);
    }
    start..end
}

/// Line and column of a byte, both from 1, the column in characters.
pub(crate) fn line_column(source: &str, at: usize) -> (u32, u32) {
    let before = &source[..at.min(source.len())];
    let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("recieved", ["sent", "received"]), Some("received"));
        assert_eq!(nearest("colour", ["sent", "received"]), None);
    }

    #[test]
    fn spans_outside_of_the_text_are_brought_in() {
        assert_eq!(clamp("ab\ncd", 99..100), 5..5);
        assert_eq!(clamp("ab\ncd", 0..5), 0..2);
        assert_eq!(clamp("äb", 1..1), 0..2);
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_column("a\näbc", 4), (2, 2));
    }
}
