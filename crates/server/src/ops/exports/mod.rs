//! Exports: whole lists of a payment run as streams. Each part is read by itself when the receiver has taken the one before
//! it, so that neither memory nor a transaction grows with the list or with the receiver's slowness.

mod payment;
mod rows;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{Key, PaymentId, RunId};
use payment_runs_engine::ports::ledger::{DecisionPosition, DecisionQuery};
use payment_runs_engine::ports::{Chain, StoreError};
use payment_runs_engine::run::Run;
use payment_runs_stubs::ops::{export_decisions, export_payments};
use payment_runs_stubs::{Location, Rejection, Stream};
use payment_runs_types::ops::ExportFormat;

use super::{decisions, no_run_at};
use crate::app::App;
use crate::auth::Standing;
use crate::call::Call;
use crate::failure::store_failure;
use crate::time::Zone;
use rows::{Format, Writer};

/// Rows that are read and written at a time.
const PART_ROWS: u32 = 1_000;

/// The columns of decisions, in the order of the contract.
const DECISION_COLUMNS: &[&str] = &[
    "document_id",
    "document_number",
    "document_type",
    "account_id",
    "outcome",
    "reason",
    "credit_applied",
    "amount",
    "currency",
    "payment_id",
];

/// The columns of payments, in the order of the contract.
const PAYMENT_COLUMNS: &[&str] = &[
    "id",
    "number",
    "state",
    "account_id",
    "payment_run_id",
    "amount",
    "currency",
    "unapplied_amount",
    "electronic",
    "payment_method_id",
    "payment_gateway_id",
    "gateway_reference",
    "gateway_code",
    "gateway_message",
    "documents",
    "created_at",
    "settled_at",
];

/// The decisions of a run, in the order in which they fell.
pub(super) async fn decisions(
    call: &Call<'_>,
    key: &str,
    format: Option<&ExportFormat>,
) -> Result<Stream, Rejection> {
    let run = find_run(call, key).await?;
    let standing = Standing::of(call, &export_decisions::OPERATION).await?;
    export(call, standing, run, format, DECISION_COLUMNS, Rows::Decisions(None)).await
}

/// The payments of a run, in the order in which they were made.
pub(super) async fn payments(
    call: &Call<'_>,
    key: &str,
    format: Option<&ExportFormat>,
) -> Result<Stream, Rejection> {
    let run = find_run(call, key).await?;
    let standing = Standing::of(call, &export_payments::OPERATION).await?;
    export(call, standing, run, format, PAYMENT_COLUMNS, Rows::Payments(None)).await
}

async fn find_run(call: &Call<'_>, key: &str) -> Result<Run, Rejection> {
    let found = call.app.ports.ledger.find_run(call.scope(), &Key::new(key)).await;
    found
        .map_err(|error| store_failure(&error))?
        .ok_or_else(|| no_run_at(Location::Query, "payment_run", key))
}

/// What is exported, and after which row it goes on.
enum Rows {
    Decisions(Option<DecisionPosition>),
    Payments(Option<PaymentId>),
}

/// An export under way.
struct Export {
    app: App,
    standing: Standing,
    scope: Scope,
    run: RunId,
    zone: Zone,
    writer: Writer,
    rows: Rows,
    is_read: bool,
}

/// Why an export did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    #[error("the client may not read any more")]
    NotLetIn,
}

/// Begins an export. Its first part is read before anything is answered, so that a failure can still be told as one; a
/// later one breaks the stream off.
async fn export(
    call: &Call<'_>,
    standing: Standing,
    run: Run,
    format: Option<&ExportFormat>,
    columns: &'static [&'static str],
    rows: Rows,
) -> Result<Stream, Rejection> {
    let format = match format {
        Some(ExportFormat::Csv) => Format::Columns,
        _ => Format::Named,
    };
    let mut export = Export {
        app: call.app.clone(),
        standing,
        scope: call.scope().clone(),
        run: run.id,
        zone: Zone::of(&call.settings().await?),
        writer: Writer::new(format, columns),
        rows,
        is_read: false,
    };
    let first = export.part().await.map_err(|error| store_failure(&error))?.unwrap_or_default();
    let rest = stream::try_unfold((Some(first), export), async |(first, mut export)| {
        if let Some(first) = first {
            return Ok::<_, Broken>(Some((first, (None, export))));
        }
        if export.standing.check().await.is_err() {
            tracing::info!("an export was cut off, since its client may not read any more");
            return Err(Broken::NotLetIn);
        }
        let part = export.part().await.inspect_err(|error| {
            tracing::warn!(error = %Chain(error), "an export broke off");
        })?;
        Ok(part.map(|part| (part, (None, export))))
    });
    Ok(Stream { content_type: format.media(), body: Body::from_stream(rest) })
}

impl Export {
    /// The next part; nothing after the last one.
    async fn part(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.is_read {
            return Ok(None);
        }
        let (ports, entity) = (&self.app.ports, self.scope.entity);
        let count = match &mut self.rows {
            Rows::Decisions(after) => {
                let asked = DecisionQuery { after: *after, limit: PART_ROWS, ..DecisionQuery::default() };
                let page = ports.ledger.list_decisions(entity, self.run, asked).await?;
                *after = page.last().map(|(position, _)| *position).or(*after);
                let count = page.len();
                for (_, decision) in page {
                    self.writer.row(&decisions::write(decision));
                }
                count
            }
            Rows::Payments(after) => {
                let page = ports.exports.export_payments(&self.scope, self.run, *after, PART_ROWS).await?;
                *after = page.last().map(|payment| payment.id).or(*after);
                for payment in &page {
                    self.writer.row(&payment::write(payment, &self.zone));
                }
                page.len()
            }
        };
        self.is_read = u32::try_from(count).is_ok_and(|count| count < PART_ROWS);
        Ok(Some(self.writer.take()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_of_the_contract() {
        let schemas = payment_runs_stubs::ops::SCHEMAS.value();
        for (component, columns) in [("Decision", DECISION_COLUMNS), ("Payment", PAYMENT_COLUMNS)] {
            let properties = schemas["$defs"][component]["properties"].as_object();
            let names: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, columns, "{component}");
        }
    }
}
