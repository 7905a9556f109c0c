//! The conversation as one page: no script, no other file, light or dark as the reader's system is.

use std::fmt::Write as _;

use super::{facts, telemetry, verdict, word};
use crate::base::fences::{self, Part};
use crate::core::view::{Piece, Transcript, ValidationOutcome, Verdict};
use crate::frontend::render::{Coloring, Style};
use crate::frontend::views::changes;

const STYLE: &str = include_str!("page.css");

/// Formatting into a string cannot fail, so its results are not looked at.
pub fn html(transcript: &Transcript) -> String {
    let title = escaped(&transcript.title);
    let mut page = Page { out: String::new(), coloring: Coloring::default() };
    let _ = write!(
        page.out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<dl>\n"
    );
    for (name, value) in facts(transcript) {
        let _ = writeln!(page.out, "<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&value));
    }
    page.out.push_str("</dl>\n");
    for piece in &transcript.pieces {
        page.piece(piece);
    }
    page.out.push_str("</body>\n</html>\n");
    page.out
}

struct Page {
    out: String,
    coloring: Coloring,
}

impl Page {
    fn piece(&mut self, piece: &Piece) {
        match piece {
            Piece::Message(text) => self.section("you", "You", |page| page.prose(text)),
            Piece::Reply(text) => self.section("reply", "Reply", |page| page.reply(text)),
            Piece::Summary(text) => self.section("summary", "Summary of what was said before", |page| page.reply(text)),
            Piece::Remark(text) => self.line("remark", text),
            Piece::Version { number, why, files, diff } => {
                let head = format!("Version {number}: {why} ({})", changes(files));
                self.details("version", &head, |page| page.code("diff", diff));
            }
            Piece::Run(run) => self.section("run", &format!("Run {}", run.number), |page| {
                page.code("sh", &run.command);
                page.line("telemetry", &telemetry(&run.report));
                if !run.output.trim().is_empty() {
                    page.code("", &run.output);
                }
            }),
            Piece::Check { version, outcome, script, feedback } => {
                let class = match outcome {
                    ValidationOutcome::Passed => "good",
                    ValidationOutcome::Failed => "bad",
                    ValidationOutcome::None => "remark",
                };
                self.line(class, &format!("check of version {version} by {script}: {}", word(outcome)));
                if !feedback.trim().is_empty() {
                    self.code("", feedback);
                }
            }
            Piece::Verdict { verdict: how, exit_code } => {
                let class = match how {
                    Verdict::Passed => "good",
                    Verdict::Failed | Verdict::Error => "bad",
                    Verdict::Unchecked | Verdict::Interrupted => "verdict",
                };
                self.line(class, &verdict(*how, *exit_code));
            }
        }
    }

    fn section(&mut self, class: &str, head: &str, body: impl FnOnce(&mut Self)) {
        let _ = writeln!(self.out, "<section class=\"{class}\">\n<h2>{}</h2>", escaped(head));
        body(self);
        self.out.push_str("</section>\n");
    }

    fn details(&mut self, class: &str, head: &str, body: impl FnOnce(&mut Self)) {
        let _ = writeln!(self.out, "<details class=\"{class}\" open>\n<summary>{}</summary>", escaped(head));
        body(self);
        self.out.push_str("</details>\n");
    }

    fn line(&mut self, class: &str, text: &str) {
        let _ = writeln!(self.out, "<p class=\"{class}\">{}</p>", escaped(text));
    }

    fn prose(&mut self, text: &str) {
        let _ = writeln!(self.out, "<div class=\"prose\">{}</div>", escaped(text.trim_matches('\n')));
    }

    /// Prose and fenced code. What a reply does is told beside it: here it is only shown.
    fn reply(&mut self, text: &str) {
        for part in fences::parts(text) {
            match part {
                Part::Prose(prose) if prose.trim().is_empty() => {}
                Part::Prose(prose) => self.prose(prose),
                Part::Block(block) => self.code(block.word().split(':').next().unwrap_or_default(), block.text),
            }
        }
    }

    fn code(&mut self, language: &str, code: &str) {
        if code.is_empty() {
            return;
        }
        self.out.push_str("<pre><code>");
        for (style, text) in self.coloring.parts(language, code.trim_end_matches('\n')) {
            let text = escaped(&text);
            match style.and_then(class) {
                Some(class) => {
                    let _ = write!(self.out, "<span class=\"{class}\">{text}</span>");
                }
                None => self.out.push_str(&text),
            }
        }
        self.out.push_str("</code></pre>\n");
    }
}

fn class(style: Style) -> Option<&'static str> {
    Some(match style {
        Style::Bold | Style::User | Style::Path => "b",
        Style::Dim => "c",
        Style::Good => "i",
        Style::Bad => "d",
        Style::Warn | Style::Keyword => "k",
        Style::Text => "s",
        Style::Value => "n",
        Style::Italic | Style::Link => return None,
    })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
