//! The simulator's traps, each with the test that would fall into it. What Linux does is asked in tests/tests/fidelity.rs; here is what only a
//! simulator can get wrong.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use harness::scenario::{Condition, Direction, Fault, Latency, Link, When};
use harness::sim::network::SimNetwork;
use harness::sim::run::{Broken, Config, Outcome, Sim, run};
use harness::sim::topology::{HostId, Topology};
use reference_dp::net::{Listener as _, Network as _, Stream as _};
use reference_dp::spawn::Spawn as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

/// Runs `body` between the hosts `a` and `b`.
fn between<T, F, B>(seed: u64, body: B) -> Outcome<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
    B: FnOnce(World) -> F + Send + 'static,
{
    try_between(seed, body).expect("the run ends well")
}

fn try_between<T, F, B>(seed: u64, body: B) -> Result<Outcome<T>, Broken>
where
    T: Send + 'static,
    F: Future<Output = T>,
    B: FnOnce(World) -> F + Send + 'static,
{
    let config = Config { seed, watchdog: Duration::from_secs(20), ..Config::default() };
    run(&config, Topology::of_pods([("a", false), ("b", false)]), move |sim| body(World(sim)))
}

#[derive(Clone)]
struct World(Sim);

impl World {
    fn host(&self, name: &str) -> HostId {
        self.0.topology.host(name).expect("a host")
    }

    fn network(&self, name: &str) -> SimNetwork {
        self.0.network(self.host(name))
    }

    fn address(&self, name: &str, port: u16) -> std::net::SocketAddr {
        (self.0.topology.pod_address(name).expect("a pod"), port).into()
    }

    /// An echo server on `b`.
    async fn echo(&self, port: u16) {
        let mut listener = self.network("b").bind(self.address("b", port)).await.expect("binds");
        let spawn = self.0.spawn(self.host("b"));
        let connections = spawn.clone();
        spawn.spawn(Box::pin(async move {
            while let Ok(accepted) = listener.accept().await {
                connections.spawn(Box::pin(async move {
                    let (mut read, mut write) = tokio::io::split(accepted.stream);
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                    let _ = write.shutdown().await;
                }));
            }
        }));
    }

    fn fault(&self, condition: Condition, direction: Direction) {
        let link = Link { from: "a".into(), to: "b".into() };
        self.0.wires.set_fault(&Fault { link, direction, condition, when: When::Now });
    }

    fn heal(&self) {
        self.0.wires.heal(&Link { from: "a".into(), to: "b".into() });
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.clock.nanos())
    }
}

/// One turn of an echo: five bytes there and back.
async fn turn(stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin)) -> bool {
    let mut buf = [0; 5];
    stream.write_all(b"hello").await.is_ok() && stream.read_exact(&mut buf).await.is_ok() && &buf == b"hello"
}

#[test]
fn chance_is_seeded_whatever_its_source() {
    fn draws(seed: u64) -> Vec<(&'static str, String)> {
        between(seed, |world| async move {
            let spawn = world.0.spawn(world.host("a"));
            let drawn = Arc::new(Mutex::new(Vec::new()));
            let into = Arc::clone(&drawn);
            spawn.spawn(Box::pin(async move {
                let mut a = [0_u8; 16];
                getrandom_03::fill(&mut a).unwrap();
                let mut b = [0_u8; 16];
                getrandom_04::fill(&mut b).unwrap();
                *into.lock().unwrap() = vec![
                    ("RandomState", RandomState::new().hash_one(1).to_string()),
                    ("getrandom 0.3", format!("{a:?}")),
                    ("getrandom 0.4", format!("{b:?}")),
                    ("rand 0.9", rand_09::random::<u64>().to_string()),
                    ("rand 0.10", rand_010::random::<u64>().to_string()),
                    ("uuid", uuid::Uuid::new_v4().to_string()),
                ];
            }));
            sleep(Duration::from_millis(1)).await;
            drawn.lock().map(|drawn| drawn.clone()).unwrap_or_default()
        })
        .value
    }
    let first = draws(1);
    assert_eq!(first.len(), 6);
    assert_eq!(first, draws(1));
    for (one, other) in first.iter().zip(draws(2)) {
        assert_ne!(one.1, other.1, "{} does not depend on the seed", one.0);
    }
}

#[test]
fn clocks_stand_on_virtual_time() {
    let (steady, wall, wait) = between(0, |world| async move {
        let spawn = world.0.spawn(world.host("a"));
        let seen = Arc::new(Mutex::new(None));
        let into = Arc::clone(&seen);
        spawn.spawn(Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "the test is about this very call")]
            let (steady, wall) = (Instant::now(), SystemTime::now());
            sleep(Duration::from_secs(86_400)).await;
            #[expect(clippy::disallowed_methods, reason = "the test is about this very call")]
            let later = SystemTime::now();
            *into.lock().unwrap() = Some((
                steady.elapsed(),
                later.duration_since(wall).unwrap(),
                wall.duration_since(SystemTime::UNIX_EPOCH).unwrap(),
            ));
        }));
        sleep(Duration::from_secs(100_000)).await;
        let seen = seen.lock().unwrap().take();
        seen.expect("the task ended")
    })
    .value;
    assert_eq!(steady.as_secs(), 86_400);
    assert_eq!(wall.as_secs(), 86_400);
    assert_eq!(wait.as_secs(), entropy_epoch(), "2030-01-01");
}

/// 2030-01-01T00:00:00Z by `date -ud 2030-01-01 +%s`.
const fn entropy_epoch() -> u64 {
    1_893_456_000
}

#[test]
fn outside_a_run_chance_and_time_are_the_machines() {
    let mut a = [0_u8; 16];
    let mut b = [0_u8; 16];
    getrandom_03::fill(&mut a).unwrap();
    getrandom_03::fill(&mut b).unwrap();
    assert_ne!(a, b);
    #[expect(clippy::disallowed_methods, reason = "the test is about this very call")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(now.as_secs() > 1_700_000_000 && now.as_secs() != entropy_epoch());
}

#[test]
fn order_of_select_depends_on_the_seed() {
    assert!(harness::sim::run::select_is_seeded(), "built without --cfg tokio_unstable");
    fn order(seed: u64) -> Vec<u8> {
        between(seed, |_| async {
            let mut order = Vec::new();
            for _ in 0..64 {
                tokio::select! {
                    () = std::future::ready(()) => order.push(0),
                    () = std::future::ready(()) => order.push(1),
                }
            }
            order
        })
        .value
    }
    assert_eq!(order(3), order(3));
    assert_ne!(order(3), order(4));
}

#[test]
fn a_cancelled_connect_touches_no_other_host() {
    let alive = between(0, |world| async move {
        world.echo(7).await;
        // Socket numbers of the two hosts run in parallel: closing the wrong host's would end the listener or the stream.
        let mut stream = world.network("a").connect(world.address("b", 7)).await.unwrap();
        world.fault(Condition::Hold, Direction::Both);
        for _ in 0..10 {
            let network = world.network("a");
            let pending = network.connect(world.address("b", 7));
            assert!(timeout(Duration::from_millis(5), pending).await.is_err());
        }
        world.heal();
        let mut second = world.network("a").connect(world.address("b", 7)).await.unwrap();
        turn(&mut stream).await && turn(&mut second).await
    })
    .value;
    assert!(alive);
}

#[test]
fn two_thousand_connects_at_once_all_succeed() {
    let done = between(0, |world| async move {
        world.echo(7).await;
        let done = Arc::new(AtomicU32::new(0));
        let spawn = world.0.spawn(world.host("a"));
        for _ in 0..2000 {
            let (network, to, done) = (world.network("a"), world.address("b", 7), Arc::clone(&done));
            spawn.spawn(Box::pin(async move {
                let mut stream = network.connect(to).await.unwrap();
                if turn(&mut stream).await {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        sleep(Duration::from_secs(60)).await;
        done.load(Ordering::Relaxed)
    })
    .value;
    assert_eq!(done, 2000);
}

#[test]
fn a_partition_of_hours_loses_and_doubles_nothing() {
    for condition in [Condition::Hold, Condition::Blackhole] {
        let outcome = between(0, |world| async move {
            world.echo(7).await;
            let mut stream = world.network("a").connect(world.address("b", 7)).await.unwrap();
            world.fault(condition, Direction::Both);
            stream.write_all(b"hello").await.unwrap();
            let mut buf = [0; 6];
            let silent = timeout(Duration::from_secs(7200), stream.read(&mut buf)).await.is_err();
            world.heal();
            stream.read_exact(&mut buf[..5]).await.unwrap();
            stream.shutdown().await.unwrap();
            (silent, buf, stream.read(&mut buf).await.unwrap())
        });
        assert_eq!(outcome.value, (true, *b"hello\0", 0));
    }
}

#[test]
fn a_one_way_blackhole_lets_the_other_way_pass() {
    let (there, back) = between(0, |world| async move {
        let mut listener = world.network("b").bind(world.address("b", 7)).await.unwrap();
        let network = world.network("a");
        let to = world.address("b", 7);
        let (client, server) = tokio::join!(network.connect(to), listener.accept());
        let (mut client, mut server) = (client.unwrap(), server.unwrap().stream);
        sleep(Duration::from_millis(50)).await;
        world.fault(Condition::Blackhole, Direction::Forward);
        client.write_all(b"x").await.unwrap();
        server.write_all(b"y").await.unwrap();
        let limit = Duration::from_secs(60);
        (timeout(limit, server.read_u8()).await.is_ok(), timeout(limit, client.read_u8()).await.is_ok())
    })
    .value;
    assert_eq!((there, back), (false, true));
}

#[test]
fn an_orphan_waits_sixty_seconds_for_a_fin() {
    let (before, after, answer) = between(0, |world| async move {
        let mut listener = world.network("b").bind(world.address("b", 7)).await.unwrap();
        let network = world.network("a");
        let to = world.address("b", 7);
        let (client, server) = tokio::join!(network.connect(to), listener.accept());
        let mut server = server.unwrap().stream;
        drop(client);
        sleep(Duration::from_secs(50)).await;
        let before = world.0.wires.sockets_of(world.host("a"));
        sleep(Duration::from_secs(20)).await;
        let after = world.0.wires.sockets_of(world.host("a"));
        // The kernel has forgotten the connection: data for it is answered with RST.
        server.write_all(b"x").await.unwrap();
        sleep(Duration::from_secs(1)).await;
        (before, after, server.write_all(b"y").await.is_err())
    })
    .value;
    assert_eq!(before.get("FIN_WAIT2"), Some(&1), "{before:?}");
    assert!(after.is_empty(), "{after:?}");
    assert!(answer);
}

#[test]
fn an_orphan_that_still_sends_is_not_cut() {
    let whole = between(0, |world| async move {
        let mut listener = world.network("b").bind(world.address("b", 7)).await.unwrap();
        let network = world.network("a");
        let to = world.address("b", 7);
        let (client, server) = tokio::join!(network.connect(to), listener.accept());
        let (mut client, mut server) = (client.unwrap(), server.unwrap().stream);
        // 60,000 bytes at 500 a second take two minutes.
        world.fault(Condition::Bandwidth(500), Direction::Both);
        client.write_all(&[1; 60_000]).await.unwrap();
        drop(client);
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.map(|n| (n, world.elapsed() > Duration::from_secs(100)))
    })
    .value;
    assert_eq!(whole.unwrap(), (60_000, true));
}

#[test]
fn a_crash_ends_a_host_whole() {
    let outcome = between(0, |world| async move {
        world.echo(7).await;
        let mut stream = world.network("a").connect(world.address("b", 7)).await.unwrap();
        assert!(turn(&mut stream).await);
        world.0.spawn(world.host("b")).crash().await;
        let end = stream.read(&mut [0; 1]).await;
        sleep(Duration::from_secs(1)).await;
        let refused = world.network("a").connect(world.address("b", 7)).await.is_err();
        drop(stream);
        sleep(Duration::from_secs(1)).await;
        let left = world.0.wires.sockets_of(world.host("b"));
        // A host that crashed can start again.
        world.echo(7).await;
        let mut again = world.network("a").connect(world.address("b", 7)).await.unwrap();
        (end.map_err(|e| e.kind()), refused, left.len(), turn(&mut again).await)
    });
    assert_eq!(outcome.value, (Ok(0), true, 0, true));
}

#[test]
fn a_panic_in_a_task_is_kept_with_its_backtrace() {
    let outcome = between(0, |world| async move {
        let host = world.host("a");
        world.0.spawn(host).spawn(Box::pin(async { panic!("out of cheese") }));
        sleep(Duration::from_secs(1)).await;
        host
    });
    let [panic] = &outcome.panics[..] else { panic!("{:?}", outcome.panics) };
    assert_eq!(panic.host, Some(outcome.value));
    assert!(
        panic.message.contains("out of cheese") && panic.message.contains("simulator.rs"),
        "{}",
        panic.message
    );
}

#[test]
fn a_stream_may_outlive_its_run() {
    let kept: Arc<Mutex<Option<_>>> = Arc::default();
    let into = Arc::clone(&kept);
    between(0, |world| async move {
        world.echo(7).await;
        *into.lock().unwrap() = Some(world.network("a").connect(world.address("b", 7)).await.unwrap());
    });
    // On another thread, without a kernel: neither drop nor reset may call into it.
    let stream = kept.lock().unwrap().take().expect("kept");
    stream.reset();
}

#[test]
fn a_day_of_idleness_is_one_jump() {
    let outcome = between(0, |world| async move {
        world.echo(7).await;
        let mut stream = world.network("a").connect(world.address("b", 7)).await.unwrap();
        sleep(Duration::from_secs(86_400)).await;
        (turn(&mut stream).await, world.elapsed().as_secs())
    });
    assert_eq!(outcome.value, (true, 86_400));
    assert!(outcome.hash.count < 20, "{} packets", outcome.hash.count);
}

#[test]
fn a_livelock_is_broken_not_a_hang() {
    let broken = try_between(0, |world| async move {
        let network = world.network("a");
        loop {
            // Touches sockets for ever, at one instant.
            drop(network.bind(world.address("a", 9)).await.unwrap());
            let listener = network.bind(world.address("a", 9)).await.unwrap();
            drop(listener);
            tokio::task::yield_now().await;
        }
    });
    let broken = broken.map(|outcome: Outcome<()>| outcome.value).unwrap_err();
    assert!(matches!(broken, Broken::Livelock(_)), "{broken}");
}

#[test]
fn a_stuck_run_is_ended_by_the_watchdog() {
    let config = Config { watchdog: Duration::from_millis(200), ..Config::default() };
    let (stop, wait) = std::sync::mpsc::channel::<()>();
    let broken = run(&config, Topology::of_pods([("a", false)]), move |_| async move {
        // Blocks the thread, as a dataplane that never yields would, until the test ends.
        let _ = wait.recv();
    });
    assert!(matches!(broken, Err(Broken::Stuck { .. })), "{broken:?}");
    drop(stop);
}

#[test]
fn a_seed_gives_the_same_packets_and_another_gives_others() {
    fn hashes(seed: u64) -> (String, String) {
        let outcome = between(seed, |world| async move {
            world.echo(7).await;
            world.fault(
                Condition::Latency(Latency::Range(Duration::ZERO, Duration::from_millis(9))),
                Direction::Both,
            );
            let mut stream = world.network("a").connect(world.address("b", 7)).await.unwrap();
            for _ in 0..20 {
                assert!(turn(&mut stream).await);
            }
        });
        (outcome.hash.packets, outcome.hash.schedule)
    }
    assert_eq!(hashes(5), hashes(5));
    let schedules: std::collections::BTreeSet<_> = (0..40).map(|seed| hashes(seed).1).collect();
    assert!(schedules.len() >= 38, "{} of 40 schedules differ", schedules.len());
}

#[test]
fn a_reset_of_a_link_ends_both_ends() {
    let (client, server) = between(0, |world| async move {
        let mut listener = world.network("b").bind(world.address("b", 7)).await.unwrap();
        let network = world.network("a");
        let to = world.address("b", 7);
        let (client, server) = tokio::join!(network.connect(to), listener.accept());
        let (mut client, mut server) = (client.unwrap(), server.unwrap().stream);
        world.fault(Condition::Reset, Direction::Both);
        let (c, s) = tokio::join!(client.read_u8(), server.read_u8());
        (c.map_err(|e| e.kind()), s.map_err(|e| e.kind()))
    })
    .value;
    assert_eq!(client, Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!(server, Err(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn a_fault_begins_after_so_many_bytes() {
    let sent = between(0, |world| async move {
        let mut listener = world.network("b").bind(world.address("b", 7)).await.unwrap();
        let link = Link { from: "a".into(), to: "b".into() };
        let when = When::AfterBytes(10_000);
        world.0.wires.set_fault(&Fault {
            link,
            direction: Direction::Forward,
            condition: Condition::Reset,
            when,
        });
        let network = world.network("a");
        let to = world.address("b", 7);
        let (client, server) = tokio::join!(network.connect(to), listener.accept());
        let (mut client, mut server) = (client.unwrap(), server.unwrap().stream);
        let mut sent = 0;
        while client.write_all(&[0; 1000]).await.is_ok() {
            sent += 1000;
            let mut buf = [0; 1000];
            if server.read_exact(&mut buf).await.is_err() {
                break;
            }
        }
        sent
    })
    .value;
    assert!((10_000..=12_000).contains(&sent), "{sent}");
}
