//! What is kept of a card or bank account: a mask, and the token the gateway gave for it. Pure.

use payment_runs_engine::ports::{InstrumentDetails, TokenizeError, Tokenized};
use serde::Deserialize;

use super::classify::error_of;
use super::exchange::ExchangeAnswer;

/// The characters of a number that stay readable, at its end.
const READABLE: usize = 4;

/// The brands by the dialect's name and by the name this product shows.
const BRANDS: &[(&str, &str)] = &[
    ("amex", "AmericanExpress"),
    ("diners", "Diners"),
    ("discover", "Discover"),
    ("jcb", "JCB"),
    ("mastercard", "MasterCard"),
    ("unionpay", "CUP"),
    ("visa", "Visa"),
];

#[derive(Deserialize)]
struct MethodBody {
    id: String,
    #[serde(default)]
    card: Option<CardBody>,
}

#[derive(Deserialize)]
struct CardBody {
    #[serde(default)]
    brand: Option<String>,
}

/// Reads the gateway's answer.
pub(super) fn read(answer: &ExchangeAnswer, details: &InstrumentDetails) -> Result<Tokenized, TokenizeError> {
    match (answer.status, error_of(answer)) {
        (200..=299, _) => read_method(answer, details),
        (400 | 402 | 422, Some(error)) => Err(TokenizeError::Refused {
            code: error.telling_code(),
            message: without_number(error.words(), number_of(details)),
        }),
        (status, _) => Err(TokenizeError::Unavailable { why: format!("it answered {status}") }),
    }
}

fn read_method(answer: &ExchangeAnswer, details: &InstrumentDetails) -> Result<Tokenized, TokenizeError> {
    let Ok(method) = serde_json::from_slice::<MethodBody>(&answer.body) else {
        return Err(TokenizeError::Unavailable { why: "its answer cannot be read".into() });
    };
    let brand = method.card.and_then(|card| card.brand).map(|brand| {
        BRANDS.iter().find(|(name, _)| *name == brand).map_or(brand, |(_, shown)| (*shown).to_owned())
    });
    let common =
        Tokenized { mask: Some(mask(number_of(details))), token: Some(method.id), ..Tokenized::default() };
    Ok(match details {
        InstrumentDetails::Card { expiration_month, expiration_year, holder_name, .. } => Tokenized {
            brand,
            expiration_month: Some(*expiration_month),
            expiration_year: Some(*expiration_year),
            holder_name: holder_name.clone(),
            ..common
        },
        InstrumentDetails::BankAccount { holder_name, .. } => {
            Tokenized { holder_name: holder_name.clone(), ..common }
        }
    })
}

fn number_of(details: &InstrumentDetails) -> &str {
    match details {
        InstrumentDetails::Card { number, .. } | InstrumentDetails::BankAccount { number, .. } => number,
    }
}

/// The number with all but its last four characters hidden; of a number so short that four
/// characters would tell more than half of it, nothing stays readable.
fn mask(number: &str) -> String {
    let characters: Vec<char> = number.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let hidden = if characters.len() < 2 * READABLE { characters.len() } else { characters.len() - READABLE };
    std::iter::repeat_n('*', hidden).chain(characters.into_iter().skip(hidden)).collect()
}

/// A gateway should never repeat the number it was given; should it do so all the same, its words are dropped.
fn without_number(words: String, number: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let digits_of_number = digits(number);
    let repeats = !digits_of_number.is_empty() && digits(&words).contains(&digits_of_number);
    if repeats { "The payment method was refused.".to_owned() } else { words }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn card(number: &str) -> InstrumentDetails {
        InstrumentDetails::Card {
            number: number.into(),
            expiration_month: 3,
            expiration_year: 2031,
            holder_name: Some("Ada".into()),
        }
    }

    fn answer(status: u16, body: &str) -> ExchangeAnswer {
        ExchangeAnswer { status, retry_after: None, body: bytes::Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn a_mask_shows_the_last_four_at_most() {
        for (number, masked) in [
            ("4242424242424242", "************4242"),
            ("4242 4242-4242 4242", "************4242"),
            ("12345678", "****5678"),
            ("1234567", "*******"),
            ("", ""),
        ] {
            assert_eq!(mask(number), masked, "{number}");
        }
    }

    #[test]
    fn a_token_comes_with_brand_and_expiry() {
        let stored = read(&answer(200, r#"{"id":"pm_1","card":{"brand":"amex"}}"#), &card("378282246310005"));
        let stored = stored.unwrap();
        assert_eq!(stored.token.as_deref(), Some("pm_1"));
        assert_eq!(stored.brand.as_deref(), Some("AmericanExpress"));
        assert_eq!((stored.expiration_month, stored.expiration_year), (Some(3), Some(2031)));
        assert_eq!(stored.holder_name.as_deref(), Some("Ada"));
    }

    #[test]
    fn a_refusal_never_repeats_the_number() {
        let refused = |message: &str| {
            let body = format!(r#"{{"error":{{"type":"card_error","code":"c","message":"{message}"}}}}"#);
            match read(&answer(402, &body), &card("4242424242424241")) {
                Err(TokenizeError::Refused { message, .. }) => message,
                other => format!("{other:?}"),
            }
        };
        assert_eq!(refused("Your card number is incorrect."), "Your card number is incorrect.");
        assert_eq!(refused("4242-4242-4242-4241 is wrong"), "The payment method was refused.");
    }

    #[test]
    fn an_answer_that_is_neither_token_nor_refusal_is_none() {
        for (status, body) in
            [(200, "{}"), (200, "<html>"), (402, "<html>"), (401, "{}"), (429, ""), (500, "")]
        {
            let read = read(&answer(status, body), &card("4242424242424242"));
            assert!(matches!(read, Err(TokenizeError::Unavailable { .. })), "{status} {body}");
        }
    }
}
