//! The list of payment runs.

use payment_runs_engine::ids::UserId;
use payment_runs_engine::ports::ledger::{RunCondition, RunQuery, RunSort};
use payment_runs_engine::run::RunStatus;
use payment_runs_stubs::Rejection;
use payment_runs_stubs::v1::list_payment_runs::Query;
use payment_runs_types::v1::{ListPaymentRunsResponse, PaymentRunStatus};

use super::write::{self, View};
use crate::call::Call;
use crate::failure::store_failure;
use crate::time::Zone;
use crate::v1::page::{Page, refuse_unknown_parameters, sort_fields, user};

/// The parameters of the list.
const PARAMETERS: &[&str] = &[
    "page",
    "pageSize",
    "createdById",
    "createdDate",
    "status",
    "targetDate",
    "updatedById",
    "updatedDate",
    "sort",
];

/// The fields by which the list can be sorted.
const SORTABLE: &[(&str, RunSort)] = &[
    ("targetDate", RunSort::TargetDate),
    ("status", RunSort::Status),
    ("createdDate", RunSort::CreatedAt),
    ("createdById", RunSort::CreatedBy),
    ("updatedDate", RunSort::UpdatedAt),
    ("updatedById", RunSort::UpdatedBy),
];

/// One page of runs.
pub(in crate::v1) async fn list(call: &Call<'_>, query: Query) -> Result<ListPaymentRunsResponse, Rejection> {
    refuse_unknown_parameters(&call.context.uri, PARAMETERS)?;
    let settings = call.settings().await?;
    let zone = Zone::of(&settings);
    let page = Page::of(query.page, query.page_size);
    let asked = read_query(&query, &page, &zone)?;
    let found = call.app.ports.ledger.list_runs(call.scope(), asked).await;
    let mut runs = found.map_err(|error| store_failure(&error))?;
    let next_page = page.cut(&mut runs, &call.context.uri);
    let view = View::of(call, &settings, runs.iter().map(|run| &run.filter)).await?;
    Ok(ListPaymentRunsResponse {
        payment_runs: runs.iter().map(|run| write::listed(run, &view)).collect(),
        next_page,
        success: true,
    })
}

fn read_query(query: &Query, page: &Page, zone: &Zone) -> Result<RunQuery, Rejection> {
    let by_user = |text: &String, condition: fn(Option<UserId>) -> RunCondition| {
        user(text, condition, RunCondition::Never)
    };
    let conditions = [
        query.created_by_id.as_ref().map(|text| by_user(text, RunCondition::CreatedBy)),
        query.created_date.map(|at| RunCondition::CreatedAt(zone.instants(at))),
        query.status.as_ref().map(status_condition),
        query.target_date.map(|date| RunCondition::TargetDate(Some(date.into()))),
        query.updated_by_id.as_ref().map(|text| by_user(text, RunCondition::UpdatedBy)),
        query.updated_date.map(|at| RunCondition::UpdatedAt(zone.instants(at))),
    ];
    Ok(RunQuery {
        conditions: conditions.into_iter().flatten().collect(),
        sort: query.sort.as_deref().map_or(Ok(Vec::new()), |text| sort_fields(text, SORTABLE))?,
        offset: page.offset(),
        limit: page.limit(),
    })
}

fn status_condition(status: &PaymentRunStatus) -> RunCondition {
    RunCondition::Status(Some(match status {
        PaymentRunStatus::Pending => RunStatus::Pending,
        PaymentRunStatus::Processing => RunStatus::Processing,
        PaymentRunStatus::Completed => RunStatus::Completed,
        PaymentRunStatus::Error => RunStatus::Error,
        PaymentRunStatus::Canceled => RunStatus::Canceled,
        PaymentRunStatus::Unknown(_) => return RunCondition::Never,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_by_identifier_or_null() {
        let id = UserId::from_u128(7);
        let read = |text: &str| user(text, RunCondition::CreatedBy, RunCondition::Never);
        assert_eq!(read(&id.to_string()), RunCondition::CreatedBy(Some(id)));
        assert_eq!(read("null"), RunCondition::CreatedBy(None));
        assert_eq!(read("someone"), RunCondition::Never);
    }

    #[test]
    fn every_status_can_be_asked_for() {
        for status in PaymentRunStatus::ALL {
            assert!(matches!(status_condition(status), RunCondition::Status(Some(_))), "{status}");
        }
    }
}
