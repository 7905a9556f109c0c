//! Colours for code, made on a thread of their own that nobody waits for.
//!
//! Lines go in and come back coloured, in order, through bounded queues. A block that finds its queue full stays plain
//! from there on, since what follows a gap would be read wrongly.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};
use tokio::sync::Notify;

use super::cursor::Place;
use super::style::{Ground, Look, Painter, Style};

/// Bytes of a line that is shown in colours; with minified code these would take their time.
pub(super) const LONGEST_LINE: usize = 2000;

/// Lines on their way; far more than a screen shows.
const QUEUE: usize = 512;

/// Languages whose compiled expressions are kept, 5 to 35 MB each. One more, and all are made anew when needed.
const LANGUAGES: usize = 5;

enum Job {
    /// A block begins; what may name its language, and what it stands on.
    Begin(Vec<String>, Ground),
    Line(String, Option<Place>),
    End,
}

/// A line that came back.
pub(super) struct Coloured {
    pub place: Place,
    pub line: String,
}

#[derive(Default)]
pub(super) struct Highlighter {
    /// Made for the first block.
    thread: Option<Thread>,
    ready: Arc<Notify>,
    /// The open block has had no gap so far.
    follows: bool,
    /// Lines that are on their way.
    underway: usize,
}

struct Thread {
    jobs: SyncSender<Job>,
    /// `None`: the line needs no colour.
    done: Receiver<Option<Coloured>>,
}

impl Highlighter {
    pub fn begin(&mut self, hints: Vec<String>, ground: Ground) {
        if hints.is_empty() {
            return;
        }
        if self.thread.is_none() {
            self.thread = Thread::start(Arc::clone(&self.ready));
        }
        self.follows = self.send(Job::Begin(hints, ground));
    }

    /// The next line of the open block, whether or not it can be shown again.
    pub fn line(&mut self, line: &str, place: Option<Place>) {
        if self.follows {
            self.follows = self.send(Job::Line(line.to_owned(), place));
            self.underway += usize::from(self.follows);
        }
    }

    pub fn end(&mut self) {
        if self.follows {
            self.send(Job::End);
        }
        self.follows = false;
    }

    /// The next line that has come back with colours.
    pub fn next(&mut self) -> Option<Coloured> {
        while let Some(thread) = &self.thread {
            match thread.done.try_recv() {
                Ok(done) => {
                    self.underway -= 1;
                    if done.is_some() {
                        return done;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.thread = None;
                    self.underway = 0;
                }
            }
        }
        None
    }

    pub fn is_settled(&self) -> bool {
        self.underway == 0
    }

    /// Waits for lines that have come back.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    fn send(&self, job: Job) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.jobs.try_send(job).is_ok())
    }
}

impl Thread {
    /// A system that has no thread left for colours goes without.
    fn start(ready: Arc<Notify>) -> Option<Self> {
        let (jobs, inbox) = sync_channel(QUEUE);
        let (outbox, done) = sync_channel(QUEUE);
        let work = move || {
            let mut grammar = Grammar::default();
            for job in inbox {
                match job {
                    Job::Begin(hints, ground) => {
                        grammar.ground = ground;
                        grammar.begin(&hints);
                    }
                    Job::Line(line, place) => {
                        let coloured = grammar.line(&line);
                        let done = place.zip(coloured).map(|(place, line)| Coloured { place, line });
                        if outbox.send(done).is_err() {
                            break;
                        }
                        ready.notify_one();
                    }
                    Job::End => grammar.block = None,
                }
            }
        };
        thread::Builder::new().name("highlight".to_owned()).spawn(work).ok()?;
        Some(Self { jobs, done })
    }
}

/// What the thread knows.
#[derive(Default)]
struct Grammar {
    set: Option<SyntaxSet>,
    /// The names of those in use.
    languages: Vec<String>,
    scopes: Scopes,
    ground: Ground,
    block: Option<Block>,
}

struct Block {
    state: ParseState,
    stack: ScopeStack,
}

impl Grammar {
    fn begin(&mut self, hints: &[String]) {
        let set = self.set.get_or_insert_with(two_face::syntax::extra_newlines);
        let Some(syntax) = hints.iter().find_map(|hint| find(set, hint)) else {
            self.block = None;
            return;
        };
        if !self.languages.contains(&syntax.name) {
            let kept: usize = self.languages.iter().map(|name| share(name)).sum();
            if kept > 0 && kept + share(&syntax.name) > LANGUAGES {
                self.languages.clear();
                self.set = None;
                return self.begin(hints);
            }
            self.languages.push(syntax.name.clone());
        }
        self.block = Some(Block { state: ParseState::new(syntax), stack: ScopeStack::new() });
    }

    /// `None`: no colour, or a grammar that fails, whose block stays plain.
    fn line(&mut self, line: &str) -> Option<String> {
        let (set, block) = (self.set.as_ref()?, self.block.as_mut()?);
        let coloured = block.line(line, set, (&self.scopes, self.ground));
        if coloured.is_err() {
            self.block = None;
        }
        coloured.ok().flatten()
    }
}

impl Block {
    fn line(
        &mut self,
        line: &str,
        set: &SyntaxSet,
        (scopes, ground): (&Scopes, Ground),
    ) -> Result<Option<String>, syntect::Error> {
        let mut painter = Painter::on(ground);
        self.parts(line, set, scopes, |style, text| painter.push(style, text))?;
        Ok(painter.finish())
    }

    fn parts(
        &mut self,
        line: &str,
        set: &SyntaxSet,
        scopes: &Scopes,
        mut push: impl FnMut(Option<Style>, &str),
    ) -> Result<(), syntect::Error> {
        let ops = self.state.parse_line(&format!("{line}\n"), set)?;
        let mut at = 0;
        for (offset, op) in &ops {
            let end = (*offset).clamp(at, line.len());
            push(scopes.style(&self.stack), &line[at..end]);
            at = end;
            self.stack.apply(op)?;
        }
        push(scopes.style(&self.stack), &line[at..]);
        Ok(())
    }
}

/// Whole pieces of code, coloured at once for a page that is not a terminal.
#[derive(Default)]
pub struct Coloring(Grammar);

impl Coloring {
    /// The code's parts with their styles; all of it plain where no language is known by this name.
    pub fn parts(&mut self, language: &str, code: &str) -> Vec<(Option<Style>, String)> {
        let plain = || vec![(None, code.to_owned())];
        // By the same way as on the screen, so that no more languages are kept than there.
        self.0.begin(&[language.to_owned()]);
        let Grammar { set: Some(set), scopes, block: Some(block), .. } = &mut self.0 else { return plain() };
        let mut parts: Vec<(Option<Style>, String)> = Vec::new();
        let mut add = |style, text: &str| match parts.last_mut() {
            Some((last, part)) if *last == style => part.push_str(text),
            _ => parts.push((style, text.to_owned())),
        };
        for line in code.split_inclusive('\n') {
            let pushed = block.parts(line.trim_end_matches('\n'), set, scopes, |style, text| {
                if !text.is_empty() {
                    add(style, text);
                }
            });
            if pushed.is_err() {
                return plain();
            }
            if line.ends_with('\n') {
                add(None, "\n");
            }
        }
        parts
    }

    /// Its lines in the terminal's colours, up to one that is too long for them. `name` is a file's or a language's.
    pub fn lines(&mut self, name: &str, code: &str, look: Look) -> Vec<String> {
        let plain = |code: &str| code.lines().map(|line| look.plain(line)).collect();
        if !look.color {
            return plain(code);
        }
        self.0.begin(&super::markdown::names_in(name));
        let Grammar { set: Some(set), scopes, block: Some(block), .. } = &mut self.0 else { return plain(code) };
        let mut follows = true;
        let mut line = |line: &str| {
            let line = look.plain(line);
            // What comes after a line that was not read would be read wrongly.
            follows &= line.len() <= LONGEST_LINE;
            let painted = follows.then(|| block.line(&line, set, (scopes, look.ground)).ok().flatten());
            painted.flatten().unwrap_or(line)
        };
        code.lines().map(&mut line).collect()
    }
}

/// How many of [`LANGUAGES`] one counts for. TypeScript takes 100 MB alone.
fn share(name: &str) -> usize {
    if name.to_ascii_lowercase().starts_with("typescript") { LANGUAGES } else { 1 }
}

/// The grammar for a word: a file's name, an extension, a language or what models call it.
fn find<'a>(set: &'a SyntaxSet, word: &str) -> Option<&'a SyntaxReference> {
    let word = word.to_ascii_lowercase();
    let known = match word.as_str() {
        "run" | "shell" | "console" | "shell-session" => "sh",
        "python3" | "py3" => "python",
        "golang" => "go",
        "csharp" => "cs",
        "node" => "js",
        "jsx" => "tsx",
        "jsonc" | "json5" => "json",
        "docker" => "dockerfile",
        other => other,
    };
    let syntax = set.find_syntax_by_token(known)?;
    (syntax.name != "Plain Text").then_some(syntax)
}

/// Which scope has which style.
struct Scopes(Vec<(Scope, Option<Style>)>);

/// The first that a scope begins with counts; the innermost scope that has one decides.
const STYLES: [(&str, Option<Style>); 21] = [
    ("comment", Some(Style::Dim)),
    ("constant", Some(Style::Value)),
    ("entity.name.tag", Some(Style::Keyword)),
    ("entity.name", Some(Style::Bold)),
    ("entity.other.attribute-name", Some(Style::Value)),
    ("keyword.operator.logical.python", Some(Style::Keyword)),
    ("keyword.operator.word", Some(Style::Keyword)),
    ("keyword.operator", None),
    ("keyword", Some(Style::Keyword)),
    ("storage", Some(Style::Keyword)),
    ("variable.language", Some(Style::Keyword)),
    ("support.type", Some(Style::Value)),
    ("support.constant", Some(Style::Value)),
    ("string", Some(Style::Text)),
    ("markup.inserted", Some(Style::Good)),
    ("markup.deleted", Some(Style::Bad)),
    ("markup.heading", Some(Style::Bold)),
    ("markup.bold", Some(Style::Bold)),
    ("markup.raw", Some(Style::Value)),
    ("meta.interpolation", None),
    ("meta.template.expression", None),
];

impl Default for Scopes {
    fn default() -> Self {
        Self(STYLES.iter().filter_map(|(name, style)| Some((Scope::new(name).ok()?, *style))).collect())
    }
}

impl Scopes {
    fn style(&self, stack: &ScopeStack) -> Option<Style> {
        let of = |scope: &Scope| self.0.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, style)| *style);
        stack.as_slice().iter().rev().find_map(of).flatten()
    }
}
