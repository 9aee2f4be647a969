//! Verbatim Kuma resources: one text a document.

use crate::scenario::diagnostic::{Kind, Problem};
use crate::scenario::node::{Node, Scalar, ScalarKind, Value};
use crate::scenario::yaml;

/// The documents under `resources`, in order.
pub(super) fn texts(tree: &Node, problems: &mut Vec<Problem>) -> Vec<String> {
    let Some(resources) = tree.get("resources") else {
        return Vec::new();
    };
    let items = match &resources.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(resources),
    };
    let mut texts = Vec::new();
    for item in items {
        match &item.value {
            Value::Scalar(scalar) => {
                for document in split(&scalar.text) {
                    check(&document, item, problems);
                    texts.push(document);
                }
            }
            // JSON is YAML.
            _ => texts.push(json(item).to_string()),
        }
    }
    texts
}

/// Splits at lines `---`; documents of blanks and comments are left out.
fn split(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" {
            documents.push(String::new());
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let has_content = |document: &String| {
        document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    };
    documents.retain(has_content);
    documents
}

/// Says so if a document is not even YAML; what Kuma thinks of it is not known here.
fn check(document: &str, item: &Node, problems: &mut Vec<Problem>) {
    let problem = match yaml::read(document) {
        Ok(node) if matches!(node.value, Value::Map(_)) => return,
        Ok(_) => Problem::new(Kind::Type, "expected a Kuma resource, found no mapping"),
        Err(problem) => Problem::new(Kind::Yaml, format!("bad YAML in a resource: {}", problem.message)),
    };
    problems.push(problem.at(item.head()).label("in this text"));
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar(scalar) => scalar_json(scalar),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let pairs =
                entries.iter().map(|(key, value)| (key.text().unwrap_or_default().to_owned(), json(value)));
            serde_json::Value::Object(pairs.collect())
        }
    }
}

fn scalar_json(scalar: &Scalar) -> serde_json::Value {
    match scalar.kind {
        ScalarKind::Null => serde_json::Value::Null,
        ScalarKind::Bool => scalar.text.eq_ignore_ascii_case("true").into(),
        ScalarKind::Number => {
            serde_json::from_str(&scalar.text).unwrap_or_else(|_| scalar.text.as_str().into())
        }
        ScalarKind::Text => scalar.text.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_at_their_marks_only() {
        assert_eq!(
            split("a: 1\n---\n# nothing\n---\nb: |\n  ----\n  x ---\n"),
            ["a: 1\n", "b: |\n  ----\n  x ---\n"]
        );
    }
}
