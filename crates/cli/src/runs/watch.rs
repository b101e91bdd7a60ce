//! A payment run that is followed until it has ended.

use std::pin::pin;

use anyhow::{Context as _, bail};
use futures_util::TryStreamExt as _;
use payment_runs_client::Connection;
use payment_runs_types::ops::{Progress, ProgressEvent, RunStatus};

const COLORED: &str = "{bar:30.cyan/blue} {human_pos} of {human_len}  {msg}";
const PLAIN: &str = "{bar:30} {human_pos} of {human_len}  {msg}";

/// Shows how far the payment run is until it has ended: a bar on a terminal, else a line for each event; in JSON each
/// event as the server gave it. Fails unless it completed.
pub(super) async fn follow(connection: &Connection, run: &str, json: bool) -> anyhow::Result<()> {
    let mut events = pin!(connection.ops().watch_payment_run().key(run).stream());
    let bar = crate::bar(Some(0), COLORED, PLAIN);
    let mut last = None;
    while let Some(watched) = events.try_next().await.context("the payment run could not be watched")? {
        if json {
            println!("{}", serde_json::to_string(&watched.data)?);
        } else if bar.is_hidden() {
            println!("{}", line(&watched.data));
        } else {
            let progress = &watched.data.progress;
            bar.set_length(unsigned(progress.documents_total));
            bar.set_position(unsigned(settled(progress)));
            bar.set_message(line(&watched.data));
        }
        last = Some(watched.data.progress);
    }
    bar.finish_and_clear();
    let Some(end) = last else { bail!("the server told nothing of the payment run") };
    let why = end.error_message.map(|why| format!(": {why}")).unwrap_or_default();
    if !json {
        println!("{} {}{why}", end.payment_run_number, end.status);
    }
    if end.status != RunStatus::Completed {
        bail!("the payment run is {}{why}", end.status);
    }
    Ok(())
}

/// Documents about which nothing more is to be done, as far as one can see.
fn settled(progress: &Progress) -> i64 {
    progress.documents_planned.saturating_sub(progress.payments_in_doubt)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// An event in words.
fn line(event: &ProgressEvent) -> String {
    let progress = &event.progress;
    let left = event.seconds_left.map(|seconds| format!(", about {seconds} s left")).unwrap_or_default();
    format!(
        "{} {}: {} of {} documents decided, {} paid, {} declined, {} under way{left}",
        progress.payment_run_number,
        progress.status,
        progress.documents_planned,
        progress.documents_total,
        progress.payments_processed,
        progress.payments_errors,
        progress.payments_in_doubt,
    )
}
