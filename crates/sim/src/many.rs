//! Many schedules, on every core.
#![expect(clippy::print_stdout, reason = "a long run tells how far it is")]

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::fault::FaultKind;
use crate::mutant::Mutant;
use crate::pool::lock;
use crate::schedule::{Config, Report, SimError, Template, run_seed};

/// How often a long run tells how far it is.
const PROGRESS: Duration = Duration::from_mins(1);

/// How many schedules to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// The first seed; the others follow it.
    pub first: u64,
    /// How many; at least so many where there is a time.
    pub count: u64,
    /// For how long.
    pub time: Option<Duration>,
    /// On how many threads.
    pub threads: usize,
}

impl Amount {
    /// So many schedules from a seed on, on every core.
    pub fn new(first: u64, count: u64) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { first, count, time: None, threads }
    }
}

/// What became of many schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Schedules that were run.
    pub schedules: u64,
    /// How often processes died in them.
    pub crashes: u64,
    /// Charges in the banks' books.
    pub charges: u64,
    /// Deliveries that a bank recognised by their keys.
    pub repeats: u64,
    /// Deliveries of keys that a bank had forgotten.
    pub forgotten: u64,
    /// Questions about charges whose keys a bank had forgotten.
    pub expired: u64,
    /// Schedules with a bank that knows no keys.
    pub without_keys: u64,
    /// Schedules with a bank that answers no look-ups.
    pub without_look_ups: u64,
    /// Faults by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// The schedule with the smallest seed among those in which something is wrong.
    pub failure: Option<Report>,
}

impl Summary {
    fn add(&mut self, report: &Report) {
        self.schedules += 1;
        self.crashes += u64::from(report.crashes);
        self.charges += report.charges as u64;
        self.repeats += report.seen.repeats;
        self.forgotten += report.seen.forgotten;
        self.expired += report.seen.expired;
        self.without_keys += u64::from(!report.manners.has_keys());
        self.without_look_ups += u64::from(!report.manners.supports_look_up);
        for (_, fault) in report.faults() {
            *self.faults.entry(fault.kind).or_default() += 1;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} schedules ({} with a gateway without keys, {} without look-ups), {} crashes, {} charges, {} repeated \
             deliveries recognised by their keys, {} sent after their keys had expired, {} looked up instead",
            self.schedules,
            self.without_keys,
            self.without_look_ups,
            self.crashes,
            self.charges,
            self.repeats,
            self.forgotten,
            self.expired
        )?;
        let faults: Vec<String> =
            self.faults.iter().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
        write!(f, "faults: {}", faults.join(", "))
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to go on is the caller's time, not the schedules'")]
fn now() -> Instant {
    Instant::now()
}

/// Runs many schedules. The seeds are handed out in order, and the first failure ends it.
pub fn run_many(config: &Config, amount: Amount) -> Result<Summary, SimError> {
    let runs = Runs {
        config,
        amount,
        started: now(),
        next: AtomicU64::new(0),
        has_ended: AtomicBool::new(false),
        told: Mutex::new(now()),
        summary: Mutex::default(),
    };
    let threads = amount.threads.max(1);
    let results: Vec<Result<(), SimError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let runs = &runs;
                scope.spawn(move || runs.work(&thread.to_string()))
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    if results.len() < threads {
        return Err(SimError::Panicked);
    }
    // Whatever happened, the files go; the first error is told.
    let removed = std::fs::remove_dir_all(&config.directory);
    results.into_iter().collect::<Result<Vec<()>, SimError>>()?;
    removed?;
    Ok(runs.summary.into_inner().unwrap_or_default())
}

struct Runs<'a> {
    config: &'a Config,
    amount: Amount,
    started: Instant,
    next: AtomicU64,
    has_ended: AtomicBool,
    told: Mutex<Instant>,
    summary: Mutex<Summary>,
}

impl Runs<'_> {
    /// The next seed, unless there have been enough.
    fn next_seed(&self) -> Option<u64> {
        let ordinal = self.next.fetch_add(1, Ordering::Relaxed);
        let has_time = self.amount.time.is_some_and(|time| self.started.elapsed() < time);
        let goes_on = ordinal < self.amount.count || has_time;
        (goes_on && !self.has_ended.load(Ordering::Relaxed)).then(|| self.amount.first.wrapping_add(ordinal))
    }

    fn work(&self, name: &str) -> Result<(), SimError> {
        let template = Template::new(self.config, name)?;
        while let Some(seed) = self.next_seed() {
            let report = run_seed(self.config, &template, seed)?;
            let mut summary = lock(&self.summary);
            summary.add(&report);
            self.tell(&summary);
            if !report.violations.is_empty() {
                self.has_ended.store(true, Ordering::Relaxed);
                if summary.failure.as_ref().is_none_or(|one| report.seed < one.seed) {
                    summary.failure = Some(report);
                }
            }
        }
        Ok(())
    }

    /// Tells from time to time how far it is.
    fn tell(&self, summary: &Summary) {
        let mut told = lock(&self.told);
        if told.elapsed() >= PROGRESS {
            *told = now();
            let seconds = self.started.elapsed().as_secs();
            println!("after {seconds} s: {} schedules, {} crashes", summary.schedules, summary.crashes);
        }
    }
}

/// Within how many seeds a mutant is noticed; `None` when it is not. It is hunted where it shows, unless told where.
pub fn hunt(config: &Config, mutant: Mutant, amount: Amount) -> Result<Option<(u64, Report)>, SimError> {
    let border = config.border.or(mutant.border());
    let config = Config { mutant: Some(mutant), border, ..config.clone() };
    let summary = run_many(&config, Amount { time: None, ..amount })?;
    Ok(summary.failure.map(|report| (report.seed.wrapping_sub(amount.first) + 1, report)))
}
