//! The built-in scripts on real files: what a guard refuses, what a model is shown, and in [`validators`] what
//! each validator says of a workspace. Runs are plain bash in a temporary folder.
#![expect(clippy::expect_used, reason = "a test that cannot go on ends")]

mod examples;
mod validators;

use faos::base::report::{ChangeKind, FileChange};
use faos::base::usage::Usage;
use faos::scripting::{
    FileWrite, ReplyDecision, ReplyEvent, RunDecision, RunEvent, RunResult, RunResultDecision, WriteDecision,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::bash::{Bash, built_in, report, wait};

fn write(path: &str, old: Option<&str>, content: &str) -> WriteDecision {
    let bash = Bash::with(&[]);
    let event = FileWrite {
        path: path.to_owned(),
        lang: String::new(),
        old_text: old.map(str::to_owned),
        content: content.to_owned(),
    };
    let (at, cancel) = (bash.setting(), CancellationToken::new());
    wait(built_in().on_file_write(&at, event, bash.host(), &cancel)).expect("lives").decision
}

#[test]
fn contents_are_tidied() {
    for (path, old, content, want) in [
        ("a.py", None, "x = 1\n", "x = 1\n"),
        ("a.py", None, "x = 1\r\ny = 2\r\n", "x = 1\ny = 2\n"),
        ("a.bat", None, "echo\r\n", "echo\r\n"),
        ("a.py", Some("x\r\n"), "x = 1\r\n", "x = 1\r\n"),
        ("a.py", None, "x = 1\n<|im_end|>\n", "x = 1\n"),
        ("a.py", None, "x = 1\n```\n", "x = 1\n"),
        ("a.md", None, "```\nx\n```\n", "```\nx\n```\n"),
        ("a.py", None, "s = '''\n```\nx\n```\n'''\n", "s = '''\n```\nx\n```\n'''\n"),
        ("a.py", None, "x = 1\n\n \n\n", "x = 1\n"),
        ("a.py", None, "", ""),
    ] {
        assert_eq!(write(path, old, content), WriteDecision::Go { content: want.to_owned() }, "{content:?}");
    }
}

#[test]
fn secrets_binaries_and_oversized_files_are_refused() {
    let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", "Ab1+".repeat(16));
    let large = "x = 1\n".repeat(200_000);
    for (path, content, why) in [
        ("id_rsa", key.as_str(), "a private key"),
        ("a.py", "k = 'AKIAQWERTYUIOPASDFGH'\n", "an AWS access key"),
        ("a.py", "t = 'ghp_abcdefghijklmnopqrstuvwxyzABCDEF1234'\n", "a GitHub token"),
        ("a.png", "iVBOR\n", "a .png file is binary"),
        ("a.bin", "a\0b\n", "its content is binary"),
        ("a.py", large.as_str(), "1200000 bytes"),
    ] {
        let WriteDecision::Denied { script, why: told } = write(path, None, content) else {
            panic!("{path} was let through")
        };
        assert_eq!(script, "built-in/30-guard.rhai");
        assert!(told.contains(why), "{told}");
    }
    for (old, content) in [
        (None, "if '-----BEGIN PRIVATE KEY-----' in text:\n    pass\n"),
        (None, "k = 'AKIAIOSFODNN7EXAMPLE'\n"),
        (None, "k = os.environ['AWS_KEY']  # AKIA...\n"),
        (Some("k = 'AKIAQWERTYUIOPASDFGH'\n"), "k = 'AKIAQWERTYUIOPASDFGH'  # old\n"),
        (Some(large.as_str()), large.as_str()),
    ] {
        assert!(matches!(write("a.py", old, content), WriteDecision::Go { .. }), "{}", &content[..20]);
    }
}

#[test]
fn only_a_lone_program_gets_a_name() {
    let block = |language: &str, content: &str| json!({"language": language, "content": content});
    let run = json!({"kind": "run", "script": "ls"});
    let decide = |actions: Vec<Value>, unnamed: Vec<Value>, present: &[(&str, &str)]| {
        let bash = Bash::with(present);
        let event = ReplyEvent {
            text: String::new(),
            reasoning: String::new(),
            actions,
            unnamed,
            finish_reason: "stop".to_owned(),
            usage: Usage::default(),
        };
        let (at, cancel) = (bash.setting(), CancellationToken::new());
        let hooked = wait(built_in().on_reply(&at, event, bash.host(), &cancel)).expect("lives");
        let ReplyDecision::Go { actions } = hooked.decision else { panic!("{hooked:?}") };
        let path = actions.first().and_then(|action| action["path"].as_str()).map(str::to_owned);
        (path, bash.said())
    };
    for (language, content, path) in [
        ("python", "print(1)\n", Some("main.py")),
        ("Go", "package main\n", Some("main.go")),
        ("java", "public class Shop {}\n", Some("Shop.java")),
        ("", "#!/usr/bin/env bash\nls\n", Some("main.sh")),
        ("bash", "python3 main.py\n", None),
        ("python", ">>> print(1)\n1\n", None),
        ("text", "Hello\n", None),
        ("", "Hello\n", None),
    ] {
        let (named, said) = decide(vec![run.clone()], vec![block(language, content)], &[]);
        let named = named.filter(|_| !said.is_empty());
        assert_eq!(named.as_deref(), path, "{language} {content}");
    }
    let python = || block("python", "print(1)\n");
    let file = json!({"kind": "write", "path": "a.py", "content": "x\n"});
    assert_eq!(decide(vec![], vec![python(), python()], &[]), (None, vec![]));
    assert_eq!(decide(vec![file], vec![python()], &[]).1, Vec::<String>::new());
    let (path, said) = decide(vec![], vec![python()], &[("main.py", "kept\n")]);
    assert_eq!(path, None);
    assert_eq!(said, ["built-in/10-name-unnamed.rhai: a block without a path was not written: main.py exists already"]);
}

#[test]
fn a_project_is_run_as_it_is_by_custom() {
    let command = |files: &[(&str, &str)]| {
        let bash = Bash::with(files);
        let event = RunEvent {
            command: " ".to_owned(),
            source: "user".to_owned(),
            cwd: bash.root(),
            limits: serde_json::Map::new(),
        };
        let (at, cancel) = (bash.setting(), CancellationToken::new());
        match wait(built_in().on_run(&at, event, bash.host(), &cancel)).expect("lives").decision {
            RunDecision::Go { command, .. } => command,
            RunDecision::Denied { why, .. } => format!("denied: {why}"),
        }
    };
    for (files, want) in [
        (&[("Makefile", "run: all\n\t./x\n"), ("main.py", "")][..], "make run"),
        (&[("package.json", "{\"scripts\": {\"start\": \"node x\"}}")], "npm start --silent"),
        (&[("package.json", "{\"scripts\": {\"test\": \"x\"}}"), ("index.js", "")], "node index.js"),
        (&[("Cargo.toml", ""), ("src/main.rs", "")], "cargo run --quiet"),
        (&[("go.mod", ""), ("main.go", "")], "go run ."),
        (
            &[("Makefile", "CC = gcc\nOBJ = main.o\n\nall: matmul\n\nmatmul: $(OBJ)\n"), ("main.c", "")],
            "make && ./matmul",
        ),
        (&[("makefile", "NAME := bin/x\n$(NAME): x.o\n\tcc\n"), ("x.c", "")], "make && ./bin/x"),
        (&[("index.html", ""), ("app.js", ""), ("life.js", "")], "denied: index.html is a page: open it in a browser"),
        (&[("public/index.html", "")], "denied: public/index.html is a page: open it in a browser"),
        (&[("index.html", ""), ("server.js", "")], "node server.js"),
        (&[("index.html", ""), ("app.py", "")], "python3 app.py"),
        (&[("snake/__main__.py", ""), ("snake/ui.py", "")], "python3 -m snake"),
        (&[("main.py", ""), ("other.py", "")], "python3 main.py"),
        (&[("todo.py", ""), ("test_todo.py", "")], "python3 todo.py"),
        (&[("report.py", "if __name__ == '__main__':\n    x()\n"), ("inventory.py", "")], "python3 report.py"),
        (&[("rotate me.sh", "#!/bin/bash\n"), ("test-rotate.sh", "#!/bin/bash\n")], "bash 'rotate me.sh'"),
        (&[("justfile", "run *args: build\n    ./x\n"), ("main.py", "")], "just run"),
        (&[("it.c", ""), ("it.h", "")], "cc -o /tmp/program it.c -lm && /tmp/program"),
        (&[("it.rs", "")], "rustc -o /tmp/program it.rs && /tmp/program"),
        (&[("notes.txt", "")], "denied: nothing here tells how the project is run; name the command: /run COMMAND"),
    ] {
        assert_eq!(command(files), want);
    }
}

fn shown(result: RunResult) -> String {
    let bash = Bash::with(&[]);
    let mut at = bash.setting();
    result.report.cwd.clone_into(&mut at.workspace);
    let cancel = CancellationToken::new();
    let hooked = wait(built_in().on_run_result(&at, result, bash.host(), &cancel)).expect("lives");
    let RunResultDecision::Go { feedback: Some(feedback) } = hooked.decision else { panic!("{hooked:?}") };
    feedback
}

#[test]
fn a_run_is_shown_clean() {
    let stderr = "..F\nTraceback (most recent call last):\n  File \"/home/x/shop/app.py\", line 3, in <module>\n    main()\n  \
                  File \"/usr/lib/python3.11/json/decoder.py\", line 337, in decode\n    obj, end = self.raw_decode(s)\n               \
                  ^^^^\n  File \"/usr/lib/python3.11/json/decoder.py\", line 355, in raw_decode\n    raise JSONDecodeError\nValueError: no\n\
                  Ran 3 tests in 0.123s\n";
    let mut result = report("x", "/home/x/shop", 1, ("made /home/x/shop/out.txt\n", stderr));
    result.report.files_changed = vec![
        FileChange { path: "out.txt".to_owned(), kind: ChangeKind::Created },
        FileChange { path: "b.txt".to_owned(), kind: ChangeKind::Created },
        FileChange { path: "a.txt".to_owned(), kind: ChangeKind::Deleted },
    ];
    insta::assert_snapshot!(shown(result));
    assert_eq!(shown(report("x", "/w", 0, ("", ""))), "(no output)");
}

#[test]
fn a_long_run_is_shown_with_its_failing_part_first() {
    let noise = |from: usize| (from..from + 3_000).map(|n| format!("line {n} of the noise\n")).collect::<String>();
    let stdout = format!("{}FAIL: test_total\nexpected 149.44\n{}", noise(0), noise(5_000));
    let text = shown(report("x", "/w", 1, (&stdout, "make: *** [test] Error 1\n")));
    assert!(text.starts_with("--- stdout ---\nFAIL: test_total\nexpected 149.44\n"), "{text}");
    assert!(text.contains("line 0 of the noise") && text.contains("line 7999 of the noise"), "{text}");
    assert!(text.contains("characters left out") && text.ends_with("make: *** [test] Error 1"), "{text}");
    assert!(text.chars().count() <= 6_300, "{}", text.chars().count());
}
