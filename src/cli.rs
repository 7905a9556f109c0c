//! What was typed. Nothing is decided here; `settings.rs` and the commands make sense of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// The coding agent for people who run their own language models.
///
/// Say in plain words what you want; the model on your machine writes it, faos runs and checks it in a sandbox,
/// and keeps the conversation and every version of the files.
#[derive(Debug, Parser)]
#[command(name = "faos", version, args_conflicts_with_subcommands = false, subcommand_precedence_over_arg = true)]
pub struct Cli {
    /// What you want, as one argument; `-` reads it from stdin and waits for ever
    pub prompt: Option<String>,
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Go on with a saved conversation
    Resume(Resume),
    /// The saved conversations: list, show, search, rename, export, import, remove
    Sessions(Sessions),
    /// Play a saved conversation through today's scripts and prompts, without a model; exit code 3 where it comes out differently
    Replay(Replay),
    /// See the whole way with a recorded model: no server, no network
    Demo(Demo),
    /// Run any command as the model's programs are run: isolated, limited, measured; its exit code is passed on
    Sandbox(Sandbox),
    /// Look for what faos needs: a model, the sandbox, folders, tools; say what is missing and how to get it
    Doctor,
    /// List the models of the servers that answer
    Models,
    /// The words that faos says to the model: which are in use, and what you have changed
    Prompts(Prompts),
    /// The scripts that decide and validate: which are in use, and whether they are sound
    Scripts(Scripts),
    /// Copy a built-in prompt or script to your own folder, where you can change it
    Eject(Eject),
    /// Print what completes faos's commands and options in a shell
    Completions(Completions),
    /// Print the manual page
    Man,
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
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// In an archive for yourself: leave what looks like a key as it is
        #[arg(long)]
        keep_keys: bool,
    },
    /// Take in a session from an archive
    Import {
        /// As `faos sessions export` makes it; `-` is stdin
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
    /// Which recording: 01-todo (default) or 06-backup-rotate
    pub name: Option<String>,
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
        name: String,
    },
    /// What differs from the built-in text
    Diff {
        /// As in the list; without it all that are replaced
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
        name: String,
    },
    /// What differs from the built-in text
    Diff {
        /// As in the list; without it all that are replaced
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Eject {
    /// A prompt (`system`) or a script (`30-guard`, `lib/output`); without it all names are listed
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct Sandbox {
    /// The run's report as a line of JSON, last on stderr or in FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
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
    /// Work in DIR (made if missing) instead of the session's own workspace
    #[arg(short, long, value_name = "DIR", global = true)]
    pub workspace: Option<PathBuf>,
    /// The model's name [env: FAOS_MODEL]
    #[arg(short, long, value_name = "NAME", global = true)]
    pub model: Option<String>,
    /// Any URL of the server; the API is found by probing [env: FAOS_ENDPOINT, key: FAOS_API_KEY]
    #[arg(short, long, value_name = "URL", global = true)]
    pub endpoint: Option<String>,
    /// Go on with the newest session of this workspace
    #[arg(short, long = "continue")]
    pub continues: bool,
    /// Where sessions live
    #[arg(long, value_name = "DIR", global = true)]
    pub session_dir: Option<PathBuf>,
    /// Keep nothing after the end (needs --workspace)
    #[arg(long)]
    pub no_session: bool,
    /// What stdout gets: text, json, or stream-json
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t, hide_possible_values = true, global = true)]
    pub output_format: OutputFormat,
    /// Model calls for one request [default: 20]
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_turns: Option<u32>,
    /// Failed validations that are fed back [default: 3]
    #[arg(long, value_name = "N", global = true)]
    pub max_repairs: Option<u32>,
    /// Do not run the model's `run` blocks
    #[arg(long, global = true)]
    pub no_run: bool,
    /// Run no scripts: nothing is validated
    #[arg(long, global = true)]
    pub no_scripts: bool,
    /// Use the project's own scripts and prompts this once
    #[arg(long, global = true)]
    pub trust_scripts: bool,
    /// The sandbox's backend: auto, ns, bwrap, landlock or off
    #[arg(long, value_enum, value_name = "BACKEND", hide_possible_values = true, global = true)]
    pub sandbox: Option<Backend>,
    /// The network of runs: off or full
    #[arg(long, value_enum, value_name = "NET", hide_possible_values = true, global = true)]
    pub net: Option<Net>,
    /// Sent to the model as given
    #[arg(long, value_name = "N", global = true)]
    pub seed: Option<i64>,
    /// Sent to the model as given
    #[arg(long, value_name = "X", global = true)]
    pub temperature: Option<f64>,
    /// Sent to the model as given
    #[arg(long, value_name = "N", global = true)]
    pub max_tokens: Option<u64>,
    /// The context window in tokens, over what the server says
    #[arg(long, value_name = "N", global = true)]
    pub context: Option<u64>,
    /// One model call; actions and diffs are shown, nothing is written, run or kept
    #[arg(long)]
    pub dry_run: bool,
    /// The last reply alone on stdout, errors alone on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more of what happens; twice for more still
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Colours: auto, always or never
    #[arg(long, value_enum, value_name = "WHEN", hide_possible_values = true, global = true)]
    pub color: Option<Color>,
    /// What the terminal's text stands on: auto (it is asked), dark or light
    #[arg(long, value_enum, value_name = "GROUND", hide_possible_values = true, global = true)]
    pub theme: Option<Theme>,
    /// No movement of the cursor, for screen readers
    #[arg(long, global = true)]
    pub plain: bool,
    /// Settings file instead of the usual one
    #[arg(long, value_name = "FILE", global = true)]
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
