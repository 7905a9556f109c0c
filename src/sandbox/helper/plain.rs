//! A run without namespaces: by Landlock and a filter alone, or by the user's word without either.
//!
//! Folders of its own are made in the temporary one, and go with the run: this process outlives it, and the program
//! that asked for it too.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::sys::{self, Failed, Step, named};
use super::{Place, Run, copy, landlock, root, supervise};
use crate::base::report::Backend;
use crate::base::temporary::TemporaryFolder;
use crate::sandbox::wire::{Layer, Order};

pub fn run(run: &Run<'_>) -> Step<()> {
    sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1).map_err(named("adopt orphans"))?;
    let order = run.order;
    if order.backend == Backend::Landlock && landlock::version() < landlock::TRUNCATES {
        let step = format!("use Landlock: version {} is needed", landlock::TRUNCATES);
        return Err(Failed { step, errno: libc::ENOSYS });
    }
    let needs_folder = order.backend == Backend::Landlock || order.layer != Layer::Direct;
    let own = needs_folder.then(|| Own::make(&order.temporary)).transpose()?;
    let place = match &own {
        Some(own) => own.place(order)?,
        None => Place { folder: order.workspace.to_path_buf(), ..Place::default() },
    };
    supervise::start(run, &place)
}

/// A folder of the run's own, which goes with it.
struct Own(TemporaryFolder);

impl Own {
    fn make(below: &Path) -> Step<Self> {
        let made = TemporaryFolder::make_below(below, "faos-run-");
        let own = made.map_err(|error| Failed {
            step: format!("make a folder in {}", below.display()),
            errno: error.source.raw_os_error().unwrap_or(libc::EIO),
        })?;
        for folder in ["home", "tmp", "workspace"].map(|name| own.path().join(name)) {
            fs::DirBuilder::new().mode(0o700).create(&folder).map_err(named(format!("make {}", folder.display())))?;
        }
        Ok(Self(own))
    }

    fn place(&self, order: &Order) -> Step<Place> {
        let own = |name: &str| self.0.path().join(name);
        let folder = match order.layer {
            Layer::Direct => order.workspace.to_path_buf(),
            Layer::Empty => own("workspace"),
            Layer::Scratch => {
                copy::copy(&order.workspace, &own("workspace"), &order.limits)?;
                own("workspace")
            }
        };
        if order.backend == Backend::Off {
            return Ok(Place { folder, ..Place::default() });
        }
        let devices = root::DEVICES.map(|name| Path::new("/dev").join(name));
        let writable = devices.into_iter().chain([folder.clone(), self.0.path().to_owned()]);
        let folders = order.folders.iter().filter(|folder| folder.writable).map(|folder| folder.from.to_path_buf());
        let writable = writable.chain(folders).collect();
        let mut degraded = Vec::new();
        if landlock::version() < landlock::HOLDS_SIGNALS {
            degraded.push("signals and abstract sockets of your other programs are in reach: this kernel's Landlock is older than version 6".to_owned());
        }
        Ok(Place {
            folder,
            writable,
            beside: Some(self.0.path().to_owned()),
            script: None,
            environment: vec![("HOME", own("home")), ("TMPDIR", own("tmp"))],
            degraded,
        })
    }
}
