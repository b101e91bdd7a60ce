//! The list of payments.

use payment_runs_engine::ids::Key;
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ledger::PaymentQuery;
use payment_runs_stubs::v1::list_payments::Query;
use payment_runs_stubs::{Category, Fault, Location, Rejection};
use payment_runs_types::v1::{ListPaymentsResponse, PaymentStatus};

use super::listed;
use crate::call::Call;
use crate::failure::store_failure;
use crate::time::Zone;
use crate::v1::page::{Page, refuse_unknown_parameters};

/// The parameters of the list that are served.
const PARAMETERS: &[&str] = &["page", "pageSize", "accountId", "status"];

/// The documented parameters that are not served yet. Ignoring a filter would answer what nobody asked for.
const NOT_SERVED: &[&str] = &[
    "createdById",
    "createdDate",
    "currency",
    "effectiveDate",
    "number",
    "type",
    "updatedById",
    "updatedDate",
    "sort",
];

/// One page of payments, newest first.
pub(in crate::v1) async fn list(call: &Call<'_>, query: Query) -> Result<ListPaymentsResponse, Rejection> {
    refuse_what_is_not_served(call)?;
    refuse_unknown_parameters(&call.context.uri, &[PARAMETERS, NOT_SERVED].concat())?;
    let page = Page::of(query.page, query.page_size);
    let states = query.status.as_ref().map(states_of);
    if states.is_some_and(<[PaymentState]>::is_empty) {
        return Ok(ListPaymentsResponse { payments: Vec::new(), next_page: None, success: true });
    }
    let asked = PaymentQuery {
        account: query.account_id.map(Key::new),
        run: None,
        states: states.unwrap_or_default().to_vec(),
        offset: page.offset(),
        limit: page.limit(),
    };
    let found = call.app.ports.ledger.list_payments(call.scope(), asked).await;
    let mut payments = found.map_err(|error| store_failure(&error))?;
    let next_page = page.cut(&mut payments, &call.context.uri);
    let zone = Zone::of(&call.settings().await?);
    let payments = payments.iter().map(|payment| listed(payment, &zone)).collect();
    Ok(ListPaymentsResponse { payments, next_page, success: true })
}

fn refuse_what_is_not_served(call: &Call<'_>) -> Result<(), Rejection> {
    let query = call.context.uri.query().unwrap_or_default();
    let given =
        form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| NOT_SERVED.contains(&name.as_ref()));
    let faults: Vec<Fault> = given
        .map(|(name, _)| Fault {
            location: Location::Query,
            field: name.into_owned(),
            message: "is not served yet".to_owned(),
            category: Category::NotImplemented,
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(Rejection::from_faults(faults)) }
}

/// The states behind a status; none behind those that no payment here has.
fn states_of(status: &PaymentStatus) -> &'static [PaymentState] {
    match status {
        PaymentStatus::Processing => &[PaymentState::Intent, PaymentState::Pending, PaymentState::Unknown],
        PaymentStatus::Processed => &[PaymentState::Processed],
        PaymentStatus::Error => &[PaymentState::Declined],
        PaymentStatus::Canceled => &[PaymentState::Canceled],
        PaymentStatus::Draft | PaymentStatus::Posted | PaymentStatus::Unknown(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_one_status() {
        for state in PaymentState::ALL {
            let holders = PaymentStatus::ALL.iter().filter(|status| states_of(status).contains(&state));
            assert_eq!(holders.count(), 1, "{state:?}");
            let status = super::super::status(state);
            assert!(states_of(&status).contains(&state), "{state:?}");
        }
    }
}
