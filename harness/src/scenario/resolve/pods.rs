//! Pods as meant.

use indexmap::IndexMap;

use super::Resolver;
use crate::language::ServerScript;
use crate::language::{Outbounds, Pod, ProxyKind};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Kind, Problem};
use crate::scenario::file::pod::{App, Pod as PodAsWritten, State};

impl Resolver<'_> {
    pub(super) fn pods(&mut self, pods: IndexMap<At<String>, PodAsWritten>) -> Vec<Pod> {
        let own: Vec<String> = pods
            .iter()
            .filter(|(_, pod)| pod.service.is_none() && pod.within.is_none())
            .map(|(name, _)| name.value.clone())
            .collect();
        let mut meant = Vec::new();
        for (name, pod) in pods {
            for other in [&pod.service, &pod.within].into_iter().flatten() {
                self.stands_alone(other, &own);
            }
            if !is_label(&name.value) {
                let problem =
                    Problem::new(Kind::Value, format!("bad pod name `{}`", name.value)).at(name.span.clone());
                self.error(
                    problem.label("expected small letters, digits and `-`, a letter first, at most 40"),
                );
            }
            if !self.is_there(pod.when.as_ref()) {
                continue;
            }
            meant.push(self.pod(name, pod));
        }
        meant
    }

    fn pod(&mut self, name: At<String>, pod: PodAsWritten) -> Pod {
        let proxy = pod.proxy.map_or(ProxyKind::Default, ProxyKind::from);
        if let Some(identity) = pod.identity.as_ref().filter(|_| proxy != ProxyKind::None) {
            let problem = Problem::new(Kind::Check, "`identity` is for a pod that speaks mesh TLS itself")
                .at(identity.key.clone());
            self.error(problem.help("say `proxy: none` too, or leave it out"));
        }
        if let (Some(within), true) = (&pod.within, pod.app.is_none() || proxy == ProxyKind::None) {
            let problem = Problem::new(Kind::Check, "`in` is for a further app behind a sidecar");
            self.error(problem.at(within.key.clone()).help("give it an `app`, and no `proxy: none`"));
        }
        let service = pod.service.map_or_else(|| name.value.clone(), |service| service.value);
        Pod {
            name: name.value,
            service,
            within: pod.within.map(|within| within.value),
            protocol: pod.protocol.filter(|protocol| protocol != "none"),
            app: pod.app.map(server),
            proxy,
            identity: pod.identity.map(|identity| identity.value),
            ready: pod.state != Some(State::NotReady),
            outbounds: pod.outbounds.map(Outbounds::from).unwrap_or_default(),
        }
    }
}

impl Resolver<'_> {
    /// Says so unless a pod that others refer to is there and refers to no other.
    fn stands_alone(&mut self, name: &At<String>, own: &[String]) {
        if !own.contains(&name.value) {
            let problem =
                Problem::new(Kind::Name, format!("no pod `{}` with a service of its own", name.value));
            let names = own.iter().map(String::as_str);
            self.error(problem.at(name.span.clone()).did_you_mean(&name.value, names));
        }
    }
}

fn server(app: App) -> ServerScript {
    match app {
        App::Refuse => ServerScript::Refuse,
        App::Plain(turns) => ServerScript::Listen { tls: None, turns: turns.meant() },
        App::Tls(tls) => {
            let (options, turns) = tls.meant();
            ServerScript::Listen { tls: Some(options), turns }
        }
    }
}

/// A DNS label with room for what Kuma makes of it.
fn is_label(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(allowed)
}
