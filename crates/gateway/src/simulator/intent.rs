//! One charge as the simulated bank keeps it.

use std::fmt;

use super::behaviour::{Behaviour, Standing};
use super::request::FINGERPRINT_BYTES;

/// Ninety-six bits, of which the first byte names the shard that holds the intent.
const ID_BYTES: usize = 12;

/// The identity of a payment intent and of its charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntentId(pub [u8; ID_BYTES]);

impl IntentId {
    /// Takes the identity from the front of a hash.
    pub fn from_hash(hash: &[u8; 32]) -> Self {
        let mut bytes = [0; ID_BYTES];
        bytes.copy_from_slice(&hash[..ID_BYTES]);
        Self(bytes)
    }

    /// Reads `pi_` and 24 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = hex_bytes(text.strip_prefix("pi_")?)?;
        bytes.try_into().ok().map(Self)
    }

    /// The digits without a prefix.
    pub fn hex(&self) -> Hex<'_> {
        Hex(&self.0)
    }
}

/// Bytes shown as lower-case hexadecimal digits.
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in self.0 {
            let pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            f.write_str(std::str::from_utf8(&pair).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Reads lower-case hexadecimal digits.
pub fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// A charge that was made, whether it succeeded or not.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The place in the journal.
    pub sequence: u64,
    /// When it was made, in milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// Its identity.
    pub id: IntentId,
    /// The idempotency key it came with.
    pub idempotency_key: Option<Box<str>>,
    /// The parameters it came with.
    pub fingerprint: [u8; FINGERPRINT_BYTES],
    /// Amount in minor units.
    pub amount_minor: i64,
    /// Three lower-case letters.
    pub currency: [u8; 3],
    /// The token charged.
    pub payment_method: Box<str>,
    /// How the charge goes on.
    pub behaviour: &'static Behaviour,
    /// Free text.
    pub description: Option<Box<str>>,
    /// Names and values in the order given.
    pub metadata: Box<[(Box<str>, Box<str>)]>,
    /// Whether the key answers 500 although the charge was made.
    pub saved_error: bool,
}

impl Intent {
    /// How the charge stands at `now_ms`.
    pub fn standing(&self, now_ms: i64) -> Standing {
        self.behaviour.standing(self.at_ms, now_ms)
    }

    /// The currency as text.
    pub fn currency(&self) -> &str {
        std::str::from_utf8(&self.currency).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_text() {
        let id = IntentId([0, 1, 15, 16, 17, 127, 128, 200, 250, 253, 254, 255]);
        let text = format!("pi_{}", id.hex());
        assert_eq!(text, "pi_00010f10117f80c8fafdfeff");
        assert_eq!(IntentId::parse(&text), Some(id));
        for bad in [
            "pi_",
            "ch_00010f10117f80c8fafdfeff",
            "pi_00010F10117f80c8fafdfeff",
            "pi_00010f10117f80c8fafdfe",
            "pi_0",
        ] {
            assert_eq!(IntentId::parse(bad), None, "{bad}");
        }
    }
}
