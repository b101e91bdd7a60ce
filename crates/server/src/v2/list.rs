//! The list of payment runs.

use payment_runs_stubs::Rejection;
use payment_runs_stubs::v2::list_payment_runs::Query;
use payment_runs_types::v2::PaymentRunListResponse;

use super::DIALECT;
use super::fields::selection;
use super::write::whole;
use crate::call::Call;
use crate::search::{Asked, refuse_unknown_parameters, search};
use crate::time::Zone;

/// Runs per page unless the caller says otherwise, as documented.
const SIZE_DEFAULT: u32 = 30;

/// Runs per page at most; the contract refuses more.
const SIZE_MAX: u32 = 99;

/// The parameters of the list.
const PARAMETERS: &[&str] = &[
    "cursor",
    "expand[]",
    "filter[]",
    "sort[]",
    "page_size",
    "fields[]",
    "payment_run.fields[]",
    "summary.fields[]",
];

/// One page of runs, newest first unless the caller says otherwise.
pub(super) async fn list(call: &Call<'_>, query: Query) -> Result<PaymentRunListResponse, Rejection> {
    let mut faults = refuse_unknown_parameters(&call.context.uri, PARAMETERS);
    let settings = call.settings().await?;
    let (filters, sorts, cursor) = (query.filter, query.sort, query.cursor);
    let size = query.page_size.and_then(|size| u32::try_from(size).ok()).unwrap_or(SIZE_DEFAULT);
    let chosen = selection!(query);
    faults.extend(chosen.faults());
    let asked = Asked {
        filters: filters.as_deref(),
        sorts: sorts.as_deref(),
        cursor: cursor.as_deref(),
        size: size.clamp(1, SIZE_MAX),
    };
    let page = search(call, &DIALECT, &settings, asked, faults).await?;
    let zone = Zone::of(&settings);
    let data = page.runs.iter().map(|found| chosen.apply(whole(found, &zone))).collect();
    Ok(PaymentRunListResponse { next_page: Some(page.next), data })
}
