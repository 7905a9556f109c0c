//! What a report says is what happened: time, CPU, memory and output, measured by programs that know what they used.

use std::process::Stdio;
use std::time::Duration;

use faos::base::report::Backend;
use faos::base::streams::Piece;
use faos::sandbox::{Choice, Chunk, Limits, Options, Sandbox, Spec, Stream, View};
use tokio_util::sync::CancellationToken;

use crate::support::process::Running;
use crate::support::sandboxed::{BACKENDS, Sandboxed, Who, everybody, say};

/// Burns a second of CPU and says how much it was, by its own clock.
const BURN: &str = "python3 -c 'import time
while time.process_time() < 1: pass
print(time.process_time())'";

fn here() -> Vec<Sandboxed> {
    BACKENDS.iter().filter_map(|backend| Sandboxed::here(backend, everybody()[0])).collect()
}

#[test]
fn wall_time_is_the_programs() {
    // The control is the program's own clock in the same run, so that a loaded machine is slow for both.
    let script = "begun=$EPOCHREALTIME\nsleep 0.3\necho $begun $EPOCHREALTIME";
    for backend in [Backend::Ns, Backend::Bwrap, Backend::Landlock] {
        let folder = tempfile::TempDir::with_prefix("faos-wall-").unwrap();
        let options = Options {
            backend: Choice::Only(backend),
            helper: Some(env!("CARGO_BIN_EXE_faos").into()),
            ..Options::default()
        };
        let sandbox = match Sandbox::open(&options) {
            Ok(sandbox) => sandbox,
            Err(error) => {
                say(&format!("{backend:?}: not run: {error}"));
                continue;
            }
        };
        let over = || {
            let spec = Spec {
                script,
                stdin: &[],
                workspace: folder.path(),
                view: View::Direct,
                protected: &[],
                output: None,
                limits: &Limits::default(),
                network: faos::base::report::Network::Off,
                packages: None,
            };
            let finished = sandbox.run(&spec, &CancellationToken::new(), &mut |_| {}).unwrap();
            let times: Vec<f64> = finished.stdout.split_whitespace().map(|time| time.parse().unwrap()).collect();
            finished.report.wall_s - (times[1] - times[0])
        };
        // The start and the end of bash are the program's too; the best of a few is one that nobody came in between.
        let over = (0..5).map(|_| over()).fold(f64::MAX, f64::min);
        assert!((0.0..0.01).contains(&over), "{backend:?}: {over}");
    }
}

#[test]
fn cpu_time_is_that_of_all_processes_and_of_killed_ones_too() {
    // The one in the background is an orphan, has burned its part when the program ends, and is killed.
    let killed = "mkfifo done; (setsid python3 -c 'import os, signal, time
while time.process_time() < 1: pass
done = os.open(\"done\", os.O_WRONLY)
os.write(done, b\"%f\" % time.process_time())
os.close(done)
signal.pause()' & ) ; cat done";
    // Nobody waits for these, and the kernel adds their times to nobody's.
    let unheard = "python3 -c 'import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    while time.process_time() < 1: pass
    time.sleep(0.5)
    print(time.process_time(), flush=True)
    os._exit(0)
time.sleep(0.1)
try: os.wait()
except ChildProcessError: pass'";
    for sandboxed in here() {
        for (script, left) in [
            (BURN.to_owned(), 0),
            (format!("({BURN}) & ({BURN}) & wait"), 0),
            (killed.to_owned(), 1),
            (unheard.to_owned(), 0),
        ] {
            let ran = sandboxed.run(&[], &script);
            let own: f64 = ran.output.stdout.split_whitespace().map(|time| time.parse::<f64>().unwrap()).sum();
            let told = ran.number("user_s") + ran.number("system_s");
            let about = format!("{}: {script}\n{own} {told} {}", sandboxed.backend, ran.report);
            assert!(own >= 1.0 && (0.95..1.05).contains(&(told / own)), "{about}");
            assert_eq!((ran.kind(), &ran.report["processes_left_killed"]), ("exited", &left.into()), "{about}");
        }
    }
}

#[test]
fn memory_is_the_sum_of_all_processes() {
    // Each goes when all have what they take, and have been seen.
    let four = "mkfifo go; for n in 1 2 3 4; do python3 -c 'import sys
x = bytearray(b\"x\") * (100 << 20)
open(sys.argv[1], \"w\")
open(\"go\")' has$n & done
until [ -e has1 -a -e has2 -a -e has3 -a -e has4 ]; do sleep 0.05; done; sleep 0.6; : > go; wait";
    for sandboxed in here() {
        let ran = sandboxed.run(&[], four);
        let peak = ran.number("peak_memory_bytes") / f64::from(1 << 20);
        assert!((400.0..520.0).contains(&peak), "{}: {peak} MiB", sandboxed.backend);
        assert_ne!(ran.report["peak_memory_method"], "largest-process", "{}", sandboxed.backend);
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
        // Each piece is written when the one before has been seen: by the file that appears then.
        script: "echo one; until [ -e seen1 ]; do :; done; echo two >&2; until [ -e seen2 ]; do :; done; head -c 20000000 /dev/zero | tr '\\0' x; echo last",
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
    let mut seen = (0, 0.0);
    let mut output = |chunk: &Chunk<'_>| {
        assert!(chunk.seq == seen.0 + 1 && chunk.at_s >= seen.1, "{seen:?} {} {}", chunk.seq, chunk.at_s);
        seen = (chunk.seq, chunk.at_s);
        if total < 10 {
            streams.push((chunk.stream, String::from_utf8_lossy(chunk.bytes).into_owned()));
        }
        total += chunk.bytes.len();
        if chunk.seq < 3 {
            std::fs::write(folder.path().join(format!("seen{}", chunk.seq)), "").unwrap();
        }
    };
    let finished = Sandbox::open(&options).unwrap().run(&spec, &CancellationToken::new(), &mut output).unwrap();
    assert_eq!(finished.report.exit.code, Some(0), "{:?}", finished.report);
    assert_eq!(streams[0], (Stream::Stdout, "one\n".to_owned()));
    assert_eq!(streams[1], (Stream::Stderr, "two\n".to_owned()));
    assert_eq!((finished.report.stdout_bytes, finished.report.stderr_bytes), (20_000_009, 4));
    assert!(finished.report.truncated);
    let kept = folder.path().join("stdout.log").metadata().unwrap().len();
    assert_eq!(kept, 8 << 20);
    let order = std::fs::read_to_string(folder.path().join("output.jsonl")).unwrap();
    let order: Vec<Piece> = order.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let parts = |at: usize| (order[at].seq, order[at].stream, order[at].bytes);
    assert_eq!((parts(0), parts(1)), ((1, Stream::Stdout, 4), (2, Stream::Stderr, 4)));
    let sum = |stream| order.iter().filter(|piece| piece.stream == stream).map(|piece| piece.bytes).sum::<u64>();
    assert_eq!((sum(Stream::Stdout), sum(Stream::Stderr)), (8 << 20, 4), "what the files hold, and no more");
    assert!(order.is_sorted_by_key(|piece| piece.seq) && order[2].seq == 3, "{order:?}");
    assert!(finished.stdout.starts_with("one\nxxx") && finished.stdout.ends_with("xxxlast\n"));
    assert!(finished.stdout.len() < 300 << 10, "{}", finished.stdout.len());
}

#[test]
fn a_report_names_the_files_that_a_command_changed() {
    for sandboxed in here() {
        for name in ["kept", "changed", "gone", "node_modules/cache"] {
            sandboxed.write(&format!("ws/{name}"), "before\n");
        }
        let ran = sandboxed
            .run(&[], "echo after > changed; rm gone; mkdir sub; echo x > sub/new; echo x > node_modules/more");
        let want = serde_json::json!([
            {"path": "changed", "kind": "modified"}, {"path": "gone", "kind": "deleted"}, {"path": "sub/new", "kind": "created"}
        ]);
        assert_eq!(ran.report["files_changed"], want, "{}", sandboxed.backend);
    }
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
