//! `payment-runs import`: files of accounts, payment methods, documents and credits into a running server.

mod pieces;
mod show;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use payment_runs_client::{Connection, Error};
use payment_runs_types::ops::{CreateImportRequest, Import, ImportFormat, ImportKind};

use crate::remote::ConnectionArguments;
use pieces::{Piece, Pieces};
use show::{Outcome, Watch};

/// How often a piece is sent before the import is given up. Sending one again is safe, since the server passes over lines
/// that it has taken.
const ATTEMPTS_MAX: u32 = 4;

/// The pause before a piece is sent again; the next ones are twice, four times … as long.
const PAUSE: Duration = Duration::from_secs(1);

/// The arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    /// What the lines hold.
    #[command(subcommand)]
    command: ImportCommand,
}

/// What can be imported. Accounts come first, then payment methods, then documents and credits.
#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// Imports accounts.
    Accounts(FileArguments),
    /// Imports payment methods: tokens of the gateway, never card numbers.
    PaymentMethods(FileArguments),
    /// Imports invoices and debit memos.
    Documents(FileArguments),
    /// Imports credit memos, unapplied payments and credit balance.
    Credits(FileArguments),
}

#[derive(Debug, Args)]
struct FileArguments {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// How it is written; told by the file's name when not given.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FormatArgument>,
    /// Goes on with an import that was cut, whose id was told when it was begun; the file is the same.
    #[arg(long, value_name = "ID")]
    resume: Option<String>,
    /// Writes each line that was refused, with every reason, to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    faults_to: Option<PathBuf>,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArgument {
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated values, below a line that names them.
    Csv,
}

impl From<FormatArgument> for ImportFormat {
    fn from(argument: FormatArgument) -> Self {
        match argument {
            FormatArgument::Ndjson => Self::Ndjson,
            FormatArgument::Csv => Self::Csv,
        }
    }
}

/// Imports the file, shows how far it is, and tells in the end what became of it. Fails when a line was refused.
pub(crate) async fn run(arguments: ImportArguments) -> anyhow::Result<()> {
    let connection = arguments.connection.connect()?;
    let (kind, file) = match arguments.command {
        ImportCommand::Accounts(file) => (ImportKind::Accounts, file),
        ImportCommand::PaymentMethods(file) => (ImportKind::PaymentMethods, file),
        ImportCommand::Documents(file) => (ImportKind::Documents, file),
        ImportCommand::Credits(file) => (ImportKind::Credits, file),
    };
    let format = format_of(&file)?;
    let (input, size) = open(&file.file)?;
    let mut pieces = Pieces::new(input, &format)?;
    let import = match &file.resume {
        Some(id) => resume(&connection, id, &kind, &format).await?,
        None => begin(&connection, &file.file, kind, format).await?,
    };
    pieces.skip_to(number(import.next_line))?;
    let id = import.id.clone();
    let outcome = send_all(&connection, import, pieces, size)
        .await
        .with_context(|| format!("the import was cut; go on with --resume {id}"))?;
    outcome.print(arguments.connection.json)?;
    if outcome.import.lines_refused > 0 {
        show::faults(&connection, &outcome.import, file.faults_to.as_deref()).await?;
        bail!("{} lines were refused; the others are stored", outcome.import.lines_refused);
    }
    Ok(())
}

fn format_of(arguments: &FileArguments) -> anyhow::Result<ImportFormat> {
    if let Some(format) = arguments.format {
        return Ok(format.into());
    }
    let extension = arguments.file.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Ok(ImportFormat::Csv),
        Some("ndjson" | "jsonl") => Ok(ImportFormat::Ndjson),
        _ => {
            bail!("the name of the file does not tell how it is written: say --format ndjson or --format csv")
        }
    }
}

/// The file and, where it is known, its size in bytes.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path).with_context(|| format!("`{}` could not be opened", path.display()))?;
    let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok((Box::new(BufReader::new(file)), size))
}

async fn begin(
    connection: &Connection,
    path: &Path,
    kind: ImportKind,
    format: ImportFormat,
) -> anyhow::Result<Import> {
    /// Characters of an import's name at most.
    const NAME_CHARS_MAX: usize = 255;
    let name = path.file_name().map(|name| name.to_string_lossy().chars().take(NAME_CHARS_MAX).collect());
    let call = connection.ops().create_import().body(CreateImportRequest { kind, format, name });
    let answer = call.send().await.map_err(Error::from);
    let import = answer.context("the import could not be begun")?.into_inner();
    eprintln!("import {}", import.id);
    Ok(import)
}

async fn resume(
    connection: &Connection,
    id: &str,
    kind: &ImportKind,
    format: &ImportFormat,
) -> anyhow::Result<Import> {
    let answer = connection.ops().get_import().id(id).send().await.map_err(Error::from);
    let import = answer.context("the import could not be read")?.into_inner();
    if import.kind != *kind || import.format != *format {
        bail!("the import {id} is one of {} as {}", import.kind, import.format);
    }
    Ok(import)
}

/// Sends what is left of the file, piece by piece.
async fn send_all<R: BufRead>(
    connection: &Connection,
    mut import: Import,
    mut pieces: Pieces<R>,
    size: Option<u64>,
) -> anyhow::Result<Outcome> {
    let watch = Watch::new(size, import.next_line);
    while let Some(piece) = pieces.next()? {
        import = send(connection, &import, &piece).await?;
        watch.show(piece.end, &import);
    }
    Ok(watch.finish(import))
}

/// Sends a piece, again where that may help.
async fn send(connection: &Connection, import: &Import, piece: &Piece) -> Result<Import, Error> {
    let content_type = match import.format {
        ImportFormat::Csv => "text/csv",
        _ => "application/x-ndjson",
    };
    let first_line = i64::try_from(piece.first_line).unwrap_or(i64::MAX);
    let mut attempt = 1;
    loop {
        let call = connection.ops().send_import_lines().id(import.id.clone()).first_line(first_line);
        let sent = call.content_type(content_type).body(piece.body.clone()).send().await;
        match sent.map_err(Error::from) {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(error) if attempt < ATTEMPTS_MAX && may_pass(&error) => {
                let pause = PAUSE * 2_u32.pow(attempt - 1);
                #[expect(clippy::disallowed_methods, reason = "a program that waits is no part of a replay")]
                tokio::time::sleep(pause).await;
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the same call may succeed a little later.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::NoAnswer(_) | Error::Read(_) => true,
        Error::Refused(refusal) => refusal.status.is_server_error() || refusal.status.as_u16() == 429,
        _ => false,
    }
}

fn number(line: i64) -> u64 {
    u64::try_from(line).unwrap_or(1)
}
