//! What `faos` costs, beside `curl -N` on the same stream in the same run: the least that such a request can cost.
//!
//! `cargo bench -- [--runs N] [--program PATH] [--strict] [--sessions|--screen-alone]`. The programs take turns, and medians are compared, since the
//! machine's own load moves every absolute number. Marks that are missed are named; `--strict` makes them an error.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints its table and starts what it measures"
)]

mod child;
mod prompt;
mod reply;
mod sandbox;
mod screen;
mod scripting;
mod server;
mod sessions;
mod stream;
mod table;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use child::Cost;
use server::{Script, Server, Stamps};
use table::{Mark, Row};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PROMPT: &str = "Tell me about rivers, please, in plain words and at some length.";

/// One request of this many tokens, this far apart: a small model at its usual speed, for 0.3 s.
const SHORT: (usize, Duration) = (64, Duration::from_millis(5));

/// As fast as the sockets take it.
const LONG: (usize, Duration) = (20_000, Duration::ZERO);

struct Options {
    runs: usize,
    program: PathBuf,
    strict: bool,
    only_sessions: bool,
    only_screen: bool,
}

fn main() -> Outcome<ExitCode> {
    match std::env::args().collect::<Vec<_>>().as_slice() {
        [_, argument, kind, times] if argument == screen::ARGUMENT => {
            return screen::show(kind, times.parse()?).map(|()| ExitCode::SUCCESS);
        }
        [_, argument, folder] if argument == sessions::ARGUMENT => {
            return sessions::open(folder).map(|()| ExitCode::SUCCESS);
        }
        [_, argument, url] if argument == stream::ARGUMENT => return stream::read(url).map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let options = options()?;
    let folder = tempfile::TempDir::with_prefix("faos-bench-")?;
    for name in ["home", "faos", "workspace"] {
        fs::create_dir(folder.path().join(name))?;
    }
    let bench = Bench { options: &options, folder: folder.path() };
    let mut rows = Vec::new();
    if options.only_screen {
        rows.extend(screen::rows(options.runs)?);
    } else if !options.only_sessions {
        rows.push(bench.startup()?);
        rows.extend(bench.short_request()?);
        rows.extend(bench.long_reply()?);
        rows.extend(stream::rows(&bench)?);
        rows.extend(prompt::rows(&bench)?);
        rows.extend(sandbox::rows(&bench)?);
        rows.extend(screen::rows(options.runs)?);
        rows.extend(reply::rows(options.runs)?);
        rows.extend(scripting::rows(options.runs)?);
    }
    if !options.only_screen {
        rows.extend(sessions::rows(&bench)?);
    }
    print!("{}", table::render(&rows, options.runs));
    println!("\nThis program's own peak of {} kB is the least that a peak can read.", child::own_peak_kib()?);
    let missed = rows.iter().any(|row| !row.within());
    Ok(if missed && options.strict { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn options() -> Outcome<Options> {
    let mut options = Options {
        runs: 11,
        program: env!("CARGO_BIN_EXE_faos").into(),
        strict: false,
        only_sessions: false,
        only_screen: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo says this to every benchmark.
            "--bench" => {}
            "--strict" => options.strict = true,
            "--sessions" => options.only_sessions = true,
            "--screen-alone" => options.only_screen = true,
            "--runs" => options.runs = arguments.next().ok_or("--runs wants a number")?.parse()?,
            "--program" => options.program = arguments.next().ok_or("--program wants a path")?.into(),
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    if options.runs == 0 {
        return Err("--runs wants at least 1".into());
    }
    Ok(options)
}

struct Bench<'a> {
    options: &'a Options,
    folder: &'a Path,
}

/// One program's measurements, a request each.
#[derive(Default)]
struct Requests {
    costs: Vec<Cost>,
    stamps: Vec<Stamps>,
}

impl Requests {
    /// Milliseconds of wall time that the server did not spend.
    fn overhead(&self) -> Vec<f64> {
        self.pairs(|cost, stamps| millis(cost.wall.saturating_sub(stamps.last - stamps.asked)))
    }

    /// Milliseconds from the server's first token to the first byte on standard output.
    fn first_token(&self) -> Vec<f64> {
        self.pairs(|cost, stamps| match cost.first_output {
            Some(seen) => millis(seen.saturating_duration_since(stamps.first)),
            None => f64::INFINITY,
        })
    }

    fn peak_mb(&self) -> Vec<f64> {
        self.costs.iter().map(|cost| cost.peak_kib as f64 * 1024.0 / 1e6).collect()
    }

    /// Microseconds of CPU for each token of the reply.
    fn cpu_per_token(&self, tokens: usize) -> Vec<f64> {
        self.costs.iter().map(|cost| cost.cpu.as_secs_f64() * 1e6 / tokens as f64).collect()
    }

    fn pairs(&self, of: impl Fn(&Cost, &Stamps) -> f64) -> Vec<f64> {
        self.costs.iter().zip(&self.stamps).map(|(cost, stamps)| of(cost, stamps)).collect()
    }
}

impl Bench<'_> {
    fn startup(&self) -> Outcome<Row> {
        let (mut limit, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..self.options.runs {
            limit.push(millis(child::run(Command::new("curl").arg("--version"))?.wall));
            ours.push(millis(child::run(self.faos().arg("--version"))?.wall));
        }
        Ok(Row { what: "--version, wall", unit: "ms", limit, ours, mark: Mark::AtMost(10.0) })
    }

    fn short_request(&self) -> Outcome<Vec<Row>> {
        let (limit, ours) = self.requests(SHORT)?;
        Ok(vec![
            Row {
                what: "a request, wall beyond the server's own",
                unit: "ms",
                limit: limit.overhead(),
                ours: ours.overhead(),
                mark: Mark::AtMost(25.0),
            },
            Row {
                what: "its first byte after the server's first token",
                unit: "ms",
                limit: limit.first_token(),
                ours: ours.first_token(),
                mark: Mark::AtMost(1.0),
            },
            Row {
                what: "its peak memory",
                unit: "MB",
                limit: limit.peak_mb(),
                ours: ours.peak_mb(),
                mark: Mark::AtMost(20.0),
            },
        ])
    }

    fn long_reply(&self) -> Outcome<Vec<Row>> {
        let (limit, ours) = self.requests(LONG)?;
        let (limit_cpu, ours_cpu) = (limit.cpu_per_token(LONG.0), ours.cpu_per_token(LONG.0));
        let row = |what, mark| Row { what, unit: "µs", limit: limit_cpu.clone(), ours: ours_cpu.clone(), mark };
        Ok(vec![row("20,000 tokens, CPU of each", Mark::AtMost(8.0)), row("the same, against curl", Mark::Ratio(4.0))])
    }

    /// The same reply for both programs in turn.
    fn requests(&self, (tokens, pace): (usize, Duration)) -> Outcome<(Requests, Requests)> {
        let server = Server::start(Script::tokens(tokens, pace))?;
        let (mut limit, mut ours) = (Requests::default(), Requests::default());
        for _ in 0..self.options.runs {
            limit.costs.push(child::run(&mut curl(&server))?);
            limit.stamps.push(server.stamps()?);
            let cost = child::run(&mut self.request(&server))?;
            if cost.printed_bytes < tokens {
                return Err(format!("a reply of {tokens} tokens, and only {} bytes printed", cost.printed_bytes).into());
            }
            ours.costs.push(cost);
            ours.stamps.push(server.stamps()?);
        }
        Ok((limit, ours))
    }

    fn request(&self, server: &Server) -> Command {
        let mut command = self.faos();
        command.args(["-p", "-e", server.url(), "-w"]).arg(self.folder.join("workspace"));
        command.args(["--no-scripts", "--no-run", PROMPT]);
        command
    }

    fn faos(&self) -> Command {
        let mut command = Command::new(&self.options.program);
        command.env_clear().current_dir(self.folder).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.join("home")).env("FAOS_HOME", self.folder.join("faos"));
        command
    }
}

fn curl(server: &Server) -> Command {
    let body = format!(r#"{{"model":"scripted","stream":true,"messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#);
    let mut command = Command::new("curl");
    command.args(["-N", "-s", "-S", "-H", "content-type: application/json", "-d", &body]);
    command.arg(format!("{}/v1/chat/completions", server.url()));
    command
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
