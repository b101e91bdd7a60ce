//! Which deliveries of a webhook may be sent now: one at a time of each run, in their order.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::ids::{DeliveryId, RunId};

use super::NotificationKind;

/// Deliveries of one lane are sent one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Those of a run.
    Run(RunId),
    /// Those of payments without a run.
    NoRun,
    /// One that is repeated at a caller's word: its turn was long ago, so it keeps nothing waiting.
    Replay(u64),
}

/// A delivery that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Its place among the webhook's deliveries.
    pub ordinal: u64,
    /// Identifier.
    pub id: DeliveryId,
    /// What.
    pub kind: NotificationKind,
    /// What it comes after.
    pub lane: Lane,
    /// Attempts made.
    pub attempts: u32,
    /// Not before (UTC).
    pub due_at: Timestamp,
}

/// The first of every lane none of which is under way.
fn heads<'a>(
    waiting: &'a BTreeMap<u64, Waiting>,
    in_flight: &'a BTreeSet<u64>,
) -> impl Iterator<Item = &'a Waiting> {
    let mut seen = BTreeSet::new();
    waiting.values().filter(move |one| seen.insert(one.lane) && !in_flight.contains(&one.ordinal))
}

/// The deliveries that may be sent now, at most `room`, oldest first.
pub fn ready(
    waiting: &BTreeMap<u64, Waiting>,
    in_flight: &BTreeSet<u64>,
    now: Timestamp,
    room: usize,
) -> Vec<Waiting> {
    heads(waiting, in_flight).filter(|head| head.due_at <= now).take(room).copied().collect()
}

/// When the next delivery that is not due yet will be (UTC).
pub fn next_due(
    waiting: &BTreeMap<u64, Waiting>,
    in_flight: &BTreeSet<u64>,
    now: Timestamp,
) -> Option<Timestamp> {
    heads(waiting, in_flight).map(|head| head.due_at).filter(|due_at| *due_at > now).min()
}
