//! `took`: how long a step took.

use super::app::unfinished;
use super::words::{self, finding};
use super::{Answer, Moment, scene};
use crate::language::TookCheck;

impl TookCheck {
    /// Judges the time from the step's begin to its end.
    #[must_use]
    pub fn judge(&self, moment: &Moment<'_>) -> Answer {
        if let Some(missing) = unfinished(moment, "took", &self.step) {
            return Answer::Judged(vec![missing]);
        }
        let (Some((_, began)), Some((index, ended))) =
            (scene::began(moment, &self.step), scene::ended(moment, &self.step))
        else {
            let expected = format!("step `{}` to begin", self.step);
            return Answer::Judged(vec![finding("took", expected, "it only ended", None)]);
        };
        let took = ended.saturating_sub(began);
        if moment.slack.allows(&self.span, took) {
            return Answer::Judged(Vec::new());
        }
        let (expected, found) = (words::span(&self.span), words::nanos(took));
        Answer::Judged(vec![finding("took", expected, found, Some(index))])
    }
}

#[cfg(test)]
mod tests;
