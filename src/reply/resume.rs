//! A cut reply and what came after the cut become the text of an unbroken one.
//!
//! A server that goes on with a reply writes the very next bytes; they are simply appended. A model that is asked in
//! words begins its fence anew, says a sentence before, repeats a line, or sends the whole block again. [`join`] undoes
//! that, from the texts alone, so that the log gives the same reply on every reading.

use std::collections::{HashMap, HashSet};

use super::fence::{self, Fence, Open, Turn};
use super::path::Meant;
use super::place::{self, Around};
use super::thought::{self, Mark};
use super::{Ending, FileState, Files, RelPath, language, section, tool};

/// Lines that a model may repeat before it goes on.
const MOST_REPEATED: usize = 60;
/// A block that long is taken for the rest of the open one where it repeats little of it.
const LONG: usize = 10;
/// Letters and digits of a line that does not stand in every file.
const TELLING: usize = 8;

/// What waits, and what came for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    pub text: String,
    /// What was open, where the model went on with something else: a path, or a word such as `run`. It never got its end.
    pub left: Option<String>,
}

/// The whole lines of a text, without its last one where that has no end.
pub fn whole_lines(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

/// The last whole line that is not blank, of the open block where there is one: what the model is told to go on from.
pub fn last_line(waiting: &str) -> &str {
    let whole = whole_lines(waiting);
    let lines: Vec<&str> = whole.lines().collect();
    let from = match cut_in(whole) {
        Cut::Block(block) => block.at + 1,
        // Nothing of the block is there but its fence, which the path above must not follow into it.
        Cut::Prose if fence::opener(&waiting[whole.len()..]).is_some() => lines.len(),
        Cut::Prose | Cut::Elsewhere => 0,
    };
    lines[from..].iter().rev().find(|line| !line.trim().is_empty()).copied().unwrap_or_default()
}

/// `waiting`: the reply from behind its last whole block on. Its last line is dropped where it is cut. `ended` tells how the
/// reply before and the rest ended: a model may leave a fence open and say that it was done.
pub fn join(waiting: &str, rest: &str, ended: [Ending; 2]) -> Joined {
    let mut joined = by_lines(whole_lines(waiting), rest, ended);
    if !rest.ends_with('\n') {
        // It may be cut again.
        joined.text.pop();
    }
    joined
}

fn by_lines(waiting: &str, text: &str, [before, after]: [Ending; 2]) -> Joined {
    let lines: Vec<&str> = waiting.lines().collect();
    let rest: Vec<&str> = text.lines().collect();
    let alone = |left| Joined { text: rest.iter().flat_map(|line| [*line, "\n"]).collect(), left };
    match cut_in(waiting) {
        Cut::Prose => Joined { text: text_of(&prose(&lines, &rest), &rest), left: None },
        // A thought, a tool call and an edit without a fence are sent again whole.
        Cut::Elsewhere => alone(None),
        Cut::Block(block) => match begins(text, &rest, after, &block) {
            Begins::Another => alone(Some(block.label())),
            // It said that it was done, and has nothing to add but words: only the fence was forgotten.
            Begins::Words if before == Ending::Whole => {
                Joined { text: text_of(&lines, &[&[block.mark().as_str()], rest.as_slice()].concat()), left: None }
            }
            Begins::Words => alone(Some(block.label())),
            Begins::Content(at) => Joined { text: block.continued(&lines, &rest[at..], None), left: None },
            Begins::Again { at, fence, named } => {
                Joined { text: block.continued(&lines, &rest[at..], Some((&fence, named))), left: None }
            }
        },
    }
}

/// Where a text stops.
enum Cut {
    Prose,
    Elsewhere,
    Block(Block),
}

/// The block that is open at the end.
struct Block {
    /// The line of its fence.
    at: usize,
    fence: Fence,
    language: &'static str,
    path: Option<RelPath>,
    /// It stops inside a fence of its own content.
    inside: bool,
}

/// What the text after the cut begins with.
enum Begins {
    /// The block's own lines, from this one on.
    Content(usize),
    /// A fence, and the block's lines after it; `named` where the block's path stands with it.
    Again { at: usize, fence: Fence, named: bool },
    /// Something else.
    Another,
    /// Prose, and no block at all.
    Words,
}

fn cut_in(text: &str) -> Cut {
    let lines: Vec<&str> = text.lines().collect();
    let mut open: Option<(usize, Open)> = None;
    let mut above = None;
    for (at, line) in lines.iter().enumerate() {
        if let Some((_, block)) = &mut open {
            match block.take(line, || false) {
                Turn::Content => {}
                Turn::Close => open = None,
                Turn::CloseAndOpen(fence) => open = Some((at, opened(fence, None))),
            }
        } else if let Some(fence) = fence::opener(line) {
            open = Some((at, opened(fence, above)));
        } else if matches!(thought::mark(line), Mark::Begins(thought, rest) if thought.end(rest).is_none())
            || section::is_search(line)
            || is_cut_call(&text[line.as_ptr() as usize - text.as_ptr() as usize..])
        {
            return Cut::Elsewhere;
        }
        if !line.trim().is_empty() {
            above = Some(*line);
        }
    }
    let Some((at, Open { fence, .. })) = open else { return Cut::Prose };
    let above = lines[..at].iter().rev().find(|line| !line.trim().is_empty()).copied();
    let path = path_of(&fence, above, &lines[at + 1..]);
    let language = language::of_block(&fence.info, path.as_ref().map(RelPath::as_str));
    let inner = |line: &&&str| fence::opener(line).is_some_and(|inner| inner.length < fence.length);
    let inside = lines[at + 1..].iter().filter(inner).count() % 2 == 1;
    Cut::Block(Block { at, language, path, inside, fence })
}

fn is_cut_call(text: &str) -> bool {
    tool::begins(text) && matches!(tool::read(text, Ending::Cut), tool::Read::Cut)
}

fn opened(fence: Fence, above: Option<&str>) -> Open {
    let path = path_of(&fence, above, &[]);
    let language = language::of_block(&fence.info, path.as_ref().map(RelPath::as_str));
    Open::new(fence, language)
}

/// By the words alone: what is in the workspace has no say in how two texts join.
fn path_of(fence: &Fence, above: Option<&str>, content: &[&str]) -> Option<RelPath> {
    let around = Around { info: &fence.info, above, heading: None, own_fence: None, content };
    match place::find(&around, &Nowhere) {
        place::Found::Path(Meant::Path(path)) | place::Found::Comment(Meant::Path(path), _) => Some(path),
        _ => None,
    }
}

struct Nowhere;

impl Files for Nowhere {
    fn state(&self, _: &RelPath) -> FileState {
        FileState::Absent
    }

    fn text(&self, _: &RelPath) -> Option<String> {
        None
    }
}

fn begins(text: &str, rest: &[&str], ended: Ending, block: &Block) -> Begins {
    if first(rest).is_some_and(|line| tool::begins(&text[line.as_ptr() as usize - text.as_ptr() as usize..])) {
        return Begins::Another;
    }
    // Of a text nobody can tell.
    let is_text = matches!(block.language, "markdown" | "rst" | "text");
    let said = usize::from(!is_text && first(rest).is_some_and(is_sentence));
    let fences = rest.iter().enumerate().find_map(|(at, line)| Some((at, fence::opener(line)?)));
    let Some((at, fence)) = fences else {
        return if ended == Ending::Whole && said == 1 { Begins::Words } else { Begins::Content(0) };
    };
    let above = rest[..at].iter().rev().find(|line| !line.trim().is_empty()).copied();
    if fence.info.is_empty() && closes_first(rest, (at, &fence), ended, block) {
        // What is said before the block's own lines is none of them.
        let own = rest.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()).nth(said);
        return Begins::Content(own.map_or(0, |(own, _)| if said > 0 && own < at { own } else { 0 }));
    }
    match named(&fence, above) {
        Some(path) if block.path.as_ref() == Some(&path) => {
            let named = place::from_info(&fence.info, &Nowhere).is_some() || above.is_some_and(is_path);
            Begins::Again { at: at + 1, fence, named }
        }
        Some(_) => Begins::Another,
        None if same_kind(&fence, block) => Begins::Again { at: at + 1, fence, named: false },
        // Fences inside a text belong to it.
        None if matches!(block.language, "markdown" | "rst") => Begins::Content(0),
        None => Begins::Another,
    }
}

/// Whether the first fence, a bare one, ends what goes on before it, rather than opening the block again.
fn closes_first(rest: &[&str], (at, fence): (usize, &Fence), ended: Ending, block: &Block) -> bool {
    if fence.sign != block.fence.sign || fence.length < block.fence.length {
        return block.inside;
    }
    let above = rest[..at].iter().rev().find(|line| !line.trim().is_empty());
    if above.is_some_and(|line| is_path(line)) {
        return false;
    }
    // Of a text that is cut again nothing is known from fences that do not close.
    match (pairs(&rest[at + 1..]), pairs(&rest[at..]), ended) {
        (true, false, Ending::Whole) => true,
        (false, true, _) => false,
        _ => match above {
            Some(above) => !above.trim_end().ends_with(':'),
            // Prose keeps its distance.
            None => rest.get(at + 1).is_none_or(|line| line.trim().is_empty()),
        },
    }
}

/// A line of plain words: a capital, several words, a sentence's end. What ends in a colon may be code.
fn is_sentence(line: &str) -> bool {
    let line = line.trim();
    let is_plain = |signs: &[char]| !line.contains(signs);
    line.starts_with(char::is_uppercase)
        && line.split_whitespace().count() >= 3
        && (line.ends_with(['.', '!', '?']) && is_plain(&['{', '}', '='])
            || line.ends_with(':') && is_plain(&['{', '}', '=', '(', ')', ';', '<', '>', '[', ']']))
}

/// The path that stands with a fence, also in a sentence above.
fn named(fence: &Fence, above: Option<&str>) -> Option<RelPath> {
    path_of(fence, above, &[])
}

fn is_path(line: &str) -> bool {
    place::alone(line, &Nowhere).is_some()
}

/// What these blocks hold is short: they are sent again whole.
const WORDS: [&str; 4] = ["run", "read", "delete", "move"];

/// Whether the fence may open the block again: its word or language does not speak against it.
fn same_kind(fence: &Fence, block: &Block) -> bool {
    let (again, before) = (place::first_word(&fence.info), place::first_word(&block.fence.info));
    if WORDS.contains(&again) || WORDS.contains(&before) {
        return again == before;
    }
    let language = language::of_block(&fence.info, None);
    language.is_empty() || block.language.is_empty() || language == block.language
}

/// Whether every block that opens in these lines closes.
fn pairs(lines: &[&str]) -> bool {
    let mut open: Option<Open> = None;
    for line in lines {
        match &mut open {
            None => open = fence::opener(line).map(|fence| Open::new(fence, "")),
            Some(block) => match block.take(line, || false) {
                Turn::Content => {}
                Turn::Close => open = None,
                Turn::CloseAndOpen(fence) => open = Some(Open::new(fence, "")),
            },
        }
    }
    open.is_none()
}

impl Block {
    fn label(&self) -> String {
        self.path.as_ref().map_or_else(|| place::first_word(&self.fence.info).to_owned(), RelPath::to_string)
    }

    /// A line that closes it.
    fn mark(&self) -> String {
        self.fence.sign.to_string().repeat(self.fence.length)
    }

    /// The waiting lines, and what goes on with them; `again` where the fence was opened anew.
    fn continued(&self, lines: &[&str], rest: &[&str], again: Option<(&Fence, bool)>) -> String {
        let (head, content) = lines.split_at(self.at + 1);
        let rest = self.closed_alike(rest, again.map(|(fence, _)| fence));
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let new = &rest[..self.end_of(&rest)];
        let is_edit = content.iter().any(|line| section::is_search(line));
        let is_word = WORDS.contains(&place::first_word(&self.fence.info)) && again.is_some();
        let kept = if is_word || sends_all(content, new, !is_edit && again.is_some_and(|(_, named)| named)) {
            Vec::new()
        } else if is_edit && first(new).is_some_and(section::is_search) {
            // Sections that are whole stay; the open one is sent again.
            let whole = content.iter().rposition(|line| section::is_replace(line)).map_or(0, |at| at + 1);
            content[..whole].to_vec()
        } else {
            return text_of(head, &goes_on(content, &rest));
        };
        text_of(head, &[&kept, rest.as_slice()].concat())
    }

    /// The lines with their closing fence as the open one asks for it.
    fn closed_alike(&self, rest: &[&str], again: Option<&Fence>) -> Vec<String> {
        let mut rest: Vec<String> = rest.iter().map(|line| (*line).to_owned()).collect();
        let Some(fence) = again.filter(|fence| fence.sign != self.fence.sign || fence.length < self.fence.length)
        else {
            return rest;
        };
        let mut open = Open::new(fence.clone(), self.language);
        if let Some(end) = rest.iter().position(|line| open.take(line, || false) == Turn::Close) {
            rest[end] = self.mark();
        }
        rest
    }

    /// How many of these lines are the block's.
    fn end_of(&self, rest: &[&str]) -> usize {
        let mut open = Open::new(Fence { info: String::new(), ..self.fence.clone() }, self.language);
        rest.iter().position(|line| open.take(line, || false) != Turn::Content).unwrap_or(rest.len())
    }
}

fn first<'a>(lines: &[&'a str]) -> Option<&'a str> {
    lines.iter().find(|line| !line.trim().is_empty()).copied()
}

/// Whether the new lines are the whole block once more. With its path above a short one is, unless it plainly goes on; of
/// others half of the lines that tell something stand in it again.
fn sends_all(content: &[&str], new: &[&str], named: bool) -> bool {
    let filled = |lines: &[&str]| -> Vec<String> {
        lines.iter().map(|line| line.trim_end().to_owned()).filter(|line| !line.trim().is_empty()).collect()
    };
    let (content, new) = (filled(content), filled(new));
    if content.is_empty() || new.is_empty() {
        return content.is_empty();
    }
    let known = content.len().min(2);
    if content[..known] == new[..known.min(new.len())] {
        return true;
    }
    // Its first lines again, below others that are new.
    if known == 2 && repeated(&content, &new) == 0 && new.windows(2).any(|pair| pair == &content[..2]) {
        return true;
    }
    if repeated(&content, &new) > 0 {
        return false;
    }
    let mut times: HashMap<&str, usize> = HashMap::new();
    for line in &content {
        *times.entry(line).or_default() += 1;
    }
    let is_telling = |line: &str| line.chars().filter(|c| c.is_alphanumeric()).count() >= TELLING;
    let telling: Vec<&str> =
        times.into_iter().filter(|(line, times)| *times == 1 && is_telling(line)).map(|(line, _)| line).collect();
    let new: HashSet<&str> = new.iter().map(String::as_str).collect();
    let again = telling.iter().filter(|line| new.contains(*line)).count();
    named && content.len() < LONG || telling.len() > 1 && again * 2 >= telling.len()
}

/// How many lines at the end of `content` the new ones begin with.
fn repeated<A: AsRef<str>, B: AsRef<str>>(content: &[A], new: &[B]) -> usize {
    let most = MOST_REPEATED.min(content.len()).min(new.len());
    let same = |count: &usize| {
        let end = content[content.len() - count..].iter();
        end.zip(new).all(|(a, b)| a.as_ref().trim_end() == b.as_ref().trim_end())
    };
    (1..=most).rev().find(same).unwrap_or(0)
}

/// The content and the lines after it, what is repeated once.
fn goes_on<'a>(content: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    let filled = content.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    let blank = rest.iter().take_while(|line| line.trim().is_empty()).count();
    let (kept, new) = (&content[..filled], &rest[blank..]);
    let again = repeated(kept, new);
    if again > 0 {
        return [kept, &new[again..]].concat();
    }
    let between = if content.len() - filled >= blank { &content[filled..] } else { &rest[..blank] };
    [kept, between, new].concat()
}

/// What of the prose before the cut stays: nothing where the reply begins anew.
fn prose<'a>(lines: &[&'a str], rest: &[&str]) -> Vec<&'a str> {
    match (first(lines), first(rest)) {
        (Some(before), Some(after)) if before == after => Vec::new(),
        _ => lines[..lines.len() - repeated(lines, rest)].to_vec(),
    }
}

fn text_of(head: &[&str], tail: &[&str]) -> String {
    head.iter().chain(tail).flat_map(|line| [*line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Joined, Nowhere, last_line};
    use crate::reply::{Action, Ending, Parser};

    fn join(waiting: &str, rest: &str) -> Joined {
        super::join(waiting, rest, [Ending::Cut, if rest.ends_with('\n') { Ending::Whole } else { Ending::Cut }])
    }

    const CUT: &str = "Two files:\n\napp.py\n```python\nimport sys\n\ndef main():\n    print(1)\n    ret";
    const WANTED: &str = "import sys\n\ndef main():\n    print(1)\n    return 0\n";

    /// The files of a text by path.
    fn files(text: &str) -> Vec<(String, String)> {
        let mut parser = Parser::new();
        parser.push(text, &Nowhere);
        let actions = parser.finish(Ending::Whole, &Nowhere).actions.into_iter();
        let written = actions.filter_map(|action| match action {
            Action::Write { path, content } => Some((path.to_string(), content)),
            _ => None,
        });
        written.collect()
    }

    #[test]
    fn every_way_of_going_on_gives_the_unbroken_file() {
        for rest in [
            "    return 0\n```\n\nDone.\n",
            "```python\n    return 0\n```\n",
            "```\n    return 0\n```\n",
            "Here is the rest:\n\n```python\n    print(1)\n    return 0\n```\n\nThat is all.\n",
            "Continuing `app.py`:\n\n```python\ndef main():\n    print(1)\n    return 0\n```\n",
            "app.py\n```python\n    print(1)\n    return 0\n```\n",
            "app.py\n```python\nimport sys\n\ndef main():\n    print(1)\n    return 0\n```\n",
            "```python\nimport sys\n\ndef main():\n    print(1)\n    return 0\n```\n",
            "~~~python\n    return 0\n~~~\n",
            "````python\n    return 0\n````\n",
        ] {
            let joined = join(CUT, rest);
            assert_eq!((files(&joined.text), joined.left), (vec![("app.py".into(), WANTED.into())], None), "{rest}");
        }
    }

    #[test]
    fn a_block_that_opens_on_the_line_of_the_last_closer_waits_with_its_fence() {
        let text = "a.py\n```python\na = 1\n``````python b.py\nb = 2\nb2";
        let mut parser = Parser::new();
        parser.push(text, &Nowhere);
        let cut = parser.finish(Ending::Cut, &Nowhere);
        let waiting = &text[cut.whole_until..];
        assert_eq!((cut.actions.len(), waiting), (1, "```python b.py\nb = 2\nb2"));
        let joined = join(waiting, "b2 = 3\n```\n");
        assert_eq!(files(&joined.text), vec![("b.py".into(), "b = 2\nb2 = 3\n".into())]);
    }

    #[test]
    fn what_follows_the_open_block_is_taken_too() {
        for rest in [
            "    return 0\n```\n\nb.py\n```python\nx = 1\n```\n",
            "```python\n    return 0\n```\n\nb.py\n```python\nx = 1\n```\n",
        ] {
            let both = vec![("app.py".into(), WANTED.into()), ("b.py".into(), "x = 1\n".into())];
            assert_eq!(files(&join(CUT, rest).text), both, "{rest}");
        }
    }

    #[test]
    fn the_last_line_is_one_of_the_block() {
        for (waiting, wanted) in [
            (CUT, "    print(1)"),
            ("app.py\n```python\nim", ""),
            ("app.py\n```python", ""),
            ("Now\nthe", "Now"),
            ("", ""),
        ] {
            assert_eq!(last_line(waiting), wanted, "{waiting}");
        }
    }

    #[test]
    fn an_edit_that_is_sent_again_is_one() {
        let cut = "app.py\n```\n<<<<<<< SEARCH\na\n=======\na\nb\n>>>>>>> REPLACE\n<<<<<<< SEARCH\nc\n====";
        let again = "```\n<<<<<<< SEARCH\na\n=======\na\nb\n>>>>>>> REPLACE\n```\n";
        assert_eq!(join(cut, again).text, format!("app.py\n{again}"));
    }

    #[test]
    fn what_is_cut_again_keeps_its_end() {
        for rest in ["```\none\ntwo\nthr", "a.txt\n```\none\ntwo\nthr", "two\nthr"] {
            assert_eq!(join("a.txt\n```\none\ntw", rest).text, "a.txt\n```\none\ntwo\nthr", "{rest}");
        }
    }

    #[test]
    fn the_same_path_with_other_lines_replaces_the_block() {
        let joined = join(CUT, "app.py\n```python\nprint(2)\n```\n");
        assert_eq!(files(&joined.text), vec![("app.py".into(), "print(2)\n".into())]);
    }

    #[test]
    fn the_rest_of_a_long_block_may_have_its_path_again() {
        let long: String = (0..30).map(|n| format!("line({n})\n")).collect();
        let joined = join(&format!("app.py\n```python\n{long}lin"), "app.py\n```python\nline(30)\n```\n");
        assert_eq!(files(&joined.text), vec![("app.py".into(), format!("{long}line(30)\n"))]);
        // Braces stand in every file.
        let code: String = (0..20).map(|n| format!("function number{n}() {{\n  return {n};\n}}\n")).collect();
        let rest = "function last() {\n  return 1;\n}\n";
        let joined = join(&format!("app.js\n```js\n{code}fun"), &format!("app.js\n```js\n{rest}```\n"));
        assert_eq!(files(&joined.text), vec![("app.js".into(), format!("{code}{rest}"))]);
    }

    #[test]
    fn a_file_that_comes_again_with_another_beginning_is_whole() {
        let joined = join(CUT, &format!("```python\n#!/usr/bin/env python3\n{WANTED}```\n"));
        assert_eq!(files(&joined.text), vec![("app.py".into(), format!("#!/usr/bin/env python3\n{WANTED}"))]);
        let code: String = (0..20).map(|n| format!("value_number_{n} = {n}\n")).collect();
        let joined = join(
            &format!("```python app.py\n{code}val"),
            &format!("```python\n#!/usr/bin/env python3\n{code}value_last = 1\n```\n"),
        );
        assert_eq!(
            files(&joined.text),
            vec![("app.py".into(), format!("#!/usr/bin/env python3\n{code}value_last = 1\n"))]
        );
    }

    #[test]
    fn a_file_that_the_model_leaves_is_told() {
        let joined = join(CUT, "b.py\n```python\nx = 1\n```\n");
        assert_eq!(files(&joined.text), vec![("b.py".into(), "x = 1\n".into())]);
        assert_eq!(joined.left.as_deref(), Some("app.py"));
        let joined = join("```run\nmake\n", "That is all there is.\n");
        assert_eq!((joined.text.as_str(), joined.left.as_deref()), ("That is all there is.\n", Some("run")));
    }

    #[test]
    fn words_are_no_content() {
        let said = "The file is complete as it is; nothing is missing.\n";
        let open = "app.py\n```python\nprint(1)\n";
        let done = super::join(open, said, [Ending::Whole, Ending::Whole]);
        assert_eq!((files(&done.text), done.left), (vec![("app.py".into(), "print(1)\n".into())], None));
        let cut = join(open, said);
        assert_eq!((files(&cut.text), cut.left.as_deref()), (vec![], Some("app.py")));
        let joined = join(CUT, "Here is the continuation:\n\n    return 0\n```\n");
        assert_eq!(files(&joined.text), vec![("app.py".into(), WANTED.into())]);
        let call = "<tool_call>\n{\"name\": \"run\", \"arguments\": {\"script\": \"make\"}}\n</tool_call>\n";
        assert_eq!(join(CUT, call), Joined { text: call.to_owned(), left: Some("app.py".to_owned()) });
    }

    #[test]
    fn a_bare_fence_opens_where_it_has_its_own_end() {
        let joined = join("a.txt\n```\none\ntwo\nth", "```\n\nfour\nfive\n```\n");
        assert_eq!(files(&joined.text), vec![("a.txt".into(), "one\ntwo\n\nfour\nfive\n".into())]);
        let joined = join("a.txt\n```\none\ntw", "```\n\nDone.\n");
        assert_eq!(files(&joined.text), vec![("a.txt".into(), "one\n".into())]);
    }

    #[test]
    fn short_blocks_are_sent_again_whole() {
        for word in ["run", "delete", "read", "move"] {
            let text = join(&format!("```{word}\na.txt\nb.t"), &format!("```{word}\nc.txt\n```\n")).text;
            assert_eq!(text, format!("```{word}\nc.txt\n```\n"));
        }
    }

    #[test]
    fn whole_sections_of_an_open_edit_stay() {
        let cut = "app.py\n```\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n<<<<<<< SEARCH\nc\n====";
        for rest in ["```\n<<<<<<< SEARCH\nc\n=======\nd\n>>>>>>> REPLACE\n```\n", "=======\nd\n>>>>>>> REPLACE\n```\n"]
        {
            let text = join(cut, rest).text;
            let wanted = "app.py\n```\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n<<<<<<< SEARCH\nc\n=======\nd\n>>>>>>> REPLACE\n```\n";
            assert_eq!(text, wanted, "{rest}");
        }
    }

    #[test]
    fn prose_goes_on_and_a_reply_that_begins_anew_stands_alone() {
        for (waiting, rest, wanted) in [
            ("I will write\n\napp.py\n", "```python\nx\n```\n", "I will write\n\napp.py\n```python\nx\n```\n"),
            ("I will write\n\napp.py\n", "app.py\n```python\nx\n```\n", "I will write\n\napp.py\n```python\nx\n```\n"),
            ("I will write\nmore", "I will write\n\nall\n", "I will write\n\nall\n"),
            ("<think>\nhm\n", "Yes.\n", "Yes.\n"),
        ] {
            assert_eq!(join(waiting, rest).text, wanted, "{waiting}");
        }
    }

    #[test]
    fn fences_of_a_markdown_file_stay_its_own() {
        let joined = join("README.md\n````md\n# A\n\n```sh\nls\n", "```\n\nMore.\n````\n");
        assert_eq!(files(&joined.text), vec![("README.md".into(), "# A\n\n```sh\nls\n```\n\nMore.\n".into())]);
    }

    proptest! {
        #[test]
        fn no_texts_panic(waiting in "([a-z`~:<>=\n ]|```|\n|app.py|<<<<<<< SEARCH){0,30}", rest in "([a-z`~: \n]|```|\n|app.py){0,30}") {
            join(&waiting, &rest);
        }

        #[test]
        fn a_file_cut_at_any_line_is_whole_again(
            lines in prop::collection::vec("[a-z(){}= ]{0,6}", 2..20),
            at in 0_usize..20,
            repeats in any::<bool>(),
        ) {
            // Every line is another one, so that what is repeated is certain.
            let lines: Vec<String> = lines.iter().enumerate().map(|(n, line)| format!("{n}{line}").trim_end().to_owned()).collect();
            let at = 1 + at % lines.len();
            let whole: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            let waiting = format!("a.txt\n```\n{}\npart", lines[..at].join("\n"));
            let from = if repeats { at - 1 } else { at };
            let rest = format!("```\n{}\n```\n", lines[from..].join("\n"));
            prop_assume!(at < lines.len() || repeats);
            prop_assert_eq!(files(&join(&waiting, &rest).text), vec![("a.txt".to_owned(), whole)]);
        }
    }
}
