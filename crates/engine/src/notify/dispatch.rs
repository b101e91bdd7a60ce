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

use super::lanes::{Waiting, next_due, ready};
use super::retry::{Verdict, verdict};
use super::{
    Attempt, AttemptRecord, IN_FLIGHT_MAX, IN_FLIGHT_TOTAL_MAX, NewDelivery, WAITING_MAX,
    WAITING_WITH_REPLAYS_MAX, Webhook, WebhookRequest,
};
use crate::ids::{DeliveryId, EntityKey, WebhookId};
use crate::ports::{
    BoxFuture, Chain, Clock, EncodeNotification, Entropy, Ids, StoreError, WebhookSender, Webhooks,
};

/// Notifications that are read and stored in one transaction at most.
const BATCH_MAX: usize = 128;
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
            queue.may_have_more = true;
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
            match self.fill(key).await {
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
            let waiting = webhooks.waiting_deliveries(entity, webhook.id, WAITING_WITH_REPLAYS_MAX).await?;
            let waiting = waiting.into_iter().map(|one| (one.ordinal, one)).collect();
            read.push(((entity, webhook.id), webhook, stored, waiting));
        }
        // Only now, so that a reading that fails half way forgets nothing of what is under way.
        let mut before = std::mem::take(&mut self.queues);
        for (key, webhook, stored, waiting) in read {
            let in_flight = before.remove(&key).map(|queue| queue.in_flight).unwrap_or_default();
            let queue = Queue { webhook, stored, read_upto: stored, may_have_more: true, waiting, in_flight };
            self.queues.insert(key, queue);
        }
        self.loaded_at = self.ports.clock.now();
        Ok(())
    }

    /// Makes deliveries of what has happened, while there is room.
    async fn fill(&mut self, key: Key) -> Result<(), StoreError> {
        let (entity, id) = key;
        while let Some(queue) = self.queues.get_mut(&key)
            && queue.may_have_more
            && queue.waiting.len() < WAITING_MAX
        {
            let room = (WAITING_MAX - queue.waiting.len()).min(BATCH_MAX);
            // Should the reading fail for good, it is tried again only when something happens.
            queue.may_have_more = false;
            let upcoming = self.ports.webhooks.upcoming(entity, id, queue.read_upto, room).await?;
            let is_far = upcoming.upto.saturating_sub(queue.stored) > UNSTORED_EVENTS_MAX;
            if !upcoming.notifications.is_empty() || is_far {
                let new = upcoming.notifications.iter().map(|notification| {
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
                let now = self.ports.clock.now();
                let put =
                    self.ports.webhooks.put_deliveries(entity, id, queue.stored, upcoming.upto, now, new);
                match put.await {
                    Ok(waiting) => queue.waiting.extend(waiting.into_iter().map(|one| (one.ordinal, one))),
                    // It was deleted meanwhile, which the next round learns.
                    Err(StoreError::LeaseLost) => return Ok(()),
                    Err(error) => return Err(error),
                }
                queue.stored = upcoming.upto;
            }
            queue.read_upto = upcoming.upto;
            queue.may_have_more = upcoming.has_more;
        }
        Ok(())
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
            queue.in_flight.insert(one.ordinal);
            self.in_flight.push(Box::pin(send(self.ports.clone(), key, one, request)));
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
            let Some(queue) = self.queues.get_mut(&key) else { continue };
            queue.in_flight.remove(&record.ordinal);
            match (record.verdict, queue.waiting.get_mut(&record.ordinal)) {
                (Verdict::Again(due_at), Some(one)) => {
                    one.attempts += 1;
                    one.due_at = due_at;
                }
                _ => {
                    queue.waiting.remove(&record.ordinal);
                }
            }
        }
        Ok(())
    }
}

async fn send(ports: DispatcherPorts, key: Key, one: Waiting, request: WebhookRequest) -> Sent {
    let attempt = ports.sender.send(request).await;
    let at = ports.clock.now();
    let mut random = [0; 8];
    ports.entropy.fill(&mut random);
    let attempts = one.attempts.saturating_add(1);
    let verdict = verdict(&attempt, attempts, at, u64::from_be_bytes(random));
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
