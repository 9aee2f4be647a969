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
        let mut meant = Vec::new();
        for (name, pod) in pods {
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
        Pod {
            name: name.value,
            protocol: pod.protocol.filter(|protocol| protocol != "none"),
            app: pod.app.map(server),
            proxy,
            identity: pod.identity.map(|identity| identity.value),
            ready: pod.state != Some(State::NotReady),
            outbounds: pod.outbounds.map(Outbounds::from).unwrap_or_default(),
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
