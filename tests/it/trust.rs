//! What a project brings of its own counts as the user has seen it, and not a byte further.

use std::fs;

use faos::playback::{Player, Reply};
use serde_json::json;

use crate::support::env::{SessionFolder, TestEnv};
use crate::support::model_server::serve;
use crate::support::process::Output;

const SHOUT: &str = "fn on_prompt(ev) { modify(#{text: ev.text + \"!\"}) }\n";

fn env_with(replies: usize) -> (TestEnv, Player) {
    let server = serve((0..replies).map(|_| Reply::text("Fine.\n")));
    let mut env = TestEnv::new();
    env.set_endpoint(server.url());
    (env, server)
}

fn workspace(env: &TestEnv) -> String {
    env.workspace().to_str().unwrap().to_owned()
}

/// What the model is asked when the user says `hello`, and what stands on stderr.
fn said(env: &TestEnv, server: &Player) -> (String, String) {
    let output = env.run(["-w", &workspace(env), "hello"]);
    output.assert_code(0);
    let request = server.requests().pop().unwrap();
    (request["messages"][1]["content"].as_str().unwrap().to_owned(), output.stderr)
}

fn trust(env: &TestEnv, more: &[&str]) -> Output {
    env.run([&["scripts", "trust", "-w", &workspace(env)], more].concat())
}

#[test]
fn without_a_terminal_only_what_was_trusted_counts_and_a_change_ends_that() {
    let (env, server) = env_with(6);
    env.write("workspace/.faos/scripts/40-shout.rhai", SHOUT);
    let (asked, told) = said(&env, &server);
    assert_eq!(asked, "hello");
    assert!(
        env.redact(&told).contains("warning: `[temp]/workspace/.faos` holds scripts, prompts or settings"),
        "{told}"
    );

    let output = trust(&env, &[]);
    output.assert_code(0);
    insta::assert_snapshot!(env.redact(&output.stdout), @r"
    `[temp]/workspace/.faos` brings its own:
      new        scripts/40-shout.rhai  (1 line)
    trusted as it is now; when it changes you are asked again
    ");
    let (asked, told) = said(&env, &server);
    assert_eq!((asked.as_str(), told.contains("warning")), ("hello!", false), "{told}");
    assert_eq!(trust(&env, &[]).stdout, "it is trusted as it is\n");

    env.write("workspace/.faos/scripts/40-shout.rhai", SHOUT.replace('!', "?"));
    env.write("workspace/.faos/prompts/repair.md", "{{ feedback }}\n");
    let (asked, told) = said(&env, &server);
    assert_eq!(asked, "hello");
    assert!(told.contains("has changed since you trusted it"), "{told}");
    let list = env.run(["scripts", "-w", &workspace(&env)]);
    assert!(!list.stdout.contains("project: ") && list.stderr.contains("has changed"), "{}", list.stderr);

    let output = trust(&env, &[]);
    output.assert_code(0);
    insta::assert_snapshot!(env.redact(&output.stdout), @r#"
    `[temp]/workspace/.faos` brings its own:
      new        prompts/repair.md  (1 line)
      changed    scripts/40-shout.rhai
        --- trusted/scripts/40-shout.rhai
        +++ now/scripts/40-shout.rhai
        @@ -1 +1 @@
        -fn on_prompt(ev) { modify(#{text: ev.text + "!"}) }
        +fn on_prompt(ev) { modify(#{text: ev.text + "?"}) }
    trusted as it is now; when it changes you are asked again
    "#);
    assert_eq!(said(&env, &server).0, "hello?");

    assert_eq!(trust(&env, &["--revoke"]).stdout, "it is left out from now on\n");
    assert_eq!(said(&env, &server).0, "hello");
    // This once, whatever it is.
    env.run(["-w", &workspace(&env), "--trust-scripts", "hello"]).assert_code(0);
    assert_eq!(server.requests().pop().unwrap()["messages"][1]["content"], "hello?");
}

#[test]
fn at_a_terminal_it_is_asked_about_and_asked_again_after_a_change() {
    let (env, server) = env_with(3);
    env.write("faos/state/trust.json", json!({"workspaces": [env.workspace()]}).to_string());
    env.write("workspace/.faos/scripts/40-shout.rhai", SHOUT);
    let changed = SHOUT.replace('!', "?");
    for (before, shown, answer, want) in [
        (None, "new        scripts/40-shout.rhai", Some("n\r"), "hello"),
        (None, "new        scripts/40-shout.rhai", Some("y\r"), "hello!"),
        (None, "", None, "hello!"),
        (Some(&changed), "+fn on_prompt", Some("\r"), "hello"),
    ] {
        if let Some(text) = before {
            env.write("workspace/.faos/scripts/40-shout.rhai", text);
        }
        let mut terminal = env.at_terminal_of((100, 30), ["-w", &workspace(&env)]);
        if let Some(answer) = answer {
            terminal.wait_for_text("Use them? [y/N]");
            assert!(terminal.text().contains(shown), "{}", terminal.text());
            terminal.send(answer);
        }
        terminal.wait_for("a prompt", |screen| screen.cursor_row == "›");
        if answer != Some("y\r") {
            terminal.send("hello\r");
            terminal.wait_for_text("Fine.");
            terminal.wait_for("a prompt", |screen| screen.cursor_row == "›");
            assert_eq!(server.requests().pop().unwrap()["messages"][1]["content"], want);
        }
        terminal.send("\x04");
        terminal.assert_end(0);
    }
}

#[test]
fn a_damaged_store_trusts_nothing() {
    let (env, server) = env_with(1);
    env.write("workspace/.faos/scripts/40-shout.rhai", SHOUT);
    env.write("faos/state/trust.json", "{\"projects\": 7");
    let (asked, told) = said(&env, &server);
    assert_eq!(asked, "hello");
    assert!(told.contains("trust.json` cannot be read") && told.contains("left out"), "{told}");
    let output = trust(&env, &[]);
    output.assert_code(2);
    assert!(output.stderr.contains("hint: mend it, or remove it"), "{}", output.stderr);
    assert_eq!(env.read("faos/state/trust.json"), "{\"projects\": 7");
}

/// What was trusted can be lost or forged below the state folder: then a change is told without its difference.
#[test]
fn a_kept_text_counts_only_as_what_it_was() {
    let (env, _server) = env_with(0);
    env.write("workspace/.faos/scripts/40-shout.rhai", SHOUT);
    trust(&env, &[]).assert_code(0);
    for entry in fs::read_dir(env.faos_home().join("state/trusted")).unwrap() {
        fs::write(entry.unwrap().path(), "fn on_prompt(ev) { }\n").unwrap();
    }
    env.write("workspace/.faos/scripts/40-shout.rhai", "fn on_prompt(ev) { () }\n");
    let output = trust(&env, &[]);
    assert!(output.stdout.contains("(the text that you trusted is not there any more)"), "{}", output.stdout);
}

#[test]
fn a_link_is_never_followed() {
    for (link, target) in [
        ("workspace/.faos/prompts/system.md", "home/secret"),
        ("workspace/.faos/scripts", "elsewhere"),
        ("workspace/.faos", "elsewhere"),
    ] {
        let (env, server) = env_with(1);
        env.write("home/secret", "{{ map }} the user's own secret");
        env.write("elsewhere/40-shout.rhai", SHOUT);
        env.write("elsewhere/scripts/40-shout.rhai", SHOUT);
        let link = env.root().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(env.root().join(target), &link).unwrap();
        let (asked, told) = said(&env, &server);
        assert_eq!(asked, "hello");
        assert!(told.contains("is a link") && told.contains("left out"), "{told}");
        let request = server.requests().pop().unwrap();
        assert!(!request.to_string().contains("the user's own secret"));
        trust(&env, &[]).assert_code(2);
    }
}

/// A copied session brings its workspace and the scripts in it; who trusted them elsewhere is not who works here.
#[test]
fn a_session_from_elsewhere_brings_no_trust() {
    let (env, server) = env_with(3);
    env.run(["-p", "hello"]).assert_code(0);
    let session = env.session();
    let own = session.path().join("workspace");
    fs::create_dir_all(own.join(".faos/scripts")).unwrap();
    fs::write(own.join(".faos/scripts/40-shout.rhai"), SHOUT).unwrap();
    env.run(["scripts", "trust", "-w", own.to_str().unwrap()]).assert_code(0);
    env.run(["resume", session.id(), "-p", "again"]).assert_code(0);
    assert!(server.requests()[1].to_string().contains("again!"));

    let (mut there, id) = (TestEnv::new(), session.id().to_owned());
    there.set_endpoint(server.url());
    let sessions = there.faos_home().join("sessions");
    fs::create_dir_all(&sessions).unwrap();
    let copied = env.command("cp").args(["-a", session.path().to_str().unwrap(), sessions.to_str().unwrap()]).status();
    assert!(copied.unwrap().success());
    let output = there.run(["resume", &id, "-p", "once more"]);
    output.assert_code(0);
    assert!(output.stderr.contains("you have not trusted"), "{}", output.stderr);
    assert!(!server.requests()[2].to_string().contains("once more!"));
    assert_eq!(SessionFolder::at(sessions.join(id)).records_of("user_message").len(), 3);
}

#[test]
fn a_projects_settings_tighten_what_the_user_has_set_and_nothing_else() {
    let (env, _server) = env_with(1);
    env.write("workspace/.faos/config.toml", "[sandbox.limits]\nwall_s = 3\n");
    trust(&env, &[]).assert_code(0);
    env.run(["-w", &workspace(&env), "hello"]).assert_code(0);
    let started = &env.session().records_of("session_started")[0];
    assert!(started["system_prompt"].as_str().unwrap().contains("at most 3.0 seconds"), "{started}");

    env.write("workspace/.faos/config.toml", "[model]\nendpoint = \"http://127.0.0.1:1\"\n");
    trust(&env, &[]).assert_code(0);
    let output = env.run(["-w", &workspace(&env), "hello"]);
    output.assert_code(2);
    assert!(output.stderr.contains("a project cannot set `model.endpoint`"), "{}", output.stderr);
}
