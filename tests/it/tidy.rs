//! The measurable part of the house's rules, read from the sources themselves. Every complaint names file, line and rule.
//!
//! `cargo test --test it tidy -- --nocapture` also prints the figures that are watched and not judged.

mod map;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use map::Map;
use source::{Function, Source};

const FILE_LINES: usize = 500;
const FILE_LINES_EVER: usize = 800;
const FUNCTION_LINES: usize = 60;
const FUNCTION_LINES_EVER: usize = 100;
const PACKAGES: usize = 260;

/// Files that may pass [`FILE_LINES`], each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Functions that may pass [`FUNCTION_LINES`]: file, name, reason.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[];

/// What stands in the top folder. Other hidden entries belong to the tools of whoever works here.
const TOP: &[&str] = &[
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "docs",
    "examples",
    "packaging",
    "prompts",
    "rustfmt.toml",
    "scripts",
    "src",
    "tests",
];

/// Recorded material, which may hold any text.
const DATA: &[&str] = &["tests/cases", "tests/replies", "tests/captures", "tests/validation"];

/// Names that stand for anybody's in a path below the folder of homes, beside every single letter.
const ANYBODY: &[&str] = &["user", "you", "me", "alice", "bob", "ada"];

/// The one place outside of `sandbox/` that asks the kernel what a child process cost.
const UNSAFE_IN_TESTS: &[&str] = &["tests/bench/child.rs"];

struct House {
    src: Vec<Source>,
    tests: Vec<Source>,
    map: Map,
    /// Files below `src/` that no `mod` line reaches.
    unreached: Vec<String>,
}

static HOUSE: LazyLock<House> = LazyLock::new(House::read);

impl House {
    fn read() -> Self {
        let mut src = sources("src");
        let map = Map::new(&src);
        let reached = map.reached(&src);
        reached.iter().filter(|(_, test)| **test).for_each(|(index, _)| src[*index].mark_as_test());
        let left_over = (0..src.len()).filter(|index| !reached.contains_key(index));
        let unreached = left_over.map(|index| src[index].path.clone()).collect();
        Self { tests: sources("tests"), src, map, unreached }
    }

    fn all(&self) -> impl Iterator<Item = &Source> {
        self.src.iter().chain(&self.tests)
    }

    /// The functions of the program itself, each with its file.
    fn functions(&self) -> Vec<(&Source, Function)> {
        let of = |source| Source::functions(source).into_iter().filter(|f| !f.test).map(move |f| (source, f));
        self.src.iter().flat_map(of).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let files =
        files_below(&root().join(folder)).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    files.map(|path| Source::parse(&relative(&path), &fs::read_to_string(&path).unwrap()).unwrap()).collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// Regular files, sorted; links are not followed.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files_below(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

#[track_caller]
fn none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "{} against the rules:\n{}", complaints.len(), complaints.join("\n"));
}

/// A complaint for each place where these tokens stand, in test code or outside of it.
fn places<'a>(source: &'a Source, words: &'a [&str], test: bool, rule: &'a str) -> impl Iterator<Item = String> + 'a {
    let found = (0..source.tokens.len()).filter(move |at| source.tokens[*at].test == test && source.is(*at, words));
    found.map(move |at| format!("{}:{}: {rule}", source.path, source.tokens[at].line))
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let is_data = |path: &str| DATA.iter().any(|data| path.starts_with(data));
    let bare = HOUSE.all().filter(|source| !is_data(&source.path) && !source.text.starts_with("//! "));
    none(bare.map(|source| format!("{}:1: a file opens with `//!` and what it owns", source.path)));
}

#[test]
fn files_are_short() {
    let lengths = HOUSE.src.iter().map(|source| (source, source.text.lines().count() - source.test_lines()));
    none(lengths.filter_map(|(source, lines)| {
        let excused = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        let most = if excused { FILE_LINES_EVER } else { FILE_LINES };
        let needless = excused && lines <= FILE_LINES;
        (lines > most || needless).then(|| match needless {
            true => format!("{}:1: needs no exception in LONG_FILES any more", source.path),
            false => format!("{}:1: {lines} lines without tests, at most {most}", source.path),
        })
    }));
}

#[test]
fn functions_are_short() {
    none(HOUSE.functions().into_iter().filter_map(|(source, function)| {
        let Function { name, line, lines, .. } = function;
        let excused = LONG_FUNCTIONS.iter().any(|(path, long, _)| *path == source.path && *long == name);
        let most = if excused { FUNCTION_LINES_EVER } else { FUNCTION_LINES };
        (lines > most).then(|| format!("{}:{line}: `{name}` has {lines} lines, at most {most}", source.path))
    }));
}

#[test]
fn modules_use_only_what_the_plan_allows() {
    let arrows = HOUSE.map.arrows(&HOUSE.src);
    none(arrows.iter().filter_map(|arrow| Some(format!("{}:{}: {}", arrow.file, arrow.line, map::forbidden(arrow)?))));
}

#[test]
fn no_two_modules_name_each_other() {
    none(map::mutual(&HOUSE.map.arrows(&HOUSE.src)));
}

#[test]
fn every_file_is_reached() {
    none(HOUSE.unreached.iter().map(|path| format!("{path}:1: no `mod` line reaches this file")));
}

#[test]
fn nothing_panics_on_purpose_outside_of_tests() {
    let calls = ["unwrap", "expect", "unwrap_err", "expect_err"].map(|name| [".", name, "("]);
    none(HOUSE.src.iter().flat_map(|source| {
        calls.iter().flat_map(|call| places(source, call, false, "no `unwrap` and no `expect` outside of tests"))
    }));
}

#[test]
fn nothing_is_left_to_do() {
    none(HOUSE.all().flat_map(|source| {
        [["todo", "!"], ["unimplemented", "!"]].into_iter().flat_map(move |words| {
            let found = (0..source.tokens.len()).filter(move |at| source.is(*at, &words));
            found.map(move |at| {
                format!("{}:{}: `{}!` stands for missing work", source.path, source.tokens[at].line, words[0])
            })
        })
    }));
}

#[test]
fn unsafe_code_is_in_the_sandbox_and_says_why_it_is_sound() {
    let found = HOUSE.all().flat_map(|source| {
        let tokens = source.tokens.iter().filter(|token| token.text == "unsafe");
        tokens.map(move |token| (source, token.line))
    });
    none(found.filter_map(|(Source { path, text, .. }, line)| {
        if !path.starts_with("src/sandbox/") && !UNSAFE_IN_TESTS.contains(&path.as_str()) {
            return Some(format!("{path}:{line}: `unsafe` only in src/sandbox/"));
        }
        (!says_why_sound(text, line))
            .then(|| format!("{path}:{line}: `unsafe` without a `// SAFETY:` comment above it"))
    }));
}

/// Goes up from the line over the statement's own earlier lines and attributes to the comment above it.
fn says_why_sound(text: &str, line: usize) -> bool {
    let above: Vec<&str> = text.lines().take(line - 1).map(str::trim).collect();
    let own = |line: &&&str| !line.is_empty() && !line.ends_with([';', '{', '}']);
    let mut reached = above.iter().rev().take_while(|line| line.starts_with("//") || own(line));
    reached.any(|line| line.starts_with("// SAFETY:") || line.starts_with("/// # Safety"))
}

#[test]
fn tests_neither_wait_nor_skip() {
    none(HOUSE.all().flat_map(|source| {
        let test = !source.path.starts_with("src/");
        let of_tests = |at: &usize| test || source.tokens[*at].test;
        let found = (0..source.tokens.len()).filter(of_tests).filter_map(|at| {
            let rule = match () {
                () if source.is(at, &["sleep", "("]) => "a test waits for what it needs, it does not `sleep`",
                () if source.is(at, &["#", "[", "ignore"]) => "no ignored tests",
                () => return None,
            };
            Some((source.tokens[at].line, rule))
        });
        let early = source.functions().into_iter().filter(|f| f.is_test).flat_map(|f| {
            f.body.filter(|at| source.is(*at, &["return", ";"])).map(|at| source.tokens[at].line).collect::<Vec<_>>()
        });
        let early = early.map(|line| (line, "a test that returns early skips in silence"));
        let all: BTreeSet<_> = found.chain(early).collect();
        all.into_iter().map(|(line, rule)| format!("{}:{line}: {rule}", source.path)).collect::<Vec<_>>()
    }));
}

#[test]
fn the_top_folder_holds_what_is_planned() {
    let there: BTreeSet<String> =
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let strangers =
        there.iter().filter(|name| !TOP.contains(&name.as_str()) && !name.starts_with('.') && *name != "target");
    let missing = TOP.iter().filter(|name| !there.contains(**name));
    let strangers = strangers.map(|name| format!("{name}: not planned for the top folder"));
    none(strangers.chain(missing.map(|name| format!("{name}: planned for the top folder and not there"))));
}

#[test]
fn no_path_of_a_machine_is_written_down() {
    let files = TOP
        .iter()
        .map(|name| root().join(name))
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] });
    let texts = files.filter(|path| !DATA.iter().any(|data| path.starts_with(root().join(data))));
    none(texts.filter_map(|path| Some((relative(&path), fs::read_to_string(path).ok()?))).flat_map(|(path, text)| {
        let found = text.lines().enumerate().filter(|(_, line)| names_a_machine(line));
        found.map(|(at, _)| format!("{path}:{}: a path of one machine", at + 1)).collect::<Vec<_>>()
    }));
}

fn names_a_machine(line: &str) -> bool {
    let (home_of_root, homes) = (concat!("/", "root", "/"), concat!("/", "home", "/"));
    let somebody = line.split(homes).skip(1).any(|rest| {
        let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').next().unwrap_or_default();
        name.len() > 1 && !ANYBODY.contains(&name)
    });
    somebody || line.contains(home_of_root)
}

#[test]
fn dependencies_stay_few() {
    let arguments = ["tree", "-e", "normal,build", "--prefix", "none", "--offline", "--locked"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let lines: BTreeSet<&str> = str::from_utf8(&output.stdout).unwrap().lines().collect();
    println!("packages: {} lines of `cargo tree -e normal,build`, at most {PACKAGES}", lines.len());
    assert!(lines.len() <= PACKAGES, "{} lines of `cargo tree -e normal,build`, at most {PACKAGES}", lines.len());
}

#[test]
fn figures() {
    let functions = HOUSE.functions();
    let mut lengths: Vec<usize> = functions.iter().map(|(_, function)| function.lines).collect();
    lengths.sort_unstable();
    let part = |hundredths: usize| lengths[(lengths.len() - 1) * hundredths / 100];
    println!("functions: {}, median {} lines, 90th percentile {}", lengths.len(), part(50), part(90));
    let bools: usize = functions.iter().map(|(_, function)| function.bools).sum();
    println!("bool parameters per 100 functions: {:.1}", 100.0 * bools as f64 / lengths.len() as f64);
    let lines = |sources: &[Source]| sources.iter().map(|source| source.text.lines().count()).sum::<usize>();
    let inner: usize = HOUSE.src.iter().map(Source::test_lines).sum();
    let (code, test) = (lines(&HOUSE.src) - inner, lines(&HOUSE.tests) + inner);
    println!("lines: {code} of code, {test} of tests: {:.2} test lines per code line", test as f64 / code as f64);
}

#[cfg(test)]
mod tests {
    use super::{names_a_machine, says_why_sound};

    #[test]
    fn a_safety_comment_is_found_above_its_statement() {
        let near = "a();\n// SAFETY: the pointer is ours.\n// Really.\nlet x =\n    unsafe { f() };";
        assert!(says_why_sound(near, 5));
        let attribute = "// SAFETY: sound.\n#[inline]\nunsafe fn f() {}";
        assert!(says_why_sound(attribute, 3));
        let of_another = "// SAFETY: sound.\nunsafe { a() };\nunsafe { b() };";
        assert!(!says_why_sound(of_another, 3));
    }

    #[test]
    fn homes_of_somebody_are_told_from_anybodys() {
        let of = |name: &str| format!("see {}{name}/x", concat!("/", "home", "/"));
        assert!(names_a_machine(&of("someone")));
        assert!(!names_a_machine(&of("user")));
        assert!(names_a_machine(concat!("/", "root", "/.cargo")));
        assert!(!names_a_machine("the /root of all"));
    }
}
