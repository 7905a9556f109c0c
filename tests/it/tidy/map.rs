//! Which file is which module, who names whom, and who may.

use std::collections::BTreeMap;

use super::source::{Module, Named, Source};

const LEAVES: [&str; 8] = ["reply", "gateway", "workspace", "sandbox", "session", "prompting", "scripting", "playback"];

/// What each leaf calls its settings; `settings` may name these and nothing else of a leaf.
const OPTIONS: [(&str, &[&str]); 4] = [
    ("gateway", &["Options", "Sampling", "Limits"]),
    ("sandbox", &["Options", "Choice", "Limits"]),
    ("scripting", &["Options"]),
    ("prompting", &["Options"]),
];

/// What core shows to a frontend.
const FACE_OF_CORE: [&str; 5] = ["Op", "Event", "op", "event", "view"];

/// Whether `from` may name `name`, the first name below the part `to`; empty where `to` itself is imported, since every
/// use of it is seen for itself. `None`: `from` has no place in the plan.
fn may_use(from: &str, to: &str, name: &str) -> Option<bool> {
    let leaf = LEAVES.contains(&to);
    let allowed = match from {
        "main" | "lib" | "app" | "cli" => true,
        "command" => leaf || matches!(to, "cli" | "settings" | "core" | "frontend" | "base"),
        "frontend" => to == "base" || to == "core" && (name.is_empty() || FACE_OF_CORE.contains(&name)),
        "core" => leaf || to == "base",
        "settings" => {
            let of_leaf = |(part, names): &(&str, &[&str])| *part == to && (name.is_empty() || names.contains(&name));
            to == "base" || OPTIONS.iter().any(of_leaf)
        }
        "base" => false,
        from if LEAVES.contains(&from) => to == "base",
        _ => return None,
    };
    Some(allowed)
}

/// The modules of `src/`, by the path of their names; the library's root is empty, the program's is `main`.
pub struct Map {
    files: BTreeMap<Vec<String>, usize>,
}

/// One module names another.
pub struct Arrow {
    pub from: Vec<String>,
    /// The nearest module that is a file.
    pub to: Vec<String>,
    /// The full path, from the library's root.
    pub names: Vec<String>,
    pub file: String,
    pub line: usize,
}

impl Map {
    pub fn new(sources: &[Source]) -> Self {
        let files = sources.iter().enumerate().map(|(index, source)| (module_of(&source.path), index)).collect();
        Self { files }
    }

    /// Every path outside of test code that names a module of ours.
    pub fn arrows(&self, sources: &[Source]) -> Vec<Arrow> {
        let mut arrows = Vec::new();
        for source in sources {
            let (from, modules) = (module_of(&source.path), source.modules());
            let paths: Vec<Named> = source.paths().into_iter().filter(|named| !named.test).collect();
            let imports = self.imported_modules(&from, &modules, &paths);
            for named in &paths {
                let Some(names) = resolve(&from, &modules, &imports, named) else { continue };
                let to = self.nearest(&names);
                if to != from && !names.is_empty() {
                    let (file, line) = (source.path.clone(), named.line);
                    arrows.push(Arrow { from: from.clone(), to, names, file, line });
                }
            }
        }
        arrows
    }

    /// The modules that are reached from the two roots by `mod` lines, each with whether only tests reach it.
    pub fn reached(&self, sources: &[Source]) -> BTreeMap<usize, bool> {
        let mut reached = BTreeMap::new();
        let mut waiting = vec![(Vec::new(), false), (vec!["main".to_owned()], false)];
        while let Some((module, test)) = waiting.pop() {
            let Some(index) = self.files.get(&module) else { continue };
            if reached.get(index).is_some_and(|known| !known || test) {
                continue;
            }
            reached.insert(*index, test);
            let base = if module == ["main"] { Vec::new() } else { module };
            for declared in sources[*index].modules().into_iter().filter(|m| m.body.is_none()) {
                let mut below = base.clone();
                below.push(declared.name);
                waiting.push((below, test || declared.test));
            }
        }
        reached
    }

    /// Names that stand for a whole module here, as `fs` does after `use crate::base::fs`.
    fn imported_modules(&self, from: &[String], modules: &[Module], paths: &[Named]) -> Imports {
        let bound = paths.iter().filter_map(|named| Some((named.binds.clone()?, named)));
        let resolved = bound.filter_map(|(name, named)| Some((name, resolve(from, modules, &Imports::new(), named)?)));
        resolved.filter(|(_, names)| names.len() == 1 || self.nearest(names) == *names).collect()
    }

    fn nearest(&self, names: &[String]) -> Vec<String> {
        let length = (0..=names.len()).rev().find(|length| self.files.contains_key(&names[..*length]));
        names[..length.unwrap_or(0)].to_vec()
    }
}

/// Why the plan forbids the arrow; `None` where it does not.
pub fn forbidden(arrow: &Arrow) -> Option<String> {
    let from = arrow.from.first().map_or("lib", String::as_str);
    let to = arrow.names.first()?.as_str();
    let name = arrow.names.get(1).map_or("", String::as_str);
    if from == to {
        return None;
    }
    match may_use(from, to, name) {
        Some(true) => None,
        Some(false) => Some(format!("`{from}` may not use `{}`", arrow.names.join("::"))),
        None => Some(format!("`{from}` has no place in the plan of docs/architecture.md")),
    }
}

/// Pairs of modules that name each other, neither of which holds the other; parts are modules too.
pub fn mutual(arrows: &[Arrow]) -> Vec<String> {
    let mut edges: BTreeMap<(&[String], &[String]), String> = BTreeMap::new();
    for Arrow { from, to, file, line, .. } in arrows {
        let parts = (&from[..from.len().min(1)], &to[..to.len().min(1)]);
        for edge in [(from.as_slice(), to.as_slice()), parts] {
            edges.entry(edge).or_insert_with(|| format!("{file}:{line}"));
        }
    }
    let kin = |a: &[String], b: &[String]| a.starts_with(b) || b.starts_with(a);
    let pairs = edges.iter().filter(|((a, b), _)| a < b && !kin(a, b)).filter_map(|((a, b), there)| {
        let back = edges.get(&(*b, *a))?;
        Some(format!("{there}: `{}` and `{}` name each other, see {back}", a.join("::"), b.join("::")))
    });
    pairs.collect()
}

/// `src/base/mod.rs` is `base`, `src/base/fs.rs` is `base::fs`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    if inside == "lib" { Vec::new() } else { inside.split('/').map(str::to_owned).collect() }
}

type Imports = BTreeMap<String, Vec<String>>;

/// The path from the library's root; `None` where it leads to another crate, or stays in this file.
fn resolve(from: &[String], modules: &[Module], imports: &Imports, named: &Named) -> Option<Vec<String>> {
    let inline = modules.iter().filter(|m| m.body.as_ref().is_some_and(|body| body.contains(&named.at)));
    let mut module: Vec<String> = from.iter().cloned().chain(inline.map(|m| m.name.clone())).collect();
    let mut names = named.names.iter().peekable();
    match named.names[0].as_str() {
        "crate" => {
            names.next();
            module.clear();
        }
        "faos" if from == ["main"] => {
            names.next();
            module.clear();
        }
        "self" | "super" => {
            names.next_if(|name| *name == "self");
            while names.next_if(|name| *name == "super").is_some() {
                module.pop();
            }
        }
        first if imports.contains_key(first) => {
            module.clone_from(&imports[first]);
            names.next();
        }
        first if modules.iter().any(|m| m.name == first && m.body.is_none()) => {}
        _ => return None,
    }
    module.extend(names.filter(|name| *name != "self" && *name != "*").cloned());
    Some(module)
}

#[cfg(test)]
mod tests {
    use super::{Map, Source, forbidden, mutual};

    fn house(files: &[(&str, &str)]) -> Vec<Source> {
        files.iter().map(|(path, text)| Source::parse(path, text).unwrap()).collect()
    }

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let sources = house(files);
        let arrows = Map::new(&sources).arrows(&sources);
        let mut found: Vec<String> =
            arrows.iter().filter_map(|a| forbidden(a).map(|why| format!("{}:{}: {why}", a.file, a.line))).collect();
        found.extend(mutual(&arrows));
        found
    }

    #[test]
    fn a_leaf_may_use_base_alone() {
        let reply = "use crate::base::{path::RelPath, fs};\nfn f() { crate::session::read(); }\n#[cfg(test)]\nuse crate::core::x;";
        assert_eq!(
            complaints(&[("src/reply/mod.rs", reply)]),
            ["src/reply/mod.rs:2: `reply` may not use `session::read`"]
        );
    }

    #[test]
    fn settings_see_options_and_a_frontend_the_face_of_core() {
        let settings = "use crate::{base::fs, gateway::Options, sandbox::{self as cage, Choice}};\nfn f() { cage::Sandbox::open(); cage::Limits::default(); }";
        let frontend = "use crate::core::{event::Event, conversation::Conversation};";
        assert_eq!(
            complaints(&[("src/settings.rs", settings), ("src/frontend/repl.rs", frontend)]),
            [
                "src/settings.rs:2: `settings` may not use `sandbox::Sandbox::open`",
                "src/frontend/repl.rs:1: `frontend` may not use `core::conversation::Conversation`",
            ]
        );
    }

    #[test]
    fn base_uses_nothing_and_strangers_are_named() {
        assert_eq!(
            complaints(&[
                ("src/base/fs.rs", "use crate::reply;"),
                ("src/base/fs/x.rs", "use crate::reply::A;"),
                ("src/util.rs", "use crate::base::fs;")
            ]),
            [
                "src/base/fs.rs:1: `base` may not use `reply`",
                "src/base/fs/x.rs:1: `base` may not use `reply::A`",
                "src/util.rs:1: `util` has no place in the plan of docs/architecture.md",
            ]
        );
    }

    #[test]
    fn siblings_that_name_each_other_are_a_pair_and_parents_are_not() {
        let files = [
            ("src/reply/mod.rs", "mod a; mod b;\nuse a::A; fn f() { b::go(); }"),
            ("src/reply/a.rs", "use super::{Action, b::B};"),
            ("src/reply/b.rs", "mod inner { use super::super::a::A; }"),
        ];
        assert_eq!(
            complaints(&files),
            ["src/reply/a.rs:1: `reply::a` and `reply::b` name each other, see src/reply/b.rs:1"]
        );
    }

    #[test]
    fn what_no_mod_line_reaches_is_left_over() {
        let sources = house(&[
            ("src/lib.rs", "pub mod a; #[cfg(test)] mod probe;"),
            ("src/a/mod.rs", "mod b;"),
            ("src/a/b.rs", ""),
            ("src/a/lost.rs", ""),
            ("src/probe.rs", ""),
        ]);
        let reached = Map::new(&sources).reached(&sources);
        assert_eq!(reached.into_iter().collect::<Vec<_>>(), [(0, false), (1, false), (2, false), (4, true)]);
    }
}
