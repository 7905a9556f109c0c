//! `faos eject`: a built-in prompt or script is copied to the user's folder, where it takes the built-in one's place.
//!
//! A file that is there is never written over.

use std::path::PathBuf;

use crate::base::fs::{self, FsError};
use crate::cli::{Eject, Options};
use crate::command::chat;
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output::{self, one_line};
use crate::command::replaceable;
use crate::settings::Settings;
use crate::{prompting, scripting};

/// A built-in text, and where the user's own would be.
struct Piece {
    kind: Kind,
    name: String,
    /// What it is for.
    about: String,
    text: &'static str,
    target: PathBuf,
}

#[derive(Clone, Copy)]
enum Kind {
    Prompt,
    Script,
}

impl Kind {
    fn command(self) -> &'static str {
        match self {
            Self::Prompt => "prompts",
            Self::Script => "scripts",
        }
    }
}

pub fn run(eject: &Eject, options: &Options) -> Result<Plan, Failure> {
    let settings = Settings::resolve(&chat::flags(options))?;
    let pieces = pieces(&settings);
    let Some(name) = &eject.name else { return output::print(&list(&pieces)) };
    let known: Vec<&str> = pieces.iter().map(|piece| piece.name.as_str()).collect();
    let Some(at) = replaceable::position(&known, name) else {
        return Err(replaceable::unknown(&known, "prompt or script", name));
    };
    let piece = &pieces[at];
    if fs::exists(&piece.target) {
        return Err(is_there(piece));
    }
    copy(piece).map_err(|error| Failure {
        hints: vec!["`FAOS_HOME` names another folder for what is yours".to_owned()],
        ..error.into()
    })?;
    let (command, name) = (piece.kind.command(), &piece.name);
    output::print(&format!(
        "{}\n\nYour copy is used from now on; change it as you like.\nfaos {command} diff {name}   shows what you have changed\nTo go back to the built-in one, remove the file.\n",
        one_line(&piece.target.display().to_string())
    ))
}

fn pieces(settings: &Settings) -> Vec<Piece> {
    let folder = |of: &Option<PathBuf>, name: &str| of.clone().unwrap_or_default().join(name);
    let prompts = prompting::built_in().iter().map(|template| {
        let name = format!("{}.md", template.name);
        let (about, target) = (format!("prompt: {}", template.when), folder(&settings.prompting.user, &name));
        Piece { kind: Kind::Prompt, name, about, text: template.text, target }
    });
    let scripts = scripting::built_in().iter().map(|(name, text)| {
        let target = folder(&settings.scripting.user, name);
        let kind = if name.starts_with("lib/") { "for imports" } else { "script" };
        let about = format!("{kind}: {}", opening(text));
        Piece { kind: Kind::Script, name: (*name).to_owned(), about, text, target }
    });
    prompts.chain(scripts).collect()
}

fn is_there(piece: &Piece) -> Failure {
    Failure {
        message: format!("`{}` is there already, and is left as it is", piece.target.display()),
        hints: vec![
            format!("`faos {} diff {}` shows how it differs", piece.kind.command(), piece.name),
            "move or remove it first to get a fresh copy".to_owned(),
        ],
        exit_code: 2,
    }
}

fn copy(piece: &Piece) -> Result<(), FsError> {
    if let Some(folder) = piece.target.parent() {
        fs::make_folders(folder)?;
    }
    // Another process may have made it by now: nothing is written over then, either.
    fs::write_new(&piece.target, piece.text.as_bytes())
}

fn list(pieces: &[Piece]) -> String {
    let row = |piece: &Piece| {
        let there = if fs::exists(&piece.target) { "you have your own" } else { "" };
        [piece.name.clone(), piece.about.clone(), there.to_owned()]
    };
    let rows: Vec<[String; 3]> = pieces.iter().map(row).collect();
    format!("{}\nfaos eject NAME   copies one to your folder\n", output::table(&rows))
}

/// The clause that a script opens with: what it decides.
fn opening(text: &str) -> String {
    let words: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//")).map(str::trim).collect();
    let words = words.join(" ");
    let clause = words.split([':', '.']).next().unwrap_or_default();
    clause.strip_prefix("Decides ").unwrap_or(clause).to_owned()
}
