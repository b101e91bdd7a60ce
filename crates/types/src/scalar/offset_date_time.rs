//! `2024-08-02T05:00:00-07:00`.

use std::fmt;
use std::str::FromStr;

use jiff::{Timestamp, civil, tz::Offset};

use super::date::{Date, excerpt, shaped};

/// An instant and the offset from UTC it was written with (RFC 3339). Ordered and compared as instants first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetDateTime {
    timestamp: Timestamp,
    offset: Offset,
}

/// Why text is no [`OffsetDateTime`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetDateTimeError(String);

impl fmt::Display for OffsetDateTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a date-time with an offset from UTC, such as 2024-07-28T23:40:21Z", self.0)
    }
}

impl std::error::Error for OffsetDateTimeError {}

impl OffsetDateTime {
    /// An instant, to be written with an offset.
    pub const fn new(timestamp: Timestamp, offset: Offset) -> Self {
        Self { timestamp, offset }
    }

    /// The instant.
    pub const fn timestamp(self) -> Timestamp {
        self.timestamp
    }

    /// The offset it is written with.
    pub const fn offset(self) -> Offset {
        self.offset
    }
}

impl From<Timestamp> for OffsetDateTime {
    /// Written in UTC.
    fn from(timestamp: Timestamp) -> Self {
        Self::new(timestamp, Offset::UTC)
    }
}

impl FromStr for OffsetDateTime {
    type Err = OffsetDateTimeError;

    fn from_str(text: &str) -> Result<Self, OffsetDateTimeError> {
        parse(text).ok_or_else(|| OffsetDateTimeError(excerpt(text)))
    }
}

fn parse(text: &str) -> Option<OffsetDateTime> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let (clock, offset) = if let Some(clock) = rest.strip_suffix(['Z', 'z']) {
        (clock, Offset::UTC)
    } else {
        let at = rest.rfind(['+', '-'])?;
        (rest.get(..at)?, offset(rest.get(at..)?)?)
    };
    let (time, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if !shaped(time, "00:00:00") {
        return None;
    }
    let date: Date = date.parse().ok()?;
    let part = |range: std::ops::Range<usize>| time.get(range)?.parse::<i8>().ok();
    let time = civil::Time::new(part(0..2)?, part(3..5)?, part(6..8)?, nanoseconds(fraction)?).ok()?;
    let timestamp = offset.to_timestamp(civil::DateTime::from_parts(date.get(), time)).ok()?;
    Some(OffsetDateTime::new(timestamp, offset))
}

/// `-07:00`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !shaped(digits, "00:00") {
        return None;
    }
    let hours: i32 = digits.get(0..2)?.parse().ok()?;
    let minutes: i32 = digits.get(3..5)?.parse().ok()?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// One to nine digits after the point, as nanoseconds.
fn nanoseconds(fraction: &str) -> Option<i32> {
    let fine = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|c| c.is_ascii_digit());
    fine.then(|| format!("{fraction:0<9}").parse().ok()).flatten()
}

impl fmt::Display for OffsetDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.offset.to_datetime(self.timestamp);
        let (date, seconds) = (Date::from(at.date()), self.offset.seconds());
        write!(f, "{date}T{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())?;
        if at.subsec_nanosecond() != 0 {
            let digits = format!("{:09}", at.subsec_nanosecond());
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if seconds == 0 {
            return f.write_str("Z");
        }
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

super::as_text!(OffsetDateTime);
super::describe!(OffsetDateTime, String, "date-time");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn keeps_the_offset_it_was_written_with() {
        for text in [
            "2019-08-24T14:15:22Z",
            "2024-08-02T05:00:00-07:00",
            "2026-01-02T07:02:47.599Z",
            "2024-08-02T05:00:00+05:30",
        ] {
            assert_eq!(text.parse::<OffsetDateTime>().unwrap().to_string(), text);
        }
        let west: OffsetDateTime = "2024-08-02T05:00:00-07:00".parse().unwrap();
        let utc: OffsetDateTime = "2024-08-02t12:00:00.000z".parse().unwrap();
        assert_eq!(west.timestamp(), utc.timestamp());
        assert_eq!(utc.to_string(), "2024-08-02T12:00:00Z");
    }

    #[test]
    fn refuses_everything_else() {
        for wrong in [
            "2024-08-02T05:00:00",
            "2024-08-02T05:00:00-0700",
            "2024-08-02T05:00:00-24:00",
            "2024-08-02T05:00:00.Z",
            "2024-08-02T25:00:00Z",
            "2024-08-02",
            "-",
        ] {
            assert!(wrong.parse::<OffsetDateTime>().is_err(), "{wrong}");
        }
    }
}
