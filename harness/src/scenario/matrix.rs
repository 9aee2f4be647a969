//! `for: {mtls: [strict, disabled]}`: one case for each combination of values, put into the tree before it is decoded.

use std::collections::BTreeSet;

use super::diagnostic::{Kind, Problem};
use super::node::{Node, Scalar, ScalarKind, Value};

/// Most cases a file may make.
const MAX_CASES: usize = 256;

/// One name of the matrix with its values.
#[derive(Debug, Clone)]
struct Axis {
    name: String,
    values: Vec<Scalar>,
}

/// All of a file's combinations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matrix {
    axes: Vec<Axis>,
}

/// One combination: an index into the values of each axis.
#[derive(Debug, Clone)]
pub(crate) struct Case<'m> {
    matrix: &'m Matrix,
    choice: Vec<usize>,
}

impl Matrix {
    /// Reads the `for` of a file. What it can't use is left for decoding to complain about, but for what decoding does not know.
    pub(crate) fn read(root: &Node, problems: &mut Vec<Problem>) -> Self {
        let mut matrix = Self::default();
        let Some(Value::Map(entries)) = root.get("for").map(|node| &node.value) else {
            return matrix;
        };
        for (key, values) in entries {
            if let Some(axis) = axis(key, values, problems) {
                matrix.axes.push(axis);
            }
        }
        let cases = matrix.axes.iter().try_fold(1_usize, |cases, axis| cases.checked_mul(axis.values.len()));
        if cases.is_none_or(|cases| cases > MAX_CASES) {
            let span = entries.first().map_or_else(|| root.head(), |(key, _)| key.span.clone());
            problems.push(
                Problem::new(Kind::Limit, format!("the matrix makes more than {MAX_CASES} cases")).at(span),
            );
            matrix.axes.clear();
        }
        let used = used(root);
        for (key, _) in entries {
            if let Some(name) = key.text().filter(|name| !used.contains(*name)) {
                let problem = Problem::new(Kind::Matrix, format!("the matrix value `{name}` is never used"))
                    .at(key.span.clone());
                problems.push(
                    problem
                        .help(format!("write `${name}` where its value belongs, or `when: {{{name}: ..}}`")),
                );
            }
        }
        matrix
    }

    /// The combinations; the last name changes fastest. One without values, if there is no matrix.
    pub(crate) fn cases(&self) -> Vec<Case<'_>> {
        let mut choices: Vec<Vec<usize>> = vec![Vec::new()];
        for axis in &self.axes {
            choices = choices
                .iter()
                .flat_map(|choice| {
                    (0..axis.values.len()).map(|index| {
                        let mut longer = choice.clone();
                        longer.push(index);
                        longer
                    })
                })
                .collect();
        }
        choices.into_iter().map(|choice| Case { matrix: self, choice }).collect()
    }
}

fn axis(key: &Node, values: &Node, problems: &mut Vec<Problem>) -> Option<Axis> {
    let name = key.text().filter(|name| is_name(name));
    let Some(name) = name else {
        problems.push(
            Problem::new(Kind::Matrix, "bad name in the matrix")
                .at(key.span.clone())
                .label("expected a letter, then letters, digits and `_`"),
        );
        return None;
    };
    let Value::List(items) = &values.value else {
        return None; // wrong type, which decoding reports
    };
    if items.is_empty() {
        problems.push(Problem::new(Kind::Matrix, format!("`{name}` has no values")).at(values.head()));
        return None;
    }
    let mut scalars: Vec<Scalar> = Vec::new();
    for item in items {
        let Value::Scalar(scalar) = &item.value else {
            return None;
        };
        // Values are part of the case's name, which stands in lists and files.
        let bad = scalar.text.is_empty()
            || scalar.text.chars().any(|c| c.is_whitespace() || c.is_control() || ",[]=".contains(c));
        if bad {
            problems.push(
                Problem::new(Kind::Matrix, format!("bad value of `{name}`")).at(item.head()).label(
                    "expected a word without blanks, `,`, `=`, `[`, `]`: it is part of the case's name",
                ),
            );
        } else if scalars.iter().any(|other| other.text == scalar.text) {
            problems.push(
                Problem::new(Kind::Duplicate, format!("`{name}` has the value `{}` twice", scalar.text))
                    .at(item.head()),
            );
        } else {
            let mut scalar = scalar.clone();
            if scalar.kind == ScalarKind::Bool {
                scalar.text.make_ascii_lowercase();
            }
            scalars.push(scalar);
        }
    }
    (!scalars.is_empty()).then(|| Axis { name: name.to_owned(), values: scalars })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_name_char)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// One piece of a text with placeholders.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    /// `${name}`, or `$name` as the whole text.
    Name(&'t str),
}

/// Splits a text at its placeholders; `$$` is a `$`, and any other `$` is itself.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    if let Some(name) = text.strip_prefix('$').filter(|name| is_name(name)) {
        return vec![Piece::Name(name)];
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        pieces.push(Piece::Text(before));
        let braced =
            from.strip_prefix("${").and_then(|inner| inner.split_once('}')).filter(|(name, _)| is_name(name));
        rest = if let Some((name, after)) = braced {
            pieces.push(Piece::Name(name));
            after
        } else {
            pieces.push(Piece::Text("$"));
            from.strip_prefix("$$").unwrap_or(&from[1..])
        };
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Names that stand in placeholders and conditions.
fn used(root: &Node) -> BTreeSet<String> {
    fn visit(node: &Node, used: &mut BTreeSet<String>) {
        match &node.value {
            Value::Scalar(scalar) => {
                used.extend(pieces(&scalar.text).into_iter().filter_map(|piece| match piece {
                    Piece::Name(name) => Some(name.to_owned()),
                    Piece::Text(_) => None,
                }))
            }
            Value::List(items) => items.iter().for_each(|item| visit(item, used)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    if let (Some("when"), Value::Map(names)) = (key.text(), &value.value) {
                        used.extend(names.iter().filter_map(|(name, _)| name.text().map(str::to_owned)));
                    }
                    visit(value, used);
                }
            }
        }
    }
    let mut names = BTreeSet::new();
    if let Value::Map(entries) = &root.value {
        entries.iter().filter(|(key, _)| key.text() != Some("for")).for_each(|entry| {
            visit(&entry.1, &mut names);
        });
    }
    names
}

impl<'m> Case<'m> {
    fn values(&self) -> impl Iterator<Item = (&'m str, &'m Scalar)> {
        self.matrix
            .axes
            .iter()
            .zip(&self.choice)
            .map(|(axis, index)| (axis.name.as_str(), &axis.values[*index]))
    }

    /// What the case's name ends with: `[mtls=strict,protocol=tcp]`, or nothing.
    pub(crate) fn suffix(&self) -> String {
        let pairs: Vec<String> =
            self.values().map(|(name, value)| format!("{name}={}", value.text)).collect();
        if pairs.is_empty() { String::new() } else { format!("[{}]", pairs.join(",")) }
    }

    /// The value of a name in this case.
    pub(crate) fn value(&self, name: &str) -> Option<&'m str> {
        self.values().find(|(other, _)| *other == name).map(|(_, value)| value.text.as_str())
    }

    /// All values a name may have.
    pub(crate) fn allowed(&self, name: &str) -> Vec<&'m str> {
        let axis = self.matrix.axes.iter().find(|axis| axis.name == name);
        axis.map_or_else(Vec::new, |axis| axis.values.iter().map(|value| value.text.as_str()).collect())
    }

    /// All names.
    pub(crate) fn names(&self) -> Vec<&'m str> {
        self.matrix.axes.iter().map(|axis| axis.name.as_str()).collect()
    }

    /// The tree with this case's values in place of the placeholders. Keys and the matrix itself stay as they are.
    pub(crate) fn fill(&self, root: &Node, problems: &mut Vec<Problem>) -> Node {
        let Value::Map(entries) = &root.value else {
            return root.clone();
        };
        let entries = entries
            .iter()
            .map(|(key, value)| {
                let value =
                    if key.text() == Some("for") { value.clone() } else { self.fill_node(value, problems) };
                (key.clone(), value)
            })
            .collect();
        Node { span: root.span.clone(), value: Value::Map(entries) }
    }

    fn fill_node(&self, node: &Node, problems: &mut Vec<Problem>) -> Node {
        let value = match &node.value {
            Value::Scalar(scalar) => Value::Scalar(self.fill_scalar(node, scalar, problems)),
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.fill_node(item, problems)).collect())
            }
            Value::Map(entries) => Value::Map(
                entries.iter().map(|(key, value)| (key.clone(), self.fill_node(value, problems))).collect(),
            ),
        };
        Node { span: node.span.clone(), value }
    }

    fn fill_scalar(&self, node: &Node, scalar: &Scalar, problems: &mut Vec<Problem>) -> Scalar {
        if scalar.kind != ScalarKind::Text || !scalar.text.contains('$') {
            return scalar.clone();
        }
        let pieces = pieces(&scalar.text);
        let mut text = String::new();
        for piece in &pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Name(name) => match self.values().find(|(other, _)| other == name) {
                    // A whole scalar keeps what it is: a number stays a number.
                    Some((_, value)) if pieces.len() == 1 => return value.clone(),
                    Some((_, value)) => text.push_str(&value.text),
                    None => {
                        let problem = Problem::new(Kind::Matrix, format!("unknown placeholder `{name}`"))
                            .at(node.span.clone())
                            .label("not in `for`")
                            .did_you_mean(name, self.names());
                        problems.push(problem.help("for the text itself write `$$`"));
                    }
                },
            }
        }
        Scalar { kind: ScalarKind::Text, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_dollars() {
        assert_eq!(pieces("$mtls"), [Piece::Name("mtls")]);
        assert_eq!(pieces("a ${x}!"), [Piece::Text("a "), Piece::Name("x"), Piece::Text("!")]);
        let joined = |text| {
            let parts: Vec<String> = pieces(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.to_owned(),
                    Piece::Name(name) => format!("<{name}>"),
                })
                .collect();
            parts.concat()
        };
        assert_eq!(joined("$$mtls"), "$mtls");
        assert_eq!(joined("$${x}"), "${x}");
        assert_eq!(joined("costs $5, $x"), "costs $5, $x");
        assert_eq!(joined("${x"), "${x");
        assert_eq!(joined("$"), "$");
    }
}
