//! Cursors: opaque, signed positions in a list. A cursor is good only for the list it was made for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of the signature that a cursor carries: enough that nobody guesses one.
const SIGNATURE_BYTES: usize = 16;

/// Bytes in a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// Writes a position as a cursor. `list` tells which list it belongs to: every condition that decides what is in it.
pub(crate) fn sign(key: &[u8; 32], list: &[&[u8]], position: &[u8]) -> String {
    let mut bytes = position.to_vec();
    bytes.extend_from_slice(&signature(key, list, position));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position in a cursor; `None` when it was altered, or made for another list or by another server.
pub(crate) fn read(key: &[u8; 32], list: &[&[u8]], cursor: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (position, given) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
    let is_ours = bool::from(subtle::ConstantTimeEq::ct_eq(given, &signature(key, list, position)[..]));
    is_ours.then(|| position.to_vec())
}

fn signature(key: &[u8; 32], list: &[&[u8]], position: &[u8]) -> [u8; SIGNATURE_BYTES] {
    // A key shorter than the digest's block is filled up with zeros, as the standard says.
    let mut block = [0; BLOCK_BYTES];
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    // Lengths keep the parts apart, so that no two lists look alike.
    for part in list.iter().copied().chain([position]) {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    let whole = mac.finalize().into_bytes();
    let mut signature = [0; SIGNATURE_BYTES];
    signature.copy_from_slice(&whole[..SIGNATURE_BYTES]);
    signature
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const LIST: &[&[u8]] = &[b"decisions", b"run-1", b"skipped"];

    #[test]
    fn a_cursor_brings_its_position_back() {
        for position in [&b""[..], b"\x00\x00\x00\x01\x00\x00\x00\x02", b"a longer position of a sort key"] {
            let cursor = sign(&KEY, LIST, position);
            assert_eq!(read(&KEY, LIST, &cursor).unwrap(), position);
            assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        }
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let cursor = sign(&KEY, LIST, b"\x00\x00\x00\x01\x00\x00\x00\x02");
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(read(&KEY, LIST, &URL_SAFE_NO_PAD.encode(altered)), None, "byte {at}");
        }
        assert_eq!(read(&KEY, LIST, &cursor[..cursor.len() - 2]), None);
    }

    #[test]
    fn foreign_cursors_are_refused() {
        let cursor = sign(&KEY, LIST, b"position");
        assert_eq!(read(&[8; 32], LIST, &cursor), None, "another server");
        assert_eq!(read(&KEY, &[b"decisions", b"run-2", b"skipped"], &cursor), None, "another run");
        assert_eq!(read(&KEY, &[b"decisions", b"run-1", b""], &cursor), None, "other conditions");
        assert_eq!(read(&KEY, &[b"decisions", b"run-1skipped", b""], &cursor), None, "shifted parts");
        for garbage in ["", "eyJhZnRlciI6M30", "not base64!", "AAAA"] {
            assert_eq!(read(&KEY, LIST, garbage), None, "{garbage}");
        }
    }
}
