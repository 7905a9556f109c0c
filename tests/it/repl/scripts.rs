//! Scripts at the keyboard: commands that they add, switching them, and a changed file that counts at once.

use faos::playback::Reply;

use super::Chat;
use crate::support::env::TestEnv;

const TODO: &str = r#"
fn commands() { #{todo: "what is left to do", plan: "ask for a plan"} }
fn on_command(ev) {
    if ev.command == "plan" { return #{text: `Make a plan: ${ev.text}`}; }
    if "items" !in this { this.items = []; }
    if ev.text != "" { this.items.push(ev.text); }
    handled(`to do: ${this.items}`)
}
"#;

#[test]
fn commands_of_scripts_are_typed_completed_and_listed() {
    let env = TestEnv::new();
    env.write("faos/scripts/40-todo.rhai", TODO);
    let mut chat = Chat::begin(env, (80, 40), &[], [Reply::text("First this.\n")]);
    chat.say("/todo buy milk");
    chat.terminal.wait_for_text("to do: [\"buy milk\"]");
    chat.wait_for_prompt();
    chat.terminal.send("/tod\t");
    chat.terminal.wait_for("the completed command", |screen| screen.text.ends_with("/todo"));
    chat.terminal.send("\r");
    chat.wait_for_prompt();
    chat.say("/help");
    chat.terminal.wait_for_text("what is left to do (a script's)");
    chat.wait_for_prompt();
    chat.say("/plan the shop");
    chat.terminal.wait_for_text("First this.");
    chat.wait_for_prompt();
    let request = &chat.server.requests()[0];
    assert_eq!(request["messages"][1]["content"], "Make a plan: the shop");
    let state = chat.env.session().records_of("script_state");
    assert_eq!(state[0]["state"]["items"][0], "buy milk");
    chat.quit();
}

/// What goes with a message, and what a reply took.
#[test]
fn a_script_sees_the_files_of_a_message_and_the_cost_of_a_reply() {
    let env = TestEnv::new();
    env.write(
        "faos/scripts/40-see.rhai",
        r#"
fn on_prompt(ev) { log_info(`files ${ev.files} from ${ev.source}`); }
fn on_reply(ev) { log_info(`usage ${ev.usage.requests} ${ev.usage.prompt_tokens} ${ev.usage.completion_tokens}`); }
"#,
    );
    let mut chat = Chat::begin(env, (100, 60), &[], ["Fine.\n", "Fine.\n"].map(Reply::text));
    chat.env.write("workspace/notes/a b.txt", "one\n");
    chat.env.write("workspace/c.txt", "two\n");
    chat.ask("look at @\"notes/a b.txt\", @c.txt:1-1 and @none.txt");
    chat.assert_shown("files [\"notes/a b.txt\", \"c.txt:1-1\"] from keyboard");
    let finished = &chat.env.session().records_of("reply_finished")[0]["usage"];
    let (prompt, completion) =
        (finished["prompt_tokens"].as_u64().unwrap(), finished["completion_tokens"].as_u64().unwrap());
    assert!(prompt > 0 && completion > 0, "{finished}");
    chat.assert_shown(&format!("usage 1 {prompt} {completion}"));
    chat.ask("and without any");
    chat.assert_shown("files [] from keyboard");
    chat.quit();
}

#[test]
fn a_script_is_switched_off_and_on_and_stays_so_with_the_session() {
    let env = TestEnv::new();
    env.write("faos/scripts/40-shout.rhai", "fn on_prompt(ev) { modify(#{text: ev.text + \"!\"}) }");
    let replies = ["One.\n", "Two.\n", "Three.\n", "Four.\n"];
    let mut chat = Chat::begin(env, (100, 60), &[], replies.map(Reply::text));
    let said = |chat: &Chat, at: usize| {
        let request = &chat.server.requests()[at];
        request["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned()
    };
    for (before, line, want) in [
        ("", "a", "a!"),
        ("/scripts off 40-shout", "b", "b"),
        ("/scripts on 40-shout.rhai", "c", "c!"),
        ("/scripts off user/40-shout", "d", "d"),
    ] {
        let at = chat.server.requests().len();
        if !before.is_empty() {
            chat.say(before);
            chat.wait_for_prompt();
        }
        chat.say(line);
        chat.terminal.wait_for_text(["One.", "Two.", "Three.", "Four."][at]);
        chat.wait_for_prompt();
        assert_eq!(said(&chat, at), want);
    }
    chat.say("/scripts");
    chat.terminal.wait_for_text("40-shout.rhai  off");
    let text = chat.terminal.text();
    let row = text.lines().rev().find(|line| line.contains("on_prompt")).unwrap();
    assert!(row.contains("2 calls") && row.contains(" ms   last: changed"), "{row}");
    chat.wait_for_prompt();
    chat.say("/scripts off nothing");
    chat.terminal.wait_for_text("there is no script `nothing`");
    chat.wait_for_prompt();
    chat.terminal.send("/quit\r");
    chat.terminal.assert_end(0);
    chat.resume_last();
    chat.say("/scripts");
    chat.terminal.wait_for_text("40-shout.rhai  off");
    chat.wait_for_prompt();
    chat.quit();
}

/// A changed file counts from the next message on; one that is broken changes nothing.
#[test]
fn a_changed_script_counts_at_the_next_message() {
    let env = TestEnv::new();
    env.write("faos/scripts/40-x.rhai", "fn on_prompt(ev) { modify(#{text: \"one\"}) }");
    let replies = ["First.\n", "Second.\n", "Third.\n"];
    let mut chat = Chat::begin(env, (100, 40), &[], replies.map(Reply::text));
    for (script, came, said, reply) in [
        ("fn on_prompt(ev) { modify(#{text: \"two\"}) }", "scripts have changed", "two", "First."),
        ("fn on_prompt(ev) {", "all scripts stay as they were", "two", "Second."),
        ("fn on_prompt(ev) { modify(#{text: \"three\"}) }", "scripts have changed", "three", "Third."),
    ] {
        let at = chat.server.requests().len();
        chat.env.write("faos/scripts/40-x.rhai", script);
        chat.say("go");
        chat.terminal.wait_for_text(reply);
        chat.terminal.wait_for_text(came);
        chat.wait_for_prompt();
        let request = &chat.server.requests()[at];
        assert_eq!(request["messages"].as_array().unwrap().last().unwrap()["content"], said);
    }
    chat.say("/scripts reload");
    chat.terminal.wait_for_text("the scripts in use are as they were");
    chat.wait_for_prompt();
    chat.quit();
}

#[test]
fn no_script_can_take_a_command_of_our_own() {
    for command in faos::frontend::slash::COMMANDS {
        assert!(faos::scripting::is_taken(command.name), "/{}", command.name);
    }
}

/// A set of prompts counts for the session, whoever goes on with it, and one that is not there changes nothing.
#[test]
fn a_set_of_prompts_is_used_for_a_session() {
    let env = TestEnv::new();
    env.write("faos/prompts/terse/system.md", "Be terse.\n");
    env.write("faos/prompts/broken/system.md", "{{ nothing }}\n");
    let mut chat = Chat::begin(env, (100, 40), &[], ["One.\n", "Two.\n"].map(Reply::text));
    for (line, told) in [
        ("/prompts use verbose", "there is no set of prompts `verbose` (there are: broken, terse)"),
        ("/prompts use ../terse", "there is no set of prompts `../terse`"),
        ("/prompts use broken", "undefined variable: `nothing`"),
        ("/prompts use terse", "the prompts of `terse` count in this session"),
    ] {
        chat.say(line);
        chat.terminal.wait_for(told, |screen| screen.text.replace('\n', " ").contains(told));
        chat.wait_for_prompt();
    }
    chat.say("hello");
    chat.terminal.wait_for_text("One.");
    chat.wait_for_prompt();
    assert_eq!(chat.server.requests()[0]["messages"][0]["content"], "Be terse.");
    chat.terminal.send("/quit\r");
    chat.terminal.assert_end(0);
    chat.resume_last();
    chat.say("/prompts");
    chat.terminal.wait_for_text("prompts/terse/system.md");
    chat.wait_for_prompt();
    chat.say("/prompts use");
    chat.terminal.wait_for_text("the usual prompts count from now on; the system prompt stays as it was");
    chat.wait_for_prompt();
    chat.quit();
}
