//! Names of pods and hosts, and what may be done with them.

use std::ops::Range;

use indexmap::IndexMap;

use crate::language::{Link, Pod, ProxyKind, Target};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Kind, Problem};

/// What others must know of a pod.
#[derive(Debug, Clone, Copy)]
struct Facts {
    service: bool,
    proxy: ProxyKind,
}

/// The pods of a case.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pods: IndexMap<String, Facts>,
}

impl Names {
    /// The pods as meant; also what a pod with errors is called, so that one error does not make ten.
    pub(crate) fn new(pods: &[Pod]) -> Self {
        let facts = |pod: &Pod| Facts {
            service: pod.app.is_some(),
            // A further port of another pod has no sidecar of its own; to callers it is a service like any other.
            proxy: if pod.within.is_some() { ProxyKind::None } else { pod.proxy },
        };
        Self { pods: pods.iter().map(|pod| (pod.name.clone(), facts(pod))).collect() }
    }

    fn known(&self) -> impl Iterator<Item = &str> {
        self.pods.keys().map(String::as_str)
    }

    fn facts(&self, name: &str, span: &Range<usize>) -> Result<Facts, Problem> {
        self.pods.get(name).copied().ok_or_else(|| {
            let names: Vec<&str> = self.known().collect();
            Problem::new(Kind::Name, format!("unknown pod `{name}`"))
                .at(span.clone())
                .label(format!("pods: {}", names.join(", ")))
                .did_you_mean(name, names)
        })
    }

    /// A pod that exists.
    pub(crate) fn pod(&self, name: &At<String>) -> Result<String, Problem> {
        self.facts(&name.value, &name.span).map(|_| name.value.clone())
    }

    /// Whether the harness plays the pod's sidecar.
    pub(crate) fn is_scripted(&self, name: &str) -> bool {
        self.pods.get(name).is_some_and(|facts| facts.proxy == ProxyKind::Scripted)
    }

    /// A pod that has a sidecar.
    pub(crate) fn with_sidecar(&self, name: &At<String>) -> Result<String, Problem> {
        self.sidecar(&name.value, &name.span).map(|_| name.value.clone())
    }

    fn sidecar(&self, name: &str, span: &Range<usize>) -> Result<Facts, Problem> {
        let facts = self.facts(name, span)?;
        let problem = Problem::new(Kind::Name, format!("`{name}` has no sidecar")).at(span.clone());
        match facts.proxy {
            ProxyKind::Default => Ok(facts),
            ProxyKind::None => Err(problem),
            ProxyKind::Scripted => {
                Err(problem.help(format!("the harness plays it at the host `{name}` itself")))
            }
        }
    }

    /// A pod that has an app.
    pub(crate) fn with_app(&self, name: &At<String>) -> Result<String, Problem> {
        self.service(&name.value, &name.span).map(|()| name.value.clone())
    }

    fn service(&self, name: &str, span: &Range<usize>) -> Result<(), Problem> {
        if self.facts(name, span)?.service {
            return Ok(());
        }
        Err(Problem::new(Kind::Name, format!("`{name}` has no app"))
            .at(span.clone())
            .help(format!("give it one: `{name}: {{app: {{tcp: echo}}}}`")))
    }

    /// `POD.proxy`, where the pod has a sidecar.
    pub(crate) fn sidecar_host(&self, host: &At<String>) -> Result<String, Problem> {
        match host.value.strip_suffix(".proxy") {
            Some(pod) => self.sidecar(pod, &host.span).map(|_| host.value.clone()),
            None => {
                let problem = Problem::new(Kind::Name, format!("`{}` is not a sidecar", host.value))
                    .at(host.span.clone())
                    .label("expected `POD.proxy`");
                let known = self.pods.contains_key(&host.value);
                Err(if known {
                    problem.help(format!("did you mean `{}.proxy`?", host.value))
                } else {
                    problem
                })
            }
        }
    }

    /// `POD` or `POD.proxy`.
    pub(crate) fn host(&self, host: &str, span: &Range<usize>) -> Result<String, Problem> {
        match host.strip_suffix(".proxy") {
            Some(pod) => self.sidecar(pod, span)?,
            None => self.facts(host, span)?,
        };
        Ok(host.to_owned())
    }

    /// `A->B`.
    pub(crate) fn link(&self, link: &At<String>) -> Result<Link, Problem> {
        let bad = |message: String| {
            Err(Problem::new(Kind::Name, message)
                .at(link.span.clone())
                .label("expected `A->B`, hosts `POD` or `POD.proxy`"))
        };
        let Some((from, to)) = link.value.split_once("->") else {
            return bad(format!("`{}` is not a link", link.value));
        };
        let (from, to) = (from.trim(), to.trim());
        if from == to {
            return bad(format!("the link `{}` leads nowhere", link.value));
        }
        Ok(Link { from: self.host(from, &link.span)?, to: self.host(to, &link.span)? })
    }

    /// Whom a step calls.
    pub(crate) fn target(&self, from: &At<String>, to: &At<String>) -> Result<Target, Problem> {
        if let Some(pod) = to.value.strip_suffix(".proxy") {
            self.sidecar(pod, &to.span)?;
            self.service(pod, &to.span)?;
            return Ok(Target::Inbound(pod.to_owned()));
        }
        if let Some(pod) = to.value.strip_suffix(".app") {
            self.service(pod, &to.span)?;
            return Ok(Target::App(pod.to_owned()));
        }
        self.service(&to.value, &to.span)?;
        if self.is_scripted(&from.value) {
            return Ok(Target::Service(to.value.clone()));
        }
        if let Err(problem) = self.sidecar(&from.value, &from.span) {
            let way = format!(
                "a service is called through the caller's own sidecar; without one, call `{0}.proxy` or `{0}.app`",
                to.value
            );
            return Err(problem.help(way));
        }
        Ok(Target::Service(to.value.clone()))
    }
}
