//! The system calls that no library wraps, each with why it is sound.

use std::ffi::{CStr, CString};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A step that failed: its name and the error.
#[derive(Debug)]
pub struct Failed {
    pub step: String,
    pub errno: i32,
}

pub type Step<T> = Result<T, Failed>;

/// Names the step of a failure.
pub fn named(step: impl Into<String>) -> impl FnOnce(io::Error) -> Failed {
    move |error| Failed { step: step.into(), errno: error.raw_os_error().unwrap_or(libc::EIO) }
}

pub fn text(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

pub fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `fork` of this process, which has one thread: `None` in the child.
pub fn fork() -> io::Result<Option<libc::pid_t>> {
    // SAFETY: the helper has a single thread, so the child may do whatever the parent might.
    let pid = checked(unsafe { libc::fork() }.into())?;
    Ok((pid != 0).then_some(pid as libc::pid_t))
}

pub fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: no memory is passed; the process has a single thread.
    checked(unsafe { libc::unshare(flags) }.into()).map(drop)
}

pub fn prctl(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: the options used here take plain numbers.
    checked(unsafe { libc::prctl(option, value, 0, 0, 0) }.into()).map(drop)
}

/// Makes another user the owner of what is open there.
pub fn give(fd: RawFd, user: libc::uid_t) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::fchown(fd, user, user) }.into()).map(drop)
}

pub fn leave_groups() -> io::Result<()> {
    // SAFETY: an empty list of groups.
    checked(unsafe { libc::setgroups(0, std::ptr::null()) }.into()).map(drop)
}

/// Becomes another user for good, without supplementary groups.
pub fn become_user(id: libc::uid_t) -> io::Result<()> {
    leave_groups()?;
    // SAFETY: plain numbers.
    unsafe {
        checked(libc::setresgid(id, id, id).into())?;
        checked(libc::setresuid(id, id, id).into())?;
    }
    Ok(())
}

/// A mount of `path` that stands nowhere yet, with what is mounted below it.
pub fn detach(path: &Path) -> io::Result<OwnedFd> {
    const OPEN_TREE_CLONE: libc::c_uint = 1;
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint | libc::AT_RECURSIVE as libc::c_uint;
    let path = text(path)?;
    // SAFETY: the path is a C string that outlives the call; the result is a new descriptor that we own.
    unsafe {
        let fd = checked(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// Puts a detached mount at `path`.
pub fn attach(mount: &OwnedFd, path: &Path) -> io::Result<()> {
    const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;
    let (empty, path) = (c"", text(path)?);
    // SAFETY: both paths are C strings that outlive the call.
    let result = unsafe {
        let (from, to) = (mount.as_raw_fd(), libc::AT_FDCWD);
        libc::syscall(libc::SYS_move_mount, from, empty.as_ptr(), to, path.as_ptr(), MOVE_MOUNT_F_EMPTY_PATH)
    };
    checked(result).map(drop)
}

pub const READ_ONLY: u64 = 0x1;
pub const NO_SUID: u64 = 0x2;
pub const NO_DEV: u64 = 0x4;
const IDMAP: u64 = 0x0010_0000;

/// Sets attributes of a detached mount and of all below it.
pub fn set_attributes(mount: &OwnedFd, attributes: u64) -> io::Result<()> {
    mount_setattr(mount, attributes, None)
}

/// Maps the owners of a detached mount's files as the user namespace says.
pub fn map_owners(mount: &OwnedFd, users: &OwnedFd) -> io::Result<()> {
    mount_setattr(mount, IDMAP, Some(users))
}

fn mount_setattr(mount: &OwnedFd, attributes: u64, users: Option<&OwnedFd>) -> io::Result<()> {
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        users: u64,
    }
    let users = users.map_or(0, |fd| fd.as_raw_fd() as u64);
    let attributes = Attributes { set: attributes, clear: 0, propagation: 0, users };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    let size = mem::size_of::<Attributes>();
    // SAFETY: the structure is the kernel's `mount_attr` of this size and outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), c"".as_ptr(), flags, &raw const attributes, size)
    };
    checked(result).map(drop)
}

pub fn mount(kind: &CStr, path: &Path, flags: libc::c_ulong, options: &str) -> io::Result<()> {
    let path = text(path)?;
    let options = CString::new(options).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: all strings are C strings that outlive the call.
    let result = unsafe { libc::mount(kind.as_ptr(), path.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    checked(result.into()).map(drop)
}

/// Changes how mounts below `path` spread.
pub fn make_private(path: &Path) -> io::Result<()> {
    let path = text(path)?;
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the path is a C string; the other pointers may be null for this operation.
    let result = unsafe { libc::mount(std::ptr::null(), path.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    checked(result.into()).map(drop)
}

/// Makes one mount read-only, and none below it.
pub fn remount_read_only(path: &Path) -> io::Result<()> {
    let path = text(path)?;
    let flags = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV;
    // SAFETY: the path is a C string; the other pointers may be null for this operation.
    let result = unsafe { libc::mount(std::ptr::null(), path.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    checked(result.into()).map(drop)
}

pub fn unmount(path: &Path) -> io::Result<()> {
    let path = text(path)?;
    // SAFETY: the path is a C string that outlives the call.
    checked(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }.into()).map(drop)
}

/// Makes the present folder the root, and the old root unreachable.
pub fn pivot_here() -> io::Result<()> {
    // SAFETY: both arguments are the same static C string, as pivot_root(2) allows.
    checked(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
    unmount(Path::new("."))
}

/// Brings the loopback device of this network namespace up.
pub fn loopback_up() -> io::Result<()> {
    // SAFETY: the request is zeroed, holds a device name that fits, and outlives both calls; the descriptor is ours.
    unsafe {
        let fd = checked(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0).into())?;
        let socket = OwnedFd::from_raw_fd(fd as RawFd);
        let mut request: libc::ifreq = mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = *from as libc::c_char;
        }
        checked(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request).into())?;
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        checked(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request).into())?;
    }
    Ok(())
}

/// The number of a limit, as each C library types it.
#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// Lowers a limit; one that is lower already stays.
pub fn set_limit(resource: Resource, most: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure outlives both calls.
    unsafe {
        checked(libc::getrlimit(resource, &raw mut limit).into())?;
        let most = most.min(limit.rlim_max);
        limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        checked(libc::setrlimit(resource, &raw const limit).into()).map(drop)
    }
}

/// Gives up every capability, now and for programs that are executed; then looks whether it is so.
pub fn drop_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let (header, nothing) = (Header { version: 0x2008_0522, pid: 0 }, [0_u32; 6]);
    for capability in 0..64 {
        // The kernel says EINVAL past its last one.
        if prctl(libc::PR_CAPBSET_DROP, capability).is_err() {
            break;
        }
    }
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong)?;
    let mut held = [u32::MAX; 6];
    // SAFETY: header and data have the layout of capability version 3 and outlive the calls.
    unsafe {
        checked(libc::syscall(libc::SYS_capset, &raw const header, nothing.as_ptr()))?;
        checked(libc::syscall(libc::SYS_capget, &raw const header, held.as_mut_ptr()))?;
    }
    if held == nothing { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// What was used: CPU seconds and the largest resident size of a process in bytes.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    pub user_s: f64,
    pub system_s: f64,
    pub largest: u64,
}

/// Of this process.
pub fn own_usage() -> Usage {
    usage(libc::RUSAGE_SELF)
}

/// Of all children that were waited for.
pub fn children_usage() -> Usage {
    usage(libc::RUSAGE_CHILDREN)
}

fn usage(of: libc::c_int) -> Usage {
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    // SAFETY: a zeroed rusage is valid, and the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        libc::getrusage(of, &raw mut usage);
        usage
    };
    Usage {
        user_s: seconds(usage.ru_utime),
        system_s: seconds(usage.ru_stime),
        largest: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }
}

/// What a child that ended left: its pid and status. `None`: none has ended. An error: there are none.
pub fn reap() -> io::Result<Option<(libc::pid_t, libc::c_int)>> {
    let mut status = 0;
    // SAFETY: the status outlives the call.
    let pid = checked(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) }.into())?;
    Ok((pid != 0).then_some((pid as libc::pid_t, status)))
}

/// Waits for one child.
pub fn wait(pid: libc::pid_t) -> io::Result<libc::c_int> {
    let mut status = 0;
    loop {
        // SAFETY: the status outlives the call.
        match checked(unsafe { libc::waitpid(pid, &raw mut status, 0) }.into()) {
            Ok(_) => return Ok(status),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub fn kill(pid: libc::pid_t, signal: libc::c_int) {
    // SAFETY: plain numbers; a process that is gone is no failure.
    unsafe { libc::kill(pid, signal) };
}

pub fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: the pointer and length are of the same string.
    checked(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

/// Replaces this process; returns only on failure.
pub fn execute(program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both lists end with a null pointer, and all strings outlive the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Closes everything from this descriptor on.
pub fn close_from(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: nothing in this process uses these descriptors any more.
    checked(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) }).map(drop)
}

/// Has everything from this descriptor on closed when another program is executed.
pub fn close_on_execute_from(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: no descriptor is closed by the call itself.
    checked(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) })
        .map(drop)
}

/// Puts a copy of a descriptor in a given place, where it stays when another program is executed.
pub fn place(fd: RawFd, at: RawFd) -> io::Result<()> {
    // SAFETY: plain numbers; what stood there is closed by the call.
    let result = if fd == at { unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } } else { unsafe { libc::dup2(fd, at) } };
    checked(result.into()).map(drop)
}

/// Lets every signal have its default effect, as a program expects at its start.
pub fn reset_signals() {
    for signal in 1..32 {
        // SAFETY: the default action is always valid; signals that cannot be set are left as they are.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// A session keyring of its own, so that the user's keys are out of reach. Kernels without keyrings have none to reach.
pub fn new_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name means a new anonymous keyring.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}
