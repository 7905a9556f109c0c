//! The doorway: the sandbox's helper first, then what was typed, then the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = faos::sandbox::helper_main() {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    ExitCode::from(faos::app::main())
}
