#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]
//! The protocol holds in a first batch of schedules, a seed repeats its schedule, and what fails is made short.

use payment_runs_sim::{
    Amount, Config, Mutant, Report, Script, Template, hunt, run_many, run_script, run_seed, shrink,
};

/// Schedules of the ordinary test suite; the command runs as many as it is told to.
const SCHEDULES: u64 = 200;

/// Seeds within which the mutants of these tests must be noticed.
const MUTANT_SEEDS_MAX: u64 = 200;

fn loud() -> Config {
    Config { keeps_history: true, ..Config::new() }
}

#[test]
fn nothing_is_charged_twice_and_nothing_is_lost() {
    let summary = run_many(&Config::new(), Amount::new(1, SCHEDULES)).unwrap();
    assert!(summary.failure.is_none(), "{:#?}", summary.failure);
    assert_eq!(summary.schedules, SCHEDULES);
    assert!(summary.crashes > SCHEDULES, "the schedules have become too kind: {summary}");
    assert!(summary.charges > SCHEDULES, "the schedules have become too poor: {summary}");
    assert!(summary.faults.values().all(|count| *count > 0) && summary.faults.len() >= 20, "{summary}");
}

#[test]
fn a_seed_repeats_its_schedule_to_the_letter() {
    let config = loud();
    let template = Template::new(&config, "repeat").unwrap();
    for seed in 1..=30 {
        let first = run_seed(&config, &template, seed).unwrap();
        let second = run_seed(&config, &template, seed).unwrap();
        assert!(!first.history.is_empty());
        assert_eq!(first.history.join("\n"), second.history.join("\n"));
        assert_eq!(first, second);
    }
    std::fs::remove_dir_all(&config.directory).unwrap();
}

#[test]
fn a_script_repeats_the_schedule_that_it_was_taken_from() {
    let config = loud();
    let template = Template::new(&config, "script").unwrap();
    for seed in 1..=30 {
        let whole = run_seed(&config, &template, seed).unwrap();
        let script: Script = whole.script.to_string().parse().unwrap();
        assert_eq!(script, whole.script);
        assert_eq!(run_script(&config, &template, seed, Some(&script)).unwrap(), whole, "seed {seed}");
    }
    std::fs::remove_dir_all(&config.directory).unwrap();
}

/// The shortest schedule in which a mutant is noticed, and how its failure is repeated.
fn shortest(mutant: Mutant) -> (Config, Report, Script) {
    let found = hunt(&Config::new(), mutant, Amount::new(1, MUTANT_SEEDS_MAX)).unwrap();
    let (_, failed) = found.unwrap_or_else(|| panic!("{mutant} survives {MUTANT_SEEDS_MAX} schedules"));
    let config = Config { mutant: Some(mutant), ..loud() };
    let template = Template::new(&config, mutant.name()).unwrap();
    let shrunk = shrink(&config, &template, &failed).unwrap().expect("the script repeats the failure");
    assert!(shrunk.script.entries().len() * 2 <= shrunk.entries_before, "{mutant}: {}", shrunk.script);
    (config, shrunk.report, shrunk.script)
}

#[test]
fn a_failure_is_made_short_and_its_script_repeats_it() {
    for mutant in [Mutant::HoldNotTaken, Mutant::UnknownReleases] {
        let (config, report, script) = shortest(mutant);
        let template = Template::new(&config, "again").unwrap();
        let again = run_script(&config, &template, report.seed, Some(&script)).unwrap();
        assert_eq!(again, report, "{mutant}");
        let right = Config { mutant: None, ..config.clone() };
        let held = run_script(&right, &template, report.seed, Some(&script)).unwrap();
        assert_eq!(held.violations, Vec::<String>::new(), "the right protocol stands the same script");
        std::fs::remove_dir_all(&config.directory).unwrap();
    }
}

#[test]
fn every_mutant_has_a_name() {
    for mutant in Mutant::ALL {
        assert_eq!(mutant.name().parse::<Mutant>().unwrap(), mutant);
    }
}
