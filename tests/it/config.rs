//! `faos config`: what is in force and why, the user's file in the user's editor, and what is wrong with it.

use crate::support::env::TestEnv;

/// The row of a key: its value and who said so.
fn row(shown: &str, key: &str) -> (String, String) {
    let line = shown.lines().find(|line| line.starts_with(&format!("{key} "))).unwrap_or_else(|| panic!("{key}"));
    let (value, origin) = line[key.len()..].trim().rsplit_once("  ").unwrap();
    (value.trim().to_owned(), origin.to_owned())
}

#[track_caller]
fn assert_row(shown: &str, key: &str, value: &str, origin: &str) {
    assert_eq!(row(shown, key), (value.to_owned(), origin.to_owned()));
}

#[test]
fn every_setting_is_shown_with_who_says_so() {
    let mut env = TestEnv::new();
    env.write(
        "faos/config.toml",
        "[model]\nendpoint = \"http://mine:1\"\nname = \"mine\"\n[loop]\nmax_turns = 9\nmax_repairs = 2\n\
         [sandbox.limits]\nwall_s = 30\n",
    );
    env.write("workspace/.faos/config.toml", "[loop]\nmax_turns = 4\n[sandbox.limits]\nwall_s = 90\ncpu_s = 8\n");
    env.set("FAOS_MODEL", "of-the-environment");
    let workspace = env.workspace();
    let arguments = ["config", "--max-repairs", "1", "-w", workspace.to_str().unwrap()];

    let left_out = env.run(arguments);
    left_out.assert_code(0);
    assert!(left_out.stderr.contains("you have not trusted"), "{}", left_out.stderr);
    assert_row(&env.redact(&left_out.stdout), "loop.max_turns", "9", "[temp]/faos/config.toml");

    let output = env.run(arguments.iter().chain(&["--trust-scripts"]));
    output.assert_code(0);
    let shown = env.redact(&output.stdout);
    assert_row(&shown, "model.endpoint", "\"http://mine:1\"", "[temp]/faos/config.toml");
    assert_row(&shown, "model.name", "\"of-the-environment\"", "FAOS_MODEL (environment)");
    assert_row(&shown, "loop.max_turns", "4", "[temp]/workspace/.faos/config.toml (the project's)");
    assert_row(&shown, "loop.max_repairs", "1", "--max-repairs");
    assert_row(&shown, "sandbox.limits.wall_s", "30", "[temp]/faos/config.toml");
    assert_row(&shown, "sandbox.limits.cpu_s", "8", "[temp]/workspace/.faos/config.toml (the project's)");
    assert_row(&shown, "sandbox.network", "\"off\"", "default");
    assert_row(&shown, "model.seed", "- (the server's own)", "default");
    // Whatever the documentation knows is there.
    let documented = include_str!("../../docs/settings.md");
    let mut table = "";
    for line in documented.lines() {
        table = line.strip_prefix("## `[").and_then(|line| line.strip_suffix("]`")).unwrap_or(table);
        if let Some(name) = line.strip_prefix("| `").and_then(|line| line.split('`').next()) {
            row(&shown, &format!("{table}.{name}"));
        }
    }
}

#[test]
fn no_key_is_ever_shown() {
    let mut env = TestEnv::new();
    let settings = |line: &str| format!("[model]\nendpoint = \"http://you:hunter2@mine:1\"\n{line}\n");
    env.write("faos/keys/theirs", "sk-secret-of-a-file-1\n");
    env.set("THEIR_KEY", "sk-secret-of-a-variable-2");
    for (line, told) in [
        (
            "api_key_file = \"keys/theirs\"",
            "from the file [temp]/faos/keys/theirs, when a server is asked; never shown",
        ),
        ("api_key_env = \"THEIR_KEY\"", "from THEIR_KEY (environment); never shown"),
        ("api_key_command = \"echo sk-secret-of-a-command-3\"", "from `api_key_command`, when a server is asked"),
        ("", "none is sent"),
    ] {
        env.write("faos/config.toml", settings(line));
        let output = env.run(["config", "show"]);
        output.assert_code(0);
        let shown = env.redact(&output.stdout);
        assert!(shown.contains(&format!("the API key  {told}")), "{shown}");
        assert!(!shown.contains("sk-secret") && !shown.contains("hunter2"), "{shown}");
    }
    env.set("FAOS_API_KEY", "sk-secret-of-ours-4");
    let shown = env.run(["config"]).stdout;
    assert!(shown.contains("from FAOS_API_KEY (environment)") && !shown.contains("sk-secret"), "{shown}");
}

#[test]
fn the_file_is_made_opened_and_read_again() {
    let mut env = TestEnv::new();
    assert_eq!(env.redact(&env.run(["config", "path"]).stdout), "[temp]/faos/config.toml\n");
    let output = env.run(["config", "edit"]);
    output.assert_code(2);
    assert!(output.stderr.contains("VISUAL or EDITOR"), "{}", output.stderr);

    // An editor with an option of its own, which sees every key as a comment.
    env.set("EDITOR", "grep -c '^#max_turns = 20$'");
    let output = env.run(["config", "edit"]);
    output.assert_code(0);
    assert_eq!(env.redact(&output.stdout), "1\n[temp]/faos/config.toml: sound\n");
    assert!(env.read("faos/config.toml").contains("\n#endpoint = \"http://127.0.0.1:8080\"\n"));

    env.set("EDITOR", "false");
    env.set("VISUAL", "sed -i 's/^#max_turns = 20/max_turn = 5/'");
    let output = env.run(["config", "edit"]);
    output.assert_code(2);
    let wrong = env.read("faos/config.toml");
    let line = wrong.lines().position(|line| line == "max_turn = 5").unwrap() + 1;
    let told = format!(
        "[temp]/faos/config.toml:{line}: unknown key `loop.max_turn`; the nearest known one is `loop.max_turns`\n"
    );
    assert_eq!(env.redact(&output.stdout), told);
    // The user's text stays, and the file can be opened again, though nothing else begins.
    env.run(["models"]).assert_code(2);
    env.set("VISUAL", "sed -i 's/^max_turn /max_turns /'");
    env.run(["config", "edit"]).assert_code(0);
    assert_eq!(row(&env.run(["config"]).stdout, "loop.max_turns").0, "5");

    env.set("VISUAL", "exit 7;");
    let output = env.run(["config", "edit"]);
    output.assert_code(1);
    assert!(output.stderr.contains("did not end well: exit status: 7"), "{}", output.stderr);
}

#[test]
fn check_names_file_line_and_nearest_key() {
    let env = TestEnv::new();
    let output = env.run(["config", "check"]);
    output.assert_code(2);
    assert!(output.stderr.contains("`faos config edit` makes it"), "{}", output.stderr);
    env.write("faos/config.toml", "[loop]\nmax_turns = 3\n");
    let output = env.run(["config", "check"]);
    output.assert_code(0);
    assert_eq!(env.redact(&output.stdout), "[temp]/faos/config.toml: sound, 1 key is set\n");

    env.write("cwd/other.toml", "[model]\nendpont = 'http://a'\n\n[sandbox]\nnetwork = 'on'\n");
    let output = env.run(["config", "check", "other.toml"]);
    output.assert_code(2);
    insta::assert_snapshot!(output.stdout, @r#"
    other.toml:2: unknown key `model.endpont`; the nearest known one is `model.endpoint`
    other.toml:5: `sandbox.network` must be "off" or "full"
    "#);
    insta::assert_snapshot!(output.stderr, @r"
    error: 2 faults in `other.toml`, and nothing begins until that is mended
    hint: `faos config edit` opens your settings, docs/settings.md lists every key
    ");
    // A project's own file may say less.
    env.write("cwd/.faos/config.toml", "[model]\nendpoint = 'http://a'\n");
    let output = env.run(["config", "check", ".faos/config.toml"]);
    output.assert_code(2);
    assert!(
        output.stdout.starts_with(".faos/config.toml:2: a project cannot set `model.endpoint`"),
        "{}",
        output.stdout
    );
}

/// `[frontend] color` is what `--color` is without the flag.
#[test]
fn colours_are_a_setting() {
    let env = TestEnv::new();
    env.write("faos/config.toml", "[frontend]\ncolor = \"always\"\n");
    let colour = |arguments: &[&str]| {
        let doctor = env.run(["doctor", "--no-run", "--no-scripts", "-e", "127.0.0.1:9"].iter().chain(arguments));
        doctor.stdout.lines().find(|line| line.contains(" colour ")).unwrap().to_owned()
    };
    assert!(colour(&[]).ends_with("yes"));
    assert!(colour(&["--color", "never"]).contains("no"));
    env.write("faos/config.toml", "");
    assert!(colour(&[]).contains("no"));
}

/// Whose a file is does not hang on how its path is typed, nor on what the user's own folder is called.
#[test]
fn a_users_file_is_no_projects_wherever_it_is() {
    let mut env = TestEnv::new();
    let servers = "[model]\nendpoint = 'http://a'\n";
    env.write("cwd/.faos/config.toml", servers);
    let inside = |name: &str| {
        let mut command = env.faos(["config", "check", name]);
        command.current_dir(env.root().join("cwd/.faos")).stdin(std::process::Stdio::null());
        env.start(&mut command).finish()
    };
    for name in ["config.toml", "./config.toml", "../.faos/config.toml"] {
        let output = inside(name);
        output.assert_code(2);
        assert!(output.stdout.contains("a project cannot set `model.endpoint`"), "{name}: {}", output.stdout);
    }
    // The same file, named as the user's own.
    env.run(["config", "check", "--config", ".faos/config.toml"]).assert_code(0);
    env.run(["config", "check", "--config", ".faos/config.toml", "../cwd/.faos/config.toml"]).assert_code(0);

    env.write("home/.faos/config.toml", servers);
    let own = env.home().join(".faos");
    env.set("FAOS_HOME", &own);
    env.run(["config", "check"]).assert_code(0);
    env.run(["config", "check", own.join("config.toml").to_str().unwrap()]).assert_code(0);
    env.set("EDITOR", "true");
    env.run(["config", "edit"]).assert_code(0);
}

#[test]
fn a_key_in_the_place_of_its_file_or_its_command_is_masked() {
    let env = TestEnv::new();
    // Put together here, so that no tool takes this file for a leak.
    let secret = ["sk-", "0123456789abcdefghij"].concat();
    let command = format!("echo {secret} >/dev/null; exit 3");
    for (name, value) in [("api_key_file", &secret), ("api_key_command", &command)] {
        let settings = format!("[model]\nendpoint = \"http://127.0.0.1:9\"\n{name} = \"{value}\"\n");
        env.write("faos/config.toml", settings);
        let shown = env.run(["config"]);
        shown.assert_code(0);
        let asked = env.run(["models"]);
        asked.assert_code(2);
        assert!(asked.stderr.contains("no API key from `") && asked.stderr.contains(name), "{}", asked.stderr);
        for text in [&shown.stdout, &shown.stderr, &asked.stdout, &asked.stderr] {
            assert!(!text.contains(&secret), "{name}: {text}");
        }
    }
}

#[test]
fn a_relative_key_file_is_beside_the_file_that_names_it() {
    let env = TestEnv::new();
    env.write("cwd/other/config.toml", "[model]\nendpoint = \"http://mine:1\"\napi_key_file = \"k/theirs\"\n");
    let output = env.run(["config", "--config", "other/config.toml"]);
    output.assert_code(0);
    let shown = env.redact(&output.stdout);
    assert!(shown.contains("from the file [temp]/cwd/other/k/theirs, when"), "{shown}");
}

#[test]
fn an_empty_text_is_a_fault() {
    let env = TestEnv::new();
    env.write("faos/config.toml", "[session]\ndir = \"\"\n");
    for arguments in [["config", "check"].as_slice(), &["sessions"], &["-p", "hello"]] {
        let output = env.run(arguments);
        output.assert_code(2);
        let told = format!("{}{}", output.stdout, output.stderr);
        assert!(told.contains("`session.dir` must be text in quotes that is not empty"), "{told}");
    }
}

/// The environment comes before the file, and an option before both.
#[test]
fn no_color_comes_before_the_file_and_after_the_option() {
    let mut env = TestEnv::new();
    env.write("faos/config.toml", "[frontend]\ncolor = \"always\"\n");
    env.set("NO_COLOR", "");
    let shown = |env: &TestEnv, arguments: &[&str]| {
        let output = env.run(["config"].iter().chain(arguments));
        row(&env.redact(&output.stdout), "frontend.color")
    };
    let said = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(shown(&env, &[]), said("\"always\"", "[temp]/faos/config.toml"), "it is empty");
    env.set("NO_COLOR", "1");
    assert_eq!(shown(&env, &[]), said("\"never\"", "NO_COLOR (environment)"));
    assert_eq!(shown(&env, &["--color", "always"]), said("\"always\"", "--color"));
    let doctor = |arguments: &[&str]| {
        let doctor = env.run(["doctor", "--no-run", "--no-scripts", "-e", "127.0.0.1:9"].iter().chain(arguments));
        doctor.stdout.lines().find(|line| line.contains(" colour ")).unwrap().to_owned()
    };
    assert!(doctor(&[]).ends_with("no, by NO_COLOR"));
    assert!(doctor(&["--color", "auto"]).ends_with("no, by NO_COLOR"));
    assert!(doctor(&["--color", "always"]).ends_with("yes"));
}
