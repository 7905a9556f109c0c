//! An edit that has failed twice, and how it is asked for then.

use faos::playback::{Player, Reply};
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::model_server::serve_with_pages;

const MISS: &str = "app.py\n```python\n<<<<<<< SEARCH\nline(999)\n=======\nline(5)  # changed\n>>>>>>> REPLACE\n```\n\n```run\ntrue\n```\n";
const MISS_AGAIN: &str =
    "app.py\n```python\n<<<<<<< SEARCH\nline(998)\n=======\nline(5)  # changed\n>>>>>>> REPLACE\n```\n";
const BY_LINES: &str = "{\"first_line\": 6, \"last_line\": 6, \"replacement\": \"line(5)  # changed\\n\"}";

fn server(owner: &str, replies: impl IntoIterator<Item = Reply>) -> Player {
    let list = json!({"object": "list", "data": [{"id": "m", "owned_by": owner, "max_model_len": 60_000}]});
    serve_with_pages(replies, [("/v1/models", Reply::json(200, &list.to_string()))])
}

fn run(server: &Player) -> (String, Vec<Value>) {
    run_on(&(0..40).map(|n| format!("line({n})\n")).collect::<String>(), server)
}

fn run_on(text: &str, server: &Player) -> (String, Vec<Value>) {
    let env = TestEnv::new();
    env.write("workspace/app.py", text);
    let workspace = env.workspace().to_str().unwrap().to_owned();
    env.run(["-w", &workspace, "--no-scripts", "-e", server.url(), "change line 5"]).assert_code(0);
    (env.read("workspace/app.py"), server.requests())
}

fn told(request: &Value) -> &str {
    request["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap()
}

#[test]
fn the_second_failed_edit_is_asked_for_by_line_numbers() {
    for owner in ["vllm", "sglang", "llamacpp"] {
        let replies = [MISS, MISS_AGAIN, BY_LINES, "Done.\n"].map(Reply::text);
        let (text, requests) = run(&server(owner, replies));
        assert!(text.contains("line(4)\nline(5)  # changed\nline(6)\n"), "{text}");
        assert_eq!(text.lines().count(), 40);
        assert!(requests[0].get("response_format").is_none() && requests[1].get("response_format").is_none());
        let schema = &requests[2]["response_format"]["json_schema"]["schema"]["properties"];
        assert_eq!(schema["first_line"], json!({"type": "integer", "minimum": 1, "maximum": 41}), "{owner}");
        let words = told(&requests[2]);
        assert!(words.contains("   6 | line(5)") && words.contains("by line numbers"), "{words}");
        assert!(requests[3].get("response_format").is_none());
        assert!(told(&requests[3]).contains("app.py: go on with what is still missing"), "{}", told(&requests[3]));
    }
}

#[test]
fn a_server_that_cannot_be_held_to_json_is_asked_as_ever() {
    let replies = [MISS, MISS_AGAIN, "app.py\n```python\nprint(5)\n```\n", "Done.\n"].map(Reply::text);
    let (text, requests) = run(&server("somebody", replies));
    assert_eq!(text, "print(5)\n");
    assert!(requests[2].get("response_format").is_none() && !told(&requests[2]).contains("by line numbers"));
}

#[test]
fn a_server_that_refuses_the_schema_is_asked_as_ever() {
    let refusal =
        json!({"error": {"message": "Grammar error: Invalid type: frob", "type": "BadRequestError", "code": 400}});
    let replies = [
        Reply::text(MISS),
        Reply::text(MISS_AGAIN),
        Reply::json(400, &refusal.to_string()),
        Reply::text("app.py\n```python\nprint(5)\n```\n"),
    ];
    let (text, requests) = run(&server("vllm", replies));
    assert_eq!(text, "print(5)\n");
    assert!(requests[3].get("response_format").is_none());

    // It was told to answer in JSON, and may do so.
    let replies =
        [Reply::text(MISS), Reply::text(MISS_AGAIN), Reply::json(400, &refusal.to_string()), Reply::text(BY_LINES)];
    let (text, _) = run(&server("vllm", replies.into_iter().chain([Reply::text("Done.\n")])));
    assert!(text.contains("line(5)  # changed"), "{text}");
}

#[test]
fn line_ends_and_the_end_of_the_file_stay() {
    let answer = |first: u32, last: u32| {
        format!("{{\"first_line\": {first}, \"last_line\": {last}, \"replacement\": \"new\\n\"}}")
    };
    for (before, answer, after) in [
        ("a\r\nb\r\nc\r\n", answer(2, 2), "a\r\nnew\r\nc\r\n"),
        ("\u{feff}a\nb\n", answer(1, 1), "\u{feff}new\nb\n"),
        ("a\nb", answer(3, 2), "a\nb\nnew\n"),
    ] {
        let replies = [MISS, MISS_AGAIN, &answer, "Done.\n"].map(Reply::text);
        assert_eq!(run_on(before, &server("vllm", replies)).0, after, "{before:?}");
    }
}

#[test]
fn a_file_that_fills_the_window_is_not_shown_for_it() {
    let long: String = (5_000..6_400).map(|n| format!("line({n}) # {}\n", "x".repeat(60))).collect();
    let replies = [MISS, MISS_AGAIN, "Never mind.\n"].map(Reply::text);
    let (text, requests) = run_on(&long, &server("vllm", replies));
    assert_eq!(text, long);
    assert!(requests[2].get("response_format").is_none());
}

/// Not every server keeps to what it was asked for.
#[test]
fn another_answer_counts_as_it_is() {
    for answer in ["app.py\n```python\nprint(5)\n```\n", "I would rather not.\n"] {
        let replies = [MISS, MISS_AGAIN, answer, "Done.\n"].map(Reply::text);
        let (text, _) = run(&server("vllm", replies));
        assert_eq!(text == "print(5)\n", answer.starts_with("app.py"), "{text}");
    }
}
