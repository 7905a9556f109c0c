//! What every part may use: small values that cross the borders, and the only raw file access.
//!
//! Nothing here knows of a model, a session or a sandbox beyond the plain values they exchange.

pub mod clip;
pub mod clock;
pub mod digest;
pub mod faults;
pub mod fences;
pub mod fs;
pub mod ids;
pub mod message;
pub mod path;
pub mod printable;
pub mod report;
pub mod secrets;
pub mod shell;
pub mod streams;
pub mod temporary;
pub mod usage;
