//! Runs schedules from the command line.
#![expect(clippy::print_stdout, reason = "this is a command line")]

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use clap::Parser;
use payment_runs_sim::{
    Amount, Border, Config, Mutant, Report, Script, Template, hunt, run_many, run_script, shrink,
};

/// Lines of a history that are shown of a schedule that was not asked for.
const HISTORY_LINES_SHOWN: usize = 200;

/// Seeds within which every mutant is to be noticed, unless said otherwise.
const MUTANT_SEEDS_MAX: u64 = 2_000;

/// Schedules that are run, unless said otherwise.
const SEEDS: u64 = 1_000;

/// Tries to make the collection protocol charge twice or lose a payment.
#[derive(Parser)]
struct Arguments {
    /// How many schedules to run (1,000 unless said); at least so many with --minutes; at most so many with --mutants.
    #[arg(long)]
    seeds: Option<u64>,
    /// Run schedules for so long.
    #[arg(long)]
    minutes: Option<u64>,
    /// Run this one schedule and show its whole history.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: what of that schedule takes part and goes wrong, as a failure tells it.
    #[arg(long, requires = "seed")]
    script: Option<Script>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Take the first seed from the time, so that other schedules are run each time.
    #[arg(long, conflicts_with = "first")]
    fresh: bool,
    /// How many threads; one for each core unless said.
    #[arg(long)]
    threads: Option<usize>,
    /// Run protocols that are wrong on purpose instead; fails if one is not noticed.
    #[arg(long)]
    mutants: bool,
    /// Only this kind of trouble at the border with the gateway.
    #[arg(long)]
    border: Option<Border>,
    /// Only this mutant.
    #[arg(long)]
    mutant: Option<Mutant>,
}

impl Arguments {
    fn amount(&self, count: u64) -> Amount {
        let mut amount = Amount::new(if self.fresh { seed_of_now() } else { self.first }, count);
        amount.time = self.minutes.map(|minutes| Duration::from_secs(minutes * 60));
        amount.threads = self.threads.unwrap_or(amount.threads);
        amount
    }
}

#[expect(clippy::disallowed_methods, reason = "every run of the tests is to try other schedules")]
fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |passed| passed.as_secs() * 1_000_000)
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let config = Config { mutant: arguments.mutant, border: arguments.border, ..Config::new() };
    if let Some(seed) = arguments.seed {
        return replay(&config, seed, arguments.script.as_ref());
    }
    if arguments.mutants {
        return hunt_all(&config, &arguments);
    }
    let count = arguments.seeds.unwrap_or(if arguments.minutes.is_some() { 0 } else { SEEDS });
    let amount = arguments.amount(count);
    println!("schedules from seed {} on", amount.first);
    let summary = run_many(&config, amount).context("the simulation broke")?;
    println!("{summary}");
    if let Some(failed) = &summary.failure {
        explain(&config, failed)?;
        bail!("seed {} fails", failed.seed);
    }
    println!("nothing charged twice, nothing lost, every account in balance");
    Ok(())
}

/// Runs one schedule and shows all of it.
fn replay(config: &Config, seed: u64, script: Option<&Script>) -> Result<()> {
    let config = Config { keeps_history: true, ..config.clone() };
    let template = Template::new(&config, "one")?;
    let report = run_script(&config, &template, seed, script)?;
    std::fs::remove_dir_all(&config.directory)?;
    show(&report, usize::MAX);
    if report.violations.is_empty() { Ok(()) } else { bail!("seed {seed} fails") }
}

/// Runs every mutant until it is noticed.
fn hunt_all(config: &Config, arguments: &Arguments) -> Result<()> {
    let amount = arguments.amount(arguments.seeds.unwrap_or(MUTANT_SEEDS_MAX));
    println!("schedules from seed {} on", amount.first);
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL.into_iter().filter(|one| arguments.mutant.is_none_or(|only| only == *one)) {
        match hunt(config, mutant, amount)? {
            Some((seeds, report)) => {
                let first = report.violations.first().cloned().unwrap_or_default();
                println!("{mutant}: noticed within {seeds} seeds: {first}");
            }
            None => survivors.push(mutant.name()),
        }
    }
    if survivors.is_empty() { Ok(()) } else { bail!("not noticed: {}", survivors.join(", ")) }
}

/// Makes a failure as short as it can be and shows how it comes about and how it is repeated.
fn explain(config: &Config, failed: &Report) -> Result<()> {
    let template = Template::new(config, "shrink")?;
    let shrunk = shrink(config, &template, failed)?;
    std::fs::remove_dir_all(&config.directory)?;
    let mutant = config.mutant.map(|one| format!(" --mutant {one}")).unwrap_or_default();
    let Some(shrunk) = shrunk else {
        show(failed, HISTORY_LINES_SHOWN);
        bail!("the script of seed {} does not repeat it; --seed {} does", failed.seed, failed.seed);
    };
    show(&shrunk.report, HISTORY_LINES_SHOWN);
    println!("the whole schedule: cargo xtask sim --seed {}{mutant}", failed.seed);
    println!(
        "shortest of {} schedules, {} of {} entries: cargo xtask sim --seed {}{mutant} --script '{}'",
        shrunk.tries,
        shrunk.script.entries().len(),
        shrunk.entries_before,
        failed.seed,
        shrunk.script
    );
    Ok(())
}

/// Shows what went wrong and the last lines of how.
fn show(report: &Report, lines_max: usize) {
    let from = report.history.len().saturating_sub(lines_max);
    for line in &report.history[from..] {
        println!("{line}");
    }
    println!(
        "seed {}: {} crashes, {} charges, {:?}",
        report.seed, report.crashes, report.charges, report.manners
    );
    for violation in &report.violations {
        println!("VIOLATION: {violation}");
    }
}
