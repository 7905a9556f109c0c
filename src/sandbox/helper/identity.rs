//! Who the run is: an ordinary user in namespaces of its own. Real root becomes user 65534 first, with the workspace's
//! files mapped to it, since limits and permissions do not hold root.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use super::Run;
use super::root::{self, Mounts};
use super::sys::{self, Step, named};
use crate::sandbox::cgroup::Meter;
use crate::sandbox::wire::Order;

pub const NOBODY: libc::uid_t = 65534;

/// Enters the namespaces. Everything that is to be mounted was opened with the rights that it takes. With it what this
/// machine made weaker.
pub fn enter(run: &Run<'_>) -> Step<(Mounts, Vec<String>)> {
    let order = run.order;
    if !is_real_root() {
        let (id, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        unshare((id, group), (id, group), order.network)?;
        return Ok((root::open_mounts(order, None)?, Vec::new()));
    }
    let (mounts, mapped) = as_root(order)?;
    if mapped {
        become_nobody()?;
        unshare((NOBODY, NOBODY), (NOBODY, NOBODY), order.network)?;
        return Ok((mounts, Vec::new()));
    }
    sys::leave_groups().map_err(named("leave root's groups"))?;
    unshare((NOBODY, NOBODY), (0, 0), order.network)?;
    Ok((mounts, vec![unmapped(run.meter)]))
}

/// Said where the file system cannot map owners.
pub fn unmapped(meter: Option<&Meter>) -> String {
    let what = "the run is root's, without its rights: owners cannot be mapped on this file system";
    // The kernel's own limit for a user holds everybody but root.
    let counted = if meter.is_some() { "" } else { ", so processes are counted by faos alone" };
    format!("{what}{counted}")
}

/// As real root: mounts of a private tree, with owners mapped to 65534 where that can be done.
pub fn as_root(order: &Order) -> Step<(Mounts, bool)> {
    let users = mapping_to_nobody()?;
    sys::unshare(libc::CLONE_NEWNS).map_err(named("unshare mounts as root"))?;
    sys::make_private(std::path::Path::new("/")).map_err(named("make mounts private"))?;
    match root::open_mounts(order, Some(&users)) {
        Ok(mounts) => Ok((mounts, true)),
        Err(failed) if failed.step.starts_with(root::MAPPING) => Ok((root::open_mounts(order, None)?, false)),
        Err(failed) => Err(failed),
    }
}

pub fn become_nobody() -> Step<()> {
    // The pipes were root's, and `/dev/stdout` is opened by whoever the program is.
    for output in [1, 2] {
        sys::give(output, NOBODY).map_err(named("give away the output"))?;
    }
    sys::become_user(NOBODY).map_err(named("become user 65534"))?;
    // Changing the user takes this right away, and the maps of the new namespace need it.
    sys::prctl(libc::PR_SET_DUMPABLE, 1).map_err(named("stay traceable for the id maps"))
}

/// Root of a user namespace with one mapped id is not root.
pub fn is_real_root() -> bool {
    let holds_nobody = |line: &str| {
        let mut numbers = line.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(first), Some(_), Some(count)) => (first..first + count).contains(&u64::from(NOBODY)),
            _ => false,
        }
    };
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    rustix::process::geteuid().is_root() && map.lines().any(holds_nobody)
}

/// A user and a group inside, and those outside that they stand for. With the network on, the run stays in the host's
/// network namespace.
fn unshare(inside: (u32, u32), outside: (u32, u32), network: bool) -> Step<()> {
    sys::unshare(libc::CLONE_NEWUSER).map_err(named("unshare the user namespace"))?;
    let write = |file: &str, text: String| {
        fs::OpenOptions::new()
            .write(true)
            .open(format!("/proc/self/{file}"))
            .and_then(|mut opened| opened.write_all(text.as_bytes()))
            .map_err(named(format!("write /proc/self/{file}")))
    };
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("{} {} 1", inside.0, outside.0))?;
    write("gid_map", format!("{} {} 1", inside.1, outside.1))?;
    let rest = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
    let own_network = if network { 0 } else { libc::CLONE_NEWNET };
    sys::unshare(rest | own_network).map_err(named("unshare mount, pid, network, ipc, uts and cgroup namespaces"))
}

/// A user namespace in which root's files on disk are 65534's: what an idmapped mount asks for. A child holds it
/// while its maps are written.
fn mapping_to_nobody() -> Step<OwnedFd> {
    let (mut ready, mut tell) = std::io::pipe().map_err(named("make a pipe"))?;
    let (mut hold, release) = std::io::pipe().map_err(named("make a pipe"))?;
    let Some(child) = sys::fork().map_err(named("start the id map's holder"))? else {
        drop(release);
        let entered = sys::unshare(libc::CLONE_NEWUSER).is_ok();
        let _ = tell.write_all(if entered { b"y" } else { b"n" });
        // Until the parent has what it needs, or is gone.
        let _ = hold.read(&mut [0]);
        std::process::exit(0);
    };
    drop(tell);
    let mut answer = [0];
    ready.read_exact(&mut answer).map_err(named("make the id map's user namespace"))?;
    let write = |file: &str| {
        fs::write(format!("/proc/{child}/{file}"), format!("0 {NOBODY} 1"))
            .map_err(named(format!("write the id map's {file}")))
    };
    write("uid_map")?;
    write("gid_map")?;
    let users = fs::File::open(format!("/proc/{child}/ns/user")).map_err(named("open the id map's user namespace"))?;
    drop(release);
    sys::wait(child).map_err(named("end the id map's holder"))?;
    Ok(users.into())
}
