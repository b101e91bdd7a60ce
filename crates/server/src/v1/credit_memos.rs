//! Credit memos.

use payment_runs_engine::command::{Command, NewCreditMemo};
use payment_runs_engine::document::CreditMemo;
use payment_runs_engine::ids::{CreditMemoId, Key};
use payment_runs_engine::ports::Output;
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{CreateCreditMemoRequest, CreditMemoResponse};

use super::debit_memos::read_charges;
use super::invoices::status;
use super::owner::{self, Owner};
use crate::call::{Call, unexpected_output};
use crate::failure::store_failure;
use crate::faults::Faults;
use crate::money::{sum_minor, to_decimal};
use crate::refused::{Wording, not_found};
use crate::time::Zone;

const WORDING: Wording = Wording { name, state: Some((Noun::CreditMemo, "only a draft can be posted")) };

fn name(field: Field) -> &'static str {
    match field {
        Field::Path => "creditMemoKey",
        Field::Amount => "charges",
        other => owner::name(other),
    }
}

/// Creates a credit memo.
pub(super) async fn create(
    call: &Call<'_>,
    body: CreateCreditMemoRequest,
) -> Result<CreditMemoResponse, Rejection> {
    let mut faults = Faults::default();
    let (id, number) = (body.account_id.as_deref(), body.account_number.as_deref());
    let owner = Owner::read(call, id, number, body.currency.as_deref(), &mut faults).await?;
    let charges = read_charges(&owner, body.charges, &mut faults);
    faults.finish()?;
    let zone = Zone::of(&call.settings().await?);
    let memo = NewCreditMemo {
        id: CreditMemoId::from_u128(call.app.ports.ids.next_id()),
        number: body.number,
        account: owner.key(),
        currency: owner.currency,
        amount_minor: sum_minor(charges.iter().map(|charge| charge.amount_minor)).unwrap_or_default(),
        effective_date: body.effective_date.map_or_else(|| zone.date(call.app.now()), Into::into),
        post: body.auto_post.unwrap_or(false),
        comment: body.comment,
        reason_code: body.reason_code,
    };
    call.execute(Command::CreateCreditMemo(memo), &WORDING, answer).await
}

/// One credit memo.
pub(super) async fn get(call: &Call<'_>, key: &str) -> Result<CreditMemoResponse, Rejection> {
    let found = call.app.ports.ledger.find_credit_memo(call.scope(), &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    found.map(|memo| write(&memo)).ok_or_else(|| not_found(Noun::CreditMemo, key))
}

/// Posts a draft.
pub(super) async fn post(call: &Call<'_>, key: &str) -> Result<CreditMemoResponse, Rejection> {
    let command = Command::PostCreditMemo(Key::new(key));
    answer(&call.run(command, &WORDING).await?).ok_or_else(unexpected_output)
}

fn answer(output: &Output) -> Option<CreditMemoResponse> {
    match output {
        Output::CreditMemo(memo) => Some(write(memo)),
        _ => None,
    }
}

fn write(memo: &CreditMemo) -> CreditMemoResponse {
    let amount = |minor: i64| to_decimal(minor, memo.currency);
    CreditMemoResponse {
        success: true,
        id: memo.id.to_string(),
        number: memo.number.clone(),
        account_id: memo.account.to_string(),
        amount: amount(memo.amount_minor),
        applied_amount: Some(amount(memo.amount_minor.saturating_sub(memo.unapplied_minor))),
        unapplied_amount: amount(memo.unapplied_minor),
        status: status(memo.status),
        currency: memo.currency.to_string(),
    }
}
