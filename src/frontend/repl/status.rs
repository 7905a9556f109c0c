//! The line below the text while something is done: what it is, how long it takes, and what the user is typing.

use std::time::{Duration, Instant};

use crate::base::printable::printable;
use crate::core::event::Event;
use crate::core::op::Op;
use crate::core::view::DeltaKind;
use crate::frontend::repl::draft::Draft;
use crate::frontend::repl::folds::{self, TOKEN};

const FRAMES: [&str; 4] = ["·  ", "·· ", "···", " ··"];

/// Where no line is drawn below the text, what takes longer than this is said once.
const LONG: Duration = Duration::from_secs(2);

/// Before that, how fast it goes is chance.
const ENOUGH: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct Status {
    what: What,
    since: Instant,
    /// That it takes long was said.
    said: bool,
    frame: usize,
    stopping: bool,
    /// A script waits for a yes or a no.
    question: bool,
    came: Came,
    /// Characters of the reply that is coming, and since when.
    wrote: Option<(usize, Instant)>,
}

/// What the server counted last, of all that was said so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    window: Option<u64>,
    used: u64,
}

impl Counted {
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Session(info) => self.window = info.context_window,
            Event::Usage(usage) if usage.prompt_tokens > 0 => self.used = usage.prompt_tokens + usage.completion_tokens,
            _ => {}
        }
    }

    /// How much of the window is taken, in percent.
    pub fn percent(&self) -> Option<u64> {
        let window = self.window.filter(|window| *window > 0 && self.used > 0)?;
        Some(self.used * 100 / window)
    }
}

/// Whether there is something of this request to go on with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Came {
    #[default]
    Nothing,
    Something,
}

/// What is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Looking,
    /// The request is out, and nothing came.
    Waiting,
    /// The server reads the prompt, and says how far it is.
    Reading {
        percent: u64,
    },
    Thinking {
        characters: usize,
    },
    Writing,
    Block {
        label: String,
        lines: usize,
    },
    Running {
        run: u32,
        /// What it printed last.
        last: String,
    },
    /// A script's check: the first line of what it runs.
    Checking {
        command: String,
    },
    /// Between replies: files, checks.
    Working,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            what: What::Working,
            since: Instant::now(),
            said: false,
            frame: 0,
            stopping: false,
            question: false,
            came: Came::Nothing,
            wrote: None,
        }
    }
}

impl Status {
    pub fn of(op: &Op) -> Self {
        let what = match op {
            Op::Ask(_) | Op::Compact => What::Waiting,
            Op::UseModel { .. } => What::Looking,
            Op::UsePrompts(_)
            | Op::Run { .. }
            | Op::Undo
            | Op::Redo
            | Op::Restore { .. }
            | Op::Command { .. }
            | Op::Scripts(_)
            | Op::Rename { .. }
            | Op::Archive { .. }
            | Op::Show(_) => What::Working,
        };
        Self { what, ..Self::default() }
    }

    pub fn stop(&mut self) {
        self.stopping = true;
    }

    pub fn came(&self) -> Came {
        self.came
    }

    pub fn is_question(&self) -> bool {
        self.question
    }

    pub fn answered(&mut self) {
        self.question = false;
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub fn tick(&mut self) {
        self.frame = (self.frame + 1) % FRAMES.len();
    }

    pub fn event(&mut self, event: &Event) {
        self.question |= matches!(event, Event::Question(_));
        if matches!(event, Event::Delta { kind: DeltaKind::Text, .. } | Event::Action(_) | Event::RunStarted { .. }) {
            self.came = Came::Something;
        }
        self.count(event);
        let what = match event {
            Event::Reading { processed, total } => What::Reading { percent: processed * 100 / (*total).max(1) },
            Event::Delta { kind: DeltaKind::Reasoning | DeltaKind::Tool, text } => match self.what {
                What::Thinking { characters } => What::Thinking { characters: characters + text.chars().count() },
                _ => What::Thinking { characters: text.chars().count() },
            },
            Event::Delta { kind: DeltaKind::Text, .. } => match &self.what {
                What::Block { .. } => return,
                _ => What::Writing,
            },
            Event::Block { closed: true, .. } => What::Writing,
            Event::Block { label, lines, closed: false, .. } => What::Block { label: label.clone(), lines: *lines },
            Event::ReplyFinished { .. } | Event::RunFinished { .. } | Event::Validation { .. } => What::Working,
            Event::RunStarted { run, .. } => What::Running { run: *run, last: String::new() },
            Event::RunOutput { text, .. } => return self.printed(text),
            Event::Checking(command) => What::Checking { command: command.clone() },
            Event::Retry { .. } => What::Waiting,
            // After what a reply asked for is done, the model is asked again.
            Event::Version { .. } | Event::Hook { .. } | Event::Action(_) => What::Working,
            _ => return,
        };
        if std::mem::discriminant(&what) != std::mem::discriminant(&self.what) {
            self.since = Instant::now();
            self.said = false;
        }
        self.what = what;
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::Delta { text, .. } => {
                let (characters, _) = self.wrote.get_or_insert_with(|| (0, Instant::now()));
                *characters += text.chars().count();
            }
            Event::ReplyFinished { .. } => self.wrote = None,
            _ => {}
        }
    }

    /// The last line that is not empty.
    fn printed(&mut self, text: &str) {
        let What::Running { last, .. } = &mut self.what else { return };
        if let Some(line) = text.lines().rev().find(|line| !line.trim().is_empty()) {
            *last = beginning_of(&printable(line));
        }
    }

    /// About how fast it writes, in tokens a second.
    fn rate(&self) -> Option<usize> {
        let (characters, since) = self.wrote?;
        let time = since.elapsed();
        (time >= ENOUGH).then(|| (characters as f64 / TOKEN as f64 / time.as_secs_f64()).round() as usize)
    }

    /// What takes long and was not said yet, for those who see no [line](Self::line).
    pub fn overdue(&mut self) -> Option<&'static str> {
        let what = match self.what {
            _ if self.stopping || self.question => return None,
            What::Looking => "looking for the model",
            What::Waiting => "waiting for the model",
            What::Reading { .. } => "the model reads what was said",
            What::Thinking { .. } => "thinking",
            What::Checking { .. } => "checking",
            What::Writing | What::Block { .. } | What::Running { .. } | What::Working => return None,
        };
        if self.said || self.since.elapsed() < LONG {
            return None;
        }
        self.said = true;
        Some(what)
    }

    pub fn line(&self, draft: &Draft, counted: Counted) -> String {
        if self.question {
            return "y is yes, any other key no".to_owned();
        }
        let mut line = format!("{} {}", FRAMES[self.frame], self.doing());
        if draft.line().is_empty() && !self.stopping {
            let writes = matches!(self.what, What::Thinking { .. } | What::Writing | What::Block { .. });
            if let Some(rate) = self.rate().filter(|_| writes) {
                line.push_str(&format!(", {rate} tokens/s"));
            }
        }
        if let What::Running { last, .. } = &self.what
            && !last.is_empty()
            && !self.stopping
        {
            line.push_str(&format!(" · {last}"));
        }
        match draft.waiting() {
            0 => {}
            1 => line.push_str(" · 1 message waits"),
            more => line.push_str(&format!(" · {more} messages wait")),
        }
        if !draft.line().is_empty() {
            line.push_str(&format!(" › {}", end_of(&printable(draft.line()))));
            return line;
        }
        line.push_str(" · Esc stops");
        if let Some(percent) = counted.percent() {
            line.push_str(&format!(" · context {percent} %"));
        }
        line
    }

    fn doing(&self) -> String {
        let what = match &self.what {
            _ if self.stopping => "stopping".to_owned(),
            What::Looking => "looking for the model".to_owned(),
            What::Waiting => "waiting for the model".to_owned(),
            What::Reading { percent } => format!("the model reads, {percent} %"),
            What::Thinking { characters } => format!("thinking ▸ about {} tokens", characters / TOKEN),
            What::Writing => "writing".to_owned(),
            What::Block { label, lines } => format!("{} ▸ {}", printable(label), folds::counted(*lines)),
            What::Running { run, .. } => format!("run {run}"),
            What::Checking { command } => format!("checking: {}", beginning_of(&printable(command))),
            What::Working => "working".to_owned(),
        };
        format!("{what}, {} s", self.since.elapsed().as_secs())
    }
}

/// The first line that is a command, as far as there is room for it.
fn beginning_of(script: &str) -> String {
    const SHOWN: usize = 40;
    let is_command = |line: &&str| !line.trim().is_empty() && !line.starts_with("export ");
    let line = script.lines().find(is_command).unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

/// What is being typed is seen at its end.
fn end_of(text: &str) -> String {
    const SHOWN: usize = 48;
    let line = text.replace(['\n', '\t'], "⏎");
    let characters = line.chars().count();
    if characters <= SHOWN { line } else { format!("…{}", line.chars().skip(characters - SHOWN).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counted, LONG, Status};
    use crate::base::streams::Stream;
    use crate::base::usage::Usage;
    use crate::core::event::{BlockKind, Event};
    use crate::core::op::{Ask, Op, Source};
    use crate::core::view::{DeltaKind, RunSource};
    use crate::frontend::repl::draft::Draft;
    use crate::frontend::repl::keys::Key;

    #[test]
    fn what_takes_long_is_said_once() {
        let mut status = Status::of(&Op::Ask(Ask::Say { text: "x".to_owned(), source: Source::Keyboard }));
        assert_eq!(status.overdue(), None, "not yet");
        status.since -= LONG;
        assert_eq!((status.overdue(), status.overdue()), (Some("waiting for the model"), None));
        status.event(&Event::Delta { kind: DeltaKind::Reasoning, text: "hm".to_owned() });
        assert_eq!(status.overdue(), None);
        status.since -= LONG;
        assert_eq!((status.overdue(), status.overdue()), (Some("thinking"), None));
    }

    #[test]
    fn a_file_that_is_written_is_named_with_its_lines_and_what_is_typed_is_seen() {
        let mut status = Status::of(&Op::Ask(Ask::Say { text: "x".to_owned(), source: Source::Keyboard }));
        let mut draft = Draft::default();
        assert_eq!(status.line(&draft, Counted::default()), "·   waiting for the model, 0 s · Esc stops");
        status.event(&Event::Block { kind: BlockKind::File, label: "todo.py".to_owned(), lines: 12, closed: false });
        draft.take(Key::Text("and now".to_owned()));
        assert_eq!(status.line(&draft, Counted::default()), "·   todo.py ▸ 12 lines, 0 s › and now");
        draft.take(Key::Enter);
        assert_eq!(
            status.line(&draft, Counted::default()),
            "·   todo.py ▸ 12 lines, 0 s · 1 message waits · Esc stops"
        );
    }

    #[test]
    fn how_far_it_is_how_fast_and_what_a_run_printed_last() {
        let mut status = Status::of(&Op::Ask(Ask::Say { text: "x".to_owned(), source: Source::Keyboard }));
        let (draft, mut counted) = (Draft::default(), Counted::default());
        counted.window = Some(8_000);
        counted.event(&Event::Usage(Usage { prompt_tokens: 1_500, completion_tokens: 100, ..Usage::default() }));
        status.event(&Event::Reading { processed: 512, total: 2_048 });
        assert_eq!(status.line(&draft, counted), "·   the model reads, 25 %, 0 s · Esc stops · context 20 %");
        status.event(&Event::Delta { kind: DeltaKind::Text, text: "x".repeat(400) });
        status.wrote = status.wrote.map(|(characters, since)| (characters, since - Duration::from_secs(2)));
        assert_eq!(status.line(&draft, Counted::default()), "·   writing, 0 s, 50 tokens/s · Esc stops");
        status.event(&Event::RunStarted { run: 3, source: RunSource::Model, command: "make".to_owned() });
        status.event(&Event::RunOutput {
            run: 3,
            stream: Stream::Stdout,
            seq: 1,
            at_s: 0.1,
            text: "one\ntwo\n\n".to_owned(),
        });
        assert_eq!(status.line(&draft, Counted::default()), "·   run 3, 0 s · two · Esc stops");
    }
}
