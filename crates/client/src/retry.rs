//! Whether and when a call is repeated: a pure decision.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode, header};

/// How often and how long a call is repeated before its failure is handed to the caller.
///
/// Only calls that are safe to repeat are repeated: those with an idempotent method (GET, HEAD, OPTIONS, PUT, DELETE), and
/// POST and PATCH that carry an `Idempotency-Key`. Between attempts the client waits as long as `Retry-After` asks, or else
/// a random time below a bound that doubles with each attempt (full jitter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included. 1 turns repeating off.
    pub attempts_max: u32,
    /// Bound of the first wait; the next ones are twice, four times … as long.
    pub delay_base: Duration,
    /// No wait of the client's own choice is longer.
    pub delay_max: Duration,
    /// A server that asks for a longer wait than this gets none: its answer is handed to the caller.
    pub retry_after_max: Duration,
}

impl Default for RetryPolicy {
    /// Four attempts, half a second at first, at most 20 s each; a `Retry-After` of up to a minute.
    fn default() -> Self {
        Self {
            attempts_max: 4,
            delay_base: Duration::from_millis(500),
            delay_max: Duration::from_secs(20),
            retry_after_max: Duration::from_mins(1),
        }
    }
}

impl RetryPolicy {
    /// One attempt only.
    pub const fn never() -> Self {
        Self {
            attempts_max: 1,
            delay_base: Duration::ZERO,
            delay_max: Duration::ZERO,
            retry_after_max: Duration::ZERO,
        }
    }

    /// How long to wait before the next attempt; `None` to stop. `attempt` counts from 1, `entropy` is random.
    pub(crate) fn wait(
        &self,
        outcome: Outcome,
        safety: Safety,
        attempt: u32,
        entropy: u64,
    ) -> Option<Duration> {
        if attempt >= self.attempts_max || !worth_repeating(outcome, safety, attempt) {
            return None;
        }
        let asked = match outcome {
            Outcome::Answered { retry_after, .. } => retry_after,
            Outcome::Lost => None,
        };
        match asked {
            Some(asked) if asked > self.retry_after_max => None,
            // Callers that were told the same moment should not all come back at it.
            Some(asked) => Some(asked.saturating_add(fraction(self.delay_base, entropy))),
            None => {
                let doubled = 1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX);
                let bound = self.delay_base.saturating_mul(doubled).min(self.delay_max);
                Some(fraction(bound, entropy))
            }
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server answered.
    Answered { status: StatusCode, retry_after: Option<Duration> },
    /// No answer arrived: the connection failed, or time ran out.
    Lost,
}

/// What makes a request safe to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safety {
    /// Its method.
    ByMethod,
    /// Its `Idempotency-Key`.
    ByKey,
    /// Nothing: it might take effect twice.
    Unsafe,
}

impl Safety {
    /// Reads it off a request.
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        if method.is_idempotent() {
            Self::ByMethod
        } else if headers.contains_key("idempotency-key") {
            Self::ByKey
        } else {
            Self::Unsafe
        }
    }
}

fn worth_repeating(outcome: Outcome, safety: Safety, attempt: u32) -> bool {
    let Outcome::Answered { status, .. } = outcome else { return safety != Safety::Unsafe };
    match (status, safety) {
        (_, Safety::Unsafe) => false,
        (
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT,
            _,
        ) => true,
        // The answer to a key is stored: the same failure would be read again.
        (StatusCode::INTERNAL_SERVER_ERROR, safety) => safety == Safety::ByMethod,
        // An earlier attempt of this very call may still be running under its key.
        (StatusCode::CONFLICT, safety) => safety == Safety::ByKey && attempt > 1,
        _ => false,
    }
}

/// `bound * entropy / 2^64`, so a random duration below the bound.
fn fraction(bound: Duration, entropy: u64) -> Duration {
    let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    let scaled = (u128::from(nanos) * u128::from(entropy)) >> 64;
    Duration::from_nanos(u64::try_from(scaled).unwrap_or(nanos))
}

/// `Retry-After` in seconds or as an HTTP date; a date that has passed means now.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
