//! `for: {mtls: [strict, disabled]}`: one case for each combination of values, put into the tree before it is decoded. Values that are no names
//! have one before them: `for: {input: {bare-lf: "GET /\n", nul: {hex: "00"}}}`.

use std::collections::BTreeSet;

use super::diagnostic::{Kind, Problem};
use super::node::{Node, Scalar, ScalarKind, Value};

/// Most cases a file may make.
const MAX_CASES: usize = 256;

/// One name of the matrix with its values.
#[derive(Debug, Clone)]
struct Axis {
    name: String,
    values: Vec<Choice>,
}

/// A value and what it is called, in the case's name and in `when`.
#[derive(Debug, Clone)]
struct Choice {
    name: String,
    value: Value,
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
    let choices: Vec<(&Node, &Node)> = match &values.value {
        Value::List(items) => items.iter().map(|item| (item, item)).collect(),
        Value::Map(entries) => entries.iter().map(|(key, value)| (key, value)).collect(),
        Value::Scalar(_) => return None, // wrong type, which decoding reports
    };
    if choices.is_empty() {
        problems.push(Problem::new(Kind::Matrix, format!("`{name}` has no values")).at(values.head()));
        return None;
    }
    let mut axis = Axis { name: name.to_owned(), values: Vec::new() };
    for (key, value) in choices {
        let Value::Scalar(scalar) = &key.value else {
            return None;
        };
        match axis.choice(scalar, value) {
            Ok(choice) => axis.values.push(choice),
            Err(problem) => problems.push(problem.at(key.head())),
        }
    }
    (!axis.values.is_empty()).then_some(axis)
}

impl Axis {
    fn choice(&self, key: &Scalar, value: &Node) -> Result<Choice, Problem> {
        let name = &self.name;
        // It is part of the case's name, which stands in lists and files.
        let bad = key.text.is_empty()
            || key.text.chars().any(|c| c.is_whitespace() || c.is_control() || ",[]=".contains(c));
        if bad {
            return Err(Problem::new(Kind::Matrix, format!("bad value of `{name}`"))
                .label("expected a word without blanks, `,`, `=`, `[`, `]`: it is part of the case's name")
                .help(format!("give the value a name: `{name}: {{short-name: \"the value\"}}`")));
        }
        let plain = |scalar: &Scalar| {
            let bool = scalar.kind == ScalarKind::Bool;
            let text = if bool { scalar.text.to_ascii_lowercase() } else { scalar.text.clone() };
            Scalar { kind: scalar.kind, text }
        };
        let choice = Choice {
            name: plain(key).text,
            value: match &value.value {
                Value::Scalar(scalar) => Value::Scalar(plain(scalar)),
                other => other.clone(),
            },
        };
        if self.values.iter().any(|other| other.name == choice.name) {
            let twice = format!("`{name}` has the value `{}` twice", choice.name);
            return Err(Problem::new(Kind::Duplicate, twice));
        }
        Ok(choice)
    }
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
    fn values(&self) -> impl Iterator<Item = (&'m str, &'m Choice)> {
        self.matrix
            .axes
            .iter()
            .zip(&self.choice)
            .map(|(axis, index)| (axis.name.as_str(), &axis.values[*index]))
    }

    /// What the case's name ends with: `[mtls=strict,protocol=tcp]`, or nothing.
    pub(crate) fn suffix(&self) -> String {
        let pairs: Vec<String> =
            self.values().map(|(name, choice)| format!("{name}={}", choice.name)).collect();
        if pairs.is_empty() { String::new() } else { format!("[{}]", pairs.join(",")) }
    }

    /// What the value of a name is called in this case.
    pub(crate) fn value(&self, name: &str) -> Option<&'m str> {
        self.values().find(|(other, _)| *other == name).map(|(_, choice)| choice.name.as_str())
    }

    /// All values a name may have.
    pub(crate) fn allowed(&self, name: &str) -> Vec<&'m str> {
        let axis = self.matrix.axes.iter().find(|axis| axis.name == name);
        axis.map_or_else(Vec::new, |axis| axis.values.iter().map(|choice| choice.name.as_str()).collect())
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
            Value::Scalar(scalar) => self.fill_scalar(node, scalar, problems),
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.fill_node(item, problems)).collect())
            }
            Value::Map(entries) => Value::Map(
                entries.iter().map(|(key, value)| (key.clone(), self.fill_node(value, problems))).collect(),
            ),
        };
        Node { span: node.span.clone(), value }
    }

    fn fill_scalar(&self, node: &Node, scalar: &Scalar, problems: &mut Vec<Problem>) -> Value {
        if scalar.kind != ScalarKind::Text || !scalar.text.contains('$') {
            return Value::Scalar(scalar.clone());
        }
        let pieces = pieces(&scalar.text);
        let mut text = String::new();
        for piece in &pieces {
            let name = match piece {
                Piece::Text(part) => {
                    text.push_str(part);
                    continue;
                }
                Piece::Name(name) => name,
            };
            match self.values().find(|(other, _)| other == name).map(|(_, choice)| &choice.value) {
                // A whole scalar becomes what the value is: a number stays a number.
                Some(value) if pieces.len() == 1 => return value.clone(),
                Some(Value::Scalar(value)) => text.push_str(&value.text),
                Some(_) => {
                    let problem = Problem::new(Kind::Matrix, format!("a value of `{name}` is no text"));
                    problems.push(problem.at(node.span.clone()).help(format!("write `${name}` alone")));
                }
                None => {
                    let problem = Problem::new(Kind::Matrix, format!("unknown placeholder `{name}`"))
                        .at(node.span.clone())
                        .label("not in `for`")
                        .did_you_mean(name, self.names());
                    problems.push(problem.help("for the text itself write `$$`"));
                }
            }
        }
        Value::Scalar(Scalar { kind: ScalarKind::Text, text })
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
