//! Closed connections that the kernel may still know, and when they are given up.
//!
//! Every round asks for the next one, and a thousand connections may close at once: they are kept in order of their time, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::segment::Tuple;
use crate::observe::Nanos;

/// How long a socket nobody holds waits for the other end's FIN (Linux: `tcp_fin_timeout`).
const FIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Closed connections by their own end.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    until: BTreeMap<Tuple, Nanos>,
    in_order: BTreeSet<(Nanos, Tuple)>,
}

impl Orphans {
    /// From now on a connection has its full time.
    pub(super) fn begin(&mut self, tuple: Tuple, now: Nanos) {
        self.remove(tuple);
        let until = now + u64::try_from(FIN_TIMEOUT.as_nanos()).unwrap_or(u64::MAX);
        self.until.insert(tuple, until);
        self.in_order.insert((until, tuple));
    }

    pub(super) fn contains(&self, tuple: Tuple) -> bool {
        self.until.contains_key(&tuple)
    }

    pub(super) fn remove(&mut self, tuple: Tuple) {
        if let Some(until) = self.until.remove(&tuple) {
            self.in_order.remove(&(until, tuple));
        }
    }

    /// When the next one's time is over.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.in_order.first().map(|(until, _)| *until)
    }

    /// Takes out one whose time is over.
    pub(super) fn pop_over(&mut self, now: Nanos) -> Option<Tuple> {
        let (_, tuple) = *self.in_order.first().filter(|(until, _)| *until <= now)?;
        self.remove(tuple);
        Some(tuple)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use super::*;

    const MINUTE: Nanos = 60_000_000_000;

    fn tuple(port: u16) -> Tuple {
        let end = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        (end(port), end(1))
    }

    #[test]
    fn each_has_a_minute_from_its_last_beginning() {
        let mut orphans = Orphans::default();
        orphans.begin(tuple(3), 0);
        orphans.begin(tuple(2), 5);
        orphans.begin(tuple(3), 7);
        assert_eq!(orphans.next(), Some(MINUTE + 5));
        assert_eq!(orphans.pop_over(MINUTE + 4), None);
        assert_eq!(orphans.pop_over(MINUTE + 7), Some(tuple(2)));
        assert_eq!(orphans.pop_over(MINUTE + 7), Some(tuple(3)));
        assert_eq!((orphans.pop_over(Nanos::MAX), orphans.next()), (None, None));
    }

    #[test]
    fn one_that_ended_is_not_given_up() {
        let mut orphans = Orphans::default();
        orphans.begin(tuple(3), 0);
        assert!(orphans.contains(tuple(3)));
        orphans.remove(tuple(3));
        assert!(!orphans.contains(tuple(3)));
        assert_eq!((orphans.next(), orphans.pop_over(Nanos::MAX)), (None, None));
    }
}
