//! A process of a schedule: its workers and callers, which a crash ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::collect::{LedgerGuard, SendPolicy};
use payment_runs_engine::ports::{BoxFuture, Clock, EncodeCharge, Ids, Spawner};
use payment_runs_engine::recover::LookUpPolicy;
use payment_runs_engine::runner::{Worker, WorkerPorts, WorkerSettings};
use payment_runs_store::SqliteStore;

use super::{LOOK_UP_AGAIN, Stage, TIME_MAX};
use crate::bank::BankEncoder;
use crate::caller::{Caller, Memory};
use crate::gateway::{SimGateway, SimGateways};
use crate::mutant::{Mutant, Saboteur};
use crate::pool::{Group, Pool, TimeOfDay};
use crate::ports::{ChaosWork, Hand};

/// What a crash ends.
pub(super) struct Process<'a> {
    pub(super) stage: &'a Stage,
    pub(super) store: SqliteStore,
    pub(super) guard: Arc<LedgerGuard>,
    pub(super) saboteur: Option<Arc<Saboteur>>,
}

impl Process<'_> {
    fn hand(&self, pool: &Pool, group: Group) -> Hand {
        let (chaos, clock) = (self.stage.chaos.clone(), self.stage.clock.clone());
        Hand { chaos, clock, freezer: pool.freezer.clone(), group }
    }

    fn gateways(&self, hand: Hand) -> Arc<SimGateways> {
        let (bank, manners, mutant) = (self.stage.bank().clone(), self.stage.manners, self.stage.mutant);
        let launch = self.stage.launches.load(Ordering::Relaxed);
        let gateway = SimGateway::new(bank, hand, manners, mutant, launch);
        Arc::new(SimGateways::new(gateway, self.store.clone(), self.guard.clone()))
    }

    /// Starts a caller, who asks for one operation.
    pub(super) fn start_caller(&self, pool: &Pool, operation: usize, memory: &Arc<Memory>) {
        let (stage, hand) = (self.stage, self.hand(pool, 0));
        let caller = Caller {
            store: self.store.clone(),
            gateways: self.gateways(hand.clone()),
            hand,
            encoder: Arc::new(BankEncoder),
            ids: stage.ids.clone(),
            saboteur: self.saboteur.clone(),
            mutant: stage.mutant,
            operation: stage.world.operations[operation].clone(),
            load: stage.world.load.clone(),
            banks: stage.banks.clone(),
            key: format!("operation-{operation}"),
            memory: memory.clone(),
        };
        pool.spawner.spawn("caller", Box::pin(caller.ask()));
    }

    /// Starts a worker after a while, with a group of its own.
    pub(super) fn start_worker(&self, pool: &Pool, group: Group, pause: Duration) {
        let stage = self.stage;
        let hand = self.hand(pool, group);
        let encoder: Arc<dyn EncodeCharge> = Arc::new(BankEncoder);
        let ids: Arc<dyn Ids> = stage.ids.clone();
        let ports = WorkerPorts {
            work: Arc::new(ChaosWork::new(self.store.clone(), hand.clone(), self.saboteur.clone())),
            gateways: self.gateways(hand.clone()),
            encoder,
            clock: match stage.mutant {
                Some(Mutant::TrustsTimeOfDay) => Arc::new(TimeOfDay(stage.clock.clone())),
                _ => Arc::new(stage.clock.clone()),
            },
            ids,
            spawner: Arc::new(pool.spawner.of_group(group)),
        };
        let mut settings = settings(stage.world.is_hasty);
        match stage.mutant {
            Some(Mutant::BelievedAtOnce) => settings.look_ups.settling_time = Duration::ZERO,
            Some(Mutant::GivesUpEarly) => settings.look_ups.settling_time = LOOK_UP_AGAIN,
            _ => {}
        }
        let work = async move {
            hand.sleep(pause).await;
            loop {
                let stop = stop_of(&hand);
                Worker::new(ports.clone(), settings).run(stop).await;
                hand.chaos.note(|| format!("worker {group} has drained"));
            }
        };
        pool.spawner.of_group(group).spawn("worker", Box::pin(work));
    }
}

/// When a worker gets its shutdown signal: sometimes soon, mostly never.
fn stop_of(hand: &Hand) -> BoxFuture<'static, ()> {
    let pause = hand.chaos.drain().unwrap_or(TIME_MAX.saturating_mul(2));
    hand.clock.sleep_until(hand.now().checked_add(pause).unwrap_or(Timestamp::MAX))
}

/// Small bounds, so that a small world goes through every branch.
fn settings(is_hasty: bool) -> WorkerSettings {
    let minutes = Duration::from_mins;
    let seconds = Duration::from_secs;
    WorkerSettings {
        chunks_at_once: 2,
        documents_per_chunk: 3,
        chunks_per_step: 2,
        in_flight_per_chunk: 2,
        settle_count: 2,
        settle_delay: Duration::from_millis(20),
        lease: if is_hasty { seconds(9) } else { seconds(30) },
        stop_poll: minutes(10),
        idle_poll: if is_hasty { seconds(7) } else { minutes(10) },
        store_attempts_max: 3,
        store_first_pause: Duration::from_millis(50),
        store_longest_pause: Duration::from_secs(5),
        send: SendPolicy {
            deliveries_max: 4,
            unanswered_max: 2,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
        },
        look_ups: LookUpPolicy {
            every: minutes(10),
            again_after: LOOK_UP_AGAIN,
            settling_time: LookUpPolicy::default().settling_time,
            single_after: minutes(5),
            batch_max: 3,
            at_once: 2,
        },
    }
}
