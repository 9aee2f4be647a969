//! One place that knows all checks.

use super::{Answer, Moment};
use crate::language::Check;

impl Check {
    /// The answer of this check at `moment`.
    #[must_use]
    pub fn judge(&self, moment: &Moment<'_>) -> Answer {
        match self {
            Self::Client(check) => check.judge_client(moment),
            Self::App(check) => check.judge_app(moment),
            Self::Bytes(check) => check.judge(moment),
            Self::Quiet(check) => check.judge(moment),
            Self::Took(check) => check.judge(moment),
            Self::Wire(check) => check.judge(moment),
            Self::Metrics(check) => check.judge(moment),
        }
    }

    /// Its key in scenario files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::App(_) => "app",
            Self::Bytes(_) => "bytes",
            Self::Wire(_) => "wire",
            Self::Quiet(_) => "quiet",
            Self::Metrics(_) => "metrics",
            Self::Took(_) => "took",
        }
    }
}
