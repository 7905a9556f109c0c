//! A mutation fuzz of the way from bytes to deltas.
//!
//! Streams of real servers are damaged, mixed and cut at random. Nothing may panic, cuts may make no difference, and no
//! more may come out than went in. What fails is written to `tests/captures/failed`; and with `FAOS_FUZZ_KEEP` set, the
//! first of each outcome that no stream had is made as short as it can be and written to `tests/captures/kept`. From
//! both every later run reads it, before anything else. `FAOS_FUZZ_SECONDS` says for how long; from the printed seed a
//! run can be repeated with `FAOS_FUZZ_SEED`.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::super::Delta;
use super::streams::{STREAMS, Stream, captures, pieces, read};
use crate::base::fs;

/// What parsers stumble over.
const WORDS: &[&[u8]] = &[
    b"data:",
    b"data: ",
    b"event: error\n",
    b"error: ",
    b"[DONE]",
    b"\n",
    b"\n\n",
    b"\r",
    b"\r\n",
    b":",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud83d",
    b"null",
    b"1e999",
    b"-1",
    b"\"error\":",
    b"\"choices\":",
    b"\"delta\":",
    b"\"tool_calls\":[{\"index\":0,",
    b"\"usage\":{\"prompt_tokens\":18446744073709551616}",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xf0\x9f",
    b"\0",
    b"<think>",
    b"\"finish_reason\":\"stop\"",
    b"\"done\":true",
    b"id: ",
    b"retry: 1",
];

/// Knuth's MMIX generator; its high bits are random enough.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

fn mutate(body: &mut Vec<u8>, others: &[Stream], random: &mut Random) {
    let at = random.below(body.len() + 1);
    let end = (at + random.below(80)).min(body.len());
    match random.below(7) {
        0 if at < body.len() => body[at] ^= 1 << random.below(8),
        1 => drop(body.drain(at..end)),
        2 => {
            let copy = body[at..end].to_vec();
            let target = random.below(body.len() + 1);
            body.splice(target..target, copy);
        }
        3 => {
            let other = &random.pick(others).body;
            let from = random.below(other.len());
            let to = (from + random.below(400)).min(other.len());
            body.splice(at..end, other[from..to].iter().copied());
        }
        4 => body.truncate(at),
        5 => drop(body.splice(at..at, random.pick(WORDS).repeat(1 + random.below(3)))),
        _ => drop(body.splice(at..end, random.pick(WORDS).iter().copied())),
    }
}

fn length(delta: &Delta) -> usize {
    match delta {
        Delta::Text(text) | Delta::Reasoning(text) => text.len(),
        Delta::ToolCall { name, arguments } => name.len() + arguments.len(),
        Delta::Retry { .. } | Delta::Reading { .. } | Delta::Notice(_) | Delta::Finished { .. } => 0,
    }
}

fn check(stream: &Stream, sizes: &[usize]) {
    let body = &stream.body[..];
    let whole = read(stream.read, [body]);
    assert_eq!(read(stream.read, pieces(body, sizes)), whole, "cut into {sizes:?}");
    // A byte that is no text becomes a character of three.
    assert!(whole.0.iter().map(length).sum::<usize>() <= 3 * body.len());
}

fn write(folder: &str, name: &str, stream: &Stream) -> String {
    let folder = captures().join(folder);
    let capture = [format!("> {}\n\nHTTP/1.1 200 OK\r\n\r\n", stream.wire).as_bytes(), &stream.body].concat();
    let written = fs::make_folders(&folder).and_then(|()| fs::replace(&folder.join(name), &capture));
    format!("{} ({written:?})", folder.join(name).display())
}

/// As short as it can be with the same outcome.
fn shrink(mut stream: Stream, outcome: &str) -> Stream {
    let mut size = stream.body.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < stream.body.len() {
            let mut shorter = stream.clone();
            shorter.body.drain(at..(at + size).min(stream.body.len()));
            if shorter.outcome() == outcome {
                stream = shorter;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    stream
}

#[test]
fn damaged_streams_are_read_without_a_panic() {
    let set = |name: &str| std::env::var(name).ok();
    let number = |name: &str| set(name).and_then(|text| text.parse().ok());
    let (seconds, keeps) = (number("FAOS_FUZZ_SECONDS").unwrap_or(20), set("FAOS_FUZZ_KEEP").is_some());
    let seed = number("FAOS_FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one(0_u8));
    let (mut random, mut rounds) = (Random(seed), 0_u64);
    let mut streams: Vec<Stream> = STREAMS.clone();
    let mut outcomes: HashSet<String> = streams.iter().map(Stream::outcome).collect();
    let known = outcomes.len();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut stream = random.pick(&streams).clone();
        for _ in 0..=random.below(6) {
            mutate(&mut stream.body, &streams, &mut random);
        }
        let sizes: Vec<usize> = (0..8).map(|_| 1 + random.below(300)).collect();
        let checked = std::panic::catch_unwind(|| check(&stream, &sizes));
        let name = format!("{:016x}.txt", RandomState::new().hash_one(&stream.body));
        assert!(checked.is_ok(), "seed {seed}: `{}` is in {}", stream.name, write("failed", &name, &stream));
        let outcome = stream.outcome();
        if outcomes.insert(outcome.clone()) {
            let stream = shrink(stream, &outcome);
            if keeps {
                write("kept", &format!("{outcome}.txt"), &stream);
            }
            streams.push(stream);
        }
        rounds += 1;
    }
    println!("seed {seed}: {rounds} streams, {} outcomes beside the {known} that were known", outcomes.len() - known);
    assert!(rounds > 100, "{rounds} rounds in {seconds} s");
}
