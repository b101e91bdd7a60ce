//! One page of payment runs.

use payment_runs_stubs::Rejection;
use payment_runs_stubs::v1::query_payment_runs::Query;
use payment_runs_types::v1::QueryPaymentRunsResponse;

use super::fields::Selection;
use super::write::whole;
use super::{DIALECT, expand_faults};
use crate::call::Call;
use crate::search::{Asked, refuse_unknown_parameters, search};

/// Runs per page unless the caller says otherwise, as documented.
const SIZE_DEFAULT: u32 = 10;

/// Runs per page at most; the contract refuses more.
const SIZE_MAX: u32 = 99;

/// The parameters of the list.
const PARAMETERS: &[&str] =
    &["pageSize", "cursor", "sort[]", "expand[]", "filter[]", "fields[]", "includeNullFields"];

/// One page of runs, newest first unless the caller says otherwise.
pub(crate) async fn list(call: &Call<'_>, query: Query) -> Result<QueryPaymentRunsResponse, Rejection> {
    let mut faults = refuse_unknown_parameters(&call.context.uri, PARAMETERS);
    faults.extend(expand_faults(query.expand.as_deref()));
    let chosen = Selection::read(query.fields.as_deref(), query.include_null_fields, &mut faults);
    let settings = call.settings().await?;
    let size = query.page_size.and_then(|size| u32::try_from(size).ok()).unwrap_or(SIZE_DEFAULT);
    let asked = Asked {
        filters: query.filter.as_deref(),
        sorts: query.sort.as_deref(),
        cursor: query.cursor.as_deref(),
        size: size.clamp(1, SIZE_MAX),
    };
    let page = search(call, &DIALECT, &settings, asked, faults).await?;
    let data = page.runs.iter().map(|found| chosen.apply(whole(found, &settings))).collect();
    Ok(QueryPaymentRunsResponse { data, next_page: page.next.map(Some) })
}
