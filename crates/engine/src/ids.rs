//! Identifiers. Inside they are 128-bit numbers; on the wire they are 32 lower-case hexadecimal characters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is 32 hexadecimal characters")]
pub struct ParseIdError;

/// Reads 32 hexadecimal characters, also in the dashed form of a UUID.
fn parse_hex(text: &str) -> Result<u128, ParseIdError> {
    let dashed = text.len() == 36 && [8, 13, 18, 23].iter().all(|&at| text.as_bytes()[at] == b'-');
    if !dashed && text.len() != 32 {
        return Err(ParseIdError);
    }
    let mut value: u128 = 0;
    let mut digits = 0;
    for character in text.chars().filter(|&c| !(dashed && c == '-')) {
        let digit = character.to_digit(16).ok_or(ParseIdError)?;
        value = (value << 4) | u128::from(digit);
        digits += 1;
    }
    if digits == 32 { Ok(value) } else { Err(ParseIdError) }
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Makes the identifier from its number.
            pub const fn from_u128(value: u128) -> Self {
                Self(value)
            }
            /// The identifier as a number.
            pub const fn as_u128(self) -> u128 {
                self.0
            }
            /// The identifier as 16 big-endian bytes, whose order is the order of the identifiers.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
            /// Makes the identifier from its 16 big-endian bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hex(text).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

typed_ids! {
    /// A ledger: the database and every copy of it. Keys of charges begin with it.
    LedgerId
    /// A customer account.
    AccountId
    /// An invoice or a debit memo.
    DocumentId
    /// A credit memo.
    CreditMemoId
    /// A payment.
    PaymentId
    /// A payment method.
    PaymentMethodId
    /// A configured payment gateway.
    GatewayId
    /// A payment run.
    RunId
    /// A schedule of payment runs.
    ScheduleId
    /// An import.
    ImportId
    /// A bill run, known to us only by its identifier.
    BillRunId
    /// A user, who is recorded as creator and updater.
    UserId
    /// An organization inside an entity.
    OrganizationId
    /// An entity, as callers name it.
    EntityId
    /// An endpoint that is told what happened.
    WebhookId
    /// One thing told to one endpoint.
    DeliveryId
}

/// The short key of an entity. It leads every hot key, so it is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityKey(pub i32);

impl EntityKey {
    /// The entity that exists from the first start.
    pub const FIRST: Self = Self(1);
}

/// An object as a caller names it: by identifier or by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key(String);

impl Key {
    /// Takes the caller's text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The caller's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The text as an identifier's number, if it has that form.
    pub fn as_id(&self) -> Option<u128> {
        parse_hex(&self.0).ok()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn reads_both_spellings() {
        let plain: AccountId = "8ad09be48db5aba7018db604776d4854".parse().unwrap();
        let dashed: AccountId = "8AD09BE4-8db5-aba7-018d-b604776d4854".parse().unwrap();
        assert_eq!(plain, dashed);
        assert_eq!(plain.to_string(), "8ad09be48db5aba7018db604776d4854");
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "",
            "account2",
            "8ad09be48db5aba7018db604776d485",
            "zad09be48db5aba7018db604776d4854",
            "€€€€€€€€€€€€",
        ] {
            assert_eq!(text.parse::<AccountId>(), Err(ParseIdError), "{text}");
        }
    }
}
