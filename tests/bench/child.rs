//! One measured process: what the kernel says it cost, and when its first byte came.

use std::error::Error;
use std::fs;
use std::io::{self, Read, Seek};
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub struct Cost {
    pub wall: Duration,
    /// User and system time of the process, all its threads, and the children it waited for.
    pub cpu: Duration,
    /// Of the largest single process; never below the peak of the one that started it.
    pub peak_kib: u64,
    /// `None`: it printed nothing.
    pub first_output: Option<Instant>,
    pub printed_bytes: usize,
    /// The beginning of it.
    pub printed: String,
}

/// Bytes of what a process prints that are kept.
const BEGINNING: usize = 64;

/// Runs the command to its end, reading what it prints; a failure of it is an error with its last words.
pub fn run(command: &mut Command) -> Result<Cost, Box<dyn Error>> {
    // A file takes any amount without a reader of its own.
    let mut stderr = tempfile::tempfile()?;
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr.try_clone()?).spawn()?;
    let (mut first_output, mut printed_bytes, mut printed) = (None, 0, Vec::new());
    if let Some(mut stdout) = child.stdout.take() {
        let mut buffer = vec![0; 65536];
        while let length @ 1.. = stdout.read(&mut buffer)? {
            first_output.get_or_insert_with(Instant::now);
            printed_bytes += length;
            let room = BEGINNING.saturating_sub(printed.len());
            printed.extend_from_slice(&buffer[..length.min(room)]);
        }
    }
    let (status, usage) = wait(child.id())?;
    let wall = begun.elapsed();
    if !status.success() {
        let mut words = String::new();
        stderr.rewind()?;
        stderr.read_to_string(&mut words)?;
        return Err(format!("{command:?}: {status}\n{words}").into());
    }
    let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
    let (peak_kib, printed) = (u64::try_from(usage.ru_maxrss)?, String::from_utf8_lossy(&printed).into_owned());
    Ok(Cost { wall, cpu, peak_kib, first_output, printed_bytes, printed })
}

/// The standard library waits without asking for the resource usage, and usage of children together knows no single peak.
fn wait(pid: u32) -> io::Result<(ExitStatus, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live values of the right types; the child is ours and nobody else waits for it, since
    // its handle is never asked to.
    let waited = unsafe { libc::wait4(pid.cast_signed(), &raw mut status, 0, usage.as_mut_ptr()) };
    if waited < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every bit pattern is a valid rusage, and the kernel has filled it.
    let usage = unsafe { usage.assume_init() };
    Ok((ExitStatus::from_raw(status), usage))
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
}

/// The highest resident size of this process so far.
pub fn own_peak_kib() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
