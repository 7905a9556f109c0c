//! What the conversation was asked for: for the screen, for completion, or for elsewhere.

use crate::core::event::Event;
use crate::core::op::{Op, Topic};
use crate::core::view::{SavedSession, View};
use crate::frontend::repl::outward::{Document, Outward};
use crate::frontend::repl::{Asked, Repl, Waiting};
use crate::frontend::views;

impl Repl {
    /// The lines of a view; what can be completed is learnt from it.
    pub(super) fn shown(&mut self, view: &View) -> String {
        match view {
            View::Files { files, .. } => self.known.files(files.iter().map(|(path, _)| path.clone()).collect()),
            View::Models(models) => self.known.models(models.iter().map(|model| model.name.clone()).collect()),
            View::Sessions(sessions) => {
                if self.listed.is_empty() || !self.is_unseen() {
                    self.listed = sessions.iter().map(|session| session.id.clone()).collect();
                }
                let named = |session: &SavedSession| (session.id.clone(), session.title.clone());
                self.known.sessions(sessions.iter().map(named).collect());
            }
            View::Versions(versions) => {
                self.known.versions(versions.iter().map(|version| format!("v{}", version.version)).collect());
            }
            View::Commands(commands) => self.known.commands(commands.clone()),
            View::Recap(_)
            | View::Context(_)
            | View::Diff { .. }
            | View::Scripts(_)
            | View::Prompts(_)
            | View::Stats(_)
            | View::Transcript(_) => {}
        }
        match (view, self.is_unseen(), self.outward.take()) {
            (_, true, outward) => {
                self.outward = outward;
                String::new()
            }
            (View::Transcript(transcript), _, Some(Outward::Document { as_page, file })) => {
                self.waiting = Some(Waiting::Document(Document { transcript: (**transcript).clone(), as_page, file }));
                String::new()
            }
            (View::Recap(recap), _, Some(Outward::Clipboard(block))) => self.copy(recap, block),
            (View::Diff { .. }, _, _) if self.difference(view) => String::new(),
            (_, _, _) => views::lines(view),
        }
    }

    fn is_unseen(&self) -> bool {
        matches!(self.asked.front(), Some(Asked::Unseen | Asked::ForTab))
    }

    /// Whether there is a server to be asked for its models.
    pub(super) fn look_for_server(&mut self, event: &Event) {
        if let Event::Session(info) = event {
            self.is_connected = !info.server.is_empty();
        }
    }

    /// For a Tab. A server is not looked for because of one.
    pub(super) fn tell(&mut self, topic: Topic) {
        if topic == Topic::Models && !self.is_connected || !self.ask(Op::Show(topic), Asked::ForTab) {
            self.known.answered();
        }
    }
}
