//! The gateway over real sockets: one binary, one module for each theme.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod adapter;
mod registry;
mod support;
