//! Help while a line is typed: completion of commands, their arguments and `@paths`, hints, and whether a line goes on.

use std::borrow::Cow;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};
use tokio::sync::mpsc;

use crate::base::printable::{in_place, printable};
use crate::core::op::Topic;
use crate::frontend::render::{Look, Style};
use crate::frontend::repl::fuzzy;
use crate::frontend::repl::line::goes_on;
use crate::frontend::repl::typing::Why;
use crate::frontend::slash::{self, Added, Argument};

/// Candidates that are offered at once.
const MOST: usize = 200;

/// Characters of a session's title.
const TITLE: usize = 40;

/// How long a Tab waits for names that have to be asked for first.
const PATIENCE: Duration = Duration::from_millis(500);

/// What can be completed beside commands. Files are learnt before each prompt, everything else when Tab asks for it.
#[derive(Clone, Debug)]
pub struct Known(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Behind a lock, held for a moment only: the prompt's thread reads what the loop learns.
    names: Mutex<Names>,
    answered: Condvar,
    wanted: mpsc::UnboundedSender<Topic>,
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: Vec<String>,
    models: Vec<String>,
    /// Ids and titles.
    sessions: Vec<(String, String)>,
    versions: Vec<String>,
    /// What stands as one line in the conversation.
    folds: Vec<String>,
    /// Those of scripts.
    commands: Vec<Added>,
    /// How many topics that were wanted are told.
    answers: u64,
}

impl Known {
    /// Nothing, and what a Tab wants to know from now on: each is to be [answered](Self::answered).
    pub fn nothing() -> (Self, mpsc::UnboundedReceiver<Topic>) {
        let (wanted, asked) = mpsc::unbounded_channel();
        (Self(Arc::new(Shared { names: Mutex::default(), answered: Condvar::new(), wanted })), asked)
    }

    pub fn files(&self, files: Vec<String>) {
        self.with(|names| names.files = files);
    }

    pub fn models(&self, models: Vec<String>) {
        self.with(|names| names.models = models);
    }

    pub fn folds(&self, folds: Vec<String>) {
        self.with(|names| names.folds = folds);
    }

    pub fn sessions(&self, sessions: Vec<(String, String)>) {
        self.with(|names| names.sessions = sessions);
    }

    pub fn versions(&self, versions: Vec<String>) {
        self.with(|names| names.versions = versions);
    }

    pub fn commands(&self, commands: Vec<Added>) {
        self.with(|names| names.commands = commands);
    }

    /// The commands of scripts.
    pub fn added(&self) -> Vec<Added> {
        self.with(|names| names.commands.clone())
    }

    /// What was wanted is told, or cannot be.
    pub fn answered(&self) {
        self.with(|names| names.answers += 1);
        self.0.answered.notify_all();
    }

    /// Has it told as it is now; what was known before remains where nobody answers in time.
    fn refresh(&self, topic: Topic) {
        let names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        let before = names.answers;
        if self.0.wanted.send(topic).is_ok() {
            let waited = self.0.answered.wait_timeout_while(names, PATIENCE, |names| names.answers == before);
            drop(waited);
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Names) -> T) -> T {
        work(&mut self.0.names.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub struct Assist {
    known: Known,
    look: Look,
    why: Why,
}

impl Assist {
    pub fn new(known: Known, look: Look, why: Why) -> Self {
        Self { known, look, why }
    }

    /// Where the word that is completed begins, and what it may become.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let word = open_quote(line).unwrap_or_else(|| line.rfind(char::is_whitespace).map_or(0, |at| at + 1));
        let typed = &line[word..];
        if let Some(path) = typed.strip_prefix('@') {
            return (word + 1, self.known.with(|names| paths(&names.files, path)));
        }
        let Some(command) = line.strip_prefix('/') else { return (word, Vec::new()) };
        match command.split_once(' ') {
            None => (1, matching(&slash::names(&self.known.added()), command)),
            Some((name, _)) => {
                let argument = slash::find(name).map_or(Argument::None, |command| command.argument);
                (word, self.arguments(argument, typed))
            }
        }
    }

    fn arguments(&self, argument: Argument, typed: &str) -> Vec<String> {
        match argument {
            Argument::None | Argument::Free | Argument::Fold => {}
            Argument::Command => {}
            Argument::Model => self.known.refresh(Topic::Models),
            Argument::Session => self.known.refresh(Topic::Sessions),
            Argument::Version => self.known.refresh(Topic::Versions),
        }
        self.known.with(|names| match argument {
            Argument::None | Argument::Free => Vec::new(),
            Argument::Command => matching(&slash::names(&names.commands), typed),
            Argument::Model => matching(&names.models, typed),
            Argument::Session => sessions(&names.sessions, typed),
            Argument::Version => versions(&names.versions, typed),
            Argument::Fold => matching(&names.folds, typed),
        })
    }

    /// What may follow, in grey: the rest of a command's name, or what can stand behind it.
    fn hint_of(&self, line: &str) -> Option<String> {
        let typed = line.strip_prefix('/').filter(|typed| !typed.is_empty())?;
        if let Some(command) = slash::find(typed.trim_end()) {
            let gap = if typed.ends_with(' ') { "" } else { " " };
            return Some(format!("{gap}{}", command.usage)).filter(|_| !command.usage.is_empty());
        }
        let names = slash::names(&self.known.added());
        let rest = names.iter().find_map(|name| name.strip_prefix(typed))?;
        (!rest.is_empty()).then(|| rest.to_owned())
    }
}

/// Where the path in quotes begins that the line ends in.
fn open_quote(line: &str) -> Option<usize> {
    let at = line.rfind("@\"")?;
    let begins_a_word = line[..at].chars().next_back().is_none_or(char::is_whitespace);
    (begins_a_word && !line[at + 2..].contains('"')).then_some(at)
}

/// One with spaces stands in quotes, and so do all when a quote was typed.
fn paths(files: &[String], typed: &str) -> Vec<String> {
    let (quoted, path) = typed.strip_prefix('"').map_or((false, typed), |path| (true, path));
    let shown = |name: String| match quoted || name.contains(char::is_whitespace) {
        true => format!("\"{name}\""),
        false => name,
    };
    // No quotes hold a name that has some of its own.
    matching(files, path).into_iter().filter(|name| !name.contains('"')).map(shown).collect()
}

/// With their `v` or without, as it was begun.
fn versions(versions: &[String], typed: &str) -> Vec<String> {
    if typed.starts_with(|c: char| c.is_ascii_digit()) {
        let numbers: Vec<String> = versions.iter().map(|name| name.trim_start_matches('v').to_owned()).collect();
        return matching(&numbers, typed);
    }
    matching(versions, typed)
}

/// By the id's beginning, or by words of the title.
fn sessions(sessions: &[(String, String)], typed: &str) -> Vec<String> {
    let ids: Vec<String> = sessions.iter().map(|(id, _)| id.clone()).collect();
    match fuzzy::beginning(&ids, typed, MOST) {
        found if !found.is_empty() => found,
        _ => {
            let both: Vec<String> = sessions.iter().map(|(id, title)| format!("{id} {title}")).collect();
            let found = fuzzy::like(&both, typed, MOST);
            found.into_iter().filter_map(|both| Some(both.split_once(' ')?.0.to_owned())).collect()
        }
    }
}

/// Those that begin so; where there are none, those that have these characters in this order, the likeliest first.
fn matching(names: &[String], typed: &str) -> Vec<String> {
    match fuzzy::beginning(names, typed, MOST) {
        found if !found.is_empty() => found,
        _ => fuzzy::like(names, typed, MOST),
    }
}

impl Completer for Assist {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let (start, names) = self.candidates(&line[..at]);
        let titles = self.known.with(|names| names.sessions.clone());
        let pair = |name: String| {
            let title = titles.iter().find(|(id, _)| *id == name).map(|(_, title)| printable(title));
            let title =
                title.map(|title| format!("  {}", title.chars().take(TITLE).collect::<String>().replace('\n', " ")));
            Pair { display: format!("{}{}", printable(&name), title.unwrap_or_default()), replacement: name }
        };
        Ok((start, names.into_iter().map(pair).collect()))
    }
}

impl Validator for Assist {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        Ok(if !self.why.is_set() && goes_on(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Hinter for Assist {
    type Hint = String;

    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<String> {
        if at == line.len() { self.hint_of(line) } else { None }
    }
}

impl Highlighter for Assist {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let line = in_place(line);
        let name = line.strip_prefix('/').map(|rest| rest.split(' ').next().unwrap_or_default());
        let known =
            |name: &&str| slash::find(name).is_some() || self.known.added().iter().any(|added| added.name == *name);
        match name.filter(|name| self.look.color && known(name)) {
            Some(name) => Cow::Owned(format!("\x1b[36m/{name}\x1b[0m{}", &line[1 + name.len()..])),
            None => line,
        }
    }

    fn highlight_char(&self, line: &str, _: usize, _: rustyline::highlight::CmdKind) -> bool {
        self.look.color && line.starts_with('/')
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.look.paint(Style::Dim, hint))
    }
}

impl Helper for Assist {}

#[cfg(test)]
mod tests {
    use super::{Added, Assist, Known};
    use crate::frontend::render::Look;
    use crate::frontend::repl::typing::Why;

    #[test]
    fn commands_their_arguments_and_paths_are_completed() {
        let (known, wanted) = Known::nothing();
        drop(wanted);
        known.files(vec![
            "src/app.py".to_owned(),
            "src/db.py".to_owned(),
            "README.md".to_owned(),
            "my notes.md".to_owned(),
        ]);
        known.versions(vec!["v0".to_owned(), "v1".to_owned()]);
        known.models(vec!["qwen3-coder".to_owned()]);
        let assist = Assist::new(known, Look::default(), Why::default());
        assert_eq!(
            assist.candidates("/re"),
            (1, ["redo", "retry", "restore", "resume", "rename"].map(str::to_owned).to_vec())
        );
        assist.known.commands(vec![Added { name: "review".to_owned(), about: String::new() }]);
        assert_eq!(assist.candidates("/rev"), (1, vec!["review".to_owned()]));
        assert_eq!(assist.candidates("see @src/d"), (5, vec!["src/db.py".to_owned()]));
        assert_eq!(assist.candidates("see @my"), (5, vec!["\"my notes.md\"".to_owned()]));
        assert_eq!(assist.candidates("see @\"my no"), (5, vec!["\"my notes.md\"".to_owned()]));
        assert_eq!(assist.candidates("see @\"my notes.md\" and @REA"), (24, vec!["README.md".to_owned()]));
        assert_eq!(assist.candidates("/model q"), (7, vec!["qwen3-coder".to_owned()]));
        assert_eq!(assist.candidates("/restore v"), (9, vec!["v0".to_owned(), "v1".to_owned()]));
        assert_eq!(assist.candidates("/diff 1"), (6, vec!["1".to_owned()]));
        assert_eq!(assist.candidates("write a te").1, Vec::<String>::new());
        assert_eq!(assist.candidates("see @db").1, vec!["src/db.py".to_owned()], "by its name alone");
        assert_eq!(assist.candidates("see @sapp").1, vec!["src/app.py".to_owned()], "by some of its characters");
        assert_eq!(assist.candidates("/vrs").1, vec!["versions".to_owned()]);
        assist.known.sessions(vec![("20261126-010203-abcd".to_owned(), "a to-do list".to_owned())]);
        assert_eq!(assist.candidates("/resume todo").1, vec!["20261126-010203-abcd".to_owned()]);
    }

    #[test]
    fn a_hint_says_what_may_follow() {
        let (known, _wanted) = Known::nothing();
        let assist = Assist::new(known, Look::default(), Why::default());
        assert_eq!(assist.hint_of("/und").as_deref(), Some("o"));
        assert_eq!(assist.hint_of("/diff").as_deref(), Some(" [N[..M]] [PATH]"));
        assert_eq!(assist.hint_of("/diff ").as_deref(), Some("[N[..M]] [PATH]"));
        assert_eq!((assist.hint_of("/diff 1"), assist.hint_of("/undo"), assist.hint_of("write")), (None, None, None));
    }
}
