//! Receiving notifications: whether a delivery comes from the server that it seems to come from, and what it says.
//!
//! A server signs each delivery with the webhook's secret, which it told when the webhook was made. The header
//! [`SIGNATURE_HEADER`] reads `t=1753694131,v1=5257a869…`: the time of sending in seconds since 1970, and the HMAC-SHA256, in
//! hexadecimal, of that time, a full stop and the body's bytes. For a while after a rotation there are two `v1`.
//!
//! ```
//! use payment_runs_client::webhook;
//!
//! # fn handle(header: &str, body: &[u8]) -> Result<(), webhook::VerifyError> {
//! // The bytes as they came, before anything parses them.
//! let notification = webhook::read("whsec_…", header, body)?;
//! // Deliveries may come more than once: remember the id, and answer with a status below 300.
//! println!("{} {}", notification.id, notification.event);
//! # Ok(())
//! # }
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use payment_runs_types::ops::Notification;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::system;

/// The header that holds the signature.
pub const SIGNATURE_HEADER: &str = "payment-runs-signature";

/// The header that repeats the id of the delivery.
pub const DELIVERY_HEADER: &str = "payment-runs-delivery";

/// The header that repeats the event.
pub const EVENT_HEADER: &str = "payment-runs-event";

/// How far the time of sending may be from the receiver's, for [`read`]. An older delivery may be a recorded one.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// Signatures in a header at most; a server sends one or two.
const SIGNATURES_MAX: usize = 8;

/// Why a delivery is not to be believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The header does not have the form of a signature.
    #[error("the signature header cannot be read")]
    Header,
    /// It was sent too long ago, or in the future.
    #[error("the delivery was signed at another time")]
    Time,
    /// No signature was made with the secret for this body and time.
    #[error("the signature does not belong to this body and secret")]
    Signature,
    /// It is genuine, but no notification that this version knows.
    #[error("the body is not a notification")]
    Body(#[source] serde_json::Error),
}

/// Verifies a delivery that has just come and reads it. `header` is the value of [`SIGNATURE_HEADER`], and `body` the bytes as
/// they came.
pub fn read(secret: &str, header: &str, body: &[u8]) -> Result<Notification, VerifyError> {
    verify(secret, header, body, system::calendar(), TOLERANCE)?;
    serde_json::from_slice(body).map_err(VerifyError::Body)
}

/// Verifies a delivery: whether one of its signatures was made with the secret for this body, no farther than `tolerance` from
/// `now`. Signatures are compared in constant time.
pub fn verify(
    secret: &str,
    header: &str,
    body: &[u8],
    now: SystemTime,
    tolerance: Duration,
) -> Result<(), VerifyError> {
    let (second, signatures) = parse(header).ok_or(VerifyError::Header)?;
    let sent_at = UNIX_EPOCH.checked_add(Duration::from_secs(second)).ok_or(VerifyError::Header)?;
    let age = now.duration_since(sent_at).unwrap_or_else(|ahead| ahead.duration());
    let expected = sign(secret, second, body);
    // Every one is compared, so that the time it takes does not tell which was right.
    let is_signed =
        signatures.iter().fold(false, |found, one| bool::from(one.as_slice().ct_eq(&expected)) | found);
    if !is_signed {
        return Err(VerifyError::Signature);
    }
    if age > tolerance { Err(VerifyError::Time) } else { Ok(()) }
}

fn sign(secret: &str, second: u64, body: &[u8]) -> Vec<u8> {
    // A key of any length can be used, so this never fails; without a key nothing would be equal.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(second.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// The time and the signatures in a header.
fn parse(header: &str) -> Option<(u64, Vec<Vec<u8>>)> {
    let mut second = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", digits) if second.is_none() => second = Some(decimal(digits)?),
            ("v1", digits) if signatures.len() < SIGNATURES_MAX => signatures.push(hex(digits)?),
            // A second time, or too many signatures.
            ("t" | "v1", _) => return None,
            // A later version of the signature may stand beside this one.
            _ => {}
        }
    }
    second.filter(|_| !signatures.is_empty()).map(|second| (second, signatures))
}

/// A number exactly as it is signed: digits alone, and none too many.
fn decimal(digits: &str) -> Option<u64> {
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// The 32 bytes of a signature.
fn hex(digits: &str) -> Option<Vec<u8>> {
    let is_hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2));
    if is_hex { pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::fmt::Write as _;

    use super::*;

    const SECRET: &str = "whsec_of-a-test";
    const BODY: &[u8] = br#"{"id":"1"}"#;
    const SECOND: u64 = 1_753_694_131;

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn signature(secret: &str, second: u64, body: &[u8]) -> String {
        sign(secret, second, body).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    fn check(header: &str, now: u64) -> Result<(), VerifyError> {
        verify(SECRET, header, BODY, at(now), TOLERANCE)
    }

    #[test]
    fn a_delivery_is_believed_in_its_time() {
        let v1 = signature(SECRET, SECOND, BODY);
        let header = format!("t={SECOND},v1={v1}");
        for now in [SECOND - 300, SECOND, SECOND + 300] {
            check(&header, now).unwrap();
        }
        for now in [SECOND - 301, SECOND + 301] {
            assert!(matches!(check(&header, now), Err(VerifyError::Time)), "{now}");
        }
        let other = signature("another", SECOND, BODY);
        check(&format!("t={SECOND}, v1={other}, v1={v1}, v2=later"), SECOND).unwrap();
    }

    #[test]
    fn nothing_else_is_believed() {
        let v1 = signature(SECRET, SECOND, BODY);
        for header in [
            format!("t={},v1={v1}", SECOND + 1),
            format!("t={SECOND},v1={}", signature("another", SECOND, BODY)),
            format!("t={SECOND},v1={}", signature(SECRET, SECOND, b"{}")),
        ] {
            assert!(matches!(check(&header, SECOND), Err(VerifyError::Signature)), "{header}");
        }
        for header in [
            String::new(),
            format!("t={SECOND}"),
            format!("v1={v1}"),
            format!("t=+{SECOND},v1={v1}"),
            format!("t=0{SECOND},v1={v1}"),
            format!("t={SECOND},t={SECOND},v1={v1}"),
            format!("t={SECOND},v1={}", &v1[..62]),
            format!("t={SECOND},v1={}", v1.replace('0', "é")),
            format!("t={SECOND},v1="),
            format!("t={SECOND}{}", format!(",v1={v1}").repeat(9)),
            "t=18446744073709551616,v1=00".to_owned(),
            "nothing".to_owned(),
        ] {
            assert!(matches!(check(&header, SECOND), Err(VerifyError::Header)), "{header}");
        }
    }

    #[test]
    fn a_genuine_body_must_be_a_notification() {
        let second = system::calendar().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = format!("t={second},v1={}", signature(SECRET, second, BODY));
        assert!(matches!(read(SECRET, &header, BODY), Err(VerifyError::Body(_))));
        assert!(matches!(read("another", &header, BODY), Err(VerifyError::Signature)));
    }
}
