//! Amounts: decimal numbers in major units on the wire, whole minor units inside.

use payment_runs_engine::money::{Currency, Money, MoneyError};
use payment_runs_stubs::{Category, Fault, Location};
use payment_runs_types::Decimal;

/// The largest amount of one object, in minor units: 15 digits, which every reader of JSON numbers keeps.
pub(crate) const AMOUNT_MINOR_MAX: i64 = 999_999_999_999_999;

/// Reads the amount of a body's field: never negative, never more precise than the currency.
pub(crate) fn to_minor(field: &str, amount: Decimal, currency: Currency) -> Result<i64, Fault> {
    let fault = |message: String| Fault {
        location: Location::Body,
        field: field.to_owned(),
        message,
        category: Category::InvalidValue,
    };
    let number = amount.get();
    match Money::from_scaled(number.mantissa(), number.scale(), currency) {
        Ok(money) if money.minor < 0 => Err(fault("must not be negative".to_owned())),
        Ok(money) if money.minor > AMOUNT_MINOR_MAX => Err(fault("is too large".to_owned())),
        Ok(money) => Ok(money.minor),
        Err(MoneyError::TooPrecise { currency, places }) => {
            Err(fault(format!("must have at most {places} decimal places in {currency}")))
        }
        Err(_) => Err(fault("is too large".to_owned())),
    }
}

/// The sum of a document's items, if it is an amount that one object may have.
pub(crate) fn sum_minor(amounts: impl IntoIterator<Item = i64>) -> Option<i64> {
    let mut amounts = amounts.into_iter();
    amounts.try_fold(0_i64, i64::checked_add).filter(|sum| *sum <= AMOUNT_MINOR_MAX)
}

/// Writes an amount. A sum of more than 15 digits, which no single object has, is written with its first 15.
pub(crate) fn to_decimal(minor: i64, currency: Currency) -> Decimal {
    scaled(minor, u32::from(currency.exponent()))
}

/// The decimal `mantissa / 10^scale`, cut to what every reader keeps.
pub(crate) fn scaled(mantissa: i64, scale: u32) -> Decimal {
    let mut unit = 1_i64;
    loop {
        match Decimal::from_minor_units(mantissa / unit * unit, scale) {
            Ok(decimal) => return decimal,
            // Nineteen digits are the most there are, so this ends before the unit overflows.
            Err(_) => match unit.checked_mul(10) {
                Some(larger) => unit = larger,
                None => return Decimal::ZERO,
            },
        }
    }
}

/// An amount as a summary tells it: `256 USD`.
pub(crate) fn in_words(minor: i64, currency: Currency) -> String {
    format!("{} {currency}", Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn read(text: &str, code: &str) -> Result<i64, String> {
        let currency = Currency::from_code(code).unwrap();
        to_minor("data[3].amount", text.parse().unwrap(), currency).map_err(|fault| {
            assert_eq!((fault.location, fault.category), (Location::Body, Category::InvalidValue));
            format!("{} {}", fault.field, fault.message)
        })
    }

    #[test]
    fn amounts_keep_every_digit_or_are_refused() {
        for (text, code, minor) in [
            ("80", "USD", 8_000),
            ("80.1", "USD", 8_010),
            ("0.01", "USD", 1),
            ("1e2", "USD", 10_000),
            ("500", "JPY", 500),
            ("1.001", "BHD", 1_001),
            ("9999999999999.99", "USD", AMOUNT_MINOR_MAX),
        ] {
            assert_eq!(read(text, code), Ok(minor), "{text} {code}");
        }
        let precise = |places| format!("data[3].amount must have at most {places}");
        assert_eq!(read("0.001", "USD"), Err(precise("2 decimal places in USD")));
        assert_eq!(read("0.5", "JPY"), Err(precise("0 decimal places in JPY")));
        assert_eq!(read("-0.01", "USD"), Err("data[3].amount must not be negative".to_owned()));
        for large in ["10000000000000", "1e20", "99999999999999900000"] {
            assert_eq!(read(large, "USD"), Err("data[3].amount is too large".to_owned()), "{large}");
        }
    }

    #[test]
    fn sums_are_bounded() {
        assert_eq!(sum_minor([1, 2, 3]), Some(6));
        assert_eq!(sum_minor([AMOUNT_MINOR_MAX, 1]), None);
        assert_eq!(sum_minor([i64::MAX, 1]), None);
        assert_eq!(sum_minor([]), Some(0));
    }

    #[test]
    fn amounts_are_written_without_trailing_zeros() {
        let currency = |code| Currency::from_code(code).unwrap();
        for (minor, code, decimal, words) in [
            (25_600, "USD", "256", "256 USD"),
            (8_010, "USD", "80.1", "80.1 USD"),
            (5, "USD", "0.05", "0.05 USD"),
            (0, "EUR", "0", "0 EUR"),
            (500, "JPY", "500", "500 JPY"),
            (i64::MAX, "USD", "92233720368547700", "92233720368547758.07 USD"),
        ] {
            assert_eq!(to_decimal(minor, currency(code)).to_string(), decimal, "{minor} {code}");
            assert_eq!(in_words(minor, currency(code)), words);
        }
    }
}
