//! A sidecar's folder in a run: what it is given as files, and what its templates are told.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::app::mesh::Issued;
use crate::app::tls::TlsError;
use crate::dataplane::Pod;
use crate::dataplane::adapter::{Adapter, Context, IdentityFiles, TemplateError};
use crate::dataplane::plan::Plan;

/// A folder that could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file could not be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No certificate could be issued.
    #[error(transparent)]
    Identity(#[from] TlsError),
    /// The plan wants mesh TLS, and there is no CA.
    #[error("the mesh has mTLS, and no CA was given")]
    NoAuthority,
    /// A template asks for what is not given.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Writes all files of a sidecar into `dir`, which is made if need be, and says what its templates were given. `now` dates its certificate.
///
/// # Errors
/// A file cannot be written, or a template asks for what is not given.
pub fn prepare(
    adapter: &Adapter,
    bin: &Path,
    (pod, plan): (&Pod, &Plan),
    dir: &Path,
    now: SystemTime,
) -> Result<Context, FolderError> {
    let failed = |path: &Path, source| FolderError::Write { path: path.to_owned(), source };
    fs::create_dir_all(dir).map_err(|source| failed(dir, source))?;
    // The process runs in it: a path that is not absolute would be another one there.
    let dir = std::path::absolute(dir).map_err(|source| failed(dir, source))?;
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        // Keys are among them.
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map(|()| path.clone()).map_err(|source| failed(&path, source))
    };
    let documents: Vec<_> = pod.resources.iter().map(|(_, text)| text.trim_end()).collect();
    let resources = write("resources.yaml", &(documents.join("\n---\n") + "\n"))?;
    let identity = match plan.identity() {
        None => None,
        Some(uris) => {
            let (ca_cert, ca_key) = pod.authority.as_ref().ok_or(FolderError::NoAuthority)?;
            let issued = Issued::new((ca_cert, ca_key), &pod.name, uris, now)?;
            Some(IdentityFiles {
                ca: write("ca.pem", ca_cert)?,
                ca_key: write("ca.key", ca_key)?,
                certificate: write("certificate.pem", &issued.certificate_pem)?,
                key: write("certificate.key", &issued.key_pem)?,
            })
        }
    };
    let context = Context {
        pod: pod.name.clone(),
        plan: plan.json(),
        identity,
        admin: pod.admin.into(),
        dir: dir.clone(),
        adapter: adapter.dir.clone(),
        bin: bin.to_owned(),
        resources,
    };
    for (target, template) in &adapter.files {
        write(target, &adapter.templates().file(template, &context)?)?;
    }
    Ok(context)
}
