//! The control that must fail: a plain relay that knows neither TLS nor HTTP nor permissions, and claims every feature. Speaks the exec driver's
//! protocol, docs/adapters.md.

use std::io::{self, BufRead as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

/// Threads only copy.
const STACK: usize = 64 * 1024;

/// All that listens and all that is open.
#[derive(Default)]
struct Relay {
    listeners: Mutex<Vec<(SocketAddr, thread::JoinHandle<()>)>>,
    draining: AtomicBool,
    open: Mutex<usize>,
    closed: Condvar,
}

fn main() -> io::Result<()> {
    let relay = Arc::new(Relay::default());
    let mut out = io::stdout().lock();
    // The harness' end is ours: then there are no more lines.
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let asked = |name: &str| request.get(name);
        let reply = if let Some(start) = asked("start") {
            match relay.start(&start["plan"]) {
                Ok(()) => json!({"ready": {"ports": {}}}),
                Err(error) => json!({"error": error.to_string()}),
            }
        } else if asked("collect").is_some() {
            json!({"collected": {}})
        } else if asked("drain").is_some() {
            relay.drain();
            json!({"drained": {}})
        } else if asked("stop").is_some() {
            writeln!(out, "{}", json!({"stopped": {}}))?;
            return Ok(());
        } else {
            json!({"unsupported": format!("{request} is not known here")})
        };
        writeln!(out, "{reply}")?;
        out.flush()?;
    }
    Ok(())
}

impl Relay {
    /// Listens wherever the plan says.
    fn start(self: &Arc<Self>, plan: &Value) -> io::Result<()> {
        let sides = [&plan["inbounds"], &plan["outbounds"]];
        for listener in sides.into_iter().filter_map(Value::as_array).flatten() {
            let endpoints = listener["cluster"]["endpoints"].as_array().cloned().unwrap_or_default();
            let endpoints = endpoints.iter().map(address).collect::<io::Result<Vec<_>>>()?;
            let at = address(&listener["listen"])?;
            let socket = TcpListener::bind(at)
                .map_err(|error| io::Error::new(error.kind(), format!("listening at {at}: {error}")))?;
            let relay = Arc::clone(self);
            let accepting = spawn(move || relay.accept(&socket, &endpoints))?;
            self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push((at, accepting));
        }
        Ok(())
    }

    fn accept(self: &Arc<Self>, socket: &TcpListener, endpoints: &[SocketAddr]) {
        let next = AtomicUsize::new(0);
        for client in socket.incoming() {
            if self.draining.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = client else { continue };
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(to) = endpoints.get(turn.checked_rem(endpoints.len()).unwrap_or(0)).copied() else {
                continue;
            };
            *self.open.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            let relay = Arc::clone(self);
            let carried = spawn(move || {
                // A client whose endpoint is not there sees its connection close.
                let _ = carry(client, to);
                relay.closed();
            });
            if carried.is_err() {
                self.closed();
            }
        }
    }

    fn closed(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.closed.notify_all();
    }

    /// Stops listening, and waits for what is open.
    fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        for (at, accepting) in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Wakes the listener, which then sees that it is to end.
            let _ = (TcpStream::connect(at), accepting.join());
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while *open > 0 {
            open = self.closed.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn address(value: &Value) -> io::Result<SocketAddr> {
    let text = value.as_str().unwrap_or_default();
    text.parse().map_err(|error| io::Error::other(format!("{text:?}: {error}")))
}

/// Carries bytes both ways until both have ended.
fn carry(client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let up = spawn(move || copy(&from_client, &to_server))?;
    copy(&server, &client);
    // It tells nothing but that it has ended.
    let _ = up.join();
    Ok(())
}

/// Copies until the end, which is passed on; what breaks, breaks both.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    if io::copy(&mut from, &mut to).is_ok() {
        let _ = to.shutdown(Shutdown::Write);
    } else {
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().stack_size(STACK).spawn(work)
}
