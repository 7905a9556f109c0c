//! Conversations that are longer than the model's window.

use serde_json::Value;

use crate::support::env::TestEnv;
use crate::support::small_window::{SUMMARY, Serving, SmallWindow, serve_small};

const MODEL: SmallWindow = SmallWindow { window: 8_192, tells: true, sums_up: true, words: 600 };

/// A conversation of so many messages, each in a process of its own.
fn talk(model: SmallWindow, turns: usize) -> (TestEnv, Serving) {
    let server = serve_small(model);
    let mut env = TestEnv::new();
    env.set_endpoint(&server.url);
    env.run(["--no-scripts", "a parser, please"]).assert_code(0);
    for turn in 1..turns {
        env.run(["resume", "--last", &format!("more of it, {turn}")]).assert_code(0);
    }
    (env, server)
}

fn messages(request: &Value) -> &[Value] {
    request["messages"].as_array().unwrap()
}

/// How often a request did not begin with the one before it.
fn breaks(requests: &[Value]) -> usize {
    let grows = |pair: &&[Value]| !messages(&pair[1]).starts_with(messages(&pair[0]));
    requests.windows(2).filter(grows).count()
}

#[test]
fn a_conversation_outlasts_its_window() {
    let turns = std::env::var("FAOS_TEST_TURNS").map_or(25, |turns| turns.parse().unwrap());
    let (env, server) = talk(MODEL, turns);
    let requests = server.answered();
    assert_eq!((requests.len(), server.too_long()), (turns, 0));
    let compacted = env.session().records_of("compacted");
    assert!(compacted.len() >= turns / 10, "{}", compacted.len());
    assert_eq!(breaks(&requests), compacted.len(), "the prompt only grows, but for a compaction");
    let last = messages(requests.last().unwrap());
    assert!(last[1]["content"].as_str().unwrap().contains(SUMMARY), "{}", last[1]);
    let words = last.last().unwrap()["content"].as_str().unwrap();
    assert!(words.ends_with(&format!("more of it, {}", turns - 1)), "{words}");
    for pair in last.windows(2) {
        assert_ne!(pair[0]["role"], pair[1]["role"]);
    }
}

#[test]
fn a_model_that_does_not_sum_up_is_done_without() {
    let (env, server) = talk(SmallWindow { sums_up: false, ..MODEL }, 20);
    assert_eq!((server.answered().len(), server.too_long()), (20, 0));
    assert!(!env.session().records_of("compacted").is_empty());
    let last = server.answered().pop().unwrap();
    assert!(messages(&last)[1]["content"].as_str().unwrap().contains("a parser, please"), "{last}");
}

#[test]
fn a_window_that_nobody_told_of_is_found_by_its_refusal() {
    let (env, server) = talk(SmallWindow { tells: false, ..MODEL }, 20);
    assert_eq!(server.answered().len(), 20);
    let compacted = env.session().records_of("compacted").len();
    assert!(compacted > 0);
    assert_eq!(server.too_long(), 2 * compacted, "the request itself, and the first one for a summary");
    let last = server.answered().pop().unwrap();
    assert!(messages(&last)[1]["content"].as_str().unwrap().contains(SUMMARY), "{last}");
}

#[test]
fn a_first_message_that_is_too_long_is_an_error_with_its_numbers() {
    let server = serve_small(MODEL);
    let mut env = TestEnv::new();
    env.set_endpoint(&server.url);
    let output = env.run([&"word ".repeat(8_000)]);
    output.assert_code(4);
    assert!(output.stderr.contains("longer than the model's context window"), "{}", output.stderr);
    assert!(output.stderr.contains("the window 8192"), "{}", output.stderr);
}

#[test]
fn kill_9_in_a_compaction_costs_no_word() {
    let model = SmallWindow { words: 1_500, ..MODEL };
    let (env, _server) = talk(model, 8);
    let turn = env.session().records_of("compacted")[0]["turn"].as_u64().unwrap() as usize;
    let rounds = std::env::var("FAOS_TEST_ROUNDS").map_or(6, |rounds| rounds.parse::<usize>().unwrap() / 10);
    for round in 0..rounds {
        let (env, server) = talk(model, turn - 1);
        let mut running =
            env.spawn(["resume", "--last", "--no-scripts", "--output-format", "stream-json", "more of it"]);
        // While it is summed up, and when it has been.
        running.wait_for_stdout(["the conversation is summed up", "goes on from its summary"][round % 2]);
        running.signal(rustix::process::Signal::KILL);
        running.finish();
        // There may be nothing left to go on with.
        let gone_on = env.run(["resume", "--last", "--no-scripts"]).code;
        assert!(matches!(gone_on, Some(0 | 2)), "round {round}: {gone_on:?}");
        env.run(["resume", "--last", "--no-scripts", "and the end"]).assert_code(0);
        let records = env.session().records();
        let said = |kind: &str| records.iter().filter(|record| record["type"] == kind).count();
        assert_eq!(said("user_message"), turn + 1, "round {round}");
        assert!((1..=2).contains(&said("compacted")), "round {round}");
        let seqs: Vec<u64> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>(), "round {round}: no gap");
        assert_eq!(server.too_long(), 0, "round {round}");
        let last = server.answered().pop().unwrap();
        assert!(messages(&last)[1]["content"].as_str().unwrap().contains(SUMMARY), "round {round}: {last}");
    }
}
