//! The conversation as Markdown. Replies are Markdown already and stay as they are.

use std::fmt::Write as _;

use super::{facts, telemetry, verdict, word};
use crate::core::view::{Piece, Transcript};
use crate::frontend::views::changes;

/// Formatting into a string cannot fail, so its results are not looked at.
pub fn markdown(transcript: &Transcript) -> String {
    let mut out = format!("# {}\n\n", one_line(&transcript.title));
    for (name, value) in facts(transcript) {
        let _ = writeln!(out, "- {name}: {}", one_line(&value));
    }
    for piece in &transcript.pieces {
        out.push('\n');
        out.push_str(&shown(piece));
    }
    out
}

fn shown(piece: &Piece) -> String {
    match piece {
        Piece::Message(text) => format!("## You\n\n{}\n", text.trim_end()),
        Piece::Reply(text) => format!("## Reply\n\n{}\n", text.trim_end()),
        Piece::Summary(text) => format!("## Summary of what was said before\n\n{}\n", text.trim_end()),
        Piece::Remark(text) => format!("> {}\n", one_line(text)),
        Piece::Version { number, why, files, diff } => {
            let head = format!("### Version {number}: {}\n\n{}\n", one_line(why), changes(files));
            if diff.is_empty() { head } else { format!("{head}\n{}", block("diff", diff)) }
        }
        Piece::Run(run) => {
            let mut out =
                format!("### Run {}\n\n{}\n{}\n", run.number, block("sh", &run.command), telemetry(&run.report));
            if !run.output.trim().is_empty() {
                let _ = write!(out, "\n{}", block("", &run.output));
            }
            out
        }
        Piece::Check { version, outcome, script, feedback } => {
            let mut out = format!("> check of version {version} by {}: {}\n", one_line(script), word(outcome));
            if !feedback.trim().is_empty() {
                let _ = write!(out, "\n{}", block("", feedback));
            }
            out
        }
        Piece::Verdict { verdict: how, exit_code } => format!("**{}**\n", verdict(*how, *exit_code)),
    }
}

/// A fence longer than any in the text.
fn block(language: &str, text: &str) -> String {
    let longest = text.lines().map(|line| line.trim_start().bytes().take_while(|byte| *byte == b'`').count()).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}
