//! Two sidecars in one process, over loopback sockets: what opaque traffic through a mesh is owed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reference_dp::clock::SystemClock;
use reference_dp::net::real::RealNetwork;
use reference_dp::plan::Plan;
use reference_dp::proxy::{Seams, Sidecar};
use reference_dp::resource::{Resources, Source};
use reference_dp::spawn::RuntimeSpawn;
use reference_dp::tls::{Authority, SystemEntropy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// No test here may take longer; all of them wait on events only.
const DEADLINE: Duration = Duration::from_secs(20);

fn ca() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// A port that was free a moment ago on all of loopback. Other tests of this process get others.
fn free_port() -> u16 {
    std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

struct Mesh {
    web: Sidecar,
    backend: Sidecar,
    /// Where the client's app dials.
    dial: SocketAddr,
    /// Where the backend's sidecar listens.
    inbound: SocketAddr,
}

#[derive(Clone, Copy)]
struct Setup {
    mtls: bool,
    permissions: &'static str,
    timeouts: &'static str,
}

const PLAIN: Setup = Setup { mtls: false, permissions: "", timeouts: "" };
const STRICT: Setup = Setup { mtls: true, permissions: ALLOW_ALL, timeouts: "" };
const ALLOW_ALL: &str = "
type: MeshTrafficPermission
mesh: lab
name: all
spec: {from: [{targetRef: {kind: Mesh}, default: {action: Allow}}]}
";

async fn mesh(setup: Setup, app: SocketAddr) -> Mesh {
    let (in_port, out_port) = (free_port(), free_port());
    let mtls =
        if setup.mtls { "\nmtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}" } else { "" };
    let text = format!(
        "type: Mesh
name: lab{mtls}
---{permissions}
---{timeouts}
---
type: Dataplane
mesh: lab
name: backend-1
networking:
  address: 127.0.0.3
  inbound:
    - {{port: {in_port}, serviceAddress: {app_ip}, servicePort: {app_port}, tags: {{kuma.io/service: backend, kuma.io/protocol: tcp}}}}
---
type: Dataplane
mesh: lab
name: web-1
networking:
  address: 127.0.0.2
  inbound: [{{port: 9, serviceAddress: 127.0.0.1, tags: {{kuma.io/service: web}}, state: Ignored}}]
  outbound: [{{port: {out_port}, address: 127.0.0.2, backendRef: {{kind: MeshService, name: backend, port: {in_port}}}}}]
",
        permissions = setup.permissions,
        timeouts = setup.timeouts,
        app_ip = app.ip(),
        app_port = app.port(),
    );
    let resources =
        Resources::parse(&[Source { name: "mesh.yaml".into(), text }]).unwrap_or_else(|e| panic!("{e}"));
    let (cert, key) = ca();
    let start = async |name| {
        let authority = setup.mtls.then(|| Authority::from_pem(&cert, &key).unwrap());
        let admin = Some("127.0.0.1:0".parse().unwrap());
        Sidecar::start(Plan::resolve(&resources, name).unwrap(), authority, admin, seams()).await.unwrap()
    };
    let (web, backend) = (start("web-1").await, start("backend-1").await);
    let inbound = format!("127.0.0.3:{in_port}").parse().unwrap();
    Mesh { web, backend, dial: format!("127.0.0.2:{out_port}").parse().unwrap(), inbound }
}

fn seams() -> Seams<RealNetwork> {
    Seams {
        network: RealNetwork,
        spawn: Arc::new(RuntimeSpawn),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        key_log: None,
    }
}

async fn app() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

async fn scrape(sidecar: &Sidecar) -> String {
    let mut stream = TcpStream::connect(sidecar.admin_addr().unwrap()).await.unwrap();
    stream
        .write_all(b"GET /stats/prometheus HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("the test's deadline")
}

#[tokio::test]
async fn bytes_and_half_close_cross_both_ways() {
    for setup in [PLAIN, STRICT] {
        within(async {
            let (listener, addr) = app().await;
            let mesh = mesh(setup, addr).await;
            let mut client = TcpStream::connect(mesh.dial).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            client.shutdown().await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            server.read_to_end(&mut asked).await.unwrap();
            assert_eq!(asked, b"hello");
            server.write_all(b"and goodbye").await.unwrap();
            drop(server);
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"and goodbye");
            mesh.web.drain().await;
            mesh.backend.drain().await;
        })
        .await;
    }
}
