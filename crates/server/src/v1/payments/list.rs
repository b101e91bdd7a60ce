//! The list of payments.

use payment_runs_engine::ids::{Key, UserId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{PaymentKind, PaymentState};
use payment_runs_engine::ports::ledger::{PaymentCondition, PaymentQuery, PaymentSort};
use payment_runs_stubs::Rejection;
use payment_runs_stubs::v1::list_payments::Query;
use payment_runs_types::v1::{ListPaymentsResponse, PaymentStatus, PaymentType};

use super::listed;
use crate::call::Call;
use crate::failure::store_failure;
use crate::time::Zone;
use crate::v1::page::{Page, refuse_unknown_parameters, sort_fields, user};

/// The parameters of the list.
const PARAMETERS: &[&str] = &[
    "page",
    "pageSize",
    "accountId",
    "createdById",
    "createdDate",
    "currency",
    "effectiveDate",
    "number",
    "status",
    "type",
    "updatedById",
    "updatedDate",
    "sort",
];

/// The fields by which the list can be sorted.
const SORTABLE: &[(&str, PaymentSort)] = &[
    ("number", PaymentSort::Number),
    ("accountId", PaymentSort::Account),
    ("amount", PaymentSort::Amount),
    ("appliedAmount", PaymentSort::AppliedAmount),
    ("unappliedAmount", PaymentSort::UnappliedAmount),
    ("createdById", PaymentSort::CreatedBy),
    ("createdDate", PaymentSort::CreatedAt),
    ("effectiveDate", PaymentSort::EffectiveDate),
    ("updatedById", PaymentSort::UpdatedBy),
    ("updatedDate", PaymentSort::UpdatedAt),
];

/// The order of a list that names none, as documented: the highest number first.
const SORT_DEFAULT: (PaymentSort, bool) = (PaymentSort::Number, false);

/// One page of payments.
pub(in crate::v1) async fn list(call: &Call<'_>, query: Query) -> Result<ListPaymentsResponse, Rejection> {
    refuse_unknown_parameters(&call.context.uri, PARAMETERS)?;
    let zone = Zone::of(&call.settings().await?);
    let page = Page::of(query.page, query.page_size);
    let asked = read_query(&query, &page, &zone)?;
    let found = call.app.ports.ledger.list_payments(call.scope(), asked).await;
    let mut payments = found.map_err(|error| store_failure(&error))?;
    let next_page = page.cut(&mut payments, &call.context.uri);
    let payments = payments.iter().map(|payment| listed(payment, &zone)).collect();
    Ok(ListPaymentsResponse { payments, next_page, success: true })
}

fn read_query(query: &Query, page: &Page, zone: &Zone) -> Result<PaymentQuery, Rejection> {
    let by_user = |text: &String, condition: fn(Option<UserId>) -> PaymentCondition| {
        user(text, condition, PaymentCondition::Never)
    };
    let states = query.status.as_ref().map(states_of);
    let conditions = [
        query.created_by_id.as_ref().map(|text| by_user(text, PaymentCondition::CreatedBy)),
        query.created_date.map(|at| PaymentCondition::CreatedAt(zone.instants(at))),
        query.currency.as_deref().map(currency_condition),
        query.effective_date.map(|date| PaymentCondition::EffectiveDate(date.into())),
        query.number.clone().map(PaymentCondition::Number),
        states.filter(|states| states.is_empty()).map(|_| PaymentCondition::Never),
        query.type_.as_ref().map(kind_condition),
        query.updated_by_id.as_ref().map(|text| by_user(text, PaymentCondition::UpdatedBy)),
        query.updated_date.map(|at| PaymentCondition::UpdatedAt(zone.instants(at))),
    ];
    let mut sort = query.sort.as_deref().map_or(Ok(Vec::new()), |text| sort_fields(text, SORTABLE))?;
    if sort.is_empty() {
        sort.push(SORT_DEFAULT);
    }
    Ok(PaymentQuery {
        account: query.account_id.as_deref().map(Key::new),
        states: states.unwrap_or_default().to_vec(),
        conditions: conditions.into_iter().flatten().collect(),
        sort,
        offset: page.offset(),
        limit: page.limit(),
        ..PaymentQuery::default()
    })
}

/// A code that is no currency's belongs to no payment.
fn currency_condition(code: &str) -> PaymentCondition {
    Currency::from_code(code).map_or(PaymentCondition::Never, PaymentCondition::Currency)
}

fn kind_condition(kind: &PaymentType) -> PaymentCondition {
    match kind {
        PaymentType::Electronic => PaymentCondition::Kind(PaymentKind::Electronic),
        PaymentType::External => PaymentCondition::Kind(PaymentKind::External),
        PaymentType::Unknown(_) => PaymentCondition::Never,
    }
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
