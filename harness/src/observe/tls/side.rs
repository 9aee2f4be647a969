//! One direction of a TLS session: clear records, then protected ones.

use bytes::Bytes;

use super::decrypt::Opener;
use super::handshake::{CERTIFICATE, FINISHED, KEY_UPDATE, Messages, SERVER_HELLO_DONE, leaf};
use super::record::{self, ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Record};
use crate::language::TlsVersion;
use crate::observe::flow::Stream;
use crate::observe::http;

/// Application data read of each direction, when it is neither TLS nor HTTP.
const ENOUGH: u64 = 64 << 10;
/// Application data read of each direction, when it is: an inner handshake must fit.
const ENOUGH_OF_TLS: u64 = 256 << 10;

/// How a direction is to be read.
#[derive(Debug)]
pub(super) struct Plan {
    /// Version agreed on.
    pub(super) version: Option<TlsVersion>,
    /// Opens the first protected records (TLS 1.3: those of the handshake).
    pub(super) first: Option<Opener>,
    /// TLS 1.3: opens those behind Finished.
    pub(super) then: Option<Opener>,
    /// Why protected records can't be read where there is no opener.
    pub(super) unreadable: String,
    /// Protected records at the beginning may be early data, whose keys are not looked for.
    pub(super) skip_early_data: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            version: None,
            first: None,
            then: None,
            unreadable: "no secrets".to_owned(),
            skip_early_data: false,
        }
    }
}

/// What a direction shows.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Leaf certificate, DER.
    pub(super) certificate: Option<Vec<u8>>,
    /// Alerts, with their stamps.
    pub(super) alerts: Vec<(u64, u8)>,
    /// Application data, as far as it is read.
    pub(super) data: Stream,
    /// Why there may be more application data than `data` shows (not set when simply enough was read).
    pub(super) trouble: Option<String>,
    /// TLS 1.2, server: ciphers changed without a full handshake, which is how a resumed session begins.
    pub(super) abbreviated: bool,
}

/// Where the reading of a direction stands.
struct Reading {
    side: Side,
    plan: Plan,
    messages: Messages,
    /// Protected records have begun.
    protected: bool,
    /// One could be opened.
    opened: bool,
    /// A message of a full handshake was seen.
    full: bool,
    read: u64,
}

/// Whether to go on with the next record.
type Step = Result<(), Stop>;

enum Stop {
    Enough,
    Trouble(String),
}

impl Side {
    /// Reads a direction from its beginning, until enough is known.
    pub(super) fn read(stream: &Stream, plan: Plan) -> Self {
        let mut reading = Reading {
            side: Self::default(),
            plan,
            messages: Messages::default(),
            protected: false,
            opened: false,
            full: false,
            read: 0,
        };
        let mut cursor = stream.cursor();
        loop {
            let at = cursor.position();
            let step = match record::next(&mut cursor) {
                Ok(Some(record)) => reading.record(&record, at),
                Ok(None) => break,
                // What follows is no TLS and hides nothing, unless TLS was under way.
                Err(_) if !reading.protected => return reading.side,
                Err(why) => Err(Stop::Trouble(why)),
            };
            match step {
                Ok(()) => {}
                Err(Stop::Enough) => return reading.side,
                Err(Stop::Trouble(why)) => return reading.end(why),
            }
        }
        match stream.why_cut() {
            Some(why) => reading.end(why.to_owned()),
            None => reading.side,
        }
    }
}

impl Reading {
    fn end(mut self, why: String) -> Side {
        self.side.data.cut(why.clone());
        self.side.trouble = Some(why);
        self.side
    }

    fn record(&mut self, record: &Record, at: u64) -> Step {
        let tls13 = self.plan.version == Some(TlsVersion::V1_3);
        match record.kind {
            CHANGE_CIPHER_SPEC if tls13 => Ok(()),
            CHANGE_CIPHER_SPEC => {
                self.protected = true;
                self.side.abbreviated = !self.full;
                self.messages = Messages::default();
                Ok(())
            }
            // TLS 1.3 protects what says it is application data, and nothing else.
            APPLICATION_DATA => {
                self.protected = true;
                self.open(record, at)
            }
            _ if self.protected && !tls13 => self.open(record, at),
            kind => self.content(kind, record.stamp, &record.body),
        }
    }

    fn open(&mut self, record: &Record, at: u64) -> Step {
        let Some(opener) = &mut self.plan.first else {
            return Err(Stop::Trouble(self.plan.unreadable.clone()));
        };
        match opener.open(record) {
            Some((kind, body)) => {
                self.opened = true;
                self.content(kind, record.stamp, &body)
            }
            None if self.plan.skip_early_data && !self.opened => Ok(()),
            None => Err(Stop::Trouble(format!("record at byte {at} can't be opened"))),
        }
    }

    fn content(&mut self, kind: u8, stamp: u64, body: &[u8]) -> Step {
        match kind {
            HANDSHAKE => self.handshake(body),
            ALERT => {
                if let [_, what] = body {
                    self.side.alerts.push((stamp, *what));
                }
                Ok(())
            }
            APPLICATION_DATA => self.application_data(stamp, body),
            _ => Ok(()),
        }
    }

    fn handshake(&mut self, body: &[u8]) -> Step {
        self.messages.push(body);
        while let Some((kind, body)) = self.messages.pop().map_err(Stop::Trouble)? {
            match kind {
                CERTIFICATE => {
                    self.full = true;
                    let version = self.plan.version.unwrap_or(TlsVersion::V1_2);
                    if self.side.certificate.is_none() {
                        self.side.certificate = leaf(version, &body);
                    }
                }
                SERVER_HELLO_DONE => self.full = true,
                FINISHED if self.plan.version == Some(TlsVersion::V1_3) => {
                    self.plan.first = self.plan.then.take()
                }
                KEY_UPDATE if self.plan.version == Some(TlsVersion::V1_3) => {
                    self.plan.first =
                        self.plan.first.take().and_then(|mut opener| opener.update().map(|()| opener));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How much application data is read, by what it looks like.
    fn enough(&self) -> u64 {
        match self.side.data.head(2).as_slice() {
            [HANDSHAKE, 3] => ENOUGH_OF_TLS,
            _ if http::may_be(&self.side.data) => http::ENOUGH as u64,
            _ => ENOUGH,
        }
    }

    fn application_data(&mut self, stamp: u64, body: &[u8]) -> Step {
        self.side.data.push(stamp, Bytes::copy_from_slice(body));
        self.read += body.len() as u64;
        if self.read >= ENOUGH && self.read >= self.enough() {
            self.side.data.cut(format!("read up to {}", self.read));
            return Err(Stop::Enough);
        }
        Ok(())
    }
}
