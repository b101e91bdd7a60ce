//! `payment-runs runs`: payment runs of a running server.

mod arguments;
mod body;
mod show;
mod watch;

use anyhow::{Context as _, bail};
use payment_runs_client::{Connection, Error};
use payment_runs_types::ops::{PaymentRunBody, Preview};
use payment_runs_types::v1::{CreatePaymentRunRequest, UpdatePaymentRunRequest};
use serde_json::Value;

pub(crate) use arguments::RunsArguments;
use arguments::{
    CreateArguments, DecisionsArguments, ListArguments, PreviewArguments, RunsCommand, UpdateArguments,
};
pub(crate) use body::BodyArguments;

use crate::remote::{Shown, take};

/// The most decisions that a server gives on a page.
const PAGE_SIZE_MAX: i32 = 99;

/// Does what was asked, and shows the answer.
pub(crate) async fn run(arguments: RunsArguments) -> anyhow::Result<()> {
    let connection = arguments.connection.connect()?;
    let json = arguments.connection.json;
    let shown = match arguments.command {
        RunsCommand::Create(create) => return self::create(&connection, create, json).await,
        RunsCommand::Watch { run } => return watch::follow(&connection, &run, json).await,
        RunsCommand::List(list) => self::list(&connection, list).await?,
        RunsCommand::Get { run } => get(&connection, &run).await?,
        RunsCommand::Update(update) => self::update(&connection, update).await?,
        RunsCommand::Delete { run } => delete(&connection, &run).await?,
        RunsCommand::Summary { run } => summary(&connection, &run).await?,
        RunsCommand::Data { run } => data(&connection, &run).await?,
        RunsCommand::Preview(preview) => self::preview(&connection, preview).await?,
        RunsCommand::Decisions(decisions) => self::decisions(&connection, decisions).await?,
        RunsCommand::Cancel { run } => {
            let answer = connection.ops().cancel_payment_run().key(run).send().await;
            show::pairs(
                &answer.map_err(Error::from).context("the payment run could not be canceled")?.into_inner(),
            )?
        }
        RunsCommand::Stop { run } => {
            let answer = connection.ops().stop_payment_run().key(run).send().await;
            show::pairs(
                &answer.map_err(Error::from).context("the payment run could not be stopped")?.into_inner(),
            )?
        }
    };
    shown.print(json);
    Ok(())
}

async fn create(connection: &Connection, arguments: CreateArguments, json: bool) -> anyhow::Result<()> {
    let body = Value::Object(arguments.body.to_body()?);
    let request: CreatePaymentRunRequest =
        serde_json::from_value(body).context("the body is not one that creates a payment run")?;
    let answer = connection.v1().create_payment_run().body(request).send().await;
    let made = answer.map_err(Error::from).context("the payment run could not be created")?.into_inner();
    if !arguments.watch {
        show::pairs(&made)?.print(json);
        return Ok(());
    }
    eprintln!("{} {}", made.number, made.id);
    watch::follow(connection, &made.id, json).await
}

async fn list(connection: &Connection, arguments: ListArguments) -> anyhow::Result<Shown> {
    let mut call = connection.v1().list_payment_runs();
    if let Some(status) = arguments.status {
        call = call.status(payment_runs_types::v1::PaymentRunStatus::from(status));
    }
    if let Some(date) = arguments.target_date {
        call = call.target_date(payment_runs_types::Date::from(date));
    }
    let runs = take(call.stream(), arguments.limit).await.context("the payment runs could not be listed")?;
    show::runs(&runs)
}

async fn get(connection: &Connection, run: &str) -> anyhow::Result<Shown> {
    let answer = connection.v1().get_payment_run().payment_run_key(run).send().await;
    show::pairs(&answer.map_err(Error::from).context("the payment run could not be read")?.into_inner())
}

async fn update(connection: &Connection, arguments: UpdateArguments) -> anyhow::Result<Shown> {
    let mut body = arguments.body.to_body()?;
    body::clear(&mut body, &arguments.clear)?;
    if body.is_empty() {
        bail!("there is nothing to change");
    }
    let request: UpdatePaymentRunRequest = serde_json::from_value(Value::Object(body))
        .context("the body is not one that changes a payment run")?;
    let call = connection.v1().update_payment_run().payment_run_key(arguments.run);
    let answer = call.body(request).send().await;
    show::pairs(&answer.map_err(Error::from).context("the payment run could not be changed")?.into_inner())
}

async fn delete(connection: &Connection, run: &str) -> anyhow::Result<Shown> {
    let answer = connection.v1().delete_payment_run().payment_run_key(run).send().await;
    let gone = answer.map_err(Error::from).context("the payment run could not be deleted")?.into_inner();
    show::deleted(&gone, run)
}

async fn summary(connection: &Connection, run: &str) -> anyhow::Result<Shown> {
    let answer = connection.v1().get_payment_run_summary().payment_run_key(run).send().await;
    show::pairs(&answer.map_err(Error::from).context("the summary could not be read")?.into_inner())
}

async fn data(connection: &Connection, run: &str) -> anyhow::Result<Shown> {
    let answer = connection.v1().get_payment_run_data().payment_run_key(run).send().await;
    show::data(&answer.map_err(Error::from).context("the records could not be read")?.into_inner())
}

async fn preview(connection: &Connection, arguments: PreviewArguments) -> anyhow::Result<Shown> {
    let body = PaymentRunBody(arguments.body.to_body()?.into_iter().collect());
    let mut whole: Option<Preview> = None;
    let mut cursor = None;
    loop {
        let mut call = connection.ops().preview_payment_run().body(body.clone()).page_size(PAGE_SIZE_MAX);
        if let Some(cursor) = cursor.take() {
            call = call.cursor(cursor);
        }
        let answer = call.send().await.map_err(Error::from);
        let page = answer.context("the payment run could not be previewed")?.into_inner();
        let next = page.next_page.clone();
        let seen = match &mut whole {
            None => whole.insert(page),
            Some(seen) => {
                seen.decisions.extend(page.decisions);
                seen
            }
        };
        seen.next_page.clone_from(&next);
        if next.is_none() || seen.decisions.len() >= arguments.limit {
            seen.decisions.truncate(arguments.limit);
            break;
        }
        cursor = next;
    }
    let whole = whole.context("the server gave no preview")?;
    show::preview(&whole)
}

async fn decisions(connection: &Connection, arguments: DecisionsArguments) -> anyhow::Result<Shown> {
    let mut call = connection.ops().list_decisions().key(arguments.run);
    if let Some(outcome) = arguments.outcome {
        call = call.outcome(outcome);
    }
    if let Some(reason) = arguments.reason {
        call = call.reason(reason);
    }
    let decisions =
        take(call.stream(), arguments.limit).await.context("the decisions could not be listed")?;
    show::decisions(&decisions)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
