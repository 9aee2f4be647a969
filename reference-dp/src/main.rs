//! One sidecar as a process, on real sockets.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use reference_dp::clock::SystemClock;
use reference_dp::net::real::RealNetwork;
use reference_dp::plan::{self, Plan};
use reference_dp::proxy::{self, Seams, Sidecar};
use reference_dp::resource::{self, Resources, Source};
use reference_dp::spawn::RuntimeSpawn;
use reference_dp::tls::{self, Authority, KeyLogFile, SystemEntropy};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs one sidecar of a Kuma mesh, without a control plane.
///
/// Reads Kuma's Universal resources (Mesh, Dataplane, MeshService, MeshTimeout, MeshRetry, MeshTrafficPermission) from files, works
/// out what the sidecar of one Dataplane must do, and does it: it listens at the Dataplane's inbounds and outbounds and
/// carries connections. The files need the Dataplanes it calls, too.
///
/// When every listener is bound it logs `ready`, with the admin address. SIGTERM or SIGINT lets connections in flight
/// finish, for at most --drain-time, and exits.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 stopped by a signal, 1 failed at run time (a port is taken), 2 bad \
                                 usage or bad resources.\nRUST_LOG=debug logs every connection that fails, and why."
)]
struct Args {
    /// Files of resources; each may hold many documents
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    resources: Vec<PathBuf>,

    /// Name of the Dataplane to run
    #[arg(long, value_name = "NAME")]
    dataplane: String,

    /// Certificate of the mesh's CA, as PEM; needed if the Mesh has mTLS
    #[arg(long, value_name = "FILE", requires = "ca_key")]
    ca_cert: Option<PathBuf>,

    /// Private key of the mesh's CA, as PEM; the sidecar issues its own certificate with it
    #[arg(long, value_name = "FILE", requires = "ca_cert")]
    ca_key: Option<PathBuf>,

    /// Where to serve /ready and /stats/prometheus; port 0 takes a free one, which `ready` names
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,

    /// File to which the secrets of mesh TLS sessions are added, as lines of an NSS key log; who reads it reads the traffic
    #[arg(long, value_name = "FILE")]
    key_log: Option<PathBuf>,

    /// How long connections in flight may take to finish after a signal
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    drain_time: Duration,

    /// Form of the log, which goes to standard error
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Why the process ends in failure.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("error: {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    // Says `error` itself, with the place.
    #[error(transparent)]
    Resources(#[from] resource::Error),
    #[error("error: {0}")]
    Plan(#[from] plan::Error),
    #[error("error: {0}")]
    Authority(#[from] tls::Error),
    #[error("error: {0}; give --ca-cert and --ca-key")]
    MissingAuthority(proxy::Error),
    #[error("error: {}: {source}", path.display())]
    KeyLog { path: PathBuf, source: io::Error },
    #[error("error: {0}")]
    Start(proxy::Error),
    #[error("error: {0}")]
    System(#[from] io::Error),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Start(_) | Self::System(_) | Self::KeyLog { .. } => ExitCode::from(1),
            Self::Read { .. }
            | Self::Resources(_)
            | Self::Plan(_)
            | Self::Authority(_)
            | Self::MissingAuthority(_) => ExitCode::from(2),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    start_log(args.log_format);
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "{failure}");
            failure.exit_code()
        }
    }
}

fn start_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
        .from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let sources = args.resources.iter().map(|path| source(path)).collect::<Result<Vec<_>, _>>()?;
    let plan = Plan::resolve(&Resources::parse(&sources)?, &args.dataplane)?;
    let authority = match (&args.ca_cert, &args.ca_key) {
        (Some(cert), Some(key)) => Some(Authority::from_pem(&read(cert)?, &read(key)?)?),
        _ => None,
    };
    // One thread, like a sidecar with few cores to spare.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(args, plan, authority))
}

fn source(path: &Path) -> Result<Source, Failure> {
    Ok(Source { name: path.display().to_string(), text: read(path)? })
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|source| Failure::Read { path: path.to_owned(), source })
}

fn key_log(path: &Path) -> Result<Arc<dyn rustls::KeyLog>, Failure> {
    let file = KeyLogFile::open(path).map_err(|source| Failure::KeyLog { path: path.to_owned(), source })?;
    Ok(Arc::new(file))
}

async fn serve(args: &Args, plan: Plan, authority: Option<Authority>) -> Result<(), Failure> {
    // Before `ready` is said, or a signal right after it would kill the process undrained.
    let mut signals =
        Signals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
    let seams = Seams {
        network: RealNetwork,
        spawn: Arc::new(RuntimeSpawn),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        key_log: args.key_log.as_deref().map(key_log).transpose()?,
    };
    let sidecar = Sidecar::start(plan, authority, args.admin, seams).await.map_err(|error| match error {
        proxy::Error::MissingAuthority { .. } => Failure::MissingAuthority(error),
        proxy::Error::Tls(error) => Failure::Authority(error),
        error => Failure::Start(error),
    })?;
    let admin = sidecar.admin_addr().map(|addr| addr.to_string());
    tracing::info!(dataplane = args.dataplane, admin, "ready");
    signals.next().await;
    drain(&sidecar, args.drain_time, &mut signals).await;
    Ok(())
}

async fn drain(sidecar: &Sidecar, limit: Duration, signals: &mut Signals) {
    tracing::info!("draining");
    tokio::select! {
        biased;
        () = sidecar.drain() => tracing::info!("drained"),
        () = tokio::time::sleep(limit) => tracing::warn!("drain time is over, ending what is left"),
        () = signals.next() => tracing::warn!("second signal, ending what is left"),
    }
    sidecar.stop();
    // The connections' tasks still have to send their resets.
    sidecar.drain().await;
}

/// The signals that end a sidecar.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
