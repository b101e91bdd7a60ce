//! Developer commands: `cargo xtask <command>`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::codegen::write::Mode;

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
}

#[derive(Subcommand)]
enum Spec {
    /// Check the documents against the house rules.
    Lint,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Codegen { emitter, check } => {
            codegen(if check { Mode::Check } else { Mode::Write }, emitter.as_deref())
        }
        Command::Spec { command: Spec::Lint } => spec_lint(),
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

fn spec_lint() -> anyhow::Result<ExitCode> {
    xtask::spec::lint::run(&xtask::root())?;
    Ok(ExitCode::SUCCESS)
}
