//! Runs schedules from the command line.
#![expect(clippy::print_stdout, reason = "this is a command line")]

use anyhow::{Context, Result, bail};
use clap::Parser;
use payment_runs_sim::{Config, Mutant, Report, Template, hunt, run_many, run_seed};

/// Lines of history that are shown of a failure unless one seed was asked for.
const HISTORY_LINES_SHOWN: usize = 80;

/// Tries to make the collection protocol charge twice or lose a payment.
#[derive(Parser)]
struct Arguments {
    /// How many schedules to run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// Run this one schedule and show its whole history.
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Run protocols that are wrong on purpose instead; fails if one is not noticed within --seeds schedules.
    #[arg(long)]
    mutants: bool,
    /// Only this mutant.
    #[arg(long)]
    mutant: Option<Mutant>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let config = Config { mutant: arguments.mutant, ..Config::new() };
    if let Some(seed) = arguments.seed {
        return replay(&config, seed);
    }
    if arguments.mutants {
        return hunt_all(&config, &arguments);
    }
    let summary = run_many(&config, arguments.first, arguments.seeds).context("the simulation broke")?;
    if let Some(report) = summary.failure {
        show(&report, HISTORY_LINES_SHOWN);
        bail!("seed {} fails: repeat it with --seed {}", report.seed, report.seed);
    }
    println!(
        "{} schedules, {} crashes, {} charges: nothing charged twice, nothing lost",
        summary.schedules, summary.crashes, summary.charges
    );
    Ok(())
}

/// Runs one schedule and shows all of it.
fn replay(config: &Config, seed: u64) -> Result<()> {
    let template = Template::new(config, "one")?;
    let report = run_seed(config, &template, seed)?;
    std::fs::remove_dir_all(&config.directory)?;
    show(&report, usize::MAX);
    if report.violations.is_empty() { Ok(()) } else { bail!("seed {seed} fails") }
}

/// Runs every mutant until it is noticed.
fn hunt_all(config: &Config, arguments: &Arguments) -> Result<()> {
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL.into_iter().filter(|one| arguments.mutant.is_none_or(|only| only == *one)) {
        match hunt(config, mutant, arguments.first, arguments.seeds)? {
            Some((seeds, report)) => {
                let first = report.violations.first().cloned().unwrap_or_default();
                println!("{mutant}: noticed within {seeds} seeds: {first}");
            }
            None => survivors.push(mutant.name()),
        }
    }
    if survivors.is_empty() { Ok(()) } else { bail!("not noticed: {}", survivors.join(", ")) }
}

/// Shows what went wrong and the last lines of how.
fn show(report: &Report, lines_max: usize) {
    let from = report.history.len().saturating_sub(lines_max);
    for line in &report.history[from..] {
        println!("{line}");
    }
    println!("seed {}: {} crashes, {} charges", report.seed, report.crashes, report.charges);
    for violation in &report.violations {
        println!("VIOLATION: {violation}");
    }
}
