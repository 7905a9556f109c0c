//! What a report says is what happened: time, CPU, memory and output, measured by programs that know what they used.

use std::process::Stdio;
use std::time::Duration;

use faos::base::report::Backend;
use faos::sandbox::{Choice, Limits, Options, Sandbox, Spec, Stream, View};
use tokio_util::sync::CancellationToken;

use crate::support::process::Running;
use crate::support::sandboxed::{BACKENDS, Sandboxed, Who, everybody};

/// Burns a second of CPU by its own clock.
const BURN: &str = "python3 -c 'import time
while time.process_time() < 1: pass'";

fn here() -> Vec<Sandboxed> {
    BACKENDS.iter().filter_map(|backend| Sandboxed::here(backend, everybody()[0])).collect()
}

#[test]
fn wall_time_is_the_programs() {
    for sandboxed in here() {
        let over = (0..5).map(|_| sandboxed.run(&[], "sleep 0.3").number("wall_s") - 0.3);
        // The best of a few: a loaded machine is late now and then. Starting bash and `sleep` is part of it.
        let over = over.fold(f64::MAX, f64::min);
        assert!((0.0..0.02).contains(&over), "{}: {over}", sandboxed.backend);
    }
}

#[test]
fn cpu_time_is_that_of_all_processes_and_of_killed_ones_too() {
    // The one in the background is an orphan, still burns when the program ends, and is killed.
    let killed = "(setsid python3 -c 'while True: pass' & ) ; python3 -c 'import time; time.sleep(1)'";
    for sandboxed in here() {
        let cpu = |script: &str| {
            let ran = sandboxed.run(&[], script);
            ran.number("user_s") + ran.number("system_s")
        };
        let alone = cpu(BURN);
        assert!((0.95..1.10).contains(&alone), "{}: {alone}", sandboxed.backend);
        let two = cpu(&format!("({BURN}) & ({BURN}) & wait"));
        assert!((1.95..2.15).contains(&two), "{}: {two}", sandboxed.backend);
        let ran = sandboxed.run(&[], killed);
        let (cpu, left) = (ran.number("user_s") + ran.number("system_s"), &ran.report["processes_left_killed"]);
        // It shares two processors with other tests.
        assert!((0.3..1.3).contains(&cpu) && *left == 1, "{}: {cpu} {left}", sandboxed.backend);
    }
}

#[test]
fn memory_is_the_sum_of_all_processes() {
    let four = "for n in 1 2 3 4; do python3 -c 'import time; x = bytearray(b\"x\") * (100 << 20); time.sleep(0.6)' & done; wait";
    for sandboxed in here() {
        let ran = sandboxed.run(&[], four);
        let peak = ran.number("peak_memory_bytes") / f64::from(1 << 20);
        assert!((400.0..520.0).contains(&peak), "{}: {peak} MiB", sandboxed.backend);
        assert_eq!(ran.report["peak_memory_method"], "sampled", "{}", sandboxed.backend);
        let one = sandboxed.run(&[], "exec python3 -c 'x = bytearray(b\"x\") * (100 << 20)'");
        let peak = one.number("peak_memory_bytes") / f64::from(1 << 20);
        assert!((100.0..140.0).contains(&peak), "{}: {peak} MiB", sandboxed.backend);
    }
}

#[test]
fn both_streams_are_kept_in_bounds_and_come_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        backend: Choice::Only(Backend::Ns),
        helper: Some(env!("CARGO_BIN_EXE_faos").into()),
        ..Options::default()
    };
    let spec = Spec {
        // The second piece is written when the first one has been seen: by the file that appears then.
        script: "echo one; echo two >&2; until [ -e seen ]; do :; done; head -c 20000000 /dev/zero | tr '\\0' x; echo last",
        stdin: &[],
        workspace: folder.path(),
        view: View::Direct,
        protected: &[],
        output: Some(folder.path()),
        limits: &Limits::default(),
        network: faos::base::report::Network::Off,
        packages: None,
    };
    let (mut streams, mut total) = (Vec::new(), 0);
    let mut output = |stream: Stream, bytes: &[u8]| {
        if total < 10 {
            streams.push((stream, String::from_utf8_lossy(bytes).into_owned()));
        }
        total += bytes.len();
        std::fs::write(folder.path().join("seen"), "").unwrap();
    };
    let finished = Sandbox::open(&options).unwrap().run(&spec, &CancellationToken::new(), &mut output).unwrap();
    assert_eq!(finished.report.exit.code, Some(0), "{:?}", finished.report);
    assert!(streams.contains(&(Stream::Stdout, "one\n".to_owned())), "{streams:?}");
    assert_eq!((finished.report.stdout_bytes, finished.report.stderr_bytes), (20_000_009, 4));
    assert!(finished.report.truncated);
    let kept = folder.path().join("stdout.log").metadata().unwrap().len();
    assert_eq!(kept, 8 << 20);
    assert!(finished.stdout.starts_with("one\nxxx") && finished.stdout.ends_with("xxxlast\n"));
    assert!(finished.stdout.len() < 300 << 10, "{}", finished.stdout.len());
}

#[test]
fn a_command_gets_what_is_piped_in_and_its_code_is_passed_on() {
    let sandboxed = Sandboxed::new("ns", Who::User);
    let mut command = sandboxed.command(&["--", "bash", "-c", "cat; echo err >&2; exit 42"]);
    let mut running = Running::start(command.stdin(Stdio::piped()), Duration::from_secs(60));
    running.feed("in\n");
    let output = running.finish();
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(42), "in\n", "err\n"));

    for (words, code, stdout) in [
        (&["echo", "it's $HOME", "*"][..], 0, "it's $HOME *\n"),
        (&["bash", "-c", "kill -SEGV $$"], 139, ""),
        (&["no-such-program"], 127, ""),
        (&["cat"], 0, ""),
    ] {
        let mut arguments = vec!["--"];
        arguments.extend(words);
        let output = Running::start(&mut sandboxed.command(&arguments), Duration::from_secs(60)).finish();
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), stdout), "{words:?}: {}", output.stderr);
    }
    let report = sandboxed.path("home/report.json");
    let file = format!("--report={}", report.display());
    Running::start(&mut sandboxed.command(&[&file, "--", "true"]), Duration::from_secs(60)).finish().assert_code(0);
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    crate::support::schema::assert_valid("run-report", &report);
    for wrong in [&["--limit", "wall_s=no", "--", "true"][..], &["--limit", "walls=1", "--", "true"], &["--"], &[]] {
        Running::start(&mut sandboxed.command(wrong), Duration::from_secs(60)).finish().assert_code(2);
    }
    let mut at_home = sandboxed.command(&["--", "true"]);
    at_home.arg("-w").arg(sandboxed.path("home"));
    Running::start(&mut at_home, Duration::from_secs(60)).finish().assert_code(0);
}
