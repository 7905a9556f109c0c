//! The program at a terminal: how soon its prompt is there, beside a shell's, and what memory the whole of it takes
//! after code of five languages came in as a small model writes it.

use std::fs;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use faos::playback::{Player, Reply};
use pty_process::Size;
use pty_process::blocking::{Pty, open};

use crate::table::{Mark, Row};
use crate::{Bench, Outcome, millis, screen};

/// The end of a prompt, ours and the shell's.
const PROMPT: &str = "› ";
const ROWS: NonZeroU16 = NonZeroU16::MIN.saturating_add(39);
const COLUMNS: NonZeroU16 = NonZeroU16::MIN.saturating_add(79);
/// Between two pieces of a reply: about 250 tokens a second.
const PACE: Duration = Duration::from_millis(4);

pub fn rows(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..bench.options.runs {
        let mut shell = Command::new("bash");
        shell.args(["--norc", "--noprofile", "-i"]).env("PS1", PROMPT);
        limit.push(millis(Terminal::start(shell)?.leave()?));
        let mut faos = bench.faos();
        // Nobody answers there: the prompt waits for no server.
        faos.args(["-e", "http://127.0.0.1:9"]);
        ours.push(millis(Terminal::start(faos)?.leave()?));
    }
    let peak = (0..bench.options.runs.min(3)).map(|_| peak_mb(bench)).collect::<Outcome<Vec<f64>>>()?;
    Ok(vec![
        Row { what: "the prompt is there, wall", unit: "ms", limit, ours, mark: Mark::AtMost(30.0) },
        Row {
            what: "peak memory of the whole program, five languages",
            unit: "MB",
            limit: Vec::new(),
            ours: peak,
            mark: Mark::AtMost(120.0),
        },
    ])
}

fn peak_mb(bench: &Bench<'_>) -> Outcome<f64> {
    let player = Player::start("recorded", vec![Reply::text(&screen::code_text())], PACE)?;
    // A folded block would not be coloured.
    let settings = bench.folder.join("unfolded.toml");
    fs::write(&settings, "[frontend]\nfold = false\n")?;
    let mut faos = bench.faos();
    faos.arg("--config").arg(settings).args(["--no-scripts", "-e", player.url(), "Show me all of them."]);
    let terminal = Terminal::start(faos)?;
    let status = fs::read_to_string(format!("/proc/{}/status", terminal.child.id()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the kernel tells no peak")?;
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    terminal.leave()?;
    Ok(kib * 1024.0 / 1e6)
}

/// A program at a terminal, read until it asks for something.
struct Terminal {
    child: Child,
    pty: Pty,
    ready: Duration,
}

impl Terminal {
    fn start(mut command: Command) -> Outcome<Self> {
        let (mut pty, slave) = open()?;
        pty.resize(Size::new(ROWS.get(), COLUMNS.get()))?;
        command.env("TERM", "xterm-256color");
        let begun = Instant::now();
        let child = pty_process::blocking::Command::from(command).spawn(slave)?;
        let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
        let mut buffer = [0; 65536];
        while !is_prompt(screen.screen()) {
            let length = pty.read(&mut buffer)?;
            screen.process(&buffer[..length]);
        }
        Ok(Self { child, pty, ready: begun.elapsed() })
    }

    /// Ctrl-D, and how long the prompt took to come.
    fn leave(mut self) -> Outcome<Duration> {
        self.pty.write_all(b"\x04")?;
        let mut rest = [0; 65536];
        // The terminal's end is an error of its own kind.
        while self.pty.read(&mut rest).is_ok_and(|length| length > 0) {}
        self.child.wait()?;
        Ok(self.ready)
    }
}

/// The cursor stands behind an empty prompt.
fn is_prompt(screen: &vt100::Screen) -> bool {
    let (row, _) = screen.cursor_position();
    screen.rows(0, COLUMNS.get()).nth(usize::from(row)).is_some_and(|row| row.trim_end() == PROMPT.trim_end())
}
