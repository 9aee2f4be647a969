//! Running, draining, stopped: what a sidecar's tasks obey, and the count of connections it waits for.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How far a sidecar has come. Only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// No connections come any more. (Before that, at 0, they come and go.)
    Draining = 1,
    /// All end.
    Stopped = 2,
}

/// Shared by a sidecar and all its tasks.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    phase: AtomicU8,
    phase_changed: Notify,
    live: AtomicUsize,
    none_live: Notify,
}

impl Lifecycle {
    /// Goes on to `phase`, unless it is already there or beyond.
    pub(crate) fn advance(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
        self.phase_changed.notify_waiters();
    }

    /// Whether `phase` or one beyond is reached.
    pub(crate) fn has_reached(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::SeqCst) >= phase as u8
    }

    /// Waits until `phase` or one beyond is reached.
    pub(crate) async fn reached(&self, phase: Phase) {
        loop {
            let mut changed = pin!(self.phase_changed.notified());
            // Registered before looking, so that no change is missed in between.
            changed.as_mut().enable();
            if self.has_reached(phase) {
                return;
            }
            changed.await;
        }
    }

    /// Counts something that draining waits for, until the guard drops.
    pub(crate) fn live(self: &Arc<Self>) -> Live {
        self.live.fetch_add(1, Ordering::SeqCst);
        Live(self.clone())
    }

    /// Waits until nothing is live.
    pub(crate) async fn idle(&self) {
        loop {
            let mut none = pin!(self.none_live.notified());
            none.as_mut().enable();
            if self.live.load(Ordering::SeqCst) == 0 {
                return;
            }
            none.await;
        }
    }
}

/// Something that draining waits for: a listener or a connection.
#[derive(Debug)]
pub(crate) struct Live(Arc<Lifecycle>);

impl Drop for Live {
    fn drop(&mut self) {
        if self.0.live.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none_live.notify_waiters();
        }
    }
}
