//! What real time adds to a span of time that a file allows.

use std::time::Duration;

use crate::language::value::Span;
use crate::observe::Nanos;

/// By how much something may miss a span and still be in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slack {
    early: Duration,
    late: Duration,
}

impl Slack {
    /// Virtual time is exact.
    pub const NONE: Self = Self { early: Duration::ZERO, late: Duration::ZERO };

    /// Late, since apps, sidecars and relays of many worlds share the machine. Early, since an event loop sets its timers from the time at which it
    /// woke: one that was held up fires too soon by as much (Envoy was seen to give up after 4.9992 s of 5).
    pub const REAL: Self = Self { early: Duration::from_millis(50), late: Duration::from_millis(1500) };

    /// Whether `took` lies within the span, both ends included, but for the slack. A lower bound gives way by a tenth at most: short ones stay bounds.
    pub(super) fn allows(self, span: &Span, took: Nanos) -> bool {
        let from = span.from.saturating_sub(self.early.min(span.from / 10));
        let to = span.to.saturating_add(self.late);
        (from.as_nanos()..=to.as_nanos()).contains(&u128::from(took))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    fn span(from: u64, to: u64) -> Span {
        Span { from: Duration::from_millis(from), to: Duration::from_millis(to) }
    }

    #[test]
    fn virtual_time_is_exact() {
        let allows = |took| Slack::NONE.allows(&span(5000, 6000), took);
        assert!(allows(5000 * MS) && allows(6000 * MS));
        assert!(!allows(5000 * MS - 1) && !allows(6000 * MS + 1));
    }

    #[test]
    fn real_time_is_late_by_much_and_early_by_little() {
        let allows = |took| Slack::REAL.allows(&span(5000, 6000), took);
        assert!(allows(4950 * MS) && allows(7500 * MS));
        assert!(!allows(4950 * MS - 1) && !allows(7500 * MS + 1));
    }

    #[test]
    fn short_bounds_stay_bounds() {
        let allows = |took| Slack::REAL.allows(&span(25, 50), took);
        assert!(allows(22 * MS + MS / 2));
        assert!(!allows(22 * MS));
        assert!(Slack::REAL.allows(&span(0, 10), 0));
    }
}
