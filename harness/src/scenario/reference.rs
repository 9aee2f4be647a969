//! The part of scenarios/README.md that lists every key, made from the schema so that it can't go stale.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::schema;

/// Every key of the language, as Markdown tables: the second half of scenarios/README.md.
#[must_use]
pub fn reference() -> String {
    let root = schema();
    let mut text = String::new();
    section(&mut text, "Scenario", &root);
    let mut definitions: Vec<(&String, &Value)> = root["$defs"].as_object().into_iter().flatten().collect();
    definitions.sort_by_key(|(name, _)| name.as_str());
    for (name, definition) in definitions {
        section(&mut text, name, definition);
    }
    text
}

fn section(text: &mut String, name: &str, schema: &Value) {
    let about = schema["description"].as_str().unwrap_or_default();
    let _ = writeln!(text, "### {name}\n");
    if !about.is_empty() {
        let _ = writeln!(text, "{}\n", flat(about));
    }
    let rows = rows(schema);
    if !rows.is_empty() {
        let _ = writeln!(text, "| key | value | meaning |\n| --- | --- | --- |");
        for (key, value, meaning) in rows {
            let _ = writeln!(
                text,
                "| {key} | {} | {} |",
                value.replace('|', "\\|"),
                flat(&meaning).replace('|', "\\|")
            );
        }
        text.push('\n');
    }
}

/// The keys of a mapping, or the words and one-key mappings of a choice: key, value, meaning.
fn rows(schema: &Value) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let entries = [&schema["properties"], &schema["patternProperties"]]
        .into_iter()
        .filter_map(Value::as_object)
        .flatten();
    for (key, value) in entries {
        let shown = if key.starts_with('^') { "a signal".to_owned() } else { format!("`{key}`") };
        let mark = if required.contains(&key.as_str()) { " (required)" } else { "" };
        rows.push((
            format!("{shown}{mark}"),
            kind(value),
            value["description"].as_str().unwrap_or_default().to_owned(),
        ));
    }
    for option in schema["oneOf"].as_array().into_iter().flatten() {
        let meaning = option["description"].as_str().unwrap_or_default().to_owned();
        match (option["const"].as_str(), option["properties"].as_object().and_then(|map| map.iter().next())) {
            (Some(word), _) => rows.push((format!("`{word}`"), "word".into(), meaning)),
            (None, Some((key, value))) => rows.push((format!("`{key}`"), kind(value), meaning)),
            (None, None) => {}
        }
    }
    rows
}

/// What a value is, in a few words.
fn kind(schema: &Value) -> String {
    let Some(object) = schema.as_object() else {
        return String::new();
    };
    if let Some(name) = reference_of(object) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(word) = object.get("const") {
        return format!("`{word}`");
    }
    if let Some(words) = object.get("enum").and_then(Value::as_array) {
        return words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(options) = object.get(keyword).and_then(Value::as_array) {
            let own = options.iter().filter(|option| option["$ref"] != "#/$defs/Placeholder");
            return own.map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    match object.get("type") {
        Some(Value::String(one)) if one == "array" => format!("list of {}", kind(&object["items"])),
        Some(Value::String(one)) if one == "object" => match object.get("additionalProperties") {
            Some(values @ Value::Object(_)) => format!("mapping of names to {}", kind(values)),
            _ => "mapping".into(),
        },
        Some(Value::String(one)) if one == "integer" => "number".into(),
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(types)) if types.first().is_some_and(|one| one == "string") => "text".into(),
        _ => String::new(),
    }
}

fn reference_of(object: &Map<String, Value>) -> Option<&str> {
    object.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"))
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of scenarios/README.md below which all is made by [`reference()`].
    const MARK: &str =
        "<!-- From here on made from the schema: UPDATE_README=1 cargo test -p harness readme -->\n\n";

    #[test]
    fn the_readme_lists_every_key() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/README.md");
        let readme = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let Some((prose, tables)) = readme.split_once(MARK) else {
            panic!("{path} has lost the line `{}`", MARK.trim());
        };
        if std::env::var_os("UPDATE_README").is_some() {
            assert!(std::fs::write(path, format!("{prose}{MARK}{}", reference())).is_ok());
            return;
        }
        assert!(tables == reference(), "{path} is out of date: UPDATE_README=1 cargo test -p harness readme");
    }

    #[test]
    fn every_example_in_the_readme_is_a_valid_scenario() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/README.md");
        let readme = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let examples: Vec<&str> =
            readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(examples.iter().any(|example| example.starts_with("about:")));
        for example in examples.into_iter().filter(|example| example.starts_with("about:")) {
            if let Err(errors) = crate::scenario::parse("readme", std::path::Path::new(path), example) {
                panic!("{errors}");
            }
        }
    }
}
