//! The tables of `docs/reply-language.md`: each example becomes what its row says.

use super::super::{Action, Parsed, apply_edit};
use super::{Memory, parse, path};

const PAGE: &str = include_str!("../../../docs/reply-language.md");

/// The cells of the tables with these columns.
fn rows(columns: &str) -> Vec<Vec<String>> {
    let head = format!("{columns}\n");
    let lines =
        PAGE.split(&head).skip(1).flat_map(|table| table.lines().skip(1).take_while(|line| line.starts_with('|')));
    lines.map(cells).collect()
}

/// A bar inside a cell is written `\|`.
fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{1}");
    let inner = line.trim().trim_matches('|');
    inner.split('|').map(|cell| code(cell.trim()).replace('\u{1}', "|").replace('⏎', "\n").replace('⇥', "\t")).collect()
}

/// A code span's text: without its back quotes and one space beside back quotes of its own.
fn code(cell: &str) -> &str {
    let signs = cell.len() - cell.trim_start_matches('`').len();
    let inner = cell.get(signs..cell.len().saturating_sub(signs)).unwrap_or(cell);
    let trimmed = inner.strip_prefix(' ').and_then(|inner| inner.strip_suffix(' '));
    trimmed.filter(|inner| inner.starts_with('`') || inner.ends_with('`')).unwrap_or(inner)
}

fn summary(Parsed { actions, unnamed, .. }: &Parsed) -> String {
    let word = |action: &Action| match action {
        Action::Write { path, .. } => format!("write {path}"),
        Action::Edit { path, .. } => format!("edit {path}"),
        Action::Run { script } => format!("run {script}"),
        Action::Read { what } => format!("read {what}"),
        Action::Delete { path } => format!("delete {path}"),
        Action::Move { from, to } => format!("move {from} -> {to}"),
        Action::Refused { .. } => "refused".to_owned(),
    };
    match (actions.as_slice(), unnamed.as_slice()) {
        ([], []) => "nothing".to_owned(),
        ([], _) => "shown".to_owned(),
        _ => actions.iter().map(word).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn every_form_on_the_page_is_what_it_says() {
    let rows = rows("| form | example | what it is |");
    assert!(rows.len() >= 60, "{} rows", rows.len());
    let files = Memory::of([("app.py", "x = 1\n")]);
    for row in rows {
        let [form, example, wanted] = row.as_slice() else { panic!("three cells: {row:?}") };
        assert_eq!(&summary(&parse(example, &files)), wanted, "{form}:\n{example}");
    }
}

#[test]
fn every_step_on_the_page_does_what_it_says() {
    let rows = rows("| step | what is not looked at | file | SEARCH | REPLACE | becomes |");
    assert!(rows.len() >= 8, "{} rows", rows.len());
    for row in rows {
        let [step, _, file, search, replace, wanted] = row.as_slice() else { panic!("six cells: {row:?}") };
        let edited = apply_edit(&path("a.txt"), Some(file), search, replace).expect("one place");
        assert_eq!((&edited.step.to_string(), &edited.text), (step, wanted), "{search} in {file}");
    }
}
