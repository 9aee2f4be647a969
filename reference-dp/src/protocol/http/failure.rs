//! Why a try brought no answer, and what a caller is told of it.

use crate::telemetry::request::TryCause;

/// Why a try brought no answer, or only a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub(crate) enum Failure {
    /// The cluster has no endpoint.
    NoEndpoint,
    /// No connection could be made.
    NotConnected {
        /// By time.
        timed_out: bool,
    },
    /// The connection ended before the answer did.
    Terminated,
    /// What came was no HTTP.
    ProtocolError,
    /// The endpoint reset the stream.
    Reset {
        /// Without having processed the request (`REFUSED_STREAM`, or a `GOAWAY` that leaves it out; RFC 9113 8.7).
        refused: bool,
    },
    /// A bound of the sidecar is reached.
    Overflow,
    /// The caller's own body broke off: nobody is left to answer.
    BodyBroke,
}

impl Failure {
    /// Envoy's words for it, as they stand in the bodies of its own answers.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::NoEndpoint => "no healthy upstream",
            Self::NotConnected { timed_out: false } => "remote connection failure",
            Self::NotConnected { timed_out: true } => "connection timeout",
            Self::Terminated => "connection termination",
            Self::ProtocolError => "protocol error",
            Self::Reset { refused: false } => "remote reset",
            Self::Reset { refused: true } => "remote refused stream reset",
            Self::Overflow => "overflow",
            Self::BodyBroke => "local reset",
        }
    }

    /// The status of the sidecar's own answer.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::ProtocolError => 502,
            _ => 503,
        }
    }

    /// How the try that it ended is accounted for.
    pub(crate) const fn cause(self) -> TryCause {
        match self {
            Self::NoEndpoint | Self::Overflow => TryCause::NotConnected { timed_out: false },
            Self::NotConnected { timed_out } => TryCause::NotConnected { timed_out },
            Self::Terminated | Self::Reset { .. } => TryCause::Reset,
            Self::ProtocolError => TryCause::ProtocolError,
            Self::BodyBroke => TryCause::Cancelled,
        }
    }
}
