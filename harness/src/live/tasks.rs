//! Tasks of one host of a live world; they end with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use reference_dp::spawn::{Spawn, Task};
use tokio::task::JoinSet;

/// Panics of a world's tasks; none vanishes.
pub(super) type Panics = Arc<Mutex<Vec<String>>>;

/// Spawns the tasks of one host.
#[derive(Debug, Clone)]
pub(super) struct Tasks {
    set: Arc<Mutex<JoinSet<()>>>,
    panics: Panics,
}

impl Tasks {
    pub(super) fn new(panics: &Panics) -> Self {
        Self { set: Arc::default(), panics: Arc::clone(panics) }
    }

    /// Ends all of them, and waits until they are gone.
    pub(super) async fn end(&self) {
        let mut set = std::mem::take(&mut *self.set.lock().unwrap_or_else(PoisonError::into_inner));
        set.shutdown().await;
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: Task) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        // Finished ones leave the set here: it would grow with every connection otherwise.
        while set.try_join_next().is_some() {}
        set.spawn(Guarded { task: Some(task), panics: Arc::clone(&self.panics) });
    }
}

/// A task whose panic is kept.
struct Guarded {
    task: Option<Task>,
    panics: Panics,
}

impl Future for Guarded {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut task) = self.task.take() else { return Poll::Ready(()) };
        match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
            Ok(Poll::Pending) => {
                self.task = Some(task);
                Poll::Pending
            }
            Ok(Poll::Ready(())) => Poll::Ready(()),
            Err(payload) => {
                let words = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let words = words.or_else(|| payload.downcast_ref::<String>().cloned());
                let words = words.unwrap_or_else(|| "a panic without words".to_owned());
                self.panics.lock().unwrap_or_else(PoisonError::into_inner).push(words);
                Poll::Ready(())
            }
        }
    }
}
