//! The dispatcher: turns events into deliveries, sends what is due, and records what came of it, until it is told to stop.
//!
//! One dispatcher works on a store. A delivery is stored before it is sent and its attempt is recorded before the next one
//! of its run is sent, so that a process that ends in between sends it again under the same identifier.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};

use super::lanes::{Lane, Room, Waiting, divide, next_due, ready};
use super::retry::{ATTEMPTS_AFTER_FAILURE, ATTEMPTS_MAX, Verdict, verdict};
use super::{
    Attempt, AttemptRecord, HELD_RUNS_MAX, IN_FLIGHT_MAX, IN_FLIGHT_TOTAL_MAX, NewDelivery, Notification,
    Reading, Runs, Step, WAITING_IN_ALL_MAX, WAITING_OF_RUN_MAX, Webhook, WebhookRequest,
};
use crate::ids::{DeliveryId, EntityKey, RunId, WebhookId};
use crate::ports::{
    BoxFuture, Chain, Clock, EncodeNotification, Entropy, Ids, StoreError, WebhookSender, Webhooks,
};

/// Notifications that are read and stored in one transaction at most.
const BATCH_MAX: usize = 128;
/// A run of which more is to be told is read on when fewer of its deliveries wait, so that they are read and stored together.
const READ_ON_BELOW: usize = WAITING_OF_RUN_MAX / 2;
/// Events that a webhook is not told may lie between its stored position and where reading has come, before the position is
/// stored without a delivery: a restart reads them again.
const UNSTORED_EVENTS_MAX: i64 = 10_000;
/// How long nothing is looked at when nobody says that something happened, for what was missed.
const IDLE_POLL: SignedDuration = SignedDuration::from_secs(60);
/// The pause after a failure of the store.
const STORE_PAUSE: SignedDuration = SignedDuration::from_secs(2);

/// What the dispatcher needs.
#[derive(Clone)]
pub struct DispatcherPorts {
    /// Webhooks and deliveries.
    pub webhooks: Arc<dyn Webhooks>,
    /// How notifications are written.
    pub encoder: Arc<dyn EncodeNotification>,
    /// The way to the endpoints.
    pub sender: Arc<dyn WebhookSender>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers of deliveries.
    pub ids: Arc<dyn Ids>,
    /// Jitter.
    pub entropy: Arc<dyn Entropy>,
}

type Key = (EntityKey, WebhookId);

/// One webhook at work.
struct Queue {
    webhook: Webhook,
    /// The position as it is stored.
    stored: i64,
    /// How far events were read.
    read_upto: i64,
    /// Whether there may be events to read.
    may_have_more: bool,
    waiting: BTreeMap<u64, Waiting>,
    in_flight: BTreeSet<u64>,
    /// The runs of which more is to be told than may wait, each with the place after which it goes on.
    held: BTreeMap<Option<RunId>, i64>,
    /// Whether they may be read on.
    may_read_on: bool,
    /// The lanes whose last delivery was given up, and of which more waits. A restart forgets them.
    failed: BTreeSet<Lane>,
}

impl Queue {
    /// Notes what came of an attempt.
    fn note(&mut self, record: &AttemptRecord) {
        self.in_flight.remove(&record.ordinal);
        let Some(one) = self.waiting.get_mut(&record.ordinal) else { return };
        let lane = one.lane;
        match record.verdict {
            Verdict::Again(due_at) => {
                one.attempts += 1;
                one.due_at = due_at;
                return;
            }
            Verdict::Delivered => self.failed.remove(&lane),
            Verdict::GiveUp => self.failed.insert(lane),
        };
        self.waiting.remove(&record.ordinal);
        let is_held = self.held.keys().any(|run| Lane::of(*run) == lane);
        if !is_held && self.waiting.values().all(|other| other.lane != lane) {
            self.failed.remove(&lane);
        }
    }

    /// What is to be read of a run that had to wait, if it is to be read on.
    fn rest_of(&self, run: Option<RunId>) -> Option<Reading> {
        let after = *self.held.get(&run)?;
        let room = Room::beside(&self.waiting);
        let limit = room.free(Lane::of(run));
        let reading = Reading { after, upto: Some(self.read_upto), runs: Runs::Only(run), limit };
        reads_on(&room, run).then_some(reading)
    }

    /// How often a delivery is tried: once when the one before it of its run was given up.
    fn attempts_max(&self, one: &Waiting) -> u32 {
        if self.failed.contains(&one.lane) { ATTEMPTS_AFTER_FAILURE } else { ATTEMPTS_MAX }
    }
}

/// Whether there is room to read a run on, and few enough of it wait.
fn reads_on(room: &Room, run: Option<RunId>) -> bool {
    let lane = Lane::of(run);
    room.waiting_of(lane) < READ_ON_BELOW && room.free(lane) > 0
}

/// An attempt that has ended.
struct Sent {
    key: Key,
    record: AttemptRecord,
}

/// Sends notifications.
pub struct Dispatcher {
    ports: DispatcherPorts,
    queues: BTreeMap<Key, Queue>,
    /// Deliveries under way of every webhook, those that are gone included.
    in_flight: FuturesUnordered<BoxFuture<'static, Sent>>,
    /// Attempts that are not recorded yet.
    ended: Vec<Sent>,
    /// Whether the webhooks are to be read anew.
    is_stale: bool,
    /// When they were read last.
    loaded_at: Timestamp,
    /// The webhook that is served first in the next round, so that none is always the last.
    turn: usize,
}

impl Dispatcher {
    /// A dispatcher over these ports.
    pub fn new(ports: DispatcherPorts) -> Self {
        let (queues, in_flight) = (BTreeMap::new(), FuturesUnordered::new());
        let loaded_at = ports.clock.now();
        Self { ports, queues, in_flight, ended: Vec::new(), is_stale: true, loaded_at, turn: 0 }
    }

    /// Works until `stop` is ready; then what is under way ends and is recorded, and this returns. It also returns when the
    /// store is closed.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let ports = self.ports.clone();
        let mut changed = ports.webhooks.webhooks_changed();
        let mut written = ports.webhooks.events_written();
        loop {
            let wake_at = match self.round().await {
                Ok(wake_at) => wake_at,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "notifications wait for the store");
                    self.is_stale = true;
                    later(ports.clock.now(), STORE_PAUSE)
                }
            };
            let is_idle = self.queues.is_empty();
            tokio::select! {
                biased;
                () = &mut stop => break,
                // Heard before what has ended, since something may always just have. That is collected below in any case.
                () = &mut changed => {
                    changed = ports.webhooks.webhooks_changed();
                    self.is_stale = true;
                }
                // Nobody is to be told, so nobody need be woken while money is collected.
                () = &mut written, if !is_idle => {
                    written = ports.webhooks.events_written();
                    self.expect_events();
                }
                Some(sent) = self.in_flight.next() => self.ended.push(sent),
                () = ports.clock.sleep_until(wake_at) => {
                    // Another process may have changed a webhook.
                    self.is_stale |= later(self.loaded_at, IDLE_POLL) <= ports.clock.now();
                    self.expect_events();
                }
            }
            // What has ended by now is recorded together.
            while let Some(Some(sent)) = self.in_flight.next().now_or_never() {
                self.ended.push(sent);
            }
        }
        self.finish().await;
    }

    fn expect_events(&mut self) {
        for queue in self.queues.values_mut() {
            (queue.may_have_more, queue.may_read_on) = (true, true);
        }
    }

    /// Waits for what is under way, and records it.
    async fn finish(mut self) {
        while let Some(sent) = self.in_flight.next().await {
            self.ended.push(sent);
        }
        if let Err(error) = self.record().await {
            tracing::warn!(
                error = %Chain(&error),
                "the last attempts of notifications were not recorded: they are sent again"
            );
        }
    }

    /// Records what has ended, reads what has happened, sends what is due, and says when to look again.
    async fn round(&mut self) -> Result<Timestamp, StoreError> {
        self.record().await?;
        if self.is_stale {
            self.load().await?;
            self.is_stale = false;
        }
        let keys: Vec<Key> = self.queues.keys().copied().collect();
        let now = self.ports.clock.now();
        let mut wake_at = later(now, IDLE_POLL);
        self.turn = self.turn.wrapping_add(1);
        for index in 0..keys.len() {
            let Some(&key) = keys.get((index + self.turn) % keys.len()) else { continue };
            match self.read(key).await {
                Ok(()) => {}
                // Trying again would not help, and the other webhooks can go on.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(error = %Chain(&error), webhook = %key.1, "a webhook cannot be told what happened");
                }
                Err(error) => return Err(error),
            }
            self.send_due(key).await?;
            if let Some(queue) = self.queues.get(&key)
                && let Some(due_at) = next_due(&queue.waiting, &queue.in_flight, now)
            {
                wake_at = wake_at.min(due_at);
            }
        }
        Ok(wake_at)
    }

    /// Reads the webhooks and what waits for them. What is under way stays so.
    async fn load(&mut self) -> Result<(), StoreError> {
        let webhooks = &self.ports.webhooks;
        let mut read = Vec::new();
        for (entity, webhook, stored) in webhooks.active_webhooks().await? {
            let waiting = webhooks.waiting_deliveries(entity, webhook.id, WAITING_IN_ALL_MAX).await?;
            let waiting = waiting.into_iter().map(|one| (one.ordinal, one)).collect();
            let held = webhooks.held_runs(entity, webhook.id).await?.into_iter().collect();
            read.push(((entity, webhook.id), webhook, stored, waiting, held));
        }
        // Only now, so that a reading that fails half way forgets nothing of what is under way.
        let mut before = std::mem::take(&mut self.queues);
        for (key, webhook, stored, waiting, held) in read {
            let (in_flight, failed) =
                before.remove(&key).map(|queue| (queue.in_flight, queue.failed)).unwrap_or_default();
            let queue = Queue {
                webhook,
                stored,
                read_upto: stored,
                may_have_more: true,
                waiting,
                in_flight,
                held,
                may_read_on: true,
                failed,
            };
            self.queues.insert(key, queue);
        }
        self.loaded_at = self.ports.clock.now();
        Ok(())
    }

    /// Makes deliveries of what has happened, while there is room.
    async fn read(&mut self, key: Key) -> Result<(), StoreError> {
        self.read_on(key).await?;
        while let Some(queue) = self.queues.get_mut(&key)
            && queue.may_have_more
            && queue.held.len() < HELD_RUNS_MAX
        {
            // Should the reading fail for good, it is tried again only when something happens.
            queue.may_have_more = false;
            let runs = Runs::AllBut(queue.held.keys().copied().collect());
            let reading = Reading { after: queue.read_upto, upto: None, runs, limit: BATCH_MAX };
            let upcoming = self.ports.webhooks.upcoming(key.0, key.1, reading).await?;
            let read = upcoming.notifications.into_iter().map(|one| (one.subject.run(), one.event, one));
            let (ready, held) = divide(&queue.waiting, read);
            let is_far = upcoming.upto.saturating_sub(queue.stored) > UNSTORED_EVENTS_MAX;
            if !ready.is_empty() || !held.is_empty() || is_far {
                let held = held.into_iter().map(|(run, after)| (run, Some(after))).collect();
                if !self.put(key, upcoming.upto, &ready, held).await? {
                    return Ok(());
                }
            }
            if let Some(queue) = self.queues.get_mut(&key) {
                (queue.read_upto, queue.may_have_more) = (upcoming.upto, upcoming.has_more);
            }
        }
        Ok(())
    }

    /// Makes deliveries of the runs that had to wait, as there is room for more of them.
    async fn read_on(&mut self, key: Key) -> Result<(), StoreError> {
        let Some(queue) = self.queues.get_mut(&key).filter(|queue| queue.may_read_on) else { return Ok(()) };
        queue.may_read_on = false;
        let room = Room::beside(&queue.waiting);
        let held = queue.held.keys().copied().filter(|run| reads_on(&room, *run));
        for run in held.collect::<Vec<_>>() {
            while let Some(reading) = self.queues.get(&key).and_then(|queue| queue.rest_of(run)) {
                let upto = reading.upto.unwrap_or_default();
                let upcoming = self.ports.webhooks.upcoming(key.0, key.1, reading).await?;
                let rest = upcoming.has_more.then_some(upcoming.upto);
                if !self.put(key, upto, &upcoming.notifications, vec![(run, rest)]).await? {
                    return Ok(());
                }
            }
        }
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.may_read_on = true;
        }
        Ok(())
    }

    /// Stores deliveries, and how far the webhook has been read with them; says whether that was done.
    async fn put(
        &mut self,
        key: Key,
        upto: i64,
        notifications: &[Notification],
        held: Vec<(Option<RunId>, Option<i64>)>,
    ) -> Result<bool, StoreError> {
        let Some(queue) = self.queues.get_mut(&key) else { return Ok(false) };
        let new = notifications.iter().map(|notification| {
            let delivery = DeliveryId::from_u128(self.ports.ids.next_id());
            NewDelivery {
                id: delivery,
                event: notification.event,
                kind: notification.kind,
                run: notification.subject.run(),
                payment: notification.subject.payment(),
                body: self.ports.encoder.encode(delivery, notification),
            }
        });
        let new = new.collect();
        let step = Step { from: queue.stored, upto, held: held.clone() };
        let put = self.ports.webhooks.put_deliveries(key.0, key.1, step, self.ports.clock.now(), new);
        match put.await {
            Ok(waiting) => queue.waiting.extend(waiting.into_iter().map(|one| (one.ordinal, one))),
            // It was deleted meanwhile, which the next round learns.
            Err(StoreError::LeaseLost) => return Ok(false),
            Err(error) => return Err(error),
        }
        queue.stored = upto;
        for (run, after) in held {
            match after {
                Some(after) => queue.held.insert(run, after),
                None => queue.held.remove(&run),
            };
        }
        Ok(true)
    }

    /// Sends the deliveries of a webhook whose turn it is.
    async fn send_due(&mut self, key: Key) -> Result<(), StoreError> {
        let now = self.ports.clock.now();
        let room = IN_FLIGHT_TOTAL_MAX.saturating_sub(self.in_flight.len());
        let Some(queue) = self.queues.get_mut(&key) else { return Ok(()) };
        let room = room.min(IN_FLIGHT_MAX.saturating_sub(queue.in_flight.len()));
        for one in ready(&queue.waiting, &queue.in_flight, now, room) {
            let body = self.ports.webhooks.delivery_body(key.0, key.1, one.ordinal).await?;
            let Some(body) = body else {
                // It was deleted with its webhook.
                queue.waiting.remove(&one.ordinal);
                continue;
            };
            let request = WebhookRequest {
                url: queue.webhook.url.clone(),
                webhook: queue.webhook.id,
                delivery: one.id,
                kind: one.kind,
                generations: queue.webhook.generations(now),
                at: self.ports.clock.real_now(),
                body,
            };
            let attempts_max = queue.attempts_max(&one);
            queue.in_flight.insert(one.ordinal);
            self.in_flight.push(Box::pin(send(self.ports.clone(), key, one, attempts_max, request)));
        }
        Ok(())
    }

    /// Records the attempts that have ended, and what follows from them.
    async fn record(&mut self) -> Result<(), StoreError> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let records = self.ended.iter().map(|sent| sent.record.clone()).collect();
        self.ports.webhooks.record_attempts(records).await?;
        for Sent { key, record } in self.ended.drain(..) {
            if let Some(queue) = self.queues.get_mut(&key) {
                queue.note(&record);
            }
        }
        Ok(())
    }
}

async fn send(
    ports: DispatcherPorts,
    key: Key,
    one: Waiting,
    attempts_max: u32,
    request: WebhookRequest,
) -> Sent {
    let attempt = ports.sender.send(request).await;
    let at = ports.clock.now();
    let mut random = [0; 8];
    ports.entropy.fill(&mut random);
    let attempts = one.attempts.saturating_add(1);
    let verdict = verdict(&attempt, attempts, attempts_max, at, u64::from_be_bytes(random));
    report(key.1, &one, attempts, &attempt, verdict);
    let (entity, webhook) = key;
    Sent { key, record: AttemptRecord { entity, webhook, ordinal: one.ordinal, at, attempt, verdict } }
}

/// Tells what went wrong, without anything of the notification.
fn report(webhook: WebhookId, one: &Waiting, attempts: u32, attempt: &Attempt, verdict: Verdict) {
    let delivery = one.id;
    match verdict {
        Verdict::Delivered => tracing::debug!(%webhook, %delivery, attempts, "a notification was delivered"),
        Verdict::Again(_) => {
            tracing::info!(%webhook, %delivery, attempts, ?attempt, "a notification was not delivered yet");
        }
        Verdict::GiveUp => {
            tracing::warn!(%webhook, %delivery, attempts, ?attempt, "a notification was given up");
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
