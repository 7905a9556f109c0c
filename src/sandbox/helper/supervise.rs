//! The supervisor: starts the program, watches its limits and the host, kills what is left, and reports.
//!
//! In namespaces it is process 1, so that its own end is the end of everything in them.

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::confine::{self, Start};
use super::disk::{self, Disk};
use super::sys::{self, Failed, Step, named};
use super::usage::{self, Sample};
use super::{Place, Run, report};
use crate::base::report::{Backend, ExitKind};
use crate::sandbox::cgroup::Meter;
use crate::sandbox::wire::{Bounds, Ended, Order, Outcome, Word};

/// Between two looks at what the run uses; short runs are looked at more often.
const TICK: Duration = Duration::from_millis(50);
const FIRST_TICK: Duration = Duration::from_millis(4);
/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// Starts the program and stays until nothing of it is left.
pub fn start(run: &Run<'_>, place: &Place) -> Step<()> {
    std::env::set_current_dir(&place.folder).map_err(named("enter the workspace"))?;
    // A program that could not be started says why through this pipe; one that was closes it.
    let (mut why, tell) = std::io::pipe().map_err(named("make a pipe"))?;
    let Some(program) = sys::fork().map_err(named("start the program"))? else {
        drop(why);
        become_program(run, place, tell)
    };
    drop(tell);
    let mut told = Vec::new();
    why.read_to_end(&mut told).map_err(named("start the program"))?;
    let start = started(&told)?;
    let mut watch = Watch::new(run, place, program, start)?;
    watch.until_the_end(run.host);
    let ended = watch.end(place);
    if let Ok(mut host) = run.host.try_clone() {
        report(&mut host, &Outcome::Ended(ended));
    }
    Ok(())
}

/// How the program started, from what its process has told; a failure comes after that, or alone.
fn started(told: &[u8]) -> Step<Start> {
    serde_json::from_slice(told).map_err(|_| {
        let text = String::from_utf8_lossy(told);
        let failure = text.rsplit_once(FAILED).and_then(|(_, failure)| failure.split_once(' '));
        let (errno, step) = failure.unwrap_or(("", "start the program"));
        Failed { step: step.to_owned(), errno: errno.parse().unwrap_or(libc::EIO) }
    })
}

/// In front of a failure.
const FAILED: &str = "failed: ";

/// In the child: never returns.
fn become_program(run: &Run<'_>, place: &Place, mut tell: std::io::PipeWriter) -> ! {
    // A group of its own where there is no namespace to end with it.
    let _ = rustix::process::setsid();
    let Failed { step, errno } = confine::execute(run, place, &mut tell);
    let _ = tell.write_all(format!("{FAILED}{errno} {step}").as_bytes());
    std::process::exit(127)
}

struct Watch<'a> {
    order: &'a Order,
    program: libc::pid_t,
    /// Becomes readable when the program ends.
    program_end: OwnedFd,
    begun: Instant,
    started: Instant,
    /// CPU seconds of the preparation, which the kernel counts for the process that became the program.
    before: (f64, f64),
    /// Where the program is in a group of its own.
    meter: Option<&'a Meter>,
    next_look: Instant,
    /// Why the run is being stopped, and when that began.
    stopping: Option<(ExitKind, Instant)>,
    status: Option<libc::c_int>,
    peak: Sample,
    /// CPU seconds at the last look.
    last_cpu_s: f64,
    disk: Disk<'a>,
    /// File systems in memory that count as the run's memory.
    in_memory: Vec<PathBuf>,
    left_killed: u32,
    /// The program that asked for the run is there to take its outcome.
    host_is_there: bool,
}

impl<'a> Watch<'a> {
    fn new(run: &Run<'a>, place: &'a Place, program: libc::pid_t, start: Start) -> Step<Self> {
        let order = run.order;
        let started = Instant::now() - Duration::from_nanos(confine::now().saturating_sub(start.at));
        // SAFETY: plain numbers; the call makes a descriptor that nobody else has.
        let program_end = unsafe {
            let fd =
                sys::checked(libc::syscall(libc::SYS_pidfd_open, program, 0)).map_err(named("watch the program"))?;
            OwnedFd::from_raw_fd(fd as i32)
        };
        let own_root = matches!(order.backend, Backend::Ns | Backend::Bwrap);
        let in_memory = [PathBuf::from("/tmp"), order.home.to_path_buf()];
        Ok(Self {
            order,
            program,
            program_end,
            begun: run.begun,
            started,
            before: (start.user_s, start.system_s),
            meter: run.meter.filter(|_| start.grouped),
            next_look: started + FIRST_TICK,
            stopping: None,
            status: None,
            peak: Sample::default(),
            last_cpu_s: 0.0,
            disk: Disk::new(order, place),
            in_memory: if own_root { in_memory.into() } else { Vec::new() },
            left_killed: 0,
            host_is_there: true,
        })
    }

    fn until_the_end(&mut self, host: &UnixStream) {
        while self.status.is_none() {
            self.reap();
            if self.status.is_some() {
                break;
            }
            if Instant::now() >= self.next_look {
                self.look();
                self.next_look = Instant::now() + self.pause();
            }
            self.press();
            self.listen(host);
        }
    }

    /// Until the next look: shorter at the beginning, and where the CPU time may be spent before it on all processors.
    fn pause(&self) -> Duration {
        let processors = std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
        let spare_s = ((self.bounds().cpu_s - self.last_cpu_s) / processors).clamp(0.0, 1.0);
        TICK.min(self.started.elapsed() / 4).min(Duration::from_secs_f64(spare_s)).max(FIRST_TICK)
    }

    fn bounds(&self) -> &Bounds {
        &self.order.limits
    }

    /// Waits for the next look, for the program's end, or for a word of the host. A host that is gone ends everything.
    fn listen(&mut self, host: &UnixStream) {
        let left = self.next_look.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: 0, tv_nsec: left.as_nanos().try_into().unwrap_or(50_000_000) };
        let mut waiting = [PollFd::new(host, PollFlags::IN), PollFd::new(&self.program_end, PollFlags::IN)];
        if poll(&mut waiting, Some(&timeout)).unwrap_or(0) == 0 || waiting[0].revents().is_empty() {
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
                self.host_is_there = false;
            }
        }
    }

    fn look(&mut self) {
        let members = self.members();
        // A bomb of processes is not looked at one by one: it would grow faster than that.
        if members.len() as u64 >= self.bounds().processes {
            return self.stop(ExitKind::ProcessLimit);
        }
        let in_memory: u64 = self.in_memory.iter().map(|folder| disk::used(folder)).sum();
        let known = self.peak.memory.saturating_sub(in_memory);
        let mut sample = usage::sample(&members, known);
        sample.memory += in_memory;
        sample.cpu_s = self.cpu_so_far(sample.cpu_s);
        let peak = &mut self.peak;
        peak.memory = peak.memory.max(sample.memory);
        peak.cpu_s = peak.cpu_s.max(sample.cpu_s);
        peak.written = peak.written.max(sample.written);
        let bounds = self.bounds();
        if self.started.elapsed().as_secs_f64() > bounds.wall_s {
            self.stop(ExitKind::WallLimit);
        } else if sample.cpu_s > bounds.cpu_s {
            self.stop(ExitKind::CpuLimit);
        } else if sample.memory > bounds.memory {
            self.stop(ExitKind::MemoryLimit);
        } else if sample.tasks >= bounds.processes || self.meter.is_some_and(Meter::lacked_processes) {
            self.stop(ExitKind::ProcessLimit);
        } else if self.has_many_files() || self.disk.is_too_much() {
            self.stop(ExitKind::DiskLimit);
        }
    }

    /// CPU seconds of the run. A process that ends between two looks at `/proc`, at itself and then at its parent, is
    /// counted twice: what is not there at the next look still never was.
    fn cpu_so_far(&mut self, of_living: f64) -> f64 {
        if let Some((user_s, system_s)) = self.meter.and_then(Meter::cpu) {
            self.last_cpu_s = user_s + system_s;
            return self.last_cpu_s;
        }
        let ended = sys::children_usage();
        let now = of_living + ended.user_s + ended.system_s - self.before.0 - self.before.1;
        let steady = now.min(self.last_cpu_s);
        self.last_cpu_s = now;
        steady
    }

    /// User and system seconds, when nothing of the run is left.
    fn cpu_at_the_end(&self, ended: sys::Usage) -> (f64, f64) {
        self.meter.and_then(Meter::cpu).unwrap_or_else(|| {
            let system_s = (ended.system_s - self.before.1).max(0.0);
            // Children that nobody waited for are in none of the kernel's sums.
            ((ended.user_s - self.before.0).max(self.peak.cpu_s - system_s).max(0.0), system_s)
        })
    }

    /// In a file system in memory, where each costs the kernel some.
    fn has_many_files(&self) -> bool {
        // A few less than the file system itself takes.
        self.in_memory.iter().any(|folder| disk::files(folder) + 8 > self.bounds().growth_files)
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

    /// The run's processes: in a namespace of its own all but process 1, which is this one.
    fn members(&self) -> Vec<libc::pid_t> {
        match self.order.backend {
            Backend::Ns | Backend::Bwrap => usage::others(),
            Backend::Landlock | Backend::Off => usage::descendants(),
        }
    }

    fn signal(&self, signal: libc::c_int) {
        match self.order.backend {
            // All but process 1, which is this one.
            Backend::Ns | Backend::Bwrap => sys::kill(-1, signal),
            Backend::Landlock | Backend::Off => {
                sys::kill(-self.program, signal);
                self.members().into_iter().for_each(|pid| sys::kill(pid, signal));
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

    fn end(mut self, place: &Place) -> Ended {
        let wall_s = self.started.elapsed().as_secs_f64();
        self.kill_all();
        let usage = sys::children_usage();
        let (user_s, system_s) = self.cpu_at_the_end(usage);
        let found = self.disk.at_the_end();
        if !self.host_is_there && self.order.backend != Backend::Off {
            found.disarm(&place.folder);
        }
        let mut degraded = place.degraded.clone();
        if found.in_part {
            degraded.push(
                "the workspace is too large or too deep to be walked whole: what was written is seen in part"
                    .to_owned(),
            );
        }
        let status = self.status.unwrap_or(libc::SIGKILL);
        let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
        let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
        let bounds = self.bounds();
        let kind = match self.stopping {
            Some((kind, _)) => kind,
            None if self.meter.is_some_and(Meter::lacked_memory) => ExitKind::MemoryLimit,
            None if self.meter.is_some_and(Meter::lacked_processes) => ExitKind::ProcessLimit,
            None if self.disk.exceeds(&found) || code != Some(0) && self.disk.is_full() => ExitKind::DiskLimit,
            // A process that was refused memory rarely dies of it at once: it says so and ends.
            None if code != Some(0) && self.peak.memory.max(usage.largest) * 20 > bounds.memory * 19 => {
                ExitKind::MemoryLimit
            }
            None => kind_of(code, signal, user_s + system_s > bounds.cpu_s * 0.9),
        };
        Ended {
            kind,
            code,
            signal,
            wall_s,
            setup_s: (self.started - self.begun).as_secs_f64(),
            user_s,
            system_s,
            group_peak: self.meter.and_then(Meter::peak),
            sampled_peak: self.peak.memory,
            largest_process: usage.largest,
            written: self.peak.written.max(found.bytes),
            left_killed: self.left_killed,
            watched: usage::sees_processes(),
            degraded,
            obeyed: found.obeyed(),
        }
    }
}

/// Bash reports a child that a signal ended as 128 and its number; a program may end with that number by itself.
fn kind_of(code: Option<i32>, signal: Option<i32>, cpu_is_spent: bool) -> ExitKind {
    match signal.or(code.map(|code| code - 128)) {
        Some(libc::SIGXCPU) if signal.is_some() || cpu_is_spent => ExitKind::CpuLimit,
        Some(libc::SIGXFSZ) => ExitKind::FileLimit,
        _ if signal.is_some() => ExitKind::Signaled,
        _ => ExitKind::Exited,
    }
}

#[cfg(test)]
mod tests {
    use super::{ExitKind, kind_of};

    #[test]
    fn a_number_that_a_program_ends_with_is_no_limit_by_itself() {
        let own = 128 + libc::SIGXCPU;
        for (code, signal, spent, kind) in [
            (Some(own), None, false, ExitKind::Exited),
            (Some(own), None, true, ExitKind::CpuLimit),
            (None, Some(libc::SIGXCPU), false, ExitKind::CpuLimit),
            (None, Some(libc::SIGSEGV), true, ExitKind::Signaled),
            (Some(3), None, true, ExitKind::Exited),
        ] {
            assert_eq!(kind_of(code, signal, spent), kind, "{code:?} {signal:?}");
        }
    }
}
