//! Two sidecars in one process, over loopback sockets: what opaque traffic through a mesh is owed.

mod common;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use common::{ALLOW_ALL, PLAIN, STRICT, Setup, app, mesh, metric, scrape, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn bytes_and_half_close_cross_both_ways() {
    for setup in [PLAIN, STRICT] {
        within(async {
            let app = app().await;
            let mesh = mesh(setup, app.addr).await;
            let mut client = TcpStream::connect(mesh.dial).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            client.shutdown().await.unwrap();
            let mut server = app.accept().await;
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

#[tokio::test]
async fn the_server_may_finish_first() {
    within(async {
        let app = app().await;
        let mesh = mesh(STRICT, app.addr).await;
        let mut client = TcpStream::connect(mesh.dial).await.unwrap();
        let mut server = app.accept().await;
        server.write_all(b"banner").await.unwrap();
        server.shutdown().await.unwrap();
        let mut banner = Vec::new();
        client.read_to_end(&mut banner).await.unwrap();
        assert_eq!(banner, b"banner");
        client.write_all(b"still here").await.unwrap();
        drop(client);
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"still here");
    })
    .await;
}

#[tokio::test]
async fn a_reset_crosses_in_either_direction() {
    for setup in [PLAIN, STRICT] {
        within(async {
            let app = app().await;
            let mesh = mesh(setup, app.addr).await;
            for client_resets in [true, false] {
                let mut client = TcpStream::connect(mesh.dial).await.unwrap();
                let mut server = app.accept().await;
                client.write_all(b"a").await.unwrap();
                server.write_all(b"b").await.unwrap();
                assert_eq!((client.read_u8().await.unwrap(), server.read_u8().await.unwrap()), (b'b', b'a'));
                let mut other = if client_resets {
                    client.set_zero_linger().unwrap();
                    drop(client);
                    server
                } else {
                    server.set_zero_linger().unwrap();
                    drop(server);
                    client
                };
                let end = other.read_u8().await.unwrap_err();
                assert_eq!(end.kind(), ErrorKind::ConnectionReset, "client resets: {client_resets}");
            }
            // Whatever is left ends by itself.
            mesh.web.drain().await;
            mesh.backend.drain().await;
        })
        .await;
    }
}

#[tokio::test]
async fn much_at_once_in_both_directions_arrives_whole_and_is_counted() {
    const MANY: usize = 8 << 20;
    within(async {
        let app = app().await;
        let mesh = mesh(STRICT, app.addr).await;
        let client = TcpStream::connect(mesh.dial).await.unwrap();
        let server = app.accept().await;
        let pump = async |stream: TcpStream, seed: usize| {
            let (mut read, mut write) = stream.into_split();
            let sent: Vec<u8> = (0..MANY).map(|i| (i * 31 + i / 4096 + seed) as u8).collect();
            let mut got = Vec::new();
            let (write_result, read_result) = tokio::join!(
                async {
                    write.write_all(&sent).await?;
                    write.shutdown().await
                },
                read.read_to_end(&mut got)
            );
            write_result.unwrap();
            read_result.unwrap();
            (sent, got)
        };
        let ((from_client, at_client), (from_server, at_server)) =
            tokio::join!(pump(client, 1), pump(server, 2));
        assert!(from_client == at_server && from_server == at_client);
        mesh.web.drain().await;
        mesh.backend.drain().await;
        let (web, backend) = (scrape(&mesh.web).await, scrape(&mesh.backend).await);
        for family in ["envoy_tcp_downstream_cx_rx_bytes_total", "envoy_tcp_downstream_cx_tx_bytes_total"] {
            for text in [&web, &backend] {
                assert_eq!(metric(text, family), Some(MANY as f64), "{family}");
            }
        }
        for text in [&web, &backend] {
            assert_eq!(metric(text, "envoy_cluster_upstream_cx_rx_bytes_total"), Some(MANY as f64));
            assert_eq!(metric(text, "envoy_cluster_upstream_cx_tx_bytes_total"), Some(MANY as f64));
            assert_eq!(metric(text, "envoy_listener_downstream_cx_active"), Some(0.0));
            assert_eq!(metric(text, "envoy_cluster_upstream_cx_active"), Some(0.0));
            assert_eq!(metric(text, "envoy_listener_downstream_cx_length_ms_count"), Some(1.0));
            assert!(!text.contains("_http_") && !text.contains("envoy_response_code"), "{text}");
        }
        assert_eq!(metric(&web, "envoy_cluster_ssl_handshake"), Some(1.0));
        assert_eq!(metric(&backend, "envoy_listener_ssl_handshake"), Some(1.0));
        assert_eq!(metric(&backend, "envoy_rbac_allowed"), Some(1.0));
        assert!(
            backend.contains("envoy_listener_ssl_versions{") && backend.contains("\"TLSv1.3\""),
            "{backend}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_app_that_refuses_gives_a_close_without_data() {
    for setup in [PLAIN, STRICT] {
        within(async {
            let gone = app().await.addr;
            let mesh = mesh(setup, gone).await;
            let mut client = TcpStream::connect(mesh.dial).await.unwrap();
            let mut got = Vec::new();
            match client.read_to_end(&mut got).await {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            }
            assert!(got.is_empty());
            mesh.backend.drain().await;
            let text = scrape(&mesh.backend).await;
            assert_eq!(metric(&text, "envoy_cluster_upstream_cx_connect_fail"), Some(1.0));
            assert_eq!(metric(&text, "envoy_cluster_upstream_cx_connect_attempts_exceeded"), Some(1.0));
        })
        .await;
    }
}

#[tokio::test]
async fn without_the_peer_five_attempts_are_made_and_without_endpoints_none() {
    within(async {
        let app = app().await;
        let mesh = mesh(STRICT, app.addr).await;
        mesh.backend.drain().await;
        let mut client = TcpStream::connect(mesh.dial).await.unwrap();
        let _ = client.read_u8().await.unwrap_err();
        let mut client = TcpStream::connect(mesh.dial_nobody).await.unwrap();
        let _ = client.read_u8().await.unwrap_err();
        mesh.web.drain().await;
        let text = scrape(&mesh.web).await;
        assert_eq!(metric(&text, "envoy_cluster_upstream_cx_connect_fail"), Some(5.0));
        assert_eq!(metric(&text, "envoy_cluster_upstream_cx_none_healthy"), Some(1.0));
    })
    .await;
}

#[tokio::test]
async fn without_permission_nothing_passes_and_the_app_is_not_called() {
    const OTHER: &str = "
type: MeshTrafficPermission
mesh: lab
name: other
spec: {rules: [{default: {allow: [{spiffeID: {type: Exact, value: spiffe://lab/other}}]}}]}
";
    const DENIED: &str = "
type: MeshTrafficPermission
mesh: lab
name: all
spec: {from: [{targetRef: {kind: Mesh}, default: {action: Allow}}]}
---
type: MeshTrafficPermission
mesh: lab
name: but
spec: {targetRef: {kind: Dataplane}, rules: [{default: {deny: [{spiffeID: {type: Prefix, value: spiffe://lab/w}}]}}]}
";
    for (permissions, allowed) in [("", false), (OTHER, false), (DENIED, false), (ALLOW_ALL, true)] {
        within(async {
            let app = app().await;
            let mesh = mesh(Setup { permissions, ..STRICT }, app.addr).await;
            let mut client = TcpStream::connect(mesh.dial).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            if allowed {
                assert_eq!(app.accept().await.read_u8().await.unwrap(), b'h');
                return;
            }
            let mut got = Vec::new();
            let _ = client.read_to_end(&mut got).await;
            assert!(got.is_empty());
            drop(client);
            mesh.web.drain().await;
            mesh.backend.drain().await;
            assert!(app.was_not_called(), "{permissions}");
            assert_eq!(metric(&scrape(&mesh.backend).await, "envoy_rbac_denied"), Some(1.0));
        })
        .await;
    }
}

#[tokio::test]
async fn draining_waits_for_connections_and_takes_no_new_ones() {
    within(async {
        let app = app().await;
        let mesh = mesh(STRICT, app.addr).await;
        let mut client = TcpStream::connect(mesh.dial).await.unwrap();
        client.write_all(b"x").await.unwrap();
        let mut server = app.accept().await;
        {
            let mut drained = std::pin::pin!(mesh.web.drain());
            assert!(futures_now(drained.as_mut()).await.is_none(), "drained with a connection in flight");
            // The accept loop has had its turn by the time a refusal is seen.
            while TcpStream::connect(mesh.dial).await.is_ok() {
                tokio::task::yield_now().await;
            }
            assert_eq!(server.read_u8().await.unwrap(), b'x');
            server.write_all(b"y").await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), b'y');
            drop((client, server));
            drained.await;
        }
        mesh.web.drain().await;
        assert_eq!(metric(&scrape(&mesh.web).await, "envoy_listener_downstream_cx_active"), Some(0.0));
    })
    .await;
}

/// The future's output, if it is there at the first look.
async fn futures_now<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn stopping_and_dropping_reset_what_is_left() {
    for by_drop in [false, true] {
        within(async {
            let app = app().await;
            let mesh = mesh(PLAIN, app.addr).await;
            let mut client = TcpStream::connect(mesh.dial).await.unwrap();
            let mut server = app.accept().await;
            // Until a byte is through, the sidecar may still be about to connect.
            client.write_u8(1).await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), 1);
            let web = if by_drop {
                drop(mesh.web);
                None
            } else {
                mesh.web.stop();
                Some(mesh.web)
            };
            assert_eq!(client.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(server.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            if let Some(web) = web {
                web.drain().await;
                assert!(TcpStream::connect(mesh.dial).await.is_err());
            }
        })
        .await;
    }
}

#[tokio::test]
async fn nothing_moving_for_the_idle_timeout_closes_both_sides() {
    const QUICK: &str = "
type: MeshTimeout
mesh: lab
name: quick
spec: {to: [{targetRef: {kind: MeshService, name: backend}, default: {idleTimeout: 300ms}}]}
";
    within(async {
        let app = app().await;
        let mesh = mesh(Setup { timeouts: QUICK, ..STRICT }, app.addr).await;
        let mut client = TcpStream::connect(mesh.dial).await.unwrap();
        let mut server = app.accept().await;
        let began = Instant::now();
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
        mesh.web.drain().await;
        let text = scrape(&mesh.web).await;
        assert_eq!(metric(&text, "envoy_tcp_idle_timeout"), Some(1.0));
    })
    .await;
}

#[tokio::test]
async fn many_connections_at_once() {
    within(async {
        let app = app().await;
        let mesh = mesh(STRICT, app.addr).await;
        let mut pairs = Vec::new();
        for i in 0..100_u8 {
            let mut client = TcpStream::connect(mesh.dial).await.unwrap();
            client.write_u8(i).await.unwrap();
            pairs.push((client, app.accept().await, i));
        }
        for (client, server, i) in &mut pairs {
            assert_eq!(server.read_u8().await.unwrap(), *i);
            server.write_u8(*i).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), *i);
        }
        assert_eq!(metric(&scrape(&mesh.web).await, "envoy_listener_downstream_cx_active"), Some(100.0));
    })
    .await;
}

#[tokio::test]
async fn the_admin_endpoint_answers_and_is_not_traffic() {
    within(async {
        let app = app().await;
        let mesh = mesh(PLAIN, app.addr).await;
        let get = async |path: &str| common::get(mesh.web.admin_addr().unwrap(), path).await;
        let ready = get("/ready").await;
        assert!(ready.starts_with("HTTP/1.1 200 ") && ready.ends_with("\r\n\r\nLIVE\n"), "{ready}");
        assert!(!ready.to_lowercase().contains("date:"), "{ready}");
        assert!(get("/other").await.starts_with("HTTP/1.1 404 "));
        let metrics = get("/stats/prometheus").await;
        assert!(metrics.contains("content-type: text/plain; version=0.0.4\r\n"), "{metrics}");
        assert!(!metrics.contains("cx_total"), "{metrics}");
    })
    .await;
}
