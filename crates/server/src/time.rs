//! Times without a zone: those of `/v1` are in the entity's time zone.

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use payment_runs_engine::run::Run;
use payment_runs_engine::run_rules::time_zone;
use payment_runs_engine::schedule;
use payment_runs_engine::settings::Settings;
use payment_runs_types::{DateTime, OffsetDateTime};

/// The entity's time zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The zone that the entity has configured.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self(time_zone(settings))
    }

    /// What a clock in the zone shows; fractions of a second are dropped.
    pub(crate) fn local(&self, at: Timestamp) -> DateTime {
        at.to_zoned(self.0.clone()).datetime().into()
    }

    /// The day in the zone.
    pub(crate) fn date(&self, at: Timestamp) -> civil::Date {
        at.to_zoned(self.0.clone()).date()
    }

    /// The zone itself, for the engine.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// The instants at which a clock in the zone shows this time, in their order: two where the time comes twice, none
    /// outside the calendar. A time that a clock change skips counts as the same stretch later.
    pub(crate) fn instants(&self, at: DateTime) -> Vec<Timestamp> {
        let times = self.0.to_ambiguous_timestamp(at.get());
        let second = match times.offset() {
            AmbiguousOffset::Fold { .. } => times.later().ok(),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => None,
        };
        times.compatible().ok().into_iter().chain(second).collect()
    }

    /// The instant with the zone's offset from UTC at that time; fractions of a second are dropped.
    pub(crate) fn with_offset(&self, at: Timestamp) -> OffsetDateTime {
        let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
        OffsetDateTime::new(second, self.0.to_offset(at))
    }

    /// The target date as callers see it.
    pub(crate) fn target_date(&self, run: &Run) -> Option<civil::Date> {
        run.shown_target_date(&self.0)
    }

    /// The beginning of the zone's hour in which the instant lies; `None` outside the calendar.
    pub(crate) fn hour_start(&self, at: Timestamp) -> Option<Timestamp> {
        schedule::truncate_to_hour(at, &self.0).ok()
    }

    /// When a run with this date starts: minutes and seconds are dropped. An hour that is past already is no error; such a
    /// run starts at once.
    pub(crate) fn run_start(&self, at: DateTime) -> Option<Timestamp> {
        schedule::start_of_hour(at.get(), &self.0).ok()
    }
}

/// An instant written with its offset from UTC, also with a blank instead of the `T`.
pub(crate) fn read_instant(text: &str) -> Option<Timestamp> {
    let read: Result<OffsetDateTime, _> = match text.split_once(' ') {
        Some((date, time)) => format!("{date}T{time}").parse(),
        None => text.parse(),
    };
    read.ok().map(OffsetDateTime::timestamp)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::of(&Settings { time_zone: name.to_owned(), ..Settings::default() })
    }

    #[test]
    fn instants_are_shown_as_clocks_show_them() {
        let at: Timestamp = "2024-07-28T23:40:21.987Z".parse().unwrap();
        for (name, text) in [
            ("UTC", "2024-07-28 23:40:21"),
            ("America/Los_Angeles", "2024-07-28 16:40:21"),
            ("Asia/Kolkata", "2024-07-29 05:10:21"),
            ("Not/AZone", "2024-07-28 23:40:21"),
        ] {
            assert_eq!(zone(name).local(at).to_string(), text, "{name}");
        }
        assert_eq!(zone("Asia/Kolkata").date(at), civil::date(2024, 7, 29));
    }

    #[test]
    fn a_shown_time_reads_back_as_its_instant() {
        let at: Timestamp = "2026-02-03T04:05:06Z".parse().unwrap();
        for name in ["UTC", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe"] {
            let zone = zone(name);
            assert_eq!(zone.instants(zone.local(at)), [at], "{name}");
        }
    }

    #[test]
    fn a_time_that_comes_twice_means_both_instants() {
        let zone = zone("America/Los_Angeles");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let both = [at("2026-11-01T08:30:00Z"), at("2026-11-01T09:30:00Z")];
        assert_eq!(zone.instants("2026-11-01 01:30:00".parse().unwrap()), both);
        assert!(both.iter().all(|instant| zone.local(*instant).to_string() == "2026-11-01 01:30:00"));
        let skipped = zone.instants("2026-03-08 02:30:00".parse().unwrap());
        assert_eq!(skipped, [at("2026-03-08T10:30:00Z")]);
    }

    #[test]
    fn a_run_starts_on_its_hour() {
        let date: DateTime = "2017-03-01T11:30:37".parse().unwrap();
        let start = |name: &str| zone(name).run_start(date).map(|at| at.to_string());
        assert_eq!(start("UTC").as_deref(), Some("2017-03-01T11:00:00Z"));
        assert_eq!(start("Asia/Kolkata").as_deref(), Some("2017-03-01T05:30:00Z"));
    }
}
