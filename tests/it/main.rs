//! The tests that use the program and its parts from outside; one binary, so that it is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on panics, in its helpers too, which clippy's own exception leaves out"
)]

mod gateway;
mod gateway_errors;
mod gateway_llama;
mod gateway_probe;
mod playback;
mod support;
