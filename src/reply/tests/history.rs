//! Years of real conversations: the chat history that aider keeps among its fixtures, and the list of edits that aider
//! itself reads in it. Both are too large to be kept here; `tests/long/run` says where they come from.

use std::collections::HashSet;
use std::path::Path;

use super::super::{Action, Ending};
use super::{Memory, parse_pieces, pieces};
use crate::base::fs;

/// One edit: its path, SEARCH and REPLACE, without white space at the ends of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    path: String,
    search: String,
    replace: String,
}

fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The user's message and the reply; and an edit of it by that message.
type Section = (String, String);
type Edit = (String, Change);

/// The sections of the history, and aider's edits.
fn history(folder: &Path) -> (Vec<Section>, Vec<Edit>) {
    let read = |name: &str| fs::read_text(&folder.join(name)).expect("aider's fixture");
    let text = read("chat-history.md");
    let mut starts: Vec<usize> = text
        .match_indices("####")
        .map(|(at, _)| at)
        .filter(|at| text[at + 4..].starts_with(char::is_whitespace))
        .collect();
    starts.push(text.len());
    let sections = starts.windows(2).map(|pair| &text[pair[0]..pair[1]]);
    // Aider leaves out what is about its own parser.
    let sections =
        sections.filter(|section| !section.contains("editblock_coder.py") && !section.contains("test_editblock.py"));
    let sections = sections.map(|section| section.split_once('\n').unwrap_or((section, "")));
    // What aider said itself is quoted.
    let own = |body: &str| {
        body.split_inclusive('\n').filter(|line| !line.starts_with('>') || line.starts_with(">>>>>")).collect()
    };
    let sections = sections.map(|(head, body)| (head.trim().to_owned(), own(body))).collect();
    (sections, gold(&read("chat-history-search-replace-gold.txt")))
}

fn gold(text: &str) -> Vec<Edit> {
    let end = "@".repeat(20);
    let (mut found, mut head, mut lines) = (Vec::new(), String::new(), text.lines());
    while let Some(line) = lines.next() {
        let Some(title) = line.strip_prefix("@@@ ").and_then(|rest| rest.strip_suffix(&end)) else { continue };
        let Some(path) = title.strip_prefix("SEARCH: ") else {
            if title.starts_with("####") {
                title.trim().clone_into(&mut head);
            }
            continue;
        };
        let half = |stop: &str, lines: &mut std::str::Lines<'_>| {
            lines.by_ref().take_while(|line| *line != stop).collect::<Vec<_>>().join("\n")
        };
        let search = half(&end, &mut lines);
        let replace = half(&format!("@@@ REPLACE {end}"), &mut lines);
        let change = Change { path: path.trim().to_owned(), search: trimmed(&search), replace: trimmed(&replace) };
        found.push((head.clone(), change));
    }
    found
}

fn changes(body: &str, seed: u64) -> (Vec<Change>, usize) {
    let files = Memory::default();
    let whole = parse_pieces([body], Ending::Whole, &files);
    assert_eq!(parse_pieces(pieces(body, 40, seed), Ending::Whole, &files), whole);
    let refused = whole.actions.iter().filter(|action| matches!(action, Action::Refused { .. })).count();
    let edit = |action: &Action| match action {
        Action::Edit { path, search, replace, .. } => {
            Some(Change { path: path.to_string(), search: trimmed(search), replace: trimmed(replace) })
        }
        _ => None,
    };
    (whole.actions.iter().filter_map(edit).collect(), refused)
}

/// The messages after whose reply aider gave up at a section that it could not read, with all of the reply's edits behind it.
fn given_up(folder: &Path) -> HashSet<String> {
    let gold = fs::read_text(&folder.join("chat-history-search-replace-gold.txt")).expect("aider's fixture");
    let replies = gold.split("\n\n@@@ ####").filter(|reply| reply.contains("\n^^^ "));
    replies
        .map(|reply| format!("####{}", reply.lines().next().unwrap_or_default().trim_end_matches('@').trim_end()))
        .collect()
}

/// How ours and aider's edits differ, by reason.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    same: usize,
    /// The same but for Windows separators in the path, which become slashes here.
    separators: usize,
    /// Aider takes a section that neither its last marker nor its fence ends; here it waits.
    open: usize,
    /// Ours beyond aider's: in replies that it gave up on.
    given_up: usize,
    unexplained: Vec<Edit>,
    refused: usize,
}

fn compare(folder: &Path) -> Difference {
    let (sections, gold) = history(folder);
    let mut difference = Difference::default();
    let mut ours = Vec::new();
    for (seed, (head, body)) in sections.iter().enumerate() {
        let (found, refused) = changes(body, seed as u64);
        difference.refused += refused;
        ours.extend(found.into_iter().map(|change| (head.clone(), change)));
    }
    for (head, change) in gold {
        let same = ours.iter().position(|(other, ours)| *other == head && *ours == change);
        let slashes = Change { path: change.path.replace('\\', "/"), ..change.clone() };
        let like = ours.iter().position(|(other, ours)| *other == head && *ours == slashes);
        match (same, like) {
            (Some(at), _) => {
                ours.remove(at);
                difference.same += 1;
            }
            (None, Some(at)) => {
                ours.remove(at);
                difference.separators += 1;
            }
            (None, None) if sections.iter().any(|(other, body)| *other == head && is_open(body, &change)) => {
                difference.open += 1
            }
            (None, None) => difference.unexplained.push((head, change)),
        }
    }
    let given_up = given_up(folder);
    let (known, rest): (Vec<_>, Vec<_>) = ours.into_iter().partition(|(head, _)| given_up.contains(head));
    difference.given_up = known.len();
    difference.unexplained.extend(rest);
    difference
}

/// Whether the section stands in the text with a divider in place of its last marker, and no fence behind that.
fn is_open(body: &str, change: &Change) -> bool {
    let body = trimmed(body);
    let section = format!("{}\n=======\n{}\n=======\n", change.search, change.replace);
    body.contains(&section) && !body.contains(&format!("{section}```"))
}

#[test]
fn aiders_history_gives_aiders_edits() {
    match std::env::var_os("FAOS_TEST_AIDER") {
        Some(folder) => {
            let found = compare(Path::new(&folder));
            println!("{found:?}");
            let wanted =
                Difference { same: 572, separators: 1, open: 4, given_up: 38, unexplained: vec![], refused: 0 };
            assert_eq!(found, wanted);
        }
        None => println!("not run: `FAOS_TEST_AIDER` names no folder with aider's fixtures"),
    }
}
