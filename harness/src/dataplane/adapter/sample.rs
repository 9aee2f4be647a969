//! What templates are given, made up: so that a name that is never given shows when an adapter is read, not at its first start.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::template::{Context, IdentityFiles};
use crate::dataplane::plan::Plan;
use crate::kuma;

/// A mesh with TLS and requests, and one without either: what may be missing is missing in one of them.
static SAMPLES: LazyLock<Vec<Context>> =
    LazyLock::new(|| [("strict", "http"), ("disabled", "tcp")].into_iter().filter_map(sample).collect());

/// All of them; none if the harness itself is broken, which its tests tell.
pub(super) fn all() -> &'static [Context] {
    &SAMPLES
}

fn sample((mtls, protocol): (&str, &str)) -> Option<Context> {
    let text = format!(
        "about: x\nmesh: {{mtls: {mtls}}}\nsteps: [{{wait: 1s}}]\n\
         pods: {{web: {{protocol: {protocol}, app: refuse}}, backend: {{protocol: {protocol}, app: refuse}}}}\n"
    );
    let scenario = crate::scenario::parse("sample", Path::new("sample.yaml"), &text).ok()?.pop()?;
    let address = |_: &str| Ipv4Addr::LOCALHOST;
    let resources = kuma::resources(&scenario, &kuma::View::usual("web", &address));
    let plan = Plan::resolve(&resources, "web").ok()?;
    let identity = plan.identity().map(|_| IdentityFiles {
        ca: "/run/ca.pem".into(),
        ca_key: "/run/ca.key".into(),
        certificate: "/run/certificate.pem".into(),
        key: "/run/certificate.key".into(),
    });
    Some(Context {
        pod: "web".to_owned(),
        plan: plan.json(),
        identity,
        admin: SocketAddr::from((Ipv4Addr::LOCALHOST, kuma::ADMIN_PORT)).into(),
        dir: PathBuf::from("/run"),
        adapter: PathBuf::from("/adapter"),
        bin: PathBuf::from("/bin/true"),
        resources: PathBuf::from("/run/resources.yaml"),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_one_with_all_and_one_without() {
        let [with, without] = super::all() else { panic!("two samples") };
        assert!(with.identity.is_some() && with.plan["inbounds"][0]["http"].is_object());
        assert!(without.identity.is_none() && without.plan["outbounds"][0]["http"].is_null());
    }
}
