//! Pods as meant.

use indexmap::IndexMap;

use super::Resolver;
use crate::language::http::HttpVersion;
use crate::language::{Mtls, Outbounds, Pod, PodIdentity, ProxyKind, ServerScript};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Kind, Problem};
use crate::scenario::file::pod::{App, Pod as PodAsWritten, State};

impl Resolver<'_> {
    pub(super) fn pods(&mut self, pods: IndexMap<At<String>, PodAsWritten>, mtls: Mtls) -> Vec<Pod> {
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
            meant.push(self.pod(name, pod, mtls));
        }
        meant
    }

    fn pod(&mut self, name: At<String>, pod: PodAsWritten, mtls: Mtls) -> Pod {
        let proxy = pod.proxy.map_or(ProxyKind::Default, ProxyKind::from);
        if let Some(identity) = pod.identity.as_ref().filter(|_| proxy == ProxyKind::Default) {
            let problem = Problem::new(Kind::Check, "`identity` is for a pod that speaks mesh TLS itself")
                .at(identity.key.clone());
            self.error(problem.help("say `proxy: none` or `proxy: scripted` too, or leave it out"));
        }
        if let (Some(within), true) = (&pod.within, pod.app.is_none() || proxy != ProxyKind::Default) {
            let problem = Problem::new(Kind::Check, "`in` is for a further app behind a sidecar");
            self.error(problem.at(within.key.clone()).help("give it an `app`, and no `proxy`"));
        }
        let service = pod.service.map_or_else(|| name.value.clone(), |service| service.value);
        let app = pod.app.map(|app| self.server(app, proxy));
        let played = proxy == ProxyKind::Scripted && mtls == Mtls::Strict;
        let own = played.then(|| PodIdentity::Service(service.clone()));
        Pod {
            name: name.value,
            service,
            within: pod.within.map(|within| within.value),
            protocol: pod.protocol.filter(|protocol| protocol != "none"),
            app,
            proxy,
            identity: pod.identity.map(|identity| identity.value).or(own),
            ready: pod.state != Some(State::NotReady),
            outbounds: pod.outbounds.map(Outbounds::from).unwrap_or_default(),
        }
    }

    /// Says so unless a pod that others refer to is there and refers to no other.
    fn stands_alone(&mut self, name: &At<String>, own: &[String]) {
        if !own.contains(&name.value) {
            let problem =
                Problem::new(Kind::Name, format!("no pod `{}` with a service of its own", name.value));
            let names = own.iter().map(String::as_str);
            self.error(problem.at(name.span.clone()).did_you_mean(&name.value, names));
        }
    }

    fn server(&mut self, app: App, proxy: ProxyKind) -> ServerScript {
        match app {
            App::Refuse => ServerScript::Refuse,
            App::Plain(turns) => ServerScript::Listen { tls: None, turns: turns.meant() },
            App::Tls(tls) => {
                let (options, turns) = tls.meant();
                ServerScript::Listen { tls: Some(options), turns }
            }
            App::Http(version, routes) => {
                // Between sidecars HTTP is HTTP/2.
                let version = if proxy == ProxyKind::Scripted { HttpVersion::V2 } else { version };
                ServerScript::Http(self.http_app(version, routes))
            }
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
