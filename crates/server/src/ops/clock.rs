//! The test clock, on servers that were started with one.

use std::sync::Arc;

use jiff::Timestamp;
use payment_runs_engine::ports::SettableClock;
use payment_runs_stubs::{Category, Location, Rejection};
use payment_runs_types::OffsetDateTime;
use payment_runs_types::ops::Clock;

use crate::call::Call;
use crate::time::Zone;

/// What time it is.
pub(super) async fn get(call: &Call<'_>) -> Result<Clock, Rejection> {
    let clock = test_clock(call)?;
    let zone = Zone::of(&call.settings().await?);
    Ok(Clock { now: shown(clock.now(), &zone) })
}

/// Moves the time forward. Everybody who waits for a time that has come is awake when this answers.
pub(super) async fn set(call: &Call<'_>, body: &Clock) -> Result<Clock, Rejection> {
    let clock = test_clock(call)?;
    let zone = Zone::of(&call.settings().await?);
    clock.set_forward(body.now.timestamp()).map_err(|later| {
        let message = format!("is before the time that it is now, {}", shown(later.0, &zone));
        Rejection::at(Category::InvalidValue, Location::Body, "now", message)
    })?;
    Ok(Clock { now: shown(clock.now(), &zone) })
}

/// The time to its last digit, since it can be set to the same again.
fn shown(at: Timestamp, zone: &Zone) -> OffsetDateTime {
    OffsetDateTime::new(at, zone.time_zone().to_offset(at))
}

fn test_clock(call: &Call<'_>) -> Result<Arc<dyn SettableClock>, Rejection> {
    let clock = call.app.ports.test_clock.clone();
    clock.ok_or_else(|| Rejection::not_found("this server was not started with a test clock"))
}
