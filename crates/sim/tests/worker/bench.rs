//! A worker over a store that is a script, and a gateway that takes its time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, GatewayId, PaymentId, RunId};
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::{
    AccountUnavailable, BoxFuture, Charge, ChargePage, ChargeRequest, ChunkClaim, ChunkStage, Clock,
    Delivery, EncodeCharge, Gateway, GatewaySettings, Gateways, Ids, InstrumentDetails, Intent, ListError,
    LookUp, Opened, Outcome, ReportedCharge, Settlement, Spawner, StoreError, TokenizeError, Tokenized, Work,
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
pub(crate) enum Told {
    Open(u32),
    Settle(u32, usize),
    Renew(u32),
    GiveBack(u32),
    Close(u32),
    Finish,
    LookUp,
    Select(Timestamp),
    Fail(String),
}

/// How the store behaves.
#[derive(Default)]
pub(crate) struct Script {
    /// Chunks that can be claimed, by their numbers of intents.
    pub(crate) chunks: Mutex<VecDeque<(u32, usize)>>,
    pub(crate) told: Mutex<Vec<Told>>,
    pub(crate) not_sent: Mutex<usize>,
    /// Errors that the next settlements fail with.
    pub(crate) settle_errors: Mutex<VecDeque<StoreError>>,
    /// The error that opening fails with.
    pub(crate) open_error: Mutex<Option<StoreError>>,
    pub(crate) loses_leases: bool,
    /// Until when chunks were claimed.
    pub(crate) leases: Mutex<BTreeMap<u32, Timestamp>>,
    pub(crate) is_stopping: Mutex<bool>,
    /// Whether leases can be renewed at all.
    pub(crate) fails_to_renew: bool,
    /// How long opening takes.
    pub(crate) opening: Mutex<Option<(SimClock, Duration)>>,
    /// How far the time of day is set back meanwhile.
    pub(crate) set_back: Duration,
    pub(crate) is_closed: bool,
    /// When a run wants to start.
    pub(crate) run_at: Mutex<Option<Timestamp>>,
    /// How long the next look for runs that end takes.
    pub(crate) finishing: Mutex<Option<(SimClock, Duration)>>,
    pub(crate) news: tokio::sync::Notify,
}

impl Script {
    pub(crate) fn with_chunks(sizes: &[usize]) -> Self {
        let chunks = (0_u32..).zip(sizes.iter().copied()).collect();
        Self { chunks: Mutex::new(chunks), ..Self::default() }
    }

    pub(crate) fn tell(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, is_counted: impl Fn(&Told) -> bool) -> usize {
        self.told().iter().filter(|told| is_counted(told)).count()
    }

    pub(crate) fn count_not_sent(&self) -> usize {
        *self.not_sent.lock().unwrap()
    }

    pub(crate) fn settled(&self) -> usize {
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
        self.tell(Told::LookUp);
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

const MONEY: Money = Money::new(100, Currency::USD);

fn intent(payment: PaymentId, now: Timestamp) -> Intent {
    Intent {
        entity: EntityKey::FIRST,
        payment,
        state: PaymentState::Intent,
        gateway: GatewayId::from_u128(1),
        request: ChargeRequest {
            idempotency_key: payment.to_string(),
            money: MONEY,
            body: Arc::from(Vec::new()),
        },
        created_at: now,
        look_ups: 0,
        deliveries: 0,
        may_have_been_sent: false,
        run_stopped: false,
        bars_delivery: false,
    }
}

/// A gateway that approves after a while and counts what is under way.
pub(crate) struct Slow {
    pub(crate) clock: SimClock,
    pub(crate) latency: Duration,
    pub(crate) settings: GatewaySettings,
    pub(crate) under_way: Mutex<(usize, usize)>,
    pub(crate) charges: Mutex<usize>,
}

impl Slow {
    pub(crate) fn charges(&self) -> usize {
        *self.charges.lock().unwrap()
    }
}

#[async_trait]
impl Gateway for Slow {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }
    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        Ok(None)
    }
    async fn charge(&self, request: &ChargeRequest) -> Delivery {
        *self.charges.lock().unwrap() += 1;
        {
            let mut under_way = self.under_way.lock().unwrap();
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
        }
        self.clock.sleep_until(self.clock.now().checked_add(self.latency).unwrap()).await;
        self.under_way.lock().unwrap().0 -= 1;
        let key = Some(request.idempotency_key.clone());
        Delivery::Approved(ReportedCharge { reference: "ch".to_owned(), key, money: Some(request.money) })
    }
    async fn look_up(&self, _: &str) -> LookUp {
        LookUp::NeverSeen
    }
    async fn list_charges(&self, _: Timestamp, _: Option<&str>) -> Result<ChargePage, ListError> {
        Ok(ChargePage::default())
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
pub(crate) struct Bench {
    pub(crate) pool: Pool,
    pub(crate) script: Arc<Script>,
    pub(crate) gateway: Arc<Slow>,
    pub(crate) stopper: Stopper,
    pub(crate) has_returned: Arc<Mutex<bool>>,
}

impl Bench {
    pub(crate) fn new(script: Script, latency: Duration, settings: &WorkerSettings) -> Self {
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
    pub(crate) fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..STEPS_MAX {
            if holds(self) {
                return;
            }
            assert_ne!(self.pool.step(), Step::Stuck, "nothing can happen any more");
        }
        panic!("it never comes to that: {:?}", self.script.told());
    }

    pub(crate) fn has_returned(&self) -> bool {
        *self.has_returned.lock().unwrap()
    }
}
