//! Reading values that arrive as text: in the path, the query and headers. For `#[serde(deserialize_with = "…")]`.
//!
//! An empty text is a value like any other, so it is refused wherever the type is not text itself.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use garde::Validate;
use payment_runs_types::CommaList;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A required value.
pub fn required<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = <Cow<'de, str>>::deserialize(deserializer)?;
    text.parse().map_err(Error::custom)
}

/// An optional value; `default` answers for an absent one.
pub fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    required(deserializer).map(Some)
}

/// A required list, each value under the same name.
pub fn required_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let texts = <Vec<Cow<'de, str>>>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(Error::custom)).collect()
}

/// An optional list, each value under the same name.
pub fn optional_list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    required_list(deserializer).map(Some)
}

/// A required list of values between commas; the name may repeat.
pub fn required_commas<'de, D, T>(deserializer: D) -> Result<CommaList<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let texts = <Vec<Cow<'de, str>>>::deserialize(deserializer)?;
    let values = texts.iter().flat_map(|text| pieces(text));
    values.map(|text| text.parse().map_err(Error::custom)).collect::<Result<Vec<T>, _>>().map(CommaList)
}

/// An optional list of values between commas; the name may repeat.
pub fn optional_commas<'de, D, T>(deserializer: D) -> Result<Option<CommaList<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    required_commas(deserializer).map(Some)
}

/// The values of a comma list, as [`CommaList`] reads them: blanks around them and empty ones are dropped.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|piece| !piece.is_empty())
}

/// A field that may hold a comma list.
pub trait MaybeCommas<T> {
    /// The values, if there are any.
    fn values(&self) -> &[T];
}

impl<T> MaybeCommas<T> for CommaList<T> {
    fn values(&self) -> &[T] {
        &self.0
    }
}

impl<T> MaybeCommas<T> for Option<CommaList<T>> {
    fn values(&self) -> &[T] {
        self.as_ref().map_or(&[], |list| &list.0)
    }
}

/// Checks each value of a comma list. For `#[garde(custom(…))]`.
pub fn each<T: Validate<Context = ()>, F: MaybeCommas<T>>(list: &F, (): &()) -> garde::Result {
    for (at, value) in list.values().iter().enumerate() {
        if let Err(report) = value.validate() {
            let why = report.iter().next().map(|(_, error)| error.to_string()).unwrap_or_default();
            return Err(garde::Error::new(format!("value {at}: {why}")));
        }
    }
    Ok(())
}
