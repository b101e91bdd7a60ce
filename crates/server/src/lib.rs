//! The HTTP server: implements the generated traits over the engine.
//!
//! It decides nothing about money. It reads requests, checks what a schema cannot say, hands commands and questions to
//! the engine's ports, and writes the answers in each API's own shape.

mod app;
mod auth;
mod call;
mod card_numbers;
mod change;
mod contract;
#[cfg(test)]
#[path = "../../../tests/corpus/mod.rs"]
#[expect(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says where")]
mod corpus;
mod cursor;
mod failure;
mod faults;
mod layer;
mod limits;
mod money;
mod named;
mod notification;
mod ops;
mod query;
mod queue;
mod refused;
mod router;
mod search;
mod time;
mod v1;
mod v2;

pub use app::{
    App, BODY_BYTES_MAX, COMPRESS_OVER_BYTES, IDEMPOTENCY_LIFE, Ports, SHORT_BODY_BYTES_MAX, ServerSettings,
    TOKEN_LIFE_S, body_bytes_max,
};
pub use auth::{SecretError, hash_secret};
pub use limits::Limits;
pub use notification::NotificationWriter;
pub use queue::work_off_async_requests;
pub use router::router;
