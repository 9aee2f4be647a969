//! Plays a scenario: sets up pods and sidecars, runs steps, collects what was seen, takes everything down.
//!
//! * [`Ground`] — what a world stands on: hosts with sockets and tasks, links with faults. The simulator is one.
//! * [`stage`] — pods and sidecars on a ground; `ending` — how they end.
//! * `steps` — what happens, in order; `collecting` — what is asked and counted in between and at the end.
//! * `log`, `scrape` — observations and TLS secrets; metrics.
//! * [`simulated`] — a whole case in the simulator.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use reference_dp::clock::Clock;
use reference_dp::net::Network;
use reference_dp::spawn::Spawn;

use crate::language::{Fault, Link, Scenario};
use crate::observe::Nanos;

mod collecting;
mod ending;
mod log;
mod scrape;
pub mod simulated;
pub mod stage;
mod steps;

/// What a world stands on. Hosts are called `POD` (the app's), `POD.proxy` (the sidecar's) and `world`.
pub trait Ground: Send + Sync + 'static {
    /// Its sockets.
    type Network: Network;

    /// The sockets of a host.
    fn network(&self, host: &str) -> Self::Network;

    /// The tasks of a host.
    fn spawn(&self, host: &str) -> Arc<dyn Spawn>;

    /// Wall time.
    fn clock(&self) -> Arc<dyn Clock>;

    /// The run's clock.
    fn now(&self) -> Nanos;

    /// Keys and random numbers of a host's TLS.
    fn entropy(&self) -> Arc<dyn crate::app::tls::Entropy>;

    /// The address Kuma knows a pod by.
    fn pod_address(&self, pod: &str) -> Ipv4Addr;

    /// The address of a pod's app, round its sidecar.
    fn app_address(&self, pod: &str) -> Ipv4Addr;

    /// What the sidecar of `viewer` is told to be the address of `pod`.
    fn seen_from(&self, viewer: &str, pod: &str) -> Ipv4Addr {
        let _ = viewer;
        self.pod_address(pod)
    }

    /// Where the sidecar of `pod` is told to listen for its app.
    fn outbounds(&self, pod: &str) -> Ipv4Addr {
        let _ = pod;
        Ipv4Addr::LOCALHOST
    }

    /// What the sidecar of `pod` is told to be the address of its app.
    fn service_address(&self, pod: &str) -> Ipv4Addr {
        let _ = pod;
        Ipv4Addr::LOCALHOST
    }

    /// Whether calls that are refused are seen on their link.
    fn sees_refused(&self) -> bool {
        true
    }

    /// How long a scenario may play.
    fn deadline(&self, scenario: &Scenario) -> Duration {
        scenario.deadline
    }

    /// The sidecar of `pod` listens now, as process `process` if it is one.
    ///
    /// # Errors
    /// The ground cannot carry its connections.
    fn sidecar_is_up(&self, pod: &str, process: Option<u32>) -> std::io::Result<()> {
        let _ = (pod, process);
        Ok(())
    }

    /// The sidecar of `pod` is gone.
    fn sidecar_is_gone(&self, pod: &str) {
        let _ = pod;
    }

    /// Ends all tasks of a host, now.
    fn crash(&self, host: &str) -> impl Future<Output = ()> + Send;

    /// Sets a fault.
    fn fault(&self, fault: &Fault);

    /// Undoes the faults of a link.
    fn heal(&self, link: &Link);

    /// Waits until nothing moved for `quiet`, at most for `limit`.
    fn settle(&self, quiet: Duration, limit: Duration) -> impl Future<Output = ()> + Send;

    /// Sockets that processes of a host hold, by state, but those at `but` ports of it; `TASK` counts tasks where a ground knows them.
    ///
    /// # Errors
    /// The system does not show them, in words.
    fn sockets(&self, host: &str, but: &[u16]) -> Result<BTreeMap<String, u32>, String>;

    /// As [`Self::sockets`], of each of these sidecars that were drained: what they may keep until they are stopped is not counted.
    fn drained_sockets(
        &self,
        sidecars: &[String],
        but: &[u16],
    ) -> Vec<Result<BTreeMap<String, u32>, String>> {
        sidecars.iter().map(|host| self.sockets(host, but)).collect()
    }
}
