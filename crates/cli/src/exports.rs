//! `payment-runs export`: the decisions and payments of a run as a file, written as they arrive.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use futures_util::StreamExt as _;
use payment_runs_client::Error;
use payment_runs_types::ops::ExportFormat;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::remote::ConnectionArguments;

/// How long an export may take; its length has no bound.
const EXPORT_TIMEOUT: Duration = Duration::from_hours(6);

/// The arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    /// What to export.
    #[command(subcommand)]
    command: ExportCommand,
}

/// What can be exported.
#[derive(Debug, Subcommand)]
enum ExportCommand {
    /// Exports what a payment run decided about each document, and why.
    Decisions(RunArguments),
    /// Exports the payments of a payment run.
    Payments(RunArguments),
}

#[derive(Debug, Args)]
struct RunArguments {
    /// The payment run, by id or number.
    #[arg(long, value_name = "RUN")]
    run: String,
    /// How a line is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "ndjson")]
    format: FormatArgument,
    /// The file to write, which appears once it is whole; standard output when not given.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArgument {
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated values, below a line that names them.
    Csv,
}

impl From<FormatArgument> for ExportFormat {
    fn from(argument: FormatArgument) -> Self {
        match argument {
            FormatArgument::Ndjson => Self::Ndjson,
            FormatArgument::Csv => Self::Csv,
        }
    }
}

/// Exports to a file or to standard output.
pub(crate) async fn run(arguments: ExportArguments) -> anyhow::Result<()> {
    let builder = arguments.connection.builder()?.attempt_timeout(EXPORT_TIMEOUT);
    let connection = builder.build().context("the client could not be set up")?;
    let ops = connection.ops();
    let (sent, wanted) = match arguments.command {
        ExportCommand::Decisions(wanted) => {
            let call = ops.export_decisions().payment_run(wanted.run.clone()).format(wanted.format);
            (call.send().await, wanted)
        }
        ExportCommand::Payments(wanted) => {
            let call = ops.export_payments().payment_run(wanted.run.clone()).format(wanted.format);
            (call.send().await, wanted)
        }
    };
    let answer = sent.map_err(Error::from).context("the payment run could not be exported")?;
    let mut body = answer.into_inner().into_inner();
    let mut to = match &wanted.output {
        Some(path) => Target::beside(path)?,
        None => Target::Standard(io::stdout().lock()),
    };
    let mut bytes: u64 = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.context("the export broke off")?;
        bytes += u64::try_from(piece.len()).unwrap_or(0);
        to.write_all(&piece).context("the export could not be written")?;
    }
    to.flush().context("the export could not be written")?;
    if let (Target::File(file), Some(path)) = (to, &wanted.output) {
        file.persist(path).with_context(|| format!("`{}` could not be written", path.display()))?;
        if arguments.connection.json {
            println!("{}", json!({ "file": path, "bytes": bytes }));
        } else {
            println!("{bytes} bytes in {}", path.display());
        }
    }
    Ok(())
}

/// Where an export goes.
enum Target {
    Standard(io::StdoutLock<'static>),
    /// A file beside the one that was asked for, which takes its name in the end.
    File(NamedTempFile),
}

impl Target {
    fn beside(path: &Path) -> anyhow::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let made = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
        Ok(Self::File(made.with_context(|| format!("`{}` could not be made", path.display()))?))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(output) => output.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(output) => output.flush(),
            Self::File(file) => file.flush(),
        }
    }
}
