//! The reference dataplane, in this process.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use reference_dp::net::Network;
use reference_dp::plan::Plan;
use reference_dp::proxy;
use reference_dp::resource::{Error, Resources, Source};
use reference_dp::tls::{Authority, Entropy};
use rustls::crypto::CryptoProvider;

use super::{Dataplane, NotDrained, Pod, Seams, Sidecar, StartError};

/// The reference dataplane.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reference;

impl<N: Network> Dataplane<N> for Reference {
    type Sidecar = ReferenceSidecar;

    fn name(&self) -> &str {
        "reference"
    }

    async fn start(&self, pod: Pod, seams: Seams<N>) -> Result<ReferenceSidecar, StartError> {
        let name = pod.name.clone();
        let failed = |reason: String| StartError::Failed { pod: name.clone(), reason };
        let sources = pod.resources.into_iter().map(|(name, text)| Source { name, text }).collect();
        let resources = read(sources).map_err(|error| failed(error.to_string()))?;
        let plan = Plan::resolve(&resources, &pod.name).map_err(|error| failed(error.to_string()))?;
        let authority = pod.authority.map(|(certificate, key)| Authority::from_pem(&certificate, &key));
        let authority = authority.transpose().map_err(|error| failed(error.to_string()))?;
        let seams = proxy::Seams {
            network: seams.network,
            spawn: seams.spawn,
            clock: seams.clock,
            entropy: Arc::new(Bridge(seams.entropy)),
            key_log: Some(seams.key_log),
        };
        let sidecar = proxy::Sidecar::start(plan, authority, Some(pod.admin), seams).await;
        Ok(ReferenceSidecar(sidecar.map_err(|error| failed(error.to_string()))?))
    }
}

thread_local! {
    /// What was read last on this thread: a run has its own, and its sidecars are told the same. Reading it is a twentieth of a small case each time.
    static LAST: RefCell<Option<(Vec<Source>, Arc<Resources>)>> = const { RefCell::new(None) };
}

/// As [`Resources::parse`], but for what was read just before.
fn read(sources: Vec<Source>) -> Result<Arc<Resources>, Error> {
    LAST.with_borrow_mut(|last| {
        if let Some((_, resources)) = last.as_ref().filter(|(read, _)| *read == sources) {
            return Ok(Arc::clone(resources));
        }
        let resources = Arc::new(Resources::parse(&sources)?);
        *last = Some((sources, Arc::clone(&resources)));
        Ok(resources)
    })
}

/// A running reference sidecar.
#[derive(Debug)]
pub struct ReferenceSidecar(proxy::Sidecar);

impl Sidecar for ReferenceSidecar {
    async fn drain(&self) -> Result<(), NotDrained> {
        self.0.drain().await;
        Ok(())
    }

    fn stop(&self) {
        self.0.stop();
    }

    fn metrics(&self) -> Option<(SocketAddr, &str)> {
        self.0.admin_addr().map(|address| (address, "/stats/prometheus"))
    }
}

/// The harness's entropy in the shape the reference dataplane asks for.
struct Bridge(Arc<dyn crate::app::tls::Entropy>);

impl Entropy for Bridge {
    fn provider(&self) -> Arc<CryptoProvider> {
        self.0.provider()
    }

    fn key_pair(&self) -> Result<rcgen::KeyPair, rcgen::Error> {
        self.0.key_pair()
    }
}
