//! Mesh TLS as others see it: raw rustls peers against one sidecar of a STRICT mesh.

mod common;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::{App, Mesh, STRICT, app, ca, mesh, metric, scrape, within};
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use reference_dp::clock::{Clock, SystemClock};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{LazyConfigAcceptor, TlsConnector};

type Ca = (String, String);

/// A certificate as a dataplane of the mesh, a liar or a stranger would show it.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn issue(ca: &Ca, uris: &[&str], shape: impl FnOnce(&mut CertificateParams)) -> Shown {
    let issuer = Issuer::from_ca_cert_pem(&ca.0, KeyPair::from_pem(&ca.1).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    shape(&mut params);
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Shown { chain: vec![certificate.der().clone()], key: key.into() }
}

/// Believes every server, and remembers what it showed through the connection.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn client(shown: Option<Shown>, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)));
    let mut config = match shown {
        Some(shown) => builder.with_client_auth_cert(shown.chain, shown.key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"kuma".to_vec()];
    TlsConnector::from(Arc::new(config))
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Calls the inbound with mesh TLS, sends a byte and hears whether it comes back.
async fn call(inbound: SocketAddr, connector: &TlsConnector, app: Option<&App>) -> io::Result<u8> {
    let stream = TcpStream::connect(inbound).await?;
    let mut tls = connector.connect(ServerName::try_from("any.example").unwrap(), stream).await?;
    assert_eq!(tls.get_ref().1.alpn_protocol(), None, "an inbound selects no ALPN");
    tls.write_u8(7).await?;
    tls.flush().await?;
    if let Some(app) = app {
        let mut server = app.accept().await;
        let byte = server.read_u8().await?;
        server.write_u8(byte).await?;
    }
    tls.read_u8().await
}

#[tokio::test]
async fn both_versions_of_tls_and_any_identity_of_the_mesh_are_welcome() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        within(async {
            let app = app().await;
            let mesh = mesh(STRICT, app.addr).await;
            let shown = issue(&mesh.ca, &["spiffe://lab/other"], |_| {});
            let connector = client(Some(shown), &[version]);
            assert_eq!(call(mesh.inbound, &connector, Some(&app)).await.unwrap(), 7);
            // Again, resumed.
            assert_eq!(call(mesh.inbound, &connector, Some(&app)).await.unwrap(), 7);
            let text = scrape(&mesh.backend).await;
            assert_eq!(metric(&text, "envoy_listener_ssl_handshake"), Some(2.0));
            assert_eq!(metric(&text, "envoy_listener_ssl_session_reused"), Some(1.0));
        })
        .await;
    }
}

#[tokio::test]
async fn strangers_and_liars_are_refused_and_the_app_sees_nothing() {
    let yesterday = SystemClock.now() - Duration::from_secs(24 * 3600);
    type Make = Box<dyn Fn(&Mesh) -> Option<Shown>>;
    let cases: [(&str, Make, &str); 6] = [
        ("no certificate", Box::new(|_| None), "envoy_listener_ssl_fail_verify_no_cert"),
        (
            "another CA",
            Box::new(|_| Some(issue(&ca(), &["spiffe://lab/web"], |_| {}))),
            "envoy_listener_ssl_fail_verify_error",
        ),
        (
            "another mesh",
            Box::new(|mesh| Some(issue(&mesh.ca, &["spiffe://other/web"], |_| {}))),
            "envoy_listener_ssl_fail_verify_san",
        ),
        (
            "a mesh whose name begins alike",
            Box::new(|mesh| Some(issue(&mesh.ca, &["spiffe://laboratory/web"], |_| {}))),
            "envoy_listener_ssl_fail_verify_san",
        ),
        (
            "expired",
            Box::new(move |mesh| {
                Some(issue(&mesh.ca, &["spiffe://lab/web"], |p| p.not_after = yesterday.into()))
            }),
            "envoy_listener_ssl_fail_verify_error",
        ),
        (
            "not for clients",
            Box::new(|mesh| {
                Some(issue(&mesh.ca, &["spiffe://lab/web"], |params| {
                    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
                }))
            }),
            "envoy_listener_ssl_fail_verify_error",
        ),
    ];
    for (name, shown, counted) in cases {
        within(async {
            let app = app().await;
            let mesh = mesh(STRICT, app.addr).await;
            let connector = client(shown(&mesh), BOTH);
            assert!(call(mesh.inbound, &connector, None).await.is_err(), "{name}");
            mesh.backend.drain().await;
            assert!(app.was_not_called(), "{name}");
            assert_eq!(metric(&scrape(&mesh.backend).await, counted), Some(1.0), "{name}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_plaintext_caller_gets_at_most_one_alert() {
    for request in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], b"\x00", b"\x16\x03\x01\xff\xff"] {
        within(async {
            let app = app().await;
            let mesh = mesh(STRICT, app.addr).await;
            let mut caller = TcpStream::connect(mesh.inbound).await.unwrap();
            caller.write_all(request).await.unwrap();
            caller.shutdown().await.unwrap();
            let mut got = Vec::new();
            let _ = caller.read_to_end(&mut got).await;
            // An alert is a record of type 21 with two bytes in it.
            assert!(got.is_empty() || (got.len() == 7 && got[0] == 21), "{got:?}");
            mesh.backend.drain().await;
            assert!(app.was_not_called());
        })
        .await;
    }
}

/// A dataplane's inbound, scripted: what the caller's sidecar offers, and what becomes of a server that shows `uris`.
struct Peer {
    listener: TcpListener,
    config: Arc<ServerConfig>,
}

impl Peer {
    async fn new(addr: SocketAddr, shown: Shown) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(shown.chain, shown.key)
            .unwrap();
        Self { listener: TcpListener::bind(addr).await.unwrap(), config: Arc::new(config) }
    }

    /// Accepts one connection: server name, ALPN and how the handshake went.
    async fn accept(&self) -> (Option<String>, Vec<Vec<u8>>, io::Result<u8>) {
        let stream = self.listener.accept().await.unwrap().0;
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await.unwrap();
        let hello = start.client_hello();
        let name = hello.server_name().map(str::to_owned);
        let alpn = hello.alpn().into_iter().flatten().map(<[u8]>::to_vec).collect();
        let read = async { start.into_stream(self.config.clone()).await?.read_u8().await };
        (name, alpn, read.await)
    }
}

#[tokio::test]
async fn the_callers_sidecar_offers_kuma_and_the_name_of_the_service() {
    within(async {
        let app = app().await;
        let mesh = mesh(STRICT, app.addr).await;
        mesh.backend.drain().await;
        let uris = ["spiffe://lab/else", "spiffe://lab/backend"];
        let peer = Peer::new(mesh.inbound, issue(&mesh.ca, &uris, |_| {})).await;
        let mut client = TcpStream::connect(mesh.dial).await.unwrap();
        client.write_u8(7).await.unwrap();
        let (name, alpn, read) = peer.accept().await;
        // FNV-1a-64 of "backend;lab;", computed with a separate program.
        assert_eq!(name.as_deref(), Some("aeca8ace9af005138.backend.8080.lab.ms"));
        assert_eq!(alpn, [b"kuma"]);
        assert_eq!(read.unwrap(), 7);
    })
    .await;
}

#[tokio::test]
async fn a_server_of_another_identity_is_not_talked_to() {
    let yesterday = SystemClock.now() - Duration::from_secs(24 * 3600);
    type Make = Box<dyn Fn(&Ca) -> Shown>;
    let cases: [(&str, Make, &str); 4] = [
        (
            "another service",
            Box::new(|ca| issue(ca, &["spiffe://lab/back"], |_| {})),
            "envoy_cluster_ssl_fail_verify_san",
        ),
        (
            "a longer name",
            Box::new(|ca| issue(ca, &["spiffe://lab/backend2"], |_| {})),
            "envoy_cluster_ssl_fail_verify_san",
        ),
        (
            "another CA",
            Box::new(|_| issue(&ca(), &["spiffe://lab/backend"], |_| {})),
            "envoy_cluster_ssl_fail_verify_error",
        ),
        (
            "expired",
            Box::new(move |ca| issue(ca, &["spiffe://lab/backend"], |p| p.not_after = yesterday.into())),
            "envoy_cluster_ssl_fail_verify_error",
        ),
    ];
    for (name, shown, counted) in cases {
        within(async {
            let app = app().await;
            let mesh = mesh(STRICT, app.addr).await;
            mesh.backend.drain().await;
            let peer = Peer::new(mesh.inbound, shown(&mesh.ca)).await;
            let mut client = TcpStream::connect(mesh.dial).await.unwrap();
            client.write_u8(7).await.unwrap();
            for _ in 0..5 {
                let (_, _, read) = peer.accept().await;
                assert!(read.is_err(), "{name}: the client's byte came through");
            }
            assert!(client.read_u8().await.is_err(), "{name}");
            mesh.web.drain().await;
            assert_eq!(metric(&scrape(&mesh.web).await, counted), Some(5.0), "{name}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up_after_the_connect_timeout() {
    const QUICK: &str = "
type: MeshTimeout
mesh: lab
name: quick
spec: {to: [{targetRef: {kind: Mesh}, default: {connectionTimeout: 200ms}}]}
";
    within(async {
        let app = app().await;
        let mesh = mesh(common::Setup { timeouts: QUICK, ..STRICT }, app.addr).await;
        mesh.backend.drain().await;
        let silent = TcpListener::bind(mesh.inbound).await.unwrap();
        let mut client = TcpStream::connect(mesh.dial).await.unwrap();
        assert!(client.read_u8().await.is_err());
        drop(silent);
        mesh.web.drain().await;
        let text = scrape(&mesh.web).await;
        assert_eq!(metric(&text, "envoy_cluster_upstream_cx_connect_timeout"), Some(5.0));
    })
    .await;
}

#[tokio::test]
async fn a_cut_without_close_notify_is_a_reset_not_an_end() {
    within(async {
        let app = app().await;
        let mesh = mesh(STRICT, app.addr).await;
        let shown = issue(&mesh.ca, &["spiffe://lab/web"], |_| {});
        let stream = TcpStream::connect(mesh.inbound).await.unwrap();
        let name = ServerName::try_from("any.example").unwrap();
        let mut tls = client(Some(shown), BOTH).connect(name, stream).await.unwrap();
        tls.write_u8(1).await.unwrap();
        tls.flush().await.unwrap();
        let mut server = app.accept().await;
        assert_eq!(server.read_u8().await.unwrap(), 1);
        // A FIN without close_notify: somebody in between could have made it.
        tls.into_inner().0.shutdown().await.unwrap();
        assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    })
    .await;
}

#[tokio::test]
async fn a_dataplanes_certificate_bears_its_services_and_tags() {
    use x509_parser::extensions::GeneralName;
    within(async {
        let app = app().await;
        let mesh = mesh(STRICT, app.addr).await;
        let shown = issue(&mesh.ca, &["spiffe://lab/web"], |_| {});
        let stream = TcpStream::connect(mesh.inbound).await.unwrap();
        let name = ServerName::try_from("any.example").unwrap();
        let tls = client(Some(shown), BOTH).connect(name, stream).await.unwrap();
        let der = &tls.get_ref().1.peer_certificates().unwrap()[0];
        let (_, certificate) = x509_parser::parse_x509_certificate(der).unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap().value;
        let expected =
            ["spiffe://lab/backend", "kuma://kuma.io/protocol/tcp", "kuma://kuma.io/service/backend"];
        assert_eq!(names.general_names, expected.map(GeneralName::URI));
        assert_eq!(certificate.subject().iter().count(), 0);
        let validity = certificate.validity();
        assert_eq!(validity.not_after.timestamp() - validity.not_before.timestamp(), 24 * 3600 + 10);
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && usage.server_auth && !usage.any);
        assert!(!certificate.is_ca());
    })
    .await;
}
