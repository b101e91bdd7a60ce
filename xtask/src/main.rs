//! Developer commands: `cargo xtask <command>`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::codegen::write::Mode;
use xtask::foreign::Amount;

/// Developer commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate types, stubs and client from the contract.
    Codegen {
        /// Only what this emitter makes: types, stubs or client.
        emitter: Option<String>,
        /// Only tell which files are stale, missing or orphaned.
        #[arg(long)]
        check: bool,
    },
    /// Work on the contract.
    Spec {
        #[command(subcommand)]
        command: Spec,
    },
    /// Play seeded crashes, errors and delays against the collection protocol.
    Sim {
        /// For the simulator: `--seeds N`, `--seed S`, `--mutants`; `--help` tells all.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Hold programs that others wrote against the contract and the server.
    Foreign {
        #[command(subcommand)]
        command: Foreign,
    },
    /// Check licences, bans and sources of everything that is built in.
    Dependencies,
    /// Tell which documented operations the last `test` did not call with success.
    Exercised,
    /// Run every check of the project, stopping at the first that fails.
    Test {
        /// Also what takes long: many seeds, mutants, many generated cases.
        #[arg(long)]
        full: bool,
    },
}

#[derive(Subcommand)]
enum Spec {
    /// Check the documents against the house rules.
    Lint,
    /// Tell what breaks callers of the released documents.
    Compat {
        /// The folder of the released documents.
        #[arg(long, default_value = xtask::spec_compat::RELEASED)]
        base: PathBuf,
    },
}

#[derive(Subcommand)]
enum Foreign {
    /// Redocly's and Spectral's rules for the documents.
    Lint,
    /// The public Python SDK of v1, unmodified.
    Sdk,
    /// A client that openapi-generator makes from the document of v2.
    Generate,
    /// Payment gateways that others wrote, charged through.
    Gateways,
    /// Schemathesis: requests made up from the documents.
    Fuzz {
        /// Only these documents: v1, v2 or ops.
        apis: Vec<String>,
        /// So many requests for each operation, at most.
        #[arg(long, default_value_t = 5)]
        examples: u32,
        /// Instead, whatever fits into so many seconds for each document.
        #[arg(long, conflicts_with = "examples")]
        seconds: Option<u32>,
        /// What to make the requests from; left out, something new.
        #[arg(long)]
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Codegen { emitter, check } => {
            codegen(if check { Mode::Check } else { Mode::Write }, emitter.as_deref())
        }
        Command::Spec { command: Spec::Lint } => spec_lint(),
        Command::Spec { command: Spec::Compat { base } } => spec_compat(&base),
        Command::Sim { arguments } => xtask::test_command::simulate(&xtask::root(), &arguments)
            .map(|passed| if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        Command::Foreign { command } => foreign(&command).map(|()| ExitCode::SUCCESS),
        Command::Dependencies => xtask::dependencies::check(&xtask::root()).map(|()| ExitCode::SUCCESS),
        Command::Exercised => exercised(),
        Command::Test { full } => xtask::test_command::run(&xtask::root(), full).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn codegen(mode: Mode, only: Option<&str>) -> anyhow::Result<ExitCode> {
    let difference = xtask::codegen::run(&xtask::root(), mode, only)?;
    match mode {
        Mode::Check if !difference.is_empty() => {
            eprintln!("{difference}");
            Ok(ExitCode::FAILURE)
        }
        Mode::Check => Ok(ExitCode::SUCCESS),
        Mode::Write => {
            let changed = difference.stale.len() + difference.missing.len() + difference.orphan.len();
            println!("{changed} files changed");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn foreign(command: &Foreign) -> anyhow::Result<()> {
    let root = xtask::root();
    match command {
        Foreign::Lint => {
            if !xtask::foreign::lint(&root)? {
                println!("SKIPPED: there is no npm, which would install Redocly CLI and Spectral");
            }
            Ok(())
        }
        Foreign::Sdk => xtask::foreign::sdk(&root),
        Foreign::Generate => xtask::foreign::generate(&root),
        Foreign::Fuzz { apis, examples, seconds, seed } => {
            let amount = seconds.map_or(Amount::Examples(*examples), Amount::Seconds);
            xtask::foreign::fuzz(&root, apis, amount, *seed)
        }
        Foreign::Gateways => xtask::foreign::gateways(&root),
    }
}

fn exercised() -> anyhow::Result<ExitCode> {
    let operations = xtask::exercised::check(&xtask::root())?;
    println!("all {operations} documented operations are called with success by a test");
    Ok(ExitCode::SUCCESS)
}

fn spec_lint() -> anyhow::Result<ExitCode> {
    xtask::spec::lint::run(&xtask::root())?;
    Ok(ExitCode::SUCCESS)
}

fn spec_compat(base: &Path) -> anyhow::Result<ExitCode> {
    let report = xtask::spec_compat::run(&xtask::root(), base)?;
    if report.compared.is_empty() {
        println!("{} holds no released document: there is nothing to break", base.display());
    }
    for broken in &report.breaks {
        eprintln!("{broken}");
    }
    if report.breaks.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{} changes break callers: take them back, or give the API a new version", report.breaks.len());
    Ok(ExitCode::FAILURE)
}
