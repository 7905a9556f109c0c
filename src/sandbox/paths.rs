//! What of the machine a run may see: system folders, toolchains, and a PATH that leads to them.

use std::env;
use std::path::{Path, PathBuf};

use crate::base::fs;

/// Read-only inside, where they exist; links among them (`/bin -> usr/bin`) stay links.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs need of `/etc`: names, users, certificates, the linker's cache, alternatives. No secrets.
const ETC: [&str; 28] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/login.defs",
    "/etc/lsb-release",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/python3",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
];

/// Toolchains and download caches below HOME, so that offline builds with dependencies work. `~/.cargo` itself may
/// hold credentials.
const HOME: [&str; 8] = [
    ".rustup/toolchains",
    ".cargo/bin",
    ".cargo/registry",
    ".cargo/git",
    ".pyenv/versions",
    ".nvm/versions",
    ".cache/pip",
    ".npm/_cacache",
];

/// The same below the folders that these variables name, for what is not in HOME.
const NAMED: [(&str, &[&str]); 2] = [("CARGO_HOME", &["bin", "registry", "git"]), ("RUSTUP_HOME", &["toolchains"])];

/// What of the machine is seen inside, worked out once.
pub struct Visible {
    /// Mounted read-only, each at its own path.
    pub read_only: Vec<PathBuf>,
    /// The user's PATH as it works inside.
    pub path: Vec<PathBuf>,
    /// Where cargo has to look for crates, where that is not below HOME.
    pub cargo_home: Option<PathBuf>,
}

impl Visible {
    /// Shims and proxies on PATH that need what is not mounted give way to what they stand for.
    pub fn of(home: &Path) -> Self {
        let typed = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let typed: Vec<PathBuf> = env::split_paths(&typed).filter(|entry| entry.is_absolute()).collect();
        let homes = homes(home, &typed);
        let mut path: Vec<PathBuf> = Vec::new();
        let entries = typed.iter().filter_map(|entry| works_as(entry)).filter(|entry| is_visible(entry, &homes));
        for entry in entries.chain(["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from)) {
            if !path.contains(&entry) {
                path.push(entry);
            }
        }
        Self { read_only: read_only(&homes, &path), path, cargo_home: named("CARGO_HOME") }
    }
}

/// Where PATH finds a program outside of the sandbox.
pub fn outside(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|entry| entry.join(name)).find(|program| program.is_absolute() && fs::exists(program))
}

/// HOME, and the homes whose toolchains PATH names: they need not be the same.
fn homes(home: &Path, path: &[PathBuf]) -> Vec<PathBuf> {
    let mut homes = vec![home.to_owned()];
    for entry in path {
        let of_entry = [".pyenv/shims", ".cargo/bin"]
            .iter()
            .find_map(|below| entry.ends_with(below).then(|| entry.parent()?.parent().map(Path::to_owned)).flatten());
        homes.extend(of_entry.filter(|found| !homes.contains(found)));
    }
    homes
}

fn read_only(homes: &[PathBuf], path: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = SYSTEM.iter().chain(&ETC).map(PathBuf::from).collect();
    found.extend(tools(homes));
    if path.iter().any(|entry| entry.starts_with("/nix")) {
        found.push(PathBuf::from("/nix/store"));
    }
    // Other places that PATH names, such as `/opt/tool/bin`: all of `/opt/tool`.
    let tools = path.iter().filter(|entry| entry.starts_with("/opt"));
    found.extend(tools.map(|entry| entry.components().take(3).collect::<PathBuf>()));
    found.retain(|path| fs::exists(path));
    found.dedup();
    found
}

fn tools(homes: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    let of_homes = homes.iter().flat_map(|home| HOME.iter().map(|below| home.join(below)));
    let of_named = NAMED.iter().filter_map(|(name, below)| Some((named(name)?, below)));
    of_homes.chain(of_named.flat_map(|(folder, below)| below.iter().map(move |below| folder.join(below))))
}

fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute())
}

fn works_as(entry: &Path) -> Option<PathBuf> {
    let home = entry.parent().and_then(Path::parent)?;
    if entry.ends_with(".pyenv/shims") {
        return pyenv(home);
    }
    if entry.ends_with(".cargo/bin") || named("CARGO_HOME").is_some_and(|cargo| *entry == cargo.join("bin")) {
        return rustup(home).or_else(|| Some(entry.to_owned()));
    }
    Some(entry.to_owned())
}

fn is_visible(entry: &Path, homes: &[PathBuf]) -> bool {
    let system = SYSTEM.iter().map(PathBuf::from).chain(["/opt", "/nix/store"].map(PathBuf::from));
    let mut roots = system.chain(tools(homes));
    roots.any(|root| entry.starts_with(root)) && fs::exists(entry)
}

/// The version that `~/.pyenv/version` names first.
fn pyenv(home: &Path) -> Option<PathBuf> {
    let named = fs::read_text(&home.join(".pyenv/version")).ok()?;
    let bin = home.join(".pyenv/versions").join(named.split_whitespace().next()?).join("bin");
    fs::exists(&bin).then_some(bin)
}

/// The default toolchain's own programs: rustup's proxies want settings that are not mounted.
fn rustup(home: &Path) -> Option<PathBuf> {
    let rustup = named("RUSTUP_HOME").unwrap_or_else(|| home.join(".rustup"));
    let settings: toml::Table = fs::read_text(&rustup.join("settings.toml")).ok()?.parse().ok()?;
    let name = settings.get("default_toolchain")?.as_str()?;
    let bin = rustup.join("toolchains").join(name).join("bin");
    fs::exists(&bin).then_some(bin)
}
