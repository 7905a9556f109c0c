//! Mutation fuzzes of the parser and of the edits.
//!
//! The cases' replies, and the texts in `tests/cases/kept`, are damaged, mixed and cut at random. Nothing may panic, cuts
//! may make no difference, no path may lead out of the workspace. What fails is written to `tests/cases/kept`, from where
//! every later run reads it. `FAOS_FUZZ_SECONDS` says for how long; from the printed seed a run can be repeated with
//! `FAOS_FUZZ_SEED`.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::{Action, Ending, apply_edit};
use super::cases::{self, Case};
use super::{Memory, Random, parse_pieces, path, pieces};
use crate::base::fs;
use crate::base::path::RelPath;

/// What parsers stumble over.
const WORDS: &[&str] = &[
    "```",
    "````",
    "~~~",
    "``````",
    "```python\n",
    "```md\n",
    "```run\n",
    "```read\n",
    "```delete\n",
    "```move\n",
    "```diff\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\u{feff}",
    "\0",
    " ",
    "\t",
    "    ",
    "> ",
    "...",
    "# ... existing code ...\n",
    "app.py",
    "../",
    "/etc/x.py",
    ".git/",
    "`",
    "**",
    ":",
    "<<<<<<< SEARCH\n",
    "=======\n",
    ">>>>>>> REPLACE\n",
    "<think>",
    "</think>",
    "<|channel|>",
    "<|message|>",
    "<tool_call>",
    "</tool_call>",
    "[TOOL_CALLS]",
    "{\"name\": \"run\",",
    "\"\"\"",
    "é",
    "“",
];

fn kept() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/kept")
}

/// The cases, and every text that was kept.
fn corpus() -> Vec<Case> {
    let files = walkdir::WalkDir::new(kept()).sort_by_file_name().into_iter().map(|entry| entry.expect("an entry"));
    let kept = files.filter(|entry| entry.file_type().is_file()).map(|entry| Case {
        id: entry.file_name().to_string_lossy().into_owned(),
        reply: fs::read_text(entry.path()).expect("a text"),
        before: Memory::of([("a.py", "a\nb\nc\n")]),
        ending: Ending::Whole,
    });
    cases::all().into_iter().chain(kept).collect()
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn word(random: &mut Random) -> &'static str {
    WORDS[random.below(WORDS.len())]
}

fn mutate(text: &mut String, others: &[Case], random: &mut Random) {
    let at = boundary(text, random.below(text.len() + 1));
    let end = boundary(text, at + random.below(80)).max(at);
    match random.below(7) {
        0 => text.replace_range(at..end, ""),
        1 => text.insert_str(at, &word(random).repeat(1 + random.below(3))),
        2 => text.replace_range(at..end, word(random)),
        3 => {
            let copy = text[at..end].to_owned();
            let target = boundary(text, random.below(text.len() + 1));
            text.insert_str(target, &copy);
        }
        4 => {
            let other = &random.pick(others).reply;
            let from = boundary(other, random.below(other.len() + 1));
            let to = boundary(other, from + random.below(400)).max(from);
            text.insert_str(at, &other[from..to]);
        }
        5 => text.truncate(at),
        _ => {
            let line = text[..at].rfind('\n').map_or(0, |found| found + 1);
            text.insert_str(line, word(random));
        }
    }
}

fn keep(text: &str) -> String {
    let name = format!("{:016x}.txt", RandomState::new().hash_one(text));
    let written = fs::make_folders(&kept()).and_then(|()| fs::replace(&kept().join(&name), text.as_bytes()));
    format!("{} ({written:?})", kept().join(name).display())
}

fn is_inside(action: &Action) -> bool {
    let inside = |path: &RelPath| RelPath::parse(path.as_str()).as_ref() == Ok(path);
    match action {
        Action::Write { path, .. } | Action::Edit { path, .. } | Action::Delete { path } => inside(path),
        Action::Move { from, to } => inside(from) && inside(to),
        Action::Run { .. } | Action::Read { .. } | Action::Refused { .. } => true,
    }
}

fn check_reply(text: &str, before: &Memory, seed: u64) {
    for ending in [Ending::Whole, Ending::Cut] {
        let whole = parse_pieces([text], ending, before);
        assert_eq!(parse_pieces(pieces(text, 30, seed), ending, before), whole, "in pieces");
        assert!(whole.actions.iter().all(is_inside), "{:?}", whole.actions);
        before.clone().apply(&whole.actions);
    }
}

fn check_edit(file: &str, search: &str, replace: &str) {
    let lines = |text: &str| (text.matches("\r\n").count(), text.matches('\n').count());
    match apply_edit(&path("a.txt"), Some(file), search, replace) {
        Ok(edited) => {
            let ((crlf, all), (crlf_after, all_after)) = (lines(file), lines(&edited.text));
            let bare_cr = replace.contains('\r') || file.replace("\r\n", "").contains('\r');
            assert!(
                crlf != all || all == 0 || crlf_after == all_after || bare_cr,
                "line ends: {file:?} {search:?} {replace:?} {edited:?}"
            );
            assert!(edited.step <= 8);
        }
        Err(refusal) => assert!(!refusal.reason.is_empty() && !refusal.reason.contains('\n')),
    }
}

/// Runs `round` for as long as was asked for; a text that made it panic is kept.
fn fuzz(round: impl Fn(&[Case], &mut Random) -> (String, Box<dyn FnOnce() + std::panic::UnwindSafe>)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds = number("FAOS_FUZZ_SECONDS").unwrap_or(20);
    let seed = number("FAOS_FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one(0_u8));
    let corpus = corpus();
    let (mut random, mut rounds) = (Random(seed), 0_u64);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        let (text, check) = round(&corpus, &mut random);
        assert!(std::panic::catch_unwind(check).is_ok(), "seed {seed}: {}", keep(&text));
        rounds += 1;
    }
    assert!(rounds > 100, "{rounds} rounds in {seconds} s");
    println!("{rounds} rounds in {seconds} s, seed {seed}");
}

#[test]
fn what_was_kept_is_read() {
    let kept: Vec<Case> = corpus().into_iter().filter(|case| case.id.ends_with(".txt")).collect();
    assert!(kept.len() >= 8, "{} texts", kept.len());
    kept.iter().for_each(|case| check_reply(&case.reply, &case.before, 1));
}

#[test]
fn damaged_replies_are_read_without_a_panic() {
    fuzz(|corpus, random| {
        let case = random.pick(corpus);
        let (mut text, before) = (case.reply.clone(), case.before.clone());
        for _ in 0..=random.below(6) {
            mutate(&mut text, corpus, random);
        }
        let seed = random.below(usize::MAX) as u64;
        (text.clone(), Box::new(move || check_reply(&text, &before, seed)))
    });
}

#[test]
fn damaged_edits_are_applied_without_a_panic() {
    fuzz(|corpus, random| {
        let mut file =
            random.pick(corpus).before.0.values().next().cloned().unwrap_or_else(|| random.pick(corpus).reply.clone());
        if random.below(4) == 0 {
            file = file.replace("\r\n", "\n").replace('\n', "\r\n");
        }
        // Some lines of the file, damaged, and damaged once more.
        let lines: Vec<&str> = file.split_inclusive('\n').collect();
        let from = random.below(lines.len() + 1);
        let mut search: String = lines[from..].iter().take(1 + random.below(12)).copied().collect();
        (0..random.below(3)).for_each(|_| mutate(&mut search, corpus, random));
        let mut replace = search.clone();
        (0..=random.below(3)).for_each(|_| mutate(&mut replace, corpus, random));
        let text = format!("a.py\n````\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n````\n");
        (text, Box::new(move || check_edit(&file, &search, &replace)))
    });
}
