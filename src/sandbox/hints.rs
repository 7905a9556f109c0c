//! Why there is no sandbox, and what would help: the mechanism, the error, the way out.

use std::io;

use super::{Backend, Guarantee, SandboxError, capabilities};

/// A step and its error, in one line.
pub fn failure(step: &str, errno: i32) -> String {
    if errno == 0 { step.to_owned() } else { format!("{step}: {}", io::Error::from_raw_os_error(errno)) }
}

/// The backend's self-test failed at this step.
pub fn unavailable(backend: Backend, step: &str, errno: i32) -> SandboxError {
    SandboxError::Unavailable { message: failure(step, errno), hints: ways_out(backend, step) }
}

pub fn absent(why: &str) -> SandboxError {
    SandboxError::Unavailable { message: why.to_owned(), hints: vec![INSTALL.to_owned()] }
}

/// The backend can never give what is required.
pub fn lacking(backend: Backend, lacks: &[Guarantee]) -> SandboxError {
    let names: Vec<&str> = lacks.iter().map(|guarantee| guarantee.as_str()).collect();
    SandboxError::Unavailable {
        message: format!("`{}` does not give {}", capabilities(backend).name, names.join(", ")),
        hints: vec!["`require` in `[sandbox]` of the settings says what must be given".to_owned()],
    }
}

/// Nothing that was tried passed its self-test.
pub fn none_left(failures: Vec<(Backend, SandboxError)>) -> SandboxError {
    let (mut messages, mut hints) = (Vec::new(), Vec::new());
    let landlock_is_left = failures.iter().all(|(backend, _)| *backend != Backend::Landlock);
    for (backend, failure) in failures {
        match failure {
            SandboxError::Unavailable { message, hints: more } => {
                messages.push(format!("{}: {message}", capabilities(backend).name));
                hints.extend(more);
            }
            SandboxError::Io(message) => messages.push(format!("{}: {message}", capabilities(backend).name)),
        }
    }
    if !landlock_is_left {
        // What it lacks is said above.
    } else if std::env::var_os("FAOS_INSIDE").is_some() {
        let inside = "this is a run of another faos, where namespaces are refused: `--sandbox landlock` is left";
        hints = vec![inside.to_owned()];
    } else {
        let less =
            "`--sandbox landlock` works without namespaces and holds less; `faos doctor --sandbox landlock` says what";
        hints.push(less.to_owned());
    }
    hints.push(
        "`--no-run --no-scripts` works without a sandbox; `--sandbox off` runs without one, at your own risk"
            .to_owned(),
    );
    let mut seen = std::collections::HashSet::new();
    hints.retain(|hint| seen.insert(hint.clone()));
    SandboxError::Unavailable { message: format!("the sandbox cannot be set up: {}", messages.join("; ")), hints }
}

const INSTALL: &str = "install bubblewrap (`apt install bubblewrap`, `dnf install bubblewrap`): many machines let it make the namespaces that they refuse to other programs";

fn ways_out(backend: Backend, step: &str) -> Vec<String> {
    let namespaces = ["user namespace", "uid_map", "namespaces", "bubblewrap"].iter().any(|word| step.contains(word));
    if backend == Backend::Landlock {
        return vec![
            "Linux 6.2 or later has what is needed, unless `lsm=` at its start leaves `landlock` out".to_owned(),
        ];
    }
    if !namespaces {
        return Vec::new();
    }
    let mut hints = vec![
        "user namespaces are refused: on Ubuntu 24.04 and later an AppArmor profile for faos allows them, or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`".to_owned(),
        "in a container start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`".to_owned(),
        "`cat /proc/sys/user/max_user_namespaces` must not be 0".to_owned(),
    ];
    if backend == Backend::Ns && super::backend::is_absent(Backend::Bwrap).is_some() {
        hints.insert(0, INSTALL.to_owned());
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::none_left;
    use crate::sandbox::{Backend, SandboxError};

    #[test]
    fn what_has_failed_is_no_way_out() {
        for (backend, offered) in [(Backend::Ns, true), (Backend::Landlock, false)] {
            let failure = SandboxError::Unavailable { message: "no".to_owned(), hints: Vec::new() };
            let SandboxError::Unavailable { hints, .. } = none_left(vec![(backend, failure)]) else { panic!() };
            assert_eq!(hints.iter().any(|hint| hint.contains("--sandbox landlock")), offered, "{backend:?}: {hints:?}");
        }
    }
}
