//! One schedule: a world, a worker or more, everything that goes wrong, and the end of it.

mod process;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::collect::{Belonging, LedgerGuard, take_account};
use payment_runs_engine::command::{Command, Request};
use payment_runs_engine::ids::EntityId;
use payment_runs_engine::ports::{
    Access, Clock, Executed, GatewayAccounts, Ids, LEDGER_ID_NAME, Ledger, LedgerWatch, Output, StoreError,
};
use payment_runs_engine::reconcile::ReconcileError;
use payment_runs_store::{Executor, OpenError, SqliteStore};

use self::process::Process;
use crate::bank::{Bank, BankEncoder, Border, Entry, Manners, Seen};
use crate::caller::Memory;
use crate::chaos::{Change, Chaos, Limits, Setup, Signal};
use crate::check::{Ground, check_books, has_ended};
use crate::fault::{Fault, Place};
use crate::gateway::settings_of;
use crate::mutant::{Mutant, Saboteur, copy_database};
use crate::pool::{Group, Pool, SimClock, Step, at_once};
use crate::ports::SimIds;
use crate::random::Random;
use crate::restore::{self, EntersAnew, RECONCILE_MAX, RECONCILE_MIN, RESTORE_MIN, Statement};
use crate::script::{Part, Script};
use crate::world::{ENTITY, GATEWAY, USER, World, start};

/// Steps after which a schedule is taken to run for ever. Ordinary ones need a few thousand.
const STEPS_MAX: u64 = 300_000;

/// True time after which a schedule is taken to run for ever.
const TIME_MAX: Duration = Duration::from_hours(24 * 60);

/// After how long a payment in doubt is looked up again.
const LOOK_UP_AGAIN: Duration = Duration::from_mins(10);

/// How far the clock may be set back in all where keys say nothing about safety.
const BACK_MAX: Duration = Duration::from_hours(6);

/// When a copy of the database is taken at the latest, after the start.
const COPY_MAX: Duration = Duration::from_mins(3);

/// How soon an operator notices at the earliest that the process runs with another gateway account.
const NOTICED_MIN: Duration = Duration::from_mins(1);

/// How late an operator does.
const NOTICED_MAX: Duration = Duration::from_hours(6);

/// How many schedules have frost, in thousandths.
const FROSTY_PER_MILLE: u64 = 150;

/// Directories that this process has named, so that no two simulations share one.
static DIRECTORIES: AtomicU64 = AtomicU64::new(0);

/// How a schedule is run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where database files are put; best on memory.
    pub directory: PathBuf,
    /// A protocol that is wrong on purpose.
    pub mutant: Option<Mutant>,
    /// What goes wrong at the border of every schedule; nothing unless given.
    pub border: Option<Border>,
    /// Whether histories are written down, which takes time.
    pub keeps_history: bool,
}

impl Config {
    /// Memory-backed storage where there is any, and the right protocol.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let ordinal = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
        let directory = parent.join(format!("payment-runs-sim-{}-{ordinal}", std::process::id()));
        Self { directory, mutant: None, border: None, keeps_history: false }
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
    /// What happened; empty unless it was kept.
    pub history: Vec<String>,
    /// Everything that took part and went wrong, which repeats it exactly, too.
    pub script: Script,
    /// How often the process died.
    pub crashes: u32,
    /// Charges in the bank's books.
    pub charges: usize,
    /// What the bank saw.
    pub seen: Seen,
    /// How the bank treats those who ask.
    pub manners: Manners,
}

impl Report {
    /// Every fault with its place.
    pub fn faults(&self) -> impl Iterator<Item = (&Place, &Fault)> {
        self.script.faults.iter()
    }
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
    /// A restored ledger could not be reconciled.
    #[error("the ledger could not be reconciled")]
    Reconcile(#[from] ReconcileError),
    /// The books could not be read.
    #[error("the books could not be read")]
    Books(#[from] rusqlite::Error),
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
        at_once(store.ensure_secret(LEDGER_ID_NAME, [7; 32]))?;
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
    /// The banks of two gateway accounts; the first is the one that the ledger belongs to.
    banks: [Arc<Bank>; 2],
    bank: AtomicUsize,
    /// How often the process was started.
    launches: AtomicU32,
    /// Whether the ledger was restored, and not reconciled since.
    is_restored: AtomicBool,
    /// Decides what people do around a restore.
    seed: u64,
    /// When a copy of the database is taken, by the true clock.
    copy_at: Timestamp,
    ids: Arc<SimIds>,
    mutant: Option<Mutant>,
    manners: Manners,
    is_frosty: bool,
    workers: Group,
    memories: Vec<Arc<Memory>>,
}

/// Runs the schedule of one seed.
pub fn run_seed(config: &Config, template: &Template, seed: u64) -> Result<Report, SimError> {
    run_script(config, template, seed, None)
}

/// Runs the schedule of one seed, or what a script says of its world.
pub fn run_script(
    config: &Config,
    template: &Template,
    seed: u64,
    script: Option<&Script>,
) -> Result<Report, SimError> {
    let path = config.directory.join(format!("{seed}-{:?}.db", std::thread::current().id()));
    std::fs::copy(&template.path, &path)?;
    let mut random = Random::new(seed);
    let clock = SimClock::new(start());
    let mut world = World::new(&mut random);
    let is_frosty = random.happens(FROSTY_PER_MILLE);
    if is_frosty {
        world.add_resolvers(&mut random);
    }
    let mut parts: BTreeSet<Part> = world.parts().into_iter().chain([Part::Order, Part::Latency]).collect();
    if let Some(script) = script {
        parts.clone_from(&script.parts);
        world.keep(&parts);
    }
    let mut manners = Manners::draw(&mut random, config.border);
    if is_frosty {
        // Where keys protect charges, a worker that wakes too late does no harm.
        manners = Manners { border: Border::Calm, key_life: Duration::ZERO, supports_look_up: true };
    }
    let setup = Setup {
        seed: random.draw(),
        script: script.map(|script| script.faults.clone()),
        limits: Limits { is_frosty, ..limits(manners) },
        random_times: parts.contains(&Part::Latency),
        keeps_history: config.keeps_history,
    };
    let (bank_seed, order) = (random.draw(), random.fork());
    let copy_at = start().checked_add(random.pause(Duration::ZERO, COPY_MAX)).unwrap_or_else(|_| start());
    let stage = Stage {
        memories: world.operations.iter().map(|_| Arc::default()).collect(),
        world,
        path: path.clone(),
        clock: clock.clone(),
        chaos: Arc::new(Chaos::new(clock.clone(), setup)),
        banks: [0, 1]
            .map(|ordinal| Arc::new(Bank::new(format!("acct_{ordinal}"), bank_seed + ordinal, manners))),
        bank: AtomicUsize::new(0),
        launches: AtomicU32::new(0),
        is_restored: AtomicBool::new(false),
        seed: bank_seed,
        copy_at,
        ids: Arc::new(SimIds::new(1)),
        mutant: config.mutant,
        manners,
        is_frosty,
        workers: Group::try_from(random.between(if is_frosty { 2 } else { 1 }, 3)).unwrap_or(1),
    };
    let mut pool = Pool::with_order(clock, parts.contains(&Part::Order).then_some(order));
    let report = stage.play(seed, parts, &mut pool);
    for suffix in ["", "-wal", "-shm", "-lock", ".saved", ".saved-wal"] {
        let left = PathBuf::from(format!("{}{suffix}", path.display()));
        if left.exists() {
            std::fs::remove_file(left)?;
        }
    }
    report
}

/// What the clock may do at a bank. A key counts as old at half its life, and is sent at most a few minutes after it was
/// judged: so far the system's clock may go wrong.
fn limits(manners: Manners) -> Limits {
    let (has_keys, life) = (manners.has_keys(), manners.key_life);
    let back = if has_keys { (life / 4).min(BACK_MAX) } else { BACK_MAX };
    let forward = if has_keys { TIME_MAX } else { LOOK_UP_AGAIN / 2 };
    Limits { back, forward, has_keys, is_frosty: false, border: manners.border }
}

impl Stage {
    /// Plays the schedule to its end and checks the books.
    fn play(&self, seed: u64, parts: BTreeSet<Part>, pool: &mut Pool) -> Result<Report, SimError> {
        let mut store = SqliteStore::open(&self.path, self.executor())?;
        self.prepare(&store)?;
        let mut noticed_at = self.confirm_account(&store)?;
        let mut process = self.launch(store.clone(), pool)?;
        let mut crashes = 0;
        let mut steps = 0;
        let mut check_at = self.clock.true_now();
        let mut was_frozen = false;
        let mut is_copied = false;
        let mut reconcile_at = None;
        let ended_badly = loop {
            steps += 1;
            let progress = pool.step();
            let mut signals = self.chaos.take_signals();
            if noticed_at.take_if(|at| *at <= self.clock.true_now()).is_some() && !self.is_ours(&store)? {
                signals.insert(0, Signal::Crash(Duration::ZERO, Change::Moved));
            }
            if reconcile_at.take_if(|at| *at <= self.clock.true_now()).is_some() {
                signals.insert(0, Signal::Crash(Duration::ZERO, Change::Reconciled));
            }
            for signal in signals {
                match signal {
                    Signal::Crash(outage, change) => {
                        crashes += 1;
                        pool.kill();
                        drop(process);
                        drop(store);
                        let is_restored = change == Change::Restored && self.saved().exists();
                        self.clock.skip(if is_restored { outage.max(RESTORE_MIN) } else { outage });
                        self.chaos.note(|| format!("the process starts again after {outage:?}"));
                        self.change(change)?;
                        store = SqliteStore::open(&self.path, self.executor())?;
                        if change == Change::Reconciled {
                            self.reconcile(&store)?;
                        }
                        if is_restored {
                            reconcile_at = self.after_restore(&store);
                        }
                        noticed_at = self.confirm_account(&store)?;
                        process = self.launch(store.clone(), pool)?;
                        break;
                    }
                    Signal::Die(group, pause) => {
                        pool.kill_group(group);
                        process.start_worker(pool, group, pause);
                    }
                }
            }
            let now = self.clock.true_now();
            if self.manners.border == Border::RestoredLedger && !is_copied && now >= self.copy_at {
                is_copied = true;
                copy_database(&self.path, &self.saved())?;
                self.chaos.note(|| "a copy of the database is saved".to_owned());
            }
            if progress == Step::Stuck {
                break vec!["nobody waits for anything any more".to_owned()];
            }
            if steps > STEPS_MAX || now.duration_since(start()).unsigned_abs() > TIME_MAX {
                break vec!["the schedule does not come to an end".to_owned()];
            }
            if progress == Step::Waited && now >= check_at {
                check_at = now.checked_add(Duration::from_mins(10)).unwrap_or(now);
                // Whoever wakes from a frost has time to do harm before the books are checked.
                let is_frozen = self.is_frosty && !pool.freezer.is_empty();
                let is_calm = !is_frozen && !was_frozen;
                was_frozen = is_frozen;
                let is_over =
                    is_calm && reconcile_at.is_none() && self.memories.iter().all(|memory| memory.is_done());
                if is_over && has_ended(&store, &self.world, &self.banks, self.manners, self.clock.now())? {
                    break Vec::new();
                }
            }
        };
        pool.kill();
        drop(process);
        drop(store);
        let entries: Vec<Entry> = self.banks.iter().flat_map(|bank| bank.entries()).collect();
        let charges = entries.len();
        let ground = Ground {
            world: &self.world,
            entries,
            now: self.clock.true_now(),
            supports_look_up: self.manners.supports_look_up,
            may_be_restored: self.manners.border == Border::RestoredLedger,
        };
        let mut violations = check_books(&self.path, &ground)?;
        violations.extend(self.banks.iter().flat_map(|bank| bank.faults()));
        violations.extend(ended_badly);
        let script = Script { parts, faults: self.chaos.record().into_iter().collect() };
        Ok(Report {
            seed,
            violations,
            history: self.chaos.history(),
            script,
            crashes,
            charges,
            seen: self.bank().seen(),
            manners: self.manners,
        })
    }

    /// The bank of the gateway account that the process is configured with.
    fn bank(&self) -> &Arc<Bank> {
        &self.banks[self.bank.load(Ordering::Relaxed)]
    }

    /// Whether the payments belong to the configured account.
    fn is_ours(&self, store: &SqliteStore) -> Result<bool, SimError> {
        let account = self.bank().account();
        Ok(at_once(store.ensure_gateway_account(GATEWAY, &account))? == account)
    }

    /// What happens before a process starts: where it is refused for the account that it is configured with, the operator
    /// configures the other one. Where the gateway could not be asked, it starts, and this is when the operator looks whether
    /// the account is right.
    fn confirm_account(&self, store: &SqliteStore) -> Result<Option<Timestamp>, SimError> {
        if self.mutant == Some(Mutant::AnyAccount) {
            return Ok(None);
        }
        if self.chaos.starts_blind() {
            let pause = self.chaos.pause(NOTICED_MIN, NOTICED_MAX);
            return Ok(self.clock.true_now().checked_add(pause).ok());
        }
        let account = self.bank().account();
        if let Belonging::Another { account, .. } = at_once(take_account(store, GATEWAY, &account, false))? {
            self.bank.fetch_xor(1, Ordering::Relaxed);
            self.chaos.note(|| format!("the process starts only with {account} again"));
        }
        Ok(None)
    }

    /// The bank's list, as an operator reads it.
    fn statement(&self) -> Statement {
        let settings = settings_of(self.manners);
        Statement { bank: self.bank().clone(), clock: self.clock.clone(), settings }
    }

    /// What people do between a restore and the start, and when they reconcile.
    fn after_restore(&self, store: &SqliteStore) -> Option<Timestamp> {
        self.is_restored.store(true, Ordering::Relaxed);
        let ids: Arc<dyn Ids> = self.ids.clone();
        let (random, world, now) = (self.random_of_start(), &self.world, self.clock.now());
        EntersAnew { random, world, store, ids, now }.enter();
        let pause = self.chaos.pause(RECONCILE_MIN, RECONCILE_MAX);
        self.clock.true_now().checked_add(pause).ok()
    }

    /// Reconciles the ledger, and lets a run collect what is still owed.
    fn reconcile(&self, store: &SqliteStore) -> Result<(), SimError> {
        let ids: Arc<dyn Ids> = self.ids.clone();
        let found = restore::reconcile(store, self.statement(), ids.clone(), self.mutant)?;
        self.is_restored.store(false, Ordering::Relaxed);
        self.chaos.note(|| format!("the ledger is reconciled:\n  {found}"));
        let (mut random, now) = (self.random_of_start(), self.clock.now());
        restore::match_payments(&mut random, &self.world, store, self.bank(), self.mutant, now)?;
        restore::collect_again(&mut random, store, &ids, now);
        Ok(())
    }

    fn random_of_start(&self) -> Random {
        Random::new(u64::from(self.launches.load(Ordering::Relaxed)) ^ self.seed)
    }

    fn saved(&self) -> PathBuf {
        PathBuf::from(format!("{}.saved", self.path.display()))
    }

    /// What is different when the process starts again.
    fn change(&self, change: Change) -> Result<(), SimError> {
        match change {
            Change::None | Change::Reconciled => {}
            Change::Restored if !self.saved().exists() => {}
            Change::Restored => {
                copy_database(&self.saved(), &self.path)?;
                self.chaos.note(|| "the database is restored from the copy".to_owned());
            }
            Change::Moved => {
                self.bank.fetch_xor(1, Ordering::Relaxed);
                self.chaos.note(|| "the process is configured with another gateway account".to_owned());
            }
        }
        Ok(())
    }

    /// A protocol that is wrong on purpose has hands in the database while it is at work; otherwise nobody has.
    fn executor(&self) -> Executor {
        if self.mutant.is_some() { Executor::Inline } else { Executor::InlineAlone }
    }

    /// Stores the world and creates its runs.
    fn prepare(&self, store: &SqliteStore) -> Result<(), SimError> {
        at_once(store.put_settings(ENTITY, self.world.settings.clone()))?;
        at_once(store.load(ENTITY, self.world.load.clone()))?;
        at_once(store.begin_comparison(GATEWAY, start()))?;
        for run in &self.world.runs {
            let command = Command::CreateRun(run.clone());
            let request =
                Request { scope: Scope::entity(ENTITY), user: USER, now: self.clock.now(), command };
            match at_once(store.execute(request, None, Arc::new(BankEncoder), self.ids.clone())) {
                Ok(Executed::Fresh(Output::Run(_))) => {}
                other => return Err(SimError::Run(format!("{other:?}"))),
            }
        }
        Ok(())
    }

    /// What a process does with its ledger when it starts: where the bank can be asked. An operator who knows of the restore
    /// says so, some of the time.
    fn check_ledger(&self, guard: &LedgerGuard) -> Result<(), SimError> {
        at_once(guard.begin(GATEWAY))?;
        if self.chaos.starts_blind() {
            return Ok(());
        }
        let is_told = self.is_restored.load(Ordering::Relaxed) && self.random_of_start().happens(300);
        Ok(restore::check(guard, &self.statement(), is_told)?)
    }

    /// Starts the process: workers and callers.
    fn launch(&self, store: SqliteStore, pool: &Pool) -> Result<Process<'_>, SimError> {
        self.launches.fetch_add(1, Ordering::Relaxed);
        let saboteur = match self.mutant {
            Some(mutant) => Some(Arc::new(Saboteur::new(mutant, &self.path)?)),
            None => None,
        };
        let guard = Arc::new(LedgerGuard::new(Arc::new(store.clone()), Arc::new(self.clock.clone())));
        if self.mutant != Some(Mutant::RestoreUnnoticed) && self.manners.border == Border::RestoredLedger {
            self.check_ledger(&guard)?;
        }
        let process = Process { stage: self, store, guard, saboteur };
        for group in 1..=self.workers {
            process.start_worker(pool, group, Duration::ZERO);
        }
        for (index, memory) in self.memories.iter().enumerate().filter(|(_, memory)| !memory.is_done()) {
            process.start_caller(pool, index, memory);
        }
        Ok(process)
    }
}
