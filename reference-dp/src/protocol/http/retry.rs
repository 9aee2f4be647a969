//! Whether a request is tried again, and when (kuma 2.5, seen 1.1).

use std::time::Duration;

use rustls::crypto::SecureRandom;

use super::failure::Failure;
use crate::plan::{BackOff, RetryOn};

/// How a try ended that may be followed by another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With this status.
    Status(u16),
    /// Without an answer.
    Failed(Failure),
    /// Its own time was over.
    TimedOut,
}

/// Whether the conditions hold. As in Envoy, those about 5xx also mean no answer at all; the sidecar's own bounds are never a reason.
pub(super) fn is_retriable(outcome: Outcome, on: &RetryOn) -> bool {
    let no_answer = on.any_5xx || on.gateway_error || on.reset;
    match outcome {
        Outcome::Status(status) => {
            on.statuses.contains(&status)
                || on.any_5xx && (500..600).contains(&status)
                || on.gateway_error && (502..=504).contains(&status)
                || on.retriable_4xx && status == 409
        }
        Outcome::Failed(Failure::NoEndpoint | Failure::Overflow | Failure::BodyBroke) => false,
        Outcome::Failed(Failure::NotConnected { .. }) => no_answer || on.connect_failure,
        Outcome::Failed(Failure::Reset { refused: true }) => no_answer || on.refused_stream,
        Outcome::Failed(Failure::Terminated | Failure::ProtocolError | Failure::Reset { refused: false })
        | Outcome::TimedOut => no_answer,
    }
}

/// The wait before retry number `retry` (from 0): drawn evenly from zero up to a bound that doubles from one to the next.
pub(super) fn wait(back_off: BackOff, retry: u32, random: &dyn SecureRandom) -> Duration {
    let doubled = 2_u32.checked_pow(retry).and_then(|factor| back_off.base.checked_mul(factor));
    let bound = doubled.unwrap_or(back_off.max).min(back_off.max);
    let mut draw = [0; 8];
    if random.fill(&mut draw).is_err() {
        return bound;
    }
    let nanos = (bound.as_nanos() * u128::from(u64::from_le_bytes(draw))) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use rustls::crypto::GetRandomFailed;

    use super::*;

    #[derive(Debug)]
    struct Always(u8);

    impl SecureRandom for Always {
        fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
            buf.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn waits_are_below_a_bound_that_doubles() {
        let ms = Duration::from_millis;
        let back_off = BackOff { base: ms(25), max: ms(250) };
        for (retry, bound) in [(0, 25), (1, 50), (2, 100), (3, 200), (4, 250), (5, 250), (99, 250)] {
            assert_eq!(wait(back_off, retry, &Always(0)), Duration::ZERO);
            let most = wait(back_off, retry, &Always(0xff));
            assert!(most < ms(bound) && most > ms(bound) - ms(1), "{retry}: {most:?}");
            assert!(wait(back_off, retry, &Always(0x80)).abs_diff(ms(bound) / 2) < ms(1));
        }
    }

    #[test]
    fn the_conditions_of_http_are_as_seen() {
        // Kuma's default for http (kuma 2.5), and what became of it (seen 1.1).
        let on = RetryOn {
            gateway_error: true,
            connect_failure: true,
            refused_stream: true,
            ..RetryOn::default()
        };
        for (outcome, expected) in [
            (Outcome::Status(502), true),
            (Outcome::Status(503), true),
            (Outcome::Status(504), true),
            (Outcome::Status(500), false),
            (Outcome::Status(429), false),
            (Outcome::Status(404), false),
            (Outcome::Status(200), false),
            (Outcome::Failed(Failure::NotConnected { timed_out: false }), true),
            (Outcome::Failed(Failure::Terminated), true),
            (Outcome::Failed(Failure::ProtocolError), true),
            (Outcome::Failed(Failure::NoEndpoint), false),
            (Outcome::Failed(Failure::Overflow), false),
        ] {
            assert_eq!(is_retriable(outcome, &on), expected, "{outcome:?}");
        }
    }

    #[test]
    fn each_condition_means_what_it_says() {
        let only = |set: fn(&mut RetryOn)| {
            let mut on = RetryOn::default();
            set(&mut on);
            on
        };
        let refused = Outcome::Failed(Failure::NotConnected { timed_out: false });
        let reset = Outcome::Failed(Failure::Reset { refused: false });
        let refused_stream = Outcome::Failed(Failure::Reset { refused: true });
        for (on, outcome, expected) in [
            (only(|_| {}), refused, false),
            (only(|on| on.connect_failure = true), refused, true),
            (only(|on| on.connect_failure = true), reset, false),
            (only(|on| on.connect_failure = true), Outcome::Status(503), false),
            (only(|on| on.refused_stream = true), refused_stream, true),
            (only(|on| on.refused_stream = true), reset, false),
            (only(|on| on.reset = true), reset, true),
            (only(|on| on.reset = true), Outcome::TimedOut, true),
            (only(|on| on.reset = true), Outcome::Status(503), false),
            (only(|on| on.any_5xx = true), Outcome::Status(500), true),
            (only(|on| on.retriable_4xx = true), Outcome::Status(409), true),
            (only(|on| on.retriable_4xx = true), Outcome::Status(404), false),
            (only(|on| on.statuses = vec![418]), Outcome::Status(418), true),
        ] {
            assert_eq!(is_retriable(outcome, &on), expected, "{on:?} {outcome:?}");
        }
    }
}
