//! What faos needs of others: a model, and a machine that lets it isolate runs.

use super::checkup::Checkup;
use crate::base::report::{Backend, Guarantee, Network};
use crate::command::failure::Failure;
use crate::command::models::{named, window};
use crate::gateway::{self, Survey};
use crate::sandbox::{self, Capabilities, Choice, Findings, Sandbox, SandboxError, Tool, Tried};
use crate::settings::Settings;

/// Programs that validators ask for, what is not checked without each, and the Debian package that brings it.
const TOOLS: [(&str, &str, &str); 8] = [
    ("bash", "nothing can be run", "bash"),
    ("python3", "Python is not checked", "python3"),
    ("node", "JavaScript is not checked", "nodejs"),
    ("cargo", "Rust is not checked", "cargo"),
    ("cc", "C and C++ are not checked", "gcc"),
    ("go", "Go is not checked", "golang"),
    ("javac", "Java is not checked", "default-jdk-headless"),
    ("make", "a Makefile's own tests are not run", "make"),
];

/// A smaller window holds a few files and their tests, not more.
const SMALL_WINDOW: u64 = 8_192;

/// What the self-test found in a sandbox that could be set up.
pub struct TriedOut {
    backend: Backend,
    guarantees: Result<Findings, SandboxError>,
    tools: Result<Vec<Tool>, SandboxError>,
    others: Vec<Other>,
}

/// A backend that is not in force.
struct Other {
    backend: Backend,
    tried: Result<Findings, SandboxError>,
}

pub fn try_out(sandbox: &Sandbox, settings: &Settings) -> TriedOut {
    TriedOut {
        backend: sandbox.backend(),
        guarantees: sandbox.try_out(settings.sandbox.network),
        tools: sandbox.tools(&TOOLS.map(|(name, ..)| name)),
        others: other_backends(sandbox.backend(), settings),
    }
}

fn other_backends(in_force: Backend, settings: &Settings) -> Vec<Other> {
    let others = sandbox::BACKENDS.into_iter().filter(|backend| ![in_force, Backend::Off].contains(backend));
    let others = others.map(|backend| {
        let options =
            sandbox::Options { backend: Choice::Only(backend), require: Vec::new(), ..settings.sandbox.clone() };
        let tried = Sandbox::open(&options).and_then(|other| other.try_out(Network::Off));
        Other { backend, tried }
    });
    others.collect()
}

pub fn model(checkup: &mut Checkup, survey: &Survey, options: &gateway::Options) {
    checkup.section("MODEL");
    for server in &survey.servers {
        let models = server.models.len();
        let count = if models == 1 { "1 model".to_owned() } else { format!("{models} models") };
        checkup.fine("server", format!("{} at {}, {count}", named(server), server.endpoint));
    }
    let server = match &survey.chosen {
        Ok(server) => server,
        Err(error) => return checkup.problem("model", &error.clone().into()),
    };
    checkup.fine("model", &server.model);
    match server.context_window {
        Some(tokens) if tokens < SMALL_WINDOW => {
            checkup.note(
                "window",
                format!("{tokens} tokens: little room for files and their tests"),
                larger_window(&server.kind),
            );
        }
        None => {
            let hint = "`--context N`, or `context` in the settings, says how many tokens the server was started with";
            checkup.note("window", "the server does not say how many tokens it can read at once", hint);
        }
        Some(_) => checkup.fine("window", format!("{} of context", window(server.context_window))),
    }
    let counts = survey.servers.iter().any(|offer| offer.endpoint == server.endpoint && offer.counts);
    checkup.fine(
        "tokens",
        if counts { "counted by the server" } else { "estimated, and corrected by what the server counts" },
    );
    if options.endpoint.is_none() {
        checkup.fine("asked", "the known ports of this machine; `-e URL` names any other server");
    }
}

fn larger_window(kind: &str) -> &'static str {
    match kind {
        "llama.cpp" => "start it with `-c 32768`, or as much as the memory allows",
        "Ollama" => "start it with `OLLAMA_CONTEXT_LENGTH=32768 ollama serve`",
        "vLLM" => "start it with `--max-model-len 32768`",
        _ => "start the server with a larger context window",
    }
}

/// With nothing to run there is nothing to ask of a sandbox.
pub fn no_sandbox(checkup: &mut Checkup) {
    checkup.section("SANDBOX");
    let hint = "without these options it is tried";
    checkup.note("backend", "not needed with `--no-run --no-scripts`: nothing is run", hint);
}

pub fn sandbox(checkup: &mut Checkup, found: Result<TriedOut, SandboxError>, options: &sandbox::Options) {
    checkup.section("SANDBOX (where the model's programs run; each line was tried)");
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            checkup.problem("backend", &not_tried(error));
            for guarantee in ALL {
                let hint = "what helps the backend above helps here";
                checkup.note(guarantee.as_str(), "no   there is no sandbox, and so nothing can be run", hint);
            }
            return limits(checkup, &options.limits);
        }
    };
    backend(checkup, found.backend);
    match found.guarantees {
        Ok(Findings { tried, degraded, no_cgroup }) => {
            tried.iter().for_each(|tried| guarantee(checkup, tried, found.backend, options));
            let hint =
                "the guarantees hold all the same; docs/sandbox.md says what a newer kernel or another machine adds";
            degraded.iter().for_each(|what| checkup.note("weaker", what, hint));
            match no_cgroup {
                None => checkup.fine("cgroup", "holds a run's memory and processes, and counts them"),
                Some(why) => checkup.note(
                    "cgroup",
                    format!("none, memory is looked at every 50 ms: {why}"),
                    "all limits hold all the same; `systemd-run --user --scope -p Delegate=yes faos` gives it one",
                ),
            }
        }
        Err(error) => checkup.problem("guarantees", &not_tried(error)),
    }
    others(checkup, &found.others);
    limits(checkup, &options.limits);
    checkup.section("TOOLS (as a run finds them)");
    match found.tools {
        Ok(tools) => tools.iter().for_each(|one| tool(checkup, one)),
        Err(error) => checkup.problem("tools", &not_tried(error)),
    }
}

/// What is in force, and what it is known to leave open.
fn backend(checkup: &mut Checkup, backend: Backend) {
    let Capabilities { name, about, gaps, .. } = sandbox::capabilities(backend);
    match backend {
        Backend::Ns | Backend::Bwrap => checkup.fine("backend", format!("{name}: {about}")),
        Backend::Landlock => {
            checkup.note("backend", format!("{name}, by your word: {about}"), "`--sandbox auto` takes namespaces");
        }
        Backend::Off => {
            let hint = "leave `--sandbox off` away, and `backend = \"off\"` out of the settings";
            return checkup.note("backend", "off, by your word: what the model runs can do all that you can", hint);
        }
    }
    let hint = "`--sandbox ns` leaves nothing of this open, where this machine allows it";
    if !gaps.is_empty() {
        checkup.note("open", gaps.join("; "), hint);
    }
}

/// The other backends, each tried too.
fn others(checkup: &mut Checkup, others: &[Other]) {
    if !others.is_empty() {
        checkup.section("OTHER BACKENDS (`--sandbox NAME` chooses one; each was tried)");
    }
    for Other { backend, tried } in others {
        let Capabilities { name: of_backend, about, gaps, .. } = sandbox::capabilities(*backend);
        match tried {
            Ok(Findings { tried, .. }) => {
                let broken = tried.iter().filter(|tried| tried.promised && tried.got_through);
                let broken: Vec<&str> = broken.map(|tried| tried.guarantee.as_str()).collect();
                let held: Vec<&str> =
                    tried.iter().filter(|tried| tried.held()).map(|tried| tried.guarantee.as_str()).collect();
                let text = format!("{about}; holds {}", held.join(" "));
                let text = if broken.is_empty() { text } else { format!("{text}; FAILS {}", broken.join(" ")) };
                match (broken.is_empty(), gaps.len()) {
                    (true, 0) => checkup.fine(of_backend, text),
                    (_, gaps) => {
                        let more =
                            format!("`faos doctor --sandbox {of_backend}` names {gaps} thing(s) that it leaves open");
                        checkup.note(of_backend, text, more);
                    }
                }
            }
            Err(error) => {
                let text = format!("not here: {error}");
                let hints = match error {
                    SandboxError::Unavailable { hints, .. } => hints.join("; "),
                    SandboxError::Io(_) => String::new(),
                };
                let needless = "none is needed: another backend is in force".to_owned();
                checkup.note(of_backend, text, if hints.is_empty() { needless } else { hints });
            }
        }
    }
}

fn not_tried(error: SandboxError) -> Failure {
    let mut failure = Failure::from(error);
    if failure.hints.is_empty() {
        failure.hints.push("is the folder for temporary files (`TMPDIR`) there, and may you write to it?".to_owned());
    }
    failure
}

const ALL: [Guarantee; 5] =
    [Guarantee::FsWrite, Guarantee::FsRead, Guarantee::Network, Guarantee::Kill, Guarantee::Limits];

fn guarantee(checkup: &mut Checkup, tried: &Tried, backend: Backend, options: &sandbox::Options) {
    let Tried { guarantee, how, .. } = tried;
    let (kept, lost) = meaning(*guarantee);
    let text = if tried.held() { format!("yes  {kept} ({how})") } else { format!("no   {lost} ({how})") };
    if tried.held() {
        return checkup.fine(guarantee.as_str(), text);
    }
    // What was switched off by the user's word is missed by nobody.
    let waived = backend == Backend::Off || (*guarantee == Guarantee::Network && options.network == Network::Full);
    if waived || !options.require.contains(guarantee) {
        let hint = match (backend, guarantee) {
            (Backend::Off, _) => "it is given up with `--sandbox off`, and back without it".to_owned(),
            (Backend::Ns | Backend::Bwrap | Backend::Landlock, Guarantee::Network)
                if options.network == Network::Full =>
            {
                "it is given up with `--net full`, and back without it".to_owned()
            }
            (Backend::Ns | Backend::Bwrap | Backend::Landlock, guarantee) => {
                format!(
                    "`\"{}\"` in `require` below `[sandbox]` in the settings stops all runs without it",
                    guarantee.as_str()
                )
            }
        };
        return checkup.note(guarantee.as_str(), text, hint);
    }
    let hint = "this is a fault of faos: please report it, with your kernel's version".to_owned();
    checkup.problem(guarantee.as_str(), &Failure { message: text, hints: vec![hint], exit_code: 5 });
}

/// What it means, kept or not, for someone who has not read about it.
fn meaning(guarantee: Guarantee) -> (&'static str, &'static str) {
    match guarantee {
        Guarantee::FsWrite => {
            ("a run changes no files but its workspace's", "a run can change every file that you can change")
        }
        Guarantee::FsRead => {
            ("a run sees system folders and toolchains, not your home", "a run can read every file that you can read")
        }
        Guarantee::Network => {
            ("a run reaches nothing but its own loopback", "a run reaches every network that you reach")
        }
        Guarantee::Kill => ("a run leaves no program behind", "a run can leave programs behind"),
        Guarantee::Limits => ("a run is stopped when it takes too much", "a run can get around its limits"),
    }
}

fn limits(checkup: &mut Checkup, limits: &sandbox::Limits) {
    let sandbox::Limits { wall_s, validation_wall_s, memory_mib, processes, file_mib, growth_mib, .. } = limits;
    checkup.section("LIMITS (of a run; `[sandbox.limits]` in the settings changes them)");
    let cpu =
        limits.cpu_s.map_or_else(|| "on at most two cores".to_owned(), |cpu| format!("{cpu} s of them on a core"));
    checkup.fine("time", format!("{wall_s} s, a validation {validation_wall_s} s, {cpu}"));
    checkup.fine("memory", format!("{memory_mib} MiB in all, {processes} processes"));
    let sizes = format!("{file_mib} MiB a file, {growth_mib} MiB and {} files in all", limits.growth_files);
    checkup.fine("disk", format!("{sizes}, {} MiB of output", limits.output_mib));
}

fn tool(checkup: &mut Checkup, tool: &Tool) {
    let Tool { name, version, outside } = tool;
    let known = TOOLS.iter().find(|(known, ..)| known == name);
    let (without, package) = known.map_or(("", &**name), |(_, without, package)| (*without, *package));
    match (version, outside) {
        (Some(version), _) if version.is_empty() => checkup.fine(name, "there; it does not say its version"),
        (Some(version), _) => checkup.fine(name, version),
        (None, None) => {
            let hint = format!("where you need it: `apt install {package}` on Debian, or your system's package of it");
            checkup.note(name, format!("not installed: {without}"), hint);
        }
        (None, Some(path)) => {
            let hint = format!("`{}` is where no run may look; install it below /usr or /opt", path.display());
            checkup.note(name, format!("not visible in the sandbox: {without}"), hint);
        }
    }
}
