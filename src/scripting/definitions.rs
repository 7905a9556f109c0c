//! `scripts/types.d.rhai`: every event's fields and answers, every helper and host function, for readers and editors.

use std::fmt::Write;

use super::answer::HELPERS;
use super::chains::LIMITS;
use super::handler::Event;

/// A name, its type, what it means.
pub(super) type Line = (&'static str, &'static str, &'static str);

pub(super) const COMMON: &[Line] = &[
    ("event", "String", "the event's own name"),
    ("session", "String", "the session's id"),
    ("turn", "int", "the user's message, from 1"),
    ("attempt", "int", "model calls of this message so far"),
    ("workspace", "String", "the workspace's absolute path"),
    ("model", "String", "the model's name"),
    ("headless", "bool", "nobody can be asked"),
    ("time", "String", "now, RFC 3339, UTC"),
];

pub(super) const FUNCTIONS: &[(&str, &str)] = &[
    ("log_info(text: String)", "A line for the user, and for the log"),
    ("log_warn(text: String)", "The same, as a warning"),
    ("log_error(text: String)", "The same, as an error"),
    ("notify(text: String)", "Calls the user: the terminal's bell or a notification"),
    ("ask_user(question: String) -> bool", "Asks yes or no; `false` where nobody can be asked"),
    (
        "re_find(text: String, pattern: String) -> Array|()",
        "The first match: the whole of it, then each group; `()` without one",
    ),
    ("re_find_all(text: String, pattern: String) -> Array", "All matches, each as `re_find` gives it"),
    (
        "re_replace(text: String, pattern: String, with: String) -> String",
        "Every match replaced; `$1` or `${name}` is a group",
    ),
    ("glob_match(path: String, glob: String) -> bool", "As in .gitignore: `*.py` at any depth, `/*.py` at the root"),
    ("diff(old: String, new: String) -> String", "A unified diff"),
    ("tokens(text: String) -> int", "About how many tokens a model reads it as"),
    ("sha256(text: String) -> String", "In hexadecimal digits"),
    ("fences(text: String) -> Array", "Its fenced blocks, each `#{lang, content}`"),
    (
        "head(text: String, characters: int) -> String",
        "At most that much of the beginning, in whole lines where possible",
    ),
    ("tail(text: String, characters: int) -> String", "At most that much of the end, in whole lines where possible"),
    ("parse_json(text: String) -> Dynamic", "An error where the text is no JSON"),
    ("to_json(value: Dynamic) -> String", "An error where the value is no plain data"),
    ("read(path: String) -> String", "A file of the workspace; an error where it cannot be read"),
    ("write(path: String, content: String)", "Writes a file of the workspace, with its folders"),
    ("exists(path: String) -> bool", "Whether the workspace has that file or folder"),
    ("list(glob: String) -> Array", "The paths of the files that the glob matches, sorted"),
    (
        "run(request: Map) -> Map",
        "Runs `#{cmd, stdin, limits}` in the sandbox: its report, `stdout`, `stderr`, and `ok` for exit code 0",
    ),
];

const COMMANDS: &str = "\
// Slash commands that the script adds, each with what /help says of it: `#{todo: \"what is left to do\"}`. It is called
// once, when the script is loaded; on_command is asked when one of them is typed.
fn commands() -> Map;";

const RUN: &[Line] = &[
    ("cmd", "String", "the script that ran"),
    ("ok", "bool", "it ended by itself, with exit code 0"),
    ("stdout", "String", "what it printed"),
    ("stderr", "String", "what it printed on standard error"),
    ("exit", "Map", "`#{kind, code, signal}`; kind is `exited`, `signaled`, `wall_limit` …"),
    ("files_changed", "Array", "each `#{path, kind}`; kind is `created`, `modified`, `deleted`"),
    ("wall_s", "float", "seconds from start to end"),
    ("user_s", "float", "processor seconds of its own"),
    ("system_s", "float", "processor seconds of the kernel"),
    ("setup_s", "float", "seconds before its start"),
    ("peak_memory_bytes", "int", "at most at one time"),
    ("peak_memory_method", "String", "`cgroup`, `sampled`, `largest-process`"),
    ("processes_left_killed", "int", "processes that had to be ended"),
    ("written_bytes", "int", "bytes written to files"),
    ("stdout_bytes", "int", "all it printed, kept or not"),
    ("stderr_bytes", "int", "the same of standard error"),
    ("truncated", "bool", "output was dropped"),
    ("command", "String", "the command as the report has it"),
    ("cwd", "String", "the folder it ran in"),
    ("backend", "String", "the sandbox's kind"),
    ("guarantees", "Array", "what the sandbox held it to"),
    ("missing", "Array", "what it could not"),
    ("network", "String", "`off` or `full`"),
];

const TURN_END: &[Line] = &[
    ("text", "String", "the last reply"),
    ("files_changed", "Array", "of this message, each `#{path, kind}`"),
    ("runs", "Array", "the reports of its runs"),
    ("verdict", "String", "`passed`, `failed` or `unchecked`"),
    ("continues", "int", "how often `more` went on with it"),
    ("continues_left", "int", "how often it still can"),
];

const REPLY: &[Line] = &[
    ("text", "String", "the model's reply as it came"),
    ("reasoning", "String", "what it thought, where the server tells"),
    ("actions", "Array", "`#{kind: \"write\", path, content}` and so on, in order"),
    ("unnamed", "Array", "blocks that no path was given for, each `#{language, content}`"),
    ("finish_reason", "String", "`stop`, `length` …"),
    ("usage", "Map", "`#{requests, prompt_tokens, cached_tokens, completion_tokens, seconds}`, as the server counted"),
];

/// What `ev` holds for this event beside what every event's does.
pub(super) fn fields(event: Event) -> Vec<Line> {
    match event {
        Event::SessionStart => vec![
            ("resumed", "bool", "a saved session is gone on with"),
            ("forked_from", "String|()", "the id of the session that it goes on from"),
            ("scripts", "Array", "all scripts in their order, as `user/40-todo.rhai`"),
        ],
        Event::Prompt => vec![
            ("text", "String", "the user's message"),
            ("source", "String", "where it came from"),
            ("files", "Array", "paths of the files that go with it (`@path`)"),
        ],
        Event::Request => vec![
            ("messages", "Array", "what is about to be sent, each `#{role, content}`"),
            ("params", "Map", "`#{temperature, seed, max_tokens}`; `()` is the server's own"),
            ("est_tokens", "int", "about how many tokens the messages are"),
            ("context_limit", "int|()", "the model's context window in tokens, where it is known"),
        ],
        Event::Reply => REPLY.to_vec(),
        Event::FileWrite => vec![
            ("path", "String", "relative to the workspace"),
            ("lang", "String", "by the extension; empty where unknown"),
            ("old_text", "String|()", "what the file holds now; `()` where there is none"),
            ("content", "String", "what it is to hold"),
        ],
        Event::Validate => vec![
            ("files_changed", "Array", "of this message, each `#{path, kind}`"),
            ("files", "Array", "all paths of the workspace"),
            ("runs", "Array", "in the second call: the reports of the runs asked for, as in on_run_result"),
        ],
        Event::Run => vec![
            ("command", "String", "what is to run; empty for `/run` alone"),
            ("source", "String", "`model`, `user` or `script`"),
            ("cwd", "String", "the folder"),
            ("limits", "Map", "the limits that hold"),
        ],
        Event::RunResult => {
            let mut fields = RUN.to_vec();
            fields.push(("feedback", "String", "what the script before made of it; empty at first"));
            fields
        }
        Event::TurnEnd => TURN_END.to_vec(),
        Event::Command => {
            vec![("command", "String", "the command's name"), ("text", "String", "what was typed behind it")]
        }
        Event::SessionEnd => vec![
            ("reason", "String", "`done`, `left` …"),
            (
                "totals",
                "Map",
                "`#{messages, requests, prompt_tokens, completion_tokens, seconds, runs, run_s, versions}`",
            ),
        ],
    }
}

/// The keys of the map that a handler of this event may return.
pub(super) fn answers(event: Event) -> &'static [Line] {
    match event {
        Event::SessionStart => &[("context", "String|Array", "is sent below the next message")],
        Event::Request => &[
            ("messages", "Array", "are sent instead, this once; the conversation stays as it is"),
            ("params", "Map", "any of them, for this request"),
            ("deny", "String", "nothing is sent; the request ends here, and why"),
            ("allow", "true", "yes, in the log"),
        ],
        Event::Prompt => &[
            ("text", "String", "takes the message's place"),
            ("context", "String|Array", "is sent below it"),
            ("deny", "String", "the request ends here, and why"),
            ("handled", "String", "the answer; no model is asked"),
            ("allow", "true", "yes, in the log"),
        ],
        Event::Reply => &[
            ("actions", "Array", "take the place of the reply's"),
            ("retry", "String", "nothing is done; goes back to the model"),
            ("stop", "String", "nothing is done; the turn ends, and why"),
        ],
        Event::FileWrite => &[
            ("content", "String", "is written instead"),
            ("deny", "String", "the file is not written, and why"),
            ("retry", "String", "the file is not written; goes back to the model"),
            ("allow", "true", "yes, in the log"),
        ],
        Event::Validate => &[
            ("pass", "true", "the files are sound"),
            ("fail", "String", "they are not; goes back to the model"),
            ("none", "String", "cannot tell, and why"),
            ("runs", "Array", "runs to make on a scratch copy, each `#{cmd, stdin, limits}`"),
        ],
        Event::Run => &[
            ("command", "String", "runs instead"),
            ("limits", "Map", "tighter ones; looser ones change nothing"),
            ("deny", "String", "it does not run, and why"),
            ("allow", "true", "yes, in the log"),
        ],
        Event::RunResult => {
            &[("feedback", "String", "what the model is shown of it"), ("stop", "String", "the turn ends, and why")]
        }
        Event::TurnEnd => &[
            ("more", "String", "goes back to the model; the turn goes on"),
            ("verdict", "String", "`passed`, `failed` or `unchecked`"),
        ],
        Event::Command => &[
            ("handled", "String", "is shown to the user"),
            ("text", "String", "is said to the model, as if the user had typed it"),
        ],
        Event::SessionEnd => &[],
    }
}

/// The text of `scripts/types.d.rhai`.
pub fn definitions() -> String {
    let mut out = String::from(
        "// What scripts can use. Made by the program from its own code; a test keeps it true. Nothing reads this file.\n\
         //\n\
         // A script is a file NN-name.rhai with any of the functions below whose names begin with on_. Each takes the event\n\
         // and returns () for no opinion, or a map. `this` is a map that is kept from call to call.\nmodule static;\n",
    );
    let _ = writeln!(out, "\n// ---- Events ----\n//\n// Every ev has:");
    out += &table(COMMON);
    for event in Event::ALL {
        let gate = if event.is_gate() { " A gate: a script that breaks here denies." } else { "" };
        let may = if answers(event).is_empty() { "returns nothing." } else { "may return a map with:" };
        let _ = writeln!(out, "\n//{gate} ev also has:\n{}//\n// and it {may}", table(&fields(event)));
        out += &table(answers(event));
        let _ = writeln!(out, "fn {}(ev: Map) -> Map|();", event.name());
    }
    let _ = writeln!(out, "\n{COMMANDS}");
    let _ = writeln!(out, "\n// Limits, in ev.limits and in run's request: {}", LIMITS.join(" "));
    let _ = writeln!(out, "\n// ---- Helpers: each builds an answer ----");
    for helper in HELPERS {
        let parameter = if helper.takes.is_empty() { String::new() } else { format!("{}: String", helper.takes) };
        let _ = writeln!(out, "\n/// {}.\nfn {}({parameter}) -> Map;", helper.says, helper.name);
    }
    let _ = writeln!(
        out,
        "\n/// Any of the keys above together, as in `modify(#{{content: text}})`.\nfn modify(changes: Map) -> Map;"
    );
    let _ = writeln!(out, "\n// ---- Host functions ----");
    for (signature, says) in FUNCTIONS {
        let _ = writeln!(out, "\n/// {says}.\nfn {signature};");
    }
    out
}

/// The names of all functions above.
pub(super) fn function_names() -> Vec<&'static str> {
    let functions = FUNCTIONS.iter().filter_map(|(signature, _)| signature.split('(').next());
    functions.chain(HELPERS.iter().map(|helper| helper.name)).chain(["modify"]).collect()
}

/// The names of all fields that an event can have.
pub(super) fn field_names() -> Vec<&'static str> {
    let own = Event::ALL.into_iter().flat_map(fields);
    COMMON.iter().copied().chain(own).map(|(name, _, _)| name).collect()
}

fn table(lines: &[Line]) -> String {
    let width = lines.iter().map(|(name, _, _)| name.len()).max().unwrap_or(0);
    let types = lines.iter().map(|(_, of, _)| of.len()).max().unwrap_or(0);
    lines.iter().fold(String::new(), |mut out, (name, of, says)| {
        let _ = writeln!(out, "//   {name:width$}  {of:types$}  {says}");
        out
    })
}
