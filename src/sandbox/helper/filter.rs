//! Which system calls the program and all that it starts may make.
//!
//! A filter takes one answer for what it matches, so there are several: refused calls, calls that are told to be
//! missing, and the guard in front of them. A foreign architecture's calls are killed by each.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::sys::{Failed, Step};
use crate::base::report::Backend;
use crate::sandbox::wire::Order;

/// Calls that no build or test needs and that lead towards the kernel or other processes.
const DENIED: &[libc::c_long] = &[
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
    libc::SYS_kexec_file_load,
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
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
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
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    OPEN_TREE_ATTR,
];

/// Too new for the library that names the others; one number everywhere.
const OPEN_TREE_ATTR: libc::c_long = 467;
const FCHMODAT2: libc::c_long = 452;

/// Calls that reach other processes of the user where no namespace holds the run in.
const WITHOUT_NAMESPACES: &[libc::c_long] = &[
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
];

/// Calls that change how another process is run, and the argument that names it; 0 is the caller itself.
const OF_PROCESSES: &[(libc::c_long, u8)] = &[
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_migrate_pages, 0),
    (libc::SYS_move_pages, 0),
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

type Filter<T = BpfProgram> = Result<T, seccompiler::Error>;
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

pub fn apply(order: &Order) -> Step<()> {
    let failed =
        |what: &'static str| move |_| Failed { step: format!("filter system calls ({what})"), errno: libc::EINVAL };
    let refused = refused(order).and_then(|rules| compiled(rules, libc::EPERM)).map_err(failed("refused calls"))?;
    let missing = compiled(missing(), libc::ENOSYS).map_err(failed("missing calls"))?;
    for program in [&refused, &missing, &foreign_numbers()] {
        seccompiler::apply_filter(program).map_err(failed("the kernel said no"))?;
    }
    Ok(())
}

fn refused(order: &Order) -> Filter<Rules> {
    let mut rules: Rules = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let new_user = libc::CLONE_NEWUSER as u64;
    rules.insert(libc::SYS_clone, vec![rule(0, SeccompCmpOp::MaskedEq(new_user), new_user)?]);
    // Typing into somebody's terminal.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX];
    // Every C library has a type of its own for these numbers.
    let typing: Filter<Vec<_>> =
        typing.map(|request| rule(1, SeccompCmpOp::MaskedEq(0xffff_ffff), request as _)).into_iter().collect();
    rules.insert(libc::SYS_ioctl, typing?);
    // Limits are read and lowered by a process for itself.
    rules.insert(libc::SYS_prlimit64, vec![rule(0, SeccompCmpOp::Ne, 0)?]);
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
        rules.insert(*call, making.into_iter().collect::<Filter<Vec<_>>>()?);
    }
    if order.backend == Backend::Landlock {
        rules.extend(WITHOUT_NAMESPACES.iter().map(|call| (*call, Vec::new())));
        for (call, who) in OF_PROCESSES {
            rules.insert(*call, vec![rule(*who, SeccompCmpOp::Ne, 0)?]);
        }
    }
    rules.insert(libc::SYS_socket, sockets(order)?);
    Ok(rules)
}

/// Families other than local, IPv4 and IPv6; with the network on, netlink too, which resolvers ask. Without namespaces
/// local sockets would be the user's, and IPv4 the machine's.
fn sockets(order: &Order) -> Filter<Vec<SeccompRule>> {
    let local: &[libc::c_int] = if order.backend == Backend::Landlock { &[] } else { &[libc::AF_UNIX] };
    let inet: &[libc::c_int] = match (order.network, order.backend) {
        (true, _) => &[libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK],
        (false, Backend::Landlock) => &[],
        (false, Backend::Ns | Backend::Bwrap | Backend::Off) => &[libc::AF_INET, libc::AF_INET6],
    };
    let others = local.iter().chain(inet).map(|family| condition(0, SeccompCmpOp::Ne, *family as u64));
    let others = others.collect::<Filter<Vec<_>>>()?;
    // A call without a rule is refused whatever it asks for.
    Ok(if others.is_empty() { Vec::new() } else { vec![SeccompRule::new(others)?] })
}

/// `clone3` and `openat2` hide what they are asked for from filters; a C library that is told they are not there takes
/// the older call. So it is with what came late.
fn missing() -> Rules {
    let calls = [libc::SYS_clone3, libc::SYS_openat2, FCHMODAT2];
    calls.map(|call| (call, Vec::new())).into()
}

/// On x86-64 the same architecture has a second set of numbers (x32), by which each call would pass the other filters.
fn foreign_numbers() -> BpfProgram {
    const LOAD: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const X32: u32 = 0x4000_0000;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let statement = |code, jt, k| seccompiler::sock_filter { code, jt, jf: 0, k };
    vec![
        statement(LOAD, 0, 0),
        statement(JUMP_IF_AT_LEAST, 1, X32),
        statement(RETURN, 0, ALLOW),
        statement(RETURN, 0, ERRNO | libc::ENOSYS as u32),
    ]
}

fn compiled(rules: Rules, errno: libc::c_int) -> Filter {
    let target = std::env::consts::ARCH.try_into().map_err(seccompiler::Error::Backend)?;
    let refused = SeccompAction::Errno(errno as u32);
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, refused, target).map_err(seccompiler::Error::Backend)?;
    filter.try_into().map_err(seccompiler::Error::Backend)
}

fn rule(argument: u8, how: SeccompCmpOp, value: u64) -> Filter<SeccompRule> {
    SeccompRule::new(vec![condition(argument, how, value)?]).map_err(seccompiler::Error::Backend)
}

fn condition(argument: u8, how: SeccompCmpOp, value: u64) -> Filter<SeccompCondition> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value).map_err(seccompiler::Error::Backend)
}

#[cfg(test)]
mod tests {
    use super::foreign_numbers;

    /// What the filter answers for a call's number.
    fn answer(number: u32) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        let program = foreign_numbers();
        loop {
            let step = &program[at];
            match step.code {
                0x20 => accumulator = number,
                0x35 if accumulator >= step.k => at += usize::from(step.jt),
                0x35 => at += usize::from(step.jf),
                0x06 => return step.k,
                other => panic!("no such instruction: {other:#x}"),
            }
            at += 1;
        }
    }

    #[test]
    fn numbers_of_x32_are_no_calls() {
        const ALLOWED: u32 = 0x7fff_0000;
        let missing = 0x0005_0000 | libc::ENOSYS as u32;
        for (number, want) in
            [(0, ALLOWED), (39, ALLOWED), (0x3fff_ffff, ALLOWED), (0x4000_0000, missing), (0x4000_0027, missing)]
        {
            assert_eq!(answer(number), want, "{number:#x}");
        }
    }
}
