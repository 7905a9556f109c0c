//! Paths inside a workspace: relative, normalised, and unable to leave it by their text alone.

use std::ffi::OsStr;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A path below the workspace's root: components joined by `/`, none of them empty, `.`, `..`, `.git` or `.faos`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

/// Why a text is no path inside the workspace. The words go to the model and to the screen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathRefusal {
    #[error("the path is empty")]
    Empty,
    #[error("the path is absolute; paths are relative to the workspace")]
    Absolute,
    #[error("the path has a drive letter; paths are relative to the workspace")]
    Drive,
    #[error("the path leaves the workspace (`..`)")]
    Parent,
    #[error("the path has a control character")]
    Control,
    #[error("`{0}` is not for programs and models to write")]
    Reserved(String),
    #[error("a name in the path is over 255 bytes")]
    NameTooLong,
}

impl RelPath {
    /// Normalises separators (`\` becomes `/`) and `.` components, then checks every component.
    pub fn parse(text: &str) -> Result<Self, PathRefusal> {
        let text = text.replace('\\', "/");
        if text.chars().any(char::is_control) {
            return Err(PathRefusal::Control);
        }
        if text.starts_with('/') {
            return Err(PathRefusal::Absolute);
        }
        let mut components = Vec::new();
        for component in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
            components.push(check(component)?);
        }
        // What `./` hid must not come out of it: the normal form has to be one itself.
        match components.first().map(|first| first.as_bytes()) {
            None => return Err(PathRefusal::Empty),
            Some(b"~") => return Err(PathRefusal::Absolute),
            Some([letter, b':', ..]) if letter.is_ascii_alphabetic() => return Err(PathRefusal::Drive),
            Some(_) => {}
        }
        Ok(Self(components.join("/")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The extension without its dot, as written; `None` for `Makefile` and `.gitignore`.
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.file_name().rsplit_once('.')?;
        (!stem.is_empty()).then_some(extension)
    }

    /// The folder that holds it; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }
}

/// Whether a name is one that programs obey, in any case: not for models and runs to write, wherever it stands.
pub fn is_reserved(name: &OsStr) -> bool {
    [".git", ".faos"].iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}

fn check(component: &str) -> Result<&str, PathRefusal> {
    if component == ".." {
        return Err(PathRefusal::Parent);
    }
    if is_reserved(OsStr::new(component)) {
        return Err(PathRefusal::Reserved(component.to_owned()));
    }
    if component.len() > 255 {
        return Err(PathRefusal::NameTooLong);
    }
    Ok(component)
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RelPath {
    type Error = PathRefusal;

    fn try_from(text: String) -> Result<Self, PathRefusal> {
        Self::parse(&text)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::{PathRefusal, RelPath};

    #[test]
    fn normal_forms() {
        for (text, want) in
            [("a.py", "a.py"), ("./src//a.py", "src/a.py"), ("src\\a.py", "src/a.py"), (".github/x", ".github/x")]
        {
            assert_eq!(RelPath::parse(text).map(String::from), Ok(want.to_owned()));
        }
    }

    #[test]
    fn refusals() {
        use PathRefusal::{Absolute, Control, Drive, Empty, NameTooLong, Parent, Reserved};
        for (text, want) in [
            ("", Empty),
            (".", Empty),
            ("/etc/passwd", Absolute),
            ("~/x", Absolute),
            ("./~/x", Absolute),
            ("C:\\x", Drive),
            ("./C:/x", Drive),
            ("a/../../x", Parent),
            ("a\0b", Control),
            (".Git/config", Reserved(".Git".into())),
            ("x/.faos/config.toml", Reserved(".faos".into())),
        ] {
            assert_eq!(RelPath::parse(text), Err(want), "{text:?}");
        }
        assert_eq!(RelPath::parse(&"x".repeat(256)), Err(NameTooLong));
    }

    #[test]
    fn extensions() {
        for (text, want) in [("a/b.tar.gz", Some("gz")), ("Makefile", None), (".gitignore", None), ("a.d/b", None)] {
            assert_eq!(RelPath::parse(text).ok().as_ref().and_then(RelPath::extension), want, "{text}");
        }
    }
}
