//! `cargo xtask test`: every check of the project, one after the other, stopping at the first that fails.
#![allow(clippy::print_stdout, reason = "a command tells how far it is")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::exercised;

/// The features of the models. Each is checked alone: a build of the whole workspace unites them and hides a missing one.
const TYPES_FEATURES: [&str; 4] = ["", "schemars", "utoipa", "garde"];

/// What the simulator plays in every run: what fits into a minute, and so many at least, each time other schedules. One that
/// fails is a fault of the protocol, whichever change brought it; its seed is printed, and repeats it.
const SIMULATION: &str = "--fresh --minutes 1 --seeds 3000";

/// The protocols that are wrong on purpose are noticed within some dozens of schedules; within so many, or it fails.
const SIMULATION_MUTANTS: &str = "--mutants --seeds 2000";

/// What the simulator plays with `full`: other schedules each time.
const SIMULATION_FULL: &str = "--fresh --seeds 20000";

/// The import whose memory is measured, with `full`: built optimised, and its rate is printed.
const MILLION: &str =
    "test -p payment-runs-cli --release --locked --test import_memory -- --ignored --nocapture";

/// What the fuzzer is told in every run: few requests for each operation, always the same ones, so that neither chance nor
/// the machine's speed decides whether a change passes.
const FUZZ: &str = "--examples 3 --seed 1";

/// With `full`: minutes for each document, from a new start each time.
const FUZZ_FULL: &str = "--seconds 200";

/// What to do when the fuzzer finds something.
const FUZZ_MEND: &str =
    "mend the server, or explain the refusal in tests/foreign/schemathesis-exceptions.toml";

/// What to do when the generated client fails.
const GENERATE_MEND: &str = "make the document of v2, and the server, do what the generated client expects";

/// One check.
struct Step {
    title: String,
    program: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    /// The command that mends a failure, or what to do.
    mend: &'static str,
    /// Echo the output line by line, to find the tests' own summary in it.
    summarised: bool,
}

/// Runs all checks below `root`; with `full` also those that take long.
pub fn run(root: &Path, full: bool) -> Result<()> {
    let steps = steps(root, full)?;
    exercised::clear(root)?;
    let mut times = Vec::new();
    let mut summary = None;
    for (at, step) in steps.iter().enumerate() {
        println!("\n=== {}/{} {}: {}", at + 1, steps.len(), step.title, step.shown());
        let started = now();
        let (passed, found) = step.run(root)?;
        let took = started.elapsed();
        summary = found.or(summary);
        if !passed {
            bail!("{} failed after {:.1} s\n  mend: {}", step.title, took.as_secs_f64(), step.mend);
        }
        println!("--- {} passed in {:.1} s", step.title, took.as_secs_f64());
        times.push((&step.title, took));
    }
    println!("\n=== all checks passed");
    for (title, took) in &times {
        println!("{:>8.1} s  {title}", took.as_secs_f64());
    }
    println!("{:>8.1} s  in all", times.iter().map(|(_, took)| *took).sum::<Duration>().as_secs_f64());
    if let Some(summary) = summary {
        println!("{summary}");
    }
    Ok(())
}

fn steps(root: &Path, full: bool) -> Result<Vec<Step>> {
    let own = std::env::current_exe().context("find this program")?.to_string_lossy().into_owned();
    let xtask = |title, arguments, mend| Step::new(title, &own, arguments, mend);
    let mut steps = vec![
        cargo("format", "fmt --all --check", "cargo fmt --all"),
        cargo(
            "lints",
            "clippy --workspace --all-targets --locked -- -D warnings",
            "do as clippy says (`cargo clippy --fix --workspace --all-targets` does some of it)",
        ),
    ];
    for feature in TYPES_FEATURES {
        let title = if feature.is_empty() {
            "models without features".to_owned()
        } else {
            format!("models with {feature}")
        };
        let arguments =
            format!("check -p payment-runs-types --no-default-features --features={feature} --locked");
        steps.push(cargo(
            &title,
            &arguments,
            "put what the feature alone lacks behind it, in xtask/src/codegen/types",
        ));
    }
    steps.extend([
        xtask("contract", "spec lint", "mend the document at the place named"),
        xtask("compatibility", "spec compat", "take the change back, or release a new version of the API"),
        xtask("generated code", "codegen --check", "cargo xtask codegen"),
        xtask("dependencies", "dependencies", "do as cargo-deny says, or explain it in .cargo/deny.toml"),
    ]);
    let mut judged = tests(root)?;
    judged.environment = vec![(exercised::VARIABLE, exercised::FILE)];
    steps.push(judged);
    steps.push(xtask(
        "every operation is exercised",
        "exercised",
        "call the operations that are named in tests/it, so that they succeed",
    ));
    steps.push(cargo("examples in the docs", "test --doc --workspace --locked", "mend the example"));
    steps.extend(simulations(full));
    let mut docs =
        cargo("docs", "doc --workspace --no-deps --locked", "mend the links and examples that rustdoc names");
    docs.environment = vec![("RUSTDOCFLAGS", "-D warnings")];
    steps.push(docs);
    steps.extend(foreign(&own, full));
    if full {
        let mut long = tests(root)?;
        "tests with many generated cases, a minute of overload, and 500 kills".clone_into(&mut long.title);
        long.environment = vec![
            ("NEXTEST_PROFILE", "long"),
            ("PROPTEST_CASES", "4096"),
            ("OVERLOAD_SECONDS", "60"),
            ("KILLS", "500"),
        ];
        steps.push(long);
        steps.push(cargo("an import of a million documents", MILLION, "find what keeps the lines in memory"));
    }
    Ok(steps)
}

/// Programs that others wrote. `foreign.rs` installs them, which takes a minute the first time.
fn foreign(own: &str, full: bool) -> Vec<Step> {
    let step = |title, arguments: &str, mend| Step::new(title, own, arguments, mend);
    let mut steps = vec![
        step("linters of others", "foreign lint", "mend the document at the place named"),
        step("the public SDK", "foreign sdk", "make the server do what the SDK expects"),
        step("made-up requests", &format!("foreign fuzz {FUZZ}"), FUZZ_MEND),
        step("gateways of others", "foreign gateways", "make the server charge once: tests/it/peers.rs"),
    ];
    if full {
        steps.push(step("a generated client", "foreign generate", GENERATE_MEND));
        steps.push(step("many made-up requests", &format!("foreign fuzz {FUZZ_FULL}"), FUZZ_MEND));
    }
    steps
}

/// The simulator on the real protocol, and on protocols that are wrong on purpose, which its checkers must notice. It is
/// built optimised: that takes longer than the minute in which it then plays thousands of schedules, but hundreds of
/// schedules would find little.
fn simulations(full: bool) -> Vec<Step> {
    let replay = "repeat the schedule with the command that is printed, and mend the protocol";
    let notice = "make the checkers in crates/sim notice the mutant that is named";
    let play = |extra: &str| format!("run -p payment-runs-sim --release --locked -- {extra}");
    let mut steps = vec![
        cargo("simulation", &play(SIMULATION), replay),
        cargo("simulation of mutants", &play(SIMULATION_MUTANTS), notice),
    ];
    if full {
        steps.push(cargo("long simulation", &play(SIMULATION_FULL), replay));
    }
    steps
}

/// Hands its arguments to the simulator, which is built optimised: `cargo xtask sim --seeds 5000`.
pub fn simulate(root: &Path, arguments: &[String]) -> Result<bool> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--locked", "-p", "payment-runs-sim", "--"]);
    Ok(command.args(arguments).current_dir(root).status().context("start cargo")?.success())
}

/// All tests by nextest, which is installed first if it is not there; by cargo where that fails.
fn tests(root: &Path) -> Result<Step> {
    let mend = "mend the code or the test; `cargo insta review` shows changed snapshots";
    let has_nextest = || succeeds(root, &["nextest", "--version"]);
    if !has_nextest()? && !succeeds(root, &["install", "cargo-nextest", "--locked"])? {
        println!("cargo-nextest cannot be installed; cargo runs the tests, one binary at a time");
        return Ok(cargo("tests", "test --workspace --lib --bins --tests --locked", mend));
    }
    let mut step = cargo("tests", "nextest run --workspace --locked", mend);
    step.summarised = true;
    Ok(step)
}

fn succeeds(root: &Path, arguments: &[&str]) -> Result<bool> {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.status().context("start cargo")?.success())
}

fn cargo(title: &str, arguments: &str, mend: &'static str) -> Step {
    Step::new(title, "cargo", arguments, mend)
}

impl Step {
    fn new(title: &str, program: &str, arguments: &str, mend: &'static str) -> Self {
        Self {
            title: title.to_owned(),
            program: program.to_owned(),
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            environment: Vec::new(),
            mend,
            summarised: false,
        }
    }

    /// The command as one would type it.
    fn shown(&self) -> String {
        let program = if self.program == "cargo" { "cargo" } else { "cargo xtask" };
        let environment = self.environment.iter().map(|(name, value)| format!("{name}='{value}' "));
        let environment = environment.collect::<Vec<_>>().concat();
        format!("{environment}{program} {}", self.arguments.join(" "))
    }

    /// Whether it passed, and the tests' summary if it has one.
    fn run(&self, root: &Path) -> Result<(bool, Option<String>)> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().copied()).current_dir(root);
        if !self.summarised {
            let status = command.status().with_context(|| format!("start {}", self.shown()))?;
            return Ok((status.success(), None));
        }
        let mut child =
            command.stderr(Stdio::piped()).spawn().with_context(|| format!("start {}", self.shown()))?;
        let output = child.stderr.take().context("the output is piped")?;
        let mut summary = None;
        for line in BufReader::new(output).lines() {
            let line = line.with_context(|| format!("read the output of {}", self.shown()))?;
            println!("{line}");
            if line.trim_start().starts_with("Summary [") {
                summary = Some(line);
            }
        }
        let status = child.wait().with_context(|| format!("wait for {}", self.shown()))?;
        Ok((status.success(), summary))
    }
}

#[expect(clippy::disallowed_methods, reason = "a developer wants to know how long a check takes")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Step {
        let mut step = Step::new("shell", "sh", "-c", "nothing");
        step.arguments.push(script.to_owned());
        step.summarised = true;
        step
    }

    #[test]
    fn the_summary_of_the_tests_is_found() {
        let script = "echo '  PASS one' >&2; echo '   Summary [ 0.1s] 1 test run: 1 passed' >&2; echo done";
        let (passed, summary) = shell(script).run(Path::new(".")).unwrap();
        assert!(passed);
        assert_eq!(summary.as_deref(), Some("   Summary [ 0.1s] 1 test run: 1 passed"));
    }

    #[test]
    fn a_failure_is_told() {
        let (passed, summary) = shell("exit 3").run(Path::new(".")).unwrap();
        assert!(!passed && summary.is_none());
    }

    #[test]
    fn every_check_names_its_remedy() {
        for full in [false, true] {
            let steps = steps(&crate::root(), full).unwrap();
            assert!(steps.iter().all(|step| !step.mend.is_empty()));
            assert_eq!(steps.iter().filter(|step| step.summarised).count(), if full { 2 } else { 1 });
        }
    }
}
