//! Exact decimal numbers on a wire that has only floats.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits that every JSON reader keeps: a 64-bit float holds any decimal of 15 significant digits.
const DIGITS_MAX: usize = 15;

/// An exact decimal number with at most 15 significant digits, such as an amount in major units.
///
/// It is a JSON number on the wire. Whole values are written as JSON integers, trailing zeros are not kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(rust_decimal::Decimal);

/// Why something is no [`Decimal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// The text is no decimal number.
    Malformed,
    /// More than 15 significant digits: some reader would round it.
    TooPrecise,
    /// Too large or too small to hold.
    OutOfRange,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("is not a decimal number"),
            Self::TooPrecise => write!(f, "has more than {DIGITS_MAX} significant digits"),
            Self::OutOfRange => f.write_str("is out of range"),
        }
    }
}

impl std::error::Error for DecimalError {}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(rust_decimal::Decimal::ZERO);

    /// An amount in minor units, such as cents, of a currency with this many decimal places.
    pub fn from_minor_units(units: i64, places: u32) -> Result<Self, DecimalError> {
        rust_decimal::Decimal::try_new(units, places).map_err(|_| DecimalError::OutOfRange)?.try_into()
    }

    /// The amount in minor units of a currency with this many decimal places; `None` when it has more places than that,
    /// or when it is too large.
    pub fn to_minor_units(self, places: u32) -> Option<i64> {
        let ten_to_the_places = rust_decimal::Decimal::from(10_i64.checked_pow(places)?);
        let units = self.0.checked_mul(ten_to_the_places)?;
        if units.is_integer() { i64::try_from(units.normalize().mantissa()).ok() } else { None }
    }

    /// How many decimal places it needs.
    pub const fn places(self) -> u32 {
        self.0.scale()
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }

    /// The number for calculations.
    pub const fn get(self) -> rust_decimal::Decimal {
        self.0
    }
}

impl From<i32> for Decimal {
    fn from(value: i32) -> Self {
        Self(value.into())
    }
}

impl TryFrom<rust_decimal::Decimal> for Decimal {
    type Error = DecimalError;

    fn try_from(value: rust_decimal::Decimal) -> Result<Self, DecimalError> {
        let value = value.normalize();
        let digits = value.mantissa().unsigned_abs().to_string();
        if digits.trim_end_matches('0').len() > DIGITS_MAX {
            Err(DecimalError::TooPrecise)
        } else {
            Ok(Self(value))
        }
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let parsed = if text.contains(['e', 'E']) {
            rust_decimal::Decimal::from_scientific(text)
        } else {
            rust_decimal::Decimal::from_str_exact(text)
        };
        match parsed {
            Ok(value) => value.try_into(),
            Err(rust_decimal::Error::ErrorString(_)) => Err(DecimalError::Malformed),
            Err(rust_decimal::Error::Underflow) => Err(DecimalError::TooPrecise),
            Err(_) => Err(DecimalError::OutOfRange),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({})", self.0)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_integer()
            && let Ok(whole) = i64::try_from(self.0.normalize().mantissa())
        {
            return serializer.serialize_i64(whole);
        }
        // The float nearest to a decimal of 15 digits prints as that decimal again.
        let float: f64 = self.0.to_string().parse().map_err(serde::ser::Error::custom)?;
        serializer.serialize_f64(float)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number of at most {DIGITS_MAX} significant digits")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Decimal, E> {
        Decimal::try_from(rust_decimal::Decimal::from(value))
            .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Decimal, E> {
        Decimal::try_from(rust_decimal::Decimal::from(value))
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Decimal, E> {
        // The shortest text that reads back as this float is what the sender wrote, up to 15 digits.
        value.to_string().parse().map_err(|_| E::invalid_value(Unexpected::Float(value), &self))
    }
}

super::describe!(Decimal, Number, "decimal");

#[cfg(test)]
#[path = "decimal_tests.rs"]
mod tests;
