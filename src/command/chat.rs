//! `faos [PROMPT]`: a new conversation, or with `--continue` the newest one of this workspace.

use std::path::{Path, PathBuf};

use crate::base::fs;
use crate::base::report::{self, Network};
use crate::cli::{Backend, Color, Net, Options, OutputFormat, Theme};
use crate::command::consent;
use crate::command::failure::Failure;
use crate::command::input::{self, Input};
use crate::command::job::{Asking, Job, Manner, Place, Plan, Words};
use crate::command::output;
use crate::core::conversation::Mode;
use crate::frontend::headless::{self, Format, Left};
use crate::frontend::render::{Ground, Look, Signs};
use crate::sandbox::{self, Choice};
use crate::session;
use crate::settings::{self, Flags, Frontend, Settings, TerminalWishes, When};

pub fn run(prompt: Option<String>, options: &Options) -> Result<Plan, Failure> {
    let settings = Settings::resolve(&flags(options))?;
    if options.no_session && options.workspace.is_none() {
        return Err(Failure::usage("--no-session needs a workspace", "name one with -w DIR: its files stay"));
    }
    let place = place(options, &settings)?;
    let input = input::read(prompt)?;
    if input.prompt.is_none() && input.piped.is_none() && manner(options) == Manner::AtOnce {
        return Err(nothing_to_do());
    }
    Ok(Plan::Converse(Box::new(job(options, settings, place, input))))
}

/// What the options say of a conversation, whichever command begins it.
pub fn job(options: &Options, settings: Settings, place: Place, input: Input) -> Job {
    let mut notices: Vec<String> = input.notice.into_iter().collect();
    let mode = match (options.dry_run, options.no_run) {
        (true, _) => Mode::DryRun,
        (false, true) => Mode::NoRun,
        (false, false) => Mode::Work,
    };
    if mode == Mode::DryRun {
        notices.push("dry run: nothing is written, run or kept".to_owned());
    }
    if mode != Mode::DryRun {
        notices.extend(weaker(settings.sandbox.backend));
    }
    let manner = manner(options);
    let words = match input {
        Input { prompt: None, piped: None, .. } if manner == Manner::AtKeyboard => Words::None,
        Input { prompt: None, piped: None, .. } => Words::GoOn,
        Input { prompt, piped, .. } => Words::Say { prompt, piped },
    };
    let left = match place {
        _ if mode == Mode::DryRun => Left::Nothing,
        Place::Passing { .. } => Left::Files,
        Place::New { .. } | Place::Saved { .. } => Left::Session,
    };
    let show = headless::Options { left, ..show(options) };
    let (scripts, (look, asks_ground)) = (!options.no_scripts, look(options, &settings.frontend));
    let asking = match (options.trust_scripts, manner) {
        (true, _) => Asking::Needless,
        (false, Manner::AtKeyboard) => Asking::AtTerminal,
        (false, Manner::AtOnce) => Asking::Nobody,
    };
    Job { manner, settings, place, words, mode, scripts, asking, show, look, asks_ground, notices, player: None }
}

/// A terminal on both sides is a conversation, unless one request was asked for.
fn manner(options: &Options) -> Manner {
    let for_programs = !matches!(options.output_format, OutputFormat::Text);
    if options.print || options.dry_run || options.quiet || for_programs || !input::is_terminal() {
        Manner::AtOnce
    } else {
        Manner::AtKeyboard
    }
}

/// What may be written to the terminal beside text, and whether it is asked what that stands on.
pub fn look(options: &Options, wanted: &Frontend) -> (Look, bool) {
    let wishes = TerminalWishes::find();
    let color = match wanted.color {
        When::Auto => !wishes.no_color && !wishes.dumb,
        When::Always => true,
        When::Never => false,
    };
    let ground = match wanted.theme {
        // With its own sixteen colours a terminal knows best.
        settings::Theme::Auto => Ground::Unknown,
        settings::Theme::Dark | settings::Theme::Light if !wishes.many_colors => Ground::Unknown,
        settings::Theme::Dark => Ground::Dark,
        settings::Theme::Light => Ground::Light,
    };
    let motion = !options.plain && !wishes.dumb;
    let signs = if wishes.not_utf8 { Signs::Ascii } else { Signs::Unicode };
    let asks = wanted.theme == settings::Theme::Auto && color && motion && wishes.many_colors && wishes.answers;
    (Look { color, motion, folds: motion && !wanted.unfolded, ground, signs }, asks)
}

pub fn show(options: &Options) -> headless::Options {
    let format = match options.output_format {
        OutputFormat::Text => Format::Text,
        OutputFormat::Json => Format::Json,
        OutputFormat::StreamJson => Format::StreamJson,
    };
    headless::Options { format, quiet: options.quiet, left: Left::Files }
}

pub fn flags(options: &Options) -> Flags {
    Flags {
        endpoint: options.endpoint.clone(),
        model: options.model.clone(),
        temperature: options.temperature,
        seed: options.seed,
        max_tokens: options.max_tokens,
        context: options.context,
        max_turns: options.max_turns,
        max_repairs: options.max_repairs,
        session_dir: options.session_dir.clone(),
        backend: options.sandbox.map(|backend| match backend {
            Backend::Auto => Choice::Auto,
            Backend::Ns => Choice::Only(report::Backend::Ns),
            Backend::Bwrap => Choice::Only(report::Backend::Bwrap),
            Backend::Landlock => Choice::Only(report::Backend::Landlock),
            Backend::Off => Choice::Only(report::Backend::Off),
        }),
        network: options.net.map(|net| match net {
            Net::Off => Network::Off,
            Net::Full => Network::Full,
        }),
        color: options.color.map(|color| match color {
            Color::Auto => When::Auto,
            Color::Always => When::Always,
            Color::Never => When::Never,
        }),
        theme: options.theme.map(|theme| match theme {
            Theme::Auto => settings::Theme::Auto,
            Theme::Dark => settings::Theme::Dark,
            Theme::Light => settings::Theme::Light,
        }),
        config: options.config.clone(),
    }
}

/// The settings for a command that looks at prompts and scripts, the project's among them: that of `--workspace`, or of
/// the folder that the user is in. What is left out is said on stderr.
pub fn settings_here(options: &Options) -> Result<Settings, Failure> {
    let settings = Settings::resolve(&flags(options))?;
    let asking = if options.trust_scripts { Asking::Needless } else { Asking::Nobody };
    let (settings, notices) = consent::project(&project_here(options), &settings, asking)?;
    notices.iter().for_each(|notice| output::say(notice));
    Ok(settings)
}

/// The folder of `--workspace`, or the one that the user is in.
pub fn project_here(options: &Options) -> PathBuf {
    absolute(options.workspace.as_deref().unwrap_or(Path::new(".")))
}

fn place(options: &Options, settings: &Settings) -> Result<Place, Failure> {
    let workspace = options.workspace.as_deref().map(absolute);
    if options.continues {
        refuse_dry_run(options)?;
        let folder = workspace.unwrap_or_else(|| absolute(Path::new(".")));
        let newest = session::newest(&settings.folders.sessions, Some(&folder))?;
        return match newest {
            Some(folder) => Ok(Place::saved(folder)),
            None => Err(Failure::usage(
                format!("no session has the workspace `{}`", folder.display()),
                "`faos sessions list` shows them all",
            )),
        };
    }
    Ok(new(options, workspace))
}

/// Where a new conversation is held. A dry run makes nothing, not even the folder that was named.
pub fn new(options: &Options, workspace: Option<PathBuf>) -> Place {
    if options.dry_run {
        return Place::Passing { workspace: workspace.filter(|folder| fs::exists(folder)) };
    }
    if options.no_session { Place::Passing { workspace } } else { Place::New { workspace } }
}

/// A conversation that is gone on with is written to.
pub fn refuse_dry_run(options: &Options) -> Result<(), Failure> {
    if !options.dry_run {
        return Ok(());
    }
    Err(Failure::usage(
        "a dry run keeps nothing, and a saved conversation grows",
        "begin a new one: faos --dry-run PROMPT",
    ))
}

pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What the user gives up by a backend of less than namespaces.
fn weaker(backend: Choice) -> Option<String> {
    match backend {
        Choice::Only(report::Backend::Off) => {
            Some("warning: the sandbox is off: what the model runs can do all that you can".to_owned())
        }
        Choice::Only(landlock @ report::Backend::Landlock) => {
            let gaps = sandbox::capabilities(landlock).gaps.join("; ");
            Some(format!("warning: the sandbox has no namespaces: {gaps}"))
        }
        Choice::Auto | Choice::Only(report::Backend::Ns | report::Backend::Bwrap) => None,
    }
}

fn nothing_to_do() -> Failure {
    let mut hints = vec!["say what you want: faos \"a command-line to-do list in Python with tests\"".to_owned()];
    if !input::is_terminal() {
        hints.push("or pipe it in: echo \"…\" | faos".to_owned());
    }
    hints.push("`faos demo` shows the program without a model".to_owned());
    Failure { message: "there is nothing to do: no PROMPT, and nothing on stdin".to_owned(), hints, exit_code: 2 }
}
