//! Templates (minijinja, which is Jinja2), and what they are given.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;

/// Ending of the files that are templates.
const ENDING: &str = "jinja";

/// All templates of an adapter.
pub struct Templates {
    environment: Environment<'static>,
}

/// A template in adapter.yaml itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline {
    /// Where it stands, for messages: `start.args`.
    pub what: String,
    /// Its text.
    pub text: String,
}

/// A template that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "template {what}{}: {reason}{}",
    line.map(|line| format!(", line {line}")).unwrap_or_default(),
    text.as_ref().map(|text| format!(", in `{text}`")).unwrap_or_default()
)]
pub struct TemplateError {
    /// The file, or the place in adapter.yaml.
    pub what: String,
    /// The line in it.
    pub line: Option<usize>,
    /// Why.
    pub reason: String,
    /// That line.
    pub text: Option<String>,
}

/// What templates are given.
#[derive(Debug, Clone, Serialize)]
pub struct Context {
    /// The pod, which is the `Dataplane` resource's name.
    pub pod: String,
    /// What the sidecar must do; `conform plan --schema` prints its schema.
    pub plan: serde_json::Value,
    /// Files that make the sidecar one of the mesh; none if the mesh has no mTLS.
    pub identity: Option<IdentityFiles>,
    /// Where the harness will look for metrics and readiness.
    pub admin: Admin,
    /// The run's folder for this sidecar, which is its working directory.
    pub dir: PathBuf,
    /// The adapter's own folder.
    pub adapter: PathBuf,
    /// The program.
    pub bin: PathBuf,
    /// Kuma's resources of the whole mesh, one file of many documents.
    pub resources: PathBuf,
}

/// Files that make a sidecar one of the mesh, all PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityFiles {
    /// The mesh's CA certificate: whom to trust.
    pub ca: PathBuf,
    /// The mesh's CA key, for those who issue their certificate themselves.
    pub ca_key: PathBuf,
    /// The sidecar's certificate, with the URIs of `plan.identity`.
    pub certificate: PathBuf,
    /// Its key, ECDSA P-256 in PKCS#8.
    pub key: PathBuf,
}

/// Where a sidecar's admin endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Admin {
    /// `IP:PORT`.
    pub address: SocketAddr,
    /// The IP.
    pub ip: std::net::IpAddr,
    /// The port.
    pub port: u16,
}

impl From<SocketAddr> for Admin {
    fn from(address: SocketAddr) -> Self {
        Self { address, ip: address.ip(), port: address.port() }
    }
}

impl Templates {
    /// Reads the templates in a folder, `*.jinja`; those that are broken are told apart.
    pub(super) fn of(dir: &Path) -> (Self, Vec<TemplateError>) {
        let mut environment = environment();
        let mut broken = Vec::new();
        for (name, text) in sources(dir) {
            let added = text.map_err(|error| TemplateError {
                what: name.clone(),
                line: None,
                reason: error.to_string(),
                text: None,
            });
            let added = added.and_then(|text| {
                environment.add_template_owned(name.clone(), text).map_err(|error| told(&name, &error))
            });
            broken.extend(added.err());
        }
        (Self { environment }, broken)
    }

    /// Whether there is a sound template of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.environment.get_template(name).is_ok()
    }

    /// Whether a text is a template at all, and asks for what can be given: a name that none of the `samples` has is a mistake.
    pub(super) fn check(&self, inline: &Inline, samples: &[Context]) -> Result<(), TemplateError> {
        let template = self.environment.template_from_named_str(&inline.what, &inline.text);
        let template = template.map_err(|error| told(&inline.what, &error))?;
        let mut wrong = None;
        for sample in samples {
            match template.render(Value::from(Serde(sample))) {
                // Another kind of error may be the sample's, or the environment's.
                Err(error) if error.kind() == ErrorKind::UndefinedError => wrong = Some(error),
                _ => return Ok(()),
            }
        }
        wrong.map_or(Ok(()), |error| Err(told(&inline.what, &error)))
    }

    /// Renders a file of the adapter's folder.
    ///
    /// # Errors
    /// It is not there, or asks for what is not given.
    pub fn file(&self, name: &str, context: &Context) -> Result<String, TemplateError> {
        let rendered = self
            .environment
            .get_template(name)
            .and_then(|template| template.render(Value::from(Serde(context))));
        rendered.map_err(|error| told(name, &error))
    }

    /// Renders a template of adapter.yaml.
    ///
    /// # Errors
    /// It asks for what is not given.
    pub fn inline(&self, inline: &Inline, context: &Context) -> Result<String, TemplateError> {
        let rendered = self
            .environment
            .template_from_named_str(&inline.what, &inline.text)
            .and_then(|template| template.render(Value::from(Serde(context))));
        rendered.map_err(|error| told(&inline.what, &error))
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.environment.templates().map(|(name, _)| name)).finish()
    }
}

/// The files of a folder that are templates, by name.
fn sources(dir: &Path) -> Vec<(String, io::Result<String>)> {
    // A folder that cannot be read has no adapter.yaml either, which is told then.
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == ENDING)).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path))).collect()
}

/// Blocks leave no blank lines, nothing is escaped, and what is not given is an error.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    // Only delimiters can be wrong, and these are the usual ones.
    environment.set_syntax(syntax.build().unwrap_or_default());
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Errors know their text.
    environment.set_debug(true);
    environment.add_filter("seconds", |text: &str| duration(text).map(seconds));
    environment.add_filter("milliseconds", |text: &str| {
        duration(text).map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    });
    environment.add_filter("ip", |text: &str| address(text).map(|address| address.ip().to_string()));
    environment.add_filter("port", |text: &str| address(text).map(|address| address.port()));
    environment.add_function("env", variable);
    environment
}

/// The environment's variable of a name, or else what is given beside it.
fn variable(name: &str, otherwise: Option<String>) -> Result<String, Error> {
    let missing = || Error::new(ErrorKind::InvalidOperation, format!("the environment has no {name}"));
    std::env::var(name).ok().or(otherwise).ok_or_else(missing)
}

fn duration(text: &str) -> Result<Duration, Error> {
    let bad = |_| Error::new(ErrorKind::InvalidOperation, format!("`{text}` is no duration"));
    humantime::parse_duration(text).map_err(bad)
}

fn address(text: &str) -> Result<SocketAddr, Error> {
    let bad = |_| Error::new(ErrorKind::InvalidOperation, format!("`{text}` is no IP:PORT"));
    text.parse().map_err(bad)
}

/// As protobuf writes durations in JSON, and so Envoy: `0.025s`.
fn seconds(duration: Duration) -> String {
    let fraction = format!("{:09}", duration.subsec_nanos());
    match fraction.trim_end_matches('0') {
        "" => format!("{}s", duration.as_secs()),
        fraction => format!("{}.{fraction}s", duration.as_secs()),
    }
}

fn told(what: &str, error: &Error) -> TemplateError {
    let kind = error.kind().to_string();
    let source = error.template_source();
    // The expression itself: all that minijinja says of a name that is not given is that there was one.
    let expression = error.range().and_then(|range| source?.get(range)).filter(|text| !text.is_empty());
    let reason = match (error.detail(), expression) {
        (Some(detail), _) => format!("{kind}: {detail}"),
        (None, Some(expression)) => format!("{kind}: `{expression}`"),
        (None, None) => kind,
    };
    let text = error.line().and_then(|line| source?.lines().nth(line - 1)).map(|text| text.trim().to_owned());
    // Of a template within another it is the inner one's name that helps.
    let what = error.name().filter(|name| *name != what).map_or_else(|| what.to_owned(), str::to_owned);
    TemplateError { what, line: error.line(), reason, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context {
            pod: "web".to_owned(),
            plan: serde_json::json!({"t": "1h 30m", "listen": "127.0.0.3:8080", "none": null}),
            identity: None,
            admin: SocketAddr::from(([127, 0, 0, 3], 9901)).into(),
            dir: "/run/web".into(),
            adapter: "/adapter".into(),
            bin: "/bin/true".into(),
            resources: "/run/web/resources.yaml".into(),
        }
    }

    fn render(text: &str) -> Result<String, TemplateError> {
        let (templates, _) = Templates::of(Path::new("/nowhere"));
        templates.inline(&Inline { what: "here".to_owned(), text: text.to_owned() }, &context())
    }

    #[test]
    fn templates_get_what_they_ask_for() {
        for (text, wanted) in [
            ("{{ admin.ip }} {{ admin.port }} {{ admin.address }}", "127.0.0.3 9901 127.0.0.3:9901"),
            ("{{ plan.t | seconds }} {{ plan.t | milliseconds }}", "5400s 5400000"),
            ("{{ '25ms' | seconds }} {{ '1us' | seconds }}", "0.025s 0.000001s"),
            ("{{ plan.listen | ip }} {{ plan.listen | port }}", "127.0.0.3 8080"),
            ("{{ plan.none | default('x', true) }}{% if identity %}tls{% endif %}", "x"),
            ("{{ env('NO_SUCH_VARIABLE', 'else') }} {{ dir }}", "else /run/web"),
            ("{{ '<&>\"' }} {{ plan.listen | tojson }}", "<&>\" \"127.0.0.3:8080\""),
            ("a\n  {% if pod == 'web' %}\nb\n  {% endif %}\nc\n", "a\nb\nc\n"),
        ] {
            assert_eq!(render(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_not_given_is_an_error_with_its_place() {
        let error = render("a\n{{ plan.lisen.on }}!").unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("template here, line 2: undefined value: `plan.lisen`"), "{told}");
        assert!(told.ends_with(", in `{{ plan.lisen.on }}!`"), "{told}");
        let error = render("{{ plan.lisen }}").unwrap_err();
        assert!(error.reason.contains("`plan.lisen`"), "{error}");
        for text in ["{{ plan.listen | seconds }}", "{{ pod | port }}", "{{ env('NO_SUCH_VARIABLE') }}"] {
            assert!(render(text).is_err(), "{text}");
        }
    }
}
