//! The tests that use the program and its parts from outside; one binary, so that it is linked once.

mod gateway;
mod gateway_errors;
mod gateway_llama;
mod gateway_probe;
mod playback;
mod support;
