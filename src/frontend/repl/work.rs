//! One thing at a time is done: what comes of it as it comes, and the keys that are typed meanwhile.

use std::pin::pin;
use std::time::Duration;

use crate::base::printable::printable;
use crate::core::event::{BlockKind, Event, Finished, Moved};
use crate::core::op::{Op, Stop};
use crate::core::view::DeltaKind;
use crate::frontend::render::{Style, wrapped};
use crate::frontend::repl::draft::Wish;
use crate::frontend::repl::editor::Line;
use crate::frontend::repl::folds::End;
use crate::frontend::repl::keys::{Key, Keys};
use crate::frontend::repl::status::Status;
use crate::frontend::repl::told::told;
use crate::frontend::repl::{Asked, BLANK, Repl, size, terminal};
use crate::frontend::slash::Leave;

/// Bytes of one write, about: keys are looked at between two.
const BATCH: usize = 16 * 1024;

/// The prompt waits no longer than this for the colours of the lines above it.
const COLOURS: Duration = Duration::from_millis(300);

impl Repl {
    /// Does one thing and shows what comes of it.
    pub(super) async fn work(&mut self, op: Op, asked: Asked) -> Option<Leave> {
        terminal::paste_on();
        let mut keys = if self.editor.is_plain() { None } else { Keys::listen().ok() };
        self.pane.resize(size());
        self.pane.restart();
        self.take_ground();
        self.status = Status::of(&op);
        // Here and not where it is taken up: a key that is pressed in between counts.
        self.ends.interrupt.rearm();
        let stopped = self.ends.interrupt.token();
        self.ask(op, asked);
        let leave = loop {
            tokio::select! {
                event = self.ends.events.recv() => match event {
                    Some(event) => self.batch(event),
                    None => break Some(Leave::Quit),
                },
                Some(key) = pressed(&mut keys) => self.key(key),
                line = self.editor.entered(), if self.editor.is_open() && self.status.is_question() => self.reply(&line),
                () = stopped.cancelled(), if !self.status.is_stopping() => self.stopped(),
                () = self.pane.recoloured() => {}
                _ = self.signals.resized.recv() => self.pane.resize(size()),
                _ = self.signals.stopped.recv() => self.suspend(),
                _ = self.signals.ticks.tick() => self.tick(),
                () = self.ends.interrupt.ended() => break Some(Leave::Quit),
            }
            if self.asked.is_empty() {
                break None;
            }
            self.pane.live(Some(self.status.line(&self.draft, self.counted)));
            self.pane.fit(size());
            self.flush();
            if self.editor.is_plain() && self.status.is_question() && !self.editor.is_open() {
                terminal::forget_typed();
                self.editor.open(String::new());
            }
        };
        self.pane.live(None);
        if leave.is_some() {
            // The shell goes on in a row of its own.
            self.pane.finish_reply();
        }
        self.flush();
        self.settle(&mut keys).await;
        drop(keys);
        leave
    }

    /// The last lines may have their colours still to come, and the first ones of all take their time.
    async fn settle(&mut self, keys: &mut Option<Keys>) {
        let mut patience = pin!(tokio::time::sleep(COLOURS));
        while !self.pane.is_settled() {
            tokio::select! {
                () = self.pane.recoloured() => self.flush(),
                Some(key) = pressed(keys) => self.key(key),
                _ = self.signals.resized.recv() => self.pane.resize(size()),
                () = self.ends.interrupt.ended() => return,
                () = &mut patience => return,
            }
        }
    }

    fn tick(&mut self) {
        self.status.tick();
        if !self.look.motion
            && let Some(what) = self.status.overdue()
        {
            self.pane.lines(&self.look.paint(Style::Dim, what));
        }
    }

    fn key(&mut self, key: Key) {
        if let Key::Answer(answer) = &key {
            self.asked_ground.answered(answer);
            return self.take_ground();
        }
        if self.status.is_question() {
            match &key {
                Key::Text(text) => self.answer(text.starts_with(['y', 'Y'])),
                Key::Enter | Key::Escape | Key::Interrupt => self.answer(false),
                Key::NewLine
                | Key::Backspace
                | Key::DeleteWord
                | Key::DeleteLine
                | Key::EndOfInput
                | Key::Suspend
                | Key::Up
                | Key::Down
                | Key::PageUp
                | Key::PageDown
                | Key::Home
                | Key::End
                | Key::Answer(_)
                | Key::Paste(_) => {}
            }
            if key != Key::Interrupt {
                return;
            }
        }
        match self.draft.take(key) {
            Some(Wish::Stop) => {
                self.ends.interrupt.stop(Stop::Interrupted);
                self.stopped();
            }
            Some(Wish::Suspend) => self.suspend(),
            None => {}
        }
    }

    /// By a key, or by a signal.
    fn stopped(&mut self) {
        if self.editor.is_plain() {
            // The terminal has shown the key.
            self.pane.lines(BLANK);
        }
        if self.status.is_question() {
            self.answer(false);
        }
        self.status.stop();
        let dropped = self.draft.hold_back();
        self.not_done(&dropped);
    }

    fn put_back(&mut self, text: &str) {
        let dropped = self.draft.put_back(&self.pastes.fold_to_edit(text));
        self.not_done(&dropped);
    }

    /// Commands that waited, or that were being typed.
    fn not_done(&mut self, commands: &[String]) {
        if !commands.is_empty() {
            let named: Vec<String> =
                commands.iter().map(|command| format!("`{}`", printable(command.trim()))).collect();
            self.pane.lines(&format!("not done: {}\n", named.join(", ")));
        }
    }

    /// Where no key is read, a line answers a question.
    fn reply(&mut self, line: &Line) {
        self.pane.restart();
        let yes = matches!(line, Line::Entered(line) if line.trim_start().starts_with(['y', 'Y']));
        self.answer(yes);
    }

    fn answer(&mut self, yes: bool) {
        self.status.answered();
        self.pane.lines(if yes { "yes\n" } else { "no\n" });
        // A script that was given up waits no more.
        let _ = self.ends.answer.send(yes);
    }

    /// What is there already goes out in the same write, up to a limit: a program may print without an end.
    fn batch(&mut self, event: Event) {
        let mut written = weight(&event);
        self.event(event);
        while written < BATCH
            && let Ok(event) = self.ends.events.try_recv()
        {
            written += weight(&event);
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        self.status.event(&event);
        self.counted.event(&event);
        self.turn.event(&event);
        match event {
            Event::Delta { kind: DeltaKind::Text, text } => self.text(&text),
            Event::Delta { kind: DeltaKind::Reasoning, text } => self.thought(&text),
            Event::Block { kind: BlockKind::File, label, lines: 0, closed: false } if self.look.folds => {
                self.folds.begin(&label);
            }
            Event::Block { lines, closed: false, .. } => self.folds.grew(lines),
            Event::Block { lines, closed: true, .. } => {
                self.folds.grew(lines);
                self.folds.end(End::Whole, self.look, &mut self.pane);
            }
            Event::ReplyFinished { goes_on: true } if self.folds.is_open() => self.folds.pause(&mut self.pane),
            Event::ReplyFinished { .. } => {
                self.folds.thought(self.look, &mut self.pane);
                self.folds.end(End::Cut, self.look, &mut self.pane);
                self.pane.finish_reply();
                if std::mem::take(&mut self.in_reply) {
                    self.pane.lines(BLANK);
                }
            }
            Event::Finished(finished) => self.finished(finished),
            Event::Ready => self.ended(),
            Event::Error { .. } if self.asked.front() == Some(&Asked::ForTab) => {}
            Event::GivenBack(text) => self.put_back(&text),
            // What was printed before a stop can be long, and nobody waits for it: it is in the run's folder.
            Event::RunOutput { .. } if self.status.is_stopping() => {}
            Event::Shown(view) => {
                let text = self.shown(&view);
                self.lines(&text);
            }
            event => {
                self.look_for_server(&event);
                let text = told(self.look, &mut self.narrator, &event, self.status.came(), size().columns);
                self.lines(&text);
                if let Event::HeadMoved(Moved { message: Some(message), .. }) = event
                    && self.asked.front() == Some(&Asked::ToEdit)
                {
                    self.put_back(&message);
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.folds.thought(self.look, &mut self.pane);
        if self.folds.is_open() {
            return self.folds.push(text, &mut self.pane);
        }
        if !std::mem::replace(&mut self.in_reply, true) {
            self.pane.lines(BLANK);
        }
        self.pane.reply(text);
    }

    fn thought(&mut self, text: &str) {
        self.folds.think(text);
        if !self.look.folds && self.look.motion {
            self.pane.aside(text);
        }
    }

    fn finished(&mut self, finished: Box<Finished>) {
        // A reply that should have gone on, and did not.
        self.folds.end(End::Cut, self.look, &mut self.pane);
        if std::mem::take(&mut self.in_reply) {
            self.pane.finish_reply();
        }
        let changes = wrapped(&self.turn.changes(&finished), size().columns);
        if !changes.is_empty() {
            let changes: Vec<String> = changes.lines().map(|line| self.look.paint(Style::Path, line)).collect();
            self.pane.lines(&changes.join("\n"));
        }
        let event = Event::Finished(finished);
        let text = told(self.look, &mut self.narrator, &event, self.status.came(), size().columns);
        self.lines(&text);
        if self.ring_after.is_some_and(|least| self.turn.seconds() >= least) {
            self.ring();
        }
    }

    /// By the bell, and by what terminals make a notification of (OSC 9).
    fn ring(&self) {
        if self.look.motion && !self.editor.is_plain() {
            self.write("\x1b]9;faos: the answer is there\x07");
        }
        self.write("\x07");
    }

    /// What the text stands on may be known by now.
    pub(super) fn take_ground(&mut self) {
        if let Some(ground) = self.asked_ground.ground() {
            self.look.ground = ground;
            self.pane.look(self.look);
        }
    }

    fn suspend(&mut self) {
        self.pane.live(None);
        self.flush();
        // What the shell says gets a row of its own, and so does what comes afterwards.
        self.write("\r\n");
        terminal::suspend();
        self.pane.resize(size());
        self.pane.restart();
    }
}

/// About how much an event writes.
fn weight(event: &Event) -> usize {
    const LINE: usize = 80;
    match event {
        Event::Delta { text, .. } | Event::RunOutput { text, .. } => LINE + text.len(),
        _ => LINE,
    }
}

async fn pressed(keys: &mut Option<Keys>) -> Option<Key> {
    match keys {
        Some(keys) => keys.received.recv().await,
        None => std::future::pending().await,
    }
}
