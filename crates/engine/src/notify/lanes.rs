//! Which deliveries of a webhook may be sent now: one at a time of each run, in their order.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::ids::{DeliveryId, RunId};

use super::{NotificationKind, WAITING_IN_ALL_MAX, WAITING_MAX, WAITING_OF_RUN_MAX};

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

impl Lane {
    /// The lane of what is told of a run.
    pub fn of(run: Option<RunId>) -> Self {
        run.map_or(Self::NoRun, Self::Run)
    }
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

/// The room of a webhook for further deliveries. A run has a share of it, and the first delivery of a run has room beside what
/// waits of others: so it comes after those alone that wait before it.
#[derive(Debug, Default)]
pub struct Room {
    waiting: usize,
    of_lane: BTreeMap<Lane, usize>,
}

impl Room {
    /// What these leave.
    pub fn beside(waiting: &BTreeMap<u64, Waiting>) -> Self {
        let mut room = Self::default();
        for one in waiting.values() {
            room.take(one.lane);
        }
        room
    }

    /// Deliveries of a lane that wait.
    pub fn waiting_of(&self, lane: Lane) -> usize {
        self.of_lane.get(&lane).copied().unwrap_or_default()
    }

    /// How many more of a lane may wait.
    pub fn free(&self, lane: Lane) -> usize {
        let of_lane = self.waiting_of(lane);
        let shared = WAITING_OF_RUN_MAX.saturating_sub(of_lane).min(WAITING_MAX.saturating_sub(self.waiting));
        let first = usize::from(of_lane == 0 && self.waiting < WAITING_IN_ALL_MAX);
        shared.max(first)
    }

    fn take(&mut self, lane: Lane) {
        self.waiting += 1;
        *self.of_lane.entry(lane).or_default() += 1;
    }
}

/// What becomes of notifications that were read, each with its run and its place in the record: those for which there is room, and
/// the runs that must wait, each with the place after which it goes on. Nothing overtakes what waits of its run.
pub fn divide<T>(
    waiting: &BTreeMap<u64, Waiting>,
    read: impl IntoIterator<Item = (Option<RunId>, i64, T)>,
) -> (Vec<T>, BTreeMap<Option<RunId>, i64>) {
    let mut room = Room::beside(waiting);
    let mut held = BTreeMap::new();
    let mut ready = Vec::new();
    for (run, event, one) in read {
        let lane = Lane::of(run);
        if held.contains_key(&run) {
            continue;
        }
        if room.free(lane) == 0 {
            held.insert(run, event - 1);
        } else {
            room.take(lane);
            ready.push(one);
        }
    }
    (ready, held)
}
