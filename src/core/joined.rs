//! The last reply as one text, however often it was cut and gone on with: a fold over the log's records.

use crate::base::path::RelPath;
use crate::reply::resume;
use crate::session::record::{Continues, GoesOn};

/// A reply as an unbroken one would have it, from behind what was already done.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// `None` where it is the message's own.
    text: Option<String>,
    pub last_edited: Option<RelPath>,
    /// What was done of it, in pieces: its runs and reads wait for the end.
    pub done: Vec<String>,
    /// A file whose block was open and never got its end.
    pub left: Option<RelPath>,
    going_on: Option<GoingOn>,
}

/// Its rest was asked for.
#[derive(Clone, Debug)]
struct GoingOn {
    by: GoesOn,
    waiting: String,
}

impl Joined {
    /// `message` is what the model wrote last.
    pub fn text<'a>(&'a self, message: &'a str) -> &'a str {
        self.text.as_deref().unwrap_or(message)
    }

    /// A request was sent. Gives how many bytes at the reply's end are left out of what the server goes on with.
    pub fn asked(&mut self, continues: Option<&Continues>, message: &str) -> usize {
        let Some(Continues { by, from, to, last_edited }) = continues else {
            self.going_on = None;
            return 0;
        };
        if let Some(before) = &mut self.going_on {
            // Asked again, perhaps in the other way: nothing came in between.
            before.by = *by;
            return 0;
        }
        let text = self.text(message);
        let waiting = text.get(*from..*to).unwrap_or_default().to_owned();
        let (done, left_out) = (text.get(..*from).unwrap_or_default().to_owned(), text.len().saturating_sub(*to));
        self.done.push(done);
        self.last_edited = last_edited.as_deref().and_then(|path| RelPath::parse(path).ok());
        self.going_on = Some(GoingOn { by: *by, waiting });
        if *by == GoesOn::Prefill { left_out } else { 0 }
    }

    /// A reply has ended. Tells whether it belongs to the message before.
    pub fn ended(&mut self, text: &str) -> bool {
        match self.going_on.take() {
            None => {
                *self = Self::default();
                false
            }
            Some(GoingOn { by: GoesOn::Prefill, waiting }) => {
                self.text = Some(waiting + text);
                true
            }
            Some(GoingOn { by: GoesOn::Instruction, waiting }) => {
                let resume::Joined { text, left } = resume::join(&waiting, text);
                self.text = Some(text);
                self.left = left;
                false
            }
        }
    }

    /// The user has said something else.
    pub fn dropped(&mut self) {
        self.going_on = None;
    }

    pub fn is_going_on(&self) -> Option<GoesOn> {
        self.going_on.as_ref().map(|going_on| going_on.by)
    }

    /// What is to come before the rest: nothing where the rest stands alone.
    pub fn waiting(&self) -> &str {
        self.going_on.as_ref().map_or("", |going_on| &going_on.waiting)
    }
}
