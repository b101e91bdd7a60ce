//! `payment-runs backup`: a verified copy of a database, also of one that is being served.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use payment_runs_node::{BackedUp, Database, back_up};

/// The arguments of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// Where the copy is made; the file must not exist.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The database. A server may have it open.
    #[arg(long, value_name = "sqlite:PATH", default_value = "sqlite:payment-runs.sqlite")]
    database: Database,
}

/// Makes the copy and tells what is in it.
pub(crate) async fn run(arguments: BackupArguments) -> anyhow::Result<()> {
    let BackupArguments { file, database } = arguments;
    let (path, to) = (database.path().to_owned(), file.clone());
    // It reads the whole file, which takes as long as it takes.
    let backed_up =
        tokio::task::spawn_blocking(move || back_up(&path, &to)).await.context("the copy ended early")?;
    let BackedUp { bytes, rows } =
        backed_up.with_context(|| format!("there is no backup of `{database}`"))?;
    let count = |table: &str| rows.get(table).copied().unwrap_or_default();
    println!(
        "Backup: {} ({bytes} bytes): {} accounts, {} documents, {} payments, {} payment runs; verified",
        file.display(),
        count("account"),
        count("document"),
        count("payment"),
        count("run"),
    );
    Ok(())
}
