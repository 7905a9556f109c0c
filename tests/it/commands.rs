//! The commands that hold no conversation: what is in use, what is there, what is missing.

use clap::CommandFactory;
use faos::base::report::{Backend, Guarantee, Network};
use faos::playback::{Player, Reply};
use faos::sandbox::{self, Choice, Sandbox};
use faos::{prompting, scripting};

use crate::support::env::TestEnv;
use crate::support::model_server::{capture, serve_with_pages};
use crate::support::terminal::Terminal;

/// A llama.cpp server as it was recorded.
fn llama() -> Player {
    serve_with_pages([], [("/v1/models", capture("llama.cpp/models")), ("/props", capture("llama.cpp/props"))])
}

fn env_with(server: &Player) -> TestEnv {
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    env.set("LANG", "C.UTF-8");
    env.set("TERM", "xterm");
    env
}

/// The lines of one section of `faos doctor`.
fn section<'a>(doctor: &'a str, title: &str) -> Vec<&'a str> {
    doctor.lines().skip_while(|line| !line.starts_with(title)).skip(1).take_while(|line| !line.is_empty()).collect()
}

#[test]
fn prompts_are_listed_with_their_variables() {
    let env = TestEnv::new();
    let output = env.run(["prompts"]);
    output.assert_code(0);
    assert_eq!((output.stdout.lines().count(), output.stderr.as_str()), (prompting::built_in().len() + 1, ""));
    for (line, template) in output.stdout.lines().skip(1).zip(prompting::built_in()) {
        assert!(line.starts_with(&format!("{}.md ", template.name)) && line.ends_with("  built-in"), "{line}");
        assert!(line.contains(&template.variables.join(", ")), "{line}");
    }
    assert_eq!(env.run(["prompts", "list"]).stdout, output.stdout);
}

#[test]
fn an_ejected_prompt_is_the_users() {
    let env = TestEnv::new();
    let output = env.run(["eject", "repair"]);
    output.assert_code(0);
    insta::assert_snapshot!(env.redact(&output.stdout), @r"
    [temp]/faos/prompts/repair.md

    Your copy is used from now on; change it as you like.
    faos prompts diff repair.md   shows what you have changed
    To go back to the built-in one, remove the file.
    ");
    env.write("faos/prompts/repair.md", "It fails:\n{{ feedback }}\n");
    assert_eq!(env.run(["prompts", "show", "repair"]).stdout, "It fails:\n{{ feedback }}\n");
    let list = env.redact(&env.run(["prompts", "list"]).stdout);
    assert!(list.contains("user: [temp]/faos/prompts/repair.md"), "{list}");
    let diff = env.run(["prompts", "diff"]);
    diff.assert_code(0);
    let diff = env.redact(&diff.stdout);
    assert!(diff.starts_with("--- built-in/repair.md\n+++ [temp]/faos/prompts/repair.md\n@@ "), "{diff}");
    assert!(diff.contains("\n+It fails:\n"), "{diff}");
    assert_eq!(env.redact(&env.run(["prompts", "diff", "repair.md"]).stdout), diff);
}

#[test]
fn nothing_is_ejected_over_a_file_of_the_users() {
    let env = TestEnv::new();
    env.write("faos/prompts/system.md", "mine");
    for name in ["system", "system.md", "prompts/system.md"] {
        let output = env.run(["eject", name]);
        output.assert_code(2);
        insta::allow_duplicates! {
            insta::assert_snapshot!(env.redact(&output.stderr), @r"
            error: `[temp]/faos/prompts/system.md` is there already, and is left as it is
            hint: `faos prompts diff system.md` shows how it differs
            hint: move or remove it first to get a fresh copy
            ");
        }
    }
    assert_eq!(env.read("faos/prompts/system.md"), "mine");
}

#[test]
fn every_built_in_file_can_be_ejected_as_it_is() {
    let env = TestEnv::new();
    let names = env.run(["eject"]);
    names.assert_code(0);
    let prompts = prompting::built_in().iter().map(|template| (format!("{}.md", template.name), template.text));
    let scripts = scripting::built_in().iter().map(|(name, text)| ((*name).to_owned(), *text));
    for (name, text) in prompts.chain(scripts) {
        assert!(names.stdout.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
        env.run(["eject", &name]).assert_code(0);
        let folder = if name.ends_with(".md") { "prompts" } else { "scripts" };
        assert_eq!(env.read(&format!("faos/{folder}/{name}")), text);
    }
    // They are in use now, sound, and the same.
    env.run(["scripts", "check"]).assert_code(0);
    for kind in ["prompts", "scripts"] {
        let diff = env.run([kind, "diff"]);
        diff.assert_code(0);
        assert_eq!(diff.stdout, "");
        assert!(diff.stderr.contains("is the same as the built-in"), "{}", diff.stderr);
    }
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    let env = TestEnv::new();
    for (arguments, message, hint) in [
        (["eject", "sytem"].as_slice(), "there is no prompt or script `sytem`", "did you mean `system.md`?"),
        (&["eject", "50-validate-pyton"], "`50-validate-pyton`", "`50-validate-python.rhai`"),
        (&["eject", "../config"], "there is no prompt or script `../config`", "there are `system.md`"),
        (&["prompts", "show", "repare.md"], "there is no prompt `repare.md`", "did you mean `repair.md`?"),
        (&["scripts", "diff", "30-gard"], "there is no script `30-gard`", "`30-guard.rhai`"),
    ] {
        let output = env.run(arguments);
        output.assert_code(2);
        assert!(output.stderr.contains(message) && output.stderr.contains(hint), "{}", output.stderr);
    }
}

#[test]
fn what_is_typed_too_much_is_no_prompt() {
    let env = TestEnv::new();
    for arguments in [["doctor", "now"].as_slice(), &["eject", "system", "repair"], &["man", "faos"]] {
        let output = env.run(arguments);
        output.assert_code(2);
        assert!(
            output.stderr.contains("unexpected argument") && !output.stderr.contains("PROMPT"),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn scripts_are_listed_in_the_order_in_which_they_are_asked() {
    let env = TestEnv::new();
    env.write("faos/scripts/30-guard.rhai", "fn on_run(ev) { }");
    env.write("faos/scripts/05-mine.rhai", "fn on_prompt(ev) { } fn on_reply(ev) { }");
    env.write("faos/scripts/lib/words.rhai", "fn f() { 1 }");
    let output = env.run(["scripts"]);
    output.assert_code(0);
    let rows: Vec<Vec<String>> = env
        .redact(&output.stdout)
        .lines()
        .skip(1)
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(|cell| cell.trim().to_owned()).collect())
        .collect();
    let find = |name: &str| rows.iter().find(|row| row.iter().any(|cell| cell == name)).unwrap().clone();
    let names: Vec<&str> = scripting::built_in().iter().map(|(name, _)| *name).filter(|n| !n.contains('/')).collect();
    for (at, name) in names.iter().chain(&["05-mine.rhai"]).enumerate() {
        assert_eq!(find(name)[0], (at + 1).to_string(), "{name}");
    }
    let guard = find("30-guard.rhai");
    assert_eq!(guard[2..], ["on_run", "user: [temp]/faos/scripts/30-guard.rhai (in place of the built-in one)"]);
    assert_eq!(find("05-mine.rhai")[2..], ["on_prompt, on_reply", "user: [temp]/faos/scripts/05-mine.rhai"]);
    assert_eq!(find("20-tidy.rhai")[3], "built-in");
    assert_eq!(find("lib/words.rhai")[1..], ["none: for imports", "user: [temp]/faos/scripts/lib/words.rhai"]);
}

#[test]
fn check_names_every_fault_with_its_place() {
    let env = TestEnv::new();
    let sound = env.run(["scripts", "check"]);
    sound.assert_code(0);
    assert_eq!(sound.stdout, format!("{} scripts, all sound\n", scripting::built_in().len()));
    env.write("faos/scripts/10-a.rhai", "fn on_promt(ev) { }");
    env.write("faos/scripts/20-b.rhai", "fn on_run(ev) {\n  let x = ;\n}");
    env.write("faos/scripts/lib/c.rhai", "fn (");
    let output = env.run(["scripts", "check"]);
    output.assert_code(2);
    insta::assert_snapshot!(env.redact(&output.stdout), @r"
    [temp]/faos/scripts/lib/c.rhai:1:4: Expecting function name in function declaration
    [temp]/faos/scripts/10-a.rhai:1:1: there is no event `on_promt`; did you mean `on_prompt`?
    [temp]/faos/scripts/20-b.rhai:2:11: Unexpected ';'
    ");
    insta::assert_snapshot!(output.stderr, @r"
    error: 3 scripts are faulty, and no conversation begins until that is repaired
    hint: `--no-scripts` goes on without scripts
    ");
    // What is sound is listed all the same.
    let list = env.run(["scripts", "list"]);
    list.assert_code(2);
    assert!(list.stdout.contains("20-tidy.rhai") && list.stderr.contains("`faos scripts check`"), "{}", list.stdout);
}

/// Rhai finds a wrong name only when it is used.
#[test]
fn checking_calls_every_handler() {
    let env = TestEnv::new();
    env.write("faos/scripts/30-d.rhai", "fn on_reply(ev) { helper(ev) }\nfn helper(e) { e.txt }");
    env.write("faos/scripts/40-e.rhai", "fn on_command(ev) { #{txt: ev.command} }\nfn commands() { #{todo: \"x\"} }");
    env.write("faos/scripts/50-f.rhai", "fn on_prompt(ev) { throw \"not on Sundays\" }");
    env.write("faos/scripts/60-g.rhai", "fn on_session_end(ev) { parse_json(read(\"x.json\")) }");
    let output = env.run(["scripts", "check"]);
    output.assert_code(2);
    insta::assert_snapshot!(output.stdout, @r"
    user/30-d.rhai:2:18: Property not found: txt; did you mean `text`?
    user/40-e.rhai: `on_command` returned a map that cannot be used: unknown field `txt`, expected `handled` or `text`; did you mean `text`?
    ");
    insta::assert_snapshot!(output.stderr, @r"
    error: 2 handlers fail with a made-up event
    hint: a gate that fails denies what it is asked about, anything else that fails is passed over
    ");
    // They load, and a conversation can begin.
    env.run(["scripts", "list"]).assert_code(0);
}

#[test]
fn a_projects_files_are_shown_once_they_are_trusted() {
    let env = TestEnv::new();
    env.write("workspace/.faos/scripts/60-run.rhai", "fn on_run(ev) { deny(\"no\") }");
    env.write("workspace/.faos/prompts/repair.md", "{{ nothing }}");
    let workspace = env.workspace();
    let workspace = workspace.to_str().unwrap();
    let before = env.run(["scripts", "-w", workspace]);
    before.assert_code(0);
    assert!(!before.stdout.contains("project: ") && before.stderr.contains("not trusted"), "{}", before.stderr);
    let after = env.run(["scripts", "list", "-w", workspace, "--trust-scripts"]);
    after.assert_code(0);
    let list = env.redact(&after.stdout);
    assert!(list.contains("project: [temp]/workspace/.faos/scripts/60-run.rhai (in place of"), "{list}");
    assert!(list.contains("built-in (replaced by the project's, but its gates are still asked)"), "{list}");
    // The folder that the user is in counts where none is named.
    let mut command = env.faos(["prompts", "--trust-scripts"]);
    let output = env.start(command.current_dir(workspace).stdin(std::process::Stdio::null())).finish();
    output.assert_code(2);
    assert!(output.stdout.contains("project: "), "{}", output.stdout);
    assert!(output.stderr.contains("repair.md:1`: undefined variable: `nothing`"), "{}", output.stderr);
}

#[test]
fn doctor_finds_what_is_needed() {
    let server = llama();
    let env = env_with(&server);
    env.write("faos/scripts/40-mine.rhai", "fn on_run(ev) { }");
    env.write("faos/prompts/repair.md", "{{ feedback }}");
    let output = env.run(["doctor"]);
    output.assert_code(0);
    let text = env.redact(&output.stdout);
    // What is installed and given differs from machine to machine; what is asked for does not.
    let cgroup = section(&text, "SANDBOX").into_iter().find(|line| line.contains(" cgroup ")).unwrap();
    assert!(cgroup.contains("counts them") || cgroup.contains("none, memory is looked at"), "{cgroup}");
    let is_of_it = |line: &&str| *line == cgroup || line.contains("systemd-run --user --scope");
    let text: String = text.split_inclusive('\n').filter(|line| !is_of_it(&line.trim_end())).collect();
    let tools: Vec<&str> = section(&text, "TOOLS").iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    for name in ["bash", "python3", "node", "cargo", "cc", "go", "javac", "make"] {
        assert!(tools.contains(&name), "{name}: {tools:?}");
    }
    let others: Vec<&str> = section(&text, "OTHER").iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert!(others.contains(&"bwrap") && others.contains(&"landlock") && !others.contains(&"off"), "{others:?}");
    let differs = |part: &&str| part.starts_with("TOOLS") || part.starts_with("OTHER");
    let rest: Vec<&str> = text.split("\n\n").skip(1).filter(|part| !differs(part)).collect();
    let counted =
        format!("{} in use", scripting::built_in().iter().filter(|(name, _)| !name.contains('/')).count() + 1);
    insta::assert_snapshot!("doctor", rest.join("\n\n").replace(&counted, "[count] in use"));
}

/// What is not fine is followed by what can be done about it.
#[track_caller]
fn every_line_has_a_way_out(doctor: &str) {
    let lines: Vec<&str> = doctor.lines().collect();
    for pair in lines.windows(2) {
        let is_fine = !pair[0].starts_with("  note ") && !pair[0].starts_with("  PROBLEM ");
        assert!(is_fine || pair[1].trim_start().starts_with("hint: "), "no hint below: {}", pair[0]);
    }
}

#[test]
fn doctor_ends_as_a_request_would() {
    let server = llama();
    let env = env_with(&server);
    env.run(["doctor"]).assert_code(0);
    env.write("cwd/file", "");
    for (arguments, code, says) in [
        (["-e", "127.0.0.1:9"], 4, "no answer from `http://127.0.0.1:9`"),
        (["--session-dir", "file/sessions"], 1, "PROBLEM  sessions  cannot use as a folder"),
        (["--sandbox", "off"], 0, "off, by your word"),
        (["--sandbox", "landlock"], 0, "landlock, by your word"),
        (["--no-scripts", "--no-run"], 0, "not needed with"),
        (["--net", "full"], 0, "no   a run reaches every network that you reach"),
        (["--config", "none.toml"], 2, ""),
        (["-m", "some-model"], 0, "some-model"),
        (["--context", "4096"], 0, "4096 tokens: little room"),
    ] {
        let output = env.run(["doctor"].iter().chain(&arguments));
        assert_eq!(output.code, Some(code), "{arguments:?}: {}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains(says), "{arguments:?}: {}", output.stdout);
        every_line_has_a_way_out(&output.stdout);
    }
    env.write("faos/scripts/10-x.rhai", "fn on_prompt(ev) {");
    let output = env.run(["doctor", "-e", "127.0.0.1:9"]);
    output.assert_code(2);
    assert!(output.stdout.ends_with("\nfaos cannot work yet: 2 problems\n"), "{}", output.stdout);
    env.run(["doctor", "--no-scripts"]).assert_code(0);
}

#[test]
fn doctor_names_what_forbids_the_sandbox() {
    let server = llama();
    let env = env_with(&server);
    // A user namespace that may not have another one below it, as in a hardened system or container.
    let mut command = env.command("unshare");
    let script = format!("echo 0 > /proc/sys/user/max_user_namespaces; exec {} doctor", env!("CARGO_BIN_EXE_faos"));
    command.args(["--user", "--map-root-user", "sh", "-c", &script]);
    let output = env.start(command.stdin(std::process::Stdio::null())).finish();
    output.assert_code(5);
    every_line_has_a_way_out(&output.stdout);
    let lines = section(&output.stdout, "SANDBOX").join("\n");
    for words in ["PROBLEM  backend", "user namespace", "(os error ", "hint: ", "fs-write  no ", "kill      no "] {
        assert!(lines.contains(words), "`{words}` is missing:\n{lines}");
    }
}

#[test]
fn what_a_server_says_is_only_text() {
    let list = r#"{"data":[{"id":"evil\u001b]0;title\u0007\nname","owned_by":"vllm","max_model_len":9000}]}"#;
    let version = r#"{"version":"1.0\u001b[2J\n  ok  fake"}"#;
    let pages = [("/v1/models", Reply::json(200, list)), ("/version", Reply::json(200, version))];
    let server = serve_with_pages([], pages);
    let env = env_with(&server);
    let doctor = env.run(["doctor"]);
    doctor.assert_code(0);
    assert!(!doctor.stdout.contains('\u{1b}') && !doctor.stdout.contains('\u{7}'), "{:?}", doctor.stdout);
    let model = section(&doctor.stdout, "MODEL");
    assert!(model[0].starts_with("  ok       server  vLLM 1.0   ok  fake at http://127.0.0.1:"), "{model:?}");
    assert_eq!(model[1], "  ok       model   evil name");
    let models = env.run(["models"]);
    models.assert_code(0);
    assert!(
        models.stdout.contains("\nevil name  9000 tokens     counted  vLLM 1.0   ok  fake at "),
        "{}",
        models.stdout
    );
}

#[test]
fn models_are_listed_whether_or_not_one_is_chosen() {
    let list = r#"{"data":[{"id":"a","max_model_len":100},{"id":"b"}]}"#;
    let server = serve_with_pages([], [("/v1/models", Reply::json(200, list))]);
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    insta::assert_snapshot!(env.redact(&env.run(["models", "-m", "b"]).stdout), @r"
    MODEL  CONTEXT WINDOW  TOKENS     SERVER
    a      100 tokens      estimated  OpenAI-compatible at http://127.0.0.1:[port]
    b      unknown         estimated  OpenAI-compatible at http://127.0.0.1:[port]  in use
    ");
    assert!(!env.run(["models"]).stdout.contains("in use"));
    let doctor = env.run(["doctor"]);
    doctor.assert_code(4);
    assert!(doctor.stdout.contains("hint: `--model a`"), "{}", doctor.stdout);
    env.set_endpoint("127.0.0.1:9");
    env.run(["models"]).assert_code(4);
}

/// What the self-test tries succeeds where nothing is in the way: it could fail.
#[test]
fn attempts_get_through_without_a_sandbox_and_never_with_it() {
    let helper = Some(env!("CARGO_BIN_EXE_faos").into());
    let open = |backend| Sandbox::open(&sandbox::Options { backend, helper: helper.clone(), ..Default::default() });
    let through = |backend, network| {
        let tried = open(backend).unwrap().try_out(network).unwrap().tried;
        tried.into_iter().filter(|tried| tried.got_through).map(|tried| tried.guarantee).collect::<Vec<_>>()
    };
    let without = through(Choice::Only(Backend::Off), Network::Off);
    for guarantee in [Guarantee::FsWrite, Guarantee::FsRead, Guarantee::Network] {
        assert!(without.contains(&guarantee), "{without:?}");
    }
    assert_eq!(through(Choice::Only(Backend::Ns), Network::Off), []);
    assert_eq!(through(Choice::Only(Backend::Ns), Network::Full), [Guarantee::Network]);
    let tools = open(Choice::Only(Backend::Ns)).unwrap().tools(&["bash", "no-such-tool"]).unwrap();
    assert!(tools[0].version.as_ref().unwrap().contains("bash"), "{tools:?}");
    assert_eq!((&tools[1].version, &tools[1].outside), (&None, &None));
}

/// A terminal of 80 columns and 24 rows holds it, with the prompt below.
#[test]
fn short_help_fits_a_screen() {
    let mut env = TestEnv::new();
    env.set("COLUMNS", "80");
    let help = env.run(["-h"]);
    help.assert_code(0);
    insta::assert_snapshot!("short_help", help.stdout);
    let commands: Vec<String> =
        faos::cli::Cli::command().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for command in &commands {
        let help = env.run([command, "-h"]);
        help.assert_code(0);
        let rows: usize = help.stdout.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum();
        assert!(rows < 24, "{command} takes {rows} rows:\n{}", help.stdout);
    }
    let rows: usize = help.stdout.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum();
    assert!(rows < 24, "{rows}");
    // What is left out there is in the long one.
    let long = env.run(["--help"]);
    long.assert_code(0);
    for option in faos::cli::Cli::command().get_opts() {
        assert!(long.stdout.contains(&format!("--{}", option.get_long().unwrap())), "{option}");
    }
    // `faos help` says what `--help` says.
    assert_eq!(env.run(["help"]).stdout.trim_end(), long.stdout.trim_end());
    let of_export = env.run(["help", "sessions", "export"]);
    assert_eq!(of_export.stdout.trim_end(), env.run(["sessions", "export", "--help"]).stdout.trim_end());
    let unknown = env.run(["help", "sessions", "exprt"]);
    unknown.assert_code(2);
    assert!(unknown.stderr.contains("`faos help sessions` lists"), "{}", unknown.stderr);
}

/// The shell that most have: what is typed, and what is offered. Others are tried by `tests/long/completions`.
#[test]
fn bash_completes_commands_options_and_names() {
    let env = TestEnv::new();
    env.run(["demo", "--no-run", "--no-scripts"]).assert_code(0);
    let id = env.session().id().to_owned();
    env.write("completions.bash", env.run(["completions", "bash"]).stdout);
    env.write("bin/faos", format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_faos")));
    let script = r#"
        chmod +x ../bin/faos; PATH=$PWD/../bin:$PATH; source ../completions.bash
        compopt() { :; }
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
        $(complete -p faos | sed -E 's/.*-F ([^ ]+).*/\1/') faos "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let offered = |words: &[&str]| {
        let mut command = env.command("bash");
        command.args(["-c", script, "bash"]).args(words);
        let output = env.start(command.stdin(std::process::Stdio::null())).finish();
        assert_eq!(output.stderr, "", "{words:?}");
        output.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for (words, wanted) in [
        (["faos", "re"].as_slice(), ["resume", "replay"].as_slice()),
        (&["faos", "config", "e"], &["edit"]),
        (&["faos", "--max-"], &["--max-turns", "--max-repairs", "--max-tokens"]),
        (&["faos", "--sandbox", "b"], &["bwrap"]),
        (&["faos", "resume", ""], &[&id]),
        (&["faos", "-w", "resume", "replay", "2"], &[&id]),
        (&["faos", "sessions", "rm", &id, ""], &[&id]),
        (&["faos", "prompts", "show", "sy"], &["system"]),
        (&["faos", "scripts", "diff", "30"], &["30-guard.rhai"]),
        (&["faos", "eject", "lib/op"], &["lib/opinion.rhai"]),
        (&["faos", "demo", "06"], &["06-backup-rotate"]),
    ] {
        assert_eq!(offered(words), wanted, "{words:?}");
    }
    // A name that a shell would run is a name.
    env.write("faos/scripts/61-$(touch PWNED).rhai", "");
    assert_eq!(offered(&["faos", "scripts", "diff", "61"]), [r"61-\$\(touch\ PWNED\).rhai"]);
    assert!(!env.root().join("cwd/PWNED").exists());
    // The second word is a prompt, and an option's value is none of these.
    assert!(!offered(&["faos", "resume", &id, ""]).contains(&id));
    assert!(!offered(&["faos", "resume", "--at", ""]).contains(&id));
}

#[test]
fn shells_get_their_completions() {
    let env = TestEnv::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = env.run(["completions", shell]);
        output.assert_code(0);
        assert!(output.stdout.contains("eject") && output.stdout.contains("trust-scripts"), "{shell}");
    }
    let mut bash = env.command("bash");
    let mut running = env.start(bash.args(["-n"]).stdin(std::process::Stdio::piped()));
    running.feed(&env.run(["completions", "bash"]).stdout);
    running.finish().assert_code(0);
    env.run(["completions", "ksh"]).assert_code(2);
}

#[test]
fn the_manual_page_is_whole() {
    let env = TestEnv::new();
    let page = env.run(["man"]);
    page.assert_code(0);
    let text = page.stdout.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "");
    for words in ["faos eject [NAME]", "faos scripts check", "FAOS_API_KEY", ".SH FILES", ".SH EXAMPLES"] {
        assert!(text.contains(words), "`{words}` is missing");
    }
    // Every command with its arguments, every option, slash command and setting.
    fn below(command: &clap::Command, called: &str, text: &str) {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let value = argument.get_value_names().map(|names| names[0].to_string());
            let name = argument.get_long().map(|long| format!("--{long}"));
            let name = name.or(value).unwrap_or_else(|| argument.get_id().as_str().to_uppercase());
            assert!(text.contains(&name), "`{name}` of `{called}` is missing");
        }
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let called = format!("{called} {}", sub.get_name());
            assert!(text.contains(&called), "`{called}` is missing");
            below(sub, &called, text);
        }
    }
    below(&faos::cli::Cli::command(), "faos", &text);
    let slash = faos::frontend::slash::COMMANDS.iter().map(|command| format!("/{}", command.name));
    for name in slash.chain(faos::settings::keys::KEYS.iter().map(|key| key.name.to_owned())) {
        assert!(text.lines().any(|line| line.split(' ').next() == Some(&name)), "`{name}` is missing");
    }
    let codes = text.split(".SH EXIT STATUS").nth(1).unwrap().split(".SH ").next().unwrap();
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "130", "143", "141"] {
        let line = |line: &str| line.split(", ").any(|named| named == code);
        assert!(codes.lines().any(line), "exit code {code} is missing:\n{codes}");
    }
    assert!(page.stdout.is_ascii(), "plain troff reads nothing else");
    // Its date is that of the release in the changelog.
    let changelog = include_str!("../../CHANGELOG.md");
    let version = concat!("\n## ", env!("CARGO_PKG_VERSION"), " - ");
    let date = changelog.split(version).nth(1).and_then(|rest| rest.lines().next()).expect("a section of this version");
    assert!(page.stdout.contains(&format!("\n.TH faos 1 {date} ")), "{date}");
}

#[test]
fn a_closed_stdout_is_code_141() {
    let server = llama();
    let env = env_with(&server);
    // A pipe whose reading end was closed before anything is written.
    let script = r#"mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; "$FAOS" "$@" >&4; echo "code $?""#;
    for arguments in [
        ["prompts", "list"].as_slice(),
        &["prompts", "show", "system"],
        &["scripts", "check"],
        &["eject"],
        &["doctor"],
        &["models"],
        &["completions", "bash"],
        &["man"],
        &["sessions"],
    ] {
        let mut command = env.command("bash");
        command.args(["-c", &format!("rm -f pipe; {script}"), "bash"]).args(arguments);
        command.env("FAOS", env!("CARGO_BIN_EXE_faos")).stdin(std::process::Stdio::null());
        let output = env.start(&mut command).finish();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("code 141\n", ""), "{arguments:?}");
    }
}

/// It is asked for when a server is, and by nobody else.
#[test]
fn a_command_tells_the_key() {
    let server = llama();
    let env = TestEnv::new();
    let settings =
        |command: &str| format!("[model]\nendpoint = \"{}\"\napi_key_command = \"{command}\"\n", server.url());
    env.write("faos/config.toml", settings("echo sk-told; echo asked >&2"));
    let models = env.run(["models"]);
    models.assert_code(0);
    assert_eq!(models.stderr, "asked\n");
    assert_eq!(server.seen().requests[0].header("authorization"), Some("Bearer sk-told"));

    env.write("faos/config.toml", settings("echo sk-told; exit 3"));
    for arguments in [["models"], ["hello"], ["doctor"]] {
        let output = env.run(arguments);
        output.assert_code(2);
        let wanted =
            "no API key from `echo sk-told; exit 3`: it failed: exit status: 3\nhint: it is `api_key_command` in `";
        assert!(output.stderr.contains(wanted), "{}", output.stderr);
    }
    env.run(["sessions"]).assert_code(0);
    // The demo's model is a recording, and wants none.
    env.run(["demo", "--no-run", "--no-scripts"]).assert_code(0);
}

#[test]
fn a_full_disk_is_no_closed_pipe_and_a_pipe_gets_every_byte() {
    let env = TestEnv::new();
    let shell = |script: &str| env.start(env.command("bash").args(["-c", script])).finish();
    let faos = env!("CARGO_BIN_EXE_faos");
    let full = shell(&format!("{faos} sandbox -- bash -c 'yes | head -c 1000000' > /dev/full"));
    full.assert_code(1);
    assert_eq!(
        full.stderr.matches("error: cannot write to stdout: No space left on device").count(),
        1,
        "{}",
        full.stderr
    );
    let closed = shell(&format!("{faos} sandbox -- yes | head -n 1; exit ${{PIPESTATUS[0]}}"));
    closed.assert_code(141);
    // Only what a person looks at is made printable: here stderr is the terminal, and stdout a file.
    let mut command = env.command("bash");
    command.args(["-c", &format!("{faos} sandbox -- printf '\\033[2Jx' > out; echo written")]);
    let mut terminal = Terminal::start(command, (80, 24));
    terminal.wait_for_text("written");
    assert_eq!(env.read("cwd/out"), "\u{1b}[2Jx");
}
