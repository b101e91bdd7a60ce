//! Payment method tokens that describe themselves: kind, brand, behaviour, last four, expiry.
//! A simulator that was restarted, or another one, charges them just the same.

use std::fmt;

use super::behaviour::Behaviour;
use super::test_numbers::{TEST_CARDS, TEST_US_ACCOUNTS, TOKEN_ALIASES, last4};

/// The kinds of payment method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A card.
    Card,
    /// A bank account in the United States, debited by ACH.
    UsBankAccount,
    /// A bank account in the SEPA area, debited by its IBAN.
    SepaDebit,
}

impl Kind {
    /// The dialect's `type`.
    pub const fn wire_name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::UsBankAccount => "us_bank_account",
            Self::SepaDebit => "sepa_debit",
        }
    }

    /// The part of a token that names the kind.
    const fn token_part(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::UsBankAccount => "usBankAccount",
            Self::SepaDebit => "sepaDebit",
        }
    }

    fn from_token_part(part: &str) -> Option<Self> {
        [Self::Card, Self::UsBankAccount, Self::SepaDebit].into_iter().find(|kind| kind.token_part() == part)
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The kind of payment method.
    pub kind: Kind,
    /// The card's brand; `bank` for bank accounts.
    pub brand: String,
    /// What a charge does.
    pub behaviour: &'static Behaviour,
    /// The last four characters of the number.
    pub last4: String,
    /// The card's expiry month, 1 to 12; 0 for bank accounts.
    pub exp_month: u8,
    /// The card's expiry year, four digits; 0 for bank accounts.
    pub exp_year: u16,
    /// What makes the token unlike all others.
    pub unique: String,
}

/// The brand part of a bank account's token.
const NO_BRAND: &str = "bank";
/// The expiry of the ready-made card tokens: they must not run out.
const READY_MADE_EXPIRY: (u8, u16) = (12, 2099);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pm_{}_{}_{}_{}_{:02}{:04}_{}",
            self.kind.token_part(),
            self.brand,
            self.behaviour.slug,
            self.last4,
            self.exp_month,
            self.exp_year,
            self.unique
        )
    }
}

impl Token {
    /// A bank account's token.
    pub fn bank(kind: Kind, behaviour: &'static Behaviour, number: &str, unique: String) -> Self {
        let brand = NO_BRAND.to_owned();
        Self { kind, brand, behaviour, last4: last4(number).to_owned(), exp_month: 0, exp_year: 0, unique }
    }

    /// Reads a token; `None` where it is neither a ready-made one nor of our own making.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ready_made(text).or_else(|| Self::parse_own(text))
    }

    /// What a charge of this token does; the hot path, which copies nothing.
    pub fn behaviour_of(text: &str) -> Option<&'static Behaviour> {
        if let Some(behaviour) = split(text).and_then(|parts| Behaviour::named(parts.behaviour)) {
            return Some(behaviour);
        }
        Self::ready_made(text).map(|token| token.behaviour)
    }

    fn parse_own(text: &str) -> Option<Self> {
        let parts = split(text)?;
        let (month, year) = parts.expiry.split_at_checked(2)?;
        Some(Self {
            kind: Kind::from_token_part(parts.kind)?,
            brand: parts.brand.to_owned(),
            behaviour: Behaviour::named(parts.behaviour)?,
            last4: parts.last4.to_owned(),
            exp_month: month.parse().ok()?,
            exp_year: year.parse().ok()?,
            unique: parts.unique.to_owned(),
        })
    }

    fn ready_made(text: &str) -> Option<Self> {
        let card = TEST_CARDS.iter().find(|card| card.token == Some(text));
        let alias = TOKEN_ALIASES.iter().find(|(name, _)| *name == text);
        let (brand, behaviour, number) = match (card, alias) {
            (Some(card), _) => (card.brand, card.behaviour, card.number),
            (None, Some((_, behaviour))) => ("visa", *behaviour, "4242"),
            (None, None) => {
                let account = TEST_US_ACCOUNTS.iter().find(|account| account.token == Some(text))?;
                let unique = String::from("test");
                return Some(Self::bank(Kind::UsBankAccount, account.behaviour, account.number, unique));
            }
        };
        let (exp_month, exp_year) = READY_MADE_EXPIRY;
        Some(Self {
            kind: Kind::Card,
            brand: brand.to_owned(),
            behaviour,
            last4: last4(number).to_owned(),
            exp_month,
            exp_year,
            unique: String::from("test"),
        })
    }
}

struct Parts<'a> {
    kind: &'a str,
    brand: &'a str,
    behaviour: &'a str,
    last4: &'a str,
    expiry: &'a str,
    unique: &'a str,
}

fn split(text: &str) -> Option<Parts<'_>> {
    let mut parts = text.strip_prefix("pm_")?.split('_');
    let split = Parts {
        kind: parts.next()?,
        brand: parts.next()?,
        behaviour: parts.next()?,
        last4: parts.next()?,
        expiry: parts.next()?,
        unique: parts.next()?,
    };
    let complete = parts.next().is_none()
        && Kind::from_token_part(split.kind).is_some()
        && split.expiry.len() == 6
        && split.expiry.bytes().all(|byte| byte.is_ascii_digit())
        && !split.unique.is_empty();
    complete.then_some(split)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::super::behaviour::{BEHAVIOURS, DECLINE};
    use super::*;

    #[test]
    fn a_token_says_everything_it_was_made_from() {
        for behaviour in BEHAVIOURS {
            let token = Token {
                kind: Kind::Card,
                brand: "visa".into(),
                behaviour,
                last4: "4242".into(),
                exp_month: 3,
                exp_year: 2031,
                unique: "00ff".into(),
            };
            assert_eq!(Token::parse(&token.to_string()), Some(token.clone()));
            assert_eq!(Token::behaviour_of(&token.to_string()), Some(*behaviour));
        }
        let account = Token::bank(Kind::SepaDebit, &DECLINE, "DE89370400440532013000", "1a".into());
        assert_eq!(account.to_string(), "pm_sepaDebit_bank_decline_3000_000000_1a");
        assert_eq!(Token::parse(&account.to_string()), Some(account));
    }

    #[test]
    fn ready_made_tokens_are_known() {
        for card in TEST_CARDS {
            if let Some(name) = card.token {
                assert_eq!(Token::behaviour_of(name), Some(card.behaviour), "{name}");
                assert_eq!(Token::parse(name).unwrap().brand, card.brand);
            }
        }
        assert_eq!(Token::behaviour_of("pm_usBankAccount_processing").unwrap().slug, "processing");
    }

    #[test]
    fn foreign_and_broken_tokens_are_unknown() {
        for text in [
            "",
            "pm_",
            "tok_visa",
            "pm_card_nothing",
            "pm_card_visa_approve_4242_122030",
            "pm_card_visa_approve_4242_122030_",
            "pm_card_visa_approve_4242_122030_1_2",
            "pm_card_visa_maybe_4242_122030_1",
            "pm_card_visa_approve_4242_12203_1",
            "pm_purse_visa_approve_4242_122030_1",
        ] {
            assert_eq!(Token::parse(text), None, "{text}");
            assert_eq!(Token::behaviour_of(text), None, "{text}");
        }
    }
}
