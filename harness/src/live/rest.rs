//! When a live world is at rest: nothing crosses its links, and no thread of its dataplanes has anything to do.
//!
//! Bytes that reach a process make one of its threads runnable at once, so that a world in which all of them sleep, and in which nothing crossed
//! a link between two looks, has nothing left to do but what timers will start. Time alone proves nothing: a process that the kernel does not
//! run for a while is as silent as one that is done.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::links::Links;

/// Looks within one stretch of silence.
const LOOKS: u32 = 5;

/// Waits until nothing moved for `quiet`, at most for `limit`. `processes` are those of the dataplanes.
pub(super) async fn rest(links: &Links, processes: &[u32], quiet: Duration, limit: Duration) {
    let end = Instant::now() + limit;
    let mut before = links.moves();
    let mut silent = 0;
    while silent < LOOKS && Instant::now() < end {
        sleep(quiet / LOOKS).await;
        let now = links.moves();
        let still = now.0 == before.0 && !now.1 && processes.iter().copied().all(sleeps);
        silent = if still { silent + 1 } else { 0 };
        before = now;
    }
}

/// Whether all threads of a process wait for something. One that is gone does.
fn sleeps(process: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return true };
    tasks.flatten().all(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // The state follows the name, which stands in parentheses and may hold any character.
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
        !matches!(state, Some('R' | 'D'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_sleeps_and_this_one_does_not() {
        assert!(sleeps(u32::MAX));
        assert!(!sleeps(std::process::id()), "this thread runs");
    }
}
