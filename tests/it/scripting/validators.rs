//! The built-in validators on real files: what passes, what fails and with which words, and what they cannot tell.
//!
//! The programs are those of the recorded conversations.
#![expect(clippy::expect_used, reason = "a test that cannot go on ends")]

use std::path::Path;

use faos::scripting::{Opinion, Validation};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::bash::{Bash, built_in, wait};

fn validate(bash: &Bash) -> Vec<Validation> {
    let scripts = built_in();
    let (at, cancel) = (bash.setting(), CancellationToken::new());
    let changed = bash.files().into_iter().map(|path| json!({"path": path, "kind": "created"})).collect();
    let hooked = wait(scripts.on_validate(&at, changed, bash.files(), bash.host(), &cancel)).expect("the thread lives");
    let broken: Vec<_> = hooked.hooks.iter().filter(|hook| hook.outcome == "failed").collect();
    assert!(broken.is_empty(), "{broken:?}");
    hooked.decision
}

/// The one opinion there is.
fn opinion(bash: &Bash) -> (Opinion, String) {
    let opinions = validate(bash);
    let [opinion] = opinions.as_slice() else { panic!("{opinions:?}") };
    (opinion.outcome, opinion.feedback.clone())
}

fn recorded(slug: &str, state: &str) -> Bash {
    Bash::copy_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validation").join(slug).join(state))
}

#[test]
fn finished_programs_pass() {
    for slug in [
        "01-todo",
        "02-csv-json",
        "03-markdown",
        "04-rust-wordfreq",
        "05-life",
        "06-backup-rotate",
        "07-snake",
        "08-c-matmul",
        "09-notes-api",
        "10-shop-generator",
        "11-todo-followup",
        "12-bugfix",
    ] {
        let bash = recorded(slug, "passing");
        let before = bash.files();
        assert_eq!(opinion(&bash), (Opinion::Passed, String::new()), "{slug}");
        assert!(!bash.files().iter().any(|path| path.contains("__pycache__")), "{slug}");
        assert!(bash.files().len() >= before.len(), "{slug}");
    }
}

#[test]
fn first_replies_fail_with_what_a_model_needs() {
    for (slug, command, told) in [
        (
            "01-todo",
            "python3 -B -m unittest discover -p 'test*.py'",
            &["FAIL: ", "test_todo.py", "FAILED (failures=2)"][..],
        ),
        ("02-csv-json", "unittest discover", &["ERROR: ", "JSONDecodeError", "FAILED (errors=1)"]),
        ("07-snake", "unittest discover -s 'tests'", &["FAIL: ", "AssertionError", "FAILED (failures=1)"]),
        (
            "09-notes-api",
            "unittest discover",
            &["SQLite objects created in a thread can only be used in that same thread"],
        ),
        ("03-markdown", "npm test", &["bold in italic", "snake_case_name", "<strong>both"]),
        ("08-c-matmul", "make test", &["main.c:18:5: error: implicit declaration of function", "clock_gettime"]),
        (
            "04-rust-wordfreq",
            "cargo check",
            &["expected `String`, found `&str`", "can't compare", "--> src/lib.rs:73:9"],
        ),
    ] {
        let bash = recorded(slug, "failing");
        let (outcome, feedback) = opinion(&bash);
        assert_eq!(outcome, Opinion::Failed, "{slug}: {feedback}");
        assert!(feedback.starts_with('`') && feedback.contains(command), "{slug}: {feedback}");
        for part in told {
            assert!(feedback.contains(part), "{slug}: `{part}` is not in\n{feedback}");
        }
        assert!(!feedback.contains(&bash.root()), "{slug}: {feedback}");
        assert!(
            !feedback.contains("/unittest/") && !feedback.contains("\nok ") && !feedback.contains('✔'),
            "{slug}: {feedback}"
        );
        assert!(feedback.chars().count() <= 6_500, "{slug}: {} characters", feedback.chars().count());
    }
}

#[test]
fn files_that_do_not_compile_fail_before_any_test() {
    let bash = Bash::with(&[
        ("good.py", "x = 1\n"),
        ("bad file.py", "def f(:\n    pass\n"),
        ("test_x.py", "import nothing\n"),
    ]);
    let (outcome, feedback) = opinion(&bash);
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.starts_with("compiling the Python files failed"), "{feedback}");
    assert!(feedback.contains("File \"bad file.py\", line 1") && feedback.contains("SyntaxError"), "{feedback}");
}

#[test]
fn what_is_missing_from_the_sandbox_is_no_fault() {
    for (files, needs) in [
        (
            &[("app.py", "import no_such_package\n"), ("test_app.py", "import unittest\nimport app\n")][..],
            "needs no_such_package",
        ),
        (
            &[
                ("test_app.py", "import pytest\n\ndef test_it():\n    assert True\n"),
                ("pytest.py", "raise ImportError\n"),
            ],
            "needs pytest",
        ),
        (&[("a.py", "x = 1\n"), ("Makefile", "test:\n\tno-such-program a.py\n")], "needs no-such-program"),
    ] {
        let (outcome, feedback) = opinion(&Bash::with(files));
        assert_eq!((outcome, feedback.as_str()), (Opinion::None, needs));
    }
}

#[test]
fn a_module_that_the_project_should_have_is_a_fault() {
    let test = "import unittest\nimport shop\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        pass\n";
    let (outcome, feedback) = opinion(&Bash::with(&[("test_shop.py", test)]));
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.contains("No module named 'shop'"), "{feedback}");
}

#[test]
fn a_projects_own_target_comes_first() {
    let failing = "import unittest\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.fail()\n";
    let bash = Bash::with(&[("test_a.py", failing), ("Makefile", "all:\n\ntest :\n\t@echo own target\n")]);
    assert_eq!(opinion(&bash).0, Opinion::Passed);
    let bash = Bash::with(&[("it's/shop_test.py", failing), ("latest.py", "raise SystemExit(7)\n")]);
    assert_eq!(opinion(&bash).0, Opinion::Failed);
    let bash = Bash::with(&[("latest.py", "raise SystemExit(7)\n"), ("test_b.py", "x = 1\n")]);
    assert_eq!(opinion(&bash).0, Opinion::Passed);
    let bash = Bash::with(&[("test_a.py", failing), ("package.json", "{\"scripts\": {\"build\": \"x\"}}")]);
    assert_eq!(opinion(&bash).0, Opinion::Failed);
}

#[test]
fn shell_scripts_must_be_readable_for_bash() {
    let bash =
        Bash::with(&[("a.sh", "echo ok\n"), ("deep/run me", "#!/bin/bash\nif true; then\n"), ("notes.txt", "if (")]);
    let (outcome, feedback) = opinion(&bash);
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.contains("deep/run me: line"), "{feedback}");
    assert_eq!(validate(&Bash::with(&[("notes.txt", "if (")])), []);
}

/// Paths and texts.
type Files<'a> = &'a [(&'a str, &'a str)];

/// Each of these projects is judged with these words, or with those after a `|`.
fn judged(cases: &[(Files<'_>, Opinion, &str)]) {
    for (files, wanted, part) in cases {
        let (outcome, feedback) = opinion(&Bash::with(files));
        assert_eq!(outcome, *wanted, "{files:?}: {feedback}");
        let found = part.split('|').any(|part| feedback.contains(part));
        assert!(found, "{files:?}: `{part}` is not in\n{feedback}");
    }
}

#[test]
fn javascript_is_read_and_tested() {
    let test = "const test = require('node:test');\nconst { add } = require('../add.js');\n\
                test('adds', () => require('node:assert').strictEqual(add(1, 2), 3));\n";
    let good = "exports.add = (a, b) => a + b;\n";
    judged(&[
        (&[("add.js", good)], Opinion::Passed, ""),
        (&[("add.js", good), ("test/add.test.js", test)], Opinion::Passed, ""),
        (&[("add.js", "exports.add = (a, b) => a - b;\n"), ("test/add.test.js", test)], Opinion::Failed, "-1 !== 3"),
        (
            &[("a.test.mjs", "import assert from 'node:assert';\n\nassert.equal(1, 2);\n")],
            Opinion::Failed,
            "(a.test.mjs:3:8)|a.test.mjs:3:8\n",
        ),
        (&[("it's.js", "let x = ;\n")], Opinion::Failed, "it's.js:1\nlet x = ;"),
        (&[("web/app.js", "import { a } from './a.js';\nlet x = ;\n")], Opinion::Failed, "web/app.js:2"),
        (&[("app.js", "import { a } from './a.js';\na();\n")], Opinion::Passed, ""),
        (&[("a.mjs", "require = 1;\nexport let b\n")], Opinion::Passed, ""),
        (
            &[("package.json", "{\"type\": \"module\"}"), ("src/a.js", "await 1;\nlet;;\n")],
            Opinion::Failed,
            "src/a.js:2",
        ),
    ]);
}

/// Of the frames of a module's test, those of the project stay, without the folder that this machine has it in.
#[test]
fn frames_of_nodes_own_are_cut() {
    let test = "import test from 'node:test';\nimport assert from 'node:assert';\n\
                test('sum', () => {\n  assert.equal(1 + 1, 3);\n});\n";
    let (outcome, feedback) = opinion(&Bash::with(&[("a.test.mjs", test)]));
    assert_eq!(outcome, Opinion::Failed, "{feedback}");
    assert!(feedback.contains("(a.test.mjs:4:10)"), "{feedback}");
    assert!(!feedback.contains("(node:") && !feedback.contains("file://"), "{feedback}");
}

#[test]
fn what_javascript_lacks_is_no_fault() {
    let package = |script: &str| format!("{{\"scripts\": {{\"test\": \"{script}\"}}}}");
    let (jest, own) = (package("jest"), package("node check.js"));
    judged(&[
        (&[("package.json", &jest), ("a.js", "")], Opinion::None, "needs jest"),
        (&[("package.json", &own), ("check.js", "require('left-pad/lib');\n")], Opinion::None, "needs left-pad"),
        (
            &[("package.json", &own), ("check.js", "require('./lost');\n")],
            Opinion::Failed,
            "Cannot find module './lost'",
        ),
        (
            &[("package.json", &own), ("check.js", "require('near');\n"), ("near.js", "")],
            Opinion::Failed,
            "Cannot find module 'near'",
        ),
        (&[("setup.js", ""), ("src/a.ts", "let x: number = 1;\n")], Opinion::None, "needs tsc or a test script"),
        (
            &[("package.json", &own), ("check.js", "process.exit(3);\n")],
            Opinion::Failed,
            "`npm test` failed (exit code",
        ),
        (&[("a.test.js", "describe('x', () => { require('assert'); });\n")], Opinion::None, "has `describe`"),
        (&[("a.ts", "let x: number = 1;\n")], Opinion::None, "needs tsc or a test script"),
    ]);
    let element = "export default () => <p className='a'>b</p>;\n";
    let jsx = [("package.json", "{\"dependencies\": {\"react\": \"19\"}}"), ("App.js", element)];
    assert_eq!(opinion(&Bash::with(&jsx)).0, Opinion::None);
    assert_eq!(opinion(&Bash::with(&[("App.js", element)])).0, Opinion::Failed);
    let files = [("package.json", own.as_str()), ("check.js", "process.exit(3);\n")];
    let (outcome, told) = opinion(&Bash::with_only(&["bash", "node"], &files));
    assert_eq!((outcome, told.trim()), (Opinion::Failed, "`npm test` failed (exit code 3):"), "no npm is needed");
    let bash = Bash::with_only(&["bash"], &[("a.js", "let x = ;\n")]);
    assert_eq!(opinion(&bash), (Opinion::None, "needs node".to_owned()));
}

#[test]
fn rust_is_built_and_tested() {
    let manifest = "[package]\nname = \"adding\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let library =
        "pub fn add(a: u8, b: u8) -> u8 {\n    a - b\n}\n\n#[test]\nfn adds() {\n    assert_eq!(add(2, 1), 3);\n}\n";
    let mended = library.replace("a - b", "a + b");
    judged(&[
        (&[("Cargo.toml", manifest), ("src/lib.rs", &mended)], Opinion::Passed, ""),
        (&[("Cargo.toml", manifest), ("src/lib.rs", library)], Opinion::Failed, "panicked at src/lib.rs:7"),
        (&[("Cargo.toml", "[package]\nname = 3\n"), ("src/lib.rs", library)], Opinion::Failed, "invalid type"),
        (&[("it's/Cargo.toml", manifest), ("it's/src/lib.rs", "fn f() -> u8 {}\n")], Opinion::Failed, "E0308"),
        (&[("hello.rs", "fn main() {\n    println!(\"{}\", name);\n}\n")], Opinion::Failed, "`rustc"),
        (&[("hello.rs", "fn main() {}\n"), ("other.rs", "pub fn f( {}\n")], Opinion::Passed, ""),
        (
            &[("hello.rs", "fn main() {}\n#[test]\nfn fails() {\n    panic!()\n}\n")],
            Opinion::Failed,
            "`rustc --edition 2021 --test 'hello.rs'` failed (exit code 101)",
        ),
        // Crates side by side are each their own.
        (
            &[
                ("a/Cargo.toml", manifest),
                ("a/src/lib.rs", ""),
                ("bb/Cargo.toml", FAILING_CRATE),
                ("bb/lib.rs", "fn f( {}\n"),
            ],
            Opinion::Failed,
            "`cd './bb/' && cargo check",
        ),
    ]);
}

#[test]
fn what_rust_lacks_is_no_fault() {
    let with = |dependency: &str| {
        format!("[package]\nname = \"needy\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n{dependency}\n")
    };
    let (absent, lost) = (with("no-such-crate = \"1\""), with("near = { path = \"../near\" }"));
    judged(&[
        (&[("Cargo.toml", &absent), ("src/lib.rs", "")], Opinion::None, "needs the crate no-such-crate"),
        (&[("Cargo.toml", &lost), ("src/lib.rs", "")], Opinion::Failed, "failed to get `near`"),
        (&[("notes.rs", "pub fn f() {}\n")], Opinion::None, "needs a Cargo.toml"),
    ]);
    let bash = Bash::with_only(&["bash"], &[("Cargo.toml", &absent)]);
    assert_eq!(opinion(&bash), (Opinion::None, "needs cargo".to_owned()));
}

#[test]
fn c_is_built_as_the_project_says() {
    let main = "#include <stdio.h>\n#include <math.h>\n#include \"area.h\"\nint main(void) {\n    printf(\"%g\\n\", sqrt(area(2)));\n    return 0;\n}\n";
    let header = "double area(double side);\n";
    let area = "#include \"area.h\"\ndouble area(double side) { return side * side; }\n";
    judged(&[
        (&[("main.c", main), ("area.h", header), ("area.c", area)], Opinion::Passed, ""),
        (&[("main.c", main), ("area.h", header)], Opinion::Failed, "undefined reference to `area'"),
        (&[("src/main.c", main), ("my lib/area.h", header), ("my lib/area.c", area)], Opinion::Passed, ""),
        (&[("main.c", main)], Opinion::Failed, "area.h: No such file or directory"),
        (&[("a.c", "int f(void) { return lost(); }\n")], Opinion::Failed, "a.c:1:22: error: "),
        (&[("a.cpp", "#include <concepts>\nint main() { return std::integral<int> ? 0 : 1; }\n")], Opinion::Passed, ""),
        (&[("it's.cpp", "#include <vector>\nint main() { std::vector<int> x = 1 }\n")], Opinion::Failed, "it's.cpp:2:"),
        (&[("tool.c", "int helper(void) { return 1; }\n")], Opinion::Passed, ""),
        (&[("a.c", "int a;\n"), ("Makefile", "all:\n\t@echo not built; exit 4\n")], Opinion::Failed, "`make` failed"),
        (
            &[("a.c", "int a;\n"), ("Makefile", "prog: lost.o\n\tcc lost.o\n")],
            Opinion::Failed,
            "No rule to make target",
        ),
        (
            &[("a.c", "int a;\n"), ("Makefile", "test:\n\t./prog\n")],
            Opinion::Failed,
            "prog: not found|prog: No such file",
        ),
        (&[("notes.txt", "x"), ("Makefile", "test:\n\tfalse\n")], Opinion::Failed, "`make test` failed"),
    ]);
}

#[test]
fn what_c_lacks_is_no_fault() {
    judged(&[
        (&[("a.c", "#include <no/such.h>\nint a;\n")], Opinion::None, "needs no/such.h"),
        (
            &[("a.c", "#include <own.h>\nint a;\n"), ("deep/own.h", ""), ("Makefile", "a.o: a.c\n")],
            Opinion::Failed,
            "own.h: No such file",
        ),
        (
            &[("a.c", "int main(void) { return 0; }\n"), ("Makefile", "a: a.c\n\tcc a.c -o a -lno-such\n")],
            Opinion::None,
            "needs the library no-such",
        ),
        (&[("a.c", "int a;\n"), ("Makefile", "a: a.c\n\tno-such-cc a.c\n")], Opinion::None, "needs no-such-cc"),
        (&[("a.c", "#include \"config.h\"\n"), ("meson.build", "")], Opinion::None, "needs Meson to build it"),
    ]);
    for (files, needs) in [
        (&[("a.c", "int a;\n")][..], "needs cc"),
        (&[("a.c", "int a;\n"), ("Makefile", "a.o: a.c\n")], "needs make"),
        (&[("a.cpp", "int a;\n"), ("CMakeLists.txt", "project(a)\n")], "needs cmake"),
    ] {
        assert_eq!(opinion(&Bash::with_only(&["bash"], files)), (Opinion::None, needs.to_owned()));
    }
}

const FAILING_CRATE: &str =
    "[package]\nname = \"failing\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n";

/// A Makefile's tests are made once, whatever languages there are.
#[test]
fn a_makefiles_tests_are_made_by_one_validator() {
    for files in [
        &[("a.c", "int a;\n"), ("b.py", "x = 1\n"), ("c.js", "1;\n"), ("d.sh", "true\n")][..],
        &[("b.py", "x = 1\n"), ("c.js", "1;\n"), ("d.sh", "true\n")],
        &[("c.js", "1;\n"), ("package.json", "{\"scripts\": {\"test\": \"false\"}}")],
        &[("d.sh", "true\n")],
        &[("a.c", "int a;\n"), ("Cargo.toml", FAILING_CRATE), ("lib.rs", "#[test]\nfn fails() {\n    panic!()\n}\n")],
    ] {
        let bash = Bash::with(files);
        bash.put("Makefile", "check test: all\n\t@echo made >>made.txt\nall:\n");
        let opinions = validate(&bash);
        assert!(opinions.iter().all(|opinion| opinion.outcome == Opinion::Passed), "{opinions:?}");
        assert_eq!(std::fs::read_to_string(bash.path("made.txt")).expect("made"), "made\n", "{files:?}");
    }
}

/// A justfile stands for the whole project too; without just, a language's own tests count.
#[test]
fn a_justfile_is_a_target_where_just_is() {
    let just = "test := \"x\"\n\ntest filter=\"all\": build\n    exit 1\n";
    let failing = "import unittest\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.fail()\n";
    let mut bash = Bash::with(&[("justfile", just), ("test_a.py", failing), ("b.sh", "true\n")]);
    let failed = |bash: &Bash| {
        let opinions = validate(bash).into_iter().filter(|opinion| opinion.outcome == Opinion::Failed);
        opinions.map(|opinion| opinion.feedback).collect::<String>()
    };
    let told = failed(&bash);
    assert!(told.contains("unittest discover") && told.contains("FAILED (failures=1)"), "{told}");
    bash.add_program("just", "echo \"just was asked to $1\"\nexit 3");
    let told = failed(&bash);
    assert_eq!(told, "`just test` failed (exit code 3):\n\njust was asked to test");
    judged(&[(&[("justfile", "test:\n    go test\n"), ("main.zig", "")], Opinion::None, "needs just")]);
}

/// What only looks like a reference: text of scripts and of code that is shown, routes, pages whose base is elsewhere.
#[test]
fn what_only_a_server_or_a_script_knows_is_no_reference() {
    let shown = "<pre><script src='a.js'></script></pre><script>x = \"<a href='b.html'>\"</script>\n\
                 <a href='login'>in</a><a href='docs/'>docs</a><a href='example.com'>out</a>\n";
    for page in [shown, "<base href='/app/'><script src='a.js'></script>\n"] {
        assert_eq!(validate(&Bash::with(&[("index.html", page)])), [], "{page}");
    }
    let page = "<link rel=stylesheet href=a.css>\n<script type='module' src='app.js'></script>\n";
    let script = "import {\n  b,\n} from './b.js';\nimport './c.js';\nimport d from 'd';\nb(d);\n";
    let opinions = validate(&Bash::with(&[("index.html", page), ("app.js", script), ("css/a.css", "")]));
    let told = "These references lead to no file of the project:\n\nindex.html: a.css (there is css/a.css)\napp.js: ./b.js\napp.js: ./c.js";
    assert_eq!(opinions.last().map(|opinion| opinion.feedback.as_str()), Some(told));
}

#[test]
fn what_pages_refer_to_is_there() {
    let page = "<link rel='stylesheet' href='css/a.css?v=1'><img src=\"logo.png\"><!-- <script src='old.js'> -->\n\
                <a href=\"#top\">up</a><a href='https://example.org/x.html'>out</a><a href='/about'>about</a>\n";
    let style = "@import 'base.css';\nbody { background: url(../shade.svg) }\n/* url(old.svg) */\n";
    let files = |more: &[(&'static str, &'static str)]| [&[("index.html", page), ("css/a.css", style)], more].concat();
    let both = [("css/base.css", ""), ("shade.svg", "<svg/>")];
    let lost = "These references lead to no file of the project:\n\ncss/a.css: base.css\ncss/a.css: ../shade.svg";
    assert_eq!(opinion(&Bash::with(&files(&[]))), (Opinion::Failed, lost.to_owned()));
    let bash = Bash::with(&files(&both));
    assert_eq!(opinion(&bash).0, Opinion::Passed);
    assert_eq!(bash.said(), ["built-in/50-validate-web.rhai: index.html shows logo.png, which is not there"]);
    for nothing in [
        &[("index.html", "<h1>One page</h1>\n")][..],
        &[("index.html", "<script src=\"{{ url_for('x') }}\"></script>\n")],
        &[("index.html", "<script src=\"bundle.js\"></script>\n"), ("vite.config.ts", "export default {};\n")],
        &[("main.rb", ""), ("index.html", "<link href='a.css'>"), ("a.css", "")],
    ] {
        let opinions = validate(&Bash::with(nothing));
        let of_pages = opinions.iter().filter(|opinion| opinion.script.contains("web"));
        assert_eq!(of_pages.count(), 0, "{nothing:?}: {opinions:?}");
    }
}

#[test]
fn data_can_be_read() {
    let entries: Vec<String> = (0..9_000).map(|number| format!("\"key {number}\": [{number}]")).collect();
    let large = format!("{{{}}}", entries.join(", "));
    judged(&[
        (&[("a.json", "{\"a\": [1, 2]}\n"), ("b.toml", "a = 1\n"), ("README.md", "")], Opinion::Passed, ""),
        (&[("a.json", "{\"a\": 1,}\n")], Opinion::Failed, "These files cannot be read:\n\na.json: "),
        (&[("a.json", &large), ("b.json", "\u{feff}{}")], Opinion::Passed, ""),
        (&[("a.json", "{}"), ("empty.json", "\n")], Opinion::Passed, ""),
        (&[("a.json", &large[1..])], Opinion::Failed, "a.json: Extra data"),
        (&[("b.toml", "a = 1\na = 2\n"), ("main.rb", "")], Opinion::Failed, "b.toml: Cannot overwrite a value"),
    ]);
    for nothing in [
        &[("tsconfig.json", "{ // strict\n}\n")][..],
        &[(".vscode/settings.json", "{ /* mine */ }\n")],
        &[("turbo.json", "// mine\n{}\n")],
        &[("tests/broken.json", "{")],
        &[("main.rb", ""), ("a.json", "{}")],
    ] {
        assert_eq!(validate(&Bash::with(nothing)), [], "{nothing:?}");
    }
    let bash = Bash::with_only(&["bash"], &[("a.toml", "a = \n")]);
    assert_eq!(opinion(&bash), (Opinion::None, "needs python3 with tomllib".to_owned()));
}

/// `PyYAML` is a package of its own: what is tried is a stand-in for it, and without one a machine that has none.
#[test]
fn yaml_is_read_where_python_can() {
    let reader = "SafeLoader = None\ndef parse(text, Loader):\n    if '\\t' in text:\n        raise ValueError('found a tab')\n    return []\n";
    for (reader, text, outcome, told) in [
        (reader, "a: 1\n", Opinion::Passed, ""),
        (reader, "a:\n\tb: 2\n", Opinion::Failed, "These files cannot be read:\n\na.yml: found a tab\n"),
        (reader, "a: {{ b }}\n\tb: 2\n", Opinion::Passed, ""),
        (reader, "a: ${{ b }}\n\tb: 2\n", Opinion::Failed, "These files cannot be read:\n\na.yml: found a tab\n"),
        ("raise ImportError\n", "a:\n\tb: 2\n", Opinion::None, "needs python3 with yaml"),
    ] {
        let mut bash = Bash::with(&[("a.yml", text)]);
        let packages = Bash::with(&[("yaml.py", reader)]);
        bash.set("PYTHONPATH", packages.path(""));
        assert_eq!(opinion(&bash), (outcome, told.to_owned()), "{text}");
    }
}

/// Starting Node for each of hundreds of files takes long, and a message is not to blame for what it left alone.
#[test]
fn of_many_javascript_files_those_that_changed_are_read() {
    let bash = Bash::with(&[("old.js", "let x = ;\n"), ("mine.js", "let y = 1;\n")]);
    (0..100).for_each(|number| bash.put(&format!("part{number}.js"), "1;\n"));
    let told = |changed: &str| {
        let (at, cancel) = (bash.setting(), CancellationToken::new());
        let changed = vec![json!({"path": changed, "kind": "modified"})];
        let hooked = wait(built_in().on_validate(&at, changed, bash.files(), bash.host(), &cancel));
        hooked.expect("the thread lives").decision.first().map(|opinion| opinion.outcome)
    };
    assert_eq!(told("mine.js"), Some(Opinion::Passed));
    assert_eq!(told("old.js"), Some(Opinion::Failed));
    assert_eq!(told("notes.md"), None);
}

#[test]
fn java_is_compiled() {
    let good =
        "public class Main {\n    public static void main(String[] args) {\n        System.out.println(1);\n    }\n}\n";
    let test = "import org.junit.Test;\npublic class MainTest {\n    @Test public void works() { }\n}\n";
    judged(&[
        (&[("Main.java", good)], Opinion::Passed, ""),
        (
            &[("Main.java", &good.replace("println(1)", "println(x)"))],
            Opinion::Failed,
            "Main.java:3: error: cannot find symbol",
        ),
        (&[("Main.java", good), ("MainTest.java", test)], Opinion::None, "needs JUnit"),
        (
            &[("A.java", "import com.google.gson.Gson;\nclass A { }\n")],
            Opinion::None,
            "needs the package com.google.gson",
        ),
        (&[("shop/A.java", "package shop;\nimport shop.cart.B;\nclass A { }\n")], Opinion::Failed, "shop.cart"),
        (&[("Main.java", good), ("Makefile", "test:\n\t@echo wrong; exit 3\n")], Opinion::Failed, "`make test` failed"),
        (&[("src/main/java/Main.java", good), ("build.gradle", "")], Opinion::None, "needs gradle"),
    ]);
    assert_eq!(
        opinion(&Bash::with_only(&["bash", "env"], &[("Main.java", good)])),
        (Opinion::None, "needs javac".to_owned())
    );
}

/// On a machine with this program.
pub(super) fn with_program(name: &str, script: &str, files: &[(&str, &str)]) -> Bash {
    let mut bash = Bash::with(files);
    bash.add_program(name, script);
    bash
}

#[test]
fn go_is_vetted_and_tested_and_a_missing_module_is_no_fault() {
    let files = &[("go.mod", "module x\n\ngo 1.22\n"), ("main.go", "package main\n\nfunc main() { }\n")];
    assert_eq!(opinion(&Bash::with(files)), (Opinion::None, "needs go".to_owned()));
    assert_eq!(opinion(&with_program("go", "[ \"$GOPROXY\" = off ]", files)).0, Opinion::Passed);
    let failing = "case $1 in test) echo '--- FAIL: TestAdd (0.00s)'; echo '    add_test.go:6: got 3'; exit 1 ;; esac";
    let (outcome, feedback) = opinion(&with_program("go", failing, files));
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.starts_with("`go test ./...` failed") && feedback.contains("add_test.go:6"), "{feedback}");
    let missing =
        "echo 'main.go:3:8: no required module provides package github.com/spf13/cobra; to add it:' >&2; exit 1";
    let needs = (Opinion::None, "needs the module github.com/spf13/cobra".to_owned());
    assert_eq!(opinion(&with_program("go", missing, files)), needs);
}

#[test]
fn go_files_without_a_module_are_one_package_or_programs_of_their_own() {
    let files = &[("a.go", "package main\n"), ("b.go", "package main\n"), ("c/d.go", "package c\n")];
    let together = "[ \"$*\" = 'vet .' ] && [ \"$GO111MODULE\" = off ] || { echo \"alone: $*\"; exit 1; }";
    assert_eq!(opinion(&with_program("go", together, files)).0, Opinion::Passed);
    let alone = "[ \"$*\" = 'vet .' ] && [ -e a.go ] && { echo 'main redeclared'; exit 1; } || true";
    assert_eq!(opinion(&with_program("go", alone, files)).0, Opinion::Passed);
    let broken = "[ ! -e a.go ] || { echo 'a.go:3:1: undefined: x'; exit 1; }";
    let (outcome, feedback) = opinion(&with_program("go", broken, files));
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.starts_with("`go vet .` failed") && feedback.contains("undefined: x"), "{feedback}");
    let tested = &[("a.go", "package main\n"), ("a_test.go", "package main\n")];
    let failing = "case $1 in test) echo '--- FAIL: TestAdd'; exit 1 ;; esac";
    assert_eq!(opinion(&with_program("go", failing, tested)).0, Opinion::Failed);
    // The tests of one of several programs cannot be run with the others beside it: of them nothing is said.
    let programs = &[("a.go", "package main\n"), ("a_test.go", "package main\n"), ("b.go", "package main\n")];
    assert_eq!(opinion(&with_program("go", "[ \"$2\" != . ] || exit 1", programs)).0, Opinion::Passed);
}

#[test]
fn linters_count_where_they_are_there() {
    let script = &[("a.sh", "echo ok\n")];
    let found = "echo 'a.sh:1:6: error: x [SC1000]'; exit 1";
    let (outcome, feedback) = opinion(&with_program("shellcheck", found, script));
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.starts_with("`shellcheck` failed") && feedback.contains("a.sh:1:6: error"), "{feedback}");
    assert_eq!(opinion(&with_program("shellcheck", "[ $# -gt 3 ]", script)).0, Opinion::Passed);
    let module = &[("a.py", "x = 1\n")];
    let (outcome, feedback) =
        opinion(&with_program("ruff", "echo 'a.py:1:5: F821 Undefined name `y`'; exit 1", module));
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.starts_with("`ruff check` failed") && feedback.contains("F821"), "{feedback}");
}

#[test]
fn typescript_is_checked_where_a_checker_is_there() {
    let files = &[("main.ts", "const x: number = 1;\n")];
    let told = "needs tsc or a test script: Node does not read TypeScript or JSX by itself";
    assert_eq!(opinion(&Bash::with(files)), (Opinion::None, told.to_owned()));
    assert_eq!(opinion(&with_program("tsc", "[ \"$1\" = --noEmit ]", files)).0, Opinion::Passed);
    let fault = "echo \"main.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.\"; exit 2";
    let (outcome, feedback) = opinion(&with_program("tsc", fault, files));
    assert_eq!(outcome, Opinion::Failed);
    assert!(feedback.starts_with("`tsc --noEmit` failed") && feedback.contains("TS2322"), "{feedback}");
    let types = "echo \"error TS2580: Cannot find name 'process'. Try \\`npm i --save-dev @types/node\\`.\"; exit 2";
    assert_eq!(opinion(&with_program("tsc", types, files)), (Opinion::None, "needs @types/node".to_owned()));
}

#[test]
fn sql_is_read_where_its_dialect_is_known() {
    let python = ("app.py", "import sqlite3\n");
    let of_sql = |files: &[(&str, &str)]| {
        let found = validate(&Bash::with(files)).into_iter().find(|one| one.script.contains("validate-sql"));
        found.map(|one| (one.outcome, one.feedback))
    };
    let schema = "-- tables\nCREATE TABLE a (x INTEGER);\nINSERT INTO a VALUES (';');\nSELECT * FROM later;\n";
    assert_eq!(of_sql(&[python, ("schema.sql", schema)]), None);
    let (outcome, told) = of_sql(&[python, ("schema.sql", "CREATE TABLE a (x);\nSELEC 1;\n")]).expect("an opinion");
    assert_eq!(outcome, Opinion::Failed);
    assert!(told.contains("schema.sql:2: near \"SELEC\": syntax error"), "{told}");
    let ends = "CREATE TABLE a (x); CREATE TABLE b (x);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END;\n-- the end; of it\n";
    assert_eq!(of_sql(&[python, ("schema.sql", ends)]), None);
    let (_, told) = of_sql(&[python, ("schema.sql", "SELECT 1; SELEC 2;\n")]).expect("an opinion");
    assert!(told.contains("schema.sql:1: near \"SELEC\": syntax error"), "{told}");
    assert_eq!(of_sql(&[python, ("schema.sql", "-- plan\nEXPLAIN QUERY PLAN SELECT 1;\n")]), None);
    let (outcome, _) = of_sql(&[python, ("schema.sql", "S\0ELECT 1;\n")]).expect("an opinion");
    assert_eq!(outcome, Opinion::None, "what the checker cannot read is no fault");
    let needs = Some((Opinion::None, "needs a checker for this dialect of SQL".to_owned()));
    assert_eq!(of_sql(&[("schema.sql", schema)]), needs);
}
