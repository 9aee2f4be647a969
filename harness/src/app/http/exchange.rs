//! What is recorded of one request and its answer.

use crate::app::tap::Meter;
use crate::language::http::Fields;
use crate::observe::observation::{BodyFacts, HttpEvent};

use super::shared::SharedLine;

/// The records of one exchange. Dropped before it is over, it records that it ended so.
#[derive(Debug)]
pub(super) struct Exchange<S> {
    records: Records<S>,
    /// What a drop means.
    dropped: &'static str,
    over: bool,
}

/// A handle on an exchange's records.
#[derive(Debug)]
pub(super) struct Records<S> {
    line: SharedLine<S>,
    number: u32,
}

/// Which body of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// The request's.
    Request,
    /// The answer's.
    Answer,
}

/// The records of one body. Dropped before the body's end, it records a body that did not come to one.
#[derive(Debug)]
pub(super) struct BodyRecord<S> {
    records: Records<S>,
    half: Half,
    meter: Meter,
    over: bool,
}

impl<S> Clone for Records<S> {
    fn clone(&self) -> Self {
        Self { line: self.line.clone(), number: self.number }
    }
}

impl<S> Exchange<S> {
    /// Exchange number `number` of `line`.
    pub(super) fn new(line: &SharedLine<S>, number: u32) -> Self {
        Self { records: Records { line: line.clone(), number }, dropped: "given up", over: false }
    }

    /// As [`Exchange::new`], where a library drops what the other end has given up.
    pub(super) fn in_library(line: &SharedLine<S>, number: u32) -> Self {
        let mut exchange = Self::new(line, number);
        exchange.dropped = "the other end reset the stream, or the connection ended";
        exchange
    }

    /// Records `event`.
    pub(super) fn see(&self, event: HttpEvent) {
        self.records.see(event);
    }

    /// The records of a body that begins.
    pub(super) fn body(&self, half: Half) -> BodyRecord<S> {
        BodyRecord { records: self.records.clone(), half, meter: Meter::default(), over: false }
    }

    /// It came to its end.
    pub(super) fn done(mut self) {
        self.over = true;
    }

    /// It ended with what came and is no HTTP.
    pub(super) fn malformed(mut self, what: impl Into<String>) {
        self.over = true;
        self.see(HttpEvent::Malformed { what: what.into() });
    }

    /// It ended without a whole answer.
    pub(super) fn failed(mut self, error: impl Into<String>) {
        self.over = true;
        self.see(HttpEvent::Failed { error: error.into() });
    }
}

impl<S> Drop for Exchange<S> {
    fn drop(&mut self) {
        if !self.over {
            self.see(HttpEvent::Failed { error: self.dropped.into() });
        }
    }
}

impl<S> Records<S> {
    fn see(&self, event: HttpEvent) {
        self.line.lock().see_exchange(self.number, event);
    }
}

impl<S> BodyRecord<S> {
    /// Data that this end sends.
    pub(super) fn sent(&mut self, data: &[u8]) {
        self.meter.count(data);
    }

    /// Data that came.
    pub(super) fn came(&mut self, data: &[u8]) {
        self.meter.count(data);
        self.records.line.lock().came(self.records.number, data.len() as u64);
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.meter.bytes()
    }

    /// The body came to its end.
    pub(super) fn done(&mut self, trailers: Fields) {
        self.record(trailers, true);
    }

    fn record(&mut self, trailers: Fields, whole: bool) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let facts = BodyFacts { flow: self.meter.flow(), trailers, whole };
        self.records.see(match self.half {
            Half::Request => HttpEvent::RequestBody(facts),
            Half::Answer => HttpEvent::ResponseBody(facts),
        });
    }
}

impl<S> Drop for BodyRecord<S> {
    fn drop(&mut self) {
        self.record(Fields::new(), false);
    }
}
