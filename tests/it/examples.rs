//! What is published is run: the batch jobs of `examples/`, the commands in the documentation, the README's picture.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Parser;
use faos::cli::Cli;
use faos::playback::Reply;

use crate::support::env::TestEnv;
use crate::support::model_server::serve;
use crate::support::process::Output;
use crate::support::redact;

const NOTE: &str = "note.txt\n```\nkept\n```\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// With this `faos` on the `PATH`.
fn finish(env: &TestEnv, command: &mut Command) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_faos")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    env.start(command.env("PATH", path).stdin(Stdio::null())).finish()
}

/// As Slurm starts it: a copy, in the folder where the job was submitted, with the task's number.
#[test]
fn a_slurm_array_does_a_task_each() {
    let server = serve([Reply::text(NOTE), Reply::text(NOTE)]);
    let env = TestEnv::new();
    env.write("cwd/tasks.txt", "one: a note\ntwo: another note\n");
    env.write("spool/script", read("examples/slurm.sbatch"));
    let task = |number: &str| {
        let mut command = env.command("bash");
        command.arg(env.root().join("spool/script")).args(["tasks.txt", "results", server.url()]);
        command.env("SLURM_ARRAY_TASK_ID", number).env("SLURM_SUBMIT_DIR", root());
        finish(&env, &mut command)
    };
    for (number, name) in [("1", "one"), ("2", "two")] {
        let output = task(number);
        output.assert_code(0);
        assert_eq!(env.read(&format!("cwd/results/{name}/note.txt")), "kept\n");
        // Each has its sessions where every node finds them.
        let sessions = env.root().join(format!("cwd/results/.faos/{number}/sessions"));
        assert_eq!(fs::read_dir(sessions).unwrap().count(), 1);
    }
    // One that is queued again has its result already.
    task("2").assert_code(0);
    let asked: Vec<String> = server.requests().iter().map(|request| request["messages"].to_string()).collect();
    assert!(asked.len() == 2 && asked[0].contains("a note") && asked[1].contains("another note"), "{asked:?}");
}

/// The command of the pod, with its two volumes in this environment.
#[test]
fn a_kubernetes_job_does_a_task_each() {
    let manifest = read("examples/kubernetes.yaml");
    let script = manifest.split("args:\n            - |\n").nth(1).unwrap();
    let script: String = script
        .lines()
        .take_while(|line| line.starts_with("              "))
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    assert!(manifest.contains("mountPath: /tasks") && manifest.contains("mountPath: /results"), "{manifest}");
    let server = serve([Reply::text(NOTE), Reply::text(NOTE)]);
    let mut env = TestEnv::new();
    // The pod's environment names the server.
    assert!(manifest.contains("- { name: FAOS_ENDPOINT, value: \"http://model:8000\" }"), "{manifest}");
    env.set_endpoint(server.url());
    env.write("tasks/tasks.txt", "one: a note\ntwo: another note\n");
    env.write("tasks/parallel.sh", read("examples/parallel.sh"));
    let here = |text: &str| {
        let root = env.root().to_str().unwrap();
        let tasks = text.replace(" /tasks/", &format!(" {root}/tasks/"));
        tasks.replace(" /results", &format!(" {root}/results")).replace("=/results", &format!("={root}/results"))
    };
    for (index, name) in [("0", "one"), ("1", "two")] {
        let mut command = env.command("bash");
        command.args(["-c", &here(&script)]).env("JOB_COMPLETION_INDEX", index);
        finish(&env, &mut command).assert_code(0);
        assert_eq!(env.read(&format!("results/{name}/note.txt")), "kept\n");
    }
    assert_eq!(server.requests().len(), 2);
}

/// Every `faos …` in a block of the documentation is one that can be typed.
#[test]
fn commands_in_the_documentation_can_be_typed() {
    let mut typed = 0;
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    for page in pages.chain([root().join("README.md"), root().join("CONTRIBUTING.md"), root().join("SECURITY.md")]) {
        if page.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        for (at, block) in text.split("\n```").enumerate().filter(|(at, _)| at % 2 == 1) {
            // Where a prompt is shown, the other lines are answers.
            let has_prompts = block.contains("\n$ ");
            for line in block.lines().skip(1).filter(|line| !has_prompts || line.starts_with("$ ")) {
                let line = line.split(" #").next().unwrap_or(line).split(" | ").last().unwrap_or(line);
                let line = line.trim_start_matches("$ ").trim();
                if !line.starts_with("faos ") || line.starts_with("faos 0.") {
                    continue;
                }
                let words = words(line);
                assert!(Cli::try_parse_from(&words).is_ok(), "{}, block {at}: `{line}`", page.display());
                typed += 1;
            }
        }
    }
    assert!(typed > 20, "{typed}");
}

/// As a shell takes a line apart that has no more than double quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The README's first command, and what it shows: lines may be left out, and none is made up.
#[test]
fn the_picture_in_the_readme_is_what_the_demo_prints() {
    let env = TestEnv::new();
    let output = env.run(["demo", "-w", "todo"]);
    output.assert_code(0);
    let readme = read("README.md");
    assert!(readme.contains("\ncargo run --release -- demo\n"), "the first command is gone");
    let picture = readme.split("$ faos demo -w todo\n").nth(1).unwrap().split("```").next().unwrap();
    let shown = redact::text(&format!("{}{}", output.stdout, output.stderr));
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    for line in picture.lines() {
        let line = redact::text(line);
        let wanted = line.split("[…]").next().unwrap().trim_end();
        if wanted.starts_with("[…") || wanted.is_empty() || line.starts_with("files: ") || line.starts_with("go on: ")
        {
            continue;
        }
        let is_it = |shown: &&str| **shown == *wanted || line.contains("[…]") && shown.starts_with(wanted);
        assert!(shown.iter().any(is_it), "`{wanted}` is not among\n{}", shown.join("\n"));
    }
}

#[test]
fn the_index_names_every_page() {
    let index = read("docs/README.md");
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_named =
            name == "README.md" || index.contains(&format!("({name})")) || index.contains(&format!("`{name}/`"));
        assert!(is_named, "docs/README.md does not name `{name}`");
    }
}
