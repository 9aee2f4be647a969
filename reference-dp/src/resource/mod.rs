//! Kuma's resources as people write them: YAML files of one or many documents.
//!
//! Parsing is strict (unknown kinds, fields and values are errors that point into the file) and bounded, because
//! resources may come from strangers. What the resources mean for one sidecar is [`crate::plan`]'s business.

mod dataplane;
mod document;
mod duration;
mod error;
mod mesh;
mod permission;
mod protocol;
mod retry;
mod service;
mod target;
mod timeout;

pub use dataplane::{
    BackendRef, Dataplane, Health, Inbound, InboundState, Networking, Outbound, ServiceProbe, TcpProbe,
};
pub use error::Error;
pub(crate) use error::closest;
pub use mesh::{Backend, BackendType, DpCert, Mesh, MeshServices, MeshServicesMode, Mode, Mtls, Rotation};
pub use permission::{
    Action, FromDefault, FromPermission, MeshTrafficPermission, MeshTrafficPermissionSpec, PermissionRule,
    RuleDefault, RuleMatch, SpiffeMatch, SpiffeMatchType,
};
pub use protocol::Protocol;
pub use retry::{
    GrpcRetries, GrpcRetryOn, HttpRetries, HttpRetryOn, MeshRetry, MeshRetrySpec, Retries, RetryBackOff,
    TcpRetries, ToRetries,
};
pub use service::{
    IdentityType, MeshService, MeshServiceSpec, PortRef, Selector, ServiceIdentity, ServicePort,
};
pub use target::{TargetKind, TargetRef};
pub use timeout::{HttpTimeouts, MeshTimeout, MeshTimeoutSpec, RuleTimeouts, Timeouts, ToTimeouts};

/// Largest accepted source, in bytes. Kuma's own resources are a few KiB.
pub const MAX_SOURCE_BYTES: usize = 1 << 20;

/// One file of resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name for messages, usually the path.
    pub name: String,
    /// Its YAML text.
    pub text: String,
}

/// Every resource of the files given, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// Meshes.
    pub meshes: Vec<Mesh>,
    /// Dataplanes, the one to run among them.
    pub dataplanes: Vec<Dataplane>,
    /// Services with ports and identities.
    pub services: Vec<MeshService>,
    /// Timeout policies.
    pub timeouts: Vec<MeshTimeout>,
    /// Retry policies.
    pub retries: Vec<MeshRetry>,
    /// Permission policies.
    pub permissions: Vec<MeshTrafficPermission>,
}

impl Resources {
    /// Reads all documents of all sources.
    ///
    /// # Errors
    /// The first mistake found, with its place: YAML syntax, a kind or field that does not exist, a value that is not
    /// allowed, a source above [`MAX_SOURCE_BYTES`], YAML that expands or nests without reason, a name given twice.
    pub fn parse(sources: &[Source]) -> Result<Self, Error> {
        let mut resources = Self::default();
        let mut seen = std::collections::BTreeSet::new();
        for source in sources {
            if source.text.len() > MAX_SOURCE_BYTES {
                return Err(Error::too_large(source));
            }
            for document in document::split(&source.text) {
                let head = document::head(source, &document)?;
                let id = document::add(source, &document, &head, &mut resources)?;
                if !seen.insert(id.clone()) {
                    return Err(Error::twice(source, &document, &id));
                }
            }
        }
        Ok(resources)
    }
}

#[cfg(test)]
mod tests;
