use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use reference_dp::net::real::RealNetwork;
use reference_dp::spawn::{RuntimeSpawn, Spawn};
use tokio::time::timeout;

use super::*;
use crate::app::mesh::{MeshCa, MeshIdentity};
use crate::app::server::Server;
use crate::app::testing::*;
use crate::language::PodIdentity;
use crate::language::script::{Action, Script};
use crate::language::{ClientScript, ServerScript};
use crate::language::{TlsOptions, TlsVersion};
use crate::observe::observation::{End, Failure};
use crate::observe::{HandshakeFacts, Role, Seen};

/// A server on a loopback port, and a client's kit.
struct Scene {
    notes: Arc<Notes>,
    client: Client<RealNetwork>,
    target: SocketAddr,
}

async fn scene(server: ServerScript, mesh: Option<(PodIdentity, PodIdentity)>) -> Scene {
    let (notes, tls) = (Notes::new(), app_tls());
    let (mut client_kit, mut app_kit) = (kit(&notes, &tls, Role::Client), kit(&notes, &tls, Role::App));
    if let Some((client, app)) = mesh {
        let ca = mesh_ca();
        client_kit.mesh = Some(Arc::new(MeshIdentity::new(&ca, &client, "web", &tls).unwrap()));
        app_kit.mesh = Some(Arc::new(MeshIdentity::new(&ca, &app, "backend", &tls).unwrap()));
    }
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::bind(&RealNetwork, here, &server, app_kit).await.unwrap().unwrap();
    let target = server.local_addr().unwrap();
    RuntimeSpawn.spawn(Box::pin(server.serve()));
    Scene { notes, client: Client::new(RealNetwork, client_kit), target }
}

impl Scene {
    async fn run(&mut self, script: &ClientScript, hold: bool) -> Held<tokio::net::TcpStream> {
        let run = self.client.run(self.target, script, hold);
        timeout(Duration::from_secs(20), run).await.expect("the scripts end")
    }

    fn handshakes(&self, role: Role) -> Vec<HandshakeFacts> {
        let facts = |seen| match seen {
            Seen::Handshake(facts) | Seen::MeshHandshake(facts) => Some(facts),
            _ => None,
        };
        self.notes.of(role).into_iter().filter_map(facts).collect()
    }
}

/// A mesh's CA, made by rcgen alone.
fn mesh_ca() -> MeshCa {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let cert_pem = params.self_signed(&key).unwrap().pem();
    MeshCa { cert_pem, key_pem: key.serialize_pem(), mesh: "default".into() }
}

fn listen(tls: Option<TlsOptions>, turns: Vec<Script>) -> ServerScript {
    ServerScript::Listen { tls, turns }
}

fn client(tls: Option<TlsOptions>, script: Script) -> ClientScript {
    ClientScript { tls, talk: Talk::Bytes(script), connections: 1 }
}

fn hello() -> Script {
    script([send(text("hello")), Action::Expect(text("hello")), Action::HalfClose, read_eof()])
}

fn named(sni: &str) -> TlsOptions {
    TlsOptions { sni: Some(sni.into()), ..TlsOptions::default() }
}

fn bearing(certificate: &str) -> TlsOptions {
    TlsOptions { certificate: Some(certificate.into()), ..TlsOptions::default() }
}

#[tokio::test]
async fn many_connections_at_once_each_run_the_script() {
    let mut scene = scene(listen(None, vec![script([Action::Echo])]), None).await;
    let held = scene.run(&ClientScript { connections: 50, ..client(None, hello()) }, false).await;
    assert!(held.is_empty());
    let totals = scene.notes.totals(Role::Client);
    assert_eq!(totals.len(), 50);
    assert!(totals.iter().all(|total| total.done && total.end == End::Eof && total.received.bytes == 5));
}

#[tokio::test]
async fn turns_are_taken_in_order_and_the_last_repeats() {
    let turns = vec![script([send(text("a"))]), script([send(text("b"))])];
    let mut scene = scene(listen(None, turns), None).await;
    for expected in ["a", "b", "b"] {
        let script = client(None, script([Action::Expect(text(expected)), read_eof()]));
        scene.run(&script, false).await;
    }
    assert!(scene.notes.totals(Role::Client).iter().all(|total| total.done));
}

#[tokio::test]
async fn a_refused_connection_is_recorded_with_totals() {
    let mut scene = scene(listen(None, vec![script([Action::Echo])]), None).await;
    // Bound and dropped: nothing listens there.
    let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    scene.target = free;
    scene.run(&client(None, hello()), false).await;
    assert_eq!(scene.notes.of(Role::Client), [Seen::ConnectFailed { error: Failure::Refused }]);
    let total = scene.notes.total(Role::Client);
    assert_eq!((total.end, total.done), (End::Refused, false));
}

#[tokio::test]
async fn a_real_reset_is_seen_as_one() {
    let app = script([Action::Expect(text("hi")), Action::Reset]);
    let mut scene = scene(listen(None, vec![app]), None).await;
    scene.run(&client(None, script([send(text("hi")), read_eof()])), false).await;
    assert_eq!(scene.notes.of(Role::Client).last(), Some(&Seen::Failed { error: Failure::Reset }));
    assert_eq!(scene.notes.total(Role::Client).end, End::Reset);
}

#[tokio::test]
async fn a_real_reset_passes_tls_and_mesh_tls() {
    let app = script([Action::Expect(text("hi")), Action::Reset]);
    let identity = || PodIdentity::Service("web".into());
    let server = listen(Some(bearing("backend.example")), vec![app]);
    let mut scene = scene(server, Some((identity(), identity()))).await;
    let script = client(Some(named("backend.example")), script([send(text("hi")), read_eof()]));
    scene.run(&script, false).await;
    assert_eq!(scene.notes.of(Role::Client).last(), Some(&Seen::Failed { error: Failure::Reset }));
}

#[tokio::test]
async fn held_connections_are_gone_on_with() {
    let mut scene = scene(listen(None, vec![script([Action::Echo])]), None).await;
    let first = ClientScript {
        connections: 2,
        ..client(None, script([send(text("one")), Action::Expect(text("one"))]))
    };
    let held = scene.run(&first, true).await;
    assert_eq!(held.len(), 2);
    let then =
        client(None, script([send(text("two")), Action::Expect(text("two")), Action::HalfClose, read_eof()]));
    let left = scene.client.go_on(held, &then, false).await;
    assert!(left.is_empty());
    let totals = scene.notes.totals(Role::Client);
    let story: Vec<_> = totals.iter().map(|t| (t.end, t.done, t.sent.bytes, t.wire_sent.bytes)).collect();
    let (open, over) = ((End::Open, true, 3, 3), (End::Eof, true, 3, 6));
    assert_eq!(story, [open, open, over, over]);
    assert!(totals[2].received.head == hex::encode("two"));
}

#[tokio::test]
async fn a_step_given_up_ends_its_connections() {
    let mut scene = scene(listen(None, vec![script([Action::Echo])]), None).await;
    let script = client(None, script([send(text("hi")), Action::Expect(text("hi")), Action::Stall]));
    let target = scene.target;
    let notes = scene.notes.clone();
    let heard = async || {
        while !notes.of(Role::App).iter().any(|seen| matches!(seen, Seen::Received { .. })) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = scene.client.run(target, &script, false) => panic!("a stalled script ended"),
        () = heard() => {}
    }
    // The app sees the end, and closes.
    let over = |role| !scene.notes.totals(role).is_empty();
    while !(over(Role::App) && over(Role::Client)) {
        tokio::task::yield_now().await;
    }
    let total = scene.notes.total(Role::Client);
    assert_eq!((total.end, total.done), (End::Open, false));
}

#[tokio::test]
async fn names_protocols_and_certificates_of_a_handshake_are_told() {
    let server = TlsOptions {
        alpn: vec!["h2".into(), "http/1.1".into()],
        client_certificate: true,
        ..bearing("backend.example")
    };
    for (version, word) in [(TlsVersion::V1_2, "1.2"), (TlsVersion::V1_3, "1.3")] {
        let mut scene = scene(listen(Some(server.clone()), vec![script([Action::Echo])]), None).await;
        let options = TlsOptions {
            alpn: vec!["http/1.1".into()],
            certificate: Some("caller.example".into()),
            versions: vec![version],
            hello_chunk: Some(50),
            ..named("backend.example")
        };
        scene.run(&client(Some(options), hello()), false).await;
        let facts = |peer: &str, sni: Option<&str>| HandshakeFacts {
            version: word.into(),
            alpn: Some("http/1.1".into()),
            sni: sni.map(Into::into),
            peer: vec![peer.into()],
            resumed: false,
        };
        assert_eq!(scene.handshakes(Role::Client), [facts("backend.example", None)]);
        assert_eq!(scene.handshakes(Role::App), [facts("caller.example", Some("backend.example"))]);
        assert!(scene.notes.total(Role::Client).done);
    }
}

#[tokio::test]
async fn sessions_resume_only_when_asked_to() {
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        for resume in [false, true] {
            let mut scene =
                scene(listen(Some(bearing("backend.example")), vec![script([Action::Echo])]), None).await;
            let options = TlsOptions { resume, versions: vec![version], ..named("backend.example") };
            for _ in 0..2 {
                scene.run(&client(Some(options.clone()), hello()), false).await;
            }
            let resumed: Vec<_> = scene.handshakes(Role::App).iter().map(|facts| facts.resumed).collect();
            assert_eq!(resumed, [false, resume], "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_is_not_taken() {
    let server = listen(Some(bearing("other.example")), vec![script([Action::Echo])]);
    let mut scene = scene(server, None).await;
    scene.run(&client(Some(named("backend.example")), hello()), false).await;
    let failed = |seen: &Seen| matches!(seen, Seen::HandshakeFailed { mesh: false, error } if error.contains("not valid for name"));
    assert!(scene.notes.of(Role::Client).iter().any(failed), "{:?}", scene.notes.of(Role::Client));
    assert_eq!(scene.notes.total(Role::Client).end, End::TlsError);
    // Who asks for no name takes any.
    scene.run(&client(Some(TlsOptions::default()), hello()), false).await;
    assert!(scene.notes.totals(Role::Client)[1].done);
}

#[tokio::test]
async fn a_name_that_tls_cannot_send_fails_the_handshake_in_words() {
    let mut scene = scene(listen(None, vec![script([Action::Echo])]), None).await;
    scene.run(&client(Some(named("backend{mesh=default}")), hello()), false).await;
    let failed =
        |seen: &Seen| matches!(seen, Seen::HandshakeFailed { error, .. } if error.contains("cannot be sent"));
    assert!(scene.notes.of(Role::Client).iter().any(failed));
}

#[tokio::test]
async fn an_app_that_requires_a_client_certificate_refuses_without() {
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let server = TlsOptions { client_certificate: true, ..bearing("backend.example") };
        let mut scene = scene(listen(Some(server), vec![script([Action::Echo])]), None).await;
        let options = TlsOptions { versions: vec![version], ..named("backend.example") };
        scene.run(&client(Some(options), hello()), false).await;
        let total = scene.notes.total(Role::Client);
        assert!(!total.done);
        assert_eq!(total.end, End::TlsError, "{version:?}: {:?}", scene.notes.of(Role::Client));
    }
}

#[tokio::test]
async fn a_pod_with_an_identity_speaks_mesh_tls_below_everything() {
    let cases = [
        (PodIdentity::Service("web".into()), vec!["spiffe://default/web"]),
        (PodIdentity::Uri("spiffe://elsewhere/shop".into()), vec!["spiffe://elsewhere/shop"]),
        (PodIdentity::ForeignMesh("other".into()), vec!["spiffe://other/web"]),
        (PodIdentity::Expired, vec!["spiffe://default/web"]),
        (PodIdentity::SelfSigned, vec!["spiffe://default/web"]),
        (PodIdentity::None, vec![]),
    ];
    for (identity, names) in cases {
        let mesh = Some((identity.clone(), PodIdentity::Service("backend".into())));
        let mut scene = scene(listen(None, vec![script([Action::Echo])]), mesh).await;
        scene.run(&client(None, hello()), false).await;
        let [at_app] = scene.handshakes(Role::App).try_into().unwrap();
        assert_eq!(at_app.peer, names, "{identity:?}");
        assert_eq!(at_app.alpn.as_deref(), Some("kuma"));
        assert_eq!(at_app.sni, None);
        let [at_client] = scene.handshakes(Role::Client).try_into().unwrap();
        assert_eq!(at_client.peer, ["spiffe://default/backend"]);
        // The tap is above mesh TLS: what passes is the script's bytes.
        let total = scene.notes.total(Role::Client);
        assert_eq!((total.wire_sent.head.as_str(), total.done), ("68656c6c6f", true));
    }
}

#[tokio::test]
async fn one_who_speaks_no_mesh_tls_to_a_pod_that_does_fails_its_handshake() {
    let identity = PodIdentity::Service("backend".into());
    let mut scene =
        scene(listen(None, vec![script([Action::Echo])]), Some((identity.clone(), identity))).await;
    scene.client.kit.mesh = None;
    scene.run(&client(None, script([send(text("GET / HTTP/1.1\r\n\r\n")), read_eof()])), false).await;
    let failed = |seen: &Seen| matches!(seen, Seen::HandshakeFailed { mesh: true, .. });
    assert!(scene.notes.of(Role::App).iter().any(failed));
    assert!(!scene.notes.total(Role::App).done);
}
