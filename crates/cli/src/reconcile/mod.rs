//! `payment-runs reconcile` and `payment-runs unmatched`: the ledger held against the gateway's own list of charges, and what a
//! person decides about charges that could not be matched. Both work on a database that no server has open.

mod show;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use payment_runs_engine::ports::{MatchDecision, Matched};
use payment_runs_node::{Database, OfflineLedger, Reconciliation};

use crate::arguments::{GatewayArguments, instant};
use crate::serve;

/// The arguments of `reconcile`.
#[derive(Debug, Args)]
pub(crate) struct ReconcileArguments {
    /// From when on charges are compared, such as 2026-01-01T00:00:00Z. After a restore: the time of the backup, or earlier.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: jiff::Timestamp,
    /// Settles the differences, and lets charges be sent again. Without it the differences are only told.
    #[arg(long)]
    apply: bool,
    /// Says that a person has compared the charges. Only for a gateway that lists none: it lets charges be sent again, and changes
    /// nothing else.
    #[arg(long, requires = "apply")]
    by_hand: bool,
    /// The database. No server may have it open.
    #[arg(long, value_name = "sqlite:PATH", default_value = "sqlite:payment-runs.sqlite")]
    database: Database,
    /// The payment gateway, as the server is started with it.
    #[command(flatten)]
    gateway: GatewayArguments,
}

/// The arguments of `unmatched`.
#[derive(Debug, Args)]
pub(crate) struct UnmatchedArguments {
    /// What to do.
    #[command(subcommand)]
    command: UnmatchedCommand,
    /// The database. No server may have it open.
    #[arg(long, global = true, value_name = "sqlite:PATH", default_value = "sqlite:payment-runs.sqlite")]
    database: Database,
}

/// The subcommands of `unmatched`.
#[derive(Debug, Subcommand)]
enum UnmatchedCommand {
    /// Lists the payments that keep documents from being collected.
    List,
    /// Pays documents of the account with such a payment, and frees the others.
    Apply {
        /// The payment's number.
        payment: String,
        /// The numbers of the documents, in the order in which they are paid.
        #[arg(long = "document", value_name = "NUMBER", required = true)]
        documents: Vec<String>,
    },
    /// Frees the documents. The payment stays unapplied.
    Release {
        /// The payment's number.
        payment: String,
    },
}

/// Tells how ledger and gateway differ; fails where something is left that they differ in.
pub(crate) async fn run(arguments: ReconcileArguments) -> anyhow::Result<()> {
    let ledger = OfflineLedger::open(arguments.database.clone()).await?;
    let done = reconcile(&ledger, &arguments).await;
    ledger.close().await;
    match done? {
        0 => Ok(()),
        1 => bail!("ledger and gateway differ in one charge"),
        count => bail!("ledger and gateway differ in {count} charges"),
    }
}

/// Says how many differences are left.
async fn reconcile(ledger: &OfflineLedger, arguments: &ReconcileArguments) -> anyhow::Result<usize> {
    let (since, is_applied) = (arguments.since, arguments.apply);
    if arguments.by_hand {
        ledger.end_charging_hold().await?;
        println!("Charges are sent again.");
        return Ok(0);
    }
    let gateway = serve::gateway(&arguments.gateway);
    let found = ledger.reconcile(Reconciliation { gateway, since, is_applied }).await?;
    for gateway in &found {
        print!("{}", show::report(gateway, is_applied));
    }
    if let Some(why) = ledger.charging_hold().await? {
        if !is_applied {
            println!("Nothing is charged until this is run with --apply: {why}");
        } else if let Some(late) = found.iter().find(|one| !one.reconciled.is_complete_since(since)) {
            let complete_until = late.reconciled.complete_until;
            bail!(
                "nothing is charged yet: the comparison must begin with --since {complete_until} or earlier"
            );
        } else {
            ledger.end_charging_hold().await?;
            println!("Charges are sent again.");
        }
    }
    Ok(found.iter().map(|gateway| show::left(gateway, is_applied)).sum())
}

/// Lists unmatched payments, or carries out a decision about one.
pub(crate) async fn run_unmatched(arguments: UnmatchedArguments) -> anyhow::Result<()> {
    let ledger = OfflineLedger::open(arguments.database).await?;
    let done = match arguments.command {
        UnmatchedCommand::List => list(&ledger).await,
        UnmatchedCommand::Apply { payment, documents } => {
            decide(&ledger, &payment, MatchDecision::Apply(documents)).await
        }
        UnmatchedCommand::Release { payment } => decide(&ledger, &payment, MatchDecision::Release).await,
    };
    ledger.close().await;
    done
}

async fn list(ledger: &OfflineLedger) -> anyhow::Result<()> {
    let unmatched = ledger.unmatched_payments().await.context("the payments could not be read")?;
    print!("{}", show::unmatched(&unmatched));
    Ok(())
}

async fn decide(ledger: &OfflineLedger, number: &str, decision: MatchDecision) -> anyhow::Result<()> {
    match ledger.match_payment(number, decision).await? {
        Matched::Done(left) => {
            println!("{number}: {left} {} stay unapplied; the account's documents are free", left.currency);
            Ok(())
        }
        Matched::NoPayment => bail!("there is no unmatched payment {number}"),
        Matched::NotCollected => bail!("the charge of {number} is not approved yet"),
        Matched::NoDocument(document) => {
            bail!("the account of {number} has no free open document {document} in the payment's currency")
        }
    }
}
