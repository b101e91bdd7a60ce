//! Secrets of webhooks, and the signatures they make.
//!
//! A secret is derived from the server's own key, the webhook and the generation, so that none is stored. A signature is
//! the HMAC-SHA256, by the secret's text, of the time of sending in seconds, a full stop, and the body.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use payment_runs_engine::ids::WebhookId;
use sha2::{Digest, Sha256};

/// What every secret begins with, so that it is known for what it is where it should not be.
const SECRET_PREFIX: &str = "whsec_";
/// What the derivation is for, so that the key can never make the same bytes for something else.
const PURPOSE: &[u8] = b"webhook secret";
/// Bytes in a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// The secret of a webhook in a generation.
pub(super) fn secret(key: &[u8; 32], webhook: WebhookId, generation: u32) -> String {
    let bytes = mac(key, &[PURPOSE, &webhook.to_bytes(), &generation.to_be_bytes()]);
    format!("{SECRET_PREFIX}{}", hex(&bytes))
}

/// The header's value: the time, and one signature for each secret.
pub(super) fn header(at: Timestamp, body: &[u8], secrets: impl Iterator<Item = String>) -> String {
    let second = at.as_second().to_string();
    let signatures = secrets.map(|secret| {
        let signature = mac(secret.as_bytes(), &[second.as_bytes(), b".", body]);
        format!(",v1={}", hex(&signature))
    });
    format!("t={second}{}", signatures.collect::<String>())
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // As the standard says: a key longer than the digest's block is digested, a shorter one is filled up with zeros.
    let mut block = [0; BLOCK_BYTES];
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // Test cases 2 and 6 of RFC 4231: a short key, and one longer than a block.
        let short = mac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = mac(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(hex(&long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn secrets_differ_by_server_webhook_and_generation() {
        let secrets = [
            secret(&[1; 32], WebhookId::from_u128(1), 1),
            secret(&[2; 32], WebhookId::from_u128(1), 1),
            secret(&[1; 32], WebhookId::from_u128(2), 1),
            secret(&[1; 32], WebhookId::from_u128(1), 2),
        ];
        for (index, one) in secrets.iter().enumerate() {
            assert!(one.starts_with("whsec_") && one.len() == 70, "{one}");
            assert!(!secrets[index + 1..].contains(one));
        }
        assert_eq!(secrets[0], secret(&[1; 32], WebhookId::from_u128(1), 1));
    }

    #[test]
    fn a_header_holds_the_time_and_a_signature_for_each_secret() {
        let at = Timestamp::UNIX_EPOCH;
        let value = header(at, b"{}", ["one", "two"].map(str::to_owned).into_iter());
        let one = hex(&mac(b"one", &[b"0.{}"]));
        let two = hex(&mac(b"two", &[b"0.{}"]));
        assert_eq!(value, format!("t=0,v1={one},v1={two}"));
    }
}
