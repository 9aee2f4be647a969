//! From the operating system's and TLS's errors to the few that scenarios know.

use std::io::{self, ErrorKind};

use crate::observe::observation::{End, Failure};

/// What kind of failure `error` is.
pub(super) fn failure(error: &io::Error) -> Failure {
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Failure::Tls;
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Failure::Reset,
        ErrorKind::TimedOut => Failure::TimedOut,
        ErrorKind::BrokenPipe | ErrorKind::NotConnected => Failure::BrokenPipe,
        ErrorKind::UnexpectedEof => Failure::Truncated,
        ErrorKind::InvalidData => Failure::Tls,
        _ => Failure::Other,
    }
}

/// How the other end's direction ended when an operation failed so.
pub(super) fn end(failure: Failure) -> End {
    match failure {
        Failure::Refused => End::Refused,
        Failure::TimedOut => End::TimedOut,
        Failure::Truncated => End::Truncated,
        Failure::Tls => End::TlsError,
        // A write finds the pipe broken once a reset has come.
        Failure::Reset | Failure::BrokenPipe => End::Reset,
        // Nothing is known of the other end: this one gave up.
        Failure::Other => End::Closed,
    }
}

/// What the other end asked for, in words, if it is that which failed, and right to ask for in a mesh.
pub(super) fn beyond(error: &io::Error) -> Option<&'static str> {
    use rustls::PeerMisbehaved::ServerNameMustContainOneHostName;
    match error.get_ref()?.downcast_ref()? {
        // Kuma's names of services by tag, `backend{mesh=default}`.
        rustls::Error::PeerMisbehaved(ServerNameMustContainOneHostName) => {
            Some("its TLS takes no server name that is no DNS name, as that of a service by tag")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_only_this_tls_refuses_are_known() {
        let refused = rustls::PeerMisbehaved::ServerNameMustContainOneHostName;
        assert!(beyond(&io::Error::other(rustls::Error::PeerMisbehaved(refused))).is_some());
        let other = rustls::Error::AlertReceived(rustls::AlertDescription::UnrecognisedName);
        assert_eq!(beyond(&io::Error::other(other)), None);
    }

    #[test]
    fn tls_errors_are_known_by_their_cause() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateUnknown);
        assert_eq!(failure(&io::Error::other(alert)), Failure::Tls);
        assert_eq!(failure(&ErrorKind::UnexpectedEof.into()), Failure::Truncated);
        assert_eq!(failure(&ErrorKind::ConnectionReset.into()), Failure::Reset);
        assert_eq!(end(Failure::Truncated), End::Truncated);
        assert_eq!(end(failure(&io::Error::other("no certificate"))), End::Closed);
    }
}
