//! The re-executed helper: one process that makes the isolation, supervises one run as its process 1, and reports.
//!
//! It has a single thread and starts before anything else of the program. The order of the steps is the point of this
//! file: what needs the user's rights comes before they are given up, and the program is the last to start.
#![expect(clippy::disallowed_methods, reason = "raw paths are the matter of mounts, and of a root that is being built")]
#![expect(clippy::exit, reason = "a forked child must not return into its parent's work")]

mod confine;
mod identity;
mod root;
mod supervise;
mod sys;
mod usage;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::fd::FromRawFd;

pub use self::root::{CACHE, OWN_PROGRAMS};
use self::sys::{Failed, Step, named};
use crate::sandbox::wire::{self, Isolation, Order, Outcome};

/// The hidden first argument.
pub const ARGUMENT: &str = "__sandbox-helper";

/// Runs as the helper; standard input is the socket to the host.
pub fn main() -> i32 {
    let begun = Instant::now();
    // SAFETY: descriptor 0 is the socket that the host made for this process; nothing else here uses it.
    let mut host = unsafe { UnixStream::from_raw_fd(0) };
    let read =
        wire::receive(&host).and_then(|order| Ok((serde_json::from_slice::<Order>(&order)?, wire::receive(&host)?)));
    let outcome = match read {
        Ok((order, input)) => run(&host, &order, &input, begun),
        Err(error) => Err(named("read the order")(error)),
    };
    match outcome {
        Ok(()) => 0,
        Err(Failed { step, errno }) => {
            report(&mut host, &Outcome::NotSetUp { step, errno });
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

/// The outer process: prepares, starts the supervisor, and waits for it.
fn run(host: &UnixStream, order: &Order, input: &[u8], begun: Instant) -> Step<()> {
    sys::close_from(3).map_err(named("close inherited files"))?;
    sys::new_keyring();
    rustix::process::setsid().map_err(|error| named("begin a session")(error.into()))?;
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(named("set no_new_privs"))?;
    let input = root::input(input)?;
    match order.isolation {
        Isolation::None => supervise::start(host, order, &input, begun, None),
        Isolation::Namespaces => {
            let mounts = identity::enter(order)?;
            let child = sys::fork().map_err(named("start process 1"))?;
            match child {
                Some(pid) => {
                    let status = sys::wait(pid).map_err(named("wait for process 1"))?;
                    if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
                        return Ok(());
                    }
                    // Process 1 has reported what it could; this is said where it could not.
                    Err(Failed { step: "supervise the run".to_owned(), errno: libc::ESRCH })
                }
                None => std::process::exit(process_one(host, order, &input, begun, mounts)),
            }
        }
    }
}

fn process_one(host: &UnixStream, order: &Order, input: &std::fs::File, begun: Instant, mounts: root::Mounts) -> i32 {
    let done = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)
        .map_err(named("follow the host's end"))
        .and_then(|()| supervise::start(host, order, input, begun, Some(mounts)));
    if let Err(Failed { step, errno }) = done
        && let Ok(mut host) = host.try_clone()
    {
        report(&mut host, &Outcome::NotSetUp { step, errno });
    }
    0
}
