#![doc = include_str!("../README.md")]

mod compress;
mod connection;
mod error;
mod events;
mod hooks;
mod logical;
mod operation;
mod pages;
mod retry;
mod system;
mod token;
mod transport;
mod watch;
pub mod webhook;

#[path = "generated/ops/mod.rs"]
pub mod ops;
#[path = "generated/v1/mod.rs"]
pub mod v1;
#[path = "generated/v2/mod.rs"]
pub mod v2;

pub use connection::{BuildError, Connection, ConnectionBuilder};
pub use error::{Error, FailureBody, Fault, Refusal, RefusalBody};
pub use events::{Event, EventError, events};
/// The models that the operations take and answer.
pub use payment_runs_types as types;
pub use progenitor_client::ResponseValue;
pub use retry::RetryPolicy;
pub use token::TokenError;
