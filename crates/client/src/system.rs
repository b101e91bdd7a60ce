//! The one place where this crate meets time and randomness.

use std::time::{Duration, Instant, SystemTime};

/// A point in time for measuring how long something is valid.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the client's clock; a token's age is measured here only"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The calendar time, against which an HTTP date is read.
#[expect(clippy::disallowed_methods, reason = "a Retry-After date means nothing without the calendar")]
pub(crate) fn calendar() -> SystemTime {
    SystemTime::now()
}

/// Waits between two attempts.
#[expect(clippy::disallowed_methods, reason = "retries wait here only, as long as the policy says")]
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Random bits for jitter.
#[expect(clippy::disallowed_methods, reason = "jitter exists to differ between processes")]
pub(crate) fn entropy() -> u64 {
    rand::random()
}

/// A fresh `Idempotency-Key`: 128 random bits, as 32 hexadecimal digits.
#[expect(clippy::disallowed_methods, reason = "a key must never repeat, also across processes")]
pub(crate) fn idempotency_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}
