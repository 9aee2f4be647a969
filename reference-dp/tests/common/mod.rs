//! A mesh of two sidecars on loopback, its app and its CA.
#![expect(dead_code, reason = "each test crate uses its part")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
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

/// No test may take longer; all of them wait on events only.
const DEADLINE: Duration = Duration::from_secs(30);

/// A CA's certificate and key, as PEM.
pub(crate) fn ca() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// An address of loopback that no other test, and no other test process, uses: its ports are all free.
pub(crate) fn own_ip() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let pid = std::process::id();
    Ipv4Addr::new(127, 64 | (pid >> 8) as u8 & 63, pid as u8, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Two sidecars: `web-1` calls, `backend-1` serves.
pub(crate) struct Mesh {
    pub(crate) web: Sidecar,
    pub(crate) backend: Sidecar,
    /// Where the client's app dials the backend.
    pub(crate) dial: SocketAddr,
    /// Where it dials a service that nobody offers.
    pub(crate) dial_nobody: SocketAddr,
    /// Where the backend's sidecar listens.
    pub(crate) inbound: SocketAddr,
    /// The CA.
    pub(crate) ca: (String, String),
}

#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) mtls: bool,
    pub(crate) permissions: &'static str,
    /// `MeshTimeout` and `MeshRetry`.
    pub(crate) timeouts: &'static str,
    /// Of the backend.
    pub(crate) protocol: &'static str,
}

pub(crate) const PLAIN: Setup = Setup { mtls: false, permissions: "", timeouts: "", protocol: "tcp" };
pub(crate) const STRICT: Setup = Setup { mtls: true, permissions: ALLOW_ALL, timeouts: "", protocol: "tcp" };
pub(crate) const ALLOW_ALL: &str = "
type: MeshTrafficPermission
mesh: lab
name: all
spec: {from: [{targetRef: {kind: Mesh}, default: {action: Allow}}]}
";

/// The resources of the mesh, with its sidecars at `web` and `backend`.
pub(crate) fn resources(setup: Setup, web: Ipv4Addr, backend: Ipv4Addr, app: SocketAddr) -> String {
    let mtls =
        if setup.mtls { "\nmtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}" } else { "" };
    let (app_ip, app_port) = (app.ip(), app.port());
    let Setup { permissions, timeouts, protocol, .. } = setup;
    format!(
        "type: Mesh
name: lab{mtls}
---{permissions}
---{timeouts}
---
type: Dataplane
mesh: lab
name: backend-1
networking:
  address: {backend}
  inbound:
    - port: 8080
      serviceAddress: {app_ip}
      servicePort: {app_port}
      tags: {{kuma.io/service: backend, kuma.io/protocol: {protocol}}}
---
type: Dataplane
mesh: lab
name: web-1
networking:
  address: {web}
  inbound: [{{port: 9, serviceAddress: 127.0.0.1, tags: {{kuma.io/service: web}}, state: Ignored}}]
  outbound:
    - {{port: 8080, address: {web}, backendRef: {{kind: MeshService, name: backend, port: 8080}}}}
    - {{port: 8081, address: {web}, tags: {{kuma.io/service: nobody}}}}
"
    )
}

pub(crate) async fn mesh(setup: Setup, app: SocketAddr) -> Mesh {
    let (web_ip, backend_ip) = (own_ip(), own_ip());
    let text = resources(setup, web_ip, backend_ip, app);
    let parsed =
        Resources::parse(&[Source { name: "mesh.yaml".into(), text }]).unwrap_or_else(|e| panic!("{e}"));
    let ca = ca();
    let start = async |name| {
        let authority = setup.mtls.then(|| Authority::from_pem(&ca.0, &ca.1).unwrap());
        let admin = Some("127.0.0.1:0".parse().unwrap());
        Sidecar::start(Plan::resolve(&parsed, name).unwrap(), authority, admin, seams()).await.unwrap()
    };
    let (web, backend) = (start("web-1").await, start("backend-1").await);
    Mesh {
        web,
        backend,
        dial: (web_ip, 8080).into(),
        dial_nobody: (web_ip, 8081).into(),
        inbound: (backend_ip, 8080).into(),
        ca,
    }
}

pub(crate) fn seams() -> Seams<RealNetwork> {
    Seams {
        network: RealNetwork,
        spawn: Arc::new(RuntimeSpawn),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        key_log: None,
    }
}

/// An app that listens.
pub(crate) struct App {
    listener: TcpListener,
    pub(crate) addr: SocketAddr,
}

pub(crate) async fn app() -> App {
    let listener = TcpListener::bind((own_ip(), 80)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    App { listener, addr }
}

impl App {
    pub(crate) async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// Whether no connection waits to be accepted.
    pub(crate) fn was_not_called(self) -> bool {
        let listener = self.listener.into_std().unwrap();
        listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

pub(crate) async fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

pub(crate) async fn scrape(sidecar: &Sidecar) -> String {
    get(sidecar.admin_addr().unwrap(), "/stats/prometheus").await
}

/// The sum over the family's samples; `None` if it has none.
pub(crate) fn metric(text: &str, family: &str) -> Option<f64> {
    let samples =
        text.lines().filter_map(|line| line.strip_prefix(family)).filter(|rest| rest.starts_with('{'));
    samples.map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).reduce(|a, b| a + b)
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("the test's deadline")
}
