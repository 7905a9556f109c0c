//! What a file offers, by a small table of patterns: the first level of its functions and types, a line each.
//!
//! No parser: a pattern that misses something odd costs nothing, and one that is wrong costs a line of the map.

use std::sync::OnceLock;

use regex::Regex;

/// Signatures of one file, and characters of one signature.
const MOST: usize = 16;
const LONGEST: usize = 100;

/// Extensions, and a pattern of a line that begins at the first column; group 1 is what is shown.
const LANGUAGES: [(&[&str], &str); 10] = [
    (&["py", "pyi"], r"^((?:async )?def \w+\([^)]*\)?|class \w+(?:\([^)]*\))?)"),
    (
        &["rs"],
        r"^(pub(?:\([a-z ]+\))? (?:(?:async|const|unsafe) )*(?:fn|struct|enum|trait|type|static|const|mod|union) \w+[^{;=]*)",
    ),
    (
        &["js", "mjs", "cjs", "jsx", "ts", "mts", "tsx"],
        r"^(export (?:default )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) \w+(?:\([^)]*\)?)?|(?:async )?function\*? \w+\([^)]*\)?|class \w+(?: extends [\w.]+)?)",
    ),
    (&["go"], r"^(func (?:\([^)]*\) )?\w+(?:\[[^\]]*\])?\([^)]*\)?[^{]*|type \w+ (?:struct|interface|func|\w+))"),
    (
        &["c", "h", "cc", "cpp", "cxx", "hpp"],
        r"^((?:(?:class|struct|enum|union|namespace) \w+)|(?:[A-Za-z_][\w:<>,]*[ *&]+)+[\w:~]+\([^;{]*\)?)\s*(?:\{.*|,)?$",
    ),
    (
        &["java", "kt", "cs", "scala", "swift"],
        r"^((?:(?:public|private|internal|open|abstract|final|sealed|data|static|partial) )*(?:class|interface|enum|record|object|struct|protocol|fun|func|trait|extension) \w+[^{=]*)",
    ),
    (&["rb"], r"^((?:class|module|def) [\w:.]+(?:\([^)]*\))?)"),
    (&["php"], r"^((?:(?:final|abstract) )?(?:class|interface|trait|function) \w+(?:\([^)]*\)?)?)"),
    (&["sh", "bash"], r"^((?:function )?[\w-]+ ?\(\))"),
    (&["lua"], r"^((?:local )?function [\w.:]+\([^)]*\)?)"),
];

/// Each is compiled when the first file of its language comes: all of them take longer than a first answer should wait.
static PATTERNS: [OnceLock<Option<Regex>>; LANGUAGES.len()] = [const { OnceLock::new() }; LANGUAGES.len()];

/// Whether files of this name have a row in the table.
pub fn is_known(path: &str) -> bool {
    language_of(path).is_some()
}

/// What the text offers, in its order.
pub fn signatures(path: &str, text: &str) -> Vec<String> {
    let Some(pattern) = pattern_of(path) else { return Vec::new() };
    let found = text.lines().filter_map(|line| Some(pattern.captures(line)?.get(1)?.as_str()));
    found.take(MOST).map(|line| line.trim_end().chars().take(LONGEST).collect()).collect()
}

fn pattern_of(path: &str) -> Option<&'static Regex> {
    let language = language_of(path)?;
    PATTERNS[language].get_or_init(|| Regex::new(LANGUAGES[language].1).ok()).as_ref()
}

fn language_of(path: &str) -> Option<usize> {
    let (_, extension) = path.rsplit_once('.')?;
    LANGUAGES.iter().position(|(extensions, _)| extensions.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::{LANGUAGES, pattern_of, signatures};

    #[test]
    fn every_pattern_is_one() {
        for extension in LANGUAGES.iter().flat_map(|(extensions, _)| *extensions) {
            assert!(pattern_of(&format!("a.{extension}")).is_some(), "{extension}");
        }
    }

    #[test]
    fn the_first_level_is_shown_and_nothing_below_it() {
        for (path, text, wanted) in [
            (
                "a.py",
                "import x\nclass A(B):\n    def inner(self):\n        pass\nasync def f(a, b=1):\n",
                "class A(B)|async def f(a, b=1)",
            ),
            (
                "a.rs",
                "use x;\npub struct A<T> {\n    pub b: T,\n}\nimpl A {\n    pub fn c() {}\n}\npub async fn d(e: u8) -> F {\nfn own() {}\n",
                "pub struct A<T>|pub async fn d(e: u8) -> F",
            ),
            (
                "a.ts",
                "export default class A {\n  m() {}\n}\nexport const b = 1;\nfunction c(d) {\n",
                "export default class A|export const b|function c(d)",
            ),
            ("a.go", "type A struct {\nfunc (a *A) B(c int) error {\n", "type A struct|func (a *A) B(c int) error"),
            (
                "a.c",
                "#include <x.h>\nstatic int add(int a, int b)\n{\n    return f(a);\n}\nint main(void) {\n",
                "static int add(int a, int b)|int main(void)",
            ),
            ("A.java", "public final class A extends B {\n    void m() {}\n", "public final class A extends B"),
            ("a.rb", "module A\n  def b; end\ndef c(d)\n", "module A|def c(d)"),
            ("a.sh", "run_all() {\n  x\n}\n", "run_all()"),
            ("a.php", "<?php\nfunction a($b) {\n", "function a($b)"),
            ("a.lua", "local function a(b)\n", "local function a(b)"),
            ("a.txt", "class A:\n", ""),
        ] {
            assert_eq!(signatures(path, text).join("|"), wanted, "{path}");
        }
    }
}
