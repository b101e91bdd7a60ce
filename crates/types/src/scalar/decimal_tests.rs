#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn read(json: &str) -> Result<Decimal, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn round_trip(json: &str) -> String {
    serde_json::to_string(&read(json).unwrap()).unwrap()
}

#[test]
fn writes_whole_values_as_integers_and_drops_trailing_zeros() {
    for (given, written) in [
        ("100", "100"),
        ("100.0", "100"),
        ("80.10", "80.1"),
        ("0.1", "0.1"),
        ("-0.0", "0"),
        ("1e2", "100"),
        ("123456789012345", "123456789012345"),
        ("1234567890123.45", "1234567890123.45"),
        ("999999999999999e3", "999999999999999000"),
    ] {
        assert_eq!(round_trip(given), written, "{given}");
    }
}

#[test]
fn refuses_what_some_reader_would_round() {
    let error = read("1234567890.1234567").unwrap_err();
    assert!(
        error.contains("floating point `1234567890.1234567`, expected a number of at most 15 significant"),
        "{error}"
    );
    assert!(read("1234567890123456").unwrap_err().contains("integer `1234567890123456`"));
    assert!(read("1e300").is_err());
    assert!(read("1e-40").is_err());
    assert!(read("\"1\"").unwrap_err().contains("string \"1\""));
    assert_eq!("0.1234567890123456".parse::<Decimal>(), Err(DecimalError::TooPrecise));
    assert_eq!("ten".parse::<Decimal>(), Err(DecimalError::Malformed));
}

#[test]
fn converts_to_minor_units_only_when_exact() {
    let amount: Decimal = "80.15".parse().unwrap();
    assert_eq!(amount.to_minor_units(2), Some(8015));
    assert_eq!(amount.to_minor_units(3), Some(80150));
    assert_eq!(amount.to_minor_units(1), None);
    assert_eq!(amount.places(), 2);
    assert_eq!("1e17".parse::<Decimal>().unwrap().to_minor_units(3), None);
    assert!("-1".parse::<Decimal>().unwrap().is_negative());
    assert!(!"-0".parse::<Decimal>().unwrap().is_negative());
}

proptest! {
    /// Any amount of 15 digits survives the wire, whatever the currency's places.
    #[test]
    fn amounts_survive(units in -999_999_999_999_999_i64..=999_999_999_999_999, places in 0_u32..=6) {
        let amount = Decimal::from_minor_units(units, places).unwrap();
        let json = serde_json::to_string(&amount).unwrap();
        let back = read(&json).unwrap();
        prop_assert_eq!(back, amount, "{}", json);
        prop_assert_eq!(back.to_minor_units(places), Some(units));
    }
}
