//! Which scripts there are, in which order, and what is refused before anything runs.

use std::path::Path;

use super::super::{PromptDecision, built_in};
use super::{Folders, World, load, load_error, never, repository, setting, wait};
use crate::base::digest::sha256;
use crate::base::fs;

#[test]
fn the_table_is_the_folder() {
    let folder = repository("scripts");
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(&folder).sort_by_file_name() {
        let entry = entry.expect("listed");
        let name = entry.path().strip_prefix(&folder).expect("below").to_string_lossy().into_owned();
        if entry.file_type().is_file() && !name.ends_with(".d.rhai") {
            files.push((name, fs::read_text(entry.path()).expect("read")));
        }
    }
    let table: Vec<(String, String)> = built_in().iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
    assert_eq!(table, files);
}

#[test]
fn each_built_in_script_opens_with_what_it_decides() {
    for (name, text) in built_in() {
        assert!(text.starts_with("// "), "{name}");
        assert!(name.starts_with("lib/") || text.starts_with("// Decides "), "{name}");
    }
}

#[test]
fn origins_come_in_order_and_names_replace() {
    let handler = "fn on_prompt(ev) { }";
    let (folders, scripts) = load(&[
        ("user/90-b.rhai", handler),
        ("user/05-a.rhai", handler),
        ("user/20-tidy.rhai", handler),
        ("user/notes.txt", "no script"),
        ("user/types.d.rhai", "no script"),
        ("project/01-c.rhai", handler),
    ]);
    let labels: Vec<String> = scripts.list().into_iter().map(|script| script.label).collect();
    let built: Vec<String> = built_in()
        .iter()
        .filter(|(name, _)| !name.starts_with("lib/"))
        .map(|(name, _)| if *name == "20-tidy.rhai" { format!("user/{name}") } else { format!("built-in/{name}") })
        .collect();
    let added = ["user/05-a.rhai", "user/90-b.rhai", "project/01-c.rhai"].map(str::to_owned);
    assert_eq!(labels, [built, added.to_vec()].concat());
    let tidy = scripts.list().into_iter().find(|script| script.label == "user/20-tidy.rhai").expect("listed");
    assert_eq!(tidy.events, ["on_prompt"]);
    assert_eq!(tidy.path, Some(folders.root.path().join("user/20-tidy.rhai")));
}

/// A project may tighten, never loosen: what it replaces goes on guarding.
#[test]
fn gates_that_a_project_replaces_stay() {
    let (_folders, scripts) = load(&[
        ("user/40-x.rhai", "fn on_prompt(ev) { deny(\"by the user\") } fn on_turn_end(ev) { more(\"user\") }"),
        ("project/40-x.rhai", "fn on_prompt(ev) { allow() }"),
    ]);
    let listed: Vec<(String, Vec<&str>)> = scripts
        .list()
        .into_iter()
        .filter(|script| script.label.ends_with("40-x.rhai"))
        .map(|script| (script.label, script.events))
        .collect();
    assert_eq!(
        listed,
        [("project/40-x.rhai".to_owned(), vec!["on_prompt"]), ("user/40-x.rhai".to_owned(), vec!["on_prompt"])]
    );
    let hooked = wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), World::default().host(), &never()))
        .expect("lives");
    let PromptDecision::Denied { script, why } = hooked.decision else { panic!("{hooked:?}") };
    assert_eq!((script.as_str(), why.as_str()), ("user/40-x.rhai", "by the user"));
}

#[test]
fn errors_of_loading_name_the_place() {
    for (text, want) in [
        ("fn on_prompt(ev) {\n  let x = ;\n}", "user/10-x.rhai:2:11: Unexpected ';'"),
        ("fn on_promt(ev) {}", "user/10-x.rhai:1:1: there is no event `on_promt`; did you mean `on_prompt`?"),
        ("\n  fn on_reply(ev, x) {}", "user/10-x.rhai:2:3: `on_reply` takes one parameter, the event, not 2"),
        ("fn on_run() {}", "user/10-x.rhai:1:1: `on_run` takes one parameter, the event, not 0"),
        ("fn on_requests(ev) {}", "user/10-x.rhai:1:1: there is no event `on_requests`; did you mean `on_request`?"),
        ("fn commands() { #{} }", "user/10-x.rhai: it has `commands` and no `on_command` that does them"),
        ("fn on_command(ev) { }", "user/10-x.rhai: it has `on_command` and no `commands` that names them"),
        ("fn on_prompt(ev) { evv }", "user/10-x.rhai:1:20: Undefined variable: evv"),
        ("fn on_prompt(ev) { x::y() }", "user/10-x.rhai:1:20: Undefined module: x"),
    ] {
        assert_eq!(load_error("user/10-x.rhai", text), want);
    }
    assert!(load_error("user/lib/a.rhai", "fn (").starts_with("user/lib/a.rhai:1:4: "));
    assert!(load_error("user/10-x.rhai", "fn on_prompt(ev) {").starts_with("user/10-x.rhai:1:"));
}

#[test]
fn modules_come_from_lib_and_from_nowhere_else() {
    let files = [
        (
            "user/lib/names.rhai",
            "import \"lib/deep\" as deep;\nconst A = 1;\nfn shout(s) { deep::twice(s.to_upper()) }",
        ),
        ("user/lib/deep.rhai", "fn twice(s) { s + s }"),
        (
            "user/10-x.rhai",
            "import \"lib/names\" as names;\nfn on_prompt(ev) { modify(#{text: names::shout(ev.text)}) }",
        ),
    ];
    let (_folders, scripts) = load(&files);
    let hooked = wait(scripts.on_prompt(&setting(), super::prompted("ab", "user"), World::default().host(), &never()))
        .expect("lives");
    assert_eq!(hooked.decision, PromptDecision::Go { text: "ABAB".to_owned(), context: Vec::new() });

    let outside = tempfile::tempdir().expect("a folder");
    fs::replace(&outside.path().join("evil.rhai"), b"fn f() { 1 }").expect("written");
    let absolute = outside.path().join("evil").display().to_string();
    for path in
        ["../evil", "lib/../../evil", "names", "lib/none", "/etc/passwd", "lib/names.rhai", absolute.as_str(), ""]
    {
        let text = format!("fn on_prompt(ev) {{ import `{path}` as m; m::f() }}");
        let (_folders, scripts) =
            load(&[("user/10-x.rhai", text.as_str()), ("user/evil.rhai", ""), files[0], files[1]]);
        let hooked =
            wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), World::default().host(), &never()))
                .expect("lives");
        assert!(hooked.hooks[0].note.contains("there is no module"), "{path}: {:?}", hooked.hooks);
    }
}

#[test]
fn a_module_that_imports_itself_is_an_error_in_its_place() {
    let (_folders, scripts) = load(&[
        ("user/lib/a.rhai", "import \"lib/b\" as b;"),
        ("user/lib/b.rhai", "import \"lib/a\" as a;"),
        ("user/10-x.rhai", "import \"lib/a\" as a;\nfn on_prompt(ev) { }"),
    ]);
    let hooked = wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), World::default().host(), &never()))
        .expect("lives");
    assert!(hooked.hooks[0].note.contains("imports itself"), "{:?}", hooked.hooks);
}

#[test]
fn a_link_in_a_projects_folder_is_not_followed() {
    let folders =
        Folders::with(&[("elsewhere/10-x.rhai", "fn on_prompt(ev) { deny(\"x\") }"), ("project/20-y.rhai", "")]);
    let target = folders.root.path().join("elsewhere/10-x.rhai");
    std::os::unix::fs::symlink(&target, folders.root.path().join("project/10-x.rhai")).expect("linked");
    let scripts = folders.load().expect("loads");
    assert!(!scripts.list().iter().any(|script| script.label == "project/10-x.rhai"));
}

#[test]
fn reloading_takes_what_compiles_and_keeps_the_rest() {
    let (folders, scripts) = load(&[("user/10-x.rhai", "fn on_prompt(ev) { modify(#{text: \"one\"}) }")]);
    let ask = || {
        let hooked =
            wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), World::default().host(), &never()))
                .expect("lives");
        let PromptDecision::Go { text, .. } = hooked.decision else { panic!("{hooked:?}") };
        text
    };
    assert_eq!(ask(), "one");
    folders.put("user/10-x.rhai", "fn on_prompt(ev) { modify(#{text: \"two\"}) }");
    wait(scripts.reload()).expect("compiles");
    assert_eq!(ask(), "two");
    folders.put("user/10-x.rhai", "fn on_prompt(ev) {");
    folders.put("user/11-y.rhai", "fn on_prompt(ev) { modify(#{text: \"three\"}) }");
    let error = wait(scripts.reload()).expect_err("does not compile");
    assert!(error.to_string().contains("10-x.rhai:1:"), "{error}");
    assert_eq!(ask(), "two");
}

/// What a project's scripts were when they were trusted stays in force; nothing else gets in, and no gate drops out.
#[test]
fn a_projects_script_that_has_changed_is_not_loaded() {
    let deny = "fn on_prompt(ev) { deny(\"by the project\") }";
    let mut folders = Folders::with(&[("project/10-x.rhai", deny)]);
    folders.options.trusted = Some([("10-x.rhai".to_owned(), sha256(deny.as_bytes()))].into());
    let scripts = folders.load().expect("trusted");
    let path = |name: &str| folders.root.path().join(name);
    for (name, text) in [
        ("project/10-x.rhai", Some("fn on_prompt(ev) { }")),
        ("project/10-x.rhai", None),
        ("project/20-y.rhai", Some("")),
    ] {
        match text {
            Some(text) => folders.put(name, text),
            None => fs::remove_file(&path(name)).expect("removed"),
        }
        let error = wait(scripts.reload()).expect_err("not trusted").to_string();
        assert!(error.contains(name) && error.contains("is not what you trusted"), "{error}");
        let asked =
            wait(scripts.on_prompt(&setting(), super::prompted("x", "user"), World::default().host(), &never()))
                .expect("lives");
        assert!(matches!(asked.decision, PromptDecision::Denied { .. }), "{asked:?}");
        folders.put("project/10-x.rhai", deny);
    }
}

#[test]
fn folders_that_are_not_there_are_no_error() {
    let folders = Folders::with(&[]);
    assert!(!Path::new(&folders.options.user.clone().expect("set")).exists());
    assert!(folders.load().is_ok());
}
