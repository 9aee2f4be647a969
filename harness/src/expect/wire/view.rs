//! One connection, as judges see it.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Verdict;
use crate::language::TlsVersion;
use crate::language::value::{Match, Span};
use crate::observe::http::{HttpView, Version};
use crate::observe::wire::{Layer, TlsView, WireConnection};

/// The URIs that certificates of the mesh bear. Scenarios have one mesh, which bears Kuma's default name.
const MESH: &str = "spiffe://default/";

/// Why something can't be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unknown(pub(super) String);

/// A text that is there, is not, or can't be told.
pub(super) type Text = Result<Option<String>, Unknown>;

/// A connection, and the certificates that stand for its ends.
pub(super) struct View<'a> {
    pub(super) connection: &'a WireConnection,
    client: Certificate,
    server: Certificate,
}

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Certificate {
    /// It was seen.
    Seen(Facts),
    /// There was none.
    None,
    /// It can't be told.
    Unknown(Unknown),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    uris: Vec<String>,
    /// Seconds from not-before to not-after.
    lifetime: i64,
}

impl<'a> View<'a> {
    /// Of a connection; `all` are those of the link, in which the session that it resumes may be found.
    pub(super) fn new(connection: &'a WireConnection, all: &[&'a WireConnection]) -> Self {
        let (client, server) = match tls(&connection.layer) {
            Some(view) => certificates(connection, view, all),
            None => (Certificate::None, Certificate::None),
        };
        Self { connection, client, server }
    }

    /// Version of the outer TLS.
    pub(super) fn version(&self) -> Text {
        Ok(self.tls().and_then(|view| view.version).map(|version| match version {
            TlsVersion::V1_2 => "1.2".to_owned(),
            TlsVersion::V1_3 => "1.3".to_owned(),
        }))
    }

    /// Outer SNI.
    pub(super) fn sni(&self) -> Text {
        Ok(self.tls().and_then(|view| view.sni.clone()))
    }

    /// Outer ALPN offer.
    pub(super) fn alpn(&self) -> Text {
        Ok(self.tls().and_then(alpn))
    }

    /// Inner SNI.
    pub(super) fn inner_sni(&self) -> Text {
        Ok(self.inner_tls()?.and_then(|view| view.sni.clone()))
    }

    /// Inner ALPN offer.
    pub(super) fn inner_alpn(&self) -> Text {
        Ok(self.inner_tls()?.and_then(alpn))
    }

    /// Whether the connection is what is expected: `plain`, `http/1.1`, `http/2`, `tls`, `mesh-tls`, `none`.
    pub(super) fn outer(&self, wanted: &Match<String>) -> Verdict {
        let kind = match &self.connection.layer {
            Layer::Tls(_) => match self.is_mesh() {
                Ok(true) => "mesh-tls",
                Ok(false) => "tls",
                Err(_) if allows(wanted, "tls") == allows(wanted, "mesh-tls") => "tls",
                Err(why) => return Err(why),
            },
            layer => kind(layer),
        };
        Ok((!allows(wanted, kind)).then(|| self.describe()))
    }

    /// Whether what lies inside the outer TLS is what is expected: `plain`, `http/1.1`, `http/2`, `tls`, `none`.
    pub(super) fn inner(&self, wanted: &Match<String>) -> Verdict {
        let Some(view) = self.tls() else {
            return Ok(Some(format!("no TLS around it: {}", self.describe())));
        };
        let inner = view.inner.as_ref().map_err(|why| Unknown(why.clone()))?;
        Ok((!allows(wanted, kind(inner))).then(|| describe(inner)))
    }

    /// Whether the client certificate bears all these URIs.
    pub(super) fn client_uris(&self, wanted: &[String]) -> Verdict {
        self.client.bears(wanted)
    }

    /// Whether the server certificate bears all these URIs.
    pub(super) fn server_uris(&self, wanted: &[String]) -> Verdict {
        self.server.bears(wanted)
    }

    /// Whether each certificate shown is valid for that long.
    pub(super) fn lifetime(&self, wanted: Span) -> Verdict {
        let mut found = Vec::new();
        for (end, certificate) in [("client", &self.client), ("server", &self.server)] {
            match certificate {
                Certificate::Unknown(why) => return Err(why.clone()),
                Certificate::None => {}
                Certificate::Seen(facts) => {
                    let fits = u64::try_from(facts.lifetime)
                        .is_ok_and(|secs| (wanted.from.as_secs()..=wanted.to.as_secs()).contains(&secs));
                    found.push((fits, format!("{end}'s for {} s", facts.lifetime)));
                }
            }
        }
        if found.is_empty() {
            return Ok(Some("no certificate".to_owned()));
        }
        let fits = found.iter().all(|(fits, _)| *fits);
        Ok((!fits).then(|| found.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")))
    }

    /// The connection in words.
    pub(super) fn describe(&self) -> String {
        let Layer::Tls(_) = &self.connection.layer else { return describe(&self.connection.layer) };
        format!(
            "{} (client {}; server {})",
            describe(&self.connection.layer),
            self.client.describe(),
            self.server.describe()
        )
    }

    /// The HTTP that it is, in clear or inside TLS; `None` where it is something else.
    pub(super) fn http(&self) -> Result<Option<&'a HttpView>, Unknown> {
        let unknown = |why: &str| Err(Unknown(why.to_owned()));
        let layer = match &self.connection.layer {
            Layer::Tls(view) => view.inner.as_ref().map_err(|why| Unknown(why.clone()))?,
            Layer::Plain { forward, .. } if forward.is_empty() && self.connection.bytes > 0 => {
                return unknown("capture cut at 0");
            }
            layer => layer,
        };
        match layer {
            Layer::Http(view) => Ok(Some(view)),
            Layer::Plain { .. } | Layer::Empty => Ok(None),
            Layer::Tls(_) => unknown("requests inside two layers of TLS are not looked for"),
        }
    }

    fn tls(&self) -> Option<&'a TlsView> {
        tls(&self.connection.layer)
    }

    fn inner_tls(&self) -> Result<Option<&'a TlsView>, Unknown> {
        match self.tls().map(|view| &view.inner) {
            None => Ok(None),
            Some(Ok(layer)) => Ok(tls(layer)),
            Some(Err(why)) => Err(Unknown(why.clone())),
        }
    }

    /// Whether both certificates are the mesh's.
    fn is_mesh(&self) -> Result<bool, Unknown> {
        let mesh = |certificate: &Certificate| match certificate {
            Certificate::Seen(facts) => Ok(facts.uris.iter().any(|uri| uri.starts_with(MESH))),
            Certificate::None => Ok(false),
            Certificate::Unknown(why) => Err(why.clone()),
        };
        match (mesh(&self.client), mesh(&self.server)) {
            // One that is not the mesh's is enough to know.
            (Ok(false), _) | (_, Ok(false)) => Ok(false),
            (Ok(true), Ok(true)) => Ok(true),
            (Err(why), _) | (_, Err(why)) => Err(why),
        }
    }
}

/// The certificates of a session. A resumed one has none on the wire: its ends are those of the session it resumes, and only those who took
/// part in that can; it is looked for among earlier connections of the same link and server name.
fn certificates(
    connection: &WireConnection,
    view: &TlsView,
    all: &[&WireConnection],
) -> (Certificate, Certificate) {
    let origin = if view.resumed {
        let earlier = all.iter().filter(|other| other.opened <= connection.opened);
        let mut full = earlier.filter_map(|other| tls(&other.layer));
        full.rfind(|other| !other.resumed && other.version.is_some() && other.sni == view.sni)
    } else {
        Some(view)
    };
    let Some(origin) = origin else {
        let why =
            Unknown("a resumed session shows no certificates, and its beginning was not seen".to_owned());
        return (Certificate::Unknown(why.clone()), Certificate::Unknown(why));
    };
    // TLS 1.3 encrypts certificates, so that without secrets none is seen even when there is one.
    let hidden = match (&origin.inner, origin.version) {
        (Err(why), Some(TlsVersion::V1_3)) => Some(Unknown(why.clone())),
        _ => None,
    };
    let read = |der: Option<&Vec<u8>>| match (der, &hidden) {
        (Some(der), _) => facts(der)
            .map_or_else(|| Certificate::Seen(Facts { uris: Vec::new(), lifetime: 0 }), Certificate::Seen),
        (None, Some(why)) => Certificate::Unknown(why.clone()),
        (None, None) => Certificate::None,
    };
    (read(origin.client_certificate.as_ref()), read(origin.server_certificate.as_ref()))
}

fn facts(der: &[u8]) -> Option<Facts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names =
        certificate.subject_alternative_name().ok().flatten().map(|extension| &extension.value.general_names);
    let uris = names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    let validity = certificate.validity();
    Some(Facts {
        uris: uris.collect(),
        lifetime: validity.not_after.timestamp().saturating_sub(validity.not_before.timestamp()),
    })
}

impl Certificate {
    fn bears(&self, wanted: &[String]) -> Verdict {
        match self {
            Self::Seen(facts) if wanted.iter().all(|uri| facts.uris.contains(uri)) => Ok(None),
            Self::Unknown(why) => Err(why.clone()),
            _ => Ok(Some(self.describe())),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Seen(facts) if facts.uris.is_empty() => "certificate without URIs".to_owned(),
            Self::Seen(facts) => facts.uris.join(", "),
            Self::None => "without certificate".to_owned(),
            Self::Unknown(Unknown(why)) => format!("unknown: {why}"),
        }
    }
}

fn allows(wanted: &Match<String>, kind: &str) -> bool {
    matches!(wanted, Match::Any(kinds) if kinds.iter().any(|allowed| allowed == kind))
}

fn kind(layer: &Layer) -> &'static str {
    match layer {
        Layer::Empty => "none",
        Layer::Plain { .. } => "plain",
        Layer::Http(view) => http_kind(view),
        Layer::Tls(_) => "tls",
    }
}

fn http_kind(view: &HttpView) -> &'static str {
    match view.version {
        Version::Http1 => "http/1.1",
        Version::Http2 => "http/2",
    }
}

fn tls(layer: &Layer) -> Option<&TlsView> {
    match layer {
        Layer::Tls(view) => Some(view),
        _ => None,
    }
}

fn alpn(view: &TlsView) -> Option<String> {
    (!view.alpn.is_empty()).then(|| view.alpn.join(","))
}

/// A layer in words.
fn describe(layer: &Layer) -> String {
    match layer {
        Layer::Empty => "no byte".to_owned(),
        Layer::Plain { forward, .. } if !forward.is_empty() => format!("plain bytes {}", quote(forward)),
        Layer::Http(view) => format!("{}, {} requests", http_kind(view), view.exchanges.len()),
        Layer::Plain { back, .. } => format!("plain bytes {} from the server", quote(back)),
        Layer::Tls(view) => {
            let version = match view.version {
                Some(TlsVersion::V1_2) => "TLS 1.2",
                Some(TlsVersion::V1_3) => "TLS 1.3",
                None => "TLS, never answered",
            };
            let sni = view.sni.as_ref().map_or_else(|| "no SNI".to_owned(), |sni| format!("SNI {sni}"));
            format!("{version}, {sni}")
        }
    }
}

/// The first bytes, readable.
fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("\"{}{more}\"", shown.escape_ascii())
}
