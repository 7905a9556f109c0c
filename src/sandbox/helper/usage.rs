//! What the run's processes use, seen through `/proc`: the sum that no single limit of the kernel holds.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// Of all processes of the run at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub processes: u64,
    /// Resident memory that is not shared with files, in bytes.
    pub memory: u64,
    /// CPU seconds, with those of children that were waited for.
    pub cpu_s: f64,
    /// Bytes handed to write calls.
    pub written: u64,
}

/// Looks at every process but this one; `belongs` says which of them are the run's.
pub fn sample(belongs: &dyn Fn(i32) -> bool) -> Sample {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut sum = Sample::default();
    let Ok(entries) = fs::read_dir("/proc") else { return sum };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids.filter(|pid| *pid != own && belongs(*pid)) {
        sum.processes += 1;
        sum.memory += memory(pid);
        sum.cpu_s += cpu(pid);
        sum.written += written(pid);
    }
    sum
}

fn memory(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |line: &str| line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    let own = status.lines().filter(|line| line.starts_with("RssAnon:") || line.starts_with("RssShmem:"));
    own.filter_map(kib).sum::<u64>() * 1024
}

fn cpu(pid: i32) -> f64 {
    /// The kernel counts in these for every program (`USER_HZ`).
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; times are the 14th to 17th field, the 12th to 15th after it.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after.split_whitespace().skip(11).take(4).filter_map(|number| number.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS
}

fn written(pid: i32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.trim().parse().ok()).unwrap_or(0)
}

/// Bytes and number of files below the folder that changed since then.
pub fn growth(folder: &Path, since: SystemTime) -> (u64, u64) {
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let walk = walkdir::WalkDir::new(folder).same_file_system(true).into_iter().filter_map(Result::ok);
    let metadata = walk.filter_map(|entry| entry.metadata().ok()).filter(|metadata| metadata.is_file());
    let young = metadata.filter(|metadata| u64::try_from(metadata.ctime()).unwrap_or(0) >= since.as_secs());
    young.fold((0, 0), |(bytes, files), metadata| (bytes + metadata.blocks() * 512, files + 1))
}
