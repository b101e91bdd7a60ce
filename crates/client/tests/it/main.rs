//! The client against a real HTTP server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pages;
mod support;
mod transport;
mod watch;
