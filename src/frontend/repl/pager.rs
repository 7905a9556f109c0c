//! What is longer than the screen, page by page, on a screen of its own: the conversation below it stays as it was.

use crate::frontend::render::{Page, Turn};
use crate::frontend::repl::keys::{Key, Keys};
use crate::frontend::repl::{Repl, size, terminal};

impl Repl {
    /// Lines of ours: printed where they fit, and else turned over by the reader. Tells whether they were printed.
    pub(super) async fn page(&mut self, lines: Vec<String>) -> bool {
        // The prompt that follows takes a row as well.
        const OTHERS: usize = 2;
        let page = Page::new(self.look, lines, size());
        if page.fits(OTHERS) || !self.look.motion || self.editor.is_plain() {
            self.pane.restart();
            self.pane.painted(&page.into_lines());
            self.flush();
            return true;
        }
        // Without a thread for the keys nobody could leave.
        if let Ok(keys) = Keys::listen() {
            self.turn(page, keys).await;
        }
        false
    }

    async fn turn(&mut self, mut page: Page, mut keys: Keys) {
        terminal::other_screen();
        loop {
            self.write(&page.draw());
            tokio::select! {
                key = keys.received.recv() => match key.map(|key| wish(&key)) {
                    Some(Wish::Turn(turns)) => turns.into_iter().for_each(|turn| page.turn(turn)),
                    Some(Wish::Suspend) => {
                        terminal::suspend();
                        terminal::other_screen();
                        page.fit(size());
                    }
                    Some(Wish::Leave) | None => break,
                },
                _ = self.signals.resized.recv() => page.fit(size()),
                _ = self.signals.stopped.recv() => {
                    terminal::suspend();
                    terminal::other_screen();
                    page.fit(size());
                }
                () = self.ends.interrupt.ended() => break,
            }
        }
        terminal::own_screen();
        drop(keys);
        self.pane.resize(size());
        self.pane.restart();
    }
}

enum Wish {
    Turn(Vec<Turn>),
    Leave,
    Suspend,
}

/// As in `less`.
fn wish(key: &Key) -> Wish {
    let turn = match key {
        Key::Down | Key::Enter | Key::NewLine => Turn::Row,
        Key::Up | Key::Backspace => Turn::RowBack,
        Key::PageDown => Turn::Page,
        Key::PageUp => Turn::PageBack,
        Key::Home => Turn::Top,
        Key::End => Turn::Bottom,
        Key::Escape | Key::Interrupt | Key::EndOfInput => return Wish::Leave,
        Key::Suspend => return Wish::Suspend,
        Key::Text(text) if text.contains(['q', 'Q']) => return Wish::Leave,
        Key::Text(text) => {
            return Wish::Turn(text.chars().filter_map(letter).collect());
        }
        Key::DeleteWord | Key::DeleteLine | Key::Paste(_) | Key::Answer(_) => return Wish::Turn(Vec::new()),
    };
    Wish::Turn(vec![turn])
}

fn letter(letter: char) -> Option<Turn> {
    Some(match letter {
        'j' | 'e' => Turn::Row,
        'k' | 'y' => Turn::RowBack,
        ' ' | 'f' | 'd' => Turn::Page,
        'b' | 'u' => Turn::PageBack,
        'g' | '<' => Turn::Top,
        'G' | '>' => Turn::Bottom,
        _ => return None,
    })
}
