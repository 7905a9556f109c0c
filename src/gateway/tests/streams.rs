//! What real servers sent, and what two that could not be recorded would send: the same deltas however it is cut.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use walkdir::WalkDir;

use super::super::frame::{Conclusion, Flow, FrameError, Incomplete, Read, Reply};
use super::super::servers;
use super::super::sse::{Decoder, FrameTooLong};
use super::super::{Delta, FinishReason};
use crate::base::fs;

/// The body of an answer and how it is read.
#[derive(Clone)]
pub struct Stream {
    pub name: String,
    /// `chat`, or the name of a server's own wire.
    pub wire: &'static str,
    pub read: Read,
    pub body: Vec<u8>,
}

/// Everything below `tests/captures`, and the two that were written down from the servers' sources.
pub static STREAMS: LazyLock<Vec<Stream>> = LazyLock::new(|| {
    let folder = captures();
    let files = WalkDir::new(&folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "txt"));
    let mut streams: Vec<Stream> = files.map(|entry| recorded(&folder, entry.path())).collect();
    let written = |(name, read, body): &(&'static str, Read, &str)| Stream {
        name: (*name).to_owned(),
        wire: name,
        read: *read,
        body: body.as_bytes().to_vec(),
    };
    streams.extend(WRITTEN.iter().map(written));
    streams
});

const WRITTEN: [(&str, Read, &str); 2] = [("ollama", servers::OLLAMA, OLLAMA), ("tgi", servers::TGI, TGI)];

const OLLAMA: &str = r#"{"model":"m","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}
{"model":"m","message":{"role":"assistant","content":"grün 👍 \u00e4\ud83d\ude00"},"done":false}
{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"id":"c","function":{"index":0,"name":"write","arguments":{"path":"a"}}}]},"done":false}
{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":3}
"#;

const TGI: &str = r#"data:{"index":1,"token":{"id":9,"text":"Hel","logprob":-0.1,"special":false},"generated_text":null,"details":null}

data:{"index":2,"token":{"id":9,"text":"lo","logprob":-0.1,"special":false},"generated_text":null,"details":null}

data:{"index":3,"token":{"id":2,"text":"</s>","logprob":0.0,"special":true},"generated_text":"Hello","details":{"finish_reason":"eos_token","generated_tokens":3,"seed":null,"input_length":12}}

"#;

/// What the fuzz found is below it too, in the form of a capture.
pub fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

fn recorded(folder: &Path, path: &Path) -> Stream {
    let bytes = fs::read(path).unwrap();
    let answer = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let name = path.strip_prefix(folder).unwrap().display().to_string();
    // What the fuzz keeps begins with the name of its wire.
    let own = WRITTEN.iter().find(|(name, ..)| bytes.starts_with(format!("> {name}\n").as_bytes()));
    let (wire, read) = own.map_or(("chat", Reply::chunk as Read), |(name, read, _)| (*name, *read));
    Stream { name, wire, read, body: bytes[answer + 4..].to_vec() }
}

#[derive(Debug, PartialEq)]
pub enum End {
    Whole(Conclusion),
    Incomplete(Incomplete),
    Failed(FrameError),
    TooLong(FrameTooLong),
}

impl Stream {
    /// What comes of it, without its words: the wire, the kinds of deltas, the kind of its end.
    pub fn outcome(&self) -> String {
        let (deltas, end) = read(self.read, [&self.body[..]]);
        let given = |is: fn(&Delta) -> bool, kind: &'static str| deltas.iter().any(is).then_some(kind);
        let kinds = [
            given(|delta| matches!(delta, Delta::Reasoning(_)), "reasoning"),
            given(|delta| matches!(delta, Delta::Text(_)), "text"),
        ];
        let kinds: Vec<&str> = kinds.into_iter().flatten().collect();
        let kinds = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join("+") };
        format!("{} {kinds} {}", self.wire, end.kind()).replace(' ', "-")
    }
}

impl End {
    fn kind(&self) -> String {
        match self {
            Self::Whole(Conclusion { last, reason, .. }) => {
                let reason = match reason {
                    FinishReason::Stop => "stop",
                    FinishReason::Length => "length",
                    FinishReason::ToolCalls => "calls",
                };
                let mut last: Vec<&str> = last.iter().map(kind).collect();
                last.dedup();
                std::iter::once(reason).chain(last).collect::<Vec<_>>().join("+")
            }
            Self::Incomplete(Incomplete::NoFinishReason) => "no reason".to_owned(),
            Self::Incomplete(Incomplete::Aborted) => "aborted".to_owned(),
            Self::Incomplete(Incomplete::Empty) => "empty".to_owned(),
            Self::Incomplete(Incomplete::BrokenCall(_)) => "broken call".to_owned(),
            Self::Failed(FrameError::Fault(fault)) => {
                let status = fault.status.map_or(String::new(), |status| format!(" {}xx", status / 100));
                let overflow = if fault.overflow.is_some() { " overflow" } else { "" };
                format!("fault{status}{overflow}")
            }
            Self::Failed(FrameError::Malformed(_)) => "malformed".to_owned(),
            Self::TooLong(FrameTooLong) => "too long".to_owned(),
        }
    }
}

fn kind(delta: &Delta) -> &'static str {
    match delta {
        Delta::Text(_) => "text",
        Delta::Reasoning(_) => "reasoning",
        Delta::ToolCall { .. } => "call",
        Delta::Retry { .. } => "retry",
        Delta::Reading { .. } => "reading",
        Delta::Notice(_) => "notice",
        Delta::Finished { .. } => "finished",
    }
}

/// All that a stream gives, and how it ends.
pub fn read<'a>(wire: Read, pieces: impl IntoIterator<Item = &'a [u8]>) -> (VecDeque<Delta>, End) {
    let (mut decoder, mut reply) = (Decoder::default(), Reply::new(wire, String::new()));
    let (mut deltas, mut flow) = (VecDeque::new(), Flow::More);
    let mut pieces = pieces.into_iter();
    let mut ended = false;
    loop {
        match decoder.next() {
            Some(Ok(event)) => match reply.frame(&event.event, &event.data, &mut deltas) {
                Ok(Flow::Done) => {
                    flow = Flow::Done;
                    break;
                }
                Ok(Flow::More) => {}
                Err(error) => return (deltas, End::Failed(error)),
            },
            Some(Err(too_long)) => return (deltas, End::TooLong(too_long)),
            None if ended => break,
            None => match pieces.next() {
                Some(piece) => decoder.push(piece),
                None => {
                    decoder.finish();
                    ended = true;
                }
            },
        }
    }
    (deltas, reply.conclude(flow).map_or_else(End::Incomplete, End::Whole))
}

/// The bytes in pieces of these sizes, which are taken in turn.
pub fn pieces<'a>(mut rest: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[test]
fn every_stream_is_read_the_same_byte_by_byte() {
    assert!(STREAMS.len() > 150, "the captures are not there");
    for Stream { name, read: wire, body, .. } in STREAMS.iter() {
        assert_eq!(read(*wire, pieces(body, &[1])), read(*wire, [&body[..]]), "{name}");
    }
}

/// The shortest streams that the fuzz found of each outcome, named after it.
#[test]
fn what_was_kept_of_the_fuzz_comes_to_what_it_came_to() {
    let kept: Vec<&Stream> = STREAMS.iter().filter(|stream| stream.name.starts_with("kept/")).collect();
    assert!(kept.len() > 20, "what was kept is not there");
    for stream in kept {
        assert_eq!(stream.name, format!("kept/{}.txt", stream.outcome()));
    }
}

/// As a proxy sends it that collects before it passes on.
#[test]
fn ten_megabytes_in_one_piece_are_a_stream_too() {
    let frame = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let finish = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let many = frame(&"x".repeat(100)).repeat(70_000) + finish;
    let one = frame(&"x".repeat(10 << 20)) + finish;
    for (body, count) in [(many, 70_000), (one, 1)] {
        let (deltas, end) = read(Reply::chunk, [body.as_bytes()]);
        assert_eq!(deltas.len(), count);
        assert!(matches!(end, End::Whole(_)));
    }
}

proptest! {
    #[test]
    fn a_stream_is_read_the_same_however_it_is_cut(
        stream in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1_usize..700, 1..30),
    ) {
        let Stream { name, read: wire, body, .. } = stream.get(&STREAMS);
        prop_assert_eq!(read(*wire, pieces(body, &sizes)), read(*wire, [&body[..]]), "{}", name);
    }

    #[test]
    fn a_stream_may_break_off_or_be_damaged_anywhere(
        stream in any::<prop::sample::Index>(),
        (at, byte) in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let Stream { read: wire, body, .. } = stream.get(&STREAMS);
        if !body.is_empty() {
            let mut body = body.clone();
            let at = at.index(body.len());
            read(*wire, [&body[..at]]);
            body[at] = byte;
            read(*wire, [&body[..]]);
        }
    }
}
