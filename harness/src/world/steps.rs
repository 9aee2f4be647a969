//! Steps: what happens in a scenario, in order.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Ground;
use super::stage::{SetUpError, Stage};
use crate::app::Client;
use crate::dataplane::Dataplane;
use crate::kuma;
use crate::language::{Outbounds, ProxyAct, ProxyKind, Step, Target, Verb};
use crate::observe::{Role, Seen};

/// Steps share no instant, so that what was seen at one belongs to one step.
const BETWEEN_STEPS: Duration = Duration::from_millis(1);

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<G: Ground, D: Dataplane<G::Network>> Stage<G, D> {
    /// Runs steps one after the other.
    ///
    /// # Errors
    /// What a step needs could not be set up: the rest would be judged on a world that the scenario does not mean.
    pub(super) async fn run_steps(&self, steps: &[Step]) -> Result<(), SetUpError> {
        for step in steps {
            self.run_step(step).await?;
            tokio::time::sleep(BETWEEN_STEPS).await;
        }
        Ok(())
    }

    fn run_step<'a>(&'a self, step: &'a Step) -> Work<'a, Result<(), SetUpError>> {
        Box::pin(async move {
            let id = Some(step.id.as_str());
            if !step.after.is_zero() {
                tokio::time::sleep(step.after).await;
            }
            self.log.world(id, Seen::StepBegan);
            // A step of steps leaves it to the one that failed to be named.
            let is_whole = !matches!(step.verb, Verb::Parallel(_));
            let acted = self.act(step).await;
            acted.map_err(|error| if is_whole { error.in_step(&step.id) } else { error })?;
            self.log.world(id, Seen::StepEnded);
            if !step.expect.is_empty() {
                self.settle().await;
                self.log.world(id, Seen::StepSettled);
                self.collect(id, &step.expect).await;
            }
            Ok(())
        })
    }

    async fn act(&self, step: &Step) -> Result<(), SetUpError> {
        let id = step.id.as_str();
        match &step.verb {
            Verb::Talk { from, to, client: script, times, hold } => {
                let mut kit = self.kit(from, Role::Client, Some(id))?;
                if let (Some(mesh), Some(name)) = (&kit.mesh, self.server_name(from, to)) {
                    kit.mesh = Some(Arc::new(mesh.asking_for(&name).map_err(SetUpError::new)?));
                }
                let mut client = Client::new(self.ground.network(from), kit);
                let target = self.target(from, to);
                for _ in 0..*times {
                    let held = client.run(target, script, *hold).await;
                    if *hold {
                        self.hold(id, from, held);
                    }
                }
            }
            Verb::GoOn { on, client: script, hold } => {
                let Some((pod, held)) = self.take_held(on) else { return Ok(()) };
                let kit = self.kit(&pod, Role::Client, Some(id))?;
                let held = Client::new(self.ground.network(&pod), kit).go_on(held, script, *hold).await;
                if *hold {
                    // Later steps find them under the first step's name and under this one's.
                    self.hold(on, &pod, held);
                }
            }
            Verb::Fault(fault) => {
                self.ground.fault(fault);
                self.log.did(Some(id), format!("fault on {}: {:?}", fault.link, fault.condition));
            }
            Verb::Heal(link) => {
                self.ground.heal(link);
                self.log.did(Some(id), format!("healed {link}"));
            }
            Verb::Wait(duration) => tokio::time::sleep(*duration).await,
            Verb::Proxy { pod, act } => self.act_on_proxy(id, pod, *act).await?,
            Verb::Parallel(steps) => join_all(steps.iter().map(|step| self.run_step(step)).collect()).await?,
            Verb::Nothing => {}
        }
        Ok(())
    }

    async fn act_on_proxy(&self, id: &str, pod: &str, act: ProxyAct) -> Result<(), SetUpError> {
        match act {
            ProxyAct::Crash => {
                self.crash_sidecar(pod).await;
                self.log.did(Some(id), format!("{pod}.proxy crashed"));
            }
            ProxyAct::Start => {
                self.start_sidecar(pod).await?;
                self.log.did(Some(id), format!("{pod}.proxy started"));
            }
            ProxyAct::Drain => {
                self.log.did(Some(id), format!("{pod}.proxy drains"));
                self.drain_sidecar(id, pod).await?;
                self.log.did(Some(id), format!("{pod}.proxy stopped"));
            }
        }
        Ok(())
    }

    /// What the client of a scripted sidecar asks for, as a real one does.
    fn server_name(&self, from: &str, to: &Target) -> Option<String> {
        let caller = self.pod(from).filter(|pod| pod.proxy == ProxyKind::Scripted)?;
        match (to, caller.outbounds) {
            (Target::Service(pod), Outbounds::MeshServices) => Some(kuma::mesh_service_name(pod)),
            // Kuma's names of services by tag are no DNS names, which our TLS cannot send.
            _ => None,
        }
    }

    /// Where a client dials.
    fn target(&self, from: &str, to: &Target) -> SocketAddr {
        let has_proxy = |pod: &str| self.pod(pod).is_some_and(|pod| pod.proxy == ProxyKind::Default);
        let scenario = &self.scenario;
        let inbound = |pod: &str| {
            let address = self.ground.pod_address(scenario.host(pod));
            SocketAddr::from((address, kuma::INBOUND_PORT + scenario.port(pod)))
        };
        match to {
            Target::Service(pod) if has_proxy(from) => {
                let index = self.scenario.pods.iter().position(|other| other.name == *pod).unwrap_or(0);
                kuma::outbound(index)
            }
            Target::Service(pod) | Target::Inbound(pod) => inbound(pod),
            Target::App(pod) if has_proxy(pod) => {
                let address = self.ground.app_address(scenario.host(pod));
                SocketAddr::from((address, kuma::APP_PORT + scenario.port(pod)))
            }
            Target::App(pod) => inbound(pod),
        }
    }
}

/// Runs all at once until one fails, polled in order; few enough that each wake may poll all of them.
async fn join_all<E>(mut works: Vec<Work<'_, Result<(), E>>>) -> Result<(), E> {
    std::future::poll_fn(|cx| {
        let mut failed = None;
        works.retain_mut(|work| match work.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(done) => {
                failed = failed.take().or(done.err());
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if works.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}
