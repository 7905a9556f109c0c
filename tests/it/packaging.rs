//! What goes out with the program is whole: the notices of others' work, and the files that a package is made of.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `packaging/third-party` writes it; whoever changes Cargo.lock runs that.
#[test]
fn every_package_that_is_linked_in_is_named_with_its_licence() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none"]).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let linked: BTreeSet<String> = tree
        .lines()
        .filter(|line| !line.contains("(proc-macro)") && !line.starts_with("faos-codex "))
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| format!("{name} {}", rest.split(' ').next().unwrap()))
        .collect();
    let notices = read("packaging/THIRD-PARTY.md");
    let rows = notices.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let named: BTreeSet<String> =
        rows.map(|(name, _)| name.to_owned()).filter(|name| !name.contains(" (in ") && name.contains(' ')).collect();
    let missing: Vec<_> = linked.difference(&named).collect();
    let needless: Vec<_> = named.difference(&linked).collect();
    assert!(missing.is_empty() && needless.is_empty(), "packaging/third-party: missing {missing:?}, gone {needless:?}");
    // And each has a text below.
    for name in &linked {
        let titled = notices
            .lines()
            .any(|line| line.strip_prefix("## ").is_some_and(|names| names.split(", ").any(|titled| titled == name)));
        assert!(titled, "`{name}` has no text");
    }
}

/// The grammars that colour code have authors of their own.
#[test]
fn the_grammars_are_acknowledged() {
    let text = two_face::acknowledgement::listing().to_md();
    let path = root().join("packaging/GRAMMARS.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &text).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == text, "INSTA_UPDATE=always writes packaging/GRAMMARS.md anew");
}

#[test]
fn a_package_is_made_of_files_that_are_there() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let mut places = BTreeSet::new();
    for asset in deb["assets"].as_array().unwrap() {
        let (source, target) = (asset[0].as_str().unwrap(), asset[1].as_str().unwrap());
        places.insert(target.to_owned());
        if !source.starts_with("target/") {
            let folder = root().join(source.split('*').next().unwrap());
            let folder = if source.contains('*') { folder.parent().map(Path::to_owned).unwrap() } else { folder };
            assert!(folder.exists() || root().join(source).exists(), "{source}");
        }
    }
    for place in [
        "usr/bin/",
        "usr/share/man/man1/",
        "usr/share/bash-completion/completions/faos",
        "usr/share/zsh/vendor-completions/",
        "usr/share/fish/vendor_completions.d/",
        "usr/share/doc/faos/",
    ] {
        assert!(places.contains(place), "{place}");
    }
    assert_eq!(deb["recommends"].as_str(), Some("bubblewrap"));
    // The script makes what the manifest takes from it.
    let script = read("packaging/build");
    for asset in deb["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        assert!(!source.starts_with("target/package/") || script.contains(source), "{source}");
    }
}
