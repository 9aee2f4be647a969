//! Sidecars as processes on real sockets: a pair carries a request through mesh TLS, is scraped, drained and stopped, and leaves nothing; nor does
//! a harness that is killed. With the reference dataplane always, with Envoy where there is one (`CONFORM_ENVOY`, or `envoy` on the PATH).

use std::future::Future;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use harness::dataplane::adapter::Adapter;
use harness::dataplane::http::{Answer, exchange};
use harness::dataplane::plan::Plan;
use harness::dataplane::process::{DriverError, Process, ProcessSidecar, StartError};
use harness::dataplane::{Pod, Sidecar as _};
use harness::observe::dictionary::Dictionary;
use harness::observe::metrics::Metrics;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

#[path = "shared/ca.rs"]
mod ca;
#[path = "shared/programs.rs"]
mod programs;

/// Makes this program the helper that starts a sidecar and waits to be killed; its value is the sidecar's folder.
const HELPER: &str = "CONFORM_TEST_HELPER";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Says something that a test's reader should see, whatever becomes of the test.
fn say(what: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// The process of a dataplane. The reference dataplane's must be there, another one's may.
fn process(name: &str) -> Option<Process> {
    let adapter = Adapter::find(&root(), name).unwrap_or_else(|wrong| panic!("{wrong}"));
    match Process::new(adapter, &root()) {
        Ok(process) => {
            if name == "reference" {
                programs::check(process.program(), &root());
            }
            Some(process)
        }
        Err(why) if name == "reference" => panic!("{why}: run `cargo build -p reference-dp --bins`"),
        Err(why) => {
            say(&format!("not run with {name}: {why}"));
            None
        }
    }
}

/// A mesh of two pods on addresses of its own: web calls backend, whose app is at `app`.
struct World {
    web: Ipv4Addr,
    backend: Ipv4Addr,
    app: SocketAddr,
    authority: (String, String),
    dir: tempfile::TempDir,
}

impl World {
    /// `number` tells the worlds of this test program apart.
    fn new(number: u8) -> Self {
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = |host: u8| Ipv4Addr::new(127, high | 0x80, low, number * 8 + host);
        let app = serve(SocketAddr::from((address(3), 8080)));
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        Self { web: address(1), backend: address(2), app, authority: ca::new(), dir }
    }

    fn outbound(&self) -> SocketAddr {
        SocketAddr::from((self.web, 20000))
    }

    fn resources(&self) -> Vec<(String, String)> {
        let Self { web, backend, app, .. } = self;
        let text = format!(
            "type: Mesh
name: default
mtls: {{enabledBackend: ca, backends: [{{name: ca, type: builtin, mode: STRICT}}]}}
---
type: MeshTrafficPermission
mesh: default
name: all
spec: {{targetRef: {{kind: Mesh}}, from: [{{targetRef: {{kind: Mesh}}, default: {{action: Allow}}}}]}}
---
type: Dataplane
mesh: default
name: web
networking:
  address: {web}
  inbound: [{{port: 10080, state: Ignored, tags: {{kuma.io/service: web}}}}]
  outbound: [{{address: {web}, port: 20000, backendRef: {{kind: MeshService, name: backend, port: 10080}}}}]
---
type: Dataplane
mesh: default
name: backend
networking:
  address: {backend}
  inbound:
    - port: 10080
      servicePort: {}
      serviceAddress: {}
      tags: {{kuma.io/service: backend, kuma.io/protocol: http}}
",
            app.port(),
            app.ip(),
        );
        vec![("all.yaml".to_owned(), text)]
    }

    async fn start(&self, process: &Process, name: &str) -> Result<ProcessSidecar, StartError> {
        let resources = self.resources();
        let plan = Plan::resolve(&resources, name).unwrap_or_else(|error| panic!("{error}"));
        let address = if name == "web" { self.web } else { self.backend };
        let pod = Pod {
            name: name.to_owned(),
            resources,
            authority: Some(self.authority.clone()),
            admin: SocketAddr::from((address, 9901)),
        };
        process.start(&pod, &plan, &self.dir.path().join(name), now()).await
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates of processes are dated by the real clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// An app that answers every request with `ok`.
fn serve(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let Ok(mut stream) = stream else { return };
                let (mut head, mut byte) = (Vec::new(), [0]);
                while stream.read(&mut byte).is_ok_and(|read| read == 1) {
                    head.push(byte[0]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        if stream.write_all(answer).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
    let answer = exchange(stream, ("GET", &address.to_string(), path)).await;
    answer.unwrap_or_else(|error| panic!("{address}{path}: {error}"))
}

/// A signal, as the dataplane's dictionary reads it.
async fn signal(sidecar: &ProcessSidecar, dictionary: &Dictionary, name: &str) -> f64 {
    let (address, path) = sidecar.metrics().unwrap_or_else(|| panic!("no metrics"));
    let text = String::from_utf8(get(address, path).await.body).unwrap_or_else(|error| panic!("{error}"));
    let metrics = Metrics::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    dictionary.value(&metrics, name).unwrap_or_else(|error| panic!("{error}")).unwrap_or(0.0)
}

/// Processes that work in a folder.
fn working_in(dir: &Path) -> Vec<String> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let there = |path: PathBuf| std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    all.filter(|entry| there(entry.path())).map(|entry| entry.path().display().to_string()).collect()
}

fn dictionary(process: &Process) -> Dictionary {
    let text = std::fs::read_to_string(process.adapter().dir.join("dictionary.yaml"));
    let text = text.unwrap_or_else(|error| panic!("{error}"));
    Dictionary::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// The deadline of a test: a busy machine keeps it many times over.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(std::time::Duration::from_secs(60), work).await;
    done.unwrap_or_else(|_| panic!("it takes longer than a minute"))
}

/// Web's sidecar is of one dataplane, backend's of another.
async fn carries_a_request(web: &str, backend: &str, number: u8) {
    let (Some(web), Some(backend)) = (process(web), process(backend)) else { return };
    let world = World::new(number);
    let mut sidecars = Vec::new();
    for (process, pod) in [(&backend, "backend"), (&web, "web")] {
        let version = process.version().unwrap_or_else(|error| panic!("{error}"));
        say(&format!("{pod}: {} {}", process.adapter().name, version.unwrap_or_default()));
        let sidecar = world.start(process, pod).await.unwrap_or_else(|error| panic!("{pod}: {error}"));
        sidecars.push((sidecar, dictionary(process)));
    }
    assert_eq!(get(world.outbound(), "/").await, Answer { status: 200, body: b"ok".to_vec() });
    for (sidecar, dictionary) in &sidecars {
        for name in ["http.requests", "upstream.requests", "listener.connections"] {
            assert_eq!(signal(sidecar, dictionary, name).await, 1.0, "{name}: {}", sidecar.output());
        }
    }
    assert_eq!(signal(&sidecars[0].0, &sidecars[0].1, "tls.handshakes").await, 1.0);
    // The caller's first: its pooled connection goes with it.
    for (sidecar, _) in sidecars.iter().rev() {
        sidecar.drained().await.unwrap_or_else(|error| panic!("{error}: {}", sidecar.output()));
        assert!(TcpStream::connect(world.outbound()).await.is_err());
        sidecar.stop();
        sidecar.ended().await;
        assert!(sidecar.key_log().await.is_ok_and(|lines| !lines.is_empty()), "no secrets");
    }
    assert_eq!(working_in(world.dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_pair_of_references_carries_a_request() {
    in_time(carries_a_request("reference", "reference", 0)).await;
}

#[tokio::test]
async fn a_pair_of_envoys_carries_a_request() {
    in_time(carries_a_request("envoy", "envoy", 1)).await;
}

#[tokio::test]
async fn a_reference_and_an_envoy_understand_each_other() {
    in_time(carries_a_request("reference", "envoy", 6)).await;
    in_time(carries_a_request("envoy", "reference", 7)).await;
}

#[tokio::test]
async fn a_pair_of_relays_is_driven_and_carries_a_request_in_clear() {
    in_time(async {
        let adapter = Adapter::find(&root(), "passthrough").unwrap_or_else(|wrong| panic!("{wrong}"));
        let process = Process::new(adapter, &root()).unwrap_or_else(|why| panic!("{why}"));
        let world = World::new(5);
        let backend = world.start(&process, "backend").await.unwrap_or_else(|error| panic!("{error}"));
        let web = world.start(&process, "web").await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(get(world.outbound(), "/").await, Answer { status: 200, body: b"ok".to_vec() });
        // Nor is there anything that keeps a stranger out.
        assert_eq!(get(SocketAddr::from((world.backend, 10080)), "/").await.status, 200);
        assert_eq!(web.metrics(), None);
        assert_eq!((web.collect().await, web.key_log().await), (None, Ok(Vec::new())));
        let plan = Plan::resolve(&world.resources(), "web").unwrap_or_else(|error| panic!("{error}"));
        assert!(web.apply(&plan).await.is_err_and(|error| matches!(error, DriverError::Unsupported(_))));
        for sidecar in [web, backend] {
            sidecar.drained().await.unwrap_or_else(|error| panic!("{error}: {}", sidecar.output()));
            assert!(TcpStream::connect(world.outbound()).await.is_err());
            sidecar.stop();
            sidecar.ended().await;
        }
        assert_eq!(working_in(world.dir.path()), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_at_once() {
    in_time(async {
        for (name, number) in [("reference", 2), ("envoy", 3)] {
            let Some(process) = process(name) else { continue };
            let world = World::new(number);
            let taken = TcpListener::bind(world.outbound()).unwrap_or_else(|error| panic!("{error}"));
            let error = world.start(&process, "web").await.map(|_| ()).unwrap_err();
            let address = taken.local_addr().unwrap_or_else(|error| panic!("{error}"));
            assert!(matches!(error, StartError::Ended { .. }), "{error}");
            assert!(error.to_string().contains(&address.to_string()), "{error}");
            assert_eq!(working_in(world.dir.path()), Vec::<String>::new());
        }
    })
    .await;
}

/// What becomes readable when a process ends.
#[expect(
    deprecated,
    reason = "its successor is unsafe for types that may give up their descriptor, which OwnedFd never does"
)]
fn end_of(pid: i32) -> std::io::Result<AsyncFd<std::os::fd::OwnedFd>> {
    let pid = Pid::from_raw(pid).ok_or_else(|| std::io::Error::other("no process has the id 0"))?;
    AsyncFd::with_interest(pidfd_open(pid, PidfdFlags::NONBLOCK)?, Interest::READABLE)
}

#[tokio::test]
async fn a_killed_harness_leaves_no_sidecar() {
    in_time(async {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let mut helper = Command::new(std::env::current_exe().unwrap_or_default())
            .args(["--exact", "the_helper_that_is_killed", "--nocapture"])
            .env(HELPER, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{error}"));
        let lines = BufReader::new(helper.stdout.take().unwrap_or_else(|| panic!("no pipe"))).lines();
        let pid = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("sidecar ")?.parse().ok());
        let pid = pid.unwrap_or_else(|| panic!("the helper started no sidecar"));
        let end = end_of(pid).unwrap_or_else(|error| panic!("{error}"));
        helper.kill().unwrap_or_else(|error| panic!("{error}"));
        let ended = end.readable().await.map(|_| ());
        assert!(ended.is_ok(), "{ended:?}");
        let _ = helper.wait();
    })
    .await;
}

/// Not a test of its own: the other side of the one above.
#[tokio::test]
async fn the_helper_that_is_killed() {
    let Some(dir) = std::env::var_os(HELPER) else { return };
    let Some(process) = process("reference") else { return };
    let mut world = World::new(4);
    world.dir = tempfile::tempdir_in(dir).unwrap_or_else(|error| panic!("{error}"));
    let sidecar = world.start(&process, "web").await.unwrap_or_else(|error| panic!("{error}"));
    writeln!(std::io::stdout(), "\nsidecar {}", sidecar.id()).unwrap_or_else(|error| panic!("{error}"));
    std::future::pending::<()>().await;
}
