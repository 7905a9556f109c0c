//! What is waited for, and how long: with the limits that users have, on a clock that leaps.
//!
//! Tokio's clock is stopped, and moves on by itself to the next moment that anybody waits for. The server is a list of
//! answers whose pieces come at their seconds; there is no socket, so nothing else can take time.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use reqwest::{Body, Response};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::chat::{self, Request};
use super::super::meter::Meter;
use super::super::retry::Limits;
use super::super::wire::CHAT;
use super::super::{Delta, GatewayError};

struct Answer {
    status: u16,
    retry_after: Option<&'static str>,
    /// What comes of the body, and at which second after the request.
    pieces: Vec<(f64, String)>,
    end: End,
}

enum End {
    Close,
    Break,
    Silence,
}

impl Answer {
    fn stream(pieces: &[(f64, &str)], end: End) -> Self {
        let pieces = pieces.iter().map(|(at, text)| (*at, (*text).to_owned())).collect();
        Self { status: 200, retry_after: None, pieces, end }
    }

    fn refusal(status: u16, text: &str, retry_after: Option<&'static str>) -> Self {
        let pieces = vec![(0.0, format!("{{\"error\":\"{text}\"}}"))];
        Self { status, retry_after, pieces, end: End::Close }
    }

    fn response(self) -> Response {
        let begun = Instant::now();
        let pieces = stream::iter(self.pieces).then(move |(at, text)| async move {
            tokio::time::sleep_until(begun + Duration::from_secs_f64(at)).await;
            Ok::<_, io::Error>(Bytes::from(text))
        });
        let body = match self.end {
            End::Close => Body::wrap_stream(pieces),
            End::Break => {
                Body::wrap_stream(pieces.chain(stream::once(async { Err(io::ErrorKind::ConnectionReset.into()) })))
            }
            End::Silence => Body::wrap_stream(pieces.chain(stream::pending())),
        };
        let kind = if self.status == 200 { "text/event-stream" } else { "application/json" };
        let mut response = http::Response::builder().status(self.status).header("content-type", kind);
        if let Some(wait) = self.retry_after {
            response = response.header("retry-after", wait);
        }
        response.body(body).unwrap().into()
    }
}

/// What one request gives, each with its second; and the seconds at which it was sent.
struct Told {
    deltas: Vec<(f64, Result<Delta, GatewayError>)>,
    sent: Vec<f64>,
}

/// After the last of its answers the server takes requests and says nothing.
async fn ask(answers: impl IntoIterator<Item = Answer>) -> Told {
    let begun = Instant::now();
    let (answers, sent) = (Mutex::new(answers.into_iter().collect::<VecDeque<_>>()), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&sent);
    let post = move || {
        noted.lock().unwrap().push(begun.elapsed().as_secs_f64());
        match answers.lock().unwrap().pop_front() {
            Some(answer) => std::future::ready(Ok(answer.response())).boxed(),
            None => std::future::pending().boxed(),
        }
    };
    let request = Request {
        post: Box::new(post),
        endpoint: "http://server".to_owned(),
        wire: CHAT,
        echo: String::new(),
        guess: 0,
        meter: Arc::new(Meter::new(None, None)),
        key: None,
        limits: Limits::default(),
    };
    let deltas = chat::stream(request, &CancellationToken::new());
    let deltas = deltas.map(|delta| (begun.elapsed().as_secs_f64(), delta)).collect().await;
    let sent = sent.lock().unwrap().clone();
    Told { deltas, sent }
}

impl Told {
    fn lines(&self) -> Vec<String> {
        let line = |(at, delta): &(f64, Result<Delta, GatewayError>)| match delta {
            Ok(Delta::Notice(text)) => format!("{at}: {text}"),
            Ok(Delta::Reading { processed, total }) => format!("{at}: read {processed} of {total}"),
            Ok(Delta::Text(text)) => format!("{at}: text {text}"),
            Ok(Delta::Retry { wait, reason, .. }) => format!("{at}: {reason}; again in {} s", wait.as_secs_f64()),
            Ok(Delta::Finished { usage, .. }) => format!("{at}: finished, {} tokens", usage.completion_tokens),
            Ok(other) => format!("{at}: {other:?}"),
            Err(error) => format!("{at}: error: {error}"),
        };
        self.deltas.iter().map(line).collect()
    }

    fn waits(&self) -> Vec<f64> {
        let wait = |(_, delta): &(_, _)| match delta {
            Ok(Delta::Retry { wait, .. }) => Some(wait.as_secs_f64()),
            _ => None,
        };
        self.deltas.iter().filter_map(wait).collect()
    }
}

const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":7}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

const QUIET: &str = "the server is loading the model or reading the prompt";

#[tokio::test(start_paused = true)]
async fn silence_before_the_first_token_is_told_and_ends_after_ten_minutes() {
    let mut want: Vec<String> =
        [10, 20, 40, 80, 160, 320].iter().map(|at| format!("{at}: no answer for {at} s: {QUIET}")).collect();
    want.push("600: error: `http://server` took the request and was silent for 600 s".to_owned());
    assert_eq!(ask([]).await.lines(), want);
    // The head of an answer is no answer.
    assert_eq!(ask([Answer::stream(&[], End::Silence)]).await.lines(), want);
}

#[tokio::test(start_paused = true)]
async fn comments_are_life() {
    let mut pieces: Vec<(f64, &str)> = (1..=60).map(|number| (f64::from(number) * 30.0, ":\n\n")).collect();
    pieces.push((1801.5, TEXT));
    pieces.push((1801.5, FINISH));
    pieces.push((1801.5, DONE));
    let lines = ask([Answer::stream(&pieces, End::Close)]).await.lines();
    assert_eq!(
        lines[lines.len() - 3..],
        [
            format!("1280: no answer for 1280 s: {QUIET}"),
            "1801.5: text a".to_owned(),
            "1801.5: finished, 0 tokens".to_owned()
        ]
    );
    // Once they stop, the limit counts from the last of them.
    let lines = ask([Answer::stream(&pieces[..2], End::Silence)]).await.lines();
    assert_eq!(lines.last().unwrap(), "660: error: `http://server` took the request and was silent for 600 s");
}

#[tokio::test(start_paused = true)]
async fn silence_in_the_middle_is_told_and_ends_after_two_minutes() {
    let pieces = [(0.0, TEXT), (119.9, TEXT), (239.8, TEXT)];
    let lines = ask([Answer::stream(&pieces, End::Silence)]).await.lines();
    let quiet = |at: f64, silence: u32| format!("{}: nothing has come for {silence} s", at + f64::from(silence));
    let mut want = Vec::new();
    for at in [0.0, 119.9, 239.8] {
        want.push(format!("{at}: text a"));
        want.extend([10, 20, 40, 80].map(|silence| quiet(at, silence)));
    }
    want.push("359.8: error: the answer broke off: nothing came for 120 s".to_owned());
    assert_eq!(lines, want);
}

/// A call is handed on when it is whole.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_coming_is_no_silence() {
    let piece =
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"x\"}}]}}]}\n\n";
    let pieces: Vec<(f64, &str)> = (1..=10).map(|number| (f64::from(number) * 9.0, piece)).collect();
    let mut lines = ask([Answer::stream(&pieces, End::Silence)]).await.lines();
    lines.pop();
    assert_eq!(lines[0], format!("100: no answer for 10 s: {QUIET}"));
}

#[tokio::test(start_paused = true)]
async fn after_the_finish_reason_one_second_is_waited_for_the_usage() {
    for (usage_at, end, want) in [
        (0.9, End::Silence, "1.9: finished, 7 tokens"),
        (0.9, End::Close, "0.9: finished, 7 tokens"),
        (0.9, End::Break, "0.9: finished, 7 tokens"),
        (1.1, End::Silence, "1: finished, 0 tokens"),
    ] {
        let pieces = [(0.0, TEXT), (0.0, FINISH), (usage_at, USAGE)];
        assert_eq!(ask([Answer::stream(&pieces, end)]).await.lines(), ["0: text a", want]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_reading_of_a_long_prompt_is_told() {
    let progress = |read: u32| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"role\":\"assistant\",\"content\":null}}}}],\
             \"prompt_progress\":{{\"total\":1544,\"cache\":30,\"processed\":{read},\"time_ms\":4}}}}\n\n"
        )
    };
    let (early, late) = (progress(30), progress(1024));
    let pieces = [(1.0, early.as_str()), (15.0, &late), (25.0, TEXT), (25.0, FINISH), (25.0, DONE)];
    assert_eq!(
        ask([Answer::stream(&pieces, End::Close)]).await.lines(),
        [
            "1: read 30 of 1544",
            "10: no answer for 10 s: the server has read 30 of the prompt's 1544 tokens",
            "15: read 1024 of 1544",
            "20: no answer for 20 s: the server has read 1024 of the prompt's 1544 tokens",
            "25: text a",
            "25: finished, 0 tokens",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_loading_model_is_waited_for_two_minutes_and_counted_down() {
    let loading = || Answer::refusal(503, "Loading model", None);
    let told = ask(std::iter::repeat_with(loading).take(40)).await;
    let (mut want, mut now) = (Vec::new(), 0.0_f64);
    for number in 0.. {
        // 0.5, 1, 2, 4, then 5 s; what is left at the end.
        let wait = (0.5 * f64::from(1 << number.min(4))).min(5.0).min(120.0 - now);
        let left = (120.0 - now).ceil();
        want.push(format!("{now}: the model is loading; waiting up to {left} s for it; again in {wait} s"));
        now += wait;
        if now >= 120.0 {
            break;
        }
    }
    want.push("120: error: the server is still loading its model (503)".to_owned());
    assert_eq!(told.lines(), want);
    assert_eq!(told.sent.len(), want.len());

    let ready = || Answer::stream(&[(0.0, TEXT), (0.0, FINISH), (0.0, DONE)], End::Close);
    let told = ask(std::iter::repeat_with(loading).take(10).chain([ready()])).await;
    assert_eq!(told.lines()[10..], ["37.5: text a", "37.5: finished, 0 tokens"]);
}

/// Half a second and a second, each a quarter more or less: several clients must not come back at the same moment.
#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_again_at_moments_of_ones_own() {
    let mut firsts = Vec::new();
    for _ in 0..50 {
        let told = ask(std::iter::repeat_with(|| Answer::refusal(503, "busy", None)).take(5)).await;
        let [first, second] = told.waits()[..] else { panic!("{:?}", told.lines()) };
        assert!((0.375..=0.625).contains(&first) && (0.75..=1.25).contains(&second), "{first} {second}");
        let [at, again, last] = told.sent[..] else { panic!("{:?}", told.sent) };
        // The clock ticks in milliseconds.
        let differs = |waited: f64, wait: f64| (waited - wait).abs() > 0.002;
        assert!(!differs(again - at, first) && !differs(last - again, second), "{:?} {:?}", told.waits(), told.sent);
        firsts.push(first);
    }
    firsts.sort_by(f64::total_cmp);
    firsts.dedup();
    assert!(firsts.len() > 10 && firsts.last().unwrap() - firsts[0] > 0.05, "{firsts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_before_any_text_is_made_again_soon() {
    let broken = || Answer::stream(&[(3.0, ":\n\n")], End::Break);
    let told = ask([broken(), broken(), broken()]).await;
    let [first, second] = told.waits()[..] else { panic!("{:?}", told.lines()) };
    assert!((0.375..=0.625).contains(&first) && (0.75..=1.25).contains(&second), "{first} {second}");
    assert!(matches!(told.deltas.last(), Some((_, Err(GatewayError::Unreachable { .. })))), "{:?}", told.lines());
}

#[tokio::test(start_paused = true)]
async fn a_server_may_ask_for_up_to_two_minutes() {
    let ready = || Answer::stream(&[(0.0, TEXT), (0.0, FINISH), (0.0, DONE)], End::Close);
    // Nothing is said of a silence that is our own.
    for wait in ["0", "7", "120"] {
        let told = ask([Answer::refusal(429, "busy", Some(wait)), ready()]).await;
        assert_eq!(
            told.lines(),
            [
                format!("0: busy (429); again in {wait} s"),
                format!("{wait}: text a"),
                format!("{wait}: finished, 0 tokens")
            ]
        );
    }
    let told = ask([Answer::refusal(429, "busy", Some("121")), ready()]).await;
    assert_eq!(told.lines(), ["0: error: the server refused the request (429): busy; it asks to come back in 121 s"]);
}

/// After a wait of our own the server's silence begins anew.
#[tokio::test(start_paused = true)]
async fn a_wait_of_ones_own_is_no_silence_of_the_server() {
    let told = ask([Answer::refusal(503, "busy", Some("100"))]).await;
    let lines = told.lines();
    assert_eq!(lines[1], format!("110: no answer for 10 s: {QUIET}"));
    assert_eq!(lines.last().unwrap(), "700: error: `http://server` took the request and was silent for 600 s");
}
