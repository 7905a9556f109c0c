//! Raw bytes of a response become server-sent events, whatever is in them and however they were cut.
//!
//! `eventsource-stream` does the parsing. It is linear only when it is fed whole lines in small pieces, stops at one
//! byte that is not UTF-8, panics on a byte-order mark and drops an event without its blank line; so it gets one event
//! at a time from here, repaired. Waiting and timing are left to the caller: nothing here is async.

use std::convert::Infallible;
use std::io::BufRead;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
pub(super) use eventsource_stream::Event;
use eventsource_stream::EventStream;
use futures_util::{FutureExt, Stream, StreamExt};

/// What one call of the parser gets, where its lines allow it.
const SLICE: usize = 4 << 10;
/// As long as a whole reply may be, which some proxies send at once; without a limit a server could fill the memory.
const FRAME_LIMIT: usize = 16 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes in, events out.
pub(super) struct Decoder {
    /// What has arrived and is not fed yet; its last line may be incomplete.
    pending: BytesMut,
    /// So many bytes of `pending` are known to hold no newline.
    searched: usize,
    /// Bytes fed since the last event ended.
    in_frame: usize,
    begun: bool,
    feed: mpsc::Sender<Bytes>,
    events: EventStream<Feed>,
}

/// One event is longer than 16 MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FrameTooLong;

impl Default for Decoder {
    fn default() -> Self {
        let (feed, receiver) = mpsc::channel();
        Self {
            pending: BytesMut::new(),
            searched: 0,
            in_frame: 0,
            begun: false,
            feed,
            events: EventStream::new(Feed(receiver)),
        }
    }
}

impl Decoder {
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// No more bytes will come: an event without its blank line counts as well.
    pub fn finish(&mut self) {
        self.pending.extend_from_slice(b"\n\n");
    }

    /// The next event of what was pushed; `None`: push more.
    pub fn next(&mut self) -> Option<Result<Event, FrameTooLong>> {
        loop {
            // The parser never waits: its input is a queue that is pending when empty.
            if let Some(Some(Ok(event))) = self.events.next().now_or_never() {
                return Some(Ok(event));
            }
            let slice = match self.slice()? {
                Ok(slice) => slice,
                Err(too_long) => return Some(Err(too_long)),
            };
            if self.feed.send(slice).is_err() {
                return None;
            }
        }
    }

    /// Takes the next complete lines: up to the end of one event where that is near.
    fn slice(&mut self) -> Option<Result<Bytes, FrameTooLong>> {
        while !self.begun && self.pending.starts_with(BYTE_ORDER_MARK) {
            self.pending.advance(BYTE_ORDER_MARK.len());
            self.searched = 0;
        }
        let Some(border) = self.border() else {
            return (self.pending.len() > FRAME_LIMIT).then_some(Err(FrameTooLong));
        };
        let slice = self.pending.split_to(border.end).freeze();
        self.in_frame += slice.len();
        if self.in_frame > FRAME_LIMIT {
            return Some(Err(FrameTooLong));
        }
        if border.ends_event {
            self.in_frame = 0;
        }
        self.begun = true;
        Some(Ok(reframed(valid(slice))))
    }

    fn border(&mut self) -> Option<Border> {
        let first = self.searched
            + newline(&self.pending[self.searched..]).or_else(|| {
                self.searched = self.pending.len();
                None
            })?;
        self.searched = 0;
        let mut border = Border { end: first + 1, ends_event: is_blank(&self.pending[..first]) };
        let lone = Lone::of(&self.pending).is_some();
        while !border.ends_event && !lone {
            let rest = &self.pending[border.end..];
            let Some(length) = newline(rest) else { break };
            if border.end + length >= SLICE || Lone::of(rest).is_some() {
                break;
            }
            border = Border { end: border.end + length + 1, ends_event: is_blank(&rest[..length]) };
        }
        border.ends_event |= lone;
        Some(border)
    }
}

struct Border {
    end: usize,
    ends_event: bool,
}

/// The parser's input: pending when empty, never ending.
struct Feed(mpsc::Receiver<Bytes>);

impl Stream for Feed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.try_recv().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(bytes))))
    }
}

/// A line that some servers write into the stream outside its format, which a parser of events would drop.
#[derive(Clone, Copy)]
enum Lone {
    /// `error: {…}`: llama.cpp before September 2025.
    Error,
    /// `{…}`: an error of a backend, passed on by a proxy as it was.
    Json,
}

impl Lone {
    fn of(line: &[u8]) -> Option<Self> {
        if line.starts_with(b"error:") {
            Some(Self::Error)
        } else if line.starts_with(b"{") {
            Some(Self::Json)
        } else {
            None
        }
    }
}

/// A lone line as the event it should have been.
fn reframed(slice: Bytes) -> Bytes {
    let (head, rest) = match Lone::of(&slice) {
        None => return slice,
        Some(Lone::Error) => (&b"event: error\ndata:"[..], &slice[b"error:".len()..]),
        Some(Lone::Json) => (&b"data: "[..], &slice[..]),
    };
    Bytes::from([head, rest, b"\n"].concat())
}

fn valid(slice: Bytes) -> Bytes {
    match str::from_utf8(&slice) {
        Ok(_) => slice,
        Err(_) => Bytes::copy_from_slice(String::from_utf8_lossy(&slice).as_bytes()),
    }
}

/// By the standard library's vectorised search, which it offers for bytes only in this form: a fifth of a frame's cost.
fn newline(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let line = rest.skip_until(b'\n').ok()?;
    bytes[..line].ends_with(b"\n").then(|| line - 1)
}

fn is_blank(line: &[u8]) -> bool {
    line.is_empty() || line == b"\r"
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::{Decoder, FrameTooLong};

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<(String, String)>, FrameTooLong> {
        let (mut decoder, mut events) = (Decoder::default(), Vec::new());
        let mut drain = |decoder: &mut Decoder| {
            while let Some(event) = decoder.next() {
                let event = event?;
                events.push((event.event, event.data));
            }
            Ok(())
        };
        for piece in pieces {
            decoder.push(piece);
            drain(&mut decoder)?;
        }
        decoder.finish();
        drain(&mut decoder)?;
        Ok(events)
    }

    fn data(text: &str) -> Vec<String> {
        decode([text.as_bytes()]).unwrap().into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn what_servers_write() {
        assert_eq!(data("data: a\n\ndata:b\r\n\r\n: comment\n\n:\n\ndata: c\n"), ["a", "b", "c"]);
        assert_eq!(data("data: one\ndata: two\n\ndata: cut o"), ["one\ntwo", "cut o"]);
        assert_eq!(data("\u{feff}\u{feff}data: a\n\n"), ["a"]);
        assert_eq!(data("data: a\r\rdata: b\r\r"), ["a", "b"]);
        assert_eq!(data("data: a\n\n{\"error\":\"x\"}"), ["a", "{\"error\":\"x\"}"]);
        assert_eq!(data("{\"a\":1}\n{\"a\":2}\n"), ["{\"a\":1}", "{\"a\":2}"]);
    }

    #[test]
    fn errors_have_their_name() {
        let want = [("error".to_owned(), "{}".to_owned())];
        for text in ["event: error\ndata: {}\n\n", "error: {}\n\n", "error: {}"] {
            assert_eq!(decode([text.as_bytes()]).unwrap(), want, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        assert_eq!(decode([&b"data: a\xff\xc3\n\ndata: b\n\n"[..]]).unwrap()[0].1, "a\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_frame_has_a_limit_however_it_comes() {
        let line = [b"data: ".as_slice(), &vec![b'x'; 17 << 20]].concat();
        assert_eq!(decode(line.chunks(8 << 10)), Err(FrameTooLong));
        assert_eq!(decode([&line[..]]), Err(FrameTooLong));
        let lines = b"data: x\n".repeat(2_200_000);
        assert_eq!(decode([&lines[..]]), Err(FrameTooLong));
    }

    #[test]
    fn time_grows_with_the_bytes_only() {
        let many = format!("data: {}\n\n", "x".repeat(90)).repeat(40_000);
        let long = format!("data: {}\n\n", "x".repeat(10_000_000));
        for (text, count) in [(many.as_bytes(), 40_000), (long.as_bytes(), 1)] {
            let started = Instant::now();
            assert_eq!(decode([text]).unwrap().len(), count);
            assert_eq!(decode(text.chunks(1 << 10)).unwrap().len(), count);
            // 4 MB in one piece take the bare parser 7 s; a debug build on a busy machine takes 0.5 s here.
            assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        }
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            parts in prop::collection::vec(prop::sample::select(PARTS), 0..40),
            cuts in prop::collection::vec(0_usize..200, 0..20),
        ) {
            let bytes = parts.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(decode(pieces), decode([&bytes[..]]));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(decode([&bytes[..]]).is_ok());
        }
    }

    const PARTS: &[&[u8]] = &[
        b"data: {\"a\":1}",
        b"data:x",
        b"event: error",
        b"error: y",
        b"{\"z\":1}",
        b": comment",
        b":",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r",
        b"\xf0\x9f",
        b"\x91\x8d",
        b"\xff",
        b"\xef\xbb\xbf",
        b"id: 1",
        b"retry: 5",
        b" ",
        b"a",
    ];
}
