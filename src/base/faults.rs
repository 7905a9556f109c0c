//! Faults of a disk, put in by tests where they come in life: at one step of all that is written below a folder.
//!
//! Outside of tests there are none, and the compiler leaves the checks out.

use std::io;
use std::path::Path;

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Write,
    Sync,
    Rename,
}

/// Whether the step can be done; with a number a write takes only so many bytes.
#[cfg(not(test))]
pub fn check(_: Step, _: &Path) -> io::Result<Option<usize>> {
    Ok(None)
}

#[cfg(test)]
pub use planned::{Fault, check, plan};

#[cfg(test)]
mod planned {
    use std::path::PathBuf;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::{Path, Step, io};

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// The write takes three bytes, and the next one fails for want of room.
        ShortThenFull,
        Full,
        Broken,
    }

    struct Planned {
        below: PathBuf,
        fault: Fault,
        /// Steps that go well before it.
        before: u32,
        came: u32,
    }

    static PLANS: Mutex<Vec<Planned>> = Mutex::new(Vec::new());

    fn plans() -> MutexGuard<'static, Vec<Planned>> {
        PLANS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan is dropped with the guard.
    pub struct Plan(PathBuf);

    /// Step number `at` below the folder fails, and for want of room each one after it.
    pub fn plan(below: &Path, fault: Fault, at: u32) -> Plan {
        plans().push(Planned { below: below.to_owned(), fault, before: at, came: 0 });
        Plan(below.to_owned())
    }

    impl Plan {
        /// Whether the work came so far.
        pub fn has_struck(&self) -> bool {
            plans().iter().any(|plan| plan.below == self.0 && plan.came > plan.before)
        }
    }

    impl Drop for Plan {
        fn drop(&mut self) {
            plans().retain(|plan| plan.below != self.0);
        }
    }

    pub fn check(step: Step, path: &Path) -> io::Result<Option<usize>> {
        let mut plans = plans();
        let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.below)) else { return Ok(None) };
        plan.came += 1;
        if plan.came <= plan.before {
            return Ok(None);
        }
        let is_first = plan.came == plan.before + 1;
        match plan.fault {
            Fault::ShortThenFull if is_first && step == Step::Write => Ok(Some(3)),
            Fault::ShortThenFull | Fault::Full => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            Fault::Broken if is_first => Err(io::Error::from_raw_os_error(libc::EIO)),
            Fault::Broken => Ok(None),
        }
    }
}
