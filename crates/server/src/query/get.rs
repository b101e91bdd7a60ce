//! One payment run.

use payment_runs_engine::refusal::Noun;
use payment_runs_stubs::Rejection;
use payment_runs_stubs::v1::query_payment_run::Query;
use payment_runs_types::v1::ExpandedPaymentRun;

use super::expand_faults;
use super::fields::Selection;
use super::write::whole;
use crate::call::Call;
use crate::refused::not_found;
use crate::search::find;

/// The run of this identifier or number. What the query says of pages, orders and conditions changes nothing.
pub(crate) async fn get(call: &Call<'_>, key: &str, query: Query) -> Result<ExpandedPaymentRun, Rejection> {
    let mut faults = expand_faults(query.expand.as_deref());
    let chosen = Selection::read(query.fields.as_deref(), query.include_null_fields, &mut faults);
    if !faults.is_empty() {
        return Err(Rejection::from_faults(faults));
    }
    let settings = call.settings().await?;
    let found = find(call, &settings, key).await?.ok_or_else(|| not_found(Noun::PaymentRun, key))?;
    Ok(chosen.apply(whole(&found, &settings)))
}
