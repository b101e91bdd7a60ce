//! `2024-07-28 23:40:21`.

use std::fmt;
use std::str::FromStr;

use jiff::civil;

use super::date::{Date, excerpt, shaped};

/// A date and time without a time zone, `yyyy-mm-dd hh:mm:ss`; whose zone is meant is the tenant's setting.
///
/// On input `T` may stand for the blank, and a fraction of a second is read and dropped: the public Python SDK of the v1
/// API sends both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(civil::DateTime);

/// Why text is no [`DateTime`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateTimeError(String);

impl fmt::Display for DateTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a date-time in the format yyyy-mm-dd hh:mm:ss", self.0)
    }
}

impl std::error::Error for DateTimeError {}

impl DateTime {
    /// The date and time for calculations.
    pub const fn get(self) -> civil::DateTime {
        self.0
    }
}

impl From<civil::DateTime> for DateTime {
    /// Drops what is smaller than a second.
    fn from(at: civil::DateTime) -> Self {
        Self(civil::DateTime::from_parts(at.date(), civil::time(at.hour(), at.minute(), at.second(), 0)))
    }
}

impl From<DateTime> for civil::DateTime {
    fn from(at: DateTime) -> Self {
        at.0
    }
}

impl FromStr for DateTime {
    type Err = DateTimeError;

    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        parse(text).map(Self).ok_or_else(|| DateTimeError(excerpt(text)))
    }
}

fn parse(text: &str) -> Option<civil::DateTime> {
    let (date, rest) = text.split_once([' ', 'T'])?;
    let (time, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let fraction_is_fine = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|c| c.is_ascii_digit());
    if !shaped(time, "00:00:00") || !fraction_is_fine {
        return None;
    }
    let date: Date = date.parse().ok()?;
    let part = |range: std::ops::Range<usize>| time.get(range)?.parse::<i8>().ok();
    let time = civil::Time::new(part(0..2)?, part(3..5)?, part(6..8)?, 0).ok()?;
    Some(civil::DateTime::from_parts(date.get(), time))
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, at) = (Date::from(self.0.date()), self.0);
        write!(f, "{date} {:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }
}

super::as_text!(DateTime);
super::describe!(DateTime, String, "zuora-date-time");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn reads_a_blank_or_a_t_and_writes_a_blank() {
        for text in ["2024-07-28 23:40:21", "2024-07-28T23:40:21", "2024-07-28T23:40:21.000000"] {
            let at: DateTime = text.parse().unwrap();
            assert_eq!(at.get(), civil::date(2024, 7, 28).at(23, 40, 21, 0));
            assert_eq!(at.to_string(), "2024-07-28 23:40:21");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for wrong in [
            "2024-07-28",
            "2024-07-28 24:00:00",
            "2024-07-28 23:60:00",
            "2024-07-28 23:40",
            "2024-02-30 00:00:00",
            "2024-07-28T23:40:21Z",
            "2024-07-28 23:40:21.",
            "2024-07-28  23:40:21",
        ] {
            let error = wrong.parse::<DateTime>().unwrap_err().to_string();
            assert_eq!(error, format!("`{wrong}` is not a date-time in the format yyyy-mm-dd hh:mm:ss"));
        }
    }
}
