//! What a run as a query object says about its schedule.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use payment_runs_engine::recurrence::Repeat;
use payment_runs_engine::run::Run;
use payment_runs_engine::settings::Settings;
use payment_runs_types::v1::{self, RepeatType};

use crate::time::Zone;

/// How a run repeats: by the schedule that made it, as the schedule was then. A run that no schedule made does not repeat,
/// and its times are the entity's.
pub(super) struct Repetition {
    pub(super) kind: RepeatType,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    /// The hour of the day.
    pub(super) hour: Option<i32>,
    pub(super) zone: TimeZone,
    pub(super) zone_name: String,
    pub(super) month_day: Option<String>,
    /// The day of the week of this run, where the schedule has several.
    pub(super) weekday: Option<v1::Weekday>,
}

impl Repetition {
    pub(super) fn of(run: &Run, settings: &Settings) -> Self {
        let zone = Zone::of(settings);
        let Some(occurrence) = &run.occurrence else {
            return Self {
                kind: RepeatType::None,
                from: None,
                to: None,
                hour: run.run_at.map(|at| i32::from(zone.local(at).get().hour())),
                zone: zone.time_zone().clone(),
                zone_name: settings.time_zone.clone(),
                month_day: None,
                weekday: None,
            };
        };
        let rule = &occurrence.recurrence;
        let repeats = rule.repeat != Repeat::Never;
        Self {
            kind: match rule.repeat {
                Repeat::Never => RepeatType::None,
                Repeat::Daily => RepeatType::Daily,
                Repeat::Weekly(_) => RepeatType::Weekly,
                Repeat::Monthly(_) => RepeatType::Monthly,
            },
            from: repeats.then(|| rule.from.to_string()),
            to: rule.to.filter(|_| repeats).map(|day| day.to_string()),
            hour: Some(i32::from(rule.hour)),
            zone: rule.zone().unwrap_or(TimeZone::UTC),
            zone_name: rule.time_zone.clone(),
            month_day: match rule.repeat {
                Repeat::Monthly(day) => Some(day.to_string()),
                Repeat::Never | Repeat::Daily | Repeat::Weekly(_) => None,
            },
            weekday: match rule.repeat {
                Repeat::Weekly(_) => Some(wire_day(occurrence.day.weekday())),
                Repeat::Never | Repeat::Daily | Repeat::Monthly(_) => None,
            },
        }
    }
}

fn wire_day(day: Weekday) -> v1::Weekday {
    match day {
        Weekday::Monday => v1::Weekday::Mon,
        Weekday::Tuesday => v1::Weekday::Tue,
        Weekday::Wednesday => v1::Weekday::Wed,
        Weekday::Thursday => v1::Weekday::Thu,
        Weekday::Friday => v1::Weekday::Fri,
        Weekday::Saturday => v1::Weekday::Sat,
        Weekday::Sunday => v1::Weekday::Sun,
    }
}
