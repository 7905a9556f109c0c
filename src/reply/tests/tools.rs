//! Tool calls as text, shape by shape.

use super::super::{Action, BlockLabel, Ending, from_tool_call};
use super::{Memory, parse, parse_pieces, path};

fn write(name: &str, content: &str) -> Action {
    Action::Write { path: path(name), content: content.to_owned() }
}

fn run(script: &str) -> Action {
    Action::Run { script: script.to_owned() }
}

fn actions(text: &str) -> Vec<Action> {
    parse(text, &Memory::default()).actions
}

fn writes_a_py(text: &str) {
    assert_eq!(actions(text), [write("a.py", "x = 1\n")], "{text}");
    assert_eq!(
        actions(&format!("Words.\n\n{text}\n\nMore words.\n")),
        [write("a.py", "x = 1\n")],
        "among words: {text}"
    );
    assert_eq!(
        actions(&format!("{text}\n```run\nls\n```\n")),
        [write("a.py", "x = 1\n"), run("ls")],
        "then a run: {text}"
    );
}

#[test]
fn every_shape_is_the_call_that_it_is() {
    let json = r#"{"path": "a.py", "content": "x = 1\n"}"#;
    let call = format!(r#"{{"name": "write_file", "arguments": {json}}}"#);
    let texts = [
        // Qwen and Hermes, and their like.
        format!("<tool_call>\n{call}\n</tool_call>"),
        format!("<tool_call>{call}</tool_call>"),
        format!("<tool_call>\n{call}}}\n</tool_call>"),
        format!("<tool_call>\n```json\n{call}\n```\n</tool_call>"),
        format!("I write the file. <tool_call>\n{call}\n</tool_call>"),
        format!("<tool_call>\nwrite_file\n{json}\n</tool_call>"),
        format!("<tool_calls>\n[{call}]\n</tool_calls>"),
        format!("<|tool_call|>[{call}]<|/tool_call|>"),
        format!("<TOOLCALL>[{call}]</TOOLCALL>"),
        format!("<tool_call>\n{call}"),
        // Llama.
        format!("<|python_tag|>{call}<|eom_id|>"),
        format!("<function=write_file>{json}</function>"),
        call.replace("arguments", "parameters"),
        // Mistral.
        format!("[TOOL_CALLS][{call}]</s>"),
        format!("[TOOL_CALLS] [{call}]"),
        format!("[TOOL_CALLS]write_file{json}"),
        format!("[TOOL_CALLS]write_file[ARGS]{json}</s>"),
        format!("[TOOL_CALLS]write_file[CALL_ID]abcdefghi[ARGS]{json}"),
        // gpt-oss.
        format!("<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{json}<|call|>"),
        format!(
            "<|channel|>analysis<|message|>I should.<|end|><|start|>assistant<|channel|>commentary \
             to=functions.write_file <|constrain|>json<|message|>{json}<|call|>"
        ),
        format!("<|start|>assistant to=functions.write_file<|channel|>commentary json<|message|>{json}<|call|>"),
        // Tags.
        "<function=write_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=content>\nx = 1\n</parameter>\n</function>"
            .to_owned(),
        "<tool_call>\n<function=write_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=content>\nx = 1\n</parameter>\n\
         </function>\n</tool_call>"
            .to_owned(),
        "<function=write_file>\n<parameter=path>a.py\n<parameter=content>x = 1\n</function>".to_owned(),
        "<invoke name=\"write_file\">\n<parameter name=\"path\">a.py</parameter>\n<parameter name=\"content\">x = 1\n\
         </parameter>\n</invoke>"
            .to_owned(),
        "<tool_call>write_file\n<arg_key>path</arg_key>\n<arg_value>a.py</arg_value>\n<arg_key>content</arg_key>\n\
         <arg_value>x = 1\n</arg_value>\n</tool_call>"
            .to_owned(),
        // DeepSeek and Kimi.
        format!(
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>write_file\n```json\n{json}\n```\
             <｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        format!(
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>write_file<｜tool▁sep｜>{json}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        format!(
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.write_file:0<|tool_call_argument_begin|>{json}\
             <|tool_call_end|><|tool_calls_section_end|>"
        ),
    ];
    texts.iter().for_each(|text| writes_a_py(text));
}

#[test]
fn json_alone_is_the_call_that_it_is() {
    let json = r#"{"path": "a.py", "content": "x = 1\n"}"#;
    let call = format!(r#"{{"name": "write_file", "arguments": {json}}}"#);
    let texts = [
        // JSON alone.
        call.clone(),
        format!("[{call}]"),
        format!("{{\n  \"name\": \"write_file\",\n  \"arguments\": {json}\n}}"),
        format!("{{\"type\": \"function\", \"function\": {{\"name\": \"write_file\", \"arguments\": {json}}}}}"),
        format!("{{\"tool_calls\": [{call}]}}"),
        format!("{{\"tool\": \"write_file\", \"args\": {json}}}"),
        format!("{{\"write_file\": {json}}}"),
        r#"{"name": "write_file", "path": "a.py", "content": "x = 1\n"}"#.to_owned(),
        r#"{"name": "write_file", "arguments": "{\"path\": \"a.py\", \"content\": \"x = 1\\n\"}"}"#.to_owned(),
        format!("```json\n{call}\n```"),
        format!("```\n{call}\n```"),
        format!("```tool_call\n{call}\n```"),
        format!("```xml\n<tool_call>\n{call}\n</tool_call>\n```"),
        // Names and values of other tools.
        r#"<tool_call>{"name": "write_file", "arguments": {"file_path": "a.py", "contents": "x = 1"}}</tool_call>"#
            .to_owned(),
        r#"<tool_call>{"name": "write_file", "arguments": {"path": "a.py", "content": ["x = 1"]}}</tool_call>"#
            .to_owned(),
    ];
    texts.iter().for_each(|text| writes_a_py(text));
}

#[test]
fn several_calls_in_a_row() {
    let wanted = [run("a"), run("b")];
    for text in [
        "<tool_call>{\"name\": \"run\", \"arguments\": {\"script\": \"a\"}}</tool_call><tool_call>{\"name\": \"run\", \
         \"arguments\": {\"script\": \"b\"}}</tool_call>",
        "<tool_call>\n{\"name\": \"run\", \"arguments\": {\"script\": \"a\"}}\n<tool_call>\n{\"name\": \"run\", \
         \"arguments\": {\"script\": \"b\"}}\n</tool_call>",
        "[TOOL_CALLS]run[ARGS]{\"script\": \"a\"}[TOOL_CALLS]run[ARGS]{\"script\": \"b\"}",
        "[TOOL_CALLS][{\"name\": \"run\", \"arguments\": {\"script\": \"a\"}}, {\"name\": \"run\", \"arguments\": \
         {\"script\": \"b\"}}]",
        "<|python_tag|>{\"name\": \"run\", \"parameters\": {\"script\": \"a\"}}; {\"name\": \"run\", \"parameters\": \
         {\"script\": \"b\"}}",
        "{\"name\": \"run\", \"arguments\": {\"script\": \"a\"}}\n{\"name\": \"run\", \"arguments\": {\"script\": \"b\"}}",
        "```json\n{\"name\": \"run\", \"arguments\": {\"script\": \"a\"}}\n{\"name\": \"run\", \"arguments\": {\"script\": \
         \"b\"}}\n```",
        "<|channel|>commentary to=functions.run<|message|>{\"script\": \"a\"}<|call|><|start|>assistant<|channel|>\
         commentary to=functions.run<|message|>{\"script\": \"b\"}<|call|>",
        "<function=run><parameter=script>a</parameter></function>\n<function=run><parameter=script>b</parameter></function>",
    ] {
        assert_eq!(actions(text), wanted, "{text}");
    }
}

#[test]
fn damage_in_a_call_is_repaired() {
    for (json, content) in [
        ("{\"path\": \"a.py\", \"content\": \"x = 1\ny = 2\n\"}", "x = 1\ny = 2\n"),
        (r#"{"path": "a.py", "content": "print("x", "y")\n"}"#, "print(\"x\", \"y\")\n"),
        (r#"{'path': 'a.py', 'content': 'x = "1"\n'}"#, "x = \"1\"\n"),
        ("{\"path\": \"a.py\", \"content\": \"\"\"x = \"1\"\n\"\"\"}", "x = \"1\"\n"),
        (r#"{path: "a.py", content: "x = 1", overwrite: True, mode: None,}"#, "x = 1\n"),
        (r#"{"content": "re.match('\d+')", "path": "a.py"}"#, "re.match('\\d+')\n"),
    ] {
        let text = format!("<tool_call>\n{{\"name\": \"write_file\", \"arguments\": {json}}}\n</tool_call>\n");
        assert_eq!(actions(&text), [write("a.py", content)], "{text}");
        let unclosed = format!("<tool_call>\n{{\"name\": \"write_file\", \"arguments\": {json}\n</tool_call>\n");
        assert_eq!(actions(&unclosed), [write("a.py", content)], "{unclosed}");
    }
}

#[test]
fn a_call_that_was_cut_waits() {
    for text in [
        "<tool_call>\n{\"name\": \"write_file\", \"arguments\": {\"path\": \"a.py\", \"content\": \"x = 1\\ny",
        "<tool_call>\n{\"name\": \"run\", \"arguments\": {\"script\": \"rm -r build\"",
        "<tool_call>\n{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"}}",
        "<function=run>\n<parameter=script>\nrm -r build",
        "<function=run>\n<parameter=script>\nls\n</parameter>\n",
        "<tool_call>run\n<arg_key>script</arg_key>\n<arg_value>ls",
        "[TOOL_CALLS]run[ARGS]{\"script\": \"ls\"",
        "[TOOL_CALLS][{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"}}",
        "<|python_tag|>{\"name\": \"run\", \"parameters\": {\"script\": \"ls\"}",
        "<|channel|>commentary to=functions.run<|message|>{\"script\": \"ls\"",
        "<｜tool▁call▁begin｜>run<｜tool▁sep｜>{\"script\": \"ls\"",
        "{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"",
    ] {
        let parsed = parse_pieces([text], Ending::Cut, &Memory::default());
        assert_eq!((parsed.actions, parsed.open), (vec![], Some(BlockLabel::Shown)), "{text}");
    }
}

#[test]
fn what_is_no_call_is_none() {
    let call = "<tool_call>\n{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"}}\n</tool_call>";
    for text in [
        format!("<think>\n{call}\n</think>\n"),
        format!("> {}\n", call.replace('\n', "\n> ")),
        "The tag `<tool_call>{\"name\": \"run\"}` begins a call.".to_owned(),
        "<tool_call> is what begins a call.\nA model writes <tool_call> and then JSON.\n".to_owned(),
        "{\"name\": \"left-pad\", \"arguments\": {}}".to_owned(),
        "```json\n{\"name\": \"left-pad\", \"version\": \"1.0.0\"}\n```".to_owned(),
        "```json\n{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"}} and more\n```".to_owned(),
        "```python\n{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"}}\n```".to_owned(),
        "<|channel|>analysis<|message|>{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"}}".to_owned(),
    ] {
        assert_eq!(actions(&text), [], "{text}");
    }
    let file = format!("notes.md\n```md\n{call}\n```\n");
    assert_eq!(actions(&file), [write("notes.md", &format!("{call}\n"))]);
}

#[test]
fn a_call_that_cannot_be_done_is_refused_with_a_reason() {
    for (text, what, reason) in [
        (
            "<tool_call>{\"name\": \"lookup\", \"arguments\": {}}</tool_call>",
            "write (call of lookup)",
            "no tool is named `lookup`; there are write_file, ",
        ),
        (
            "<|channel|>commentary to=python<|message|>print(1)<|call|>",
            "write (call of python)",
            "no tool is named `python`",
        ),
        ("[TOOL_CALLS]lookup{\"x\": 1}", "write (call of lookup)", "no tool is named"),
        ("<function=lookup>\n</function>", "write (call of lookup)", "no tool is named"),
        ("<tool_call>{\"name\": \"run\", \"arguments\": {}}</tool_call>", "run (call of run)", "`script` is missing"),
        (
            "<tool_call>{\"name\": \"write_file\", \"arguments\": {\"path\": \"a\"}}</tool_call>",
            "write (call of write_file)",
            "`content` is missing",
        ),
        (
            "<tool_call>{\"name\": \"run\", \"arguments\": [1]}</tool_call>",
            "run (call of run)",
            "its arguments are no JSON object",
        ),
        (
            "<tool_call>{\"name\": \"run\", \"argu</tool_call>",
            "write (call of no tool)",
            "its arguments are no JSON object",
        ),
        ("<tool_call>{\"script\": \"ls\"}</tool_call>", "write (call of no tool)", "the tool call names no tool"),
        (
            "<tool_call>{\"name\": \"write_file\", \"arguments\": {\"path\": \"../a\", \"content\": \"\"}}</tool_call>",
            "write ../a",
            "the path leaves",
        ),
    ] {
        let actions = actions(&format!("{text}\n\na.py\n```\nx\n```\n"));
        let [Action::Refused { what: found, reason: why }, Action::Write { .. }] = actions.as_slice() else {
            panic!("{text}: {actions:?}");
        };
        assert!(found == what && why.starts_with(reason), "{text}: {found}: {why}");
    }
}

#[test]
fn native_calls() {
    let one = |name: &str, arguments: &str| from_tool_call(name, arguments, false);
    assert_eq!(one("run", "{\"script\": \"ls\\n\"}"), run("ls"));
    assert_eq!(one("functions.run", "\"{\\\"script\\\": \\\"ls\\\"}\""), run("ls"));
    assert_eq!(one("read_file", "{\"path\": \".\"}"), Action::Read { what: ".".to_owned() });
    for (arguments, cut, reason) in
        [("{}", true, "the call was cut"), ("[", false, "its arguments"), ("", false, "`script` is")]
    {
        let Action::Refused { reason: found, .. } = from_tool_call("run", arguments, cut) else {
            panic!("{arguments}")
        };
        assert!(found.starts_with(reason), "{found}");
    }
}
