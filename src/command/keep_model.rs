//! `/model NAME --save`: the name in the user's settings file, with everything else in it as it was.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::base::fs;

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    model: Option<Spanned<ModelTable>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ModelTable {
    name: Option<Spanned<toml::Value>>,
}

/// Writes the file anew, by rename. The error is one line for the user.
pub fn keep_model(path: &Path, name: &str) -> Result<(), String> {
    let text = fs::read_text_if_present(path).map_err(|error| error.to_string())?.unwrap_or_default();
    let changed = with_model(&text, name)
        .ok_or_else(|| format!("`{}` is not understood; write `name = {}` into it", path.display(), quoted(name)))?;
    if let Some(folder) = path.parent() {
        fs::make_folders(folder).map_err(|error| error.to_string())?;
    }
    fs::replace(path, changed.as_bytes()).map_err(|error| error.to_string())
}

fn with_model(text: &str, name: &str) -> Option<String> {
    let file: File = toml::from_str(text).ok()?;
    let line = format!("name = {}", quoted(name));
    let header = text.lines().position(|line| line.split('#').next().unwrap_or_default().trim() == "[model]");
    let changed = match (file.model, header) {
        (Some(model), header) => match (model.into_inner().name, header) {
            (Some(before), _) => replaced(text, before.span(), &quoted(name)),
            (None, Some(at)) => inserted(text, at + 1, &line),
            // A table in one line, or in dotted keys.
            (None, None) => return None,
        },
        (None, _) => format!("{text}{}[model]\n{line}\n", if text.is_empty() { "" } else { "\n" }),
    };
    let read: File = toml::from_str(&changed).ok()?;
    let kept = read.model?.into_inner().name?.into_inner();
    (kept.as_str() == Some(name)).then_some(changed)
}

fn quoted(name: &str) -> String {
    toml::Value::from(name).to_string()
}

fn replaced(text: &str, at: Range<usize>, by: &str) -> String {
    format!("{}{by}{}", &text[..at.start], &text[at.end..])
}

fn inserted(text: &str, at: usize, line: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(at, line);
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::with_model;

    #[test]
    fn the_rest_of_the_file_stays() {
        for (text, wanted) in [
            ("", Some("[model]\nname = \"q\"\n")),
            ("[loop]\nmax_turns = 3\n", Some("[loop]\nmax_turns = 3\n\n[model]\nname = \"q\"\n")),
            (
                "# mine\n[model] # here\nname = 'old' # why\nseed = 1\n",
                Some("# mine\n[model] # here\nname = \"q\" # why\nseed = 1\n"),
            ),
            ("[model]\nseed = 1\n[loop]\n", Some("[model]\nname = \"q\"\nseed = 1\n[loop]\n")),
            (
                "[model.limits]\nconnect_s = 1\n[model]\n",
                Some("[model.limits]\nconnect_s = 1\n[model]\nname = \"q\"\n"),
            ),
            ("model.seed = 1\n", None),
            ("[model\n", None),
        ] {
            assert_eq!(with_model(text, "q").as_deref(), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_read_back(name: String, before in "[a-z\"# ]{0,8}") {
            let text = format!("[model]\nname = {}\n", toml::Value::from(before));
            prop_assert!(with_model(&text, &name).is_some());
        }
    }
}
