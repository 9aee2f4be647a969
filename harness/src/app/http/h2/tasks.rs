//! Where hyper's tasks run: spawned for the app's host, and ended with their connection.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::rt::Executor;
use reference_dp::spawn::Spawn;
use tokio::sync::mpsc;

use crate::app::http::shared::SharedLine;

/// Starts tasks of one connection.
#[derive(Clone)]
pub(super) struct Tasks {
    spawn: Arc<dyn Spawn>,
    running: mpsc::UnboundedSender<Infallible>,
}

/// Dropping it ends the connection at once, and its tasks, which have hands on it, soon after.
#[derive(Debug)]
pub(in crate::app::http) struct Leash<S> {
    running: mpsc::UnboundedReceiver<Infallible>,
    line: SharedLine<S>,
}

/// Tasks of a new connection.
pub(super) fn tasks<S>(spawn: &Arc<dyn Spawn>, line: &SharedLine<S>) -> (Tasks, Leash<S>) {
    let (sender, running) = mpsc::unbounded_channel();
    (Tasks { spawn: spawn.clone(), running: sender }, Leash { running, line: line.clone() })
}

impl<S> Leash<S> {
    /// Waits until every task has ended and no more can start.
    pub(super) async fn ended(&mut self) {
        // Nothing is ever sent.
        let _ = self.running.recv().await;
    }
}

impl<S> Drop for Leash<S> {
    fn drop(&mut self) {
        self.line.lock().abandon();
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let running = self.running.clone();
        self.spawn.spawn(Box::pin(async move {
            tokio::select! {
                biased;
                () = running.closed() => {}
                () = task => {}
            }
        }));
    }
}
