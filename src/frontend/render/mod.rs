//! stub
use crate::base::printable::Printable;
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub color: bool,
    pub motion: bool,
}
impl Look {
    pub fn color(self) -> bool {
        self.color
    }
}
pub struct Pane {
    out: String,
    filter: Printable,
    inside: bool,
}
impl Pane {
    pub fn new(_: Look, _: (usize, usize)) -> Self {
        Self { out: String::new(), filter: Printable::default(), inside: false }
    }
    pub fn reply(&mut self, text: &str) {
        self.filter.push(text, &mut self.out);
        self.inside = !text.ends_with('\n');
    }
    pub fn lines(&mut self, text: &str) {
        self.finish_reply();
        self.out.push_str(text);
    }
    pub fn finish_reply(&mut self) {
        if self.inside {
            self.out.push('\n');
            self.inside = false;
        }
    }
    pub fn live(&mut self, _: Option<String>) {}
    pub fn resize(&mut self, _: (usize, usize)) {}
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }
    pub async fn highlighted(&mut self) {
        std::future::pending::<()>().await
    }
}
