//! The bank's memory, cut into shards so that requests hardly ever wait for one another.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::intent::{Intent, IntentId};
use super::keys::KeyRecord;

/// So many locks that requests hardly ever wait for one another. A power of two that fits a byte.
pub(super) const SHARDS: usize = 64;

/// A part of the memory: some keys, and the charges made under them.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) keys: HashMap<Box<str>, KeyRecord>,
    pub(super) intents: Vec<Intent>,
    pub(super) by_id: HashMap<IntentId, usize>,
    pub(super) replays: Vec<Replay>,
}

/// A delivery that was answered from a saved answer.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) sequence: u64,
    pub(super) at_ms: i64,
    pub(super) intent: usize,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a shard is held leaves whole entries behind: each is pushed in one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    pub(super) fn insert(&mut self, intent: Intent) {
        self.by_id.insert(intent.id, self.intents.len());
        self.intents.push(intent);
    }

    /// Takes the record out, so that it and the rest of the shard can both be changed.
    pub(super) fn take_record(&mut self, key: Option<&str>) -> KeyRecord {
        key.and_then(|key| self.keys.get_mut(key)).map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn put_record(&mut self, key: Option<&str>, record: KeyRecord) {
        let Some(key) = key else { return };
        match self.keys.get_mut(key) {
            Some(place) => *place = record,
            None => {
                self.keys.insert(key.into(), record);
            }
        }
    }
}
