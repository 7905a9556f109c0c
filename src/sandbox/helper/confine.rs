//! The last steps before the program: limits, no capabilities, a system call filter, its environment.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, IntoRawFd};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::sys::{self, Failed, Step, named};
use crate::sandbox::wire::{Isolation, Order};

/// Becomes the program; returns only where that failed. `stdout` and `stderr` are in their places already.
pub fn execute(order: &Order, input: &File) -> Failed {
    match prepare(order, input) {
        Ok((arguments, environment)) => named("execute bash")(sys::execute(c"/bin/bash", &arguments, &environment)),
        Err(failed) => failed,
    }
}

fn prepare(order: &Order, input: &File) -> Step<(Vec<CString>, Vec<CString>)> {
    let plain = |text: &str| {
        CString::new(text)
            .map_err(|_| Failed { step: "read the script: it holds a NUL".to_owned(), errno: libc::EINVAL })
    };
    // A script may be longer than an argument can be: bash reads it from a file of its own.
    let script = super::root::input(order.script.as_bytes())?;
    let arguments = ["bash", "-eo", "pipefail", "/dev/fd/3"].map(plain).into_iter().collect::<Step<Vec<_>>>()?;
    let environment = order.environment.iter().map(|(name, value)| plain(&format!("{name}={value}")));
    let environment = environment.collect::<Step<Vec<_>>>()?;
    sys::reset_signals();
    limits(order)?;
    sys::place(input.as_raw_fd(), 0).map_err(named("place the input"))?;
    sys::place(script.into_raw_fd(), 3).map_err(named("place the script"))?;
    sys::close_on_execute_from(4).map_err(named("close inherited files"))?;
    if order.isolation == Isolation::Namespaces {
        sys::drop_capabilities().map_err(named("drop all capabilities"))?;
        filter(order)?;
    }
    Ok((arguments, environment))
}

fn limits(order: &Order) -> Step<()> {
    let bounds = &order.limits;
    // One second more than the sum that is watched: a single process that runs away is stopped by the kernel.
    let cpu = bounds.cpu_s.ceil() as u64 + 1;
    for (resource, most, name) in [
        (libc::RLIMIT_CPU, cpu, "CPU"),
        (libc::RLIMIT_DATA, bounds.memory, "memory"),
        (libc::RLIMIT_FSIZE, bounds.file, "file size"),
        (libc::RLIMIT_NOFILE, 1024, "open files"),
        (libc::RLIMIT_CORE, 0, "core dump"),
    ] {
        sys::set_limit(resource, most).map_err(named(format!("set the {name} limit")))?;
    }
    if order.isolation == Isolation::Namespaces {
        // A few more than are watched for, so that a run that gets there is seen to, and stopped for it.
        sys::set_limit(libc::RLIMIT_NPROC, bounds.processes + 16).map_err(named("set the process limit"))?;
    }
    Ok(())
}

/// Calls that no build or test needs and that lead towards the kernel or other processes.
const DENIED: [libc::c_long; 46] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_userfaultfd,
];

/// Calls that give a file its mode, and the argument that holds it.
const MODES: &[(libc::c_long, u8)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (libc::SYS_mknodat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, 1),
];

/// Calls that may make a file: the arguments that hold their flags and the mode.
const OPENS: &[(libc::c_long, u8, u8)] = &[
    (libc::SYS_openat, 2, 3),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1, 2),
];

/// `fchmodat2`, which has one number everywhere.
const FCHMODAT2: libc::c_long = 452;

fn filter(order: &Order) -> Step<()> {
    let failed =
        |what: &'static str| move |_| Failed { step: format!("filter system calls ({what})"), errno: libc::EINVAL };
    for program in [denied(order).map_err(failed("denied calls"))?, absent().map_err(failed("absent calls"))?] {
        seccompiler::apply_filter(&program).map_err(failed("the kernel refused"))?;
    }
    Ok(())
}

type Filter = Result<BpfProgram, seccompiler::Error>;

fn denied(order: &Order) -> Filter {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_unshare, Vec::new());
    rules.insert(
        libc::SYS_clone,
        vec![rule(0, SeccompCmpOp::MaskedEq(libc::CLONE_NEWUSER as u64), libc::CLONE_NEWUSER as u64)?],
    );
    // Typing into somebody's terminal.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX];
    let typing: Result<Vec<_>, _> =
        typing.map(|request| rule(1, SeccompCmpOp::MaskedEq(0xffff_ffff), request)).into_iter().collect();
    rules.insert(libc::SYS_ioctl, typing?);
    // A file that runs as its owner, who on the host is the user: the mount's `nosuid` ends with the run.
    let marked = |mode| condition(mode, SeccompCmpOp::MaskedEq(libc::S_ISUID.into()), libc::S_ISUID.into());
    for (call, mode) in MODES {
        rules.insert(*call, vec![SeccompRule::new(vec![marked(*mode)?])?]);
    }
    // The mode counts where a file is made, and may be anything elsewhere.
    for (call, flags, mode) in OPENS {
        let making = [libc::O_CREAT, libc::O_TMPFILE & !libc::O_DIRECTORY].map(|flag| flag as u64);
        let making = making.map(|flag| {
            let both = vec![condition(*flags, SeccompCmpOp::MaskedEq(flag), flag)?, marked(*mode)?];
            SeccompRule::new(both).map_err(seccompiler::Error::Backend)
        });
        rules.insert(*call, making.into_iter().collect::<Result<Vec<_>, _>>()?);
    }
    // Families other than local, IPv4 and IPv6; with the network on, netlink too, which resolvers ask.
    let mut families = vec![
        condition(0, SeccompCmpOp::Ne, libc::AF_UNIX as u64)?,
        condition(0, SeccompCmpOp::Ne, libc::AF_INET as u64)?,
        condition(0, SeccompCmpOp::Ne, libc::AF_INET6 as u64)?,
    ];
    if order.network {
        families.push(condition(0, SeccompCmpOp::Ne, libc::AF_NETLINK as u64)?);
    }
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(families)?]);
    compiled(rules, libc::EPERM)
}

/// `clone3` and `openat2` hide what they are asked for from filters; a C library that is told they are not there takes
/// the older call. So it is with what came late.
fn absent() -> Filter {
    let calls = [libc::SYS_clone3, libc::SYS_openat2, FCHMODAT2];
    compiled(calls.map(|call| (call, Vec::new())).into(), libc::ENOSYS)
}

fn compiled(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: libc::c_int) -> Filter {
    let target = std::env::consts::ARCH.try_into().map_err(seccompiler::Error::Backend)?;
    let refused = SeccompAction::Errno(errno as u32);
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, refused, target).map_err(seccompiler::Error::Backend)?;
    filter.try_into().map_err(seccompiler::Error::Backend)
}

fn rule(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::Error> {
    SeccompRule::new(vec![condition(argument, how, value)?]).map_err(seccompiler::Error::Backend)
}

fn condition(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::Error> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value).map_err(seccompiler::Error::Backend)
}
