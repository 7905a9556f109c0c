//! What was typed. Nothing is decided here; `settings.rs` and the commands make sense of it.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

/// With `-h` a screen of 80 columns and 24 lines holds it all: what is seldom needed is left to `--help`.
const HELP: &str = "\
{usage-heading} {usage}
{about}

Commands (more about one: faos help COMMAND):
{subcommands}
Options (all of them: faos --help):
{options}";

const ABOUT: &str = "\
The coding agent for people who run their own language models

Say in plain words what you want; the model on your machine writes it, faos runs and checks it in a sandbox, and keeps the conversation and \
every version of the files. Without PROMPT, at a terminal, it is a conversation.

PROMPT is one argument: quote it. `-` reads it from stdin and waits for ever. What is piped in beside it is attached to it.";

/// The coding agent for people who run their own language models
#[derive(Debug, Parser)]
#[command(
    name = "faos",
    version,
    long_about = ABOUT,
    args_conflicts_with_subcommands = false,
    subcommand_precedence_over_arg = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true,
    override_usage = "faos [OPTIONS] [PROMPT], or faos COMMAND ...",
    help_template = HELP
)]
pub struct Cli {
    /// What you want, as one argument; `-` reads it from stdin and waits for ever
    pub prompt: Option<String>,
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub options: Options,
    /// Print help: a screenful with `-h`, all of it with `--help`
    #[arg(short, long, action = ArgAction::Help, global = true, hide_short_help = true)]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, hide_short_help = true)]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Go on with a saved conversation
    Resume(Resume),
    /// The saved conversations: list, search, export, import, remove ...
    Sessions(Sessions),
    /// Play a saved conversation through today's scripts and prompts
    ///
    /// No model is needed. Exit code 3 where it comes out differently.
    Replay(Replay),
    /// See the whole way with a recorded model: no server, no network
    Demo(Demo),
    /// Run any command as the model's programs are run
    ///
    /// Isolated, limited and measured. Its exit code is passed on; one that a limit stops ends with 124.
    Sandbox(Sandbox),
    /// Look for what faos needs, and say how to get what is missing
    ///
    /// A model, the sandbox, tools, scripts, prompts, folders, the terminal: each is tried. The exit code is the one that a request would
    /// end with.
    Doctor,
    /// Every setting and who says so; edit the settings file, check it
    Config(Config),
    /// List the models of the servers that answer
    Models,
    /// The words that faos says to the model, and what you have changed
    Prompts(Prompts),
    /// The scripts that decide and validate, and whether they are sound
    Scripts(Scripts),
    /// Copy a built-in prompt or script to your folder, to change it
    Eject(Eject),
    /// Print what completes commands, options and names in a shell
    Completions(Completions),
    /// Print the manual page
    Man,
    /// Say more about a command
    #[command(hide = true)]
    Help(Help),
}

#[derive(Debug, Args)]
pub struct Help {
    /// Which one, such as `sessions export`; without it all are listed
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Resume {
    /// The session's id, its beginning, or its title; with --last the PROMPT; without either, pick from a list
    pub session: Option<String>,
    /// What you want next; without it an interrupted reply is gone on with
    pub prompt: Option<String>,
    /// The session that was worked on last
    #[arg(long)]
    pub last: bool,
    /// As a new session with the files of its own; the old one stays as it is
    #[arg(long)]
    pub fork: bool,
    /// From this version on instead of the newest
    #[arg(long, value_name = "VERSION", requires = "fork")]
    pub at: Option<u32>,
}

#[derive(Debug, Args)]
pub struct Sessions {
    #[command(subcommand)]
    pub command: Option<SessionsCommand>,
}

#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// All sessions, newest first
    List,
    /// One conversation: messages, replies, runs and verdicts
    Show {
        /// The session's id, its beginning, or its title; without it the newest one
        session: Option<String>,
        /// What this run printed, both streams in the order in which it came
        #[arg(long, value_name = "N")]
        run: Option<u32>,
    },
    /// Find words in what was said in all sessions
    Search {
        /// A message that holds all of them is found, in whatever case
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Give a session another title
    Rename {
        /// The session's id, its beginning, or its title
        session: String,
        /// Words; quote them
        title: String,
    },
    /// Write a session as a document or an archive; what looks like a key is masked
    Export {
        /// The session's id, its beginning, or its title; without it the newest one
        session: Option<String>,
        /// md, html (one page that stands alone) or tar (everything, for `faos sessions import`); else by the name of FILE
        #[arg(short, long, value_enum, hide_possible_values = true)]
        format: Option<ExportFormat>,
        /// Where to; `-` or nothing is stdout
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
        /// In an archive for yourself: leave what looks like a key as it is
        #[arg(long)]
        keep_keys: bool,
    },
    /// Take in a session from an archive
    Import {
        /// As `faos sessions export` makes it; `-` is stdin
        #[arg(value_hint = ValueHint::FilePath)]
        archive: PathBuf,
    },
    /// Remove sessions with their own workspaces
    Rm {
        /// Each by its id, its beginning, or its title
        #[arg(required = true)]
        sessions: Vec<String>,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove caches, empty sessions and what was left half removed
    Gc {
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Md,
    Html,
    Tar,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The session's id or its beginning
    pub session: String,
    /// Show what differs: verdicts, files, and what the model is told
    #[arg(long, conflicts_with = "accept")]
    pub diff: bool,
    /// Compare with what comes out now, from now on
    #[arg(long)]
    pub accept: bool,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Which recording: 01-todo (the default, needs Python) or 06-backup-rotate
    #[arg(id = "recording", value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every setting, its value, and who says so: an option, a variable, a file or nobody
    Show,
    /// Open the settings file in your editor (VISUAL, EDITOR); a new one holds every key as a comment
    Edit,
    /// Name line and key of each fault; exit code 2 where there is one
    Check {
        /// Another file than your own, such as a project's `.faos/config.toml`
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Print where the settings file is
    Path,
}

#[derive(Debug, Args)]
pub struct Prompts {
    #[command(subcommand)]
    pub command: Option<PromptsCommand>,
}

#[derive(Debug, Subcommand)]
pub enum PromptsCommand {
    /// Every prompt with its variables, and whose text is in use
    List,
    /// Print the text that is in use
    Show {
        /// As in the list: `system` or `system.md`
        #[arg(id = "template", value_name = "NAME")]
        name: String,
    },
    /// What differs from the built-in text
    Diff {
        /// As in the list; without it all that are replaced
        #[arg(id = "template", value_name = "NAME")]
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Scripts {
    #[command(subcommand)]
    pub command: Option<ScriptsCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ScriptsCommand {
    /// Every script in the order in which it is asked, whose it is, and the events it handles
    List,
    /// Compile all scripts and say file, line and column of each fault; exit code 2 where there is one
    Check,
    /// Show what the project in -w DIR or the present folder brings of its own, and use it from now on, as it is now
    Trust {
        /// Take that back: it is left out again
        #[arg(long)]
        revoke: bool,
    },
    /// Print the text that is in use
    Show {
        /// As in the list: `30-guard` or `30-guard.rhai`
        #[arg(id = "script", value_name = "NAME")]
        name: String,
    },
    /// What differs from the built-in text
    Diff {
        /// As in the list; without it all that are replaced
        #[arg(id = "script", value_name = "NAME")]
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Eject {
    /// A prompt (`system`) or a script (`30-guard`, `lib/output`); without it all names are listed
    #[arg(id = "piece", value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    #[arg(required_unless_present = "values")]
    pub shell: Option<Shell>,
    /// Print the names that there are now, for a shell's completion: one a line, a tab, what it is
    #[arg(long, value_enum, value_name = "KIND", hide = true, conflicts_with = "shell")]
    pub values: Option<Names>,
}

/// What a shell can be told while somebody types. The argument of that id is completed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Names {
    Sessions,
    Templates,
    Scripts,
    Pieces,
    Recordings,
}

#[derive(Debug, Args)]
pub struct Sandbox {
    /// The run's report as a line of JSON, last on stderr or in FILE
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-",
        value_hint = ValueHint::FilePath
    )]
    pub report: Option<PathBuf>,
    /// A limit for this run, named as in `[sandbox.limits]`: wall_s=5, memory_mib=512. A limit that is hit ends it with 124
    #[arg(long, value_name = "KEY=VALUE")]
    pub limit: Vec<String>,
    /// The command and its arguments; its workspace is --workspace or the present folder, what is piped in is its input
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Options {
    /// One request, no REPL: work until done, then exit
    #[arg(short, long, global = true)]
    pub print: bool,
    /// Work in DIR instead of the session's own folder
    ///
    /// It is made if it is missing.
    #[arg(short, long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub workspace: Option<PathBuf>,
    /// The model's name [env: FAOS_MODEL]
    #[arg(short, long, value_name = "NAME", global = true)]
    pub model: Option<String>,
    /// Any URL of the model server [env: FAOS_ENDPOINT]
    ///
    /// The API is found by probing. A key is taken from FAOS_API_KEY or the settings, and sent to this endpoint only.
    #[arg(short, long, value_name = "URL", global = true)]
    pub endpoint: Option<String>,
    /// Go on with the newest session of this workspace
    #[arg(short, long = "continue")]
    pub continues: bool,
    /// Where sessions live
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath, hide_short_help = true)]
    pub session_dir: Option<PathBuf>,
    /// Keep nothing after the end (needs --workspace)
    #[arg(long, hide_short_help = true)]
    pub no_session: bool,
    /// What stdout gets: text, json, or stream-json
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        hide_possible_values = true,
        global = true,
        hide_short_help = true
    )]
    pub output_format: OutputFormat,
    /// Model calls for one request [default: 20]
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u32).range(1..), hide_short_help = true)]
    pub max_turns: Option<u32>,
    /// Failed validations that are fed back [default: 3]
    #[arg(long, value_name = "N", global = true, hide_short_help = true)]
    pub max_repairs: Option<u32>,
    /// Do not run the model's `run` blocks
    #[arg(long, global = true, hide_short_help = true)]
    pub no_run: bool,
    /// Run no scripts: nothing is validated
    #[arg(long, global = true, hide_short_help = true)]
    pub no_scripts: bool,
    /// Use the project's own scripts, prompts and settings this once
    #[arg(long, global = true, hide_short_help = true)]
    pub trust_scripts: bool,
    /// The sandbox's backend: auto, ns, bwrap, landlock or off
    #[arg(
        long,
        value_enum,
        value_name = "BACKEND",
        hide_possible_values = true,
        global = true,
        hide_short_help = true
    )]
    pub sandbox: Option<Backend>,
    /// The network of runs: off or full
    #[arg(long, value_enum, value_name = "NET", hide_possible_values = true, global = true, hide_short_help = true)]
    pub net: Option<Net>,
    /// Sent to the model as given
    #[arg(long, value_name = "N", global = true, hide_short_help = true)]
    pub seed: Option<i64>,
    /// Sent to the model as given
    #[arg(long, value_name = "X", global = true, hide_short_help = true)]
    pub temperature: Option<f64>,
    /// Sent to the model as given
    #[arg(long, value_name = "N", global = true, hide_short_help = true)]
    pub max_tokens: Option<u64>,
    /// The context window in tokens, over what the server says
    #[arg(long, value_name = "N", global = true, hide_short_help = true)]
    pub context: Option<u64>,
    /// One model call; actions and diffs are shown, nothing is written, run or kept
    #[arg(long, hide_short_help = true)]
    pub dry_run: bool,
    /// The last reply alone on stdout, errors alone on stderr
    #[arg(short, long, global = true, hide_short_help = true)]
    pub quiet: bool,
    /// Say more of what happens; twice for more still
    #[arg(short, long, action = ArgAction::Count, global = true, hide_short_help = true)]
    pub verbose: u8,
    /// Colours: auto, always or never
    #[arg(long, value_enum, value_name = "WHEN", hide_possible_values = true, global = true, hide_short_help = true)]
    pub color: Option<Color>,
    /// What the terminal's text stands on: auto (it is asked), dark or light
    #[arg(long, value_enum, value_name = "GROUND", hide_possible_values = true, global = true, hide_short_help = true)]
    pub theme: Option<Theme>,
    /// No movement of the cursor, for screen readers
    #[arg(long, global = true, hide_short_help = true)]
    pub plain: bool,
    /// Settings file instead of the usual one
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum OutputFormat {
    #[default]
    Text,
    Json,
    StreamJson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    Auto,
    Dark,
    Light,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Backend {
    Auto,
    Ns,
    Bwrap,
    Landlock,
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Net {
    Off,
    Full,
}
