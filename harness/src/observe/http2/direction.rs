//! The frames of one direction, sorted to streams.

use super::block::{Blocks, Fields};
use super::frame::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADER, HEADERS, PUSH_PROMISE,
    RST_STREAM, SETTINGS,
};
use super::{Direction, GoAway, Half, Rest};

/// Reads frames from offset `at` on, each of `most` bytes at most.
pub(super) fn read(bytes: &[u8], at: usize, client: bool, most: usize) -> Direction {
    let mut reading =
        Reading { direction: Direction::default(), client, blocks: Blocks::new(), headers: None };
    let rest = reading.frames(bytes, at, most);
    Direction { rest, ..reading.direction }
}

struct Reading {
    direction: Direction,
    /// Whether it is the client's.
    client: bool,
    blocks: Blocks,
    /// The block under way is of `HEADERS`, with or without END_STREAM; else, if there is one, of `PUSH_PROMISE`.
    headers: Option<bool>,
}

impl Reading {
    fn frames(&mut self, bytes: &[u8], first: usize, most: usize) -> Rest {
        let mut at = first;
        while at < bytes.len() {
            let frame = match frame::next(&bytes[at..], most) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Rest::Begun,
                Err(why) => return Rest::Foreign(at, why),
            };
            // RFC 9113 3.4: SETTINGS come first. Other bytes are no HTTP/2, whatever they look like.
            if at == first && frame.kind != SETTINGS {
                return Rest::Foreign(at, format!("{} before SETTINGS", frame::name(frame.kind)));
            }
            let end = at + HEADER + frame.payload.len();
            if let Err(why) = self.frame(&frame, end) {
                return Rest::Foreign(at, why);
            }
            at = end;
        }
        if self.blocks.open().is_some() { Rest::Begun } else { Rest::Nothing }
    }

    fn frame(&mut self, frame: &Frame<'_>, end: usize) -> Result<(), String> {
        let continues = frame.kind == CONTINUATION && self.blocks.open() == Some(frame.stream);
        if !continues && let Some(open) = self.blocks.open() {
            return Err(format!("{} in the field block of stream {open}", frame::name(frame.kind)));
        }
        match frame.kind {
            CONTINUATION if continues => self.block(frame, end),
            CONTINUATION => Err("CONTINUATION without a field block".to_owned()),
            HEADERS => {
                self.headers = Some(frame.has(END_STREAM));
                self.block(frame, end)
            }
            PUSH_PROMISE => {
                self.headers = None;
                self.block(frame, end)
            }
            DATA => self.data(frame),
            RST_STREAM => {
                self.direction.resets.entry(frame.stream).or_insert(frame.number(0));
                Ok(())
            }
            GOAWAY => {
                let last_stream = frame.number(0) & 0x7fff_ffff;
                self.direction.goaway = Some(GoAway { last_stream, error: frame.number(1) });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn block(&mut self, frame: &Frame<'_>, end: usize) -> Result<(), String> {
        let fields = self.blocks.push(frame.stream, frame.content()?, frame.has(END_HEADERS))?;
        match (fields, self.headers) {
            (Some(fields), Some(end_stream)) => self.fields(frame.stream, fields, end_stream, end),
            // Promises are decoded for what they do to the table; who reads here never asked for one.
            _ => Ok(()),
        }
    }

    fn fields(&mut self, id: u32, fields: Fields, end_stream: bool, end: usize) -> Result<(), String> {
        if self.client && !self.direction.streams.contains_key(&id) {
            let last = self.direction.streams.last_key_value().map_or(0, |(id, _)| *id);
            if id.is_multiple_of(2) || id <= last {
                return Err(format!("stream {id} opened after {last}"));
            }
        }
        let stream = self.direction.streams.entry(id).or_default();
        if stream.ended {
            return Err(format!("HEADERS behind the end of stream {id}"));
        }
        stream.ended = end_stream;
        if stream.head.is_some() {
            // RFC 9113 8.1: trailers end a stream.
            if !end_stream {
                return Err(format!("trailers that don't end stream {id}"));
            }
            stream.trailers = Some(fields);
        } else if !self.client && !end_stream && is_interim(&fields) {
            stream.interim.push(fields);
        } else {
            stream.head = Some(fields);
            stream.head_end = end;
        }
        Ok(())
    }

    fn data(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let content = frame.content()?;
        let open = |stream: &&mut Half| stream.head.is_some() && !stream.ended;
        let Some(stream) = self.direction.streams.get_mut(&frame.stream).filter(open) else {
            return Err(format!("DATA on stream {}, which is not open", frame.stream));
        };
        stream.data += content.len() as u64;
        stream.ended = frame.has(END_STREAM);
        Ok(())
    }
}

fn is_interim(fields: &Fields) -> bool {
    fields.iter().any(|(name, value)| name == ":status" && value.len() == 3 && value.starts_with('1'))
}
