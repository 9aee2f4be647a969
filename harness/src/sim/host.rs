//! Tasks belong to a host: what it runs is spawned here, draws from its streams, and ends when it crashes.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use reference_dp::spawn::{Spawn, Task};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::topology::HostId;

/// A panic in a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPanic {
    /// The host whose task it was; `None`: the world's.
    pub host: Option<HostId>,
    /// Its message and, where the hook of [`super::run`] stands, its backtrace.
    pub message: String,
}

/// Panics of a run's tasks, as they happened; none vanishes.
#[derive(Debug, Clone, Default)]
pub struct Panics(Arc<Mutex<Vec<TaskPanic>>>);

impl Panics {
    pub(super) fn push(&self, panic: TaskPanic) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(panic);
    }

    /// Those so far.
    #[must_use]
    pub fn list(&self) -> Vec<TaskPanic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Spawns tasks of one host.
#[derive(Debug, Clone)]
pub struct HostSpawn {
    scope: Scope,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

/// What every poll of a host's task is wrapped in.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) host: HostId,
    pub(super) entropy: entropy::Stream,
    pub(super) start: Instant,
    pub(super) panics: Panics,
}

impl HostSpawn {
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope, tasks: Arc::default() }
    }

    /// Ends all tasks of the host, now, and waits until they are gone.
    pub async fn crash(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }

    /// How many tasks of the host have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.len()
    }

    /// Runs a future as the host's, without a task of its own.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        InHost { scope: self.scope.clone(), inner: Box::pin(future) }
    }
}

impl Spawn for HostSpawn {
    fn spawn(&self, task: Task) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Finished tasks leave the set here: it would grow with every connection otherwise.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(Guarded { scope: self.scope.clone(), inner: Some(task) });
    }
}

/// A future polled as its host's.
struct InHost<F> {
    scope: Scope,
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for InHost<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let before = self.scope.enter();
        let polled = self.inner.as_mut().poll(cx);
        entropy::switch(before);
        polled
    }
}

impl Scope {
    /// Points chance and time of this thread at the host.
    fn enter(&self) -> entropy::Stream {
        let now = Instant::now().duration_since(self.start);
        entropy::set_now(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        entropy::switch(self.entropy)
    }
}

/// A task whose panic is kept.
struct Guarded {
    scope: Scope,
    inner: Option<Task>,
}

impl Future for Guarded {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut inner) = self.inner.take() else { return Poll::Ready(()) };
        let before = self.scope.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| inner.as_mut().poll(cx)));
        entropy::switch(before);
        match polled {
            Ok(Poll::Pending) => {
                self.inner = Some(inner);
                Poll::Pending
            }
            Ok(Poll::Ready(())) => Poll::Ready(()),
            Err(payload) => {
                let message = super::panic::describe(payload.as_ref());
                self.scope.panics.push(TaskPanic { host: Some(self.scope.host), message });
                Poll::Ready(())
            }
        }
    }
}

/// Calls `before` ahead of each poll.
pub(super) fn watched<F: Future>(future: F, before: impl Fn() + Unpin) -> impl Future<Output = F::Output> {
    Watched { inner: Box::pin(future), before }
}

struct Watched<F, B> {
    inner: Pin<Box<F>>,
    before: B,
}

impl<F: Future, B: Fn() + Unpin> Future for Watched<F, B> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        (self.before)();
        self.inner.as_mut().poll(cx)
    }
}
