//! Client secrets are kept only as Argon2id hashes.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use payment_runs_engine::ports::Entropy;

/// Bytes of salt per secret.
const SALT_BYTES: usize = 16;

/// Why a secret could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the client secret could not be hashed: {0}")]
pub struct SecretError(String);

/// Hashes a client secret with a fresh salt; the result is in the PHC string format.
pub fn hash_secret(secret: &str, entropy: &dyn Entropy) -> Result<String, SecretError> {
    let mut salt = [0_u8; SALT_BYTES];
    entropy.fill(&mut salt);
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(secret.as_bytes(), &salt)
        .map_err(|error| SecretError(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the secret belongs to the hash. The comparison takes the same time wherever the two differ.
pub(crate) fn verify_secret(secret: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn only_the_right_secret_fits() {
        let hash = hash_secret("open sesame", &Fixed(1)).unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(!hash.contains("sesame"));
        assert!(verify_secret("open sesame", &hash));
        assert!(!verify_secret("open sesame ", &hash));
        assert!(!verify_secret("open sesame", "not a hash"));
        assert_ne!(hash, hash_secret("open sesame", &Fixed(2)).unwrap(), "the salt must matter");
    }
}
