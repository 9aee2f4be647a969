//! The seam to tasks: everything a dataplane runs belongs to one [`Spawn`], so that a crash can end it whole.

use std::future::Future;
use std::pin::Pin;

/// A task of the dataplane.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts tasks that belong to one dataplane.
pub trait Spawn: Send + Sync + 'static {
    /// Runs `task` until it ends or the dataplane is ended.
    fn spawn(&self, task: Task);
}

/// Tasks of the process's own tokio runtime; they end with the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuntimeSpawn;

impl Spawn for RuntimeSpawn {
    #[expect(clippy::disallowed_methods, reason = "the one place where real tasks start")]
    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }
}
