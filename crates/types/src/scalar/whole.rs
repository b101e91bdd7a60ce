//! Reading whole numbers, also where JSON writes them with a fraction of zero (`1.0`), as JSON Schema has it.
//!
//! For `#[serde(deserialize_with = "…")]`; what the functions mean is told in [`nullable`](crate::nullable).

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Floats up to this size hold every whole number exactly: 2⁵³.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A type that holds whole numbers.
pub trait Whole: Sized {
    /// Reads it.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

// Asking for a float takes every JSON number as it is written, and reads the text of query strings and forms.
impl Whole for i64 {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(Number(PhantomData))
    }
}

impl Whole for i32 {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(Number(PhantomData))
    }
}

impl<T: Whole> Whole for Option<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Reading<T>>::deserialize(deserializer)?.map(|Reading(value)| value))
    }
}

impl<T: Whole> Whole for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<Reading<T>>::deserialize(deserializer)?;
        Ok(items.into_iter().map(|Reading(value)| value).collect())
    }
}

impl<T: Whole> Whole for BTreeMap<String, T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = BTreeMap::<String, Reading<T>>::deserialize(deserializer)?;
        Ok(items.into_iter().map(|(key, Reading(value))| (key, value)).collect())
    }
}

/// Reads through [`Whole`] where serde asks for `Deserialize`.
struct Reading<T>(T);

impl<'de, T: Whole> Deserialize<'de> for Reading<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}

struct Number<T>(PhantomData<T>);

impl<T: TryFrom<i64>> Number<T> {
    fn fit<E: Error>(&self, value: i64) -> Result<T, E> {
        T::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), self))
    }
}

impl<T: TryFrom<i64>> Visitor<'_> for Number<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number of {} bits", 8 * size_of::<T>())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        self.fit(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        let signed =
            i64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))?;
        self.fit(signed)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        if value.fract() != 0.0 || value.abs() > EXACT_MAX {
            return Err(E::invalid_value(Unexpected::Float(value), &self));
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2⁵³, as checked")]
        self.fit(value as i64)
    }
}

/// A required field.
pub fn present<'de, D: Deserializer<'de>, T: Whole>(deserializer: D) -> Result<T, D::Error> {
    T::read(deserializer)
}

/// A required field that may be `null`.
pub fn required<'de, D: Deserializer<'de>, T: Whole>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::read(deserializer)
}

/// An optional field that must not be `null`.
pub fn absent<'de, D: Deserializer<'de>, T: Whole>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::read(deserializer).map(Some)
}

/// An optional field that may be `null`.
pub fn either<'de, D: Deserializer<'de>, T: Whole>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::read(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read<T: Whole>(json: &str) -> Result<T, String> {
        T::read(&mut serde_json::Deserializer::from_str(json)).map_err(|error| error.to_string())
    }

    #[test]
    fn whole_floats_are_whole_numbers() {
        assert_eq!(read::<i64>("1"), Ok(1));
        assert_eq!(read::<i64>("1.0"), Ok(1));
        assert_eq!(read::<i64>("-2e3"), Ok(-2000));
        assert_eq!(read::<i32>("31.0"), Ok(31));
        assert_eq!(read::<Vec<i32>>("[1, 2.0]"), Ok(vec![1, 2]));
        assert_eq!(read::<Option<i64>>("null"), Ok(None));
        assert_eq!(read::<BTreeMap<String, i64>>(r#"{"a": 3.0}"#).unwrap()["a"], 3);
    }

    #[test]
    fn other_numbers_are_refused() {
        let refused = |json| read::<i32>(json).unwrap_err();
        assert!(refused("1.5").contains("floating point `1.5`, expected a whole number of 32 bits"));
        assert!(refused("2147483648").contains("integer `2147483648`"));
        assert!(refused("18446744073709551615").contains("integer `18446744073709551615`"));
        assert!(refused("true").contains("boolean `true`"));
        assert!(refused("\"1\"").contains("string \"1\""));
        assert!(read::<i64>("1e19").is_err());
    }
}
