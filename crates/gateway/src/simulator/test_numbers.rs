//! The well-known test numbers and tokens, and the checks a number must pass before it is stored.

use super::behaviour::{
    ACCOUNT_CLOSED, APPROVE, APPROVE_LATER, AUTHENTICATION_REQUIRED, BANK_DECLINE, BANK_INSUFFICIENT_FUNDS,
    Behaviour, CHARGE_FAIL, DEBIT_NOT_AUTHORIZED, DECLINE, DECLINE_LATER, EXPIRED_CARD, FRAUDULENT,
    INCORRECT_CVC, INSUFFICIENT_FUNDS, INVALID_CURRENCY, LOST_CARD, NO_ACCOUNT, PROCESSING, PROCESSING_ERROR,
    STOLEN_CARD, VELOCITY_EXCEEDED,
};

/// A card number with a known behaviour.
#[derive(Clone, Copy, Debug)]
pub struct TestCard {
    /// The number, digits only.
    pub number: &'static str,
    /// The brand as the dialect spells it.
    pub brand: &'static str,
    /// What a charge of it does.
    pub behaviour: &'static Behaviour,
    /// The ready-made token, where the dialect has one.
    pub token: Option<&'static str>,
}

/// A bank account with a known behaviour: a United States account number or an IBAN.
#[derive(Clone, Copy, Debug)]
pub struct TestAccount {
    /// The account number or IBAN.
    pub number: &'static str,
    /// What a charge of it does.
    pub behaviour: &'static Behaviour,
    /// The ready-made token, where the dialect has one.
    pub token: Option<&'static str>,
}

const fn card(
    number: &'static str,
    brand: &'static str,
    behaviour: &'static Behaviour,
    token: Option<&'static str>,
) -> TestCard {
    TestCard { number, brand, behaviour, token }
}

const fn account(
    number: &'static str,
    behaviour: &'static Behaviour,
    token: Option<&'static str>,
) -> TestAccount {
    TestAccount { number, behaviour, token }
}

/// The well-known cards. Any other number that passes the Luhn check approves.
pub const TEST_CARDS: &[TestCard] = &[
    card("4242424242424242", "visa", &APPROVE, Some("pm_card_visa")),
    card("4000056655665556", "visa", &APPROVE, Some("pm_card_visa_debit")),
    card("5555555555554444", "mastercard", &APPROVE, Some("pm_card_mastercard")),
    card("2223003122003222", "mastercard", &APPROVE, None),
    card("5200828282828210", "mastercard", &APPROVE, Some("pm_card_mastercard_debit")),
    card("5105105105105100", "mastercard", &APPROVE, Some("pm_card_mastercard_prepaid")),
    card("378282246310005", "amex", &APPROVE, Some("pm_card_amex")),
    card("371449635398431", "amex", &APPROVE, None),
    card("6011111111111117", "discover", &APPROVE, Some("pm_card_discover")),
    card("6011000990139424", "discover", &APPROVE, None),
    card("3056930009020004", "diners", &APPROVE, Some("pm_card_diners")),
    card("36227206271667", "diners", &APPROVE, None),
    card("3566002020360505", "jcb", &APPROVE, Some("pm_card_jcb")),
    card("6200000000000005", "unionpay", &APPROVE, Some("pm_card_unionpay")),
    card("4000000000000341", "visa", &CHARGE_FAIL, Some("pm_card_chargeCustomerFail")),
    card("4000000000000002", "visa", &DECLINE, Some("pm_card_chargeDeclined")),
    card("4000000000009995", "visa", &INSUFFICIENT_FUNDS, Some("pm_card_chargeDeclinedInsufficientFunds")),
    card("4000000000009987", "visa", &LOST_CARD, Some("pm_card_visa_chargeDeclinedLostCard")),
    card("4000000000009979", "visa", &STOLEN_CARD, Some("pm_card_visa_chargeDeclinedStolenCard")),
    card("4000000000000069", "visa", &EXPIRED_CARD, Some("pm_card_chargeDeclinedExpiredCard")),
    card("4000000000000127", "visa", &INCORRECT_CVC, Some("pm_card_chargeDeclinedIncorrectCvc")),
    card("4000000000000119", "visa", &PROCESSING_ERROR, Some("pm_card_chargeDeclinedProcessingError")),
    card(
        "4000000000006975",
        "visa",
        &VELOCITY_EXCEEDED,
        Some("pm_card_visa_chargeDeclinedVelocityLimitExceeded"),
    ),
    card("4100000000000019", "visa", &FRAUDULENT, Some("pm_card_radarBlock")),
    card("4000002760003184", "visa", &AUTHENTICATION_REQUIRED, Some("pm_card_authenticationRequired")),
];

/// Further ready-made tokens for the same behaviours.
pub const TOKEN_ALIASES: &[(&str, &Behaviour)] = &[
    ("pm_card_us", &APPROVE),
    ("pm_card_visa_chargeDeclined", &DECLINE),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", &INSUFFICIENT_FUNDS),
];

/// The well-known United States bank accounts. Any other account number approves.
pub const TEST_US_ACCOUNTS: &[TestAccount] = &[
    account("000123456789", &APPROVE, Some("pm_usBankAccount_success")),
    account("000000000009", &PROCESSING, Some("pm_usBankAccount_processing")),
    account("000111111113", &ACCOUNT_CLOSED, Some("pm_usBankAccount_accountClosed")),
    account("000111111116", &NO_ACCOUNT, Some("pm_usBankAccount_noAccount")),
    account("000222222227", &BANK_INSUFFICIENT_FUNDS, Some("pm_usBankAccount_insufficientFunds")),
    account("000333333335", &DEBIT_NOT_AUTHORIZED, Some("pm_usBankAccount_debitNotAuthorized")),
    account("000444444440", &INVALID_CURRENCY, Some("pm_usBankAccount_invalidCurrency")),
];

/// The well-known IBANs. Any other IBAN with right check digits approves.
pub const TEST_IBANS: &[TestAccount] = &[
    account("DE89370400440532013000", &APPROVE, None),
    account("DE62370400440532013001", &BANK_DECLINE, None),
    account("DE08370400440532013003", &APPROVE_LATER, None),
    account("DE78370400440532013004", &DECLINE_LATER, None),
    account("DE65370400440002222227", &BANK_INSUFFICIENT_FUNDS, None),
    account("AT611904300234573201", &APPROVE, None),
    account("AT861904300235473202", &BANK_DECLINE, None),
    account("FR1420041010050500013M02606", &APPROVE, None),
    account("FR8420041010050500013M02607", &BANK_DECLINE, None),
];

/// The shortest and longest card numbers in use.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;
/// The shortest and longest IBANs in use.
const IBAN_CHARACTERS: std::ops::RangeInclusive<usize> = 15..=34;
/// A United States routing number has nine digits.
const ROUTING_DIGITS: usize = 9;
/// The shortest and longest United States account numbers.
const US_ACCOUNT_DIGITS: std::ops::RangeInclusive<usize> = 4..=17;

/// Whether a card number has digits only, a usual length and a right Luhn check digit.
pub fn is_card_number(number: &str) -> bool {
    if !CARD_DIGITS.contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte - b'0');
            match (index % 2, digit) {
                (0, _) => digit,
                (_, 0..=4) => digit * 2,
                _ => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether an IBAN has a usual length and right check digits (the remainder by 97 is 1).
pub fn is_iban(iban: &str) -> bool {
    if !IBAN_CHARACTERS.contains(&iban.len()) || !iban.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let (country_and_check, rest) = iban.split_at(4);
    let remainder = rest.bytes().chain(country_and_check.bytes()).fold(0_u32, |remainder, byte| {
        let value = char::from(byte).to_digit(36).unwrap_or(0);
        let shift = if value > 9 { 100 } else { 10 };
        (remainder * shift + value) % 97
    });
    remainder == 1
}

/// Whether a routing number has nine digits and a right check digit.
pub fn is_routing_number(number: &str) -> bool {
    const WEIGHTS: [u32; ROUTING_DIGITS] = [3, 7, 1, 3, 7, 1, 3, 7, 1];
    number.len() == ROUTING_DIGITS
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && number
            .bytes()
            .zip(WEIGHTS)
            .map(|(byte, weight)| u32::from(byte - b'0') * weight)
            .sum::<u32>()
            .is_multiple_of(10)
}

/// Whether an account number has digits only and a usual length.
pub fn is_us_account_number(number: &str) -> bool {
    US_ACCOUNT_DIGITS.contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The brand of a card number, by its first digits.
pub fn brand_of(number: &str) -> &'static str {
    if let Some(card) = TEST_CARDS.iter().find(|card| card.number == number) {
        return card.brand;
    }
    let prefix = |digits: usize| number.get(..digits).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    match (prefix(1), prefix(2), prefix(4)) {
        (4, _, _) => "visa",
        (_, 34 | 37, _) => "amex",
        (_, 51..=55, _) | (_, _, 2221..=2720) => "mastercard",
        (_, 65, _) | (_, _, 6011) => "discover",
        (_, 35, _) => "jcb",
        (_, 30 | 36 | 38, _) => "diners",
        (_, 62, _) => "unionpay",
        _ => "unknown",
    }
}

/// What a charge of this card does.
pub fn card_behaviour(number: &str) -> &'static Behaviour {
    TEST_CARDS.iter().find(|card| card.number == number).map_or(&APPROVE, |card| card.behaviour)
}

/// What a charge of this account does.
pub fn account_behaviour(accounts: &'static [TestAccount], number: &str) -> &'static Behaviour {
    accounts.iter().find(|account| account.number == number).map_or(&APPROVE, |account| account.behaviour)
}

/// The last four characters, which is all that is kept of a number.
pub fn last4(number: &str) -> &str {
    number.len().checked_sub(4).and_then(|start| number.get(start..)).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_well_known_number_passes_its_own_check() {
        for card in TEST_CARDS {
            assert!(is_card_number(card.number), "{}", card.number);
            assert_eq!(card_behaviour(card.number), card.behaviour);
        }
        for account in TEST_US_ACCOUNTS {
            assert!(is_us_account_number(account.number), "{}", account.number);
        }
        for account in TEST_IBANS {
            assert!(is_iban(account.number), "{}", account.number);
        }
    }

    #[test]
    fn bad_numbers_are_refused() {
        for number in ["4242424242424241", "", "4242", "42424242 4242 4242", "abcdabcdabcdabcd", "٤٢٤٢٤٢٤٢٤٢"]
        {
            assert!(!is_card_number(number), "{number}");
        }
        for iban in ["DE89370400440532013001", "DE", "", "DE89 3704 0044 0532 0130 00", "ÄÄÄÄÄÄÄÄÄÄ"]
        {
            assert!(!is_iban(iban), "{iban}");
        }
        assert!(is_routing_number("110000000"));
        assert!(!is_routing_number("110000001"));
        assert!(!is_routing_number("11000000"));
    }

    #[test]
    fn brands_follow_the_first_digits() {
        for (number, brand) in [
            ("4111111111111111", "visa"),
            ("5454545454545454", "mastercard"),
            ("340000000000009", "amex"),
            ("9999999999999995", "unknown"),
        ] {
            assert_eq!(brand_of(number), brand, "{number}");
        }
    }

    #[test]
    fn the_last_four_never_give_more_than_four() {
        assert_eq!(last4("4242424242424242"), "4242");
        assert_eq!(last4("123"), "123");
    }
}
