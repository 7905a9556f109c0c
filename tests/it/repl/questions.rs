//! A script's question is asked where somebody sits, and nowhere else.

use faos::playback::Reply;

use super::Chat;
use crate::support::env::TestEnv;

const ASKS: &str = r#"
fn on_run(ev) {
    if ask_user("run it?") { allow() } else { deny("not wanted") }
}
"#;

fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("faos/scripts/70-ask.rhai", ASKS);
    env
}

#[test]
fn a_yes_lets_it_run_and_any_other_key_does_not() {
    let mut chat = Chat::begin(env(), (80, 24), &[], [Reply::text("Fine.\n")]);
    for (key, came) in [("y", "  | it ran"), ("n", "not run: not wanted"), ("\x1b", "not run: not wanted")] {
        chat.say("!echo it ran");
        chat.terminal.wait_for_text("a script asks: run it? [y/N]");
        chat.terminal.send(key);
        chat.terminal.wait_for_text(came);
        chat.wait_for_prompt();
        chat.terminal.send("\x0c");
    }
    chat.quit();
}

#[test]
fn ctrl_c_is_a_no_and_stops_what_asked() {
    let mut chat = Chat::begin(env(), (80, 24), &[], [Reply::text("```run\necho it ran\n```\n")]);
    chat.say("run it");
    chat.terminal.wait_for_text("a script asks: run it? [y/N]");
    chat.terminal.send("\x03");
    chat.terminal.wait_for_text("interrupted");
    chat.wait_for_prompt();
    assert_eq!(chat.env.session().records_of("run_started").len(), 0);
    chat.quit();
}

/// What is installed with the network is there for a run without it. The package index is a file: nothing is fetched.
#[test]
fn a_command_is_run_with_the_network_after_a_yes_and_later_runs_see_what_it_fetched() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reach = format!("(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo reached || echo held");
    let fetch = format!(
        "{reach}; mkdir -p $(python3 -m site --user-site) && echo 'WORD = 42' > $(python3 -m site --user-site)/fetched.py"
    );
    let mut chat = Chat::begin(TestEnv::new(), (300, 24), &[], [Reply::text("Fine.\n")]);
    for (key, came) in [("n", "not run: it was not allowed"), ("y", "  | reached")] {
        chat.say(&format!("/install {fetch}"));
        chat.terminal.wait_for_text("once with the network? It may send what it reads [y/N]");
        chat.terminal.send(key);
        chat.terminal.wait_for_text(came);
        chat.wait_for_prompt();
    }
    assert_eq!(chat.env.session().report(1)["network"], "full");
    chat.say(&format!("!{reach}; python3 -c 'import fetched; print(fetched.WORD)'; : >> $(python3 -c 'import fetched; print(fetched.__file__)') || echo kept"));
    chat.terminal.wait_for_text("  | kept");
    chat.wait_for_prompt();
    let text = chat.terminal.text();
    assert!(text.contains("  | held") && text.contains("  | 42"), "{text}");
    assert_eq!(chat.env.session().report(2)["network"], "off");
    chat.quit();
}

#[test]
fn without_a_terminal_the_answer_is_no() {
    let mut env = env();
    let server = crate::support::model_server::serve(["```run\necho it ran\n```\n", "Then not.\n"].map(Reply::text));
    env.set_endpoint(server.url());
    let output = env.run(["run it"]);
    output.assert_code(0);
    assert!(output.stderr.contains("not wanted"), "{}", output.stderr);
    assert_eq!(env.session().records_of("run_started").len(), 0);
}
