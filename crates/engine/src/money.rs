//! Money: whole minor units of one currency. There are no floats and no unchecked sums.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A currency of ISO 4217 with its number of decimal places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

/// Why an amount or a currency was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The code is not in ISO 4217, or has no minor unit.
    #[error("`{0}` is not a currency code of ISO 4217")]
    UnknownCurrency(String),
    /// The amount has more decimal places than the currency.
    #[error("an amount in {currency} has at most {places} decimal places")]
    TooPrecise {
        /// The currency.
        currency: Currency,
        /// Its decimal places.
        places: u8,
    },
    /// The amount, or a sum, does not fit 64 bits of minor units.
    #[error("the amount is too large")]
    TooLarge,
    /// Two amounts of different currencies met.
    #[error("{0} and {1} cannot be added")]
    CurrencyMismatch(Currency, Currency),
}

impl Currency {
    /// The United States dollar, the default of examples and tests.
    pub const USD: Self = Self { code: *b"USD", exponent: 2 };

    /// Looks a three-letter code up in ISO 4217.
    pub fn from_code(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency(code.chars().take(16).collect());
        let found = iso_currency::Currency::from_code(code).ok_or_else(unknown)?;
        let exponent = found.exponent().ok_or_else(unknown)?;
        let exponent = u8::try_from(exponent).map_err(|_| unknown())?;
        let code = code.as_bytes().try_into().map_err(|_| unknown())?;
        Ok(Self { code, exponent })
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("XXX")
    }

    /// The number of decimal places: 2 for the dollar, 0 for the yen, 3 for the dinar.
    pub fn exponent(self) -> u8 {
        self.exponent
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::from_code(&code).map_err(serde::de::Error::custom)
    }
}

/// An amount in whole minor units of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: cents for the dollar.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount of minor units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads `mantissa / 10^scale` major units exactly; trailing zeros beyond the currency's places are allowed.
    pub fn from_scaled(mantissa: i128, scale: u32, currency: Currency) -> Result<Self, MoneyError> {
        let places = u32::from(currency.exponent);
        let minor = if scale <= places {
            mantissa.checked_mul(10_i128.pow(places - scale)).ok_or(MoneyError::TooLarge)?
        } else {
            let unit = 10_i128.checked_pow(scale - places).ok_or(MoneyError::TooLarge)?;
            if mantissa % unit != 0 {
                return Err(MoneyError::TooPrecise { currency, places: currency.exponent });
            }
            mantissa / unit
        };
        let minor = i64::try_from(minor).map_err(|_| MoneyError::TooLarge)?;
        Ok(Self { minor, currency })
    }

    /// The sum, if both are of one currency and it fits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, currency: self.currency })
    }
}

/// Writes the amount in major units without trailing zeros: `256`, `80.1`, `-0.05`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(u32::from(self.currency.exponent));
        let size = self.minor.unsigned_abs();
        let sign = if self.minor < 0 { "-" } else { "" };
        let (whole, rest) = (size / unit, size % unit);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let places = usize::from(self.currency.exponent);
        let digits = format!("{rest:0places$}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn reads_and_writes_every_exponent() {
        for (code, mantissa, scale, minor, text) in [
            ("USD", 256, 0, 25_600, "256"),
            ("USD", 801, 1, 8_010, "80.1"),
            ("USD", -5, 2, -5, "-0.05"),
            ("USD", 1_000, 3, 100, "1"),
            ("JPY", 500, 0, 500, "500"),
            ("BHD", 1_001, 3, 1_001, "1.001"),
        ] {
            let currency = Currency::from_code(code).unwrap();
            let money = Money::from_scaled(mantissa, scale, currency).unwrap();
            assert_eq!(money.minor, minor, "{code} {mantissa} {scale}");
            assert_eq!(money.to_string(), text);
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let usd = Currency::USD;
        assert!(matches!(Money::from_scaled(1, 3, usd), Err(MoneyError::TooPrecise { .. })));
        assert_eq!(Money::from_scaled(i128::from(i64::MAX), 0, usd), Err(MoneyError::TooLarge));
        assert!(Currency::from_code("usd").is_err());
        assert!(Currency::from_code("ZZZ").is_err());
        let yen = Money::new(1, Currency::from_code("JPY").unwrap());
        assert!(matches!(Money::new(1, usd).checked_add(yen), Err(MoneyError::CurrencyMismatch(..))));
        assert_eq!(Money::new(i64::MAX, usd).checked_add(Money::new(1, usd)), Err(MoneyError::TooLarge));
    }
}
