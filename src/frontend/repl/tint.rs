//! What an event's lines look like. Nothing is said by colour that the words do not say.

use crate::core::event::{ActionOutcome, Event};
use crate::core::view::{ValidationOutcome, Verdict};
use crate::frontend::render::{Look, Style};

/// The lines in the style of the event that they tell of.
pub fn tinted(look: Look, event: &Event, lines: &str) -> String {
    let (first, rest) = styles(event);
    let paint = |(at, line): (usize, &str)| {
        let style = if at == 0 { first } else { rest };
        let end = if line.ends_with('\n') { "\n" } else { "" };
        let line = line.trim_end_matches('\n');
        match style {
            Some(style) => format!("{}{end}", look.paint(style, line)),
            None => format!("{line}{end}"),
        }
    };
    lines.split_inclusive('\n').enumerate().map(paint).collect()
}

/// Of the first line, and of those below it.
fn styles(event: &Event) -> (Option<Style>, Option<Style>) {
    match event {
        Event::Error { .. } => (Some(Style::Bad), None),
        Event::Finished(finished) => {
            let verdict = match finished.verdict {
                Verdict::Passed => Style::Good,
                Verdict::Failed | Verdict::Error => Style::Bad,
                Verdict::Unchecked | Verdict::Interrupted => Style::Bold,
            };
            (Some(verdict), Some(Style::Dim))
        }
        Event::Validation { outcome, .. } => match outcome {
            ValidationOutcome::Passed => (Some(Style::Good), None),
            ValidationOutcome::Failed => (Some(Style::Bad), Some(Style::Dim)),
            ValidationOutcome::None => (Some(Style::Dim), Some(Style::Dim)),
        },
        Event::Action(action) if action.outcome == ActionOutcome::Refused => (Some(Style::Warn), None),
        Event::Action(_) | Event::HeadMoved(_) => (Some(Style::Path), None),
        Event::RunStarted { .. } | Event::RunFinished { .. } => (Some(Style::Bold), None),
        Event::Session(_)
        | Event::RunOutput { .. }
        | Event::Hook { .. }
        | Event::Notice(_)
        | Event::Retry { .. }
        | Event::Usage(_)
        | Event::Version { .. } => (Some(Style::Dim), Some(Style::Dim)),
        Event::Delta { .. }
        | Event::Block { .. }
        | Event::ReplyFinished
        | Event::Question(_)
        | Event::GivenBack(_)
        | Event::Shown(_)
        | Event::Ready => (None, None),
    }
}
