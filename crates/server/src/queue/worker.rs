//! Carrying accepted requests out, one after the other, in the order in which they were accepted.
//!
//! A request is carried out through the same generated router as one that a caller waits for, with its own identifier as
//! idempotency key: its effect and the record of it are one transaction. A process that ends in between leaves the request
//! in the queue, and the next attempt finds what was done.

use std::pin::pin;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ports::{AsyncRecord, OnceKey, Replay, StoreError, StoredResponse};
use payment_runs_stubs::{Category, Rejection, RequestId};
use tower::ServiceExt;

use super::{ANSWER_LIFE, Queued};
use crate::app::{App, BODY_BYTES_MAX};
use crate::auth::scopes_of;
use crate::failure::{Place, Resource, Surface, store_failure, write_failure};
use crate::layer::{OnceTicket, dashed, pack, stored_parts};
use crate::v2::V2Api;

/// How long a claimed request is left alone by others. A request takes milliseconds.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How often a request is tried until its last answer, whatever it is, stands.
const ATTEMPTS_MAX: u32 = 6;

/// How long the queue is left alone before it is looked at again, for requests that another process accepted.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// Works the queue off until `stop` is ready. A request in hand is finished first.
pub async fn work_off_async_requests(app: App, stop: impl Future<Output = ()> + Send) {
    let router = payment_runs_stubs::v2::router(V2Api::new(app.clone()));
    let mut stop = pin!(stop);
    loop {
        // Only waiting is cut short, which is why the stop is asked for between requests.
        let began = app.now();
        let found = work_off_one(&app, &router, began).await;
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = wait_after(&app, found, began) => {}
        }
    }
}

/// What a look at the queue has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// A request, which was carried out or put back.
    Request,
    /// Nothing that is due.
    Nothing,
    /// That the store fails.
    Failure,
}

/// Waits until another look may find something. What has come to its end since the last look began, that look has not seen.
async fn wait_after(app: &App, found: Found, began: Timestamp) {
    let again = later(began, LOOK_AGAIN);
    let due = match found {
        Found::Request => return,
        Found::Nothing => next_due(app).await.map_or(again, |due| due.min(again)),
        // What is due stays due: asking for it at once would ask without end.
        Found::Failure => return app.ports.clock.sleep_until(again).await,
    };
    tokio::select! {
        biased;
        () = app.queue_changed() => {}
        () = app.ports.clock.sleep_until(due) => {}
    }
}

/// When the next request is due.
async fn next_due(app: &App) -> Option<Timestamp> {
    app.ports.async_requests.next_async_at().await.unwrap_or_else(|error| {
        store_failure(&error);
        None
    })
}

/// Carries the oldest request that is due out.
async fn work_off_one(app: &App, router: &Router, now: Timestamp) -> Found {
    let queue = &app.ports.async_requests;
    let worked = match queue.claim_async(now, later(now, LEASE)).await {
        Ok(Some(record)) => finish(app, router, record).await.map(|()| Found::Request),
        Ok(None) => forget(app, now).await.map(|()| Found::Nothing),
        Err(error) => Err(error),
    };
    worked.unwrap_or_else(|error| {
        store_failure(&error);
        Found::Failure
    })
}

/// Forgets the answers whose time is over, of accepted requests and under idempotency keys, since there is nothing else to do.
async fn forget(app: &App, now: Timestamp) -> Result<(), StoreError> {
    app.ports.async_requests.purge_async(earlier(now, ANSWER_LIFE)).await?;
    app.ports.once.purge_once(now).await?;
    Ok(())
}

/// Carries a request out and records its answer, or puts it back where another attempt may help.
async fn finish(app: &App, router: &Router, record: AsyncRecord) -> Result<(), StoreError> {
    let (id, attempts) = (record.request.id, record.attempts);
    let (status, response) = answer(app, router, record).await?;
    let now = app.now();
    let queue = &app.ports.async_requests;
    let may_help =
        status.is_server_error() || matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
    if may_help && attempts < ATTEMPTS_MAX {
        return queue.defer_async(id, later(now, pause_after(attempts))).await;
    }
    queue.end_async(id, now, response).await
}

/// One second after the first attempt, then twice as long each time.
fn pause_after(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(1 << attempts.clamp(1, ATTEMPTS_MAX).saturating_sub(1))
}

async fn answer(
    app: &App,
    router: &Router,
    record: AsyncRecord,
) -> Result<(StatusCode, StoredResponse), StoreError> {
    let now = app.now();
    let id = record.request.id;
    let key = key_of(&record);
    if let Replay::Answered(stored) = app.ports.once.find_once(&key, now).await? {
        // An earlier attempt had its effect, but ended before its answer was recorded.
        let status = stored_parts(&stored).map_or(StatusCode::INTERNAL_SERVER_ERROR, |(status, _)| status);
        return Ok((status, stored));
    }
    if record.attempts > ATTEMPTS_MAX {
        // It was claimed again and again without an answer, so that carrying it out ends whoever does.
        return Ok(packed(&key.key, refused(id, "the request was tried too often without an answer")).await);
    }
    if record.attempts > 1 && later(record.request.accepted_at, ANSWER_LIFE) <= now {
        // The record of an effect may be forgotten by now.
        return Ok(packed(&key.key, refused(id, "it is not known whether the request took effect")).await);
    }
    let request_id = key.key.clone();
    let Some(request) = rebuild(&record, key, now) else {
        return Ok(packed(
            &request_id,
            refused(id, "the request was queued by another version of the server"),
        )
        .await);
    };
    match router.clone().oneshot(request).await {
        Ok(response) => Ok(packed(&request_id, response).await),
        Err(never) => match never {},
    }
}

/// The request's own idempotency key.
fn key_of(record: &AsyncRecord) -> OnceKey {
    OnceKey {
        // Keys that callers chose belong to clients of other names.
        client: format!("async {}", record.request.client),
        key: dashed(record.request.id),
        // The identifier tells requests apart by itself.
        fingerprint: [0; 32],
    }
}

/// The request as it came, but for the header that asked not to wait.
fn rebuild(record: &AsyncRecord, key: OnceKey, now: Timestamp) -> Option<Request<Body>> {
    let queued: Queued = serde_json::from_slice(&record.request.body).ok()?;
    let mut request = Request::builder().method(queued.method.as_str()).uri(queued.path.as_str());
    if queued.body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request_id = key.key.clone();
    let caller = queued.caller.into_caller();
    request
        .extension(scopes_of(&caller.permissions))
        .extension(caller)
        .extension(RequestId(request_id.clone()))
        .extension(OnceTicket::new(key, later(now, ANSWER_LIFE), request_id))
        .body(queued.body.map_or_else(Body::empty, Body::from))
        .ok()
}

async fn packed(request_id: &str, response: Response) -> (StatusCode, StoredResponse) {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let media = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    (parts.status, pack(request_id, parts.status, media, &bytes))
}

/// The answer to a request that cannot be carried out.
fn refused(id: u128, message: &str) -> Response {
    let request_id = dashed(id);
    let resource = Resource::General;
    let place = Place { surface: Surface::V2, resource, request_id: &request_id, old_version: false };
    write_failure(&place, &Rejection::new(Category::BusinessRule, message))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
