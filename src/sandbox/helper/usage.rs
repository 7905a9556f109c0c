//! What the run's processes use, seen through `/proc`: the sum that no single limit of the kernel holds.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// Of all processes of the run at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Processes and threads: what the kernel counts for its limit.
    pub tasks: u64,
    /// Resident memory that is not shared with files, in bytes.
    pub memory: u64,
    /// CPU seconds, with those of children that were waited for.
    pub cpu_s: f64,
    /// Bytes handed to write calls.
    pub written: u64,
}

/// Looks at these processes. Memory that several share is counted for each of them, unless that would be more than
/// `known`: then it is shared out, which takes longer.
pub fn sample(pids: &[i32], known: u64) -> Sample {
    let mut sum = Sample::default();
    for pid in pids {
        let (cpu_s, tasks) = cpu_and_tasks(*pid);
        sum.tasks += tasks;
        sum.memory += memory(*pid);
        sum.cpu_s += cpu_s;
        sum.written += written(*pid);
    }
    if pids.len() > 1 && sum.memory > known {
        sum.memory = pids.iter().map(|pid| shared_out(*pid).unwrap_or_else(|| memory(*pid))).sum();
    }
    sum
}

/// There is a `/proc` to look at.
pub fn sees_processes() -> bool {
    pids().next().is_some()
}

/// Every process but this one.
pub fn others() -> Vec<libc::pid_t> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    pids().filter(|pid| *pid != own).collect()
}

/// What comes from this process, as far as living ancestors tell: orphans have been adopted by it.
pub fn descendants() -> Vec<libc::pid_t> {
    let mut children: HashMap<libc::pid_t, Vec<libc::pid_t>> = HashMap::new();
    for pid in pids() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut open) = (Vec::new(), vec![i32::try_from(std::process::id()).unwrap_or_default()]);
    while let Some(pid) = open.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        open.extend(&below);
        found.extend(below);
    }
    found
}

fn parent(pid: libc::pid_t) -> Option<libc::pid_t> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn pids() -> impl Iterator<Item = libc::pid_t> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Processes and threads of the user that this process runs as.
pub fn tasks_of_this_user() -> u64 {
    let user = rustix::process::getuid().as_raw();
    let own = pids().filter(|pid| fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == user));
    own.map(|pid| cpu_and_tasks(pid).1).sum()
}

/// The lines of a file of `/proc` that begin with one of these, summed up, in bytes.
fn kibibytes(file: &str, names: &[&str]) -> u64 {
    let lines = file.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>() * 1024
}

fn memory(pid: i32) -> u64 {
    kibibytes(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(), &["RssAnon:", "RssShmem:"])
}

/// Each page divided by those who have it.
fn shared_out(pid: i32) -> Option<u64> {
    let file = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(kibibytes(&file, &["Pss_Anon:", "Pss_Shmem:"]))
}

fn cpu_and_tasks(pid: i32) -> (f64, u64) {
    /// The kernel counts in these for every program (`USER_HZ`).
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; times are the 14th to 17th field, threads the 20th.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = after.split_whitespace().skip(11).take(7).filter_map(|field| field.parse().ok()).collect();
    let threads = fields.get(6).map_or(1, |threads| *threads as u64);
    (fields.iter().take(4).sum::<f64>() / TICKS, threads)
}

fn written(pid: i32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.trim().parse().ok()).unwrap_or(0)
}
