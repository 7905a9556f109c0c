//! Landlock: access rules that a process lays on itself and all that it starts, whatever is mounted where.
//!
//! The numbers are those of `linux/landlock.h`; what a kernel does not know yet is not asked of it.

use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::sys::{Step, checked, named};

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// Removing, and making what is neither a link between folders nor known to newer kernels alone.
const MAKE_AND_REMOVE: u64 = 0x1ff0;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

const READ: u64 = EXECUTE | READ_FILE | READ_DIR;
/// What a rule for a file, not a folder, may hold.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
/// Abstract Unix sockets and signals do not reach outside.
const SCOPES: u64 = 3;

/// Since this version files cannot be truncated where they cannot be written: below it the rules are no wall.
pub const TRUNCATES: i64 = 3;
/// Since this version signals and abstract sockets can be held in.
pub const HOLDS_SIGNALS: i64 = 6;

#[repr(C)]
struct Ruleset {
    files: u64,
    ports: u64,
    scopes: u64,
}

#[repr(C, packed)]
struct Beneath {
    access: u64,
    parent: i32,
}

/// The version that the kernel has; 0 where it has none or it is switched off.
pub fn version() -> i64 {
    const VERSION: libc::c_uint = 1;
    // SAFETY: a null ruleset of size 0 asks for the version alone.
    let asked =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0_usize, VERSION) };
    asked.max(0)
}

/// Lets this process read below some paths, write below others, and nothing else. What is not there is left out.
pub fn restrict(readable: &[PathBuf], writable: &[PathBuf]) -> Step<()> {
    let version = version();
    if version < 1 {
        return Ok(());
    }
    let all = READ | WRITE_FILE | MAKE_AND_REMOVE | known(version);
    let ruleset = Ruleset { files: all, ports: 0, scopes: if version >= HOLDS_SIGNALS { SCOPES } else { 0 } };
    let size: usize = match version {
        1..4 => 8,
        4..6 => 16,
        _ => 24,
    };
    // SAFETY: the structure outlives the call and is at least as long as the size that is named.
    let fd = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, size, 0) };
    let fd = checked(fd).map_err(named("make Landlock's rules"))?;
    // SAFETY: the call made this descriptor, and nobody else has it.
    let rules = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    for (paths, access) in [(readable, READ), (writable, all)] {
        for path in paths {
            allow(&rules, path, access & all)?;
        }
    }
    // SAFETY: plain numbers.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    checked(done).map(drop).map_err(named("lay on Landlock's rules"))
}

fn known(version: i64) -> u64 {
    let newer = [(2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)];
    newer.iter().filter(|(since, _)| version >= *since).fold(0, |all, (_, access)| all | access)
}

fn allow(rules: &OwnedFd, path: &Path, access: u64) -> Step<()> {
    const PATH_BENEATH: libc::c_int = 1;
    // What is not there, or is out of reach, needs no rule.
    let Ok(opened) = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path) else { return Ok(()) };
    let is_folder = opened.metadata().is_ok_and(|metadata| metadata.is_dir());
    let access = if is_folder { access } else { access & OF_FILES };
    let rule = Beneath { access, parent: opened.as_raw_fd() };
    // SAFETY: the rule is the kernel's `landlock_path_beneath_attr` and outlives the call.
    let added =
        unsafe { libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), PATH_BENEATH, &raw const rule, 0) };
    checked(added).map(drop).map_err(named(format!("add a rule of Landlock for {}", path.display())))
}
