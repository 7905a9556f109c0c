//! The recorded model, asked with bare sockets: what the demo and every other test stand on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use faos::playback::{Gate, Player, Reply, Step};

use crate::support::model_server::serve;

fn open(player: &Player, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(player.url().trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn ask(player: &Player, request: &str) -> String {
    let mut answer = String::new();
    open(player, request).read_to_string(&mut answer).unwrap();
    answer
}

fn post(body: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn it_lists_its_model_and_nothing_else() {
    let player = serve([]);
    assert!(ask(&player, "GET /v1/models HTTP/1.1\r\n\r\n").contains(r#""id":"scripted""#));
    assert!(ask(&player, "GET /props HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(ask(&player, "PUT / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

#[test]
fn replies_come_in_order_until_there_are_no_more() {
    let player = serve(["one".into(), "two".into()]);
    for (body, want) in [("{\"n\":1}", "one"), ("{\"n\":2}", "two"), ("{}", "no further reply")] {
        assert!(ask(&player, &post(body)).contains(want), "{want}");
    }
    let bodies: Vec<String> = player.requests().iter().map(ToString::to_string).collect();
    assert_eq!(bodies, ["{\"n\":1}", "{\"n\":2}", "{}"]);
}

#[test]
fn a_reply_ends_with_usage_and_done() {
    let player = serve(["a b".into()]);
    let answer = ask(&player, &post("{\"messages\":[{\"content\":\"12345678\"}]}"));
    assert!(answer.contains(r#""usage":{"completion_tokens":2,"prompt_tokens":2,"total_tokens":4}"#), "{answer}");
    assert!(answer.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{answer}");
}

#[test]
fn a_gate_holds_and_a_client_that_leaves_is_noticed() {
    let gate = Gate::default();
    let held = || Reply::stream(vec![Step::Bytes(b"before".to_vec()), Step::Wait(gate.clone()), Step::Break]);
    let player = serve([held(), held()]);
    let mut stream = open(&player, &post("{}"));
    let mut seen = Vec::new();
    while !seen.ends_with(b"before\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
    gate.open();
    assert_eq!(stream.read_to_end(&mut seen).unwrap(), 0);

    drop(open(&player, &post("{}")));
    assert!(player.wait_until(Duration::from_secs(5), |seen| seen.abandoned == 1));
    assert!(!player.wait_until(Duration::ZERO, |seen| seen.abandoned == 2));
}

#[test]
fn what_is_no_http_is_let_go() {
    let player = serve([]);
    for garbage in ["\r\n\r\n", "x\r\n\r\n", &"y".repeat(100_000)] {
        let mut stream = TcpStream::connect(player.url().trim_start_matches("http://")).unwrap();
        // The server may have closed already.
        let _ = stream.write_all(garbage.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }
}
