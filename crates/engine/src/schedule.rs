//! When a scheduled run starts: on an hour of a time zone, also on the days on which clocks change.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A time that no calendar of ours holds.
#[derive(Debug, thiserror::Error)]
#[error("the time is outside the calendar")]
pub struct OutOfCalendar(#[from] jiff::Error);

/// The instant at which a zoneless time's hour begins in a time zone. Minutes and seconds are dropped. An hour that a
/// clock change skips starts when the clocks have gone forward; one that comes twice starts the first time.
pub fn start_of_hour(at: DateTime, zone: &TimeZone) -> Result<Timestamp, OutOfCalendar> {
    let hour = at.date().at(at.hour(), 0, 0, 0);
    Ok(zone.to_ambiguous_timestamp(hour).compatible()?)
}

/// The instant at which the hour that is running in a time zone began.
pub fn truncate_to_hour(at: Timestamp, zone: &TimeZone) -> Result<Timestamp, OutOfCalendar> {
    let local = at.to_zoned(zone.clone()).datetime();
    let past = SignedDuration::new(
        i64::from(local.minute()) * 60 + i64::from(local.second()),
        local.subsec_nanosecond(),
    );
    Ok(at.checked_sub(past)?)
}

/// Whether an instant is the start of an hour in a time zone, or the first instant after a skipped one.
pub fn is_on_the_hour(at: Timestamp, zone: &TimeZone) -> bool {
    let local = at.to_zoned(zone.clone()).datetime();
    let is_full = local.minute() == 0 && local.second() == 0 && local.subsec_nanosecond() == 0;
    is_full || start_of_hour(local, zone).is_ok_and(|start| start == at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn hours_start_where_the_clocks_say() {
        for (zone, local, instant) in [
            ("UTC", "2026-03-01T11:30:37", "2026-03-01T11:00:00Z"),
            ("America/Los_Angeles", "2026-01-15T11:30:37", "2026-01-15T19:00:00Z"),
            // 02:00 to 03:00 does not exist on this day.
            ("America/Los_Angeles", "2026-03-08T02:15:00", "2026-03-08T10:00:00Z"),
            // 01:00 to 02:00 comes twice on this day.
            ("America/Los_Angeles", "2026-11-01T01:59:59", "2026-11-01T08:00:00Z"),
            ("Europe/Vienna", "2026-03-29T02:00:00", "2026-03-29T01:00:00Z"),
            ("Asia/Kolkata", "2026-05-01T09:45:00", "2026-05-01T03:30:00Z"),
            // Here only half an hour is skipped.
            ("Australia/Lord_Howe", "2026-10-04T02:10:00", "2026-10-03T15:30:00Z"),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let start = start_of_hour(local.parse().unwrap(), &zone).unwrap();
            assert_eq!(start, instant.parse().unwrap(), "{local}");
            assert!(is_on_the_hour(start, &zone), "{local}");
            let later = start.checked_add(SignedDuration::from_secs(61)).unwrap();
            assert!(!is_on_the_hour(later, &zone), "{local}");
        }
    }

    #[test]
    fn instants_are_truncated_in_their_zone() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let at = "2026-05-01T04:12:30.5Z".parse().unwrap();
        assert_eq!(truncate_to_hour(at, &zone).unwrap(), "2026-05-01T03:30:00Z".parse().unwrap());
        // The second of two equal hours stays the second one.
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let at = "2026-11-01T09:30:00Z".parse().unwrap();
        let start = truncate_to_hour(at, &zone).unwrap();
        assert_eq!(start, "2026-11-01T09:00:00Z".parse().unwrap());
        assert!(is_on_the_hour(start, &zone));
    }
}
