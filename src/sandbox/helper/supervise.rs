//! The supervisor: starts the program, watches its limits and the host, kills what is left, and reports.
//!
//! In namespaces it is process 1, so that its own end is the end of everything in them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::root::{self, Mounts};
use super::sys::{self, Failed, Step, named};
use super::usage::{self, Sample};
use super::{confine, report};
use crate::base::report::ExitKind;
use crate::sandbox::wire::{Bounds, Ended, Isolation, Order, Outcome, Word};

/// Between two looks at what the run uses.
const TICK: Duration = Duration::from_millis(50);
/// Between two looks at what it has written to the workspace.
const DISK_TICK: Duration = Duration::from_millis(500);
/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// Sets up the rest, starts the program and stays until nothing of it is left.
pub fn start(host: &UnixStream, order: &Order, input: &File, begun: Instant, mounts: Option<Mounts>) -> Step<()> {
    if let Some(mounts) = &mounts {
        root::enter(order, mounts)?;
        sys::set_host_name("faos").map_err(named("set the host name"))?;
        if !order.network {
            sys::loopback_up().map_err(named("bring loopback up"))?;
        }
        // No program of the run may look into its supervisor.
        sys::prctl(libc::PR_SET_DUMPABLE, 0).map_err(named("close the supervisor's memory"))?;
    } else {
        std::env::set_current_dir(&order.workspace).map_err(named("enter the workspace"))?;
        sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1).map_err(named("adopt orphans"))?;
    }
    drop(mounts);
    // A program that could not be started says why through this pipe; one that was closes it.
    let (mut why, tell) = std::io::pipe().map_err(named("make a pipe"))?;
    let Some(program) = sys::fork().map_err(named("start the program"))? else {
        drop(why);
        become_program(order, input, tell)
    };
    drop(tell);
    let mut failure = String::new();
    why.read_to_string(&mut failure).map_err(named("start the program"))?;
    if let Some((errno, step)) = failure.split_once(' ') {
        return Err(Failed { step: step.to_owned(), errno: errno.parse().unwrap_or(libc::EIO) });
    }
    let mut watch = Watch::new(order, program, begun);
    watch.until_the_end(host);
    let ended = watch.end();
    if let Ok(mut host) = host.try_clone() {
        report(&mut host, &Outcome::Ended(ended));
    }
    Ok(())
}

/// In the child: never returns.
fn become_program(order: &Order, input: &File, mut tell: std::io::PipeWriter) -> ! {
    // A group of its own under `off`, where there is no namespace to end with it.
    let _ = rustix::process::setsid();
    let Failed { step, errno } = confine::execute(order, input);
    let _ = tell.write_all(format!("{errno} {step}").as_bytes());
    std::process::exit(127)
}

struct Watch<'a> {
    order: &'a Order,
    program: libc::pid_t,
    begun: Instant,
    started: Instant,
    started_at: SystemTime,
    /// Why the run is being stopped, and when that began.
    stopping: Option<(ExitKind, Instant)>,
    status: Option<libc::c_int>,
    peak: Sample,
    written: u64,
    next_disk: Instant,
    left_killed: u32,
}

impl<'a> Watch<'a> {
    fn new(order: &'a Order, program: libc::pid_t, begun: Instant) -> Self {
        let started = Instant::now();
        Self {
            order,
            program,
            begun,
            started,
            started_at: SystemTime::now(),
            stopping: None,
            status: None,
            peak: Sample::default(),
            written: 0,
            next_disk: started + DISK_TICK,
            left_killed: 0,
        }
    }

    fn until_the_end(&mut self, host: &UnixStream) {
        while self.status.is_none() {
            self.reap();
            if self.status.is_some() {
                break;
            }
            self.look();
            self.press();
            self.listen(host);
        }
    }

    fn bounds(&self) -> &Bounds {
        &self.order.limits
    }

    /// Waits for a tick, for the program's end, or for a word of the host. A host that is gone ends everything.
    fn listen(&mut self, host: &UnixStream) {
        // SIGCHLD is not watched for: an end is seen by the next tick, and short runs tick fast.
        let age = self.started.elapsed();
        let tick = TICK.min(age / 8).max(Duration::from_micros(500));
        let timeout = Timespec { tv_sec: 0, tv_nsec: tick.as_nanos().try_into().unwrap_or(50_000_000) };
        let mut waiting = [PollFd::new(host, PollFlags::IN)];
        if poll(&mut waiting, Some(&timeout)).unwrap_or(0) == 0 {
            return;
        }
        let mut word = [0];
        match (&*host).read(&mut word) {
            Ok(1) if word[0] == Word::Cancel as u8 => self.stop(ExitKind::Cancelled),
            Ok(1) if word[0] == Word::TooMuchOutput as u8 => self.stop(ExitKind::OutputLimit),
            Ok(1) => {}
            Ok(_) | Err(_) => {
                self.kill_all();
                self.status = Some(libc::SIGKILL);
            }
        }
    }

    fn look(&mut self) {
        let sample = usage::sample(&|pid| self.belongs(pid));
        self.peak.memory = self.peak.memory.max(sample.memory);
        self.peak.processes = self.peak.processes.max(sample.processes);
        self.written = self.written.max(sample.written);
        let (user, system, _) = sys::children_usage();
        let bounds = self.bounds();
        if self.started.elapsed().as_secs_f64() > bounds.wall_s {
            self.stop(ExitKind::WallLimit);
        } else if sample.cpu_s + user + system > bounds.cpu_s {
            self.stop(ExitKind::CpuLimit);
        } else if sample.memory > bounds.memory {
            self.stop(ExitKind::MemoryLimit);
        } else if sample.processes >= bounds.processes {
            self.stop(ExitKind::ProcessLimit);
        } else if Instant::now() > self.next_disk && self.order.scratch.is_none() {
            let (bytes, files) = usage::growth(&self.order.workspace, self.started_at);
            if bytes > self.bounds().growth || files > self.bounds().growth_files {
                self.stop(ExitKind::DiskLimit);
            }
            self.next_disk = Instant::now() + DISK_TICK;
        }
    }

    fn stop(&mut self, why: ExitKind) {
        if self.stopping.is_none() {
            self.stopping = Some((why, Instant::now()));
            // What eats the machine gets no grace; what merely takes long may put its things in order.
            match why {
                ExitKind::WallLimit | ExitKind::CpuLimit | ExitKind::Cancelled => self.signal(libc::SIGTERM),
                _ => self.signal(libc::SIGKILL),
            }
        }
    }

    fn press(&mut self) {
        if self.stopping.is_some_and(|(_, since)| since.elapsed() > GRACE) {
            self.signal(libc::SIGKILL);
        }
    }

    fn belongs(&self, pid: libc::pid_t) -> bool {
        match self.order.isolation {
            Isolation::Namespaces => true,
            Isolation::None => is_descendant(pid, self.program),
        }
    }

    fn signal(&self, signal: libc::c_int) {
        match self.order.isolation {
            // All but process 1, which is this one.
            Isolation::Namespaces => sys::kill(-1, signal),
            Isolation::None => {
                sys::kill(-self.program, signal);
                for pid in pids().filter(|pid| self.belongs(*pid)) {
                    sys::kill(pid, signal);
                }
            }
        }
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = sys::reap() {
            if pid == self.program {
                self.status = Some(status);
            } else if self.status.is_some() {
                self.left_killed += 1;
            }
        }
    }

    /// Kills what the program left and waits until nothing is there.
    fn kill_all(&mut self) {
        loop {
            self.signal(libc::SIGKILL);
            match sys::reap() {
                Ok(Some((pid, status))) if pid == self.program => self.status = Some(status),
                Ok(Some(_)) => self.left_killed += 1,
                Ok(None) => {
                    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 200_000 }));
                }
                Err(_) => return,
            }
        }
    }

    fn end(mut self) -> Ended {
        let wall_s = self.started.elapsed().as_secs_f64();
        self.kill_all();
        let (user_s, system_s, largest_process) = sys::children_usage();
        let status = self.status.unwrap_or(libc::SIGKILL);
        let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
        let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
        let grown = match self.order.scratch {
            None if self.stopping.is_none() => usage::growth(&self.order.workspace, self.started_at),
            _ => (0, 0),
        };
        let too_much = grown.0 > self.bounds().growth || grown.1 > self.bounds().growth_files;
        let kind = match self.stopping {
            Some((kind, _)) => kind,
            None if too_much => ExitKind::DiskLimit,
            // A process that was refused memory rarely dies of it at once: it says so and ends.
            None if code != Some(0) && self.peak.memory.max(largest_process) * 20 > self.bounds().memory * 19 => {
                ExitKind::MemoryLimit
            }
            None => kind_of(code, signal),
        };
        Ended {
            kind,
            code,
            signal,
            wall_s,
            setup_s: (self.started - self.begun).as_secs_f64(),
            user_s,
            system_s,
            sampled_peak: self.peak.memory,
            largest_process,
            written: self.written.max(grown.0),
            left_killed: self.left_killed,
        }
    }
}

/// Bash reports a child that a signal ended as 128 and its number.
fn kind_of(code: Option<i32>, signal: Option<i32>) -> ExitKind {
    match signal.or(code.map(|code| code - 128)) {
        Some(libc::SIGXCPU) => ExitKind::CpuLimit,
        Some(libc::SIGXFSZ) => ExitKind::FileLimit,
        _ if signal.is_some() => ExitKind::Signaled,
        _ => ExitKind::Exited,
    }
}

fn pids() -> impl Iterator<Item = libc::pid_t> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether a process comes from the other one, as far as its living ancestors tell.
fn is_descendant(pid: libc::pid_t, of: libc::pid_t) -> bool {
    let own = libc::pid_t::try_from(std::process::id()).unwrap_or_default();
    let mut at = pid;
    while at > 1 && at != own {
        if at == of {
            return true;
        }
        match parent(at) {
            // An orphan was adopted by this process.
            Some(up) if up == own => return true,
            Some(up) => at = up,
            None => return false,
        }
    }
    false
}

fn parent(pid: libc::pid_t) -> Option<libc::pid_t> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
