//! Packages that a run with the network fetches, in a folder of the session's that later runs without it can read.
//!
//! pip installs there what it cannot install into the system; npm and cargo keep their downloads there.

use std::env;
use std::path::Path;

use super::helper;
use super::wire::Folder;
use crate::base::fs;
use crate::base::report::Network;

/// What reaches the network the user's own way: proxies, and whom to trust.
const WAYS: [&str; 13] = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
];

/// The folder as a run sees it: written with the network, read without it, but for what npm cannot use otherwise.
pub fn mounted(folder: &Path, network: Network, own_root: bool) -> Vec<Folder> {
    let at = if own_root { Path::new(helper::PACKAGES) } else { folder };
    let whole = Folder { from: folder.into(), at: at.into(), writable: network == Network::Full };
    let npm = folder.join("npm");
    let npm = (network == Network::Off && fs::exists(&npm)).then(|| Folder {
        from: npm.as_path().into(),
        at: at.join("npm").as_path().into(),
        writable: true,
    });
    [whole].into_iter().chain(npm).collect()
}

/// The variables by which tools find what is in it.
pub fn environment(folder: &Path, seen: &Path, network: Network) -> Vec<(String, String)> {
    let at = |below: &str| seen.join(below).display().to_string();
    let mut all = Vec::new();
    let mut set = |name: &str, value: String| all.push((name.to_owned(), value));
    if network == Network::Full {
        set("PYTHONUSERBASE", at("python"));
        // The system's packages stay as they are: what is installed goes to this folder.
        set("PIP_BREAK_SYSTEM_PACKAGES", "1".to_owned());
        set("PIP_CACHE_DIR", at("pip"));
        set("PIP_DISABLE_PIP_VERSION_CHECK", "1".to_owned());
        set("npm_config_cache", at("npm"));
        set("CARGO_HOME", at("cargo"));
        for name in WAYS {
            if let Ok(value) = env::var(name) {
                set(name, value);
            }
        }
        return all;
    }
    let versions = fs::folders(&folder.join("python/lib")).unwrap_or_default();
    let sites = versions
        .iter()
        .filter_map(|version| Some(format!("python/lib/{}/site-packages", version.file_name()?.to_str()?)));
    let sites: Vec<String> = sites.filter(|below| fs::exists(&folder.join(below))).map(|below| at(&below)).collect();
    if !sites.is_empty() {
        set("PYTHONPATH", sites.join(":"));
    }
    if fs::exists(&folder.join("npm")) {
        set("npm_config_cache", at("npm"));
    }
    // The user's own downloads are read otherwise.
    if fs::exists(&folder.join("cargo/registry")) {
        set("CARGO_HOME", at("cargo"));
    }
    all
}

/// Where programs are that packages brought along.
pub const PROGRAMS: &str = "python/bin";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::environment;
    use crate::base::report::Network;

    #[test]
    fn what_was_fetched_is_found_without_the_network() {
        let folder = tempfile::tempdir().unwrap();
        let names = |network| {
            let all = environment(folder.path(), Path::new("/p"), network);
            all.into_iter().filter(|(_, value)| value.starts_with("/p")).collect::<Vec<_>>()
        };
        assert_eq!(names(Network::Off), []);
        assert_eq!(names(Network::Full).len(), 4);
        for made in ["python/lib/python3.11/site-packages", "cargo/registry"] {
            crate::base::fs::make_folders(&folder.path().join(made)).unwrap();
        }
        let found = [("PYTHONPATH", "/p/python/lib/python3.11/site-packages"), ("CARGO_HOME", "/p/cargo")];
        assert_eq!(names(Network::Off), found.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
