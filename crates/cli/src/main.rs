//! `payment-runs`: collects what customers owe.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program answers on its standard streams"
)]

mod admin;
mod arguments;
mod backup;
mod demo;
mod exports;
mod imports;
mod payments;
mod reconcile;
mod remote;
mod runs;
mod schedules;
mod serve;
mod signal;
mod simulator;

use std::process::ExitCode;

use clap::Parser as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command, LogFormat};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(arguments.log, default_level(&arguments.command));
    let done = match arguments.command {
        Command::Serve(serve) => serve::run(serve).await,
        Command::GatewaySimulator(simulator) => simulator::run(simulator).await,
        Command::Backup(backup) => backup::run(backup).await,
        Command::Reconcile(reconcile) => reconcile::run(reconcile).await,
        Command::Unmatched(unmatched) => reconcile::run_unmatched(unmatched).await,
        Command::Demo(demo) => demo::run(demo).await,
        Command::Runs(runs) => runs::run(runs).await,
        Command::Payments(payments) => payments::run(payments).await,
        Command::Schedules(schedules) => schedules::run(schedules).await,
        Command::Import(import) => imports::run(import).await,
        Command::Export(export) => exports::run(export).await,
        Command::Admin(admin) => admin::run(admin).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("payment-runs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is logged where `RUST_LOG` does not say: a server tells what it does, a demo shows it by itself.
fn default_level(command: &Command) -> &'static str {
    match command {
        Command::Serve(_) | Command::GatewaySimulator(_) => "info",
        _ => "error",
    }
}

fn log_to_stderr(format: LogFormat, default_level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_level));
    // A line that cannot be written is lost. To complain about that on standard error would end whoever logged it, since that is
    // where it could not be written.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match format {
        LogFormat::Text => lines.with_ansi(wants_color()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

/// A bar on standard error where that is a terminal, drawn with colours where they are wanted.
fn bar(length: Option<u64>, colored: &str, plain: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(if wants_color() { colored } else { plain }) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Colour is for terminals, and not for those who said no (<https://no-color.org>).
fn wants_color() -> bool {
    use std::io::IsTerminal as _;
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stderr().is_terminal()
}
