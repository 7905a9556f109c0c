//! `faos sandbox -- CMD…`: any command as the model's programs are run, its output passed through, its exit code kept.
//!
//! The workspace is `--workspace`, or the folder that the user is in. A command that a limit stopped ends with 124, as
//! with `timeout`; one that could not be started for want of a sandbox with 5.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use crate::base::fs;
use crate::base::printable::Printable;
use crate::base::report::{ExitKind, RunReport};
use crate::base::shell;
use crate::cli::{self, Options};
use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::{chat, input, output, signals};
use crate::core::op::{Interrupt, Stop};
use crate::sandbox::{Finished, Limits, Sandbox, Spec, Stream, View};
use crate::settings::{Folders, Settings};
use crate::workspace::{self, Workspace};

pub fn run(command: &cli::Sandbox, options: &Options) -> Result<Plan, Failure> {
    let mut settings = Settings::resolve(&chat::flags(options))?;
    for limit in &command.limit {
        set(&mut settings.sandbox.limits, limit)?;
    }
    let workspace = workspace(options, &settings.folders)?;
    let stdin = input::piped()?;
    let sandbox = Sandbox::open(&settings.sandbox)?;
    let before = command.report.is_some().then(|| workspace.stamps()).transpose()?;
    let order = Order { script: script(&command.command), stdin, settings, workspace: workspace.clone() };
    let (finished, stopped) = to_its_end(sandbox, order)?;
    let Finished { mut report, stderr, .. } = finished;
    if report.exit.kind == ExitKind::SetupFailed {
        return Err(Failure { message: stderr.trim().to_owned(), hints: Vec::new(), exit_code: 5 });
    }
    report.degraded.iter().for_each(|degraded| output::say(&format!("warning: {degraded}")));
    if let (Some(to), Some(before)) = (&command.report, before) {
        report.files_changed = before.changes_to(&workspace.stamps()?);
        tell(&report, to)?;
    }
    Ok(Plan::Done(stopped.unwrap_or_else(|| code(&report))))
}

struct Order {
    script: String,
    stdin: Vec<u8>,
    settings: Settings,
    workspace: Workspace,
}

/// The command as a script: each word for itself, whatever it holds.
fn script(words: &[String]) -> String {
    let quoted = words.iter().map(|word| shell::quoted(word));
    format!("exec {}", quoted.collect::<Vec<_>>().join(" "))
}

/// `KEY=VALUE`, with the keys of `[sandbox.limits]`.
fn set(limits: &mut Limits, limit: &str) -> Result<(), Failure> {
    let usage = |why: &str| Failure::usage(format!("`--limit {limit}`: {why}"), "an example: --limit wall_s=5");
    let (key, value) = limit.split_once('=').ok_or_else(|| usage("KEY=VALUE was expected"))?;
    let number: f64 = value.parse().map_err(|_| usage("the value is no number"))?;
    // As in the settings: more than any machine has.
    if !(number > 0.0 && number <= f64::from(1 << 30)) {
        return Err(usage("the value is out of range"));
    }
    let whole = number.ceil() as u64;
    match key {
        "wall_s" => limits.wall_s = number,
        "cpu_s" => limits.cpu_s = Some(number),
        "memory_mib" => limits.memory_mib = whole,
        "processes" => limits.processes = whole,
        "file_mib" => limits.file_mib = whole,
        "growth_mib" => limits.growth_mib = whole,
        "growth_files" => limits.growth_files = whole,
        "output_mib" => limits.output_mib = whole,
        _ => return Err(usage("no limit has this name")),
    }
    Ok(())
}

fn workspace(options: &Options, folders: &Folders) -> Result<Workspace, Failure> {
    let named = options.workspace.as_deref().unwrap_or(Path::new("."));
    if !fs::exists(named) {
        fs::make_folders(named)?;
    }
    let root = fs::canonical(named)?;
    let Folders { sessions, settings, state, home } = folders;
    let own = workspace::Own { sessions, settings, state };
    let no_folder = (!fs::is_folder(&root)).then(|| "it is no folder".to_owned());
    match no_folder.or_else(|| workspace::refuse_as_root(&root, home.as_deref(), own)) {
        None => Ok(Workspace::open(&root)?),
        Some(why) => Err(Failure::usage(
            format!("`{}` cannot be a workspace: {why}", root.display()),
            "name another folder with -w, or go into one",
        )),
    }
}

/// Runs it; with the exit code where a signal, or stdout that takes nothing more, ended it.
fn to_its_end(sandbox: Sandbox, order: Order) -> Result<(Finished, Option<u8>), Failure> {
    let internal = |what: String| Failure { message: what, hints: Vec::new(), exit_code: 1 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| internal(format!("cannot start the runtime: {error}")))?;
    let protected = order.workspace.protected()?;
    runtime.block_on(async {
        let interrupt = Interrupt::default();
        signals::watch(&interrupt)?;
        let mut through = Through::new(interrupt.clone());
        let running = tokio::task::spawn_blocking(move || {
            let limits = &order.settings.sandbox.limits;
            let spec = Spec {
                script: &order.script,
                stdin: &order.stdin,
                workspace: order.workspace.root(),
                view: View::Direct,
                protected: &protected,
                output: None,
                limits,
                network: order.settings.sandbox.network,
                packages: None,
            };
            let stop = through.interrupt.token();
            sandbox.run(&spec, &stop, &mut |chunk| through.take(chunk.stream, chunk.bytes))
        });
        let finished = running.await.map_err(|error| internal(format!("a worker thread ended: {error}")))?;
        Ok((finished?, interrupt.token().is_cancelled().then(|| interrupt.exit_code())))
    })
}

/// The command's output on this program's own: as it is for a program, printable for a person.
struct Through {
    /// Of stdout and of stderr.
    filters: [Option<Printable>; 2],
    interrupt: Interrupt,
}

impl Through {
    fn new(interrupt: Interrupt) -> Self {
        let are_terminals = [io::stdout().is_terminal(), io::stderr().is_terminal()];
        Self { filters: are_terminals.map(|is_terminal| is_terminal.then(Printable::default)), interrupt }
    }

    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let mut text = String::new();
        let bytes = match &mut self.filters[stream as usize] {
            Some(filter) => {
                filter.push_bytes(bytes, &mut text);
                text.as_bytes()
            }
            None => bytes,
        };
        match stream {
            Stream::Stdout => match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.interrupt.stop(Stop::OutputClosed),
                Err(error) => {
                    if !self.interrupt.token().is_cancelled() {
                        output::say(&format!("error: cannot write to stdout: {error}"));
                    }
                    self.interrupt.stop(Stop::OutputFailed);
                }
            },
            // There is no other place to tell of it.
            Stream::Stderr => drop(io::stderr().write_all(bytes)),
        }
    }
}

fn tell(report: &RunReport, to: &Path) -> Result<(), Failure> {
    let internal = |error: serde_json::Error| Failure { message: error.to_string(), hints: Vec::new(), exit_code: 1 };
    let line = serde_json::to_string(report).map_err(internal)?;
    if to.as_os_str() == "-" {
        output::say(&line);
        return Ok(());
    }
    Ok(fs::replace(to, format!("{line}\n").as_bytes())?)
}

fn code(report: &RunReport) -> u8 {
    let exit = report.exit;
    match exit.kind {
        ExitKind::Exited | ExitKind::Signaled | ExitKind::Cancelled => {
            let of_signal = exit.signal.map(|signal| 128 + signal);
            u8::try_from(exit.code.or(of_signal).unwrap_or(1)).unwrap_or(1)
        }
        ExitKind::SetupFailed => 5,
        limit @ (ExitKind::WallLimit
        | ExitKind::CpuLimit
        | ExitKind::MemoryLimit
        | ExitKind::OutputLimit
        | ExitKind::FileLimit
        | ExitKind::ProcessLimit
        | ExitKind::DiskLimit) => {
            // As reports and settings call it.
            let name = serde_json::to_value(limit).unwrap_or_default();
            output::say(&format!("stopped by the sandbox: {}", name.as_str().unwrap_or_default()));
            124
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{script, set};
    use crate::sandbox::Limits;

    #[test]
    fn words_stay_words() {
        let words = ["printf", "%s", "it's $HOME; `x`\n"].map(str::to_owned);
        assert_eq!(script(&words), "exec 'printf' '%s' 'it'\\''s $HOME; `x`\n'");
    }

    #[test]
    fn limits_are_set_by_their_own_names() {
        let mut limits = Limits::default();
        for limit in ["wall_s=0.5", "memory_mib=64", "cpu_s=2"] {
            set(&mut limits, limit).unwrap();
        }
        assert_eq!((limits.wall_s, limits.memory_mib, limits.cpu_s), (0.5, 64, Some(2.0)));
        for wrong in ["wall_s", "wall_s=x", "wall_s=0", "wall_s=nan", "wall=1", "memory_mib=1e300"] {
            assert_eq!(set(&mut limits, wrong).unwrap_err().exit_code, 2, "{wrong}");
        }
    }
}
