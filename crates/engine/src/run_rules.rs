//! Rules about a run as a whole: pure checks of a new or changed run.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::run::Run;
use crate::settings::Settings;

/// The last due date that a run collects: its target date, else the day of its start in the entity's time zone.
pub fn effective_target_date(run: &Run, settings: &Settings, now: Timestamp) -> Date {
    let start = run.run_at.or(run.executed_at).unwrap_or(now);
    run.target_date.unwrap_or_else(|| start.to_zoned(time_zone(settings)).date())
}

/// The entity's time zone; an unknown name reads as UTC.
pub fn time_zone(settings: &Settings) -> TimeZone {
    TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC)
}
