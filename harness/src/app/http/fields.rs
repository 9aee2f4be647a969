//! Header and trailer fields: as scripts write them, as libraries hold them, as they are recorded.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::language::http::Fields;

/// Fields as they are recorded: names in lower case, values as text.
pub(super) fn recorded(fields: &HeaderMap) -> Fields {
    let all = fields.iter().filter(|(name, _)| *name != http::header::HOST);
    all.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}

/// As [`recorded`], of a script's fields.
pub(super) fn lowered(fields: &[(String, String)]) -> Fields {
    fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

/// A value as text.
pub(super) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// A script's fields as a map, in order.
///
/// # Errors
/// One of them is no field, in words.
pub(super) fn map(fields: &Fields) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let key =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no field name"))?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| format!("`{name}` has a value that cannot be sent"))?;
        map.append(key, value);
    }
    Ok(map)
}

/// All values of field `name`, which is in lower case.
pub(super) fn values<'a>(fields: &'a Fields, name: &'a str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// Whether one of the comma-separated members of field `name` is `word`, in whatever letter case.
pub(super) fn lists(fields: &Fields, name: &str, word: &str) -> bool {
    values(fields, name)
        .flat_map(|value| value.split(','))
        .any(|member| member.trim().eq_ignore_ascii_case(word))
}
