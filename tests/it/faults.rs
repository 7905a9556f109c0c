//! Every way in which a server fails, seen from outside, headless and at a terminal: exit code, words, what the session
//! keeps as the outcome, and at the terminal a prompt that is open again.
//!
//! Where a limit has to be reached it is set in the settings file, as a user would; nothing that is right would reach it.

use faos::playback::{Gate, Player, Reply, Step};

use crate::support::env::TestEnv;
use crate::support::fault_server::{Fault, refused, serve_fault};
use crate::support::model_server::{bytes, serve};
use crate::support::process::Output;
use crate::support::terminal::Screen;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

fn frame(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// What is asked of the program, and how it ends.
struct Case<'a> {
    /// Of the snapshot.
    name: &'a str,
    code: i32,
    /// Below `[model.limits]`.
    limits: &'a str,
}

impl Case<'_> {
    fn env(&self, url: &str) -> TestEnv {
        let mut env = TestEnv::new();
        env.write("faos/config.toml", format!("[model.limits]\n{}\n", self.limits));
        env.set_endpoint(url);
        env
    }

    /// Exit code, standard output and standard error of one request; gives the last two, and the outcome.
    #[track_caller]
    fn headless(&self, url: &str) -> (Output, Option<String>) {
        let env = self.env(url);
        let output = env.run(["hello"]);
        output.assert_code(self.code);
        let shown = format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, folded(&output.stdout), output.stderr);
        insta::assert_snapshot!(self.name, env.redact(&shown));
        (output, outcome(&env))
    }

    /// The same at a terminal: it says the same, keeps the same, and the prompt is open again.
    #[track_caller]
    fn at_terminal(&self, url: &str, said: &[String], kept: Option<&str>) {
        let env = self.env(url);
        let workspace = env.workspace();
        let mut terminal = env.at_terminal_of((200, 24), ["-w", workspace.to_str().unwrap()]);
        let found = if kept.is_some() { "OpenAI-compatible at" } else { "it is looked for again" };
        terminal.wait_for("a prompt, and the search's end", |screen| {
            screen.cursor_row == "›" && screen.text.contains(found)
        });
        terminal.send("hello\r");
        for line in said {
            terminal.wait_for_text(line);
        }
        // What could not be sent stands there again.
        let rest = if kept.is_some() { "›" } else { "› hello" };
        terminal.wait_for("the next prompt", |screen: &Screen| screen.cursor_row == rest);
        terminal.send("\x15/quit\r");
        terminal.assert_end(0);
        assert_eq!(outcome(&env).as_deref(), kept);
    }

    /// In both, each with a server of its own, which is there as long as what is returned beside its URL.
    #[track_caller]
    fn check<T>(&self, serve: impl Fn() -> (T, String)) -> Output {
        let (_server, url) = serve();
        let (output, kept) = self.headless(&url);
        let said = told(&output, &url);
        assert!(!said.is_empty(), "{}", output.stderr);
        let (_server, url) = serve();
        let said: Vec<String> = said.iter().map(|line| line.replace("URL", &url)).collect();
        self.at_terminal(&url, &said, kept.as_deref());
        output
    }

    #[track_caller]
    fn replies(&self, replies: impl IntoIterator<Item = Reply>) {
        let replies: Vec<Reply> = replies.into_iter().collect();
        self.check(|| {
            let server = serve(replies.clone());
            let url = server.url().to_owned();
            (server, url)
        });
    }
}

/// Where a line comes again and again, its beginning and how often it came.
fn folded(text: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let fold = |run: &[&str]| match run {
        [line, ..] if run.len() >= 100 => format!("{} times {}\n", run.len(), &line[..line.len().min(40)]),
        few => few.concat(),
    };
    lines.chunk_by(|one, next| one == next).map(fold).collect()
}

/// The last verdict that the session keeps; `None` where nothing was sent, and nothing is kept.
fn outcome(env: &TestEnv) -> Option<String> {
    let finished = env.sessions().pop()?.records_of("turn_finished").pop()?;
    Some(finished["verdict"].as_str().unwrap().to_owned())
}

/// What the user was told of the fault, or else the reply's last line.
fn told(output: &Output, url: &str) -> Vec<String> {
    let lines = |text: &str| text.lines().map(|line| line.replace(url, "URL")).collect::<Vec<_>>();
    let errors: Vec<_> = lines(&output.stderr).into_iter().filter(|line| line.starts_with("error: ")).collect();
    if errors.is_empty() { lines(output.stdout.trim()).pop().into_iter().collect() } else { errors }
}

#[track_caller]
fn replies(name: &str, code: i32, replies: impl IntoIterator<Item = Reply>) {
    Case { name, code, limits: "" }.replies(replies);
}

#[track_caller]
fn raw(name: &str, code: i32, fault: &Fault) -> Output {
    Case { name, code, limits: "" }.check(|| ((), serve_fault(fault.clone())))
}

fn again(reply: &Reply, times: usize) -> Vec<Reply> {
    vec![reply.clone(); times]
}

#[test]
fn closed_after_50_tokens() {
    let mut steps: Vec<Step> = (0..50).map(|at| Step::Text(format!("word{at} "))).collect();
    steps.push(Step::Break);
    replies("closed_after_50_tokens", 0, [Reply::stream(steps), Reply::text("and the rest.\n")]);
}

#[test]
fn reset_in_the_middle() {
    raw("reset_in_the_middle", 4, &Fault::Reset(format!("{HEAD}{}", frame("a ")).into_bytes()));
}

#[test]
fn reset_before_the_answer() {
    raw("reset_before_the_answer", 4, &Fault::Reset(Vec::new()));
}

#[test]
fn stalled_before_the_stream() {
    let case = Case { name: "stalled_before_the_stream", code: 4, limits: "first_token_s = 0.2" };
    case.replies([Reply::stream(vec![Step::Wait(Gate::default())])]);
}

#[test]
fn stalled_in_the_stream() {
    let case = Case { name: "stalled_in_the_stream", code: 0, limits: "between_s = 0.2" };
    let stalls = Reply::stream(vec![Step::Text("a\n".into()), Step::Wait(Gate::default())]);
    // The rest comes in one piece: there is no silence between its parts.
    case.replies([stalls, bytes(format!("{}{FINISH}", frame("b\\n")))]);
}

#[test]
fn busy_twice() {
    let busy = Reply::json(503, r#"{"error":"server busy, please try again."}"#);
    replies("busy_twice", 0, [busy.clone(), busy, Reply::text("at last\n")]);
}

#[test]
fn busy_always() {
    replies("busy_always", 4, again(&Reply::json(503, r#"{"error":"server busy, please try again."}"#), 5));
}

#[test]
fn loading_always() {
    // Shorter than the first wait, so that there is exactly one.
    let case = Case { name: "loading_always", code: 4, limits: "loading_s = 0.2" };
    case.replies(again(&Reply::json(503, r#"{"error":{"message":"Loading model","code":503}}"#), 9));
}

fn overload() -> Reply {
    Reply::json(429, r#"{"error":"Model is overloaded","error_type":"overloaded"}"#)
}

#[test]
fn overloaded_twice() {
    replies("overloaded_twice", 0, [overload(), overload(), Reply::text("ok\n")]);
}

#[test]
fn overloaded_always() {
    replies("overloaded_always", 4, again(&overload(), 5));
}

#[test]
fn overloaded_for_a_moment() {
    replies("overloaded_for_a_moment", 0, [overload().header("Retry-After", "0"), Reply::text("ok\n")]);
}

#[test]
fn overloaded_for_an_hour() {
    replies("overloaded_for_an_hour", 4, [Reply::json(429, "{}").header("Retry-After", "3600"), Reply::text("never")]);
}

#[test]
fn bad_request() {
    replies("bad_request", 4, [Reply::json(400, r#"{"error":{"message":"no such field"}}"#), Reply::text("never")]);
}

#[test]
fn server_error() {
    let broken = Reply::json(500, r#"{"error":{"message":"Failed to parse tool call arguments as JSON"}}"#);
    replies("server_error", 4, [broken, Reply::text("never")]);
}

#[test]
fn malformed_json() {
    replies("malformed_json", 4, [bytes("data: {\"choices\": [}\n\n"), Reply::text("never")]);
}

#[test]
fn an_error_frame() {
    let frame = "data: {\"error\":{\"message\":\"CUDA out of memory\",\"code\":500}}\n\n";
    replies("an_error_frame", 4, [bytes(frame), Reply::text("never")]);
}

#[test]
fn split_characters() {
    let body = format!("{}{FINISH}", frame("grün 👍\\n"));
    let steps = body.as_bytes().iter().map(|byte| Step::Bytes(vec![*byte])).collect();
    replies("split_characters", 0, [Reply::stream(steps)]);
}

#[test]
fn nobody_there() {
    Case { name: "nobody_there", code: 4, limits: "" }.check(|| ((), refused()));
}

#[test]
fn wrong_content_type() {
    let body = format!("{}{FINISH}", frame("a\\n"));
    let reply = Reply { headers: vec![("Content-Type".into(), "text/plain".into())], ..bytes(body) };
    replies("wrong_content_type", 0, [reply]);
}

#[test]
fn a_page_for_browsers() {
    let page = "<!DOCTYPE html><html><body>Sign in</body></html>";
    let reply = Reply { headers: vec![("Content-Type".into(), "text/html".into())], ..bytes(page) };
    replies("a_page_for_browsers", 4, [reply]);
}

#[test]
fn compressed() {
    let reply = bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00".as_slice()).header("Content-Encoding", "gzip");
    replies("compressed", 4, [reply]);
}

#[test]
fn redirected() {
    replies("redirected", 4, [Reply::json(307, "").header("Location", "http://192.0.2.1/v1/chat/completions")]);
}

#[test]
fn endless_headers() {
    let headers = format!("HTTP/1.1 200 OK\r\n{}", "X-More: and more\r\n".repeat(100_000));
    raw("endless_headers", 4, &Fault::Bytes(headers.into_bytes()));
}

#[test]
fn an_endless_stream() {
    let more = frame(&format!("{}\\n", "again and ".repeat(6400))).into_bytes();
    let output = raw("an_endless_stream", 4, &Fault::Endless(HEAD.as_bytes().to_vec(), more));
    assert!(output.stdout.len() >= 15 << 20, "{} bytes were kept", output.stdout.len());
}

#[test]
fn no_http_at_all() {
    raw("no_http_at_all", 4, &Fault::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()));
}

#[test]
fn a_tls_port() {
    // The alert with which such a port answers what is no handshake.
    raw("a_tls_port", 4, &Fault::Everywhere(vec![0x15, 3, 3, 0, 2, 2, 70]));
}

/// The key of the settings is for the settings' endpoint: it is sent there, and is nowhere to be seen afterwards.
#[test]
fn a_key_goes_to_its_endpoint_alone() {
    let (theirs, other) =
        ([Reply::text("Fine.\n"), Reply::text("Fine.\n")], [Reply::text("Fine.\n"), Reply::text("Fine.\n")]);
    let (theirs, other) = (serve(theirs), serve(other));
    let mut env = TestEnv::new();
    let key = |server: &Player| server.seen().requests.last().unwrap().header("authorization").map(str::to_owned);
    let settings = |line: &str| format!("[model]\nendpoint = \"{}\"\n{line}\n", theirs.url());
    env.write("faos/keys/theirs", "sk-secret-file\n");
    env.write("faos/config.toml", settings("api_key_file = \"keys/theirs\""));
    env.run(["hello"]).assert_code(0);
    assert_eq!(key(&theirs).as_deref(), Some("Bearer sk-secret-file"));
    env.run(["--endpoint", other.url(), "hello"]).assert_code(0);
    assert_eq!(key(&other), None);

    env.write("faos/config.toml", settings("api_key_env = \"THEIR_KEY\""));
    env.set("THEIR_KEY", "sk-secret-env");
    env.run(["hello"]).assert_code(0);
    assert_eq!(key(&theirs).as_deref(), Some("Bearer sk-secret-env"));
    for session in env.sessions() {
        let kept = format!("{}{:?}", session.identity(), session.records());
        assert!(!kept.contains("sk-secret"), "{kept}");
    }

    // What cannot be read is told by whoever asks a server, and by nobody else.
    env.write("faos/config.toml", settings("api_key_file = \"keys/none\""));
    for arguments in [["hello"].as_slice(), &["models"], &["doctor"]] {
        let output = env.run(arguments);
        output.assert_code(2);
        assert!(output.stderr.contains("keys/none"), "{}", output.stderr);
    }
    for arguments in [
        ["sessions"].as_slice(),
        &["config"],
        &["prompts"],
        &["scripts"],
        &["eject"],
        &["replay", env.sessions()[0].id()],
        &["--endpoint", other.url(), "hello"],
        &["demo", "--no-run", "--no-scripts"],
    ] {
        let output = env.run(arguments);
        assert!(!output.stderr.contains("keys/none"), "{arguments:?}: {}", output.stderr);
    }
}
