//! `2024-07-28`.

use std::fmt;
use std::str::FromStr;

use jiff::civil;

/// The first year that a date may have: what many systems write for "from the beginning" is 1900-01-01, and anything before it
/// is a slip. The last one is 9999, since a year has four digits; 9999-12-31 is written for "never".
const YEAR_MIN: i16 = 1900;

/// A calendar date, `yyyy-mm-dd`, without a time zone, from 1900-01-01 to 9999-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

/// Why text is no [`Date`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateError(String);

impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a date in the format yyyy-mm-dd, from 1900 on", self.0)
    }
}

impl std::error::Error for DateError {}

impl Date {
    /// The date for calculations.
    pub const fn get(self) -> civil::Date {
        self.0
    }
}

impl From<civil::Date> for Date {
    fn from(date: civil::Date) -> Self {
        Self(date)
    }
}

impl From<Date> for civil::Date {
    fn from(date: Date) -> Self {
        date.0
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let parsed = shaped(text, "0000-00-00").then(|| {
            let year = text.get(0..4)?.parse().ok().filter(|year| *year >= YEAR_MIN)?;
            let small = |range: std::ops::Range<usize>| text.get(range)?.parse().ok();
            civil::Date::new(year, small(5..7)?, small(8..10)?).ok()
        });
        parsed.flatten().map(Self).ok_or_else(|| DateError(excerpt(text)))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.0;
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }
}

super::as_text!(Date);
super::describe!(Date, String, "date");

/// Whether text has a digit where the shape has `0`, and the shape's own character elsewhere.
pub(super) fn shaped(text: &str, shape: &str) -> bool {
    let fits = |(c, wanted): (u8, u8)| if wanted == b'0' { c.is_ascii_digit() } else { c == wanted };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// The beginning of the caller's text, for a message.
pub(super) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    text.chars().take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn reads_one_form_only() {
        let date: Date = serde_json::from_str(r#""2024-02-29""#).unwrap();
        assert_eq!(date.get(), civil::date(2024, 2, 29));
        assert_eq!(serde_json::to_string(&date).unwrap(), r#""2024-02-29""#);
        for bound in ["1900-01-01", "9999-12-31"] {
            assert_eq!(bound.parse::<Date>().unwrap().to_string(), bound);
        }
        for wrong in [
            "2023-02-29",
            "1899-12-31",
            "0000-01-01",
            "2024-2-29",
            "20240229",
            "2024-02-29T00:00:00",
            " 2024-02-29",
            "",
            "２024-02-29",
        ] {
            let error = wrong.parse::<Date>().unwrap_err().to_string();
            assert_eq!(error, format!("`{wrong}` is not a date in the format yyyy-mm-dd, from 1900 on"));
        }
    }
}
