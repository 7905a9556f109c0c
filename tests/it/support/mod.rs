//! What the integration tests share: a hermetic environment, the processes in it, and the published schemas.

pub mod corpus;
pub mod env;
pub mod process;
pub mod redact;
pub mod schema;
