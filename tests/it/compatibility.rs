//! What people build and test with works inside: each program under every backend, as root and as a user.
//!
//! What is not installed here is named on standard error, and counts as nothing.

use crate::support::sandboxed::{BACKENDS, Sandboxed, everybody, say};

struct Case {
    name: &'static str,
    /// Programs that have to be there.
    tools: &'static [&'static str],
    /// Files of the workspace.
    files: &'static [(&'static str, &'static str)],
    script: &'static str,
    /// The end of what it prints.
    prints: &'static str,
    /// Under `landlock` there is no loopback, no Unix socket and no `/dev/shm`.
    needs_namespaces: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "python: processes of its own",
        tools: &["python3"],
        files: &[],
        script: "python3 -c 'import subprocess; print(subprocess.run([\"cat\"], input=\"piped\", text=True, capture_output=True).stdout)'",
        prints: "piped\n",
        needs_namespaces: false,
    },
    Case {
        name: "python: a pool of processes",
        tools: &["python3"],
        files: &[(
            "pool.py",
            "import multiprocessing\ndef square(n): return n * n\nif __name__ == '__main__':\n    with multiprocessing.Pool(4) as pool: print(sum(pool.map(square, range(10))))\n",
        )],
        script: "python3 pool.py",
        prints: "285\n",
        needs_namespaces: true,
    },
    Case {
        name: "python: its own tests",
        tools: &["python3"],
        files: &[(
            "test_it.py",
            "import unittest\nclass It(unittest.TestCase):\n    def test_it(self): self.assertEqual(1, 1)\n",
        )],
        script: "python3 -m unittest 2>&1",
        prints: "OK\n",
        needs_namespaces: false,
    },
    Case {
        name: "python: pytest",
        tools: &["pytest"],
        files: &[("test_it.py", "def test_it(tmp_path): (tmp_path / 'x').write_text('x')\n")],
        script: "pytest -q | tail -1 | cut -d' ' -f1-2",
        prints: "1 passed\n",
        needs_namespaces: false,
    },
    Case {
        name: "python: a server and its client",
        tools: &["python3"],
        files: &[(
            "server.py",
            "import http.server, threading, urllib.request\nserver = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)\nthreading.Thread(target=server.serve_forever, daemon=True).start()\nprint(urllib.request.urlopen(f'http://localhost:{server.server_port}/').status)\n",
        )],
        script: "python3 server.py 2>/dev/null",
        prints: "200\n",
        needs_namespaces: true,
    },
    Case {
        name: "node: workers and children",
        tools: &["node"],
        files: &[(
            "main.js",
            "const { Worker } = require('worker_threads'); const { execFileSync } = require('child_process');\nnew Worker('require(\"worker_threads\").parentPort.postMessage(6 * 7)', { eval: true }).on('message', (n) => console.log(n, require('os').cpus().length > 0, execFileSync('echo', ['child']).toString().trim()));\n",
        )],
        script: "node main.js",
        prints: "42 true child\n",
        needs_namespaces: false,
    },
    Case {
        name: "node: its own tests",
        tools: &["node"],
        files: &[("it.test.js", "require('node:test')('it', () => require('assert').equal(1, 1));\n")],
        script: "node --test 2>&1 | grep -E '^. pass|^# pass' | tail -c 2",
        prints: "1\n",
        needs_namespaces: false,
    },
    Case {
        name: "a compiler and make",
        tools: &["cc", "make"],
        files: &[
            ("main.c", "#include <stdio.h>\nint main(void) { puts(\"made\"); return 0; }\n"),
            ("Makefile", "test: main\n\t./main\nmain: main.c\n\t$(CC) -O2 -o $@ $<\n"),
        ],
        script: "make -s -j2 test && test -x main",
        prints: "made\n",
        needs_namespaces: false,
    },
    Case {
        name: "C++",
        tools: &["c++"],
        files: &[(
            "main.cpp",
            "#include <iostream>\n#include <thread>\nint main() { std::thread([] { std::cout << \"ran\\n\"; }).join(); }\n",
        )],
        script: "c++ -pthread -o main main.cpp && ./main",
        prints: "ran\n",
        needs_namespaces: false,
    },
    Case {
        name: "java",
        tools: &["java", "javac"],
        files: &[(
            "Main.java",
            "public class Main { public static void main(String[] a) { System.out.println(java.util.stream.IntStream.range(0, 9).parallel().sum()); } }\n",
        )],
        script: "javac Main.java && java Main",
        prints: "36\n",
        needs_namespaces: false,
    },
    Case {
        name: "git: reading, and a repository of a test's own",
        tools: &["git"],
        files: &[],
        script: "git log --format=%s && git status --short && cd $(mktemp -d) && git init -q && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m own && git log --format=%s",
        prints: "first\nown\n",
        needs_namespaces: false,
    },
    Case {
        name: "a terminal of its own",
        tools: &["script"],
        files: &[],
        script: "script -qec 'tty > /dev/null && echo typed' /dev/null | tr -d '\\r'",
        prints: "typed\n",
        needs_namespaces: true,
    },
    Case {
        name: "its own output by name",
        tools: &[],
        files: &[],
        script: "echo a > /dev/stdout && echo b | tee /dev/stderr && cat /dev/stdin < <(echo c) && echo d > >(cat) && wait && echo e >> /dev/stdout",
        prints: "a\nb\nc\nd\ne\n",
        needs_namespaces: false,
    },
    Case {
        name: "the home folder and temporary files",
        tools: &[],
        files: &[],
        script: "echo a > ~/a && echo b > $(mktemp) && mkdir -p ~/.cache/x && cat ~/a",
        prints: "a\n",
        needs_namespaces: false,
    },
];

fn is_installed(tool: &str) -> bool {
    ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|folder| std::path::Path::new(folder).join(tool).exists())
}

fn under(backend: &'static str) {
    for who in everybody() {
        let Some(probe) = Sandboxed::here(backend, who) else { continue };
        drop(probe);
        for case in CASES {
            if let Some(missing) = case.tools.iter().find(|tool| !is_installed(tool)) {
                say(&format!("{}: not run: there is no `{missing}`", case.name));
                continue;
            }
            let sandboxed = Sandboxed::new(backend, who);
            case.files.iter().for_each(|(name, content)| sandboxed.write(&format!("ws/{name}"), content));
            if case.tools.contains(&"git") {
                repository(&sandboxed);
            }
            let ran = sandboxed.run(&[], case.script);
            let works = ran.output.code == Some(0) && ran.output.stdout.ends_with(case.prints);
            let expected = backend != "landlock" || !case.needs_namespaces;
            assert_eq!(
                works, expected,
                "{backend} as {who:?}: {}\n{}\n{}",
                case.name, ran.output.stdout, ran.output.stderr
            );
        }
    }
}

/// A workspace with a history.
fn repository(sandboxed: &Sandboxed) {
    let script = "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first";
    let mut bash = crate::support::sandboxed::as_who(sandboxed.who, "bash");
    let done = bash.args(["-c", script]).current_dir(sandboxed.path("ws")).env("HOME", sandboxed.path("home")).status();
    assert!(done.unwrap().success());
}

#[test]
fn programs_work_in_ns() {
    under("ns");
}

#[test]
fn programs_work_in_bwrap() {
    under("bwrap");
}

#[test]
fn programs_work_in_landlock_but_for_those_that_need_sockets() {
    under("landlock");
}

/// With a dependency from the read-only cache: that of this very build, as the user who built it.
#[test]
fn cargo_builds_and_tests_offline() {
    let variable = |name: &str| std::env::var_os(name).map(std::path::PathBuf::from);
    let home = variable("HOME").unwrap_or_default();
    let cargo_home = variable("CARGO_HOME").unwrap_or_else(|| home.join(".cargo"));
    let rustup_home = variable("RUSTUP_HOME").unwrap_or_else(|| home.join(".rustup"));
    if !cargo_home.join("bin/cargo").exists() && !is_installed("cargo") {
        say("cargo: not run: it is neither in CARGO_HOME nor in /usr/bin");
    }
    for backend in BACKENDS.into_iter().filter(|_| cargo_home.join("bin/cargo").exists() || is_installed("cargo")) {
        let Some(sandboxed) = Sandboxed::here(backend, everybody()[0]) else { continue };
        sandboxed.write(
            "ws/Cargo.toml",
            "[package]\nname = \"own\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\ncfg-if = \"1\"\n",
        );
        sandboxed.write(
            "ws/src/lib.rs",
            "cfg_if::cfg_if! { if #[cfg(unix)] { pub fn it() -> u8 { 1 } } }\n#[test]\nfn works() { assert_eq!(it(), 1); }\n",
        );
        let mut command = sandboxed.command(&["--", "bash", "-c", "cargo build --offline && cargo test --offline"]);
        command.env("CARGO_HOME", &cargo_home).env("RUSTUP_HOME", &rustup_home);
        command.env("PATH", format!("{}:/usr/bin:/bin", cargo_home.join("bin").display()));
        let output =
            crate::support::process::Running::start(&mut command, std::time::Duration::from_secs(120)).finish();
        assert!(
            output.code == Some(0) && output.stdout.contains("test works ... ok"),
            "{backend}: {}\n{}",
            output.stdout,
            output.stderr
        );
    }
}
