//! The words as they come out, what they cost, and how a broken template is told.

use std::path::Path;

use minijinja::context;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Options, Origin, PromptError, Prompts, built_in, fenced, in_use};
use crate::base::fs;

fn prompts() -> Prompts {
    Prompts::load(&Options::default()).expect("the built-in templates are sound")
}

fn system(map: &str, agents: &str, run_blocks: bool) -> String {
    let values = json!({"map": map, "agents": agents, "wall_s": 60, "network": "off", "run_blocks": run_blocks});
    prompts().render("system", values).expect("renders")
}

fn overridden(name: &str, text: &str) -> Result<Prompts, PromptError> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::replace(&folder.path().join(format!("{name}.md")), text.as_bytes()).expect("written");
    Prompts::load(&Options { user: Some(folder.path().to_owned()), project: None, set: None })
}

#[test]
fn the_table_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
    let mut files: Vec<(String, String)> = walkdir::WalkDir::new(&folder)
        .min_depth(1)
        .into_iter()
        .map(|entry| entry.expect("listed"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read_text(entry.path()).expect("read")))
        .collect();
    files.sort();
    let mut table: Vec<(String, String)> =
        built_in().iter().map(|t| (format!("{}.md", t.name), t.text.to_owned())).collect();
    table.sort();
    assert_eq!(table, files);
}

/// Invariant 3: the first request in an empty workspace, without the user's own text.
#[test]
fn the_system_prompt_is_small() {
    let bpe = tiktoken_rs::o200k_base().expect("the vocabulary is part of the crate");
    let tokens = bpe.encode_ordinary(&system("", "", true)).len();
    assert!(tokens <= 650, "{tokens} tokens");
}

/// The guide's table is the program's, and its example works.
#[test]
fn the_guide_is_true() {
    let guide = fs::read_text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/prompts.md")).expect("read");
    for template in built_in() {
        let row = guide.lines().find(|line| line.starts_with(&format!("| `{}.md` |", template.name))).expect("a row");
        assert!(row.contains(&format!("| {} |", template.when)), "{row}");
        for variable in template.variables {
            assert!(row.contains(&format!("`{variable}`")), "{row}");
        }
    }
    let example = guide.split("```jinja\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let prompts = overridden("repair", example).expect("loads");
    let text = prompts.render("repair", json!({"feedback": "```\nx\n```"})).expect("renders");
    assert_eq!(text, "The check failed. Fix the cause, not the test.\n\n````\n```\nx\n```\n````");
}

#[test]
fn the_system_prompt_says_what_models_broke_when_it_was_left_out() {
    let text = system("", "", true);
    for point in [
        "path alone on a line",
        "whole content",
        "by default",
        "<<<<<<< SEARCH",
        "exactly one place",
        "whole lines copied",
        "four backticks",
        "`run`: a bash script",
        "workspace's root",
        "no terminal",
        "no network",
        "no input",
        "60 seconds",
        "a `bash` block without a path is shown",
        "do not pipe it through `head`, `tail` or `grep`",
        "Verify your work with a `run` block",
        "short summary and no `run` or `read` block",
    ] {
        assert!(text.contains(point), "{point}");
    }
    insta::assert_snapshot!("system_in_an_empty_workspace", text);
}

/// A model copies the names that it is shown.
#[test]
fn no_example_file_name_stands_in_a_prompt() {
    let name = regex::Regex::new(r"\b[\w-]+\.(py|js|ts|rs|c|h|html|css|sh|txt|json|toml|md)\b").expect("a pattern");
    let text = [system("", "", true), system("", "", false)].concat();
    assert_eq!(name.find_iter(&text).map(|found| found.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn switched_off_runs_are_not_taught() {
    let text = system("", "", false);
    assert!(text.contains("Runs are switched off"));
    assert!(!text.contains("`run`"));
}

#[test]
fn the_map_and_the_instructions_stand_at_the_end() {
    insta::assert_snapshot!("the_end_of_system_with_map_and_agents", {
        let text = system("a.py  12\nlib/", "Use tabs.", true);
        text[text.find("## Way").expect("a heading")..].to_owned()
    });
}

#[test]
fn the_other_frames() {
    let prompts = prompts();
    let render = |name: &str, values: Value| prompts.render(name, values).expect("renders");
    let frames = [
        render("attachment", json!({"prompt": "Explain.", "attachment": "a\n```\nb\n```\n"})),
        render("compact", json!({})),
        render("summary", json!({"summary": "A parser is wanted."})),
        render("lines", json!({"path": "src/app.py", "lines": 40})),
        render("repair", json!({"feedback": "--- stderr ---\nboom"})),
        render(
            "continue",
            json!({"open": "src/app.py", "is_file": true, "applied": ["a.py", "b.py"], "waits": true, "last_line": "x = 1"}),
        ),
        render(
            "continue",
            json!({"open": "edit of src/app.py", "is_file": false, "applied": [], "waits": false, "last_line": ""}),
        ),
        render(
            "continue",
            json!({"open": "", "is_file": false, "applied": ["a.py"], "waits": false, "last_line": "And then"}),
        ),
        render("continue", json!({"open": "", "is_file": false, "applied": [], "waits": false, "last_line": ""})),
    ];
    insta::assert_snapshot!("frames", frames.join("\n==========\n"));
}

#[test]
fn the_nearest_folder_wins() {
    let (near, far) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    fs::replace(&near.path().join("repair.md"), b"near {{ feedback }}").expect("written");
    fs::replace(&far.path().join("repair.md"), b"far {{ feedback }}").expect("written");
    fs::replace(&far.path().join("attachment.md"), b"far {{ prompt }}").expect("written");
    let options = Options { project: Some(near.path().to_owned()), user: Some(far.path().to_owned()), set: None };
    let prompts = Prompts::load(&options).expect("loads");
    assert_eq!(prompts.render("repair", context! { feedback => "f" }).expect("renders"), "near f");
    assert_eq!(prompts.render("attachment", context! { prompt => "p", attachment => "" }).expect("renders"), "far p");
    let origins: Vec<_> = in_use(&options).expect("read").into_iter().map(|used| (used.name, used.origin)).collect();
    let want = [
        ("system", Origin::BuiltIn),
        ("attachment", Origin::User(far.path().join("attachment.md"))),
        ("continue", Origin::BuiltIn),
        ("compact", Origin::BuiltIn),
        ("summary", Origin::BuiltIn),
        ("lines", Origin::BuiltIn),
        ("repair", Origin::Project(near.path().join("repair.md"))),
    ];
    assert_eq!(origins, want);
}

#[test]
fn errors_name_the_file_the_line_and_the_variable() {
    for (text, want) in [
        ("one\n{{ feedbck }}", "repair.md:2`: undefined variable: `feedbck` (there are: feedback)"),
        ("one\n\n{{ feedback", "repair.md:3`: unexpected end of input, expected end of variable block"),
        ("{% include 'other' %}{% bogus %}", "repair.md:1`: unknown statement bogus"),
        ("{{ feedback | upcase }}", "repair.md:1`: "),
    ] {
        let message = match overridden("repair", text) {
            Err(error) => error.message,
            Ok(prompts) => prompts.render("repair", json!({"feedback": "f"})).expect_err("broken").message,
        };
        assert!(message.contains(want), "{message}");
    }
}

#[test]
fn undefined_fields_endless_loops_and_foreign_files_are_errors() {
    for (text, want) in [
        ("a\n{{ feedback.nothing }}", "repair.md:2`: undefined variable: `feedback.nothing`"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}", "takes too long"),
        ("{{ 'x' * 100000000 }}", "repair.md:1`: "),
        ("{% include '../../etc/passwd' %}", "repair.md:1`: "),
    ] {
        let error = overridden("repair", text)
            .and_then(|prompts| prompts.render("repair", json!({"feedback": "f"})))
            .expect_err(text);
        assert!(error.message.contains(want), "{}", error.message);
    }
}

#[test]
fn a_missing_value_and_a_missing_template_are_errors() {
    let error = prompts().render("repair", json!({})).expect_err("no value");
    assert!(error.message.contains("`repair.md (built in):4`: undefined variable: `feedback`"), "{}", error.message);
    assert_eq!(prompts().render("nothing", json!({})).expect_err("none").message, "there is no template `nothing.md`");
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_an_error(text in "[a-z{}%#\\n \"'|.()*+-]{0,200}") {
        if let Ok(prompts) = overridden("repair", &text) {
            let _ = prompts.render("repair", json!({"feedback": text}));
        }
    }

    #[test]
    fn a_fence_holds_its_text_whatever_it_is(text in "[`a\\n]{0,40}") {
        let block = fenced(&text);
        let fence = block.lines().next().expect("a fence");
        prop_assert_eq!(block.lines().filter(|line| line.starts_with(fence)).count(), 2);
        prop_assert!(block.ends_with(fence));
    }
}
