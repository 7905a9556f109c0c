//! Namespaces made by the system's bubblewrap: where a machine lets that program make them and no other.
//!
//! Outside it is started with an empty environment and three pipes; inside it starts this helper again as process 1,
//! which has no rights of its own and adds what bubblewrap has not: rules, filter, limits, supervision.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::root;
use super::sys::{self, Failed, Step, named};
use super::{ARGUMENT, Run, copy, identity, order_of, supervise};
use crate::sandbox::cgroup::Meter;
use crate::sandbox::wire::{self, Layer, Order};

/// Never one that PATH finds: it could be the workspace's.
pub const PROGRAM: &str = "/usr/bin/bwrap";
/// The second argument of the helper that starts inside.
pub const INSIDE: &str = "inside";

/// Where the order waits for the helper inside, and behind it the files of the meter.
const MESSAGE: RawFd = 3;
const METER: RawFd = MESSAGE + 1;
const HELPER: &str = "/run/faos/helper";
/// Where the workspace stands, read-only, while it is copied.
const ORIGINAL: &str = "/run/faos/original";
/// Where mounts are kept for bubblewrap that it could not reach as another user.
const STAGE: &str = "/tmp";
/// Said by the outer process where bubblewrap itself failed: its own words are in the output.
pub const STEP: &str = "start bubblewrap";

/// Starts bubblewrap, and waits for it.
pub fn outside(order: &Order, frames: [&[u8]; 2], meter: Option<&Meter>) -> Step<()> {
    let mut sources = if identity::is_real_root() { staged(order, meter)? } else { Sources::of(order) };
    if sources.hides_processes {
        sources.degraded.push(root::NO_PROCESSES.to_owned());
    }
    let mut message = root::input(b"")?;
    let prepared = Prepared { degraded: sources.degraded.clone(), metered: meter.is_some() };
    let prepared = serde_json::to_vec(&prepared).unwrap_or_default();
    frames
        .into_iter()
        .chain([prepared.as_slice()])
        .try_for_each(|frame| wire::send(&mut message, frame))
        .and_then(|()| message.rewind())
        .map_err(named("pass on the order"))?;
    let arguments = arguments(order, &sources)?;
    let Some(child) = sys::fork().map_err(named(STEP))? else {
        let failed = start(&message, meter, &arguments);
        let _ = writeln!(std::io::stderr(), "{PROGRAM}: {}", std::io::Error::from_raw_os_error(failed.errno));
        std::process::exit(127);
    };
    let status = sys::wait(child).map_err(named("wait for bubblewrap"))?;
    if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
        return Ok(());
    }
    Err(Failed { step: STEP.to_owned(), errno: 0 })
}

/// What the helper inside cannot find out.
#[derive(Default, Serialize, Deserialize)]
struct Prepared {
    degraded: Vec<String>,
    metered: bool,
}

fn start(message: &File, meter: Option<&Meter>, arguments: &[CString]) -> Failed {
    let place = || -> io::Result<()> {
        sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)?;
        sys::place(message.as_raw_fd(), MESSAGE)?;
        let files = meter.into_iter().flat_map(Meter::files);
        let last =
            files.zip(METER..).try_fold(MESSAGE, |_, (file, at)| sys::place(file.as_raw_fd(), at).map(|()| at))?;
        sys::close_on_execute_from(last as u32 + 1)
    };
    let placed = place();
    let program = CString::new(PROGRAM).unwrap_or_default();
    named(STEP)(placed.err().unwrap_or_else(|| sys::execute(&program, arguments, &[])))
}

/// Where bubblewrap finds what it mounts.
struct Sources {
    read_only: Vec<(PathBuf, PathBuf)>,
    workspace: PathBuf,
    /// In the order's own order.
    folders: Vec<PathBuf>,
    program: PathBuf,
    /// The user inside, where that is another one than outside.
    user: Option<u32>,
    /// There can be no `/proc` inside.
    hides_processes: bool,
    degraded: Vec<String>,
}

impl Sources {
    fn of(order: &Order) -> Self {
        Self {
            read_only: order.read_only.iter().map(|path| (path.to_path_buf(), path.to_path_buf())).collect(),
            workspace: order.workspace.to_path_buf(),
            folders: order.folders.iter().map(|folder| folder.from.to_path_buf()).collect(),
            program: order.program.to_path_buf(),
            user: None,
            hides_processes: root::hides_processes(),
            degraded: Vec::new(),
        }
    }
}

/// As real root: all mounts in a place that user 65534 can reach, and that user afterwards.
fn staged(order: &Order, meter: Option<&Meter>) -> Step<Sources> {
    let program = sys::detach(&order.program).map_err(named("open the helper's program"))?;
    let (mounts, mapped) = identity::as_root(order)?;
    let place = root::stage(Path::new(STAGE), &mounts, &program)?;
    let mut degraded = Vec::new();
    if mapped {
        identity::become_nobody()?;
    } else {
        degraded.push(identity::unmapped(meter));
    }
    let links = order.read_only.iter().filter(|path| root::link_in_root(path).is_some());
    let links = links.map(|path| (path.to_path_buf(), path.to_path_buf()));
    Ok(Sources {
        read_only: links.chain(place.read_only).collect(),
        workspace: place.workspace,
        folders: place.folders,
        program: place.program,
        user: Some(identity::NOBODY),
        hides_processes: root::hides_processes(),
        degraded,
    })
}

/// In bubblewrap's own order: what comes later is mounted over what comes before.
fn arguments(order: &Order, sources: &Sources) -> Step<Vec<CString>> {
    let mut all = Arguments::default();
    all.add(["bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"]);
    if !order.network {
        all.add(["--unshare-net"]);
    }
    all.add(["--as-pid-1", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]);
    all.add(["--hostname", "faos"]);
    if let Some(user) = sources.user {
        let user = user.to_string();
        all.add(["--uid", &user, "--gid", &user]);
    }
    let (memory, growth) = ((order.limits.memory / 2).to_string(), order.limits.growth.to_string());
    all.add(["--perms", "1777", "--size", &memory, "--tmpfs", "/tmp"]);
    all.add(["--perms", "0700", "--size", "268435456", "--tmpfs"]).add([&*order.home]);
    for (at, from) in &sources.read_only {
        match root::link_in_root(at) {
            Some(target) => all.add(["--symlink"]).add([target.as_path(), at]),
            None => all.add(["--ro-bind"]).add([from.as_path(), at]),
        };
    }
    // What bubblewrap makes of `/dev` is as large as half of the memory.
    all.add(["--dev", "/dev", "--perms", "1777", "--size", "268435456", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]);
    // There is nobody who could mount one of processes alone: the helper inside has no rights of its own.
    if sources.hides_processes {
        all.add(["--dir", "/proc"]);
    } else {
        all.add(["--proc", "/proc"]);
        for hidden in root::HIDDEN.map(|name| Path::new("/proc").join(name)).iter().filter(|path| path.exists()) {
            all.add(["--ro-bind"]).add([Path::new("/dev/null"), hidden]);
        }
    }
    all.add(["--size", "67108864", "--tmpfs", "/run", "--dir", "/run/faos"]);
    all.add(["--ro-bind"]).add([sources.program.as_path(), Path::new(HELPER)]);
    match order.layer {
        Layer::Direct => {
            all.add(["--bind"]).add([sources.workspace.as_path(), &order.workspace]);
            for path in order.protected.iter().filter(|path| root::can_be_protected(&sources.workspace.join(path))) {
                all.add(["--ro-bind"]).add([sources.workspace.join(path), order.workspace.join(path)]);
            }
        }
        Layer::Scratch => {
            all.add(["--ro-bind"]).add([sources.workspace.as_path(), Path::new(ORIGINAL)]);
            all.add(["--size", &growth, "--tmpfs"]).add([&*order.workspace]);
        }
        Layer::Empty => {
            all.add(["--size", &growth, "--tmpfs"]).add([&*order.workspace]);
        }
    }
    for (folder, from) in order.folders.iter().zip(&sources.folders) {
        all.add([if folder.writable { "--bind" } else { "--ro-bind" }]).add([from.as_path(), &folder.at]);
    }
    all.add(["--remount-ro", "/", "--chdir", "/", "--", HELPER, ARGUMENT, INSIDE]);
    all.0
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|_| Failed { step: "name the mounts: a path holds a NUL".to_owned(), errno: libc::EINVAL })
}

#[derive(Default)]
struct Arguments(Vec<Result<CString, std::ffi::NulError>>);

impl Arguments {
    fn add<T: AsRef<OsStr>>(&mut self, arguments: impl IntoIterator<Item = T>) -> &mut Self {
        self.0.extend(arguments.into_iter().map(|argument| CString::new(argument.as_ref().as_bytes())));
        self
    }
}

/// Inside, as process 1.
pub fn inside(host: &UnixStream, begun: Instant) -> Step<()> {
    sys::prctl(libc::PR_SET_DUMPABLE, 0).map_err(named("close the supervisor's memory"))?;
    // SAFETY: the outer helper put the message there; nothing else here uses this descriptor.
    let message = unsafe { File::from_raw_fd(MESSAGE) };
    let receive = || wire::receive(&message).map_err(named("read the order that was passed on"));
    let (order, input, prepared) = (order_of(&receive()?)?, receive()?, receive()?);
    drop(message);
    let Prepared { degraded, metered } = serde_json::from_slice(&prepared).unwrap_or_default();
    // SAFETY: the outer helper put the meter's files there; nothing else here uses these descriptors.
    let file = |number| unsafe { OwnedFd::from_raw_fd(METER + number) };
    let meter = metered.then(|| Meter::of([0, 1, 2, 3, 4].map(file)));
    root::own_files(&order, Path::new("/"))?;
    if order.layer == Layer::Scratch {
        copy::copy(Path::new(ORIGINAL), &order.workspace, &order.limits)?;
    }
    let input = root::input(&input)?;
    let run = Run { host, order: &order, input: &input, meter: meter.as_ref(), begun };
    supervise::start(&run, &root::place(&order, degraded))
}
