//! The JSON Schema of scenario files, for editors: derived from the structs that read them.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::File;

/// The JSON Schema (draft 2020-12) of scenario files. It accepts every valid scenario, and refuses what is wrong in form; names, verbs that
/// exclude each other and the like are beyond it.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<File>().to_value();
    schema
}
