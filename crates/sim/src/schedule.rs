//! One schedule: a world, a worker or two, everything that goes wrong, and the end of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::collect::SendPolicy;
use payment_runs_engine::command::{Command, Request};
use payment_runs_engine::ids::EntityId;
use payment_runs_engine::ports::{
    Access, Clock, EncodeCharge, Executed, Ids, Ledger, LedgerError, Output, Settlement, Spawner, StoreError,
};
use payment_runs_engine::recover::LookUpPolicy;
use payment_runs_engine::runner::{Worker, WorkerPorts, WorkerSettings};
use payment_runs_engine::single::collect_single;
use payment_runs_store::{Executor, OpenError, SqliteStore};

use crate::bank::{Bank, BankEncoder};
use crate::chaos::Chaos;
use crate::check::{check_books, has_ended};
use crate::gateway::{SimGateway, SimGateways};
use crate::mutant::Mutant;
use crate::pool::{Pool, SimClock, Step, at_once};
use crate::ports::{ChaosWork, SimIds, step};
use crate::random::Random;
use crate::world::{ENTITY, Single, USER, World, start};

/// Steps after which a schedule is taken to run for ever. Ordinary ones need a few thousand.
const STEPS_MAX: u64 = 2_000_000;

/// Virtual time after which a schedule is taken to run for ever.
const TIME_MAX: Duration = Duration::from_hours(24 * 60);

/// Directories that this process has named, so that no two simulations share one.
static DIRECTORIES: AtomicU64 = AtomicU64::new(0);

/// How a schedule is run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where database files are put; best on memory.
    pub directory: PathBuf,
    /// A protocol that is wrong on purpose.
    pub mutant: Option<Mutant>,
}

impl Config {
    /// Memory-backed storage where there is any, and the right protocol.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let ordinal = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
        let directory = parent.join(format!("payment-runs-sim-{}-{ordinal}", std::process::id()));
        Self { directory, mutant: None }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its seed, which repeats it exactly.
    pub seed: u64,
    /// What is wrong; empty when all is well.
    pub violations: Vec<String>,
    /// What happened.
    pub history: Vec<String>,
    /// How often the process died.
    pub crashes: u32,
    /// Charges in the bank's books.
    pub charges: usize,
}

/// Why a schedule could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The database could not be opened.
    #[error("the database could not be opened")]
    Open(#[from] OpenError),
    /// A file could not be made, copied or removed.
    #[error("a database file could not be handled")]
    File(#[from] std::io::Error),
    /// The world could not be made.
    #[error("the world could not be stored")]
    Store(#[from] StoreError),
    /// A run could not be made.
    #[error("a run was refused: {0}")]
    Run(String),
    /// A thread panicked.
    #[error("a schedule panicked")]
    Panicked,
}

/// An empty database that every schedule starts from.
pub struct Template {
    path: PathBuf,
}

impl Template {
    /// Makes one. The directory is made when absent.
    pub fn new(config: &Config, name: &str) -> Result<Self, SimError> {
        std::fs::create_dir_all(&config.directory)?;
        let path = config.directory.join(format!("template-{name}.db"));
        let store = SqliteStore::open(&path, Executor::Inline)?;
        at_once(store.ensure_entity(ENTITY, EntityId::from_u128(1), "Simulation"))?;
        drop(store);
        Ok(Self { path })
    }
}

/// Everything of a schedule that outlives a crash.
struct Stage {
    world: World,
    path: PathBuf,
    clock: SimClock,
    chaos: Arc<Chaos>,
    bank: Arc<Bank>,
    ids: Arc<SimIds>,
    mutant: Option<Mutant>,
    supports_look_up: bool,
    workers: u64,
    /// Which of the single payments were asked for.
    asked: Vec<Arc<AtomicBool>>,
}

/// Runs the schedule of one seed.
pub fn run_seed(config: &Config, template: &Template, seed: u64) -> Result<Report, SimError> {
    let path = config.directory.join(format!("{seed}-{:?}.db", std::thread::current().id()));
    std::fs::copy(&template.path, &path)?;
    let mut random = Random::new(seed);
    let clock = SimClock::new(start());
    let world = World::new(&mut random);
    let chaos = Arc::new(Chaos::new(clock.clone(), random.fork()));
    let stage = Stage {
        asked: world.singles.iter().map(|_| Arc::default()).collect(),
        world,
        path: path.clone(),
        clock: clock.clone(),
        chaos,
        bank: Arc::new(Bank::new(random.fork())),
        ids: Arc::new(SimIds::new(1)),
        mutant: config.mutant,
        supports_look_up: !random.happens(250),
        workers: random.between(1, 3),
    };
    let report = stage.play(seed, &mut Pool::new(clock, random.fork()), &mut random);
    for suffix in ["", "-wal", "-shm", "-lock"] {
        let left = PathBuf::from(format!("{}{suffix}", path.display()));
        if left.exists() {
            std::fs::remove_file(left)?;
        }
    }
    report
}

impl Stage {
    /// Plays the schedule to its end and checks the books.
    fn play(&self, seed: u64, pool: &mut Pool, random: &mut Random) -> Result<Report, SimError> {
        let mut store = SqliteStore::open(&self.path, Executor::Inline)?;
        self.prepare(&store)?;
        self.launch(&store, pool);
        let mut crashes = 0;
        let mut steps = 0;
        let mut check_at = self.clock.now();
        let violations = loop {
            steps += 1;
            let progress = pool.step();
            if self.chaos.take_crash() {
                crashes += 1;
                pool.kill();
                drop(store);
                self.outage(random);
                store = SqliteStore::open(&self.path, Executor::Inline)?;
                self.launch(&store, pool);
            }
            if progress == Step::Stuck {
                break vec!["nobody waits for anything any more".to_owned()];
            }
            let now = self.clock.now();
            if steps > STEPS_MAX || now.duration_since(start()).unsigned_abs() > TIME_MAX {
                break vec!["the schedule does not come to an end".to_owned()];
            }
            if progress == Step::Waited && now >= check_at {
                check_at = now.checked_add(Duration::from_mins(10)).unwrap_or(now);
                if has_ended(&store, &self.world, self.supports_look_up)? {
                    break Vec::new();
                }
            }
        };
        pool.kill();
        let mut violations = violations;
        violations.extend(self.bank.faults());
        violations.extend(check_books(
            &store,
            &self.world,
            &self.bank,
            self.clock.now(),
            self.supports_look_up,
        )?);
        let charges = self.bank.entries().len();
        Ok(Report { seed, violations, history: self.chaos.history(), crashes, charges })
    }

    /// Stores the world and creates its runs.
    fn prepare(&self, store: &SqliteStore) -> Result<(), SimError> {
        at_once(store.put_settings(ENTITY, self.world.settings.clone()))?;
        at_once(store.load(ENTITY, self.world.load.clone()))?;
        for run in &self.world.runs {
            let request = self.request(Command::CreateRun(run.clone()));
            match at_once(store.execute(request, None, Arc::new(BankEncoder), self.ids.clone())) {
                Ok(Executed::Fresh(Output::Run(_))) => {}
                other => return Err(SimError::Run(format!("{other:?}"))),
            }
        }
        Ok(())
    }

    fn request(&self, command: Command) -> Request {
        Request { scope: Scope::entity(ENTITY), user: USER, now: self.clock.now(), command }
    }

    /// Lets time pass after a crash: moments, minutes, or longer than the bank remembers a key.
    fn outage(&self, random: &mut Random) {
        let (shortest, longest) = match random.below(10) {
            0..=4 => (Duration::ZERO, Duration::from_secs(20)),
            5..=7 => (Duration::from_secs(20), Duration::from_mins(20)),
            _ => (Duration::from_hours(11), Duration::from_hours(40)),
        };
        let pause = random.pause(shortest, longest);
        self.clock.skip(pause);
        self.chaos.note(|| format!("the process starts again after {pause:?}"));
    }

    /// Starts the process: workers, and callers with single payments.
    fn launch(&self, store: &SqliteStore, pool: &Pool) {
        let gateway = Arc::new(SimGateway::new(
            self.bank.clone(),
            self.chaos.clone(),
            self.clock.clone(),
            self.supports_look_up,
            self.mutant,
        ));
        let encoder: Arc<dyn EncodeCharge> = Arc::new(BankEncoder);
        let work = ChaosWork::new(
            store.clone(),
            &self.path,
            self.chaos.clone(),
            self.clock.clone(),
            encoder.clone(),
            self.mutant,
        );
        let ports = WorkerPorts {
            work: Arc::new(work),
            gateways: Arc::new(SimGateways(gateway)),
            encoder,
            clock: Arc::new(self.clock.clone()),
            ids: self.ids.clone(),
            spawner: Arc::new(pool.spawner.clone()),
        };
        let settings = settings(self.world.is_hasty);
        for _ in 0..self.workers {
            let (ports, chaos, clock) = (ports.clone(), self.chaos.clone(), self.clock.clone());
            pool.spawner.spawn(
                "worker",
                Box::pin(async move {
                    loop {
                        let stop = stop_of(&chaos, &clock);
                        Worker::new(ports.clone(), settings).run(stop).await;
                        chaos.note(|| "a worker has drained".to_owned());
                    }
                }),
            );
        }
        for (single, asked) in self.world.singles.iter().zip(&self.asked) {
            if !asked.load(Ordering::Relaxed) {
                let caller = Caller {
                    store: store.clone(),
                    ports: ports.clone(),
                    chaos: self.chaos.clone(),
                    clock: self.clock.clone(),
                    asked: asked.clone(),
                };
                pool.spawner.spawn("caller", Box::pin(caller.ask(single.clone())));
            }
        }
    }
}

/// When a worker is told to stop: sometimes soon, mostly never.
fn stop_of(chaos: &Chaos, clock: &SimClock) -> payment_runs_engine::ports::BoxFuture<'static, ()> {
    let pause = if !chaos.is_over() && chaos.happens(300) {
        chaos.pause(Duration::ZERO, Duration::from_secs(5))
    } else {
        TIME_MAX.saturating_mul(2)
    };
    clock.sleep_until(clock.now().checked_add(pause).unwrap_or(Timestamp::MAX))
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
            again_after: minutes(10),
            single_after: minutes(5),
            batch_max: 3,
            at_once: 2,
        },
    }
}

/// Somebody who asks for one payment and waits for it.
struct Caller {
    store: SqliteStore,
    ports: WorkerPorts,
    chaos: Arc<Chaos>,
    clock: SimClock,
    asked: Arc<AtomicBool>,
}

impl Caller {
    async fn ask(self, single: Single) {
        self.clock.sleep_until(single.at).await;
        self.asked.store(true, Ordering::Relaxed);
        let Some(Output::PaymentIntent(payment, intent)) =
            self.execute("create a payment", Command::CreatePayment(single.payment)).await
        else {
            return;
        };
        let (gateways, clock) = (self.ports.gateways.clone(), self.ports.clock.clone());
        let outcome = collect_single(gateways, clock, &intent).await;
        let settlement = Settlement { payment: payment.id, outcome };
        self.execute("settle a payment", Command::SettlePayment(settlement)).await;
    }

    /// Carries a command out once; what fails is left to the worker.
    async fn execute(&self, doing: &'static str, command: Command) -> Option<Output> {
        let request = Request { scope: Scope::entity(ENTITY), user: USER, now: self.clock.now(), command };
        let ids: Arc<dyn Ids> = self.ports.ids.clone();
        let call = async {
            match self.store.execute(request, None, self.ports.encoder.clone(), ids).await {
                Ok(Executed::Fresh(output)) => Ok(Some(output)),
                Ok(_) => Ok(None),
                Err(LedgerError::Refused(refusals)) => {
                    self.chaos.note(|| format!("{doing}: refused: {refusals:?}"));
                    Ok(None)
                }
                Err(LedgerError::Store(error)) => Err(error),
            }
        };
        let result = step(&self.chaos, &self.clock, doing, call).await;
        let is_done = result.as_ref().is_ok_and(Option::is_some);
        self.chaos.note(|| format!("{doing}: {}", if is_done { "done" } else { "not done" }));
        result.ok().flatten()
    }
}
