//! What is said of an event at a terminal, and what it looks like. Nothing is said by colour that the words do not say.

use crate::base::printable::printable;
use crate::core::event::{ActionOutcome, Event, Move, Moved};
use crate::core::view::{ValidationOutcome, Verdict};
use crate::frontend::lines::Narrator;
use crate::frontend::render::{Look, Style, wrapped};
use crate::frontend::repl::status::Came;
use crate::frontend::views;

/// The lines of an event; empty where it is shown elsewhere. At a request's end it counts what came of it.
pub fn told(look: Look, narrator: &mut Narrator, event: &Event, came: Came, columns: usize) -> String {
    let lines = match event {
        Event::HeadMoved(to) => moved(to),
        Event::Question(question) => format!("{} [y/N]\n", printable(question)),
        event => narrator.lines(event) + way_on(event, came),
    };
    tinted(look, event, &lines, columns)
}

/// The lines in the style of the event that they tell of, broken for this width.
fn tinted(look: Look, event: &Event, lines: &str, columns: usize) -> String {
    let (first, rest) = styles(event);
    let columns = if is_ours(event) { columns } else { usize::MAX };
    let paint = |(at, line): (usize, &str)| {
        let style = if at == 0 { first } else { rest };
        let end = if line.ends_with('\n') { "\n" } else { "" };
        let rows = wrapped(line.trim_end_matches('\n'), columns);
        match style {
            Some(style) => {
                let rows: Vec<String> = rows.split('\n').map(|row| look.paint(style, row)).collect();
                format!("{}{end}", rows.join("\n"))
            }
            None => format!("{rows}{end}"),
        }
    };
    lines.split_inclusive('\n').enumerate().map(paint).collect()
}

/// A command and a difference are the model's or the user's own, line for line.
fn is_ours(event: &Event) -> bool {
    match event {
        Event::RunStarted { .. } => false,
        Event::Action(action) => action.diff.is_none(),
        _ => true,
    }
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
        Event::Question(_) | Event::RunStarted { .. } | Event::RunFinished { .. } => (Some(Style::Bold), None),
        Event::Session(_)
        | Event::RunOutput { .. }
        | Event::Hook { .. }
        | Event::Notice(_)
        | Event::Retry { .. }
        | Event::Usage(_)
        | Event::Version { .. } => (Some(Style::Dim), Some(Style::Dim)),
        Event::Delta { .. }
        | Event::Block { .. }
        | Event::Reading { .. }
        | Event::ReplyFinished { .. }
        | Event::Checking(_)
        | Event::GivenBack(_)
        | Event::Shown(_)
        | Event::Ready => (None, None),
    }
}

/// What can be done where a request did not come to its end.
fn way_on(event: &Event, came: Came) -> &'static str {
    match event {
        Event::Finished(finished) => match finished.verdict {
            Verdict::Interrupted if came == Came::Nothing => "nothing came: /retry asks again, or say something else\n",
            Verdict::Interrupted => "what came is kept: /retry goes on with it, or say something else\n",
            Verdict::Error if finished.usage.requests > 0 => "/retry goes on from here\n",
            Verdict::Error | Verdict::Passed | Verdict::Failed | Verdict::Unchecked => "",
        },
        _ => "",
    }
}

fn moved(moved: &Moved) -> String {
    let first = |text: &str| {
        let line = printable(text).lines().next().unwrap_or_default().to_owned();
        match line.char_indices().nth(60) {
            Some((cut, _)) => format!("{}…", &line[..cut]),
            None => line,
        }
    };
    let message = moved.message.as_deref().map(|text| format!(": {}", first(text))).unwrap_or_default();
    let what = match moved.why {
        Move::Undo => format!("took back{message}"),
        Move::Redo => format!("brought back{message}"),
        Move::Retry => format!("answering again{message}"),
        Move::Restore => "files brought back; the conversation goes on as it was".to_owned(),
    };
    let files = match views::changes(&moved.files) {
        changes if changes.is_empty() => "no file differs".to_owned(),
        changes => format!("files as in version {} ({changes})", moved.version),
    };
    format!("{what}\n{files}\n")
}
