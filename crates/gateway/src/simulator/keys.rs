//! Idempotency keys: what each was used for, and what the seed makes of it.

use sha2::{Digest, Sha256};

use super::bank::BankSettings;
use super::intent::IntentId;
use super::request::FINGERPRINT_BYTES;
use super::shard::SHARDS;

/// What is known of one idempotency key.
#[derive(Debug, Default)]
pub(super) struct KeyRecord {
    /// How often a request with this key arrived.
    pub(super) deliveries: u32,
    /// How many charges were made under it; more than one only after it expired, or where keys are ignored.
    pub(super) charges: u32,
    /// What it was first used for, while it is remembered.
    pub(super) used: Option<Used>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) since_ms: i64,
    pub(super) fingerprint: [u8; FINGERPRINT_BYTES],
    /// Until then another request with the key is told to wait.
    pub(super) busy_until_ms: i64,
    pub(super) saved: Saved,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Saved {
    /// Nothing yet: the charge is still to come.
    Nothing,
    /// The answer to this charge, by its place in the shard.
    Charge(usize),
    /// A server error, with nothing charged.
    Error,
}

/// What the seed and a key make up together.
pub(super) struct Identity(pub(super) [u8; 32]);

impl Identity {
    pub(super) fn of(seed: u64, name: &[u8]) -> Self {
        Self(Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize().into())
    }

    pub(super) fn shard(&self) -> usize {
        usize::from(self.0[0]) % SHARDS
    }

    pub(super) fn fault_seed(&self) -> u64 {
        self.0.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// The id of the charge numbered `ordinal` under this key. It stays in the key's shard.
    pub(super) fn intent_id(&self, ordinal: u32) -> IntentId {
        if ordinal == 0 {
            return IntentId::from_hash(&self.0);
        }
        let mut hash: [u8; 32] =
            Sha256::new().chain_update(self.0).chain_update(ordinal.to_le_bytes()).finalize().into();
        hash[0] = self.0[0];
        IntentId::from_hash(&hash)
    }
}

impl KeyRecord {
    /// Drops what a key stands for once its life is over, or where keys mean nothing.
    pub(super) fn forget(&mut self, now_ms: i64, settings: &BankSettings) {
        let expired =
            self.used.is_some_and(|used| now_ms.saturating_sub(used.since_ms) >= settings.key_life_ms);
        if expired || !settings.honours_keys {
            self.used = None;
        }
    }
}
