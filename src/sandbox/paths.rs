//! What of the machine a run may see: system folders, toolchains, and a PATH that leads to them.

use std::env;
use std::path::{Path, PathBuf};

use crate::base::fs;

/// Read-only inside, where they exist; links among them (`/bin -> usr/bin`) stay links.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs need of `/etc`: names, users, certificates, the linker's cache, alternatives. No secrets.
const ETC: [&str; 24] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
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
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/python3",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
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

/// Everything that is mounted read-only, each at its own path.
pub fn read_only(home: &Path, path: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        SYSTEM.iter().chain(&ETC).map(PathBuf::from).filter(|path| fs::exists(path)).collect();
    found.extend(HOME.iter().map(|below| home.join(below)).filter(|path| fs::exists(path)));
    if path.iter().any(|entry| entry.starts_with("/nix")) {
        found.push(PathBuf::from("/nix/store"));
    }
    // Other places that PATH names, such as `/opt/tool/bin`: their own folder, or all of `/opt/tool`.
    for entry in path.iter().filter(|entry| entry.starts_with("/opt")) {
        let tool: PathBuf = entry.components().take(3).collect();
        if fs::exists(&tool) && !found.contains(&tool) {
            found.push(tool);
        }
    }
    found
}

/// The user's PATH as it works inside: shims and proxies that need what is not mounted give way to what they stand for.
pub fn search_path(home: &Path) -> Vec<PathBuf> {
    let typed = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut entries = Vec::new();
    for entry in env::split_paths(&typed).filter(|entry| entry.is_absolute()) {
        let entry = if entry == home.join(".pyenv/shims") {
            pyenv(home)
        } else if entry == home.join(".cargo/bin") {
            rustup(home).or(Some(entry))
        } else {
            Some(entry)
        };
        if let Some(entry) = entry.filter(|entry| is_visible(entry, home))
            && !entries.contains(&entry)
        {
            entries.push(entry);
        }
    }
    for usual in ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from) {
        if !entries.contains(&usual) {
            entries.push(usual);
        }
    }
    entries
}

fn is_visible(entry: &Path, home: &Path) -> bool {
    let roots = SYSTEM.iter().map(PathBuf::from).chain(HOME.iter().map(|below| home.join(below)));
    let mut roots = roots.chain(["/opt", "/nix/store"].map(PathBuf::from));
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
    let settings: toml::Table = fs::read_text(&home.join(".rustup/settings.toml")).ok()?.parse().ok()?;
    let name = settings.get("default_toolchain")?.as_str()?;
    let bin = home.join(".rustup/toolchains").join(name).join("bin");
    fs::exists(&bin).then_some(bin)
}
