//! The JSON Schema of scenario files, for editors: derived from the structs that read them.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::File;

/// Verbs of a step; exactly one, or `expect` alone.
const VERBS: &[&str] = &["tcp", "tls", "raw", "http", "fault", "heal", "wait", "proxy", "parallel"];
/// Conditions of a fault; exactly one.
const CONDITIONS: &[&str] =
    &["latency", "bandwidth", "segment", "loss", "hold", "blackhole", "refuse", "reset"];
/// Checks of an expectation; one or more.
const CHECKS: &[&str] = &["client", "app", "bytes", "wire", "quiet", "metrics", "took"];

/// Keywords whose value is a mapping of schemas.
const MAPS: &[&str] = &["properties", "patternProperties", "$defs"];
/// Keywords whose value is a list of schemas.
const LISTS: &[&str] = &["anyOf", "oneOf", "allOf"];
/// Keywords whose value is a schema.
const SINGLES: &[&str] = &["items", "additionalProperties"];

/// The JSON Schema (draft 2020-12) of scenario files. It accepts every valid scenario and refuses what is wrong in form; whether names exist
/// and values fit together is beyond it.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<File>().to_value();
    each(&mut schema, &mut tidy);
    let definitions = schema.get("$defs").cloned().unwrap_or_default();
    each(&mut schema, &mut |schema| allow_placeholders(schema, &definitions));
    let placeholder = json!({
        "type": "string",
        "pattern": "^\\$([A-Za-z][A-Za-z0-9_]*|\\{[A-Za-z][A-Za-z0-9_]*\\})$",
        "description": "A value of the matrix: `$name`.",
    });
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.insert("Placeholder".into(), placeholder);
        let alone = json!({"required": ["expect"], "not": {"anyOf": required(VERBS)}});
        let mut verbs = required(VERBS);
        verbs.push(alone);
        extend(definitions, "Step", "oneOf", verbs);
        extend(definitions, "Fault", "oneOf", required(CONDITIONS));
        extend(definitions, "Expectation", "anyOf", required(CHECKS));
    }
    schema
}

fn required(keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| json!({"required": [key]})).collect()
}

fn extend(definitions: &mut Map<String, Value>, name: &str, keyword: &str, value: Vec<Value>) {
    if let Some(definition) = definitions.get_mut(name).and_then(Value::as_object_mut) {
        definition.insert(keyword.into(), value.into());
    }
}

/// Visits a schema and all schemas within, the inner ones first.
fn each(schema: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    if let Some(object) = schema.as_object_mut() {
        for (keyword, value) in object.iter_mut() {
            let inner: Vec<&mut Value> = match value {
                Value::Object(map) if MAPS.contains(&keyword.as_str()) => map.values_mut().collect(),
                Value::Array(list) if LISTS.contains(&keyword.as_str()) => list.iter_mut().collect(),
                Value::Object(_) if SINGLES.contains(&keyword.as_str()) => vec![value],
                _ => Vec::new(),
            };
            inner.into_iter().for_each(|schema| each(schema, visit));
        }
        visit(schema);
    }
}

/// An optional key may be absent, but not null; text may look like a number (`1.3`), since it is taken as written.
fn tidy(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(options)) = object.get_mut("anyOf") {
        options.retain(|option| option != &json!({"type": "null"}));
        if let [Value::Object(only)] = options.as_slice() {
            let only = only.clone();
            object.shift_remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
    let free = object.get("type") == Some(&json!("string"))
        && !["pattern", "enum", "const"].iter().any(|key| object.contains_key(*key));
    if free {
        object.insert("type".into(), json!(["string", "number"]));
    }
}

/// Wherever a word may stand, `$name` may.
fn allow_placeholders(schema: &mut Value, definitions: &Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    for (keyword, value) in object.iter_mut() {
        match value {
            Value::Object(map) if keyword == "properties" || keyword == "patternProperties" => {
                map.values_mut().for_each(|schema| or_placeholder(schema, definitions));
            }
            Value::Object(_) if SINGLES.contains(&keyword.as_str()) => or_placeholder(value, definitions),
            _ => {}
        }
    }
}

fn or_placeholder(schema: &mut Value, definitions: &Value) {
    let words = words(schema, definitions, 0);
    if words != Words::Some {
        return;
    }
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let description = object.shift_remove("description");
    let own = Value::Object(std::mem::take(object));
    object.insert("anyOf".into(), json!([own, {"$ref": "#/$defs/Placeholder"}]));
    object.extend(description.map(|text| ("description".to_owned(), text)));
}

/// Which words (text, numbers, booleans) a schema accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Words {
    None,
    Some,
    AnyText,
}

fn words(schema: &Value, definitions: &Value, depth: usize) -> Words {
    let Some(object) = schema.as_object().filter(|_| depth < 8) else {
        return Words::None;
    };
    let mut most = Words::None;
    if let Some(name) =
        object.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"))
    {
        most = most.max(words(&definitions[name], definitions, depth + 1));
    }
    for keyword in LISTS {
        for option in object.get(*keyword).and_then(Value::as_array).into_iter().flatten() {
            most = most.max(words(option, definitions, depth + 1));
        }
    }
    if object.contains_key("enum") || object.contains_key("const") {
        return most.max(Words::Some);
    }
    let types: Vec<&str> = match object.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if types.contains(&"string") && !object.contains_key("pattern") {
        return Words::AnyText;
    }
    let scalar = types.iter().any(|one| ["string", "integer", "number", "boolean"].contains(one));
    if scalar { most.max(Words::Some) } else { most }
}
