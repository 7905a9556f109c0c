//! What the integration tests share: a hermetic environment, the processes in it, their terminals, the scripted model
//! server, bash in the sandbox's place, the recorded conversations, and the published schemas,
//! `faos sandbox` as root and as a user.

pub mod bash;
pub mod corpus;
pub mod env;
pub mod fault_server;
pub mod model_server;
pub mod process;
pub mod redact;
pub mod sandboxed;
pub mod schema;
pub mod small_window;
pub mod terminal;
