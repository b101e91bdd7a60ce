//! What a payment run would do.

use std::sync::Arc;

use payment_runs_engine::money::Currency;
use payment_runs_engine::ports::ledger::DecisionPosition;
use payment_runs_engine::ports::{
    self, LedgerError, PREVIEW_DOCUMENTS_MAX, PreviewQuery, Previewed, PreviewedDecision, StoreError,
};
use payment_runs_engine::run::{Tallies, Tally};
use payment_runs_engine::runner::DOCUMENTS_PER_CHUNK;
use payment_runs_stubs::ops::preview_payment_run::Query;
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::ops::{Preview, PreviewDecision, PreviewTotals};
use sha2::{Digest, Sha256};

use super::decisions::{self, foreign_cursor, page_size, read_position, write_position};
use crate::app::App;
use crate::call::Call;
use crate::cursor;
use crate::failure::ledger_failure;
use crate::money::to_decimal;
use crate::v1;

/// Previews worked out at once; others wait. Each keeps one of the store's readers, and these are few.
pub(crate) const PREVIEWS_AT_ONCE: usize = 2;

/// Answers the whole plan in numbers, and one page of its decisions.
pub(super) async fn preview(call: &Call<'_>, query: Query) -> Result<Preview, Rejection> {
    let bytes = call.context.body.clone().unwrap_or_default();
    let list = ListName::of(call, &bytes);
    let signing_key = &call.app.settings.cursor_key;
    let after = match &query.cursor {
        None => None,
        Some(text) => Some(list.read(signing_key, text).ok_or_else(foreign_cursor)?),
    };
    let run = v1::draft_payment_run(call, bytes).await?;
    let size = page_size(query.page_size);
    let asked = PreviewQuery {
        scope: call.scope().clone(),
        user: call.caller.user,
        now: call.app.now(),
        run,
        documents_per_chunk: DOCUMENTS_PER_CHUNK,
        documents_max: PREVIEW_DOCUMENTS_MAX,
        after,
        limit: size + 1,
    };
    match work_out(call.app, asked).await.map_err(|error| ledger_failure(&error, &v1::RUN_WORDING))? {
        Previewed::Plan(plan) => Ok(write(plan, size, |position| list.sign(signing_key, position))),
        Previewed::TooLarge => Err(too_large()),
    }
}

/// Works a preview out when it is its turn. Its place is kept until that is done, also when the caller hangs up: the store goes on
/// with what it has begun, and more callers who do so would take all of its readers.
async fn work_out(app: &App, asked: PreviewQuery) -> Result<Previewed, LedgerError> {
    let place = Arc::clone(&app.previews).acquire_owned().await;
    let ledger = Arc::clone(&app.ports.ledger);
    let work = async move {
        let previewed = ledger.preview_run(asked).await;
        drop(place);
        previewed
    };
    let previewed = app.carry_out("preview a payment run", work).await;
    previewed.unwrap_or(Err(LedgerError::Store(StoreError::Closed)))
}

fn too_large() -> Rejection {
    let message = format!(
        "the payment run is too large to be previewed: at most {PREVIEW_DOCUMENTS_MAX} documents are looked at, \
         so name an account, a batch or another condition"
    );
    Rejection::new(Category::BusinessRule, message)
}

/// Everything that decides which decisions are in a preview, and so which cursors belong to it.
struct ListName {
    entity: [u8; 4],
    organizations: Vec<u8>,
    body: [u8; 32],
}

impl ListName {
    fn of(call: &Call<'_>, body: &[u8]) -> Self {
        let scope = call.scope();
        let organizations = scope.organizations.iter().flatten();
        Self {
            entity: scope.entity.0.to_be_bytes(),
            organizations: organizations.flat_map(|id| id.to_bytes()).collect(),
            body: Sha256::digest(body).into(),
        }
    }

    fn parts(&self) -> [&[u8]; 4] {
        [b"preview", &self.entity, &self.organizations, &self.body]
    }

    fn sign(&self, key: &[u8; 32], position: DecisionPosition) -> String {
        cursor::sign(key, &self.parts(), &write_position(position))
    }

    fn read(&self, key: &[u8; 32], text: &str) -> Option<DecisionPosition> {
        read_position(&cursor::read(key, &self.parts(), text)?)
    }
}

fn write(plan: ports::Preview, size: u32, sign: impl Fn(DecisionPosition) -> String) -> Preview {
    let count = |part: fn(&Tally) -> i64| plan.tallies.values().map(part).fold(0, i64::saturating_add);
    let collected = count(|tally| tally.invoices.number.saturating_add(tally.debit_memos.number));
    let skipped = count(|tally| tally.skipped);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let last = plan.decisions.get(size.saturating_sub(1)).filter(|_| plan.decisions.len() > size);
    Preview {
        target_date: plan.target_date.into(),
        documents_total: collected.saturating_add(skipped),
        documents_collected: collected,
        documents_skipped: skipped,
        invoices: count(|tally| tally.invoices.number),
        debit_memos: count(|tally| tally.debit_memos.number),
        credit_memos: count(|tally| tally.credit_memos.number),
        unapplied_payments: count(|tally| tally.unapplied_payments.number),
        credit_balance_adjustments: count(|tally| tally.credit_balance.number),
        payments: count(|tally| tally.processing.number),
        data_records_refused: count(|tally| tally.error_records),
        totals: totals(&plan.tallies),
        next_page: last.map(|last| sign(last.position)),
        decisions: plan.decisions.into_iter().take(size).map(decision).collect(),
    }
}

fn totals(tallies: &Tallies) -> Vec<PreviewTotals> {
    let total = |(currency, tally): (&Currency, &Tally)| {
        let amount = |minor: i64| to_decimal(minor, *currency);
        let (invoices, debit_memos) = (tally.invoices.amount_minor, tally.debit_memos.amount_minor);
        PreviewTotals {
            currency: currency.to_string(),
            receivables: amount(invoices.saturating_add(debit_memos)),
            invoices: amount(invoices),
            debit_memos: amount(debit_memos),
            credit_memos: amount(tally.credit_memos.amount_minor),
            unapplied_payments: amount(tally.unapplied_payments.amount_minor),
            credit_balance: amount(tally.credit_balance.amount_minor),
            payments: amount(tally.processing.amount_minor),
        }
    };
    tallies.iter().map(total).collect()
}

fn decision(previewed: PreviewedDecision) -> PreviewDecision {
    let PreviewedDecision { decision, gateway, .. } = previewed;
    let payment_method = decision.payment_method;
    let decided = decisions::write(decision);
    PreviewDecision {
        document_id: decided.document_id,
        document_number: decided.document_number,
        document_type: decided.document_type,
        account_id: decided.account_id,
        outcome: decided.outcome,
        reason: decided.reason,
        credit_applied: decided.credit_applied,
        amount: decided.amount,
        currency: decided.currency,
        payment_method_id: payment_method.map(|id| id.to_string()),
        payment_gateway_id: gateway.map(|id| id.to_string()),
    }
}
