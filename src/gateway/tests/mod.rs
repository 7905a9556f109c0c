//! How frames are read, by hand; `streams` does it with what real servers sent, `fuzz` with what none would send, and
//! `time` with all that is waited for.

mod fuzz;
mod streams;
mod time;

use std::collections::VecDeque;

use proptest::prelude::*;

use self::streams::{End, read};
use super::Delta;
use super::frame::{Flow, FrameError, Incomplete, Reply};

fn frame(data: &str) -> Result<VecDeque<Delta>, FrameError> {
    let mut deltas = VecDeque::new();
    Reply::default().frame("message", data, &mut deltas).map(|_| deltas)
}

fn calls(frames: &[&str], reason: &str) -> Result<Vec<Delta>, Incomplete> {
    let (mut reply, mut deltas) = (Reply::default(), VecDeque::new());
    for calls in frames {
        let data = format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{calls}]}}}}]}}"#);
        reply.frame("message", &data, &mut deltas).unwrap();
    }
    let finish = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
    reply.frame("message", &finish, &mut deltas).unwrap();
    reply.conclude(Flow::Done).map(|conclusion| conclusion.last)
}

fn call(name: &str, arguments: &str) -> Delta {
    Delta::ToolCall { name: name.to_owned(), arguments: arguments.to_owned() }
}

#[test]
fn an_error_comes_first() {
    for data in [
        r#"{"error":"x"}"#,
        r#"{"error":{"message":"x"},"choices":[{"delta":{"content":"text"}}]}"#,
        r#"{"message":"x"}"#,
        r#"{"object":"error","message":"x","code":500}"#,
        r#"{"detail":"x"}"#,
    ] {
        let Err(FrameError::Fault(fault)) = frame(data) else { panic!("{data}") };
        assert_eq!(fault.text, "x");
    }
    assert!(matches!(frame("{\"choices\":"), Err(FrameError::Malformed(_))));
    assert!(matches!(
        Reply::default().frame("error", "Model crashed", &mut VecDeque::new()),
        Err(FrameError::Fault(fault)) if fault.text == "Model crashed"
    ));
}

#[test]
fn text_and_reasoning_are_told_apart() {
    let delta = |fields: &str| frame(&format!(r#"{{"choices":[{{"delta":{{{fields}}}}}]}}"#)).unwrap();
    let (text, thought) = (|text: &str| Delta::Text(text.to_owned()), |text: &str| Delta::Reasoning(text.to_owned()));
    assert_eq!(delta(r#""content":"a\n\"b\"""#), [text("a\n\"b\"")]);
    assert_eq!(delta(r#""reasoning":"a""#), [thought("a")]);
    assert_eq!(delta(r#""thinking":"a""#), [thought("a")]);
    assert_eq!(delta(r#""reasoning_content":"a","content":"b""#), [thought("a"), text("b")]);
    assert_eq!(delta(r#""reasoning_content":"a","reasoning":"a","content":null"#), [thought("a")]);
    assert_eq!(delta(r#""role":"assistant","content":"","tool_calls":null"#), []);
    assert_eq!(frame(r#"{"choices":null,"prompt_progress":{"total":1}}"#).unwrap(), []);
}

#[test]
fn a_new_call_is_told_from_more_of_the_old() {
    let whole = |id: &str| format!(r#"{{"index":0,"id":"{id}","function":{{"name":"f","arguments":"{{}}"}}}}"#);
    let two = [call("f", "{}"), call("f", "{}")];
    // Old builds give every call index 0 and no id; others another id; others no index at all.
    assert_eq!(calls(&[&whole(""), &whole("")], "tool_calls").unwrap(), two);
    assert_eq!(calls(&[&whole("a"), &whole("b")], "tool_calls").unwrap(), two);
    let no_index = r#"{"id":"b","function":{"name":"f","arguments":"{}"}}"#;
    assert_eq!(calls(&[&whole("a"), no_index], "tool_calls").unwrap(), two);
    let pieces = [
        r#"{"index":0,"id":"a","function":{"name":"f"}}"#,
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}"#,
        r#"{"index":0,"function":{"arguments":":1}"}}"#,
    ];
    assert_eq!(calls(&pieces, "tool_calls").unwrap(), [call("f", "{\"x\":1}")]);
}

#[test]
fn calls_are_whole_or_said_to_be_cut() {
    let no_arguments = r#"{"index":0,"id":"a","function":{"name":"f"}}"#;
    assert_eq!(calls(&[no_arguments], "tool_calls").unwrap(), [call("f", "{}")]);
    let object = r#"{"index":0,"function":{"name":"f","arguments":{"x":1}}}"#;
    assert_eq!(calls(&[object], "stop").unwrap(), [call("f", "{\"x\":1}")]);
    let cut = r#"{"index":0,"function":{"name":"f","arguments":"{\"x"}}"#;
    assert!(matches!(calls(&[cut], "length").unwrap().as_slice(), [Delta::Notice(_)]));
    assert_eq!(calls(&[cut], "tool_calls"), Err(Incomplete::BrokenCall("f".to_owned())));
}

#[test]
fn an_answer_that_came_as_reasoning_is_an_answer() {
    let end = |reason: &str| {
        let thought = r#"data: {"choices":[{"delta":{"reasoning":"a.py\n```\nx\n```\n"}}]}"#;
        let finish = format!("data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}");
        match read(Reply::chunk, [format!("{thought}\n\n{thought}\n\n{finish}\n\n").as_bytes()]).1 {
            End::Whole(conclusion) => conclusion.last,
            other => panic!("{other:?}"),
        }
    };
    let [Delta::Notice(_), Delta::Text(text)] = &end("stop")[..] else { panic!() };
    assert_eq!(*text, "a.py\n```\nx\n```\n".repeat(2));
    // A thought that was cut is no answer.
    assert!(matches!(&end("length")[..], [Delta::Notice(_)]));
}

#[test]
fn every_end_has_its_name() {
    let end = |frames: &str| read(Reply::chunk, [frames.as_bytes()]).1;
    let text = r#"data: {"choices":[{"delta":{"content":"a"}}]}"#;
    let finish = |reason: &str| format!("data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}");
    for (reason, want) in [
        ("stop", "Stop"),
        ("stop_sequence", "Stop"),
        ("eos_token", "Stop"),
        ("length", "Length"),
        ("tool_calls", "ToolCalls"),
    ] {
        let End::Whole(conclusion) = end(&format!("{text}\n\n{}\n\n", finish(reason))) else { panic!("{reason}") };
        assert_eq!(format!("{:?}", conclusion.reason), want);
    }
    for (frames, want) in [
        (format!("{text}\n\n"), Incomplete::NoFinishReason),
        (format!("{text}\n\n{}\n\n", finish("abort")), Incomplete::Aborted),
        (format!("{}\n\ndata: [DONE]\n\n", finish("stop")), Incomplete::Empty),
        ("data: [DONE]\n\n".to_owned(), Incomplete::Empty),
    ] {
        assert_eq!(end(&frames), End::Incomplete(want), "{frames}");
    }
    assert!(matches!(end(&format!("{text}\n\ndata: [DONE]\n\n")), End::Whole(_)));
}

proptest! {
    #[test]
    fn no_frame_panics(event in "error|message", data in r#"(\{"|error|choices|delta|\[|\]|\{|\}|:|,|"|1|null| )*"#) {
        let _ = Reply::default().frame(&event, &data, &mut VecDeque::new());
    }
}
