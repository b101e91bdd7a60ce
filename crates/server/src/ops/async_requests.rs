//! What came of requests that were accepted to be carried out later.

use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::Key;
use payment_runs_engine::ports::{AsyncRecord, Permission, StoredResponse};
use payment_runs_stubs::{Category, Location, Rejection};
use payment_runs_types::ops::{AsyncRequest, AsyncRequestStatus, AsyncResponse, AsyncResponseBody};

use crate::call::Call;
use crate::failure::store_failure;
use crate::layer::{dashed, stored_parts};
use crate::queue::Queued;
use crate::time::Zone;

/// One request, if the caller made it or may administer, and sees everything that its maker saw: its answer may tell of
/// any of that.
pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<AsyncRequest, Rejection> {
    let found = match Key::new(id).as_id() {
        Some(number) => call.app.ports.async_requests.find_async(call.scope().entity, number).await,
        None => Ok(None),
    };
    let found = found.map_err(|error| store_failure(&error))?;
    let is_own = |record: &AsyncRecord| record.request.client == call.caller.client;
    let found = found.filter(|record| is_own(record) || call.caller.may(Permission::Administer));
    let record = found.ok_or_else(|| no_request(id))?;
    let queued = serde_json::from_slice::<Queued>(&record.request.body).ok();
    // What another version of the server queued may have been made with any reach.
    let reach = queued.as_ref().map_or_else(|| Scope::entity(record.request.entity), Queued::scope);
    if !call.scope().covers(&reach) {
        return Err(no_request(id));
    }
    let zone = Zone::of(&call.settings().await?);
    Ok(write(&record, queued, &zone))
}

fn no_request(id: &str) -> Rejection {
    // The identifier is the caller's own text; a long one is not worth repeating.
    const ID_CHARS_MAX: usize = 64;
    let id: String = id.chars().take(ID_CHARS_MAX).collect();
    Rejection::at(Category::NotFound, Location::Path, "id", format!("there is no async request {id}"))
}

fn write(record: &AsyncRecord, queued: Option<Queued>, zone: &Zone) -> AsyncRequest {
    let request = &record.request;
    let (method, path) = queued.map(|queued| (queued.method, queued.path)).unwrap_or_default();
    let response = record.outcome.as_ref().map(|(_, stored)| response(stored));
    AsyncRequest {
        id: dashed(request.id),
        status: match &response {
            None => AsyncRequestStatus::Queued,
            Some(response) if response.status < 300 => AsyncRequestStatus::Succeeded,
            Some(_) => AsyncRequestStatus::Failed,
        },
        method,
        path,
        accepted_at: zone.with_offset(request.accepted_at),
        ended_at: record.outcome.as_ref().map(|(at, _)| zone.with_offset(*at)),
        attempts: i32::try_from(record.attempts).unwrap_or(i32::MAX),
        response,
    }
}

fn response(stored: &StoredResponse) -> AsyncResponse {
    let parts = stored_parts(stored);
    let status = parts.as_ref().map_or(500, |(status, _)| i32::from(status.as_u16()));
    // A body that is no object is that of an answer without one.
    let body = parts.and_then(|(_, body)| serde_json::from_str(&body).ok());
    AsyncResponse { status, body: body.map(AsyncResponseBody) }
}
