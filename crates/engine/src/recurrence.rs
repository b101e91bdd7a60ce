//! When a schedule's runs start: on days that repeat, at an hour of a time zone.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::schedule::start_of_hour;
use crate::settings::zone_named;

/// Days that are looked at for the next occurrence, from the first one that is possible: the longest gap is that between two
/// months, and the rest is room for days that a time zone left out.
const DAYS_TRIED_MAX: i64 = 70;

/// The last hour of a day.
pub const HOUR_MAX: u8 = 23;

/// The last day of a month, which stands for the end of every month.
pub const MONTH_DAY_MAX: u8 = 31;

/// Days of the week.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day of the week, Monday first.
    pub const ALL: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];

    fn bit(day: Weekday) -> u8 {
        1 << day.to_monday_zero_offset()
    }

    /// Whether there is no day.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the day is among them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & Self::bit(day) != 0
    }

    /// The days, Monday first.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        Self::ALL.into_iter().filter(move |day| self.contains(*day))
    }
}

impl FromIterator<Weekday> for Weekdays {
    fn from_iter<T: IntoIterator<Item = Weekday>>(days: T) -> Self {
        Self(days.into_iter().fold(0, |bits, day| bits | Self::bit(day)))
    }
}

impl std::fmt::Debug for Weekdays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// On which days a schedule has an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Once, on the first day.
    Never,
    /// Every day.
    Daily,
    /// On these days of the week.
    Weekly(Weekdays),
    /// On this day of the month, 1 to 31; where the month is shorter, on its last day.
    Monthly(u8),
}

/// The rule by which a schedule's runs start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Recurrence {
    /// On which days.
    pub repeat: Repeat,
    /// At which hour of the day, 0 to 23.
    pub hour: u8,
    /// IANA name of the time zone of hour and days.
    pub time_zone: String,
    /// The first day on which there may be an occurrence.
    pub from: Date,
    /// The last one; without it the schedule never ends by itself.
    pub to: Option<Date>,
}

/// One start of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Start {
    /// The day in the schedule's time zone. A schedule has at most one occurrence a day.
    pub day: Date,
    /// The instant (UTC).
    pub at: Timestamp,
}

/// What is wrong with a recurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum RecurrenceFault {
    /// The hour is not 0 to 23.
    #[error("is between 0 and {HOUR_MAX}")]
    Hour,
    /// There is no such time zone.
    #[error("is not the IANA name of a time zone, such as 'Europe/Paris'")]
    TimeZone,
    /// No day of the week is named.
    #[error("names at least one day of the week")]
    Weekdays,
    /// The day of the month is not 1 to 31.
    #[error("is between 1 and {MONTH_DAY_MAX}")]
    MonthDay,
    /// The last day is before the first.
    #[error("is not before the first day")]
    To,
    /// A schedule that does not repeat has no last day.
    #[error("is not given where nothing repeats")]
    ToOfOne,
}

impl Recurrence {
    /// Everything that is wrong with the rule itself, whatever the time.
    pub fn faults(&self) -> Vec<RecurrenceFault> {
        let days = match self.repeat {
            Repeat::Weekly(days) if days.is_empty() => Some(RecurrenceFault::Weekdays),
            Repeat::Monthly(day) if !(1..=MONTH_DAY_MAX).contains(&day) => Some(RecurrenceFault::MonthDay),
            _ => None,
        };
        let hour = (self.hour > HOUR_MAX).then_some(RecurrenceFault::Hour);
        let zone = zone_named(&self.time_zone).is_none().then_some(RecurrenceFault::TimeZone);
        let to = match (self.repeat, self.to) {
            (Repeat::Never, Some(_)) => Some(RecurrenceFault::ToOfOne),
            (_, Some(to)) if to < self.from => Some(RecurrenceFault::To),
            _ => None,
        };
        [days, hour, zone, to].into_iter().flatten().collect()
    }

    /// The time zone; `None` when nobody knows its name.
    pub fn zone(&self) -> Option<TimeZone> {
        let zone = TimeZone::get(&self.time_zone).ok()?;
        zone.iana_name().is_some().then_some(zone)
    }

    /// Whether the schedule has an occurrence on a day, as far as the calendar alone can tell.
    pub fn is_on(&self, day: Date) -> bool {
        let is_inside = day >= self.from && self.to.is_none_or(|to| day <= to);
        is_inside
            && match self.repeat {
                Repeat::Never => day == self.from,
                Repeat::Daily => true,
                Repeat::Weekly(days) => days.contains(day.weekday()),
                Repeat::Monthly(month_day) => {
                    i16::from(day.day()) == i16::from(month_day).min(i16::from(day.days_in_month()))
                }
            }
    }

    /// The first start after an instant, and on a later day than `used`, the last day that has had its occurrence. `None`
    /// when there is none.
    ///
    /// An hour that a clock change skips starts when the clocks have gone forward; one that comes twice starts the first
    /// time. A day that the time zone left out as a whole has no start.
    pub fn next(&self, after: Timestamp, used: Option<Date>) -> Option<Start> {
        let zone = self.zone()?;
        // The hour of the day before may begin only now, where the clocks skip midnight.
        let earliest = after.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let mut first = earliest.to_zoned(zone.clone()).date().max(self.from);
        if let Some(used) = used {
            first = first.max(used.tomorrow().ok()?);
        }
        (0..DAYS_TRIED_MAX)
            .map_while(|days| first.checked_add(days.days()).ok())
            .filter(|day| self.is_on(*day))
            .filter_map(|day| self.start_in(day, &zone))
            .find(|start| start.at > after)
    }

    /// The start on a day of the schedule; `None` on a day that the time zone left out.
    fn start_in(&self, day: Date, zone: &TimeZone) -> Option<Start> {
        let midnight = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok()?;
        if midnight.to_zoned(zone.clone()).date() != day {
            return None;
        }
        let hour = i8::try_from(self.hour).ok().filter(|hour| *hour <= HOUR_MAX.cast_signed())?;
        let at = start_of_hour(day.at(hour, 0, 0, 0), zone).ok()?;
        Some(Start { day, at })
    }
}

#[cfg(test)]
#[path = "recurrence_tests.rs"]
mod tests;
