//! Whether the server can serve.

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ports::{Chain, StoreError};
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::ops::{Readiness, ReadinessStatus};
use tokio::sync::Mutex;

use crate::app::App;

/// How long a successful check holds, in ms of real time. A check writes to the disk and needs no credentials, so that
/// nobody can make the server write more often than this.
const CHECK_LIFE_MS: i64 = 1_000;

/// When the last check succeeded (UTC, real time). One request checks at a time, and those that wait share its success.
pub(crate) type LastCheck = Mutex<Option<Timestamp>>;

/// Checks that the database can be read and written, and that no damaged page was met.
pub(super) async fn check(app: &App) -> Result<Readiness, Rejection> {
    let mut last = app.last_check.lock().await;
    if app.stopping.is_set() || !last.is_some_and(|at| is_recent(at, app.real_now())) {
        *last = None;
        app.ports.ledger.check().await.map_err(|error| not_ready(&error))?;
        *last = Some(app.real_now());
    }
    Ok(Readiness { status: ReadinessStatus::Ready })
}

/// A clock that was set back makes no check recent.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(at);
    !age.is_negative() && age < SignedDuration::from_millis(CHECK_LIFE_MS)
}

fn not_ready(error: &StoreError) -> Rejection {
    let message = match error {
        StoreError::Closed => "the server is stopping",
        StoreError::Busy { .. } => "another program holds the database",
        StoreError::Damaged { .. } | StoreError::Corrupt { .. } => {
            "the database file is damaged: stop the server and restore a backup"
        }
        StoreError::Write { .. } | StoreError::InDoubt { .. } => {
            "the database cannot be written: see the log for the cause, such as a full disk"
        }
        StoreError::Read { .. } | StoreError::LeaseLost => "the database cannot be read",
    };
    tracing::warn!(error = %Chain(error), "the server is not ready");
    Rejection::new(Category::Temporary, message).retry_after_s(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_recent_for_a_second() {
        let at = Timestamp::UNIX_EPOCH;
        let after = |ms| at + SignedDuration::from_millis(ms);
        assert_eq!([-1, 0, 999, 1_000].map(|ms| is_recent(at, after(ms))), [false, true, true, false]);
    }
}
