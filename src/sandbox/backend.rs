//! The backends, best first: what each promises, by what it is held, and what it is known to leave open.

use std::path::Path;

use super::helper;
use crate::base::fs;
use crate::base::report::{Backend, Guarantee, Network};

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first of `ns` and `bwrap` that passes its self-test.
    #[default]
    Auto,
    Only(Backend),
}

impl Choice {
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "ns" => Ok(Self::Only(Backend::Ns)),
            "bwrap" => Ok(Self::Only(Backend::Bwrap)),
            "landlock" => Ok(Self::Only(Backend::Landlock)),
            "off" => Ok(Self::Only(Backend::Off)),
            _ => Err(format!("`{name}` is no sandbox backend; there are auto, ns, bwrap, landlock and off")),
        }
    }

    /// In the order in which they are tried. Less than namespaces is given to nobody who has not asked for it.
    pub fn candidates(self) -> Vec<Backend> {
        match self {
            Self::Auto => vec![Backend::Ns, Backend::Bwrap],
            Self::Only(backend) => vec![backend],
        }
    }
}

pub const ALL: [Backend; 4] = [Backend::Ns, Backend::Bwrap, Backend::Landlock, Backend::Off];

/// What one backend is.
pub struct Capabilities {
    pub name: &'static str,
    pub about: &'static str,
    /// The workspace stands at its own path in a root that holds nothing but an allow-list.
    pub own_root: bool,
    /// What it promises where the network is off, each with the mechanism behind it; nothing else.
    promises: &'static [(Guarantee, &'static str)],
    /// What it leaves open, for the user to know before asking for it.
    pub gaps: &'static [&'static str],
}

const GUARANTEES: [Guarantee; 5] =
    [Guarantee::FsWrite, Guarantee::FsRead, Guarantee::Network, Guarantee::Kill, Guarantee::Limits];

const NAMESPACES: &[(Guarantee, &str)] = &[
    (Guarantee::FsWrite, "mount namespace, Landlock"),
    (Guarantee::FsRead, "mount namespace"),
    (Guarantee::Network, "network namespace, seccomp"),
    (Guarantee::Kill, "process namespace"),
    (Guarantee::Limits, "limits of the kernel, a watchdog"),
];

pub fn capabilities(backend: Backend) -> &'static Capabilities {
    match backend {
        Backend::Ns => &Capabilities {
            name: "ns",
            about: "Linux namespaces that faos makes itself",
            own_root: true,
            promises: NAMESPACES,
            gaps: &[],
        },
        Backend::Bwrap => &Capabilities {
            name: "bwrap",
            about: "Linux namespaces that /usr/bin/bwrap makes",
            own_root: true,
            promises: NAMESPACES,
            gaps: &["a validation works on a copy that is made for it, which takes time and memory"],
        },
        Backend::Landlock => &Capabilities {
            name: "landlock",
            about: "access rules and a filter of system calls, without namespaces",
            own_root: false,
            promises: &[
                (Guarantee::FsWrite, "Landlock"),
                (Guarantee::FsRead, "Landlock"),
                (Guarantee::Network, "seccomp"),
                (Guarantee::Kill, "a process that adopts orphans"),
                (Guarantee::Limits, "limits of the kernel, a watchdog"),
            ],
            gaps: &[
                "modes, times and owners of your files outside of the workspace can be changed, their contents not",
                "ignored files, `.git` and `.faos` in the workspace can be changed",
                "names and command lines of your other processes can be seen",
                "there is no loopback, and there are no Unix sockets: a program cannot talk to its own test",
                "/tmp and /dev/shm are closed: HOME and TMPDIR are folders of the run",
            ],
        },
        Backend::Off => &Capabilities {
            name: "off",
            about: "nothing: what is run can do all that you can",
            own_root: false,
            promises: &[],
            gaps: &["everything"],
        },
    }
}

impl Capabilities {
    /// What is in force and what is not, with this network.
    pub fn guarantees(&self, network: Network) -> (Vec<Guarantee>, Vec<Guarantee>) {
        self.guarantees_with(network, helper::landlock_holds_signals())
    }

    /// Without namespaces a run that can signal its own supervisor can get away from it.
    fn guarantees_with(&self, network: Network, signals_held: bool) -> (Vec<Guarantee>, Vec<Guarantee>) {
        let kept = |guarantee: &Guarantee| {
            let promised = self.promises.iter().any(|(promised, _)| promised == guarantee);
            promised
                && (*guarantee != Guarantee::Network || network == Network::Off)
                && (*guarantee != Guarantee::Kill || self.own_root || signals_held)
        };
        GUARANTEES.iter().copied().partition(kept)
    }

    /// By what a guarantee is held, or why it is not.
    pub fn how(&self, guarantee: Guarantee, network: Network) -> &'static str {
        let promised = self.promises.iter().find(|(promised, _)| *promised == guarantee);
        match promised {
            None if self.promises.is_empty() => "the sandbox is switched off",
            None => "this backend has no means for it",
            Some(_) if guarantee == Guarantee::Network && network == Network::Full => {
                "the network is switched on by your word"
            }
            Some(_) if !self.guarantees(network).0.contains(&guarantee) => "this kernel's Landlock is too old for it",
            Some((_, how)) => how,
        }
    }

    /// Required guarantees that this backend can never give. The network is let in by the user's word alone.
    pub fn lacks(&self, required: &[Guarantee], network: Network) -> Vec<Guarantee> {
        let (kept, _) = self.guarantees(Network::Off);
        let waived = |guarantee: &Guarantee| *guarantee == Guarantee::Network && network == Network::Full;
        required.iter().copied().filter(|guarantee| !kept.contains(guarantee) && !waived(guarantee)).collect()
    }
}

/// Why a backend cannot even be tried here.
pub fn is_absent(backend: Backend) -> Option<String> {
    let wanted = Path::new(helper::BUBBLEWRAP);
    (backend == Backend::Bwrap && !fs::exists(wanted)).then(|| format!("there is no `{}`", wanted.display()))
}

#[cfg(test)]
mod tests {
    use super::{ALL, Choice, capabilities};
    use crate::base::report::{Backend, Guarantee, Network};

    #[test]
    fn less_than_namespaces_is_given_to_nobody_who_has_not_asked() {
        assert_eq!(Choice::parse("auto").unwrap().candidates(), [Backend::Ns, Backend::Bwrap]);
        for backend in ALL {
            assert_eq!(Choice::parse(capabilities(backend).name).unwrap().candidates(), [backend]);
        }
        assert!(Choice::parse("docker").unwrap_err().contains("landlock"));
    }

    #[test]
    fn the_network_is_promised_where_it_is_off() {
        let ns = capabilities(Backend::Ns);
        assert_eq!(ns.guarantees(Network::Off).1, []);
        assert_eq!(ns.guarantees(Network::Full).1, [Guarantee::Network]);
        assert_eq!(ns.lacks(&[Guarantee::Network], Network::Full), []);
        let landlock = capabilities(Backend::Landlock);
        assert_eq!(landlock.guarantees_with(Network::Off, true).1, []);
        assert_eq!(landlock.guarantees_with(Network::Off, false).1, [Guarantee::Kill]);
        assert_eq!(ns.guarantees_with(Network::Off, false).1, []);
        assert_eq!(capabilities(Backend::Off).lacks(&[Guarantee::Kill], Network::Off), [Guarantee::Kill]);
    }
}
