//! The last reply as one text, however often it was cut and gone on with: a fold over the log's records.

use crate::base::path::RelPath;
use crate::reply::{Ending, resume};
use crate::session::record::{Continues, Finish, GoesOn};

/// A reply as an unbroken one would have it, from behind what was already done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Joined {
    /// `None` where it is the message's own.
    text: Option<String>,
    pub last_edited: Option<RelPath>,
    /// What was done of it, in pieces: its runs and reads wait for the end.
    pub done: Vec<String>,
    /// Blocks that were open and never got their end: paths, or words such as `run`.
    pub left: Vec<String>,
    going_on: Option<GoingOn>,
    /// It said that it was done.
    was_whole: bool,
}

/// Its rest was asked for.
#[derive(Clone, Debug, PartialEq)]
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
    pub fn ended(&mut self, text: &str, ending: Ending) -> bool {
        let is_whole = ending == Ending::Whole;
        let before = if std::mem::replace(&mut self.was_whole, is_whole) { Ending::Whole } else { Ending::Cut };
        match self.going_on.take() {
            None => {
                *self = Self { was_whole: is_whole, ..Self::default() };
                false
            }
            Some(GoingOn { by: GoesOn::Prefill, waiting }) => {
                self.text = Some(waiting + text);
                true
            }
            Some(GoingOn { by: GoesOn::Instruction, waiting }) => {
                let resume::Joined { text, left } = resume::join(&waiting, text, [before, ending]);
                self.text = Some(text);
                self.left.extend(left);
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

/// Whether the text of a reply may be taken as all that the model wanted to say.
pub fn ending_of(finish: Finish) -> Ending {
    match finish {
        Finish::Stop | Finish::ToolCalls => Ending::Whole,
        Finish::Length | Finish::Interrupted | Finish::BrokenOff => Ending::Cut,
    }
}
