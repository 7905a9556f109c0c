//! The root that a run sees: an allow-list of mounts on an empty file system, and nothing else of the machine.

use std::fs;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

use super::sys::{self, NO_DEV, NO_SUID, READ_ONLY, Step, named};
use crate::sandbox::wire::Order;

/// Where the session's cache folder stands inside.
pub const CACHE: &str = "/var/cache/faos";
/// Programs of ours, behind all others on PATH: models write `python` where a system has `python3` alone.
pub const OWN_PROGRAMS: &str = "/run/faos/bin";
/// Where the new root is built. What is mounted there is hidden from this process alone.
const STAGE: &str = "/tmp";
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Mounts that stand nowhere yet.
pub struct Mounts {
    read_only: Vec<(PathBuf, OwnedFd)>,
    devices: Vec<(&'static str, OwnedFd)>,
    workspace: OwnedFd,
    cache: Option<OwnedFd>,
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
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) && path.components().count() == 2 {
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
    let workspace = writable(&order.workspace, users)?;
    let cache = order.scratch.as_deref().map(|cache| writable(cache, users)).transpose()?;
    Ok(Mounts { read_only, devices, workspace, cache })
}

fn writable(path: &Path, users: Option<&OwnedFd>) -> Step<OwnedFd> {
    let mount = sys::detach(path).map_err(named(format!("open {}", path.display())))?;
    if let Some(users) = users {
        sys::map_owners(&mount, users).map_err(named(format!("map the owners of {}", path.display())))?;
    }
    sys::set_attributes(&mount, NO_SUID | NO_DEV).map_err(named(format!("confine {}", path.display())))?;
    Ok(mount)
}

/// Builds the root and enters it; the present folder is the workspace afterwards.
pub fn enter(order: &Order, mounts: &Mounts) -> Step<()> {
    sys::make_private(Path::new("/")).map_err(named("make mounts private"))?;
    sys::mount(c"tmpfs", Path::new(STAGE), libc::MS_NOSUID | libc::MS_NODEV, "mode=0755,size=16m")
        .map_err(named("mount the new root"))?;
    let stage = Path::new(STAGE);
    let inside = |path: &Path| stage.join(path.strip_prefix("/").unwrap_or(path));
    for link in &order.read_only {
        if let Ok(target) = fs::read_link(link)
            && link.components().count() == 2
        {
            symlink(target, inside(link)).map_err(named(format!("link {}", link.display())))?;
        }
    }
    // Before the home folder and the tools, which may be below it.
    private(&stage.join("tmp"), &format!("mode=1777,size={}", order.limits.memory / 2))?;
    private(&inside(&order.home), "mode=0700,size=256m")?;
    for (path, mount) in &mounts.read_only {
        put(mount, &inside(path), path)?;
    }
    devices(&stage.join("dev"), mounts)?;
    private(&stage.join("run"), "mode=0755,size=16m")?;
    own_programs(&inside(Path::new(OWN_PROGRAMS)))?;
    // Below `/proc` other processes of the run are seen; a masked one of the host cannot be mounted again: then none is.
    folder(&stage.join("proc"))?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let _ = sys::mount(c"proc", &stage.join("proc"), flags, "");
    workspace(order, mounts, stage)?;
    if let Some(cache) = &mounts.cache {
        put(cache, &stage.join(CACHE.trim_start_matches('/')), Path::new(CACHE))?;
    }
    std::env::set_current_dir(stage).map_err(named("enter the new root"))?;
    sys::pivot_here().map_err(named("change the root"))?;
    sys::remount_read_only(Path::new("/")).map_err(named("make the root read-only"))?;
    std::env::set_current_dir(&order.workspace).map_err(named("enter the workspace"))
}

fn workspace(order: &Order, mounts: &Mounts, stage: &Path) -> Step<()> {
    let at = stage.join(order.workspace.strip_prefix("/").unwrap_or(&order.workspace));
    if order.scratch.is_none() {
        put(&mounts.workspace, &at, &order.workspace)?;
        return protect(order, &at);
    }
    // The real one is the lower layer, out of reach once the overlay stands; what is written goes with the run.
    let (lower, upper) = (stage.join(".lower"), stage.join(".upper"));
    put(&mounts.workspace, &lower, &order.workspace)?;
    private(&upper, &format!("mode=0700,size={}", order.limits.growth))?;
    folder(&upper.join("up"))?;
    folder(&upper.join("work"))?;
    folder(&at)?;
    let options = format!("lowerdir={STAGE}/.lower,upperdir={STAGE}/.upper/up,workdir={STAGE}/.upper/work,userxattr");
    sys::mount(c"overlay", &at, libc::MS_NOSUID | libc::MS_NODEV, &options).map_err(named("mount the scratch copy"))?;
    sys::unmount(&lower).and_then(|()| sys::unmount(&upper)).map_err(named("hide the scratch copy's layers"))
}

/// What no version holds cannot be destroyed: it is mounted over itself, read-only.
fn protect(order: &Order, workspace: &Path) -> Step<()> {
    for path in &order.protected {
        let at = workspace.join(path);
        // What vanished meanwhile needs no protection, and a link is protected by what it leads to, or not ours.
        if !at.symlink_metadata().is_ok_and(|metadata| metadata.is_file() || metadata.is_dir()) {
            continue;
        }
        let step = || named(format!("protect {}", path.display()));
        let mount = sys::detach(&at).map_err(step())?;
        sys::set_attributes(&mount, READ_ONLY | NO_SUID | NO_DEV).map_err(step())?;
        sys::attach(&mount, &at).map_err(step())?;
    }
    Ok(())
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

fn own_programs(at: &Path) -> Step<()> {
    folder(at)?;
    for (name, target) in [("python", "/usr/bin/python3"), ("pip", "/usr/bin/pip3")] {
        symlink(target, at.join(name)).map_err(named(format!("link {name}")))?;
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
