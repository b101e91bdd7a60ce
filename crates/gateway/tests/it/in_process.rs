//! The adapter over a bank in the same process, with a clock that jumps: no sockets, no waiting,
//! and the same seed gives the same story again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::ports::{BoxFuture, Clock, Delivery, Gateway, LookUp, Spawner, since_epoch};
use payment_runs_gateway::simulator::JournalTotals;
use payment_runs_gateway::simulator::bank::{Bank, BankSettings};
use payment_runs_gateway::stripe::{InProcess, StripeGateway, default_settings};

use crate::support::request;

const DAY_MS: i64 = 86_400_000;

/// A clock that jumps to whatever is waited for.
#[derive(Default)]
struct JumpingClock(Arc<AtomicI64>);

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn elapsed(&self) -> Duration {
        since_epoch(self.now())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        self.0.fetch_max(at.as_millisecond(), Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

/// Keeps tasks until they are asked for.
#[derive(Default)]
struct HeldTasks(Mutex<Vec<BoxFuture<'static, ()>>>);

impl Spawner for HeldTasks {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        self.0.lock().unwrap().push(task);
    }
}

struct World {
    bank: Arc<Bank>,
    tasks: Arc<HeldTasks>,
    gateway: StripeGateway,
}

fn world(seed: u64, faults: &str) -> World {
    let clock = Arc::new(JumpingClock::default());
    let bank = Arc::new(Bank::new(BankSettings {
        seed,
        faults: faults.parse().unwrap(),
        latency_ms: 10,
        key_life_ms: DAY_MS,
        honours_keys: true,
        search_lag_ms: 0,
    }));
    let tasks = Arc::new(HeldTasks::default());
    let exchange = InProcess::new(Arc::clone(&bank), clock.clone(), Arc::clone(&tasks) as Arc<dyn Spawner>);
    let gateway = StripeGateway::over(Arc::new(exchange), default_settings(), true);
    World { bank, tasks, gateway }
}

#[tokio::test]
async fn a_seed_tells_the_same_story_again() {
    let story = |seed| async move {
        let faults =
            "drop-after-charge=0.3,error-500=0.2,rate-limit-429=0.2,delay-ms=40000:0.1,duplicate=0.1";
        let world = world(seed, faults);
        let mut outcomes = Vec::new();
        for number in 0..100 {
            outcomes.push(world.gateway.charge(&request(&world.gateway, number)).await);
        }
        (outcomes, world.bank.journal())
    };
    let (outcomes, journal) = story(1).await;
    assert_eq!(story(1).await, (outcomes.clone(), journal.clone()));
    assert_ne!(story(2).await.0, outcomes);
    assert!(JournalTotals::of(&journal).charged_twice.is_empty());
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Delivery::Unknown { .. })));
    let approved = outcomes.iter().filter(|outcome| matches!(outcome, Delivery::Approved(_))).count();
    assert!(approved > 30, "{approved}");
}

#[tokio::test]
async fn a_charge_that_lands_after_its_call_is_found_later() {
    let world = world(1, "late-charge-ms=60000:1");
    let request = request(&world.gateway, 1);
    let outcome = world.gateway.charge(&request).await;
    assert!(matches!(outcome, Delivery::Unknown { .. }), "{outcome:?}");
    // Not found, and yet it comes: whoever sends it again must use the same key.
    assert_eq!(world.gateway.look_up(&request.idempotency_key).await, LookUp::NeverSeen);
    let tasks = std::mem::take(&mut *world.tasks.0.lock().unwrap());
    for task in tasks {
        task.await;
    }
    assert!(matches!(
        world.gateway.look_up(&request.idempotency_key).await,
        LookUp::Found(Delivery::Approved(_))
    ));
    assert!(matches!(world.gateway.charge(&request).await, Delivery::Approved(_)));
    assert_eq!(JournalTotals::of(&world.bank.journal()).charges, 1);
}
