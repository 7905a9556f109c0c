//! The pure host functions, called as scripts call them.

use proptest::prelude::*;

use super::super::PromptDecision;
use super::super::text;
use super::{World, load, never, setting, wait};

/// What the expression gives, as text.
fn value(expression: &str) -> String {
    let script = format!("fn on_prompt(ev) {{ let v = {expression}; modify(#{{text: `${{v}}`}}) }}");
    let (_folders, scripts) = load(&[("user/10-x.rhai", script.as_str())]);
    let world = World::default();
    world.files.lock().expect("no panic").insert("a.py".to_owned(), "print(1)\n".to_owned());
    let hooked = wait(scripts.on_prompt(&setting(), super::prompted("Käse & 日本", "user"), world.host(), &never()))
        .expect("lives");
    match hooked.decision {
        PromptDecision::Go { text, .. } => text,
        PromptDecision::Denied { why, .. } => why,
        PromptDecision::Handled { text } => text,
    }
}

#[test]
fn they_do_what_their_names_say() {
    for (expression, want) in [
        ("ev.text", "Käse & 日本"),
        ("ev.event", "on_prompt"),
        ("ev.turn + ev.attempt", "2"),
        (r#""a1b22".re_find(`([a-z])(\d+)`)"#, r#"["a1", "a", "1"]"#),
        (r#""x".re_find(`\d`) == ()"#, "true"),
        (r#""a".re_find(`(a)|(b)`)"#, r#"["a", "a", ""]"#),
        (r#""a1b22".re_find_all(`\d+`).map(|m| m[0])"#, r#"["1", "22"]"#),
        (r#""a1b22".re_replace(`([a-z])(\d)`, "$2$1")"#, "1a2b2"),
        (r#""src/a.py".glob_match("*.py")"#, "true"),
        (r#""src/a.py".glob_match("/*.py")"#, "false"),
        (r#""src/a.py".glob_match("src/**")"#, "true"),
        (r#"sha256("abc")"#, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (r#"tokens("")"#, "0"),
        (r#"tokens("fn main() {}")"#, "4"),
        (r#"head("one\ntwo\nthree\n", 9)"#, "one\ntwo\n"),
        (r#"tail("one\ntwo\nthree\n", 8)"#, "three\n"),
        (r#"head("short", 100) + tail("short", 100)"#, "shortshort"),
        (r#"head("x", -1)"#, ""),
        (r#"parse_json("{\"a\": [1, null]}").a[0]"#, "1"),
        (r#"to_json(#{a: [1, ()], b: 'c'})"#, r#"{"a":[1,null],"b":"c"}"#),
        (r#"read("a.py")"#, "print(1)\n"),
        (r#"exists("a.py") && !exists("b.py")"#, "true"),
        (r#"list("**")"#, r#"["a.py"]"#),
        (r#""a-b-c".split("-")"#, r#"["a", "b", "c"]"#),
        (r#""a b  c".split()"#, r#"["a", "b", "c"]"#),
        (r#"{ let s = "aXa"; s.replace("a", "bb"); s }"#, "bbXbb"),
        (r#"{ let s = "aXa"; s.replace('a', "bb"); s }"#, "bbXbb"),
        (r#"{ write("n.txt", "x"); read("n.txt") }"#, "x"),
    ] {
        assert_eq!(value(expression), want, "{expression}");
    }
    assert!(value("diff(\"a\\nb\\n\", \"a\\nc\\n\")").contains("-b\n+c\n"));
}

#[test]
fn they_say_what_is_wrong() {
    for (expression, want) in [
        (r#""x".re_find(`(`)"#, "`(` is no pattern: unclosed group"),
        (r#""x".glob_match("[")"#, "`[` is no glob"),
        (r#"parse_json("{")"#, "the text is no JSON"),
        (r#"to_json(|| 1)"#, "a value of type Fn is no plain data"),
        (r#"read("none")"#, "there is no file `none`"),
    ] {
        let got = value(expression);
        assert!(got.contains(want) && got.contains("user/10-x.rhai:1:"), "{expression}: {got}");
    }
}

#[test]
fn fences_are_found() {
    let text = "a\n```python x\nprint()\n```\n~~~\n```\n~~~\n````md\n```\ninner\n```\n````\n```rust\nopen";
    let want = [("python", "print()\n"), ("", "```\n"), ("md", "```\ninner\n```\n"), ("rust", "open")];
    assert_eq!(text::fences(text), want.map(|(lang, content)| (lang.to_owned(), content.to_owned())));
}

proptest! {
    #[test]
    fn ends_are_ends(text in "[a-zä\\n]{0,40}", size in 0i64..50) {
        prop_assert!(text.starts_with(text::head(&text, size)));
        prop_assert!(text.ends_with(text::tail(&text, size)));
        let size = usize::try_from(size).expect("small");
        prop_assert!(text::head(&text, 50).chars().count() <= 50.max(size));
    }

    #[test]
    fn fences_of_anything(text in "[`~a \\n]{0,60}") {
        let _ = text::fences(&text);
        prop_assert!(text::tokens(&text) as usize <= text.len());
    }
}
