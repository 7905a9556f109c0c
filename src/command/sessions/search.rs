//! `faos sessions search`: which session, which message, a line of it.

use std::path::Path;

use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;
use crate::session::{self, Author};

pub fn run(sessions: &Path, words: &[String]) -> Result<Plan, Failure> {
    let (hits, problems) = session::search(sessions, words)?;
    super::warn(&problems);
    if hits.is_empty() {
        // As with grep, a program is told by the exit code; nothing failed.
        output::say("no message holds all of these words");
    }
    let mut out = String::new();
    let mut last = None;
    for hit in &hits {
        if last != Some(&hit.session) {
            out.push_str(&format!("{}  {}\n", hit.session, output::one_line(&hit.title)));
            last = Some(&hit.session);
        }
        let author = match hit.author {
            Author::User => "you",
            Author::Model => "reply",
        };
        out.push_str(&format!("  message {}, {author}: {}\n", hit.turn, output::one_line(&hit.line)));
    }
    output::print(&out)
}
