#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! The protocol holds in a first batch of schedules, a seed repeats its schedule, and every mutant is noticed.

use payment_runs_sim::{Config, Mutant, Template, hunt, run_many, run_seed};

/// Schedules of the ordinary test suite; the command runs as many as it is told to.
const SCHEDULES: u64 = 300;

/// Seeds within which every mutant must be noticed.
const MUTANT_SEEDS_MAX: u64 = 100;

#[test]
fn nothing_is_charged_twice_and_nothing_is_lost() {
    let summary = run_many(&Config::new(), 1, SCHEDULES).unwrap();
    assert!(summary.failure.is_none(), "{:#?}", summary.failure);
    assert_eq!(summary.schedules, SCHEDULES);
    assert!(summary.crashes > SCHEDULES, "the schedules have become too kind: {summary:?}");
    assert!(summary.charges > SCHEDULES, "the schedules have become too poor: {summary:?}");
}

#[test]
fn a_seed_repeats_its_schedule_exactly() {
    let config = Config::new();
    let template = Template::new(&config, "repeat").unwrap();
    for seed in 1..=30 {
        let first = run_seed(&config, &template, seed).unwrap();
        let second = run_seed(&config, &template, seed).unwrap();
        assert_eq!(first, second);
    }
    std::fs::remove_dir_all(&config.directory).unwrap();
}

#[test]
fn every_mutant_is_noticed_and_its_failure_repeats() {
    let config = Config::new();
    for mutant in Mutant::ALL {
        let found = hunt(&Config::new(), mutant, 1, MUTANT_SEEDS_MAX).unwrap();
        let (_, report) = found.unwrap_or_else(|| panic!("{mutant} survives {MUTANT_SEEDS_MAX} schedules"));
        let config = Config { mutant: Some(mutant), ..config.clone() };
        let template = Template::new(&config, mutant.name()).unwrap();
        let again = run_seed(&config, &template, report.seed).unwrap();
        assert_eq!(again, report, "{mutant}");
        assert_eq!(mutant.name().parse::<Mutant>().unwrap(), mutant);
    }
    std::fs::remove_dir_all(&config.directory).unwrap();
}
