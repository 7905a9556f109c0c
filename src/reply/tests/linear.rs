//! Eight times the text may take some eight times the time, whatever its shape, whole or a character at a time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::super::{Ending, Parser, apply_edit};
use super::{Memory, path};

const SMALL: usize = 6_000;
const TIMES: usize = 8;
/// Between 8, linear, and 64, quadratic.
const MOST: f64 = 24.0;

/// What the thread itself has taken, so that the machine's load does not count.
fn cpu(work: impl FnOnce()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time after the start");
    let begun = now();
    work();
    now() - begun
}

fn grows_linearly(name: &str, work: impl Fn(usize)) {
    let tries = || {
        let (small, large) = (cpu(|| work(SMALL)), cpu(|| work(SMALL * TIMES)));
        (large.as_secs_f64() / small.as_secs_f64().max(0.000_5), small, large)
    };
    // Something else may have been in the processor's caches: the best of a few tries counts.
    let mut best = tries();
    for _ in 0..4 {
        if best.0 >= MOST {
            best = tries();
        }
    }
    let (ratio, small, large) = best;
    assert!(ratio < MOST, "{name}: {small:?}, and {large:?} for {TIMES} times as much");
}

fn repeated(unit: &str, size: usize) -> String {
    unit.repeat(size / unit.len() + 1)
}

/// What a text is made of, over and over.
const SHAPES: &[(&str, &str)] = &[
    ("prose", "Some words about a file, and more of them.\n"),
    ("files", "a.py\n```python\nprint(1)\n```\n\n"),
    ("open fences", "```python\n"),
    ("nested fences", "```md a.md\n"),
    ("bare fences in Markdown", "README.md\n```md\n```\nx\n"),
    ("glued fences", "``````python\n"),
    ("back quotes", "`"),
    ("tildes", "~~~ "),
    ("back quotes by line", "````````\n"),
    ("one line", "words without an end, "),
    ("a line of bullets", "- "),
    ("a line of headings", "# "),
    ("quotations", "> > ```\n"),
    ("sections", "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"),
    ("open sections", "<<<<<<< SEARCH\n"),
    ("edits", "a.py\n```\n<<<<<<< SEARCH\na\n=======\nb\n=======\nc\n>>>>>>> REPLACE\n```\n"),
    ("dividers", "=======\n"),
    ("thoughts", "<think>\n"),
    ("thoughts in one line", "<think></think>"),
    ("ends of thoughts", "</think>\n"),
    ("channels", "<|channel|>analysis<|message|>x<|end|><|start|>assistant"),
    ("headers", "<|channel|>analysis"),
    ("calls", "<tool_call>{\"name\": \"run\", \"arguments\": {\"script\": \"ls\"}}</tool_call>\n"),
    ("open calls", "<tool_call>\n{\"name\": \"run\", \"arguments\": {\"script\": \"ls\n"),
    ("calls that are none", "<tool_call> words\n"),
    ("open calls in one line", "<tool_call>{\"a "),
    ("open tags", "<function=run>\n<parameter=script>\nls\n"),
    ("parameters", "<parameter=script>x</parameter>y"),
    ("bare objects", "{\"name\": \"run\", \"x y\n"),
    ("lists", "[TOOL_CALLS][{\"name\": \"run\"\n"),
    ("braces", "{"),
    ("python", "a.py\n```python\nx = \"\"\"\n```\n"),
    ("here-documents", "```bash\ncat <<EOF\n```\n"),
    ("raw strings", "a.rs\n```rust\nr\"a\" r\"b\" r#c\n```\n"),
    ("diffs", "```diff\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n```\n"),
    ("hunks", "@@\n-a\n+b\n"),
    ("names in fences", "```\na.py\n```\n\n\n"),
    ("deletes", "```delete\na.py\n```\n"),
    ("moves", "```move\na.py -> b.py\n```\n"),
];

#[test]
fn the_time_grows_with_the_text() {
    // Where a shape stands decides what it is part of.
    let starts = ["", "<think>\n", "a.py\n```python\n", "a.md\n````md\n"];
    let files = Memory::of([("a.py", "a\nb\n=======\n")]);
    let read = |text: &str, ending| {
        let mut parser = Parser::new();
        parser.push(text, &files);
        parser.finish(ending, &files);
    };
    for (name, unit) in SHAPES {
        for start in starts {
            grows_linearly(&format!("{name} after `{start}`"), |size| {
                read(&[start, &repeated(unit, size)].concat(), Ending::Cut);
            });
        }
        grows_linearly(&format!("{name} a character at a time"), |size| {
            let text = repeated(unit, size);
            let mut parser = Parser::new();
            let mut buffer = [0; 4];
            text.chars().for_each(|c| drop(parser.push(c.encode_utf8(&mut buffer), &files)));
            parser.finish(Ending::Whole, &files);
        });
    }
}

#[test]
fn the_time_of_an_edit_grows_with_the_file() {
    let a_hundred = |line: &str, last: &str| repeated(line, line.len() * 100) + last;
    for (name, line, search) in [
        ("the same line", "x\n", a_hundred("x\n", "y\n")),
        ("blank lines", "\n", a_hundred("\n", "y\n")),
        ("the same line, indented", "  x\n", a_hundred("x\n", " x\n")),
        ("like lines", "let value = compute(1, 2);\n", a_hundred("let value = computes(1, 3);\n", "")),
        ("other lines", "let value = compute(1, 2);\n", a_hundred("return self.total - 4\n", "")),
        ("dots", "x\n", a_hundred("x\n...\n", "y\n")),
        ("numbers", "1 | x\n", a_hundred("2 | x\n", "3 | y\n")),
        ("typography", "a \u{2014} b\n", a_hundred("a \u{2013} b\n", "c\n")),
        ("long lines", &"word ".repeat(1_000), a_hundred("words \n", "")),
    ] {
        grows_linearly(name, |size| {
            let file = repeated(line, size);
            apply_edit(&path("a.txt"), Some(&file), &search, "z\n").expect_err("no such lines");
        });
    }
}
