//! Amounts in the units that the dialect counts. They are those of ISO 4217, apart from the currencies below. Pure.
//!
//! The facts are those of Stripe's page on currencies, under "Zero-decimal currencies", "Three-decimal currencies" and "Special
//! cases". Special cases that concern payouts alone (HUF and TWD) need nothing here.

use payment_runs_engine::money::{Currency, Money};

/// Currencies whose decimal places in the dialect are not those of ISO 4217, with the places that the dialect counts: Icelandic
/// crowns and Ugandan shillings are sent with two decimals that are always zero, Malagasy ariary with none.
const DIALECT_PLACES: [(&str, u32); 3] = [("ISK", 2), ("MGA", 0), ("UGX", 2)];

/// Where a currency has three decimal places, the last one must be zero.
const THREE_PLACES: u32 = 3;
const THREE_PLACES_STEP: i64 = 10;

/// Why an amount cannot be charged in the dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{amount} {currency} is no amount that the gateway takes: in {currency} it takes multiples of {step}", currency = .amount.currency)]
pub(super) struct Inexpressible {
    amount: Money,
    step: Money,
}

/// The places of a currency by ISO 4217 and in the dialect.
fn places(currency: Currency) -> (u32, u32) {
    let iso = u32::from(currency.exponent());
    let special = DIALECT_PLACES.iter().find(|(code, _)| *code == currency.code());
    (iso, special.map_or(iso, |(_, places)| *places))
}

/// The smallest amount that the dialect takes, in minor units of ISO 4217; every other one is a multiple.
fn step(currency: Currency) -> i64 {
    match places(currency) {
        (iso, dialect) if iso > dialect => 10_i64.pow(iso - dialect),
        (THREE_PLACES, THREE_PLACES) => THREE_PLACES_STEP,
        _ => 1,
    }
}

/// The number that stands for an amount in the dialect.
pub(super) fn to_dialect(amount: Money) -> Result<i64, Inexpressible> {
    let (iso, dialect) = places(amount.currency);
    let step = step(amount.currency);
    let inexpressible = Inexpressible { amount, step: Money::new(step, amount.currency) };
    if amount.minor % step != 0 {
        return Err(inexpressible);
    }
    if iso > dialect {
        return Ok(amount.minor / step);
    }
    amount.minor.checked_mul(10_i64.pow(dialect - iso)).ok_or(inexpressible)
}

/// The amount that a number stands for in the dialect; `None` where it is no amount of the currency.
pub(super) fn from_dialect(number: i64, currency: Currency) -> Option<Money> {
    let (iso, dialect) = places(currency);
    let minor = if dialect > iso {
        let unit = 10_i64.pow(dialect - iso);
        (number % unit == 0).then_some(number / unit)
    } else {
        number.checked_mul(10_i64.pow(iso - dialect))
    };
    minor.map(|minor| Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test may fail by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).expect("a currency")
    }

    #[test]
    fn each_kind_of_currency_is_counted_as_the_dialect_does() {
        for (code, minor, expected) in [
            ("USD", 1_050, Some(1_050)),
            ("HUF", 100_001, Some(100_001)),
            ("TWD", 100_001, Some(100_001)),
            ("JPY", 1_000, Some(1_000)),
            ("KMF", 1_000, Some(1_000)),
            ("ISK", 1_000, Some(100_000)),
            ("UGX", 1_000, Some(100_000)),
            ("MGA", 100_000, Some(1_000)),
            ("MGA", 100_050, None),
            ("KWD", 1_230, Some(1_230)),
            ("KWD", 1_234, None),
            ("UGX", i64::MAX, None),
        ] {
            assert_eq!(to_dialect(Money::new(minor, currency(code))).ok(), expected, "{code} {minor}");
        }
        assert_eq!(from_dialect(100_050, currency("UGX")), None, "a fraction of a shilling");
        assert_eq!(
            to_dialect(Money::new(1_234, currency("KWD"))).expect_err("too fine").to_string(),
            "1.234 KWD is no amount that the gateway takes: in KWD it takes multiples of 0.01"
        );
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read_back(
            code in prop::sample::select(vec!["USD", "JPY", "ISK", "UGX", "MGA", "KWD", "BHD", "EUR"]),
            minor in 1..=999_999_999_999_i64,
        ) {
            let amount = Money::new(minor, currency(code));
            match to_dialect(amount) {
                Ok(number) => prop_assert_eq!(from_dialect(number, currency(code)), Some(amount)),
                Err(_) => prop_assert!(minor % step(currency(code)) != 0),
            }
        }
    }
}
