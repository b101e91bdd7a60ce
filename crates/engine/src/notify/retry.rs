//! When a delivery is tried again, and when it is given up.

use jiff::{SignedDuration, Timestamp};

use super::Attempt;

/// Attempts of a delivery at most.
pub const ATTEMPTS_MAX: u32 = 10;
/// Attempts of a delivery whose run had the one before it given up: that one has waited long enough for the endpoint.
pub const ATTEMPTS_AFTER_FAILURE: u32 = 1;
/// The longest pause after the first attempt; each later one is three times as long.
const PAUSE_FIRST_MS: i64 = 5_000;
/// The longest pause of all.
const PAUSE_MAX_MS: i64 = 6 * 3600 * 1000;
/// How long the secret before a rotation signs, too.
pub(super) const ROTATION_OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint took it.
    Delivered,
    /// It is tried again then (UTC).
    Again(Timestamp),
    /// It was the last attempt.
    GiveUp,
}

/// The pause after so many attempts: between half of its longest and its longest, so that what failed together is not
/// tried together. `random` decides where.
pub fn pause_after(attempts: u32, random: u64) -> SignedDuration {
    let triplings = attempts.saturating_sub(1).min(ATTEMPTS_MAX);
    let longest = 3_i64.saturating_pow(triplings).saturating_mul(PAUSE_FIRST_MS).min(PAUSE_MAX_MS);
    let half = longest / 2;
    let spread = u64::try_from(longest - half).unwrap_or_default();
    let jitter = random.checked_rem(spread + 1).unwrap_or_default();
    SignedDuration::from_millis(half.saturating_add(i64::try_from(jitter).unwrap_or_default()))
}

/// What follows the attempt with this count of so many, which ended at `now`. Only an answer of the class 2xx says that the
/// endpoint took it.
pub fn verdict(attempt: &Attempt, attempts: u32, attempts_max: u32, now: Timestamp, random: u64) -> Verdict {
    match attempt {
        Attempt::Answered(200..=299) => Verdict::Delivered,
        _ if attempts >= attempts_max => Verdict::GiveUp,
        _ => Verdict::Again(now.checked_add(pause_after(attempts, random)).unwrap_or(Timestamp::MAX)),
    }
}
