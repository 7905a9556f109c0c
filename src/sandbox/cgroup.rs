//! A control group (cgroup v2) for one run, where faos may make one: the kernel itself holds and counts its memory and
//! processes then.
//!
//! Nothing is touched but a group that was given to whoever started faos. The kernel divides no group with processes in
//! it: faos, with what led to it, moves to a group beside those of its runs, and back when its sandbox is closed.
#![expect(clippy::disallowed_methods, reason = "these files are the kernel's own, and speak to nobody else")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, FlockOperation, access, flock, getxattr};
use rustix::io::fcntl_dupfd_cloexec;

use crate::sandbox::wire::Bounds;

/// In front of the number of the process that made a run's group, and removes it.
const RUN: &str = "faos-run-";
/// Where faos itself stands meanwhile.
const BESIDE: &str = "faos-beside-its-runs";
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// The number of a meter's first file, at least.
const LOWEST: RawFd = 16;
/// How long what was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// The group of one run, outside of it; it goes with the value, and so does all that is in it.
pub struct Group(PathBuf);

/// What the group takes and tells, held open: inside of a run its folder is out of reach.
pub struct Meter {
    members: File,
    peak: File,
    memory: File,
    processes: File,
    cpu: File,
}

/// The group that this process may divide, or why there is none.
pub fn parent() -> Result<PathBuf, String> {
    let own = own()?;
    let parent = if own.ends_with(BESIDE) { own.parent().map(Path::to_owned).unwrap_or(own) } else { own };
    let known = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
    if let Some(missing) = CONTROLLERS.iter().find(|wanted| !has(&known, wanted)) {
        return Err(format!("cgroup v2 does not control {missing} here"));
    }
    if is_systemds(&parent) && !is_delegated(&parent) {
        return Err(
            "its cgroup is systemd's own: `systemd-run --user --scope -p Delegate=yes faos` gives it one".to_owned()
        );
    }
    let writable = ["", "cgroup.procs", "cgroup.subtree_control"];
    if writable.iter().any(|name| access(parent.join(name), Access::WRITE_OK).is_err()) {
        return Err("its cgroup is not its to divide".to_owned());
    }
    // The topmost group of all is the one without a type, and may hold processes and be divided.
    let is_topmost = !parent.join("cgroup.type").exists();
    if !is_topmost && !is_divided(&parent) && !is_led_to_this(&parent) {
        return Err("other programs are in its cgroup".to_owned());
    }
    Ok(parent)
}

impl Group {
    pub fn make(limits: &Bounds) -> Result<Self, String> {
        let parent = parent()?;
        let _lock = lock(&parent)?;
        divide(&parent)?;
        remove_left(&parent);
        let folder = parent.join(format!("{RUN}{}", std::process::id()));
        fs::create_dir(&folder).map_err(failed("make a cgroup"))?;
        let group = Self(folder);
        let set = |name: &str, value: String| fs::write(group.0.join(name), value);
        set("memory.max", limits.memory.to_string()).map_err(failed("limit the memory of a cgroup"))?;
        // A few more than are watched for, so that a run that gets there is seen to, and stopped for it.
        set("pids.max", (limits.processes + 16).to_string()).map_err(failed("limit the processes of a cgroup"))?;
        // Kernels without swap have no limit of it; without the other one process is killed at a time.
        let _ = set("memory.swap.max", "0".to_owned());
        let _ = set("memory.oom.group", "1".to_owned());
        Ok(group)
    }

    pub fn meter(&self) -> Result<Meter, String> {
        let open = |name: &str| {
            let file = OpenOptions::new().read(true).write(name == "cgroup.procs").open(self.0.join(name));
            // Lower numbers are given to what a program inherits, and what stands there is closed.
            file.and_then(|file| Ok(File::from(fcntl_dupfd_cloexec(&file, LOWEST)?))).map_err(failed("open a cgroup"))
        };
        Ok(Meter {
            members: open("cgroup.procs")?,
            // Since Linux 5.19.
            peak: open("memory.peak")?,
            memory: open("memory.events")?,
            processes: open("pids.events")?,
            cpu: open("cpu.stat")?,
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

impl Meter {
    /// As many files as a meter is.
    pub const FILES: usize = 5;

    /// What another process needs to have the same meter.
    pub fn files(&self) -> [&File; Self::FILES] {
        [&self.members, &self.peak, &self.memory, &self.processes, &self.cpu]
    }

    pub fn of(files: [OwnedFd; Self::FILES]) -> Self {
        let [members, peak, memory, processes, cpu] = files.map(File::from);
        Self { members, peak, memory, processes, cpu }
    }

    /// This process is in the group from now on, with all that it starts.
    pub fn enter(&self) -> io::Result<()> {
        self.members.write_all_at(b"0", 0)
    }

    /// The most memory that was in use at once, in bytes: with file systems in memory and what of files is cached.
    pub fn peak(&self) -> Option<u64> {
        text(&self.peak)?.trim().parse().ok().filter(|peak| *peak > 0)
    }

    /// CPU seconds (user, system) of all that has been in the group.
    pub fn cpu(&self) -> Option<(f64, f64)> {
        let stat = text(&self.cpu)?;
        let seconds = |name| Some(number(&stat, name)? as f64 / 1e6);
        Some((seconds("user_usec")?, seconds("system_usec")?))
    }

    /// Something was killed because there was no memory left.
    pub fn lacked_memory(&self) -> bool {
        text(&self.memory).and_then(|events| number(&events, "oom_kill")).is_some_and(|killed| killed > 0)
    }

    /// A process or a thread was refused.
    pub fn lacked_processes(&self) -> bool {
        text(&self.processes).and_then(|events| number(&events, "max")).is_some_and(|refused| refused > 0)
    }
}

/// Where faos has moved and nobody needs it any more: back to where it was.
pub fn give_back() {
    let Ok(own) = own() else { return };
    let Some(parent) = own.parent().filter(|_| own.ends_with(BESIDE)) else { return };
    let Ok(_lock) = lock(parent) else { return };
    if runs(parent).next().is_none() && is_led_to_this(&own) {
        undivide(parent);
    }
}

/// The group that this process is in, as a folder.
fn own() -> Result<PathBuf, String> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    own_among(&groups, &mounts).ok_or_else(|| "there is no cgroup v2".to_owned())
}

fn own_among(groups: &str, mounts: &str) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        // Some fields before the hyphen are optional: root and place are the fourth and the fifth.
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let below = Path::new(path).strip_prefix(root).ok()?;
        after.starts_with("cgroup2 ").then(|| Path::new(place).join(below))
    })
}

fn is_systemds(group: &Path) -> bool {
    let kinds = ["slice", "scope", "service"];
    group.components().any(|part| Path::new(&part).extension().is_some_and(|kind| kinds.iter().any(|k| kind == *k)))
}

/// Systemd marks what it leaves to others. What it does not mark is its own, also where it could be written.
fn is_delegated(group: &Path) -> bool {
    let mut value = [0; 1];
    getxattr(group, "user.delegate", &mut value).is_ok_and(|length| &value[..length] == b"1")
}

/// One process at a time changes how a group is divided.
fn lock(parent: &Path) -> Result<File, String> {
    let folder = File::open(parent).map_err(failed("open the own cgroup"))?;
    flock(&folder, FlockOperation::LockExclusive).map_err(|error| failed("lock the own cgroup")(error.into()))?;
    Ok(folder)
}

fn divide(parent: &Path) -> Result<(), String> {
    let enable =
        || fs::write(parent.join("cgroup.subtree_control"), CONTROLLERS.map(|name| format!("+{name}")).join(" "));
    if is_divided(parent) || enable().is_ok() {
        return Ok(());
    }
    let beside = parent.join(BESIDE);
    match fs::create_dir(&beside) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed("make a cgroup")(error)),
        Ok(()) | Err(_) => {}
    }
    let moved = move_all(parent, &beside).and_then(|()| enable());
    moved.map_err(|error| {
        undivide(parent);
        failed("divide the own cgroup")(error)
    })
}

fn is_divided(parent: &Path) -> bool {
    let enabled = fs::read_to_string(parent.join("cgroup.subtree_control")).unwrap_or_default();
    CONTROLLERS.iter().all(|wanted| has(&enabled, wanted))
}

fn undivide(parent: &Path) {
    let beside = parent.join(BESIDE);
    // What cannot be undone stays as it is, and works.
    let disabled = CONTROLLERS.map(|name| format!("-{name}")).join(" ");
    let _ = fs::write(parent.join("cgroup.subtree_control"), disabled)
        .and_then(|()| move_all(&beside, parent))
        .and_then(|()| fs::remove_dir(&beside));
}

fn move_all(from: &Path, to: &Path) -> io::Result<()> {
    members(from).into_iter().try_for_each(|pid| fs::write(to.join("cgroup.procs"), pid.to_string()))
}

/// The processes of a group; one that cannot be seen from here is 0.
fn members(group: &Path) -> Vec<u32> {
    let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    members.lines().map(|line| line.parse().unwrap_or(0)).collect()
}

/// Whether nothing is in the group but this process, what started it, what started that, and so on.
fn is_led_to_this(group: &Path) -> bool {
    let mut line = vec![std::process::id()];
    while let Some(parent) = line.last().and_then(|pid| started_by(*pid)).filter(|parent| *parent > 0) {
        line.push(parent);
    }
    members(group).iter().all(|member| line.contains(member))
}

fn started_by(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// Groups of runs, each with the process that made it.
fn runs(parent: &Path) -> impl Iterator<Item = (PathBuf, u32)> {
    let entries = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.strip_prefix(RUN)?.parse().ok()?;
        Some((entry.path(), pid))
    })
}

/// What processes have left that were killed themselves.
fn remove_left(parent: &Path) {
    let lives = |pid: u32| pid != std::process::id() && Path::new("/proc").join(pid.to_string()).exists();
    runs(parent).filter(|(_, pid)| !lives(*pid)).for_each(|(group, _)| remove(&group));
}

fn remove(group: &Path) {
    let until = Instant::now() + PATIENCE;
    // Since Linux 5.14; nobody is left in it anyway but where the supervisor itself was killed.
    let _ = fs::write(group.join("cgroup.kill"), "1");
    // What is killed takes a moment to leave.
    while fs::remove_dir(group).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
        && Instant::now() < until
    {
        let _ = rustix::event::poll(&mut [], Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 500_000 }));
    }
}

fn has(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|word| word == name)
}

/// The number in the line that begins with this word.
fn number(lines: &str, name: &str) -> Option<u64> {
    lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn text(file: &File) -> Option<String> {
    let mut bytes = [0; 4096];
    let count = file.read_at(&mut bytes, 0).ok()?;
    String::from_utf8(bytes[..count].to_vec()).ok()
}

fn failed(what: &str) -> impl FnOnce(io::Error) -> String {
    move |error| format!("cannot {what}: {error}")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{is_systemds, number, own_among};

    #[test]
    fn the_own_group_is_found_where_it_is_mounted() {
        let of_systemd = "24 30 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let hybrid = "41 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      42 23 0:30 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n";
        let of_container = "50 40 0:28 /docker/a1 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        let other_root = "50 40 0:28 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        for (groups, mounts, found) in [
            ("0::/user.slice/a.scope\n", of_systemd, Some("/sys/fs/cgroup/user.slice/a.scope")),
            ("4:memory:/x\n0::/\n", hybrid, Some("/sys/fs/cgroup/unified/")),
            ("0::/docker/a1/sub\n", of_container, Some("/sys/fs/cgroup/sub")),
            ("0::/docker/b2\n", of_container, None),
            ("0::/\n", other_root, None),
            ("4:memory:/x\n", of_systemd, None),
            ("0::/\n", "24 30 0:22 / /sys rw - sysfs sysfs rw\n", None),
        ] {
            assert_eq!(own_among(groups, mounts), found.map(PathBuf::from), "{groups} {mounts}");
        }
    }

    #[test]
    fn what_is_systemds_is_known_by_its_name() {
        for (group, systemds) in [
            ("/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope", true),
            ("/sys/fs/cgroup/system.slice/faos.service/sub", true),
            ("/sys/fs/cgroup", false),
            ("/sys/fs/cgroup/docker/a1", false),
        ] {
            assert_eq!(is_systemds(Path::new(group)), systemds, "{group}");
        }
    }

    #[test]
    fn counts_are_read_by_their_whole_name() {
        let events = "low 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!([number(events, "oom"), number(events, "oom_kill"), number(events, "o")], [Some(3), Some(2), None]);
    }
}
