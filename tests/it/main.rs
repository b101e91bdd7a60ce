//! The integration tests: one binary, a file per subject.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bad_input;
mod billing_objects;
mod headers;
mod idempotency;
mod payment_runs;
mod samples;
mod schedules;
