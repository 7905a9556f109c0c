//! The re-executed helper: one process that makes the isolation, supervises one run as its process 1, and reports.
//!
//! It has a single thread and starts before anything else of the program. The order of the steps is the point of this
//! file: what needs the user's rights comes before they are given up, and the program is the last to start.
#![expect(clippy::disallowed_methods, reason = "raw paths are the matter of mounts, and of a root that is being built")]
#![expect(clippy::exit, reason = "a forked child must not return into its parent's work")]

mod bubblewrap;
mod confine;
mod copy;
mod disk;
mod filter;
mod identity;
mod landlock;
mod plain;
mod root;
mod supervise;
mod sys;
mod usage;

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use rustix::fd::FromRawFd;

pub use self::bubblewrap::PROGRAM as BUBBLEWRAP;
pub use self::root::{CACHE, EMPTY, OWN_PROGRAMS, PACKAGES};
use self::sys::{Failed, Step, named};
use crate::base::report::Backend;
use crate::sandbox::cgroup::{self, Group, Meter};
use crate::sandbox::wire::{self, Order, Outcome};

/// Whether a run without namespaces can be kept from signalling its supervisor, and everybody else.
pub fn landlock_holds_signals() -> bool {
    landlock::version() >= landlock::HOLDS_SIGNALS
}

/// The hidden first argument.
pub const ARGUMENT: &str = "__sandbox-helper";

/// One run, as every step of the helper sees it.
struct Run<'a> {
    host: &'a UnixStream,
    order: &'a Order,
    /// The program's standard input.
    input: &'a File,
    /// Of the group that the program is put into, where there is one.
    meter: Option<&'a Meter>,
    begun: Instant,
}

/// Where the program is to start, when all is prepared.
#[derive(Default)]
struct Place {
    /// The present folder: the workspace, or what stands for it.
    folder: PathBuf,
    /// Nothing can be written but below these.
    writable: Vec<PathBuf>,
    /// What the run writes to the disk beside its workspace.
    beside: Option<PathBuf>,
    /// Where the script is written down; without one it is read through a descriptor.
    script: Option<PathBuf>,
    /// Over the order's own.
    environment: Vec<(&'static str, PathBuf)>,
    /// What this machine made weaker, a sentence each.
    degraded: Vec<String>,
}

/// Runs as the helper; standard input is the socket to the host.
pub fn main() -> i32 {
    let begun = Instant::now();
    // SAFETY: descriptor 0 is the socket that the host made for this process; nothing else here uses it.
    let mut host = unsafe { UnixStream::from_raw_fd(0) };
    let outcome = if std::env::args_os().nth(2).is_some_and(|argument| argument == bubblewrap::INSIDE) {
        bubblewrap::inside(&host, begun)
    } else {
        outside(&host, begun)
    };
    match outcome {
        Ok(()) => 0,
        Err(failed) => {
            report_failure(&mut host, failed);
            1
        }
    }
}

fn report(host: &mut UnixStream, outcome: &Outcome) {
    // A host that is gone needs no report.
    if let Ok(bytes) = serde_json::to_vec(outcome) {
        let _ = wire::send(&mut *host, &bytes).and_then(|()| host.flush());
    }
}

fn report_failure(host: &mut UnixStream, Failed { step, errno }: Failed) {
    report(host, &Outcome::NotSetUp { step, errno });
}

fn order_of(bytes: &[u8]) -> Step<Order> {
    serde_json::from_slice(bytes).map_err(|error| named("read the order")(error.into()))
}

/// The outer process: prepares, starts the supervisor, and waits for it.
fn outside(host: &UnixStream, begun: Instant) -> Step<()> {
    let read = || -> io::Result<_> { Ok((wire::receive(host)?, wire::receive(host)?)) };
    let (order, input) = read().map_err(named("read the order"))?;
    sys::close_from(3).map_err(named("close inherited files"))?;
    sys::new_keyring();
    rustix::process::setsid().map_err(|error| named("begin a session")(error.into()))?;
    let parsed = order_of(&order)?;
    // Where there can be none, the run is looked at from time to time, and its report says so.
    let grouped = Group::make(&parsed.limits).and_then(|group| Ok((group.meter()?, group))).ok();
    let meter = match grouped {
        Some((meter, group)) => match keep(group)? {
            Kept::GoOn => Some(meter),
            Kept::Ended => return Ok(()),
        },
        None => None,
    };
    if parsed.backend == Backend::Bwrap {
        return bubblewrap::outside(&parsed, [&order, &input], meter.as_ref());
    }
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(named("set no_new_privs"))?;
    let input = root::input(&input)?;
    let run = Run { host, order: &parsed, input: &input, meter: meter.as_ref(), begun };
    match parsed.backend {
        Backend::Ns => namespaces(&run),
        Backend::Bwrap | Backend::Landlock | Backend::Off => plain::run(&run),
    }
}

/// Which of two processes this is.
enum Kept {
    GoOn,
    Ended,
}

/// The process that goes on gives up the rights that it takes to remove the group: this one stays behind until that one
/// has ended.
fn keep(group: Group) -> Step<Kept> {
    let host = rustix::process::getppid();
    let Some(child) = sys::fork().map_err(named("leave somebody to remove the cgroup"))? else {
        std::mem::forget(group);
        return Ok(Kept::GoOn);
    };
    let status = sys::wait(child).map_err(named("wait for the helper"))?;
    drop(group);
    if rustix::process::getppid() != host {
        // Nobody else is left who would.
        cgroup::give_back();
    }
    match libc::WIFEXITED(status) {
        // It has said what there was to say.
        true => Ok(Kept::Ended),
        false => Err(Failed { step: "supervise the run".to_owned(), errno: libc::ESRCH }),
    }
}

fn namespaces(run: &Run<'_>) -> Step<()> {
    let (mounts, degraded) = identity::enter(run)?;
    let Some(child) = sys::fork().map_err(named("start process 1"))? else {
        std::process::exit(process_one(run, mounts, degraded));
    };
    let status = sys::wait(child).map_err(named("wait for process 1"))?;
    if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
        return Ok(());
    }
    // Process 1 has reported what it could; this is said where it could not.
    Err(Failed { step: "supervise the run".to_owned(), errno: libc::ESRCH })
}

fn process_one(run: &Run<'_>, mounts: root::Mounts, degraded: Vec<String>) -> i32 {
    let begin = || -> Step<()> {
        sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong).map_err(named("follow the host's end"))?;
        // No program of the run may look into its supervisor.
        sys::prctl(libc::PR_SET_DUMPABLE, 0).map_err(named("close the supervisor's memory"))?;
        let place = root::enter(run.order, &mounts, degraded)?;
        drop(mounts);
        sys::set_host_name("faos").map_err(named("set the host name"))?;
        if !run.order.network {
            sys::loopback_up().map_err(named("bring loopback up"))?;
        }
        supervise::start(run, &place)
    };
    if let Err(failed) = begin()
        && let Ok(mut host) = run.host.try_clone()
    {
        report_failure(&mut host, failed);
    }
    0
}
