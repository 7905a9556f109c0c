//! What a file of the user's can replace, a prompt or a script: found by its name, shown, and compared with the
//! built-in text.

use std::path::PathBuf;

use similar::TextDiff;

use crate::command::failure::Failure;
use crate::command::job::Plan;
use crate::command::output;

/// One prompt or script with the text that is in use.
pub struct Replaceable {
    /// With its ending and the folder it is below: `system.md`, `lib/output.rhai`.
    pub name: String,
    /// `None` for a script that only the user or the project has.
    pub built_in: Option<&'static str>,
    /// The file that is in use; `None` for a built-in text.
    pub path: Option<PathBuf>,
    pub text: String,
}

impl Replaceable {
    fn is_replaced(&self) -> bool {
        self.built_in.is_some() && self.path.is_some()
    }
}

/// `kind` is what error messages call one of them.
pub fn show(all: &[Replaceable], kind: &str, name: &str) -> Result<Plan, Failure> {
    output::print_file(&find(all, kind, name)?.text)
}

/// What differs from the built-in text, of the one named or of all that are replaced.
pub fn diff(all: &[Replaceable], kind: &str, name: Option<&str>) -> Result<Plan, Failure> {
    let replaced: Vec<&Replaceable> = match name {
        Some(name) => vec![find(all, kind, name)?],
        None => all.iter().filter(|one| one.is_replaced()).collect(),
    };
    if replaced.is_empty() {
        output::say(&format!("no {kind} is replaced: `faos eject NAME` copies one to your folder"));
    }
    let mut out = String::new();
    for one in replaced {
        let diff = difference(one)?;
        if diff.is_empty() && one.path.is_some() {
            output::say(&format!("`{}` is the same as the built-in {kind}", one.name));
        } else if diff.is_empty() {
            output::say(&format!("`{}` is built in, no file replaces it", one.name));
        }
        out.push_str(&diff);
    }
    output::print_file(&out)
}

/// The one that is meant: by its name, with or without its ending, or as `faos scripts list` labels it.
pub fn find<'a>(all: &'a [Replaceable], kind: &str, name: &str) -> Result<&'a Replaceable, Failure> {
    let known: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    match position(&known, name) {
        Some(at) => Ok(&all[at]),
        None => Err(unknown(&known, kind, name)),
    }
}

/// Which of the names is meant.
pub fn position(known: &[&str], name: &str) -> Option<usize> {
    let prefixes = ["built-in/", "user/", "project/", "prompts/", "scripts/"];
    let bare = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    known.iter().position(|known| *known == bare || stem(known) == bare)
}

/// The error for a name that is not there, with the nearest ones.
pub fn unknown(known: &[&str], kind: &str, name: &str) -> Failure {
    let stems: Vec<&str> = known.iter().map(|known| stem(known)).collect();
    let near = similar::get_close_matches(stem(name), &stems, 3, 0.5);
    let is_near = |known: &&&str| near.contains(&stem(known)) || !name.is_empty() && known.contains(name);
    let names: Vec<String> = known.iter().filter(is_near).map(|known| format!("`{known}`")).collect();
    let hint = if names.is_empty() {
        format!("there are {}", known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", "))
    } else {
        format!("did you mean {}?", names.join(" or "))
    };
    Failure::usage(format!("there is no {kind} `{name}`"), hint)
}

fn stem(name: &str) -> &str {
    [".md", ".rhai"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

fn difference(one: &Replaceable) -> Result<String, Failure> {
    let Some(path) = &one.path else { return Ok(String::new()) };
    let Some(built_in) = one.built_in else {
        return Err(Failure::usage(
            format!("`{}` replaces nothing: no built-in one has its name", one.name),
            "`faos eject` lists the names that can be replaced",
        ));
    };
    let after = output::one_line(&path.display().to_string());
    let diff = TextDiff::from_lines(built_in, one.text.as_str());
    Ok(diff.unified_diff().header(&format!("built-in/{}", one.name), &after).to_string())
}

#[cfg(test)]
mod tests {
    use super::{position, unknown};

    const KNOWN: [&str; 3] = ["system.md", "30-guard.rhai", "lib/output.rhai"];

    #[test]
    fn a_name_may_be_short_or_full() {
        for (name, want) in [
            ("system", Some(0)),
            ("system.md", Some(0)),
            ("prompts/system.md", Some(0)),
            ("built-in/30-guard.rhai", Some(1)),
            ("lib/output", Some(2)),
            ("output", None),
            ("", None),
        ] {
            assert_eq!(position(&KNOWN, name), want, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        assert_eq!(unknown(&KNOWN, "prompt", "sytem.md").hints, ["did you mean `system.md`?"]);
        assert_eq!(unknown(&KNOWN, "script", "30").hints, ["did you mean `30-guard.rhai`?"]);
        assert_eq!(unknown(&KNOWN, "prompt", "q").hints, ["there are `system.md`, `30-guard.rhai`, `lib/output.rhai`"]);
    }
}
