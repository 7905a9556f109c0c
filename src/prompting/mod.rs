//! The words that are sent to the model: templates looked up in the user's folders, then among the built-in ones.

use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

#[derive(Debug, Error)]
#[error("{message}")]
pub struct PromptError {
    /// Names the template's file, the line and the variable.
    pub message: String,
}

/// Where templates come from, nearest first; built-in ones stand behind all folders.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub folders: Vec<PathBuf>,
}

pub struct Prompts {
    _p: (),
}

impl Prompts {
    pub fn load(options: &Options) -> Result<Self, PromptError> {
        let _ = options;
        unimplemented!()
    }

    /// `name` without `.md`. Undefined variables and spent fuel are errors.
    pub fn render(&self, name: &str, values: impl Serialize) -> Result<String, PromptError> {
        let _ = (name, values);
        unimplemented!()
    }
}
