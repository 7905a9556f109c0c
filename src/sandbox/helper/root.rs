//! The root that a run sees: an allow-list of mounts on an empty file system, and nothing else of the machine.

use std::fs;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, XattrFlags, memfd_create, setxattr};

use super::sys::{self, NO_DEV, NO_SUID, READ_ONLY, Step, named};
use super::{Place, copy, landlock};
use crate::sandbox::wire::{Layer, Order};

/// Where the session's cache folder stands inside, and what was fetched from the network.
pub const CACHE: &str = "/var/cache/faos";
pub const PACKAGES: &str = "/var/cache/faos-packages";
/// Programs of ours, behind all others on PATH: models write `python` where a system has `python3` alone.
pub const OWN_PROGRAMS: &str = "/run/faos/bin";
/// Where a workspace stands that is nobody's.
pub const EMPTY: &str = "/workspace";
/// Files of `/proc` that are the machine's, and nobody's business.
pub const HIDDEN: [&str; 4] = ["kcore", "key-users", "keys", "sysrq-trigger"];
/// The run's script. Bash reads it as it goes on; nothing inside can change it.
const SCRIPT: &str = "/run/faos/script";
/// What is mounted over what is nobody's business.
const NOTHING: &str = "/run/faos/nothing";
/// Where the new root is built. What is mounted there is hidden from this process alone.
const STAGE: &str = "/tmp";
pub const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Mounts that stand nowhere yet.
pub struct Mounts {
    read_only: Vec<(PathBuf, OwnedFd)>,
    devices: Vec<(&'static str, OwnedFd)>,
    workspace: Option<OwnedFd>,
    /// Folders of the session's, by their places inside.
    folders: Vec<(PathBuf, OwnedFd)>,
}

/// The program's standard input, as a file that ends.
pub fn input(bytes: &[u8]) -> Step<fs::File> {
    let fd = memfd_create("stdin", MemfdFlags::CLOEXEC).map_err(|error| named("make the input")(error.into()))?;
    let mut file = fs::File::from(fd);
    file.write_all(bytes).and_then(|()| file.rewind()).map_err(named("write the input"))?;
    Ok(file)
}

/// Opens all that will be mounted; `users` maps the owners of what is written.
pub fn open_mounts(order: &Order, users: Option<&OwnedFd>) -> Step<Mounts> {
    let mut read_only = Vec::new();
    for path in &order.read_only {
        // A link such as `/bin -> usr/bin` is made again as a link.
        if link_in_root(path).is_some() {
            continue;
        }
        let mount = sys::detach(path).map_err(named(format!("open {}", path.display())))?;
        sys::set_attributes(&mount, READ_ONLY | NO_SUID | NO_DEV)
            .map_err(named(format!("make {} read-only", path.display())))?;
        read_only.push((path.to_path_buf(), mount));
    }
    let mut devices = Vec::new();
    for name in DEVICES {
        let path = Path::new("/dev").join(name);
        devices.push((name, sys::detach(&path).map_err(named(format!("open {}", path.display())))?));
    }
    let workspace = (order.layer != Layer::Empty).then_some(&order.workspace);
    let workspace = workspace.map(|path| writable(path, users)).transpose()?;
    let mut folders = Vec::new();
    for folder in &order.folders {
        let mount = writable(&folder.from, users)?;
        if !folder.writable {
            sys::set_attributes(&mount, READ_ONLY).map_err(named(format!("confine {}", folder.from.display())))?;
        }
        folders.push((folder.at.to_path_buf(), mount));
    }
    Ok(Mounts { read_only, devices, workspace, folders })
}

/// The step that fails on file systems which cannot map owners, such as a container's own.
pub const MAPPING: &str = "map the owners of";

pub fn writable(path: &Path, users: Option<&OwnedFd>) -> Step<OwnedFd> {
    let mount = sys::detach(path).map_err(named(format!("open {}", path.display())))?;
    if let Some(users) = users {
        sys::map_owners(&mount, users).map_err(named(format!("{MAPPING} {}", path.display())))?;
    }
    sys::set_attributes(&mount, NO_SUID | NO_DEV).map_err(named(format!("confine {}", path.display())))?;
    Ok(mount)
}

/// Builds the root and enters it; the present folder is the workspace afterwards.
pub fn enter(order: &Order, mounts: &Mounts, mut degraded: Vec<String>) -> Step<Place> {
    sys::make_private(Path::new("/")).map_err(named("make mounts private"))?;
    sys::mount(c"tmpfs", Path::new(STAGE), libc::MS_NOSUID | libc::MS_NODEV, "mode=0755,size=16m")
        .map_err(named("mount the new root"))?;
    let stage = Path::new(STAGE);
    let inside = |path: &Path| stage.join(path.strip_prefix("/").unwrap_or(path));
    for link in &order.read_only {
        if let Some(target) = link_in_root(link) {
            symlink(target, inside(link)).map_err(named(format!("link {}", link.display())))?;
        }
    }
    // Before the home folder and the tools, which may be below it.
    let files = order.limits.growth_files;
    private(&stage.join("tmp"), &format!("mode=1777,size={},nr_inodes={files}", order.limits.memory / 2))?;
    private(&inside(&order.home), &format!("mode=0700,size=256m,nr_inodes={files}"))?;
    for (path, mount) in &mounts.read_only {
        put(mount, &inside(path), path)?;
    }
    devices(&stage.join("dev"), mounts)?;
    private(&stage.join("run"), "mode=0755,size=64m")?;
    own_files(order, stage)?;
    degraded.extend(processes(order, stage)?);
    workspace(order, mounts, stage)?;
    for (at, mount) in &mounts.folders {
        put(mount, &inside(at), at)?;
    }
    std::env::set_current_dir(stage).map_err(named("enter the new root"))?;
    sys::pivot_here().map_err(named("change the root"))?;
    for path in ["/", "/run"] {
        sys::remount_read_only(Path::new(path)).map_err(named(format!("make {path} read-only")))?;
    }
    Ok(place(order, degraded))
}

/// Where mounts were put that another program is to mount again.
pub struct Staged {
    pub read_only: Vec<(PathBuf, PathBuf)>,
    pub workspace: PathBuf,
    /// In the order's own order.
    pub folders: Vec<PathBuf>,
    pub program: PathBuf,
}

/// Puts all mounts below one folder. Links directly below the root are none, and lead where they always did.
pub fn stage(at: &Path, mounts: &Mounts, program: &OwnedFd) -> Step<Staged> {
    private(at, "mode=0755,size=16m")?;
    let mut read_only = Vec::new();
    for (number, (path, mount)) in mounts.read_only.iter().enumerate() {
        let kept = at.join(number.to_string());
        put(mount, &kept, path)?;
        read_only.push((path.clone(), kept));
    }
    let named = |name: &str| at.join(name);
    let mut staged =
        Staged { read_only, workspace: named("workspace"), folders: Vec::new(), program: named("program") };
    if let Some(mount) = &mounts.workspace {
        put(mount, &staged.workspace, &staged.workspace)?;
    }
    for (number, (of, mount)) in mounts.folders.iter().enumerate() {
        let kept = at.join(format!("folder-{number}"));
        put(mount, &kept, of)?;
        staged.folders.push(kept);
    }
    put(program, &staged.program, &staged.program)?;
    Ok(staged)
}

/// Where the program starts in a root of its own.
pub fn place(order: &Order, mut degraded: Vec<String>) -> Place {
    if landlock::version() < 1 {
        degraded.push("this kernel has no Landlock: mounts alone hold the files".to_owned());
    }
    let folders = order.folders.iter().filter(|folder| folder.writable).map(|folder| folder.at.to_path_buf());
    let own = ["/tmp", "/dev"].map(PathBuf::from).into_iter().chain(folders);
    Place {
        folder: order.workspace.to_path_buf(),
        writable: own.chain([order.workspace.to_path_buf(), order.home.to_path_buf()]).collect(),
        beside: None,
        script: Some(PathBuf::from(SCRIPT)),
        environment: Vec::new(),
        degraded,
    }
}

/// What a link directly below the root, such as `/bin -> usr/bin`, leads to.
pub fn link_in_root(path: &Path) -> Option<PathBuf> {
    (path.components().count() == 2).then(|| fs::read_link(path).ok()).flatten()
}

const ONLY_PROCESSES: &str =
    "/proc shows processes and nothing of the machine: this machine hides parts of its own, as containers do";
pub const NO_PROCESSES: &str = "there is no /proc, and nobody sees what the run's processes use together: this machine hides parts of its own, as containers do";

/// Whether the kernel lets no user namespace mount a `/proc` of its own, which would show what is covered here.
pub fn hides_processes() -> bool {
    hides(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

fn hides(mounts: &str) -> bool {
    /// What the kernel made to be mounted on covers nothing.
    const EMPTY: [&str; 4] = ["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd", "/proc/openprom", "/proc/xen"];
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(4);
        let (Some(at), Some(options)) = (fields.next(), fields.next()) else { return false };
        let covers = at.starts_with("/proc/") && !EMPTY.contains(&at);
        covers || at == "/proc" && options.split(',').any(|option| option == "ro")
    })
}

/// The run's own processes below `/proc`. Where the machine hides parts of its own, it lets nobody mount a whole one.
fn processes(order: &Order, stage: &Path) -> Step<Option<String>> {
    let at = stage.join("proc");
    folder(&at)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    if sys::mount(c"proc", &at, flags, "").is_err() {
        let of_processes = sys::mount(c"proc", &at, flags, "subset=pid").is_ok();
        return Ok(Some(if of_processes { ONLY_PROCESSES } else { NO_PROCESSES }.to_owned()));
    }
    bound_numbers(order, &at.join("sys/kernel/pid_max"));
    let read_only = |path: &Path, from: &Path| -> io::Result<()> {
        let mount = sys::detach(from)?;
        sys::set_attributes(&mount, READ_ONLY | NO_SUID | NO_DEV)?;
        sys::attach(&mount, path)
    };
    let settings = at.join("sys");
    read_only(&settings, &settings).map_err(named("make /proc/sys read-only"))?;
    for name in HIDDEN {
        let hidden = at.join(name);
        if hidden.exists() {
            read_only(&hidden, &stage.join(NOTHING.trim_start_matches('/')))
                .map_err(named(format!("hide /proc/{name}")))?;
        }
    }
    Ok(None)
}

/// Since Linux 6.14 a process namespace has a largest number of its own, which holds root's processes too. Before that
/// the number is the machine's, and nothing here may touch it.
fn bound_numbers(order: &Order, largest: &Path) {
    /// The kernel gives no number below this one a second time.
    const RESERVED: u64 = 300;
    let release = rustix::system::uname();
    if has_own_numbers(&release.release().to_string_lossy()) {
        let _ = fs::write(largest, (RESERVED + order.limits.processes + 64).to_string());
    }
}

fn has_own_numbers(release: &str) -> bool {
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    (parts.next(), parts.next()) >= (Some(6), Some(14))
}

fn workspace(order: &Order, mounts: &Mounts, stage: &Path) -> Step<()> {
    let at = stage.join(order.workspace.strip_prefix("/").unwrap_or(&order.workspace));
    let limits = &order.limits;
    let bounds = format!("size={},nr_inodes={}", limits.growth, limits.growth_files);
    let Some(mount) = &mounts.workspace else { return private(&at, &format!("mode=0755,{bounds}")) };
    if order.layer == Layer::Direct {
        put(mount, &at, &order.workspace)?;
        return protect(order, &at);
    }
    // The real one is the lower layer, out of reach once the overlay stands; what is written goes with the run.
    let (lower, upper) = (stage.join(".lower"), stage.join(".upper"));
    put(mount, &lower, &order.workspace)?;
    private(&upper, &format!("mode=0700,{bounds}"))?;
    folder(&upper.join("up"))?;
    folder(&upper.join("work"))?;
    folder(&at)?;
    let options = format!("lowerdir={STAGE}/.lower,upperdir={STAGE}/.upper/up,workdir={STAGE}/.upper/work,userxattr");
    // Before Linux 6.6 a file system in memory takes no marks of a user's: an overlay stands, but no folder can be removed.
    let takes_marks = setxattr(&upper, "user.faos", b"", XattrFlags::empty()).is_ok();
    if !takes_marks || sys::mount(c"overlay", &at, libc::MS_NOSUID | libc::MS_NODEV, &options).is_err() {
        // Some file systems cannot be the lower layer either, another overlay among them.
        private(&at, &format!("mode=0755,{bounds}"))?;
        copy::copy(&lower, &at, limits)?;
    }
    sys::unmount(&lower).and_then(|()| sys::unmount(&upper)).map_err(named("hide the scratch copy's layers"))
}

/// What no version holds cannot be destroyed: it is mounted over itself, read-only.
fn protect(order: &Order, workspace: &Path) -> Step<()> {
    for path in &order.protected {
        let at = workspace.join(path);
        if !can_be_protected(&at) {
            continue;
        }
        let step = || named(format!("protect {}", path.display()));
        let mount = sys::detach(&at).map_err(step())?;
        sys::set_attributes(&mount, READ_ONLY | NO_SUID | NO_DEV).map_err(step())?;
        sys::attach(&mount, &at).map_err(step())?;
    }
    Ok(())
}

/// What vanished meanwhile needs no protection, and a link is protected by what it leads to, or not ours.
pub fn can_be_protected(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file() || metadata.is_dir())
}

fn devices(at: &Path, mounts: &Mounts) -> Step<()> {
    private(at, "mode=0755,size=64k")?;
    for (name, mount) in &mounts.devices {
        let path = at.join(name);
        fs::write(&path, "").map_err(named(format!("make {name}")))?;
        sys::attach(mount, &path).map_err(named(format!("mount {name}")))?;
    }
    private(&at.join("shm"), "mode=1777,size=256m")?;
    // Programs that want a terminal of their own (`script`, test runners) can have one.
    folder(&at.join("pts"))?;
    sys::mount(c"devpts", &at.join("pts"), libc::MS_NOSUID | libc::MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
        .map_err(named("mount pseudo terminals"))?;
    for (link, target) in
        [("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        symlink(target, at.join(link)).map_err(named(format!("link {link}")))?;
    }
    Ok(())
}

/// The script, and programs of ours: below `/run`, which is made in `root`.
pub fn own_files(order: &Order, root: &Path) -> Step<()> {
    let inside = |path: &str| root.join(path.trim_start_matches('/'));
    folder(&inside(OWN_PROGRAMS))?;
    for (name, target) in [("python", "/usr/bin/python3"), ("pip", "/usr/bin/pip3")] {
        symlink(target, inside(OWN_PROGRAMS).join(name)).map_err(named(format!("link {name}")))?;
    }
    // What hides something cannot be opened at all.
    for (path, content, mode) in [(inside(NOTHING), "", 0), (inside(SCRIPT), order.script.as_str(), 0o444)] {
        let written = fs::write(&path, content);
        written
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .map_err(named(format!("write {}", path.display())))?;
    }
    Ok(())
}

fn folder(path: &Path) -> Step<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(named(format!("make {}", path.display())))
}

fn private(path: &Path, options: &str) -> Step<()> {
    folder(path)?;
    sys::mount(c"tmpfs", path, libc::MS_NOSUID | libc::MS_NODEV, options)
        .map_err(named(format!("mount {}", path.display())))
}

/// Mounts at a place that is made for it: a folder, or an empty file.
fn put(mount: &OwnedFd, at: &Path, of: &Path) -> Step<()> {
    let step = || named(format!("mount {}", of.display()));
    let is_folder = rustix::fs::fstat(mount).map(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR);
    if is_folder.map_err(|error| step()(error.into()))? {
        // An existing folder of a mount below is as good as one that is made.
        if !at.is_dir() {
            folder(at)?;
        }
    } else if !at.exists() {
        folder(at.parent().unwrap_or(Path::new("/")))?;
        fs::write(at, "").map_err(step())?;
        fs::set_permissions(at, fs::Permissions::from_mode(0o644)).map_err(step())?;
    }
    sys::attach(mount, at).map_err(step())
}

#[cfg(test)]
mod tests {
    use super::{has_own_numbers, hides};

    #[test]
    fn what_is_mounted_over_parts_of_proc_hides_them() {
        let line = |at: &str, options: &str| format!("24 30 0:22 / {at} {options} shared:4 - proc proc rw\n");
        let whole = line("/proc", "rw,nosuid");
        for (mounts, hidden) in [
            (whole.clone(), false),
            ([whole.clone(), line("/proc/sys/fs/binfmt_misc", "rw"), line("/process", "rw")].concat(), false),
            ([whole.clone(), line("/proc/keys", "rw")].concat(), true),
            ([whole, line("/proc/sys", "ro")].concat(), true),
            (line("/proc", "ro,nosuid"), true),
        ] {
            assert_eq!(hides(&mounts), hidden, "{mounts}");
        }
    }

    #[test]
    fn the_machines_own_largest_number_is_left_alone() {
        for (release, own) in [
            ("6.14.0", true),
            ("6.18.44-fc-v657", true),
            ("7.0-rc1", true),
            ("6.13.9-arch1", false),
            ("6.8.0-45-generic", false),
            ("5.15.167.4-microsoft-standard-WSL2", false),
            ("6", false),
            ("", false),
        ] {
            assert_eq!(has_own_numbers(release), own, "{release}");
        }
    }
}
