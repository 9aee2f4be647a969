//! The binary: two processes over loopback sockets, as an operator would run them.

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use common::{PLAIN, STRICT, Setup, app, ca, get, metric, own_ip, resources, within};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, Command};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Files for processes.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn command(resources: &Path, dataplane: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reference-dp"));
    command.arg("--resources").arg(resources).args(["--dataplane", dataplane, "--log-format", "json"]);
    command
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A sidecar that is ready.
struct Process {
    child: Child,
    log: tokio::io::Lines<BufReader<ChildStderr>>,
    admin: SocketAddr,
}

impl Process {
    async fn start(mut command: Command) -> Self {
        let mut child = command.args(["--admin", "127.0.0.1:0"]).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = event(&mut log, "ready").await;
        let admin = ready["fields"]["admin"].as_str().unwrap().parse().unwrap();
        Self { child, log, admin }
    }

    /// Sends SIGTERM.
    async fn terminate(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    }
}

/// Reads the log up to the event of this message.
async fn event(log: &mut tokio::io::Lines<BufReader<ChildStderr>>, message: &str) -> serde_json::Value {
    let mut seen = String::new();
    while let Some(line) = log.next_line().await.unwrap() {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if event["fields"]["message"] == message {
            return event;
        }
        seen += &format!("{line}\n");
    }
    panic!("the log ended before `{message}`:\n{seen}")
}

/// Two processes, `web-1` and `backend-1`.
struct Pair {
    _files: Files,
    web: Process,
    backend: Process,
    dial: SocketAddr,
}

/// `backend_seen` is where the caller's sidecar thinks the backend's is.
async fn pair(setup: Setup, app: SocketAddr, backend: Ipv4Addr, backend_seen: Ipv4Addr) -> Pair {
    let files = Files::new();
    let web = own_ip();
    let (cert, key) = ca();
    let (cert, key) = (files.write("ca.pem", &cert), files.write("ca.key", &key));
    let start = async |name: &str, backend| {
        let text = resources(setup, web, backend, app);
        let mut command = command(&files.write(&format!("{name}.yaml"), &text), name);
        if setup.mtls {
            command.arg("--ca-cert").arg(&cert).arg("--ca-key").arg(&key);
        }
        Process::start(command).await
    };
    let (web_process, backend_process) =
        (start("web-1", backend_seen).await, start("backend-1", backend).await);
    Pair { _files: files, web: web_process, backend: backend_process, dial: (web, 8080).into() }
}

#[tokio::test]
async fn bytes_half_close_and_metrics() {
    for setup in [PLAIN, STRICT] {
        within(async {
            let app = app().await;
            let backend = own_ip();
            let pair = pair(setup, app.addr, backend, backend).await;
            let mut client = TcpStream::connect(pair.dial).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            client.shutdown().await.unwrap();
            let mut server = app.accept().await;
            let mut asked = Vec::new();
            server.read_to_end(&mut asked).await.unwrap();
            assert_eq!(asked, b"hello");
            server.write_all(b"hello yourself").await.unwrap();
            drop(server);
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"hello yourself");
            for process in [&pair.web, &pair.backend] {
                assert!(get(process.admin, "/ready").await.ends_with("LIVE\n"));
                let text = get(process.admin, "/stats/prometheus").await;
                assert_eq!(metric(&text, "envoy_tcp_downstream_cx_total"), Some(1.0));
                assert_eq!(metric(&text, "envoy_tcp_downstream_cx_rx_bytes_total"), Some(5.0));
                assert_eq!(metric(&text, "envoy_tcp_downstream_cx_tx_bytes_total"), Some(14.0));
            }
        })
        .await;
    }
}

/// Relays one connection to `to` and gives what the caller sent first.
async fn wiretap(listener: TcpListener, to: SocketAddr) -> Vec<u8> {
    let mut caller = listener.accept().await.unwrap().0;
    let mut callee = TcpStream::connect(to).await.unwrap();
    let mut first = vec![0; 4096];
    let n = caller.read(&mut first).await.unwrap();
    first.truncate(n);
    callee.write_all(&first).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut caller, &mut callee).await;
    first
}

#[tokio::test]
async fn an_apps_own_tls_passes_inside_mesh_tls() {
    within(async {
        let app = app().await;
        let (tap, backend) = (own_ip(), own_ip());
        let pair = pair(STRICT, app.addr, backend, tap).await;
        let listener = TcpListener::bind((tap, 8080)).await.unwrap();
        let certificate = rcgen::generate_simple_self_signed(["app.example".to_owned()]).unwrap();
        let shown = certificate.cert.der().clone();
        let key = PrivateKeyDer::from(certificate.signing_key);
        let server = async {
            let mut tls = app_acceptor(shown.clone(), key).accept(app.accept().await).await.unwrap();
            assert_eq!(tls.get_ref().1.server_name(), Some("app.example"));
            assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"app/1"[..]));
            let mut asked = Vec::new();
            tls.read_to_end(&mut asked).await.unwrap();
            assert_eq!(asked, b"private");
            tls.write_all(b"answer").await.unwrap();
            tls.shutdown().await.unwrap();
        };
        let client = async {
            let stream = TcpStream::connect(pair.dial).await.unwrap();
            let name = ServerName::try_from("app.example").unwrap();
            let mut tls = app_connector(shown.clone()).connect(name, stream).await.unwrap();
            assert_eq!(tls.get_ref().1.peer_certificates().unwrap(), std::slice::from_ref(&shown));
            tls.write_all(b"private").await.unwrap();
            tls.shutdown().await.unwrap();
            let mut answer = Vec::new();
            tls.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"answer");
        };
        let (first, (), ()) = tokio::join!(wiretap(listener, (backend, 8080).into()), server, client);
        // A TLS handshake record with the mesh's ClientHello: its server name and ALPN, not the app's.
        let has = |needle: &[u8]| first.windows(needle.len()).any(|window| window == needle);
        assert_eq!(first[..2], [22, 3]);
        assert!(has(b".backend.8080.lab.ms") && has(b"\x04kuma"), "{first:?}");
        assert!(!has(b"app.example") && !has(b"app/1"), "{first:?}");
    })
    .await;
}

fn app_acceptor(shown: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown], key)
        .unwrap();
    config.alpn_protocols = vec![b"app/1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn app_connector(shown: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(shown).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"app/1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn sigterm_drains_and_exits_with_success() {
    within(async {
        let app = app().await;
        let backend = own_ip();
        let mut pair = pair(STRICT, app.addr, backend, backend).await;
        let mut client = TcpStream::connect(pair.dial).await.unwrap();
        client.write_all(b"a").await.unwrap();
        let mut server = app.accept().await;
        assert_eq!(server.read_u8().await.unwrap(), b'a');
        for process in [&mut pair.web, &mut pair.backend] {
            process.terminate().await;
            event(&mut process.log, "draining").await;
        }
        // In flight: goes on.
        server.write_all(b"b").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'b');
        drop((client, server));
        for process in [&mut pair.web, &mut pair.backend] {
            event(&mut process.log, "drained").await;
            assert_eq!(process.child.wait().await.unwrap().code(), Some(0));
        }
        assert!(TcpStream::connect(pair.dial).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_drain_that_takes_too_long_is_cut() {
    within(async {
        let app = app().await;
        let files = Files::new();
        let (web, backend) = (own_ip(), own_ip());
        let path = files.write("mesh.yaml", &resources(PLAIN, web, backend, app.addr));
        let mut command = command(&path, "backend-1");
        command.args(["--drain-time", "10ms"]);
        let mut process = Process::start(command).await;
        let mut client = TcpStream::connect((backend, 8080)).await.unwrap();
        let _server = app.accept().await;
        process.terminate().await;
        assert!(client.read_u8().await.is_err());
        assert_eq!(process.child.wait().await.unwrap().code(), Some(0));
    })
    .await;
}

/// Exit code and standard error of a process that does not get ready.
async fn fails(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn bad_input_ends_in_exit_code_2_and_a_message_that_helps() {
    within(async {
        let good = resources(PLAIN, own_ip(), own_ip(), "127.0.0.1:9".parse().unwrap());
        let strict = resources(STRICT, own_ip(), own_ip(), "127.0.0.1:9".parse().unwrap());
        let clash = good.replace("port: 8081", "port: 8080");
        let protocol = good.replace("kuma.io/protocol: tcp", "kuma.io/protocol: tpc");
        for (text, expected) in [
            (&protocol, &["mesh.yaml:15:58", "kuma.io/protocol: tpc", "^^^", "did you mean \"tcp\"?"][..]),
            (&clash, &["networking.outbound[0] and networking.outbound[1] both listen at 127."]),
            (&strict, &["mesh `lab` has mTLS", "--ca-cert"]),
            (
                &good.replace("mesh: lab\nname: web-1", "mesh: lab\nname: web-2"),
                &["no Dataplane `web-1`", "`web-2`"],
            ),
        ] {
            let files = Files::new();
            let (code, message) = fails(command(&files.write("mesh.yaml", text), "web-1")).await;
            assert_eq!(code, Some(2), "{message}");
            for part in expected {
                assert!(message.contains(part), "no {part:?} in:\n{message}");
            }
            assert!(!message.contains("panicked"), "{message}");
        }
        let (code, message) = fails(command(Path::new("/no/such/file"), "web-1")).await;
        assert!(code == Some(2) && message.contains("/no/such/file"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn a_port_that_is_taken_ends_in_exit_code_1() {
    within(async {
        let app = app().await;
        let (web, backend) = (own_ip(), own_ip());
        let _taken = TcpListener::bind((backend, 8080)).await.unwrap();
        let files = Files::new();
        let path = files.write("mesh.yaml", &resources(PLAIN, web, backend, app.addr));
        let (code, message) = fails(command(&path, "backend-1")).await;
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains(&format!("listening at {backend}:8080 (inbound of backend)")), "{message}");
    })
    .await;
}
