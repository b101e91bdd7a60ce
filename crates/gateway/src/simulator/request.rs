//! Reading the dialect's form bodies. Like the original, the first fault found is the one answered.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::answer::ApiError;
use super::behaviour::Behaviour;
use super::test_numbers::{
    TEST_IBANS, TEST_US_ACCOUNTS, account_behaviour, brand_of, card_behaviour, is_card_number, is_iban,
    is_routing_number, is_us_account_number, last4,
};
use super::token::{Kind, Token};

/// The largest amount, in minor units: twelve digits.
const AMOUNT_MINOR_MAX: i64 = 999_999_999_999;
/// The most metadata entries of one charge, and the longest name and value.
const METADATA_ENTRIES_MAX: usize = 50;
const METADATA_NAME_MAX: usize = 40;
const METADATA_VALUE_MAX: usize = 500;
/// The metadata entry that holds the caller's own reference, by which a charge is found again.
pub const REFERENCE: &str = "reference";
/// Half of a SHA-256 is enough to tell two sets of parameters apart.
pub const FINGERPRINT_BYTES: usize = 16;
/// A two-digit year is of this century.
const CENTURY: u16 = 2000;

/// Parameters that are accepted and change nothing here.
const IGNORED: &[&str] = &[
    "capture_method",
    "confirmation_method",
    "customer",
    "error_on_requires_action",
    "mandate",
    "mandate_data[customer_acceptance][type]",
    "off_session",
    "payment_method_types[]",
    "receipt_email",
    "setup_future_usage",
    "statement_descriptor",
    "statement_descriptor_suffix",
];

/// A request to create and confirm a payment intent.
#[derive(Clone, Debug)]
pub struct ChargeRequest {
    /// Amount in minor units, at least 1.
    pub amount_minor: i64,
    /// Three lower-case letters.
    pub currency: [u8; 3],
    /// The token as given.
    pub payment_method: Box<str>,
    /// What the token's charges do.
    pub behaviour: &'static Behaviour,
    /// Free text.
    pub description: Option<Box<str>>,
    /// Names and values in the order given.
    pub metadata: Box<[(Box<str>, Box<str>)]>,
    /// Stands for all parameters, whatever their order: two requests under one key must agree in it.
    pub fingerprint: [u8; FINGERPRINT_BYTES],
}

impl ChargeRequest {
    /// The caller's own reference.
    pub fn reference(&self) -> Option<&str> {
        reference_in(&self.metadata)
    }
}

/// The caller's own reference among metadata entries.
pub fn reference_in(metadata: &[(Box<str>, Box<str>)]) -> Option<&str> {
    metadata.iter().find(|(name, _)| &**name == REFERENCE).map(|(_, value)| &**value)
}

/// Reads the body of a charge.
pub fn parse_charge(body: &[u8]) -> Result<ChargeRequest, ApiError> {
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(body).collect();
    let mut amount = None;
    let mut currency = None;
    let mut payment_method = None;
    let mut description = None;
    let mut confirm = None;
    let mut metadata = Vec::new();
    for (name, value) in &pairs {
        match &**name {
            "amount" => amount = Some(parse_amount(value)?),
            "currency" => currency = Some(parse_currency(value)?),
            "payment_method" => payment_method = Some(&**value),
            "description" => description = Some(Box::from(&**value)),
            "confirm" => confirm = Some(&**value),
            other => match metadata_name(other) {
                Some(name) => metadata.push(parse_metadata(name, value)?),
                None if is_ignored(other) => {}
                None => return Err(ApiError::unknown_parameter(other)),
            },
        }
    }
    if metadata.len() > METADATA_ENTRIES_MAX {
        let message = format!("Metadata can have at most {METADATA_ENTRIES_MAX} keys.");
        return Err(ApiError::invalid("parameter_invalid", "metadata", message));
    }
    let amount_minor = amount.ok_or_else(|| ApiError::missing("amount"))?;
    let currency = currency.ok_or_else(|| ApiError::missing("currency"))?;
    let payment_method: Box<str> = payment_method.ok_or_else(|| ApiError::missing("payment_method"))?.into();
    if confirm != Some("true") {
        return Err(ApiError::invalid(
            "parameter_invalid",
            "confirm",
            "This server only creates and confirms in one call: pass confirm=true.".into(),
        ));
    }
    let behaviour = Token::behaviour_of(&payment_method)
        .ok_or_else(|| ApiError::no_such("payment_method", "PaymentMethod", &payment_method))?;
    let metadata = metadata.into_boxed_slice();
    pairs.sort_unstable();
    let fingerprint = fingerprint(&pairs);
    Ok(ChargeRequest {
        amount_minor,
        currency,
        payment_method,
        behaviour,
        description,
        metadata,
        fingerprint,
    })
}

fn is_ignored(name: &str) -> bool {
    IGNORED.contains(&name)
        || name.starts_with("automatic_payment_methods[")
        || name.starts_with("payment_method_types[")
        || name.starts_with("mandate_data[")
}

fn metadata_name(name: &str) -> Option<&str> {
    name.strip_prefix("metadata[")?.strip_suffix(']')
}

fn parse_metadata(name: &str, value: &str) -> Result<(Box<str>, Box<str>), ApiError> {
    if name.is_empty() || name.len() > METADATA_NAME_MAX || value.len() > METADATA_VALUE_MAX {
        let message = format!(
            "Metadata names have 1 to {METADATA_NAME_MAX} characters, values at most {METADATA_VALUE_MAX}."
        );
        return Err(ApiError::invalid("parameter_invalid", "metadata", message));
    }
    Ok((name.into(), value.into()))
}

fn parse_amount(text: &str) -> Result<i64, ApiError> {
    let amount: i64 = text.parse().map_err(|_| {
        ApiError::invalid("parameter_invalid_integer", "amount", format!("Invalid integer: {text}"))
    })?;
    match amount {
        ..=0 => Err(ApiError::invalid(
            "parameter_invalid_integer",
            "amount",
            "This value must be greater than or equal to 1.".into(),
        )),
        1..=AMOUNT_MINOR_MAX => Ok(amount),
        _ => Err(ApiError::invalid(
            "amount_too_large",
            "amount",
            format!("Amount must be no more than {AMOUNT_MINOR_MAX}."),
        )),
    }
}

fn parse_currency(text: &str) -> Result<[u8; 3], ApiError> {
    let lower = text.to_ascii_lowercase();
    <[u8; 3]>::try_from(lower.as_bytes())
        .ok()
        .filter(|letters| letters.iter().all(u8::is_ascii_lowercase))
        .ok_or_else(|| {
            ApiError::invalid("parameter_invalid", "currency", format!("Invalid currency: {text}"))
        })
}

fn fingerprint(pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> [u8; FINGERPRINT_BYTES] {
    let mut hasher = Sha256::new();
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        // The length keeps "ab" + "c" apart from "a" + "bc".
        hasher.update(text.len().to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let mut fingerprint = [0; FINGERPRINT_BYTES];
    fingerprint.copy_from_slice(&hasher.finalize()[..FINGERPRINT_BYTES]);
    fingerprint
}

/// A payment method to store: all of it that may be kept. The number itself is gone.
#[derive(Clone, Debug)]
pub struct MethodRequest {
    /// The token without its unique part.
    pub token: Token,
}

/// Reads the body of a payment method. Only a malformed number or date fails; how charges end
/// shows when they are made.
pub fn parse_method(body: &[u8]) -> Result<MethodRequest, ApiError> {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(body).collect();
    let field = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
    let required = |wanted: &'static str| field(wanted).ok_or_else(|| ApiError::missing(wanted));
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !is_method_parameter(name)) {
        return Err(ApiError::unknown_parameter(name));
    }
    let token = match required("type")? {
        "card" => {
            let number: String =
                required("card[number]")?.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
            parse_card(
                &number,
                required("card[exp_month]")?,
                required("card[exp_year]")?,
                field("card[cvc]"),
            )?
        }
        "us_bank_account" => {
            let account = required("us_bank_account[account_number]")?;
            parse_us_account(required("us_bank_account[routing_number]")?, account)?
        }
        "sepa_debit" => parse_iban(required("sepa_debit[iban]")?)?,
        other => {
            let message =
                format!("Invalid type: must be one of card, us_bank_account, sepa_debit, not {other}");
            return Err(ApiError::invalid("parameter_invalid", "type", message));
        }
    };
    Ok(MethodRequest { token })
}

fn is_method_parameter(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "type",
        "card[number]",
        "card[exp_month]",
        "card[exp_year]",
        "card[cvc]",
        "us_bank_account[account_number]",
        "us_bank_account[routing_number]",
        "us_bank_account[account_holder_type]",
        "us_bank_account[account_type]",
        "sepa_debit[iban]",
    ];
    NAMES.contains(&name) || name.starts_with("billing_details[") || metadata_name(name).is_some()
}

fn parse_card(number: &str, month: &str, year: &str, cvc: Option<&str>) -> Result<Token, ApiError> {
    if !is_card_number(number) {
        let message = "Your card number is incorrect.".into();
        return Err(ApiError::card("incorrect_number", "card[number]", message));
    }
    let exp_month = month.parse().ok().filter(|month| (1..=12).contains(month)).ok_or_else(|| {
        let message = "Your card's expiration month is invalid.".into();
        ApiError::card("invalid_expiry_month", "card[exp_month]", message)
    })?;
    let exp_year = match (year.len(), year.parse::<u16>()) {
        (2, Ok(year)) => CENTURY + year,
        (4, Ok(year @ 1970..=2199)) => year,
        _ => {
            let message = "Your card's expiration year is invalid.".into();
            return Err(ApiError::card("invalid_expiry_year", "card[exp_year]", message));
        }
    };
    if let Some(cvc) = cvc
        && !((3..=4).contains(&cvc.len()) && cvc.bytes().all(|byte| byte.is_ascii_digit()))
    {
        let message = "Your card's security code is invalid.".into();
        return Err(ApiError::card("invalid_cvc", "card[cvc]", message));
    }
    Ok(Token {
        kind: Kind::Card,
        brand: brand_of(number).to_owned(),
        behaviour: card_behaviour(number),
        last4: last4(number).to_owned(),
        exp_month,
        exp_year,
        unique: String::new(),
    })
}

fn parse_us_account(routing: &str, account: &str) -> Result<Token, ApiError> {
    if !is_routing_number(routing) {
        let message = "You must use a valid routing number.".into();
        return Err(ApiError::invalid("routing_number_invalid", "us_bank_account[routing_number]", message));
    }
    if !is_us_account_number(account) {
        let message = "You must use a valid bank account number.".into();
        return Err(ApiError::invalid("account_number_invalid", "us_bank_account[account_number]", message));
    }
    let behaviour = account_behaviour(TEST_US_ACCOUNTS, account);
    Ok(Token::bank(Kind::UsBankAccount, behaviour, account, String::new()))
}

fn parse_iban(iban: &str) -> Result<Token, ApiError> {
    let iban: String = iban.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
    if !is_iban(&iban) {
        let message = "The IBAN you entered is invalid.".into();
        return Err(ApiError::invalid("invalid_bank_account_iban", "sepa_debit[iban]", message));
    }
    let behaviour = account_behaviour(TEST_IBANS, &iban);
    Ok(Token::bank(Kind::SepaDebit, behaviour, &iban, String::new()))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
