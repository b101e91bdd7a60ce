//! The gateway over real sockets: one binary, one module for each theme.
#![allow(clippy::disallowed_methods, reason = "sockets live in real time")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test"
)]

mod adapter;
mod hostile;
mod in_process;
mod lists;
mod parsers;
mod registry;
mod support;
mod surface;
