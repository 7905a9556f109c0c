//! What stands as one line or is longer than a screen, when it is asked for: `/show` and `/diff`.

use crate::base::printable::printable;
use crate::core::view::View;
use crate::frontend::render::{Coloring, diff, hunk};
use crate::frontend::repl::folds::{counted, line};
use crate::frontend::repl::{Repl, Waiting, size};
use crate::frontend::slash::Which;

/// Lines for the reader, and what is said when they have gone.
pub(super) struct Shown {
    pub lines: Vec<String>,
    pub remains: String,
}

impl Repl {
    pub(super) async fn show(&mut self, which: &Which) {
        let Some(fold) = self.folds.find(which).cloned() else {
            let missing = match which {
                Which::Last => "nothing stands as one line yet".to_owned(),
                Which::Number(number) => format!("the last answer has no {number}. file"),
                Which::Thought => "nothing was thought aloud yet".to_owned(),
                Which::Path(path) => format!("no file of the replies is `{}`", printable(path)),
            };
            return self.say(&format!("{missing}; /files lists what is there, /show takes a name or a number\n"));
        };
        let remains = line(self.look, &printable(&fold.label), &counted(fold.text.lines().count()));
        let look = self.look;
        // The first lines of a language take their time, and keys are not to wait for it.
        let painted = tokio::task::spawn_blocking(move || match fold.label.as_str() {
            Which::THOUGHT => fold.text.lines().map(|line| look.plain(line)).collect(),
            name => Coloring::default().lines(name, &fold.text, look),
        });
        self.ends.interrupt.rearm();
        let interrupted = self.ends.interrupt.token();
        let lines = tokio::select! {
            lines = painted => lines.unwrap_or_default(),
            () = interrupted.cancelled() => return self.ends.interrupt.rearm(),
            () = self.ends.interrupt.ended() => return,
        };
        self.shown_to_the_end(Shown { lines, remains }).await;
    }

    /// A difference is shown when nothing else is done any more: it may take the whole screen.
    pub(super) fn difference(&mut self, view: &View) -> bool {
        let View::Diff { version, to, text } = view else { return false };
        if text.is_empty() || self.editor.is_plain() || !self.look.motion {
            return false;
        }
        let head = match to {
            None => format!("since version {version}:"),
            Some(to) => format!("from version {version} to {to}:"),
        };
        let mut lines = vec![head.clone()];
        lines.extend(diff(text, self.look, size().columns));
        self.waiting = Some(Waiting::Shown(Shown { lines, remains: format!("{head}\n{}", stat(text)) }));
        true
    }

    pub(super) async fn shown_to_the_end(&mut self, shown: Shown) {
        if !self.page(shown.lines).await {
            self.print(&shown.remains);
        }
    }
}

/// What a unified difference changes in each file.
fn stat(text: &str) -> String {
    let (mut out, mut file): (String, Option<(&str, usize, usize)>) = (String::new(), None);
    let mut tell = |file: Option<(&str, usize, usize)>| {
        if let Some((path, added, removed)) = file {
            out.push_str(&format!("  {}  +{added} -{removed}\n", printable(path)));
        }
    };
    let (mut old, mut lines) = ("", text.lines().peekable());
    // Lines of the hunk, which may look like a file's head.
    let mut left = (0, 0);
    while let Some(line) = lines.next() {
        if left.0 + left.1 > 0 && !line.starts_with('\\') {
            let (is_old, is_new) = (!line.starts_with('+'), !line.starts_with('-'));
            left = (usize::saturating_sub(left.0, is_old.into()), usize::saturating_sub(left.1, is_new.into()));
            if let Some((_, added, removed)) = &mut file {
                *added += usize::from(!is_old);
                *removed += usize::from(!is_new);
            }
        } else if let Some((before, after)) = hunk(line) {
            left = (before.1, after.1);
        } else if let Some(path) = line.strip_prefix("--- ")
            && lines.peek().is_some_and(|next| next.starts_with("+++ "))
        {
            old = path;
        } else if let Some(path) = line.strip_prefix("+++ ").filter(|_| !old.is_empty()) {
            tell(file.take());
            let path = if path == "/dev/null" { old } else { path };
            file = Some((path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(path), 0, 0));
            old = "";
        }
    }
    tell(file);
    out
}

#[cfg(test)]
mod tests {
    use super::stat;

    #[test]
    fn each_file_is_counted() {
        let text = "--- a/x.py\n+++ b/x.py\n@@ -1 +1,2 @@\n-a\n+b\n+c\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x\n--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n";
        assert_eq!(stat(text), "  x.py  +2 -1\n  new.py  +1 -0\n  old.py  +0 -1\n");
    }

    #[test]
    fn lines_that_look_like_a_head_are_counted() {
        let text = "--- a/x.sql\n+++ b/x.sql\n@@ -1,3 +1,3 @@\n a\n--- x\n+++ y\n b\n\\ No newline at end of file\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n";
        assert_eq!(stat(text), "  x.sql  +1 -1\n  y  +1 -1\n");
    }
}
