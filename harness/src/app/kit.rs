//! What clients and servers are given.

use std::sync::Arc;

use reference_dp::spawn::Spawn;

use super::mesh::MeshIdentity;
use super::record::Recorder;
use super::tls::AppTls;

/// What a client or a server needs beside a network and a script.
#[derive(Clone)]
pub struct Kit {
    /// Whose tasks its connections are.
    pub spawn: Arc<dyn Spawn>,
    /// Where it records, in the name of its pod, role and step.
    pub recorder: Recorder,
    /// The apps' CA and seams.
    pub tls: Arc<AppTls>,
    /// The pod's own mesh TLS, if it speaks it itself.
    pub mesh: Option<Arc<MeshIdentity>>,
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit")
            .field("recorder", &self.recorder)
            .field("mesh", &self.mesh.is_some())
            .finish_non_exhaustive()
    }
}
