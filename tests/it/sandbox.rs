//! What a run can do and cannot, tried from inside by a model's `run` block. Each probe is one that would succeed
//! without the sandbox, and says so on the host first where that does no harm.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use faos::playback::{Player, Reply};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde_json::Value;

use crate::support::env::TestEnv;
use crate::support::model_server::serve;

/// An environment whose model asks for this run and is then done.
fn env_with(script: &str) -> (TestEnv, Player) {
    let run = format!("Let me see.\n\n```run\n{script}\n```\n");
    let server = serve([Reply::text(&run), Reply::text("I see.\n")]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    (env, server)
}

/// Runs the script in the sandbox and gives what it printed and its report.
fn run(env: &TestEnv) -> (String, Value) {
    let workspace = env.workspace();
    let output = env.run(["--no-scripts", "-w", workspace.to_str().unwrap(), "look around"]);
    assert!(matches!(output.code, Some(0 | 3)), "{:?}\n{}", output.code, output.stderr);
    let folder = env.session().path().join("runs/0001");
    let printed = ["stdout.log", "stderr.log"].map(|name| std::fs::read(folder.join(name)).unwrap());
    (String::from_utf8_lossy(&printed.concat()).into_owned(), env.session().report(1))
}

fn kind(report: &Value) -> &str {
    report["exit"]["kind"].as_str().unwrap()
}

fn on_the_host(env: &TestEnv, script: &str) -> String {
    env.start(env.command("bash").args(["-c", script]).stdin(std::process::Stdio::null())).finish().stdout
}

#[test]
fn nothing_outside_is_read_or_written() {
    let probe = |root: &str| {
        let places = format!("{root}/home/.ssh/key {root}/faos/config.toml {root}/outside.txt /etc/shadow");
        let targets = format!("{root}/outside.txt {root}/cwd/new /etc/passwd /usr/bin/env /var/new /new");
        format!(
            "set +e\nfor f in {places}; do cat $f >/dev/null 2>&1 && echo read $f; done\n\
             for f in {targets} ../up; do (: >> $f) 2>/dev/null && echo wrote $f; done\n\
             ln -s {root}/outside.txt link; (echo gone > link) 2>/dev/null; rm link\necho tried"
        )
    };
    let (mut env, _first) = env_with("true");
    let root = env.root().to_str().unwrap().to_owned();
    let server = serve([Reply::text(&format!("```run\n{}\n```\n", probe(&root))), Reply::text("I see.\n")]);
    env.set_endpoint(server.url());
    env.write("home/.ssh/key", "secret");
    env.write("faos/config.toml", "");
    env.write("outside.txt", "outside\n");
    let read = on_the_host(&env, &format!("cat {root}/home/.ssh/key {root}/outside.txt"));
    assert_eq!(read, "secretoutside\n", "the probe can succeed");

    let (printed, report) = run(&env);
    // Folders of the temporary one inside are the sandbox's own, and go with it.
    let own = |line: &&str| line.starts_with(&format!("wrote {root}/")) || *line == "wrote ../up";
    let lines: Vec<&str> = printed.lines().filter(|line| !own(line)).collect();
    assert_eq!(lines, ["tried"], "{printed}");
    assert_eq!(env.read("outside.txt"), "outside\n");
    assert!(!env.root().join("up").exists() && !env.root().join("cwd/new").exists());
    assert_eq!((report["backend"].as_str(), &report["missing"]), (Some("ns"), &serde_json::json!([])));
}

#[test]
fn there_is_no_network_but_an_own_loopback() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect =
        |host: &str, port: u16| format!("(exec 3<>/dev/tcp/{host}/{port}) 2>/dev/null && echo reached {host}");
    let own = "python3 -c \"import socket as s; l = s.create_server(('127.0.0.1', 0)); s.create_connection(l.getsockname()); print('own')\"";
    let (env, _server) =
        env_with(&format!("set +e\n{}\n{}\n{own}", connect("127.0.0.1", port), connect("192.0.2.1", 80)));
    assert_eq!(on_the_host(&env, &connect("127.0.0.1", port)), "reached 127.0.0.1\n", "the probe can succeed");
    let (printed, report) = run(&env);
    assert_eq!(printed, "own\n");
    assert_eq!(report["network"], "off");
}

#[test]
fn a_run_leaves_nothing_behind() {
    // Numbers that no other process of this machine has.
    let seconds = format!("{}", 100_000 + std::process::id());
    let (env, _server) =
        env_with(&format!("setsid sleep {seconds} &\n(setsid setsid sleep {seconds} >/dev/null 2>&1 &)\necho begun"));
    let (printed, report) = run(&env);
    assert_eq!((printed.as_str(), kind(&report)), ("begun\n", "exited"));
    assert!(report["wall_s"].as_f64().unwrap() < 30.0, "a daemon that holds stdout is not waited for");
    assert_eq!(sleepers(&seconds), Vec::<i32>::new());
}

#[test]
fn a_run_ends_with_the_program_that_is_killed() {
    let seconds = format!("{}", 200_000 + std::process::id());
    let (env, _server) = env_with(&format!(
        "sleep {seconds} &\nsetsid sleep {seconds} &\n\
         until [ \"$(cat /proc/[0-9]*/comm | grep -c '^sleep$')\" = 2 ]; do :; done\necho begun\nwait"
    ));
    let workspace = env.workspace();
    let mut running = env.spawn(["--no-scripts", "-w", workspace.to_str().unwrap(), "-"]);
    running.feed("look around");
    running.wait_for_stderr("  | begun");
    let open = |pid: &i32| pidfd_open(Pid::from_raw(*pid).unwrap(), PidfdFlags::empty()).ok();
    let sleeping: Vec<_> = sleepers(&seconds).iter().filter_map(open).collect();
    assert_eq!(sleeping.len(), 2, "the probe runs");
    running.signal(Signal::KILL);
    running.finish();
    for process in sleeping {
        let mut ends = [PollFd::new(&process, PollFlags::IN)];
        let patience = Timespec::try_from(Duration::from_secs(30)).unwrap();
        assert_eq!(poll(&mut ends, Some(&patience)).unwrap(), 1, "it ends with the program");
    }
}

fn sleepers(seconds: &str) -> Vec<i32> {
    let wanted = format!("sleep\0{seconds}\0");
    let pids =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    // One that has ended meanwhile is none.
    pids.filter(|pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted.as_bytes()))
        .collect()
}

#[test]
fn no_file_is_left_that_runs_as_its_owner() {
    let group = "cp /bin/true tool; chmod 2755 tool";
    let make = "import os; os.close(os.open('made', os.O_CREAT | os.O_WRONLY, 0o4755))";
    let (env, _server) = env_with(&format!(
        "set +e\n{group}\ncp /bin/bash shell\nchmod u+s shell\nchmod 6755 shell\npython3 -c \"{make}\"\n\
         python3 -c \"import os; os.fchmod(os.open('shell', os.O_RDONLY), 0o4755)\"\nchmod 750 shell\nls"
    ));
    let (printed, _) = run(&env);
    assert!(printed.contains("shell"), "{printed}");
    for entry in std::fs::read_dir(env.workspace()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o6000, 0, "{:?}: {mode:o}", entry.file_name());
    }
    let shell = env.workspace().join("shell").metadata().unwrap().permissions().mode();
    assert_eq!(shell & 0o777, 0o750, "other modes can be set");
}

#[test]
fn what_git_or_faos_would_obey_is_moved_away_and_told_of() {
    let hook = "mkdir -p .git/hooks sub/.GIT .faos/scripts\necho x > .git/hooks/pre-commit\necho x > sub/.GIT/config\n\
                ln -s /etc .git/link\nmkfifo pipe\necho 'rm -rf /' > .faos/scripts/10.rhai";
    let (env, server) = env_with(hook);
    env.write("workspace/app.py", "1\n");
    let (_, report) = run(&env);
    assert_eq!(report["quarantined"], serde_json::json!([".faos", ".git", "sub/.GIT"]), "{report}");
    let workspace = env.workspace();
    assert!([".git", ".faos", "sub/.GIT"].iter().all(|name| !workspace.join(name).exists()));
    let kept = env.session().path().join("runs/0001/quarantine");
    assert_eq!(std::fs::read_to_string(kept.join(".git/hooks/pre-commit")).unwrap(), "x\n");
    assert!(kept.join(".git/link").is_symlink() && kept.join("sub/.GIT/config").exists());
    let told = server.requests()[1].to_string();
    assert!(told.contains("run 1 made `.faos`, `.git`, `sub/.GIT`, which was moved out"), "{told}");

    // One that was there is not the run's, whatever is written beside it.
    let (env, _server) = env_with("git log --format=%s\necho x > new");
    env.write("workspace/app.py", "1\n");
    let git = "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first";
    env.start(env.command("bash").args(["-c", git]).current_dir(env.workspace()).stdin(std::process::Stdio::null()))
        .finish()
        .assert_code(0);
    let (printed, report) = run(&env);
    assert_eq!((printed.as_str(), report.get("quarantined")), ("first\n", None));
    assert!(env.workspace().join(".git/HEAD").exists());
}

/// Root reads what it likes; for everybody else the workspace has to stay one that can be read.
#[test]
fn a_run_cannot_lock_its_user_out_of_the_workspace() {
    let (env, _server) =
        env_with("mkdir -p sub/deep\necho kept > sub/deep/file\nchmod 000 sub/deep/file sub/deep sub .");
    env.write("workspace/app.py", "1\n");
    let (_, report) = run(&env);
    assert_eq!(report["exit"]["code"], 0, "{report}");
    let kept = env.workspace().join("sub/deep/file");
    let readable = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o400 != 0;
    assert!(kept.ancestors().take(4).all(readable), "what was made can be read, and removed");
    assert!(report["files_changed"].to_string().contains("sub/deep/file"), "{report}");
}

#[test]
fn nothing_of_the_program_that_asked_comes_in() {
    let (mut env, _server) = env_with("set +e\ncat <&9; env; ls /proc/self/fd; cat /proc/[0-9]*/environ");
    env.write("secret", "token-of-a-file\n");
    env.set("SECRET", "token-of-a-variable");
    let workspace = env.workspace();
    // An open file that is inherited, as some shells and editors leave them.
    let through = format!("exec 9< {}; exec \"$0\" \"$@\"", env.root().join("secret").display());
    let seen = on_the_host(&env, &format!("exec 9< {}; cat <&9; env", env.root().join("secret").display()));
    assert!(seen.contains("token-of-a-file") && seen.contains("token-of-a-variable"), "the probe can succeed");
    let mut bash = env.command("bash");
    bash.args(["-c", &through, env!("CARGO_BIN_EXE_faos"), "--no-scripts", "-w", workspace.to_str().unwrap(), "look"]);
    let output = env.start(bash.stdin(std::process::Stdio::null())).finish();
    assert!(matches!(output.code, Some(0 | 3)), "{}", output.stderr);
    let folder = env.session().path().join("runs/0001");
    let printed = ["stdout.log", "stderr.log"].map(|name| std::fs::read_to_string(folder.join(name)).unwrap()).concat();
    assert!(printed.contains("FAOS_INSIDE=1") && !printed.contains("token-of"), "{printed}");
}

#[test]
fn what_no_version_holds_cannot_be_destroyed() {
    let (env, _server) = env_with(
        "set +e\nrm -rf data .env .git sub\nfor f in .env data/table sub/.env .git/config; do echo gone > $f; done\n\
         ln data/table hard && echo gone > hard\nmv data away\nmv sub/.env sub/other\n: > data/new\n\
         rm -rf node_modules && mkdir -p node_modules && echo new > node_modules/made",
    );
    env.write("workspace/.gitignore", "data/\n.env\n");
    for kept in [".env", "data/table", "sub/.env", ".git/config", "node_modules/made"] {
        env.write(&format!("workspace/{kept}"), "kept\n");
    }
    run(&env);
    for kept in [".env", "data/table", "sub/.env", ".git/config"] {
        assert_eq!(env.read(&format!("workspace/{kept}")), "kept\n", "{kept}");
    }
    assert_eq!(std::fs::read_dir(env.workspace().join("data")).unwrap().count(), 1);
    assert_eq!(env.read("workspace/node_modules/made"), "new\n", "a cache can be made again");
}

#[test]
fn a_validation_leaves_the_workspace_as_it_is() {
    let env = TestEnv::new();
    let server = serve([Reply::text("note.txt\n```\nkept\n```\n")]);
    env.write(
        "faos/scripts/05-hostile.rhai",
        "fn on_validate(ev) { let r = run(#{cmd: \"rm -rf note.txt old; echo x > new; ls\"}); \
         if r.stdout.contains(\"new\") && !r.stdout.contains(\"note\") { pass() } else { fail(r.stdout + r.stderr) } }\n",
    );
    env.write("workspace/old/file", "kept\n");
    let workspace = env.workspace();
    let arguments = ["-e", server.url(), "-w", workspace.to_str().unwrap(), "--output-format", "json", "a note"];
    let output = env.run(arguments);
    output.assert_code(0);
    assert_eq!(output.json()["verdict"], "passed", "the script saw what it did: {}", output.stderr);
    assert_eq!((env.read("workspace/note.txt"), env.read("workspace/old/file")), ("kept\n".into(), "kept\n".into()));
    assert!(!workspace.join("new").exists());
}

#[test]
fn the_home_folder_is_an_empty_one_of_its_own() {
    // `/` is what containers give to a user without a home.
    for home in [None, Some("/")] {
        let (mut env, _server) = env_with("cd $HOME && echo kept > note && cat note && ls -A $HOME");
        env.write("home/secret", "");
        if let Some(home) = home {
            env.set("HOME", home);
        }
        let (printed, _) = run(&env);
        let own = printed.lines().last().unwrap_or_default();
        assert!(printed.starts_with("kept\n") && !printed.contains("secret"), "{home:?}: {printed}");
        assert!(["note", "workspace"].iter().any(|name| own.ends_with(name)), "{home:?}: {printed}");
    }
}

#[test]
fn no_temporary_folder_stays() {
    let (mut env, _server) = env_with("true");
    let temporary = env.root().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    env.set("TMPDIR", &temporary);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-session", "hello"]).assert_code(0);
    // The sandbox is tried out beside the search for a server, which ends first here.
    for _ in 0..5 {
        env.run(["-e", "http://127.0.0.1:9", "hello"]).assert_code(4);
        env.run(["-e", "no endpoint", "hello"]).assert_code(2);
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

/// As in containers, where Rust is in `/usr/local` for everybody: rustup's proxies in PATH do not work inside.
#[test]
fn rust_is_seen_where_its_own_variables_name_it() {
    let (mut env, _server) = env_with("cargo\necho crate >$CARGO_HOME/registry/new || cat $CARGO_HOME/registry/old");
    for (path, text) in [
        ("rust/cargo/bin/cargo", "#!/bin/sh\necho proxy\n"),
        ("rust/cargo/registry/old", "crate\n"),
        ("rust/cargo/credentials.toml", "secret\n"),
        ("rust/rustup/settings.toml", "default_toolchain = \"mine\"\n"),
        ("rust/rustup/toolchains/mine/bin/cargo", "#!/bin/sh\necho mine; ls -A $CARGO_HOME\n"),
    ] {
        env.write(path, text);
        std::fs::set_permissions(env.root().join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let cargo = env.root().join("rust/cargo");
    let path = format!("{}:{}", cargo.join("bin").display(), std::env::var("PATH").unwrap());
    env.set("PATH", path);
    env.set("CARGO_HOME", &cargo);
    env.set("RUSTUP_HOME", env.root().join("rust/rustup"));
    let (printed, _) = run(&env);
    assert!(printed.starts_with("mine\nbin\nregistry\ncrate\n"), "{printed}");
    assert!(printed.contains("Read-only file system"), "{printed}");
}
