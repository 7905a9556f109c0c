//! The conversation at a terminal, as a person sees it: what is typed, what is on the screen, what the server was sent,
//! what is on disk. Each file below is one part of it; what they share is [`Chat`].

use std::time::Duration;

use faos::playback::{Player, Reply};
use serde_json::Value;

use crate::support::env::TestEnv;
use crate::support::model_server::serve;
use crate::support::terminal::{Screen, Terminal};

mod back;
mod commands;
mod editor;
mod guide;
mod hostile;
mod leaving;
mod plain;
mod prompt;
mod questions;
mod recorded;
mod saved;
mod screen;
mod scripts;
mod signals;
mod streaming;
mod theme;

/// `faos` at a terminal with a scripted server, working in `workspace`.
struct Chat {
    env: TestEnv,
    server: Player,
    terminal: Terminal,
}

const USUAL: (u16, u16) = (80, 24);
const PATIENCE: Duration = Duration::from_secs(20);

impl Chat {
    /// Connected, and at its first prompt.
    #[track_caller]
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::of_size(USUAL, replies)
    }

    #[track_caller]
    fn of_size(size: (u16, u16), replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::begin(TestEnv::new(), size, &[], replies)
    }

    #[track_caller]
    fn begin(mut env: TestEnv, size: (u16, u16), options: &[&str], replies: impl IntoIterator<Item = Reply>) -> Self {
        let server = serve(replies);
        env.set_endpoint(server.url());
        let workspace = env.workspace().to_str().unwrap().to_owned();
        let arguments: Vec<&str> = ["-w", &workspace].into_iter().chain(options.iter().copied()).collect();
        let mut terminal = env.at_terminal_of(size, arguments);
        terminal.wait_for("the server", |screen| screen.text.replace('\n', " ").contains("window 32768"));
        let mut chat = Self { env, server, terminal };
        chat.wait_for_prompt();
        chat
    }

    /// The newest session again, at a new terminal.
    #[track_caller]
    fn resume_last(&mut self) {
        self.terminal = self.env.at_terminal(["resume", "--last"]);
        self.wait_for_prompt();
    }

    /// Types a line at the open prompt, and Enter once it stands there.
    #[track_caller]
    fn say(&mut self, line: &str) {
        // The prompt wraps by itself, with rows that end.
        let stands_there = |screen: &Screen| screen.typed.replace('\n', "").ends_with(line.trim_end());
        self.terminal.send(line);
        self.terminal.wait_for(&format!("{line:?} at the prompt"), stands_there);
        self.terminal.send("\r");
        self.terminal.wait_for(&format!("the end of {line:?}"), |screen| !stands_there(screen) || screen.cursor.1 == 0);
    }

    /// Says a line, and waits for the next prompt.
    #[track_caller]
    fn ask(&mut self, line: &str) {
        self.say(line);
        self.wait_for_prompt();
    }

    /// Until an empty prompt is open.
    #[track_caller]
    fn wait_for_prompt(&mut self) {
        self.terminal.wait_for("an open prompt", |screen| screen.cursor_row == "›");
    }

    /// Until a prompt is open that holds this.
    #[track_caller]
    fn wait_for_prompt_with(&mut self, line: &str) {
        self.terminal
            .wait_for(&format!("a prompt with {line:?}"), |screen| screen.typed.ends_with(&format!("\n› {line}")));
    }

    #[track_caller]
    fn assert_shown(&mut self, text: &str) {
        let shown = self.terminal.text();
        assert!(shown.contains(text), "{text:?} is not on the screen:\n{shown}");
    }

    /// Below the last line that was this one.
    #[track_caller]
    fn assert_answered(&mut self, line: &str, text: &str) {
        let shown = self.terminal.text();
        let answer = &shown[shown.rfind(&format!("› {line}\n")).unwrap()..];
        assert!(answer.contains(text), "{text:?} is not below {line:?}:\n{shown}");
    }

    #[track_caller]
    fn quit(mut self) {
        self.terminal.send("/quit\r");
        self.terminal.assert_end(0);
    }

    /// What was said in the last request, by whom and what.
    fn last_messages(&self) -> Vec<(String, String)> {
        let requests = self.server.requests();
        let messages = requests.last().unwrap()["messages"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        messages.iter().map(|message| (text(&message["role"]), text(&message["content"]))).collect()
    }

    /// The last message of the last request: what the model was asked.
    fn asked(&self) -> String {
        self.last_messages().pop().unwrap().1
    }
}
