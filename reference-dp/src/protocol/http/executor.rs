//! hyper's tasks are the sidecar's: one a stream of HTTP/2.

use std::sync::Arc;

use super::watch::{STREAM, Watch};
use crate::lifecycle::{Lifecycle, Phase};
use crate::spawn::Spawn;

/// Runs the streams of a caller's connection through the [`Spawn`] seam. Each ends with the sidecar, and when its answer is overdue: dropped, it is
/// reset. Draining waits for them.
#[derive(Clone)]
pub(super) struct Streams {
    pub(super) spawn: Arc<dyn Spawn>,
    pub(super) lifecycle: Arc<Lifecycle>,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let live = self.lifecycle.live();
        let lifecycle = self.lifecycle.clone();
        self.spawn.spawn(Box::pin(async move {
            let _live = live;
            let watch = Arc::new(Watch::default());
            tokio::select! {
                biased;
                () = lifecycle.reached(Phase::Stopped) => {}
                () = watch.cut() => {}
                () = STREAM.scope(watch.clone(), stream) => {}
            }
        }));
    }
}
