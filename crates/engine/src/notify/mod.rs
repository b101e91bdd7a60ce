//! Notifications: who is told what happened, and when it is tried again.
//!
//! What happened is read from the record of events, which is written in the transaction that makes it happen, so that the
//! work itself writes nothing more. Each webhook has a position in that record. What lies behind the position has become
//! a delivery; a delivery is tried until the endpoint takes it, or is given up after a bounded number of attempts.

mod address;
mod dispatch;
mod lanes;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use address::is_public;
pub use dispatch::{Dispatcher, DispatcherPorts};
pub use lanes::{Lane, Room, Waiting, divide, next_due, ready};
pub use retry::{ATTEMPTS_AFTER_FAILURE, ATTEMPTS_MAX, Verdict, pause_after, verdict};

use crate::account::Stamps;
use crate::ids::{DeliveryId, EntityId, EntityKey, PaymentId, RunId, WebhookId};
use crate::payment::Payment;
use crate::run::{Run, Tallies};

/// Webhooks of an entity at most: each of them reads every event of the entity.
pub const WEBHOOKS_MAX: usize = 20;
/// Deliveries of one webhook that wait at most; later events wait in the record until there is room.
pub const WAITING_MAX: usize = 512;
/// Deliveries of one run that wait at most, so that a large run, or one whose notifications are refused, leaves room for others.
pub const WAITING_OF_RUN_MAX: usize = WAITING_MAX / 8;
/// Deliveries of one webhook that wait at most, with those that are to be repeated at a caller's word, and the first of each run
/// that has none, for which there is room beyond the others.
pub const WAITING_IN_ALL_MAX: usize = 2 * WAITING_MAX;
/// Runs of which a webhook has more to be told than may wait, at most. Where there are more, what follows waits in the record.
pub const HELD_RUNS_MAX: usize = WAITING_IN_ALL_MAX;
/// Deliveries of one webhook under way at the same time at most, each of another run.
pub const IN_FLIGHT_MAX: usize = 4;
/// Deliveries of a process under way at the same time at most.
pub const IN_FLIGHT_TOTAL_MAX: usize = 128;
/// Deliveries of one webhook that are kept at least so long: older ones that have ended are forgotten.
pub const DELIVERIES_KEPT: u64 = 10_000;
/// Bytes of a notification at most. Texts in it are cut so that it never has more.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NotificationKind {
    /// A run has ended: completed, canceled or in error.
    RunEnded,
    /// A payment was approved.
    PaymentProcessed,
    /// A payment was declined.
    PaymentDeclined,
}

impl NotificationKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::RunEnded, Self::PaymentProcessed, Self::PaymentDeclined];

    /// The number under which the public documentation lists it.
    pub fn category(self) -> u32 {
        match self {
            Self::RunEnded => 2140,
            Self::PaymentProcessed => 2120,
            Self::PaymentDeclined => 2110,
        }
    }
}

/// Which secret an endpoint checks signatures with. The secrets themselves are derived and never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretVersion {
    /// Counts from 1; every rotation adds one.
    pub generation: u32,
    /// When the last rotation was (UTC). The secret before it is good for a while longer.
    pub rotated_at: Option<Timestamp>,
}

/// An endpoint and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Identifier.
    pub id: WebhookId,
    /// Where notifications are sent.
    pub url: String,
    /// Free text.
    pub description: Option<String>,
    /// What it is told, without repetition.
    pub kinds: Vec<NotificationKind>,
    /// Whether anything is sent. While it is not, events wait.
    pub is_active: bool,
    /// The secret that signs.
    pub secret: SecretVersion,
    /// Who and when.
    pub stamps: Stamps,
}

/// A change of a webhook. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookChange {
    /// Where notifications are sent.
    pub url: Option<String>,
    /// Free text; `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// What it is told. A kind that is added counts from the change on.
    pub kinds: Option<Vec<NotificationKind>>,
    /// Whether anything is sent.
    pub is_active: Option<bool>,
    /// Whether it gets another secret.
    pub rotates: bool,
}

/// Something that happened and may be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its place in the entity's record of events.
    pub event: i64,
    /// What.
    pub kind: NotificationKind,
    /// When (UTC).
    pub at: Timestamp,
    /// In which entity.
    pub entity: EntityId,
    /// To what.
    pub subject: Subject,
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// A run that has ended.
    Run(Box<EndedRun>),
    /// A payment whose outcome is definite.
    Payment(Box<EndedPayment>),
}

impl Subject {
    /// The run it belongs to.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(ended) => Some(ended.run.id),
            Self::Payment(ended) => ended.payment.run,
        }
    }

    /// The payment it is about.
    pub fn payment(&self) -> Option<PaymentId> {
        match self {
            Self::Run(_) => None,
            Self::Payment(ended) => Some(ended.payment.id),
        }
    }
}

/// A run that has ended, with its counters.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedRun {
    /// The run.
    pub run: Run,
    /// Its target date as callers see it.
    pub target_date: Option<Date>,
    /// Its counters. Outcomes that are still open count later.
    pub tallies: Tallies,
}

/// A payment whose outcome is definite.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedPayment {
    /// The payment, without its parts.
    pub payment: Payment,
    /// The number of its account.
    pub account_number: String,
    /// The number of its run.
    pub run_number: Option<String>,
}

/// Which events are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// Those of every run but these; `None` stands for payments without a run.
    AllBut(BTreeSet<Option<RunId>>),
    /// Those of this one.
    Only(Option<RunId>),
}

impl Runs {
    /// Whether events of a run are read.
    pub fn includes(&self, run: Option<RunId>) -> bool {
        match self {
            Self::AllBut(left_out) => !left_out.contains(&run),
            Self::Only(only) => *only == run,
        }
    }
}

/// What is to be read of the record of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The events after this place.
    pub after: i64,
    /// Up to this one; `None` means all there are.
    pub upto: Option<i64>,
    /// Of which runs.
    pub runs: Runs,
    /// So many notifications at most.
    pub limit: usize,
}

/// A step of a webhook through the record of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its position before.
    pub from: i64,
    /// Its position after.
    pub upto: i64,
    /// Where it stands from now on with runs of which it has more to be told: the last event of the run that has become a
    /// delivery. `None` means that it is up to its position with them.
    pub held: Vec<(Option<RunId>, Option<i64>)>,
}

/// What follows a webhook's position.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcoming {
    /// What it is to be told, in the order in which it happened.
    pub notifications: Vec<Notification>,
    /// The position after them.
    pub upto: i64,
    /// Whether more follows.
    pub has_more: bool,
}

/// A delivery to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Identifier, the same in every attempt.
    pub id: DeliveryId,
    /// The event's place in the record.
    pub event: i64,
    /// What.
    pub kind: NotificationKind,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// The payment it is about.
    pub payment: Option<PaymentId>,
    /// Exactly what is sent.
    pub body: Vec<u8>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// It is tried again, or for the first time.
    Waiting,
    /// The endpoint took it.
    Delivered,
    /// It was given up.
    Failed,
}

/// A delivery as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Identifier.
    pub id: DeliveryId,
    /// Its place among the webhook's deliveries.
    pub ordinal: u64,
    /// What.
    pub kind: NotificationKind,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// The payment it is about.
    pub payment: Option<PaymentId>,
    /// Exactly what is sent.
    pub body: Vec<u8>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts made; a replay counts anew.
    pub attempts: u32,
    /// The next attempt (UTC), while it waits.
    pub due_at: Option<Timestamp>,
    /// The last attempt (UTC).
    pub tried_at: Option<Timestamp>,
    /// The last HTTP status.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was made (UTC).
    pub created_at: Timestamp,
    /// When it was taken or given up (UTC).
    pub ended_at: Option<Timestamp>,
}

/// Which deliveries are listed, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryQuery {
    /// Only these.
    pub state: Option<DeliveryState>,
    /// Only those before this place.
    pub before: Option<u64>,
    /// So many at most.
    pub limit: u32,
}

/// What came of the word to repeat a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It waits again.
    Done(Box<Delivery>),
    /// It waits already.
    Waiting,
    /// Too many deliveries of the webhook wait.
    Full,
    /// There is no such delivery.
    Missing,
}

/// What an attempt brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The endpoint answered with this HTTP status.
    Answered(u16),
    /// There was no answer.
    Unanswered {
        /// Why, for the administrator.
        why: String,
    },
}

/// An attempt to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Whose.
    pub entity: EntityKey,
    /// Of which webhook.
    pub webhook: WebhookId,
    /// Of which delivery.
    pub ordinal: u64,
    /// When it ended (UTC).
    pub at: Timestamp,
    /// What it brought.
    pub attempt: Attempt,
    /// What follows.
    pub verdict: Verdict,
}

/// One attempt, for the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// Where to.
    pub url: String,
    /// On whose behalf.
    pub webhook: WebhookId,
    /// Which delivery.
    pub delivery: DeliveryId,
    /// What.
    pub kind: NotificationKind,
    /// Generations of the secrets that sign, newest first.
    pub generations: Vec<u32>,
    /// When it is sent, by the real time (UTC); the signature holds it, and the receiver compares it with its own clock.
    pub at: Timestamp,
    /// Exactly what is sent.
    pub body: Vec<u8>,
}

impl Webhook {
    /// The generations of secrets that sign at a time, newest first: for a while after a rotation also the one before,
    /// so that an endpoint can change over without refusing anything.
    pub fn generations(&self, now: Timestamp) -> Vec<u32> {
        let SecretVersion { generation, rotated_at } = self.secret;
        let is_recent = rotated_at.is_some_and(|at| now.duration_since(at) < retry::ROTATION_OVERLAP);
        let previous = (is_recent && generation > 1).then(|| generation - 1);
        [generation].into_iter().chain(previous).collect()
    }
}
