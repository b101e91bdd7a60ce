//! The bank's charges in the order of time.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Mutex;

use super::answer::{Answer, ApiError, list_answer};
use super::bank::Bank;
use super::intent::{Intent, IntentId};
use super::shard::lock;

/// The place of a charge in the order of time: when it was made, in whole seconds as lists tell it, then by the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    second: i64,
    sequence: u64,
    id: IntentId,
}

impl Moment {
    pub(super) fn of(intent: &Intent) -> Self {
        Self { second: intent.at_ms.div_euclid(1_000), sequence: intent.sequence, id: intent.id }
    }
}

/// Every charge, by when it was made.
#[derive(Debug, Default)]
pub(super) struct Timeline(Mutex<BTreeSet<Moment>>);

impl Timeline {
    pub(super) fn add(&self, intent: &Intent) {
        lock(&self.0).insert(Moment::of(intent));
    }

    /// The newest charges made since a second and before another charge, at most so many, newest first.
    pub(super) fn newest(&self, since_s: i64, before: Option<Moment>, count: usize) -> Vec<IntentId> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let moments = lock(&self.0);
        let newest_first = moments.range((Bound::Unbounded, end)).rev();
        newest_first.take_while(|moment| moment.second >= since_s).take(count).map(|one| one.id).collect()
    }
}

impl Bank {
    /// The charges made since a time, newest first: at most `limit` after the one that is named. One that is not known is
    /// refused.
    pub fn list(&self, since_s: i64, after: Option<&str>, limit: usize, now_ms: i64) -> Answer {
        let after = match after.map(|id| self.moment_of(id).ok_or(id)).transpose() {
            Ok(after) => after,
            Err(id) => return ApiError::no_such("starting_after", "payment_intent", id).answer(),
        };
        let ids = self.timeline.newest(since_s, after, limit.saturating_add(1));
        let intents: Vec<Intent> = ids.iter().take(limit).filter_map(|id| self.intent(*id)).collect();
        list_answer(&intents, now_ms, ids.len() > limit)
    }

    fn moment_of(&self, id: &str) -> Option<Moment> {
        IntentId::parse(id).and_then(|id| self.intent(id)).map(|intent| Moment::of(&intent))
    }
}
