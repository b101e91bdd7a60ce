#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! The worker alone: batches, bounds, leases, stopping, and a store that gives up. The store here is a script that
//! remembers what it was told; the real one is in the schedules.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, GatewayId, PaymentId, RunId};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::{
    BoxFuture, Charge, ChargeRequest, ChunkClaim, ChunkStage, Clock, EncodeCharge, Gateway, GatewaySettings,
    Gateways, Ids, InstrumentDetails, Intent, LookUp, Opened, Outcome, Settlement, Spawner, StoreError,
    TokenizeError, Tokenized, Work,
};
use payment_runs_engine::runner::{Worker, WorkerPorts, WorkerSettings};
use payment_runs_engine::stopping::{Stopper, Stopping};
use payment_runs_sim::pool::{Pool, SimClock, Step};
use payment_runs_sim::ports::SimIds;
use payment_runs_sim::random::Random;

/// Steps after which a test is taken to hang.
const STEPS_MAX: u32 = 200_000;

/// What the store was told, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Open(u32),
    Settle(u32, usize),
    Renew(u32),
    GiveBack(u32),
    Close(u32),
    Finish,
    Select(Timestamp),
    Fail(String),
}

/// How the store behaves.
#[derive(Default)]
struct Script {
    /// Chunks that can be claimed, by their numbers of intents.
    chunks: Mutex<VecDeque<(u32, usize)>>,
    told: Mutex<Vec<Told>>,
    not_sent: Mutex<usize>,
    /// Errors that the next settlements fail with.
    settle_errors: Mutex<VecDeque<StoreError>>,
    /// The error that opening fails with.
    open_error: Mutex<Option<StoreError>>,
    loses_leases: bool,
    /// Until when chunks were claimed.
    leases: Mutex<BTreeMap<u32, Timestamp>>,
    is_stopping: Mutex<bool>,
    /// Whether leases can be renewed at all.
    fails_to_renew: bool,
    /// How long opening takes.
    opening: Mutex<Option<(SimClock, Duration)>>,
    /// How far the time of day is set back meanwhile.
    set_back: Duration,
    is_closed: bool,
    /// When a run wants to start.
    run_at: Mutex<Option<Timestamp>>,
    /// How long the next look for runs that end takes.
    finishing: Mutex<Option<(SimClock, Duration)>>,
    news: tokio::sync::Notify,
}

impl Script {
    fn with_chunks(sizes: &[usize]) -> Self {
        let chunks = (0_u32..).zip(sizes.iter().copied()).collect();
        Self { chunks: Mutex::new(chunks), ..Self::default() }
    }

    fn tell(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    fn count(&self, is_counted: impl Fn(&Told) -> bool) -> usize {
        self.told().iter().filter(|told| is_counted(told)).count()
    }

    fn count_not_sent(&self) -> usize {
        *self.not_sent.lock().unwrap()
    }

    fn settled(&self) -> usize {
        let told = self.told();
        told.iter().map(|one| if let Told::Settle(_, number) = one { *number } else { 0 }).sum()
    }
}

fn chunk_of(claim: &ChunkClaim) -> u32 {
    claim.chunk.unwrap()
}

#[async_trait]
impl Work for Script {
    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.news.notified())
    }
    async fn next_run_at(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(*self.run_at.lock().unwrap())
    }
    async fn claim_selection(
        &self,
        now: Timestamp,
        _: Timestamp,
        _: Arc<dyn Ids>,
    ) -> Result<Option<ChunkClaim>, StoreError> {
        if self.run_at.lock().unwrap().take_if(|at| *at <= now).is_some() {
            self.tell(Told::Select(now));
        }
        Ok(None)
    }
    async fn extend_selection(
        &self,
        _: &ChunkClaim,
        _: Timestamp,
        _: usize,
        _: usize,
    ) -> Result<bool, StoreError> {
        Ok(true)
    }
    async fn claim_chunk(&self, _: Timestamp, until: Timestamp) -> Result<Option<ChunkClaim>, StoreError> {
        if self.is_closed {
            return Err(StoreError::Closed);
        }
        let Some(&(chunk, size)) = self.chunks.lock().unwrap().front() else { return Ok(None) };
        self.chunks.lock().unwrap().pop_front();
        self.leases.lock().unwrap().insert(chunk, until);
        Ok(Some(ChunkClaim {
            entity: EntityKey::FIRST,
            run: RunId::from_u128(1),
            chunk: Some(chunk),
            epoch: u32::try_from(size).unwrap(),
            stage: ChunkStage::Ready,
        }))
    }
    async fn is_stopping(&self, _: &ChunkClaim) -> Result<bool, StoreError> {
        Ok(*self.is_stopping.lock().unwrap())
    }
    async fn renew(&self, claim: &ChunkClaim, until: Timestamp) -> Result<bool, StoreError> {
        if self.fails_to_renew {
            return Err(StoreError::Write { doing: "renew", source: "disk".into() });
        }
        let chunk = chunk_of(claim);
        // Leases are compared with the one that the chunk was claimed with.
        let gives_back = until <= self.leases.lock().unwrap()[&chunk];
        self.tell(if gives_back { Told::GiveBack(chunk) } else { Told::Renew(chunk) });
        Ok(!self.loses_leases)
    }
    async fn open_chunk(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        _: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Opened, StoreError> {
        self.tell(Told::Open(chunk_of(claim)));
        let opening = self.opening.lock().unwrap().clone();
        if let Some((clock, takes)) = opening {
            clock.sleep_until(clock.now().checked_add(takes).unwrap()).await;
            clock.jump_back(self.set_back);
        }
        if let Some(error) = self.open_error.lock().unwrap().take() {
            return Err(error);
        }
        let intents = (0..claim.epoch).map(|_| intent(PaymentId::from_u128(ids.next_id()), now)).collect();
        Ok(Opened { intents, fresh: true })
    }
    async fn settle(
        &self,
        claim: &ChunkClaim,
        _: Timestamp,
        all: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        if let Some(error) = self.settle_errors.lock().unwrap().pop_front() {
            return Err(error);
        }
        let not_sent = all.iter().filter(|one| matches!(one.outcome, Outcome::NotSent { .. })).count();
        *self.not_sent.lock().unwrap() += not_sent;
        self.tell(Told::Settle(chunk_of(claim), all.len()));
        Ok(all.len())
    }
    async fn close_chunk(&self, claim: &ChunkClaim, _: Timestamp) -> Result<(), StoreError> {
        self.tell(Told::Close(chunk_of(claim)));
        Ok(())
    }
    async fn finish_runs(&self, _: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let finishing = self.finishing.lock().unwrap().take();
        if let Some((clock, takes)) = finishing {
            clock.sleep_until(clock.now().checked_add(takes).unwrap()).await;
        }
        self.tell(Told::Finish);
        Ok(Vec::new())
    }
    async fn fail_run(&self, _: &ChunkClaim, _: Timestamp, message: &str) -> Result<(), StoreError> {
        self.tell(Told::Fail(message.to_owned()));
        Ok(())
    }
    async fn due_look_ups(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<Intent>, StoreError> {
        Ok(Vec::new())
    }
    async fn begin_delivery(&self, _: &Intent, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn end_delivery(&self, _: &Intent) -> Result<(), StoreError> {
        Ok(())
    }
    async fn settle_look_ups(
        &self,
        _: EntityKey,
        _: Timestamp,
        all: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        Ok(all.len())
    }
}

fn intent(payment: PaymentId, now: Timestamp) -> Intent {
    Intent {
        entity: EntityKey::FIRST,
        payment,
        state: PaymentState::Intent,
        gateway: GatewayId::from_u128(1),
        request: ChargeRequest {
            idempotency_key: payment.to_string(),
            reference: payment.to_string(),
            body: Arc::from(Vec::new()),
        },
        created_at: now,
        look_ups: 0,
        deliveries: 0,
        may_have_been_sent: false,
        run_stopped: false,
    }
}

/// A gateway that approves after a while and counts what is under way.
struct Slow {
    clock: SimClock,
    latency: Duration,
    settings: GatewaySettings,
    under_way: Mutex<(usize, usize)>,
    charges: Mutex<usize>,
}

impl Slow {
    fn charges(&self) -> usize {
        *self.charges.lock().unwrap()
    }
}

#[async_trait]
impl Gateway for Slow {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }
    async fn charge(&self, _: &ChargeRequest) -> Outcome {
        *self.charges.lock().unwrap() += 1;
        {
            let mut under_way = self.under_way.lock().unwrap();
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
        }
        self.clock.sleep_until(self.clock.now().checked_add(self.latency).unwrap()).await;
        self.under_way.lock().unwrap().0 -= 1;
        Outcome::Approved { reference: "ch".to_owned() }
    }
    async fn look_up(&self, _: &str) -> LookUp {
        LookUp::NeverSeen
    }
    async fn tokenize(&self, _: &InstrumentDetails, _: &str) -> Result<Tokenized, TokenizeError> {
        Ok(Tokenized::default())
    }
}

impl EncodeCharge for Slow {
    fn encode(&self, _: &Charge) -> Vec<u8> {
        Vec::new()
    }
}

struct One(Arc<Slow>);

impl Gateways for One {
    fn find(&self, _: GatewayId) -> Option<Arc<dyn Gateway>> {
        Some(self.0.clone())
    }
    fn admit(&self, _: GatewayId) -> BoxFuture<'_, Box<dyn Send>> {
        Box::pin(std::future::ready(Box::new(()) as Box<dyn Send>))
    }
}

/// A worker over a script, in a pool of its own.
struct Bench {
    pool: Pool,
    script: Arc<Script>,
    gateway: Arc<Slow>,
    stopper: Stopper,
    has_returned: Arc<Mutex<bool>>,
}

impl Bench {
    fn new(script: Script, latency: Duration, settings: &WorkerSettings) -> Self {
        let clock = SimClock::new("2026-03-01T00:00:00Z".parse().unwrap());
        let pool = Pool::new(clock.clone(), Random::new(1));
        let gateway = Arc::new(Slow {
            clock: clock.clone(),
            latency,
            settings: GatewaySettings {
                concurrency: 1_000,
                rate_per_s: None,
                timeout: Duration::from_secs(30),
                key_life: Duration::from_hours(24),
                supports_look_up: true,
            },
            under_way: Mutex::default(),
            charges: Mutex::default(),
        });
        if let Some((opening, _)) = script.opening.lock().unwrap().as_mut() {
            *opening = clock.clone();
        }
        let script = Arc::new(script);
        let ports = WorkerPorts {
            work: script.clone(),
            gateways: Arc::new(One(gateway.clone())),
            encoder: gateway.clone(),
            clock: Arc::new(clock),
            ids: Arc::new(SimIds::new(1)),
            spawner: Arc::new(pool.spawner.clone()),
        };
        let (stopper, stopping) = Stopping::pair();
        let settings = *settings;
        let has_returned = Arc::new(Mutex::new(false));
        let returned = has_returned.clone();
        pool.spawner.spawn(
            "worker",
            Box::pin(async move {
                Worker::new(ports, settings).run(async move { stopping.wait().await }).await;
                *returned.lock().unwrap() = true;
            }),
        );
        Self { pool, script, gateway, stopper, has_returned }
    }

    /// Goes on until something holds.
    fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..STEPS_MAX {
            if holds(self) {
                return;
            }
            assert_ne!(self.pool.step(), Step::Stuck, "nothing can happen any more");
        }
        panic!("it never comes to that: {:?}", self.script.told());
    }

    fn has_returned(&self) -> bool {
        *self.has_returned.lock().unwrap()
    }
}

fn settings() -> WorkerSettings {
    WorkerSettings {
        chunks_at_once: 2,
        in_flight_per_chunk: 10,
        settle_count: 25,
        ..WorkerSettings::default()
    }
}

const FAST: Duration = Duration::from_millis(4);

#[test]
fn every_chunk_is_opened_charged_settled_and_closed() {
    let mut bench = Bench::new(Script::with_chunks(&[100, 0, 7]), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 3);
    assert_eq!(bench.script.settled(), 107);
    for chunk in 0..3 {
        let of_chunk = |told: &Told| match told {
            Told::Open(one) | Told::Settle(one, _) | Told::Close(one) => *one == chunk,
            _ => false,
        };
        let told: Vec<_> = bench.script.told().into_iter().filter(of_chunk).collect();
        assert_eq!(told.first(), Some(&Told::Open(chunk)));
        assert_eq!(told.last(), Some(&Told::Close(chunk)));
    }
    let finishes = bench.script.count(|told| *told == Told::Finish);
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > finishes);
}

#[test]
fn outcomes_are_recorded_in_batches() {
    let mut bench = Bench::new(Script::with_chunks(&[100]), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    let batches: Vec<usize> = bench
        .script
        .told()
        .iter()
        .filter_map(|told| if let Told::Settle(_, number) = told { Some(*number) } else { None })
        .collect();
    assert!(batches.len() <= 5, "{batches:?}");
    assert!(batches[0] >= 25, "the first batch waits for company: {batches:?}");
    // A slow gateway does not hold an outcome back for longer than the delay.
    let slow = Duration::from_secs(1);
    let mut bench = Bench::new(Script::with_chunks(&[11]), slow, &settings());
    bench.until(|bench| bench.script.settled() >= 10);
    assert!(bench.script.count(|told| matches!(told, Told::Close(_))) == 0);
}

#[test]
fn what_is_under_way_is_bounded() {
    let mut bench = Bench::new(Script::with_chunks(&[50, 50, 50, 50]), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 4);
    assert_eq!(bench.gateway.under_way.lock().unwrap().1, 20, "two chunks of ten each");
}

#[test]
fn a_lease_is_renewed_while_charges_take_long() {
    let slow = Duration::from_mins(3);
    let mut bench = Bench::new(Script::with_chunks(&[1]), slow, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    let renewals = bench.script.count(|told| matches!(told, Told::Renew(_)));
    assert!((8..=9).contains(&renewals), "a lease of a minute, for three minutes: {renewals}");
}

#[test]
fn a_lost_lease_ends_the_work_on_its_chunk() {
    let script = Script { loses_leases: true, ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, Duration::from_mins(3), &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Renew(_))) == 1);
    let finishes = bench.script.count(|told| *told == Told::Finish);
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > finishes + 300);
    assert_eq!(bench.script.settled(), 0);
    assert_eq!(bench.script.count(|told| matches!(told, Told::Close(_))), 0);
}

#[test]
fn a_chunk_that_took_longer_to_open_than_its_lease_is_renewed_before_anything_is_sent() {
    let any_clock = SimClock::new("2026-03-01T00:00:00Z".parse().unwrap());
    let slowly = || Mutex::new(Some((any_clock.clone(), Duration::from_mins(2))));
    let script = Script { loses_leases: true, opening: slowly(), ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Renew(_))) == 1);
    let finishes = bench.script.count(|told| *told == Told::Finish);
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > finishes + 300);
    assert_eq!(bench.gateway.under_way.lock().unwrap().1, 0, "the new owner sends, and nobody else");
    let script = Script { opening: slowly(), ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    let told: Vec<_> = bench.script.told().into_iter().filter(|told| *told != Told::Finish).collect();
    assert_eq!(told[..2], [Told::Open(0), Told::Renew(0)], "{told:?}");
    assert_eq!(bench.script.settled(), 5);
}

#[test]
fn a_run_whose_time_comes_during_a_round_starts_right_after_it() {
    let takes = Duration::from_millis(500);
    for due_after in [Duration::from_millis(1), takes / 2, takes] {
        let mut bench = Bench::new(Script::default(), FAST, &settings());
        // An idle worker: the only thing that wakes it is its poll.
        bench.until(|bench| bench.script.count(|told| *told == Told::Finish) == 3);
        *bench.script.finishing.lock().unwrap() = Some((bench.pool.clock.clone(), takes));
        bench.until(|bench| bench.script.finishing.lock().unwrap().is_none());
        let began = bench.pool.clock.now();
        *bench.script.run_at.lock().unwrap() = Some(began.checked_add(due_after).unwrap());
        bench.until(|bench| bench.script.count(|told| matches!(told, Told::Select(_))) == 1);
        let ended = began.checked_add(takes).unwrap();
        assert!(
            bench.script.told().contains(&Told::Select(ended)),
            "{due_after:?}: {:?}",
            bench.script.told()
        );
    }
}

#[test]
fn a_time_of_day_that_was_set_back_makes_no_lease_longer() {
    let any_clock = SimClock::new("2026-03-01T00:00:00Z".parse().unwrap());
    let opening = Mutex::new(Some((any_clock, Duration::from_mins(2))));
    // A lease from now on ends before the claim's, which the store takes for one that is given back.
    let set_back = Duration::from_hours(1);
    let script = Script { loses_leases: true, opening, set_back, ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::GiveBack(_))) == 1);
    let finishes = bench.script.count(|told| *told == Told::Finish);
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > finishes + 300);
    assert_eq!(
        bench.gateway.under_way.lock().unwrap().1,
        0,
        "the lease had ended two minutes after the claim"
    );
}

#[test]
fn a_lease_that_cannot_be_renewed_ends_the_work_when_it_ends() {
    let script = Script { fails_to_renew: true, ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, Duration::from_secs(50), &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    assert_eq!(bench.script.settled(), 5, "while it lasts, the work goes on");
    let script = Script { fails_to_renew: true, ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, Duration::from_secs(70), &settings());
    let start = bench.pool.clock.now();
    bench.until(|bench| bench.pool.clock.now().duration_since(start).as_mins() >= 5);
    assert_eq!((bench.script.settled(), bench.gateway.under_way.lock().unwrap().1), (0, 5));
}

#[test]
fn stopping_ends_what_is_under_way_and_begins_nothing_new() {
    let mut bench = Bench::new(Script::with_chunks(&[100]), Duration::from_secs(5), &settings());
    bench.until(|bench| bench.gateway.under_way.lock().unwrap().0 == 10);
    bench.stopper.stop();
    bench.until(Bench::has_returned);
    assert_eq!(bench.script.settled(), 10);
    assert_eq!(bench.script.told().last(), Some(&Told::GiveBack(0)), "{:?}", bench.script.told());
}

#[test]
fn a_stopped_run_sends_nothing_more() {
    // Another process stopped it: nobody is told, so that it is heard when the worker asks next.
    for is_told in [true, false] {
        let slow = Duration::from_secs(20);
        let mut bench = Bench::new(Script::with_chunks(&[100]), slow, &settings());
        bench.until(|bench| bench.gateway.under_way.lock().unwrap().0 == 10);
        let stopped_at = bench.pool.clock.now();
        *bench.script.is_stopping.lock().unwrap() = true;
        if is_told {
            bench.script.news.notify_waiters();
        }
        bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
        let took = bench.pool.clock.now().duration_since(stopped_at);
        assert!(took.as_secs() <= 21, "what was under way ends, and the rest is given up meanwhile: {took}");
        assert_eq!(bench.gateway.charges(), 10);
        assert_eq!(bench.script.settled(), 100);
        assert_eq!(bench.script.count_not_sent(), 90);
    }
}

#[test]
fn an_idle_worker_stops_at_once() {
    let mut bench = Bench::new(Script::default(), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > 0);
    bench.stopper.stop();
    bench.until(Bench::has_returned);
}

#[test]
fn a_failed_transaction_is_tried_again_and_then_left() {
    let fail = || StoreError::Write { doing: "settle", source: "disk".into() };
    let script = Script::with_chunks(&[3]);
    *script.settle_errors.lock().unwrap() = [fail(), fail()].into();
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    assert_eq!(bench.script.settled(), 3);
    let script = Script::with_chunks(&[3, 2]);
    let most = usize::try_from(settings().store_attempts_max).unwrap();
    *script.settle_errors.lock().unwrap() = (0..most).map(|_| fail()).collect();
    let one = WorkerSettings { chunks_at_once: 1, ..settings() };
    let mut bench = Bench::new(script, FAST, &one);
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    assert_eq!(bench.script.told().iter().filter(|told| matches!(told, Told::Settle(0, _))).count(), 0);
    assert_eq!(bench.script.settled(), 2, "the next chunk goes on");
}

#[test]
fn data_that_cannot_be_read_ends_the_run() {
    let script = Script::with_chunks(&[3]);
    *script.open_error.lock().unwrap() = Some(StoreError::Corrupt { what: "a plan".to_owned() });
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Fail(_))) == 1);
    assert_eq!(bench.script.settled(), 0);
}

#[test]
fn a_closed_store_ends_the_worker() {
    let mut bench = Bench::new(Script { is_closed: true, ..Script::default() }, FAST, &settings());
    bench.until(Bench::has_returned);
}

#[test]
fn news_wakes_an_idle_worker_and_without_news_it_polls() {
    let patient = WorkerSettings { idle_poll: Duration::from_hours(9), ..settings() };
    let finishes = |bench: &Bench| bench.script.count(|told| *told == Told::Finish);
    let mut bench = Bench::new(Script::default(), FAST, &patient);
    let start = bench.pool.clock.now();
    bench.until(|bench| finishes(bench) >= 1);
    bench.script.news.notify_one();
    bench.until(|bench| finishes(bench) >= 2);
    assert!(bench.pool.clock.now().duration_since(start).as_secs() < 60, "it heard of the news");
    bench.until(|bench| bench.pool.clock.now().duration_since(start).as_hours() >= 9);
    bench.until(|bench| finishes(bench) >= 3);
}
