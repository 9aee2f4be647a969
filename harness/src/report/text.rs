//! Words for a terminal.

use std::fmt::Write as _;

/// Columns of what is written for people.
pub(super) const WIDTH: usize = 100;

/// Breaks a text at blanks into lines of [`WIDTH`] columns, each after `indent` blanks, with a newline at its end.
#[must_use]
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    let flush = |line: &mut String, lines: &mut String| {
        put(lines, format_args!("{:indent$}{line}\n", ""));
        line.clear();
    };
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
            flush(&mut line, &mut lines);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        flush(&mut line, &mut lines);
    }
    lines
}

/// A text whose later lines stand `indent` blanks from the left, as its first does where it is put; lines that do not fit are broken anywhere, since
/// blanks may matter.
#[must_use]
pub(super) fn hung(text: &str, indent: usize) -> String {
    let room = WIDTH.saturating_sub(indent).max(1);
    let mut hung = String::new();
    for line in text.split('\n') {
        let line: Vec<char> = line.chars().collect();
        // An empty line is one, too.
        for piece in line.chunks(room).chain(line.is_empty().then_some(&[][..])) {
            if !hung.is_empty() {
                put(&mut hung, format_args!("\n{:indent$}", ""));
            }
            hung.extend(piece);
        }
    }
    hung
}

/// Writing to a String cannot fail.
pub(super) fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(line);
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, hung, wrapped};

    #[test]
    fn long_lines_hang_under_their_first() {
        assert_eq!(hung("one\ntwo", 4), "one\n    two");
        let text = "é b".repeat(60);
        let lines = hung(&text, 18);
        assert_eq!(lines.replace("\n                  ", ""), text);
        assert_eq!(lines.lines().next().map(|line| line.chars().count()), Some(WIDTH - 18));
        assert!(lines.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(hung("", 18), "");
    }

    #[test]
    fn lines_fit_and_no_word_is_lost() {
        let text = "word ".repeat(100);
        let lines = wrapped(&text, 4);
        assert!(lines.lines().all(|line| line.len() <= WIDTH && line.starts_with("    word")));
        assert_eq!(lines.split_whitespace().count(), 100);
        assert_eq!(wrapped("", 4), "");
    }
}
