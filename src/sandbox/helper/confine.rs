//! The last steps before the program: limits, no capabilities, access rules, a filter of system calls, its environment.

use std::ffi::CString;
use std::fs::File;
use std::io::{PipeWriter, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::sys::{self, Failed, Step, named};
use super::{Place, Run, filter, landlock, usage};
use crate::base::report::Backend;
use crate::sandbox::wire::Order;

/// Where the script is read where no root of its own holds it.
const DESCRIPTOR: &str = "/dev/fd/3";

/// The last moment before the program: what was used until then is not its own.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Start {
    /// By the clock of [`now`].
    pub at: u64,
    pub user_s: f64,
    pub system_s: f64,
    /// The program is in the group that was made for it.
    pub grouped: bool,
}

/// Becomes the program; returns only where that failed. `stdout` and `stderr` are in their places already. The last
/// word on `tell` is the [`Start`], a line of JSON.
pub fn execute(run: &Run<'_>, place: &Place, tell: &mut PipeWriter) -> Failed {
    match prepare(run.order, run.input, place) {
        Ok((arguments, environment)) => {
            let grouped = run.meter.is_some_and(|meter| meter.enter().is_ok());
            let sys::Usage { user_s, system_s, .. } = sys::own_usage();
            let _ = tell
                .write_all(&serde_json::to_vec(&Start { at: now(), user_s, system_s, grouped }).unwrap_or_default());
            named("execute bash")(sys::execute(c"/bin/bash", &arguments, &environment))
        }
        Err(failed) => failed,
    }
}

/// Nanoseconds of the machine's clock, which is the same for every process.
pub fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn prepare(order: &Order, input: &File, place: &Place) -> Step<(Vec<CString>, Vec<CString>)> {
    let plain = |bytes: Vec<u8>| {
        CString::new(bytes)
            .map_err(|_| Failed { step: "read the script: it holds a NUL".to_owned(), errno: libc::EINVAL })
    };
    let script = place.script.clone().unwrap_or_else(|| PathBuf::from(DESCRIPTOR));
    let arguments = ["bash", "-eo", "pipefail"].map(|argument| plain(argument.into())).into_iter();
    let arguments = arguments.chain([plain(script.as_os_str().as_bytes().to_vec())]).collect::<Step<Vec<_>>>()?;
    let ordered = order.environment.iter().filter(|(name, _)| place.environment.iter().all(|(own, _)| own != name));
    let ordered = ordered.map(|(name, value)| plain(format!("{name}={value}").into_bytes()));
    let own = place.environment.iter();
    let own = own.map(|(name, value)| plain([name.as_bytes(), b"=", value.as_os_str().as_bytes()].concat()));
    let environment = ordered.chain(own).collect::<Step<Vec<_>>>()?;
    sys::reset_signals();
    limits(order)?;
    sys::place(input.as_raw_fd(), 0).map_err(named("place the input"))?;
    let mut kept = 3;
    if place.script.is_none() {
        // A script may be longer than an argument can be: bash reads it from a file of its own.
        let script = super::root::input(order.script.as_bytes())?;
        sys::place(script.into_raw_fd(), 3).map_err(named("place the script"))?;
        kept = 4;
    }
    sys::close_on_execute_from(kept).map_err(named("close inherited files"))?;
    if order.backend != Backend::Off {
        sys::drop_capabilities().map_err(named("drop all capabilities"))?;
        landlock::restrict(&readable(order), &place.writable)?;
        filter::apply(order)?;
    }
    Ok((arguments, environment))
}

/// In a root of its own there is nothing that must not be read; elsewhere only what such a root would hold.
fn readable(order: &Order) -> Vec<PathBuf> {
    if order.backend != Backend::Landlock {
        return vec![PathBuf::from("/")];
    }
    let folders = order.folders.iter().map(|folder| folder.from.to_path_buf());
    let seen = order.read_only.iter().map(|path| path.to_path_buf()).chain(folders);
    seen.chain([PathBuf::from("/proc")]).collect()
}

fn limits(order: &Order) -> Step<()> {
    let bounds = &order.limits;
    // One second more than the sum that is watched: a single process that runs away is stopped by the kernel.
    let cpu = bounds.cpu_s.ceil() as u64 + 1;
    // A few more than are watched for, so that a run that gets there is seen to, and stopped for it.
    let processes = bounds.processes + 16;
    let processes = match order.backend {
        Backend::Ns | Backend::Bwrap => Some(processes),
        // The kernel counts all that the user runs.
        Backend::Landlock => Some(processes + usage::tasks_of_this_user()),
        Backend::Off => None,
    };
    for (resource, most, name) in [
        (libc::RLIMIT_CPU, Some(cpu), "CPU"),
        (libc::RLIMIT_DATA, Some(bounds.memory), "memory"),
        (libc::RLIMIT_FSIZE, Some(bounds.file), "file size"),
        (libc::RLIMIT_NOFILE, Some(1024), "open files"),
        (libc::RLIMIT_CORE, Some(0), "core dump"),
        (libc::RLIMIT_NPROC, processes, "process"),
    ] {
        if let Some(most) = most {
            sys::set_limit(resource, most).map_err(named(format!("set the {name} limit")))?;
        }
    }
    Ok(())
}
