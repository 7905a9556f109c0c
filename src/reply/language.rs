//! Names of languages, and which file extensions they go with.

/// A language by its usual names on a fence, the extensions of its files, and whole file names.
struct Language {
    names: &'static [&'static str],
    extensions: &'static [&'static str],
}

const fn language(names: &'static [&'static str], extensions: &'static [&'static str]) -> Language {
    Language { names, extensions }
}

const LANGUAGES: &[Language] = &[
    language(&["bash", "sh", "shell", "zsh", "console", "shell-session", "terminal"], &["sh", "bash", "zsh", "bats"]),
    language(&["bat", "batch", "cmd"], &["bat", "cmd"]),
    language(&["c", "h"], &["c", "h"]),
    language(&["cmake"], &["cmake"]),
    language(&["cpp", "c++", "cxx", "cc", "hpp"], &["cpp", "cc", "cxx", "hpp", "hh", "hxx", "h"]),
    language(&["csharp", "cs", "c#"], &["cs"]),
    language(&["css", "scss", "sass", "less"], &["css", "scss", "sass", "less"]),
    language(&["csv", "tsv"], &["csv", "tsv"]),
    language(&["dart"], &["dart"]),
    language(&["dockerfile", "docker"], &["dockerfile"]),
    language(&["elixir", "ex", "exs"], &["ex", "exs"]),
    language(&["go", "golang"], &["go"]),
    language(&["haskell", "hs"], &["hs"]),
    language(&["html", "htm", "xhtml", "jinja", "jinja2", "django"], &["html", "htm", "xhtml", "j2", "jinja"]),
    language(&["ini", "cfg", "conf", "properties", "env", "dotenv"], &["ini", "cfg", "conf", "properties", "env"]),
    language(&["java"], &["java"]),
    language(&["javascript", "js", "jsx", "mjs", "cjs", "node", "nodejs", "node.js"], &["js", "jsx", "mjs", "cjs"]),
    language(&["json", "jsonc", "json5", "jsonl"], &["json", "jsonc", "json5", "jsonl", "webmanifest"]),
    language(&["kotlin", "kt", "kts"], &["kt", "kts"]),
    language(&["lua"], &["lua"]),
    language(&["makefile", "make", "mk"], &["mk", "mak"]),
    language(&["markdown", "md", "mdx"], &["md", "mdx", "markdown"]),
    language(&["pascal", "delphi"], &["pas", "pp"]),
    language(&["perl", "pl"], &["pl", "pm"]),
    language(&["php"], &["php"]),
    language(&["powershell", "ps1", "pwsh"], &["ps1", "psm1"]),
    language(&["python", "py", "python3", "pycon"], &["py", "pyw", "pyi"]),
    language(&["r"], &["r"]),
    language(&["rst", "restructuredtext"], &["rst"]),
    language(&["ruby", "rb"], &["rb", "rake", "gemspec"]),
    language(&["rust", "rs"], &["rs"]),
    language(&["scala"], &["scala", "sc"]),
    language(&["sql", "sqlite", "postgresql", "mysql", "plpgsql"], &["sql"]),
    language(&["svelte"], &["svelte"]),
    language(&["swift"], &["swift"]),
    language(&["text", "txt", "plaintext", "plain"], &["txt", "text", "log"]),
    language(&["toml"], &["toml", "lock"]),
    language(&["typescript", "ts", "tsx"], &["ts", "tsx", "mts", "cts"]),
    language(&["vue"], &["vue"]),
    language(&["xml", "svg"], &["xml", "svg", "xsd", "xsl"]),
    language(&["yaml", "yml"], &["yaml", "yml"]),
    language(&["zig"], &["zig"]),
];

/// Files that have a language by their whole name.
const NAMED: &[(&str, &str)] = &[
    ("makefile", "make"),
    ("gnumakefile", "make"),
    ("dockerfile", "docker"),
    ("containerfile", "docker"),
    ("cmakelists.txt", "cmake"),
];

fn of_name(name: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.names.contains(&name))
}

fn of_path(path: &str) -> Option<&'static Language> {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    if let Some((_, language)) = NAMED.iter().find(|(file, _)| *file == name) {
        return of_name(language);
    }
    let extension = name.rsplit_once('.')?.1.to_owned();
    LANGUAGES.iter().find(|language| language.extensions.contains(&extension.as_str()))
}

/// Whether the first word of an info string is the name of a language, in any case.
pub fn is_language(word: &str) -> bool {
    of_name(&word.to_lowercase()).is_some()
}

/// Whether a fence's language and a path's extension go together; `None` where one of them is not known.
pub fn agree(language: &str, path: &str) -> Option<bool> {
    let (named, found) = (of_name(&language.to_lowercase())?, of_path(path)?);
    let shares = named.extensions.iter().any(|extension| found.extensions.contains(extension));
    // Plain text goes with everything that people read.
    Some(shares || named.names.contains(&"text") || (named.names.contains(&"console") && !path.contains('.')))
}

/// The language of a block in one word: of its fence, else of its path. Empty where neither tells.
pub fn of_block(info: &str, path: Option<&str>) -> &'static str {
    let named = info.split(|c: char| !(c.is_alphanumeric() || "+#.-_".contains(c))).next().unwrap_or_default();
    let language = of_name(&named.to_lowercase()).or_else(|| path.and_then(of_path));
    language.map_or("", |language| language.names[0])
}
