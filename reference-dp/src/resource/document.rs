//! One YAML document: where it begins in its file, which kind it is, and its typed form.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::did_you_mean;
use super::{Error, Resources, Source};

/// A document of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    /// Its first line in the file, 1-based.
    pub(super) first_line: usize,
}

/// What tells resources apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    kind: &'static str,
    mesh: String,
    name: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind, self.name)?;
        if self.mesh.is_empty() { Ok(()) } else { write!(f, " of mesh `{}`", self.mesh) }
    }
}

/// The field that says how to read the others. Reading it apart, rather than as an enum's tag, keeps the places of
/// mistakes in the typed form.
#[derive(Deserialize)]
pub(super) struct Head {
    #[serde(rename = "type")]
    kind: serde_saphyr::Spanned<String>,
}

const KINDS: [&str; 6] =
    ["Mesh", "Dataplane", "MeshService", "MeshRetry", "MeshTimeout", "MeshTrafficPermission"];

/// Cuts a file into its documents; YAML forbids `---` at the start of a line inside any scalar. Documents of only
/// comments and blanks are left out.
pub(super) fn split(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut first_line = 1;
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if marker && offset > start {
            documents.push(Document { text: &text[start..offset], first_line });
            (start, first_line) = (offset, number + 1);
        }
        offset += line.len();
    }
    documents.push(Document { text: &text[start..], first_line });
    documents.retain(|document| {
        document.text.lines().any(|line| {
            let line = line.strip_prefix("---").unwrap_or(line).trim();
            !line.is_empty() && !line.starts_with('#') && line != "..."
        })
    });
    documents
}

pub(super) fn head(source: &Source, document: &Document<'_>) -> Result<Head, Error> {
    // What stands first is read first: most documents begin so, and need not be read twice.
    let beginning = beginning(document.text).map(|text| Document { text, first_line: document.first_line });
    match beginning.map(|beginning| read(source, &beginning)) {
        Some(Ok(head)) => Ok(head),
        _ => read(source, document),
    }
}

/// The lines up to `type: ..`, if the next one begins another field of the document and thus ends this one. Should they be part of something else,
/// they are no YAML by themselves.
fn beginning(text: &str) -> Option<&str> {
    let mut end = 0;
    let mut lines = text.split_inclusive('\n');
    for line in lines.by_ref() {
        end += line.len();
        if line.starts_with("type:") {
            let next = lines.next()?;
            return next.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| &text[..end]);
        }
    }
    None
}

/// Reads the document as the kind its head names and adds it to `resources`.
pub(super) fn add(
    source: &Source,
    document: &Document<'_>,
    head: &Head,
    resources: &mut Resources,
) -> Result<Id, Error> {
    macro_rules! take {
        ($kind:literal, $list:ident, $mesh:expr) => {{
            let resource = read(source, document)?;
            let id = Id { kind: $kind, mesh: $mesh(&resource), name: resource.name.clone() };
            resources.$list.push(resource);
            Ok(id)
        }};
    }
    match head.kind.value.as_str() {
        "Mesh" => take!("Mesh", meshes, |_: &super::Mesh| String::new()),
        "Dataplane" => take!("Dataplane", dataplanes, |r: &super::Dataplane| r.mesh.clone()),
        "MeshService" => take!("MeshService", services, |r: &super::MeshService| r.mesh.clone()),
        "MeshRetry" => take!("MeshRetry", retries, |r: &super::MeshRetry| r.mesh.clone()),
        "MeshTimeout" => take!("MeshTimeout", timeouts, |r: &super::MeshTimeout| r.mesh.clone()),
        "MeshTrafficPermission" => {
            take!("MeshTrafficPermission", permissions, |r: &super::MeshTrafficPermission| r.mesh.clone())
        }
        unknown => Err(unknown_kind(source, document, head, unknown)),
    }
}

fn unknown_kind(source: &Source, document: &Document<'_>, head: &Head, kind: &str) -> Error {
    let at = head.kind.defined;
    let line = usize::try_from(at.line()).unwrap_or(1).max(1);
    let column = usize::try_from(at.column()).unwrap_or(1).max(1);
    let message = format!("unknown kind of resource `{kind}`");
    Error::at(source, document, line, column, message, Some(did_you_mean(kind, &KINDS)))
}

fn read<T: DeserializeOwned>(source: &Source, document: &Document<'_>) -> Result<T, Error> {
    // Kuma's resources nest a dozen levels and hardly ever use aliases; what goes far beyond is an attack.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_aliases: 256,
            max_anchors: 256,
            max_nodes: 200_000,
        },
    };
    serde_saphyr::from_str_with_options(document.text, options)
        .map_err(|error| Error::yaml(source, document, &error))
}
