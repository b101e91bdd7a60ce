//! Many schedules, on every core.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::mutant::Mutant;
use crate::pool::lock;
use crate::schedule::{Config, Report, SimError, Template, run_seed};

/// What became of many schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Schedules that were run.
    pub schedules: u64,
    /// How often processes died in them.
    pub crashes: u64,
    /// Charges in the banks' books.
    pub charges: u64,
    /// The schedule with the smallest seed among those in which something is wrong.
    pub failure: Option<Report>,
}

/// Runs the schedules of `count` seeds from `first` on. The seeds are handed out in order, and the first failure ends it.
pub fn run_many(config: &Config, first: u64, count: u64) -> Result<Summary, SimError> {
    let next = AtomicU64::new(0);
    let summary = Mutex::new(Summary::default());
    let work = |name: &str| -> Result<(), SimError> {
        let template = Template::new(config, name)?;
        loop {
            let ordinal = next.fetch_add(1, Ordering::Relaxed);
            if ordinal >= count {
                return Ok(());
            }
            let report = run_seed(config, &template, first.wrapping_add(ordinal))?;
            let mut summary = lock(&summary);
            summary.schedules += 1;
            summary.crashes += u64::from(report.crashes);
            summary.charges += report.charges as u64;
            if !report.violations.is_empty() {
                next.store(count, Ordering::Relaxed);
                let is_first = summary.failure.as_ref().is_none_or(|one| report.seed < one.seed);
                if is_first {
                    summary.failure = Some(report);
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let results: Vec<Result<(), SimError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let work = &work;
                scope.spawn(move || work(&core.to_string()))
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    if results.len() < cores {
        return Err(SimError::Panicked);
    }
    // Whatever happened, the files go; the first error is told.
    let removed = std::fs::remove_dir_all(&config.directory);
    results.into_iter().collect::<Result<Vec<()>, SimError>>()?;
    removed?;
    Ok(summary.into_inner().unwrap_or_default())
}

/// Within how many seeds a mutant is noticed; `None` when it is not.
pub fn hunt(
    config: &Config,
    mutant: Mutant,
    first: u64,
    count: u64,
) -> Result<Option<(u64, Report)>, SimError> {
    let config = Config { mutant: Some(mutant), ..config.clone() };
    let summary = run_many(&config, first, count)?;
    Ok(summary.failure.map(|report| (report.seed.wrapping_sub(first) + 1, report)))
}
