//! The eight matching steps: each with one place, several places, no place, and what is already there.

use super::super::{EditRefusal, Edited, apply_edit};
use super::path;

/// Text and step, or the first line of the refusal.
fn edit(file: &str, search: &str, replace: &str) -> Result<(String, u8), String> {
    match apply_edit(&path("a.txt"), Some(file), search, replace) {
        Ok(Edited { text, step, .. }) => Ok((text, step)),
        Err(EditRefusal { reason, .. }) => Err(reason),
    }
}

struct Step {
    number: u8,
    /// A place for the section, and what the place becomes.
    place: &'static str,
    search: &'static str,
    replace: &'static str,
    after: &'static str,
}

const STEPS: [Step; 15] = [
    Step { number: 1, place: "a\nb\nc\n", search: "b\n", replace: "B\nB\n", after: "a\nB\nB\nc\n" },
    Step {
        number: 1,
        place: "say(\"one\", 2)\n",
        search: "\"one\"\n",
        replace: "\"two\"\n",
        after: "say(\"two\", 2)\n",
    },
    Step { number: 1, place: "f(1,\n  2)\n", search: "1,\n  2\n", replace: "2,\n  1\n", after: "f(2,\n  1)\n" },
    // White space at the ends stays where a line is in both halves.
    Step { number: 2, place: "a \t\nb  \nc \n", search: "a\nb\nc\n", replace: "a\nB\nc\n", after: "a \t\nB\nc \n" },
    Step { number: 2, place: "a\nb\n", search: "a  \nb\t\n", replace: "a  \nB\n", after: "a\nB\n" },
    Step {
        number: 3,
        place: "    if x:\n        y()\n",
        search: "if x:\n    y()\n",
        replace: "if z:\n\n    y()\n",
        after: "    if z:\n\n        y()\n",
    },
    Step {
        number: 3,
        place: "if x:\n    y()\n",
        search: "    if x:\n        y()\n",
        replace: "    if z:\n        y()\n",
        after: "if z:\n    y()\n",
    },
    Step {
        number: 3,
        place: "\tif x:\n\t\ty()\n",
        search: "    if x:\n        y()\n",
        replace: "    if z:\n        y()\n",
        after: "\tif z:\n\t\ty()\n",
    },
    Step {
        number: 3,
        place: "    if x:\n        y()\n",
        search: "\tif x:\n\t\ty()\n",
        replace: "\tif z:\n\t\ty()\n",
        after: "    if z:\n        y()\n",
    },
    Step { number: 4, place: "a\nb\n", search: "\na\nb\n\n", replace: "\nA\nb\n\n", after: "A\nb\n" },
    Step { number: 4, place: "a\n\nb\n", search: "a\nb\n", replace: "a\nx\nb\n", after: "a\nx\nb\n" },
    Step {
        number: 5,
        place: "a b\n  c d\n",
        search: "   7 | a b\n   8 |   c d\n",
        replace: "   7 | a b\n   8 |   C d\n   9 | e\n",
        after: "a b\n  C d\ne\n",
    },
    Step {
        number: 6,
        place: "def f():\n    a\n    b\n    return c\n",
        search: "def f():\n...\n    return c\n",
        replace: "def g():\n...\n    return d\n",
        after: "def g():\n    a\n    b\n    return d\n",
    },
    Step {
        number: 7,
        place: "say(\"it's\") - x\n",
        search: "say(“it’s”) – x\n",
        replace: "say(“it’s”) – y\n",
        after: "say(\"it's\") - y\n",
    },
    Step {
        number: 8,
        place: "alpha beta gamma\ndelta epsilon zeta\neta theta iota\n",
        search: "alpha beta gamma\ndelta epsilom zeta\neta theta iota\n",
        replace: "alpha beta gamma\nnew\neta theta iota\n",
        after: "alpha beta gamma\nnew\neta theta iota\n",
    },
];

#[test]
fn one_place_is_taken() {
    for Step { number, place, search, replace, after } in STEPS {
        for (before, behind) in [("", ""), ("first line\n", "last line\n")] {
            let [file, wanted] = [place, after].map(|text| format!("{before}{text}{behind}"));
            assert_eq!(edit(&file, search, replace), Ok((wanted, number)), "{search:?} in {file:?}");
        }
    }
}

#[test]
fn several_places_are_refused_and_shown() {
    for Step { number, place, search, replace, .. } in STEPS {
        let file = format!("{place}--\n{place}");
        let found = apply_edit(&path("a.txt"), Some(&file), search, replace);
        // Two places that are only like the section say nothing of which was meant.
        let wanted = if number == 8 {
            "its SEARCH lines are not in the file"
        } else {
            "its SEARCH lines stand in 2 places of the file, and must stand in one"
        };
        let EditRefusal { reason, context } = found.expect_err("two places");
        assert_eq!(reason, wanted, "step {number}: {search:?}");
        if number < 8 {
            assert_eq!(context.matches("--- a.txt, lines ").count(), 2, "{context}");
        }
    }
}

#[test]
fn no_place_is_refused_unless_it_is_done_already() {
    for Step { number, place, search, replace, after } in STEPS {
        let missing = edit("something\nelse\nentirely\n", search, replace);
        assert_eq!(missing, Err("its SEARCH lines are not in the file".to_owned()), "step {number}: {search:?}");
        if number == 1 && place.contains('(') {
            continue;
        }
        let done = apply_edit(&path("a.txt"), Some(&format!("{after}\nend\n")), "no such line\n", after)
            .expect("already there");
        assert_eq!((done.step, done.note.as_deref()), (0, Some("a section was already applied")), "{number}");
    }
}

#[test]
fn an_earlier_step_goes_before_a_later_one() {
    for (file, search, replace, wanted) in [
        // Exact before trailing white space.
        ("a\na \n", "a\n", "b\n", Ok(("b\na \n", 1))),
        // Whole lines before parts of lines.
        ("aa\na\n", "a\n", "b\n", Ok(("aa\nb\n", 1))),
        // Trailing white space before indentation.
        ("  a b\na b \n", "a b \n", "c\n", Ok(("  a b\nc\n", 1))),
        ("x a\n  a;\na; \n", "a;\t\n", "c\n", Ok(("x a\n  a;\nc\n", 2))),
        // A blank line in the file before numbers that might be content.
        ("1: a\n2: b\n", "1: a\n2: b\n", "1: c\n2: b\n", Ok(("1: c\n2: b\n", 1))),
        // Python's own dots are a line like another.
        ("def f():\n    ...\n", "def f():\n    ...\n", "def f():\n    return 1\n", Ok(("def f():\n    return 1\n", 1))),
    ] {
        let wanted: Result<(String, u8), String> = wanted.map(|(text, step): (&str, u8)| (text.to_owned(), step));
        assert_eq!(edit(file, search, replace), wanted, "{search:?} in {file:?}");
    }
}

#[test]
fn line_ends_marks_and_the_last_newline_stay() {
    for (file, search, replace, wanted) in [
        ("a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\nz\n", "x\r\ny\r\nz\r\nc\r\n"),
        ("f(1)\r\n", "1\n", "1,\n2\n", "f(1,\r\n2)\r\n"),
        ("a\r\nb\nc\r\n", "b\n", "x\ny\n", "a\r\nx\ny\nc\r\n"),
        ("\u{feff}a\nb\n", "a\n", "x\n", "\u{feff}x\nb\n"),
        ("\u{feff}a\r\n", "a \n", "x\ny\n", "\u{feff}x\r\ny\r\n"),
        ("a\nb", "b\n", "c\nd\n", "a\nc\nd"),
        ("a\r\nb", "b\n", "c\nd\n", "a\r\nc\r\nd"),
        ("a\nb", "b\n", "", "a"),
        ("a\nb", "a\n", "", "b"),
        ("a\r\n", "\n", "b\n", "a\r\nb\r\n"),
        ("a", "", "b\n", "a\nb\n"),
        ("", "", "a\n\n\n", "a\n"),
    ] {
        assert_eq!(edit(file, search, replace).map(|(text, _)| text), Ok(wanted.to_owned()), "{search:?} in {file:?}");
    }
}

#[test]
fn halves_are_mended_alike() {
    for (file, search, replace, wanted) in [
        // As many blank lines go from the replacement as the section had too many.
        ("a\nb\n", "\na\n", "\n\na\n", "\na\nb\n"),
        ("a\nb\n", "a\n\n", "a\n", "a\nb\n"),
        // A blank line that a section adds at its end stays.
        ("a\n\nb\n", "a\nb\n", "a\nb\n\n", "a\nb\n\n"),
        // Numbers of copied lines go, those of new lines of content stay.
        ("one\ntwo\n", " 1: one\n 2: two\n", " 1: one\n10: ten\n 2: two\n", "one\nten\ntwo\n"),
        ("a\nb\n", "1 | a\n2 | b\n", "1 | a\nnew\n2 | b\n", "a\nnew\nb\n"),
        ("a\nb\n", "1: a\n2: b\n", "1: a\nnew: 7\n2: b\n", "a\nnew: 7\nb\n"),
        // Dots at the start and at the end leave what is there.
        ("a\nb\nc\n", "...\nb\n...\n", "...\nB\n...\n", "a\nB\nc\n"),
        // The file's own signs stay in lines of both halves; a sign that it uses elsewhere may be new.
        ("# a — b\nx = 'y'\n", "# a - b\nx = ’y’\n", "# a - b\nx = ’z’ — 1\n", "# a — b\nx = 'z' — 1\n"),
        // Text that is a part of its line only for its indentation: the replacement is indented too.
        ("    return x\n", "return x\n", "y = 1\nreturn y\n", "    y = 1\n    return y\n"),
        ("    a\n    b\n", "a\nb\n", "x\n\ny\n", "    x\n\n    y\n"),
        ("a\n    return x\nb\n", "return x\n", "", "a\nb\n"),
        // Or where only the first line had lost it.
        ("    a\n    b\n", "a\n    b\n", "x\n    y\n", "    x\n    y\n"),
        ("    return x\n", "return x\n", "y = 1\n    return y\n", "    y = 1\n    return y\n"),
        // A line that is less indented than what was taken away.
        ("if x:\n    y\n", "    if x:\n        y\n", "    if x:\n        y\n  z\n", "if x:\n    y\nz\n"),
    ] {
        assert_eq!(edit(file, search, replace).map(|(text, _)| text), Ok(wanted.to_owned()), "{search:?} in {file:?}");
    }
}

#[test]
fn likeness_needs_three_lines_and_no_rival() {
    let file = "let alpha = compute(1);\nlet beta = compute(2);\nlet gamma = compute(3);\n";
    let search = "let alpha = compute(1);\nlet beta = computes(2);\nlet gamma = compute(3);\n";
    assert_eq!(edit(file, search, "x\n"), Ok(("x\n".to_owned(), 8)));
    let two: String = search.split_inclusive('\n').take(2).collect();
    assert!(edit(file, &two, "x\n").is_err());
    let rival = format!("{file}--\n{}", file.replace("gamma", "gammas"));
    assert!(edit(&rival, search, "x\n").is_err());
}

#[test]
fn what_is_shown_has_the_files_numbers() {
    let file: String = (1..=30).map(|n| format!("line {n}\n")).collect();
    let refusal = apply_edit(&path("a.txt"), Some(&file), "line 14\nlone 15\nline 16\n", "x\n").expect_err("not there");
    let shown: Vec<String> = (11..=19).map(|n| format!("{n:>4} | line {n}")).collect();
    assert_eq!(refusal.context, format!("--- closest lines of a.txt ---\n{}", shown.join("\n")));
    let refusal = apply_edit(&path("a.txt"), Some("b\na\na\n"), "a\n", "x\n").expect_err("two places");
    assert_eq!(
        refusal.context,
        "--- a.txt, lines 2-2 ---\n   1 | b\n   2 | a\n   3 | a\n--- a.txt, lines 3-3 ---\n   1 | b\n   2 | a\n   3 | a"
    );
    let part = apply_edit(&path("a.txt"), Some("xx\ny ab\nab z\n"), "ab\n", "c\n").expect_err("two places");
    assert!(part.context.starts_with("--- a.txt, lines 2-2 ---\n   1 | xx\n   2 | y ab\n"), "{}", part.context);
    let long = format!("{}\n", "word ".repeat(10_000));
    let refusal =
        apply_edit(&path("a.txt"), Some(&long.repeat(500)), &"other\n".repeat(300), "x\n").expect_err("not there");
    assert!(refusal.context.len() < 100_000, "{} bytes", refusal.context.len());
}

#[test]
fn of_several_dividers_the_longest_half_that_stands_once_ends() {
    use super::super::section::sections;
    let halves = |lines: &[&str], file: &str| sections(lines)[0].halves(|| Some(file.to_owned())).expect("a divider");
    let section =
        ["<<<<<<< SEARCH", "Title", "=======", "old", "=======", "Title", "=======", "new", ">>>>>>> REPLACE"];
    let (search, replace) = halves(&section, "Title\n=======\nold\n");
    assert_eq!((search.as_str(), replace.as_str()), ("Title\n=======\nold\n", "Title\n=======\nnew\n"));
    // Nothing of it stands there once: the first one.
    assert_eq!(halves(&section, "x\n").0, "Title\n");
    assert_eq!(halves(&section, "Title\nTitle\n").0, "Title\n");
}

#[test]
fn a_placeholder_in_both_halves_stands_for_the_files_lines_and_in_one_for_nothing() {
    let file = "def f():\n    a\n    b\n    return c\n";
    let dots = "    # ... existing code ...\n";
    let (search, replace) = (format!("def f():\n{dots}    return c\n"), format!("def g():\n{dots}    return d\n"));
    assert_eq!(edit(file, &search, &replace), Ok(("def g():\n    a\n    b\n    return d\n".to_owned(), 6)));
    let lost = edit(file, "    a\n    b\n", &format!("{dots}    x\n"));
    assert_eq!(lost, Err("`# ... existing code ...` in its REPLACE leaves code out; write those lines out".to_owned()));
    // A comment that the file has anyway.
    assert!(edit(&format!("{dots}{file}"), "    a\n", &format!("{dots}    a\n")).is_ok());
}
