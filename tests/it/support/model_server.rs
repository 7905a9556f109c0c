//! A scripted model server for tests: [`faos::playback`] with shorthands.

use std::path::Path;
use std::time::Duration;

use faos::base::fs;
use faos::playback::{Gate, Player, Reply, Script, Step};

pub const MODEL: &str = "scripted";

/// Serves the replies at once.
pub fn serve(replies: impl IntoIterator<Item = Reply>) -> Player {
    Player::start(MODEL, replies.into_iter().collect(), Duration::ZERO).unwrap()
}

/// Serves the replies, and these pages in place of the list of models.
pub fn serve_with_pages<'a>(
    replies: impl IntoIterator<Item = Reply>,
    pages: impl IntoIterator<Item = (&'a str, Reply)>,
) -> Player {
    let pages = pages.into_iter().map(|(path, page)| (path.to_owned(), page)).collect();
    let replies = replies.into_iter().collect();
    Player::play(Script { model: MODEL.to_owned(), replies, pace: Duration::ZERO, pages }).unwrap()
}

/// A stream whose body is exactly these bytes, in one piece.
pub fn bytes(body: impl AsRef<[u8]>) -> Reply {
    Reply::stream(vec![Step::Bytes(body.as_ref().to_vec())])
}

/// The same bytes in pieces of 1 to 300 bytes, which the seed decides.
pub fn random_pieces(body: &[u8], seed: u64) -> Vec<Step> {
    let mut state = seed;
    let mut rest = body;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        // Knuth's MMIX generator; its high bits are random enough for cutting.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let size = 1 + (state >> 33) as usize % 300;
        let (piece, after) = rest.split_at(size.min(rest.len()));
        steps.push(Step::Bytes(piece.to_vec()));
        rest = after;
    }
    steps
}

/// What a real server answered: status, content type and body of a file below `tests/captures`.
pub fn capture(name: &str) -> Reply {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(format!("{name}.txt"));
    let bytes = fs::read(&path).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let head = &head[head.find("HTTP/1.1 ").unwrap()..];
    let status = head[9..12].parse().unwrap();
    let field = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let mut headers = vec![("Content-Type".to_owned(), field("content-type").unwrap_or_default())];
    headers.extend(field("server").map(|server| ("Server".to_owned(), server)));
    Reply { status, headers, steps: vec![Step::Bytes(bytes[end + 4..].to_vec())] }
}

/// A reply in pieces of random size, between characters.
pub fn in_pieces(text: &str, seed: u64) -> Reply {
    let characters: Vec<char> = text.chars().collect();
    let mut state = seed;
    let mut at = 0;
    let mut steps = Vec::new();
    while at < characters.len() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let end = (at + 1 + (state >> 33) as usize % 40).min(characters.len());
        steps.push(Step::Text(characters[at..end].iter().collect()));
        at = end;
    }
    steps.push(Step::Finish("stop".to_owned()));
    Reply::stream(steps)
}

/// A reply that holds its second part back until the gate is opened.
pub fn gated(first: &str, rest: &str) -> (Reply, Gate) {
    let gate = Gate::default();
    let steps = vec![
        Step::Text(first.to_owned()),
        Step::Wait(gate.clone()),
        Step::Text(rest.to_owned()),
        Step::Finish("stop".to_owned()),
    ];
    (Reply::stream(steps), gate)
}

/// A reply whose every piece but the first waits for one opening of the gate; so does its end.
pub fn held<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (Reply, Gate) {
    let gate = Gate::default();
    let mut steps = Vec::new();
    for piece in pieces {
        steps.extend([Step::Text(piece.to_owned()), Step::Wait(gate.clone())]);
    }
    steps.push(Step::Finish("stop".to_owned()));
    (Reply::stream(steps), gate)
}

/// A reply that the server says was cut by the length limit.
pub fn cut_by_length(text: &str) -> Reply {
    Reply::stream(vec![Step::Text(text.to_owned()), Step::Finish("length".to_owned())])
}

/// A reply whose connection is closed in the middle.
pub fn cut_off(text: &str) -> Reply {
    Reply::stream(vec![Step::Text(text.to_owned()), Step::Break])
}
