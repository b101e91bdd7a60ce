//! The command line: what can be asked of the program, and nothing of how it is done.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use payment_runs_engine::recover::LookUpPolicy;
use payment_runs_gateway::simulator::Faults;
use payment_runs_node::{Credentials, Database, LISTEN_DEFAULT, Limits, TlsFiles};
use payment_runs_types::{OffsetDateTime, OffsetDateTimeError};

use crate::admin::AdminArguments;
use crate::backup::BackupArguments;
use crate::demo::Scale;
use crate::exports::ExportArguments;
use crate::imports::ImportArguments;
use crate::payments::PaymentsArguments;
use crate::reconcile::{ReconcileArguments, UnmatchedArguments};
use crate::runs::RunsArguments;
use crate::schedules::SchedulesArguments;

/// Collects what customers owe: payment runs over posted invoices and debit memos, through a payment gateway.
#[derive(Debug, Parser)]
#[command(name = "payment-runs", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How log lines are written to standard error; `RUST_LOG` says which.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub(crate) log: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves the APIs and works on payment runs, with all data in one SQLite file.
    Serve(ServeArguments),
    /// Serves a payment gateway to test against: test cards, idempotency keys, a journal, seeded faults.
    GatewaySimulator(SimulatorArguments),
    /// Makes a verified copy of a database, also of one that is being served.
    Backup(BackupArguments),
    /// Compares a database with the gateway's own list of charges, and settles what differs.
    Reconcile(ReconcileArguments),
    /// Decides about charges that a reconciliation could not match.
    Unmatched(UnmatchedArguments),
    /// Loads a standard data set, collects it through a simulated gateway, and proves every cent of it.
    Demo(DemoArguments),
    /// Creates, follows and controls payment runs of a running server.
    Runs(RunsArguments),
    /// Lists payments of a running server, and settles those whose outcome nobody could tell.
    Payments(PaymentsArguments),
    /// Makes payment runs of a running server repeat.
    Schedules(SchedulesArguments),
    /// Imports files of accounts, payment methods, documents and credits into a running server.
    Import(ImportArguments),
    /// Exports the decisions and payments of a payment run.
    Export(ExportArguments),
    /// Administers a running server: clients, entities, organizations and settings.
    Admin(AdminArguments),
}

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value_t = LISTEN_DEFAULT)]
    pub(crate) listen: SocketAddr,
    /// The database; the file is made when it does not exist.
    #[arg(long, value_name = "sqlite:PATH", default_value = "sqlite:payment-runs.sqlite")]
    pub(crate) database: Database,
    /// The database was restored from a copy. Nothing is charged until `payment-runs reconcile --apply` was run, also after
    /// later starts. Takes also a plain copy of a file that a server had open, which lacks what was in its log.
    #[arg(long)]
    pub(crate) restored: bool,
    /// TLS.
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
    /// The payment gateway.
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
    /// Quotas.
    #[command(flatten)]
    pub(crate) quotas: QuotaArguments,
    /// The client that may call the APIs; generated at the first start when not given.
    #[arg(
        long,
        value_name = "ID",
        env = "PAYMENT_RUNS_CLIENT_ID",
        hide_env_values = true,
        requires = "client_secret"
    )]
    pub(crate) client_id: Option<String>,
    /// That client's secret. Prefer the environment, since other users of the machine can see arguments.
    #[arg(
        long,
        value_name = "SECRET",
        env = "PAYMENT_RUNS_CLIENT_SECRET",
        hide_env_values = true,
        requires = "client_id"
    )]
    pub(crate) client_secret: Option<String>,
    /// The `Zuora-Version` of requests that name none, such as 2023-10-24; the latest when not given.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub(crate) default_zuora_version: Option<String>,
    /// Lets webhooks lead to addresses of this machine and of private networks, and without TLS. Not for a server that others can
    /// administer.
    #[arg(long)]
    pub(crate) allow_private_webhooks: bool,
    /// For tests: a clock that stands at this time, such as 2026-01-01T00:00:00Z, until `PUT /ops/clock` moves it.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) test_clock: Option<jiff::Timestamp>,
}

/// The arguments of `serve` about TLS.
#[derive(Debug, Args)]
pub(crate) struct TlsArguments {
    /// Speak TLS with this certificate, in the PEM format and followed by its intermediates. Without it the server speaks
    /// plain HTTP.
    #[arg(long = "tls-certificate", value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// That certificate's private key, in the PEM format.
    #[arg(long = "tls-key", value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
}

/// The arguments of `serve` about how many requests a client may send. What is not given is the documented quota of a
/// production tenant.
#[derive(Debug, Args)]
pub(crate) struct QuotaArguments {
    /// Requests of one client in a minute at most.
    #[arg(long, value_name = "REQUESTS", default_value_t = Limits::default().requests_per_minute)]
    pub(crate) requests_per_minute: u64,
    /// Requests of one client in an hour at most.
    #[arg(long, value_name = "REQUESTS", default_value_t = Limits::default().requests_per_hour)]
    pub(crate) requests_per_hour: u64,
    /// Requests of one client in a day at most.
    #[arg(long, value_name = "REQUESTS", default_value_t = Limits::default().requests_per_day)]
    pub(crate) requests_per_day: u64,
    /// Requests of one client to /v1 that may be under way at once, those to accounts apart.
    #[arg(long, value_name = "REQUESTS", default_value_t = Limits::default().concurrent_requests)]
    pub(crate) concurrent_requests: u32,
    /// Requests of one client to accounts that may be under way at once.
    #[arg(long, value_name = "REQUESTS", default_value_t = Limits::default().concurrent_account_requests)]
    pub(crate) concurrent_account_requests: u32,
    /// Requests for a token in a minute at most, from everywhere.
    #[arg(long, value_name = "REQUESTS", default_value_t = Limits::default().tokens_per_minute)]
    pub(crate) tokens_per_minute: u64,
    /// Requests for a token in a minute at most, from one network address.
    #[arg(long, value_name = "REQUESTS", default_value_t = Limits::default().tokens_per_minute_and_address)]
    pub(crate) tokens_per_minute_and_address: u64,
}

impl QuotaArguments {
    /// The quotas.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            requests_per_minute: self.requests_per_minute,
            requests_per_hour: self.requests_per_hour,
            requests_per_day: self.requests_per_day,
            concurrent_requests: self.concurrent_requests,
            concurrent_account_requests: self.concurrent_account_requests,
            tokens_per_minute_and_address: self.tokens_per_minute_and_address,
            tokens_per_minute: self.tokens_per_minute,
        }
    }
}

/// The arguments of `serve` about the payment gateway.
#[derive(Debug, Args)]
pub(crate) struct GatewayArguments {
    /// The payment gateway's base address; without it a simulator is started on loopback.
    #[arg(long = "gateway", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Charges at another account of the payment gateway than before, although payments are in doubt there. They are sent and
    /// looked up at the new one from then on, so this is for accounts that the gateway has given another name, and for payments
    /// that were certainly never charged.
    #[arg(long = "gateway-moved")]
    pub(crate) has_moved: bool,
    /// The authorities that may vouch for an https payment gateway, in the PEM format; those that the system trusts when not
    /// given.
    #[arg(long = "gateway-ca", value_name = "FILE", requires = "url")]
    pub(crate) ca: Option<PathBuf>,
    /// The secret key for the payment gateway.
    #[arg(
        long = "gateway-secret",
        value_name = "KEY",
        env = "PAYMENT_RUNS_GATEWAY_SECRET",
        hide_env_values = true,
        requires = "url"
    )]
    pub(crate) secret: Option<String>,
    /// Charges under way at once at most.
    #[arg(long = "gateway-concurrency", value_name = "CHARGES", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) concurrency: Option<u16>,
    /// Charges per second at most; no limit when not given.
    #[arg(long = "gateway-rate", value_name = "CHARGES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate_per_s: Option<u32>,
    /// How long a charge may take, in milliseconds; then its outcome is looked up.
    #[arg(long = "gateway-timeout-ms", value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..=GATEWAY_TIMEOUT_MS_MAX))]
    pub(crate) timeout_ms: Option<u64>,
    /// How long the gateway remembers an idempotency key, in seconds; 0 where it knows none. Never more than it promises: a charge
    /// is sent again while its key is younger than half of this, and looked up from then on.
    #[arg(long = "gateway-key-life-s", value_name = "SECONDS", requires = "url")]
    pub(crate) key_life_s: Option<u64>,
    /// For how long the gateway may still make a charge that it has accepted, and hide it from its search, in seconds. A payment
    /// in doubt of a stopped run is given up when the search has found nothing for this long and the key's life is over.
    #[arg(long = "gateway-settling-time-s", value_name = "SECONDS", default_value_t = LookUpPolicy::default().settling_time.as_secs(), requires = "url")]
    pub(crate) settling_time_s: u64,
    /// What it means when the gateway's search does not find a charge.
    #[arg(long = "gateway-search", value_enum, value_name = "KIND", default_value_t = GatewaySearch::Delayed, requires = "url")]
    pub(crate) search: GatewaySearch,
}

/// What it means when a gateway's search does not find a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GatewaySearch {
    /// New charges appear after a while, so nothing is known; the payment stays unknown and is looked up again.
    Delayed,
    /// The gateway had not made the charge when it was asked; it may still make it within the settling time. Only for gateways
    /// whose search knows every charge as soon as it is made, such as the simulator.
    Final,
    /// There is no search: a charge whose outcome nobody can tell stays unknown until a person resolves it.
    None,
}

/// Ten minutes: longer than any network answers.
const GATEWAY_TIMEOUT_MS_MAX: u64 = 600_000;

impl TlsArguments {
    /// The files, when both were given.
    pub(crate) fn files(&self) -> Option<TlsFiles> {
        let (certificate, key) = (self.certificate.clone()?, self.key.clone()?);
        Some(TlsFiles { certificate, key })
    }
}

impl ServeArguments {
    /// The client's credentials, when both halves were given.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let (client_id, client_secret) = (self.client_id.clone()?, self.client_secret.clone()?);
        Some(Credentials { client_id, client_secret })
    }
}

/// The arguments of `gateway-simulator`.
#[derive(Debug, Args)]
pub(crate) struct SimulatorArguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:12111")]
    pub(crate) listen: SocketAddr,
    /// Where the journal of charges is kept; only in memory when not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// How long every answer takes, in milliseconds.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=LATENCY_MS_MAX))]
    pub(crate) latency_ms: u64,
    /// The seed of faults and identifiers.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,
    /// How long an idempotency key is remembered, in seconds; a day when not given.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32))]
    pub(crate) key_life_s: Option<u32>,
    /// Ignores idempotency keys, as some gateways do: every delivery charges.
    #[arg(long)]
    pub(crate) ignore_keys: bool,
    /// How long a new charge stays invisible to the search, in milliseconds.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pub(crate) search_lag_ms: u32,
    /// Answers no searches.
    #[arg(long)]
    pub(crate) no_search: bool,
    /// What goes wrong and how often, such as drop-after-charge=0.01,delay-ms=200:0.1
    #[arg(long, value_name = "FAULTS", default_value = "")]
    pub(crate) faults: Faults,
}

/// Ten minutes: longer than any client waits for an answer.
const LATENCY_MS_MAX: u64 = 600_000;

/// The arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The size of the data: 1 stands for 150,000 customers and 1,500,000 invoices.
    #[arg(long, value_name = "SCALE", default_value = "0.01")]
    pub(crate) scale: Scale,
    /// Ends when the run has been reconciled, instead of leaving the server up.
    #[arg(long)]
    pub(crate) once: bool,
    /// Ends with the result as one line of JSON on standard output; all else goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
}

/// An instant as the server reads it from others.
pub(crate) fn instant(text: &str) -> Result<jiff::Timestamp, OffsetDateTimeError> {
    text.parse().map(OffsetDateTime::timestamp)
}

/// A version is a day.
fn version(text: &str) -> Result<String, String> {
    match text.parse::<jiff::civil::Date>() {
        Ok(_) if text.len() == "2024-05-20".len() => Ok(text.to_owned()),
        _ => Err("a version is a day, such as 2024-05-20".to_owned()),
    }
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
