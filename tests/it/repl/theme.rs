//! What the terminal says of its background, whenever it says it, and what is chosen for it.

use faos::playback::Reply;

use super::Chat;
use crate::support::env::TestEnv;
use crate::support::model_server::{held, serve};

const DARK: &str = "\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\";
const LIGHT: &str = "\x1b]11;rgb:ffff/ffff/ffff\x07";

/// The colour of code within prose on each ground.
const ON_DARK: &str = "\x1b[38;5;116m`code`";
const ON_LIGHT: &str = "\x1b[38;5;24m`code`";
const ON_ANY: &str = "\x1b[36m`code`";

fn raw(chat: &Chat) -> String {
    String::from_utf8_lossy(chat.terminal.raw()).into_owned()
}

#[test]
fn the_answer_chooses_the_colours_and_is_never_typed() {
    let mut chat = Chat::new(["Some `code`.\n", "More `code`.\n", "Last `code`.\n"].map(Reply::text));
    assert!(raw(&chat).starts_with("\x1b]11;?\x1b\\"), "it is asked first");
    chat.ask("before it answers");
    assert!(raw(&chat).contains(ON_ANY));
    // In the middle of a line that is typed.
    chat.terminal.send("aft");
    chat.wait_for_prompt_with("aft");
    chat.terminal.send(DARK);
    chat.terminal.send("er");
    chat.wait_for_prompt_with("after");
    chat.terminal.send("\r");
    chat.terminal.wait_for_text("More `code`.");
    chat.wait_for_prompt();
    assert_eq!(chat.asked(), "after");
    assert!(raw(&chat).contains(ON_DARK));
    chat.quit();
}

#[test]
fn it_may_come_while_the_model_writes() {
    let (reply, gate) = held(["Some words.\n", "And `code`.\n"]);
    let mut chat = Chat::new([reply]);
    chat.say("speak");
    chat.terminal.wait_for_text("Some words.");
    chat.terminal.send(LIGHT);
    chat.terminal.send("next");
    chat.terminal.wait_for_text("› next");
    gate.open();
    gate.open();
    chat.terminal.wait_for_text("And `code`.");
    chat.wait_for_prompt_with("next");
    assert!(raw(&chat).contains(ON_LIGHT), "{}", raw(&chat));
    chat.terminal.send("\x03");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn flag_and_settings_say_it_for_good() {
    for (settings, options, colour) in [
        ("", &["--theme", "dark"][..], ON_DARK),
        ("[frontend]\ntheme = \"light\"\n", &[], ON_LIGHT),
        ("[frontend]\ntheme = \"light\"\n", &["--theme", "dark"], ON_DARK),
    ] {
        let env = TestEnv::new();
        env.write("faos/config.toml", settings);
        let mut chat = Chat::begin(env, super::USUAL, options, [Reply::text("Some `code`.\n")]);
        chat.ask("go");
        let raw = raw(&chat);
        assert!(raw.contains(colour) && !raw.contains("\x1b]11;?"), "{options:?}: {raw}");
        chat.quit();
    }
}

#[test]
fn nobody_asks_where_no_colour_is_wanted_or_nobody_answers() {
    for (variables, options) in [
        (&[("NO_COLOR", "1")][..], &[][..]),
        (&[("TERM", "linux")], &[]),
        (&[("TERM", "vt220")], &[]),
        (&[], &["--plain"]),
        (&[], &["--color", "never"]),
    ] {
        let mut env = TestEnv::new();
        variables.iter().for_each(|(name, value)| env.set(name, value));
        let chat = Chat::begin(env, super::USUAL, options, []);
        assert!(!raw(&chat).contains("\x1b]11;?"), "{variables:?} {options:?}");
        chat.quit();
    }
}

#[test]
fn a_locale_that_is_not_utf8_gets_plain_signs() {
    let mut env = TestEnv::new();
    env.set("LC_ALL", "C");
    let server = serve([Reply::text("Here:\n\na.txt\n```\nx\n```\n")]);
    env.set_endpoint(server.url());
    let mut terminal = env.at_terminal(["-w", env.workspace().to_str().unwrap()]);
    terminal.wait_for("a prompt", |screen| screen.cursor_row == ">" && screen.text.contains("window"));
    terminal.send("go\r");
    terminal.wait_for("the next prompt", |screen| screen.cursor_row == ">" && screen.text.contains("files:"));
    let shown = terminal.text();
    assert!(shown.contains("a.txt > 1 line - /show unfolds it"), "{shown}");
    assert!(shown.is_ascii(), "{shown}");
    terminal.send("/quit\r");
    terminal.assert_end(0);
}
