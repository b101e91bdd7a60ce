//! Idempotency keys on POST and PATCH.
//!
//! A command stores its answer in the transaction of its effect, through the [`OnceTicket`] that this layer leaves with
//! the request. Refusals, which have no effect, are stored here afterwards. A key that is known is answered here.
//!
//! Of key and request only digests are stored. The request's is made with the key, which is not stored itself: a body may
//! hold a card number, of which few are possible once its first and last digits are known, and whoever reads the
//! database must not be able to try them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::BodyExt;
use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ports::{Once, OnceKey, Output, Permission, Replay, StoredResponse};
use payment_runs_stubs::{Category, Location, Rejection, RequestId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::identify::REQUEST_ID;
use super::refuse;
use super::streamed::is_streamed;
use crate::app::{App, BODY_BYTES_MAX, IDEMPOTENCY_LIFE};
use crate::auth::Caller;
use crate::failure::{Refused, store_failure};

/// The header.
const KEY_HEADER: &str = "idempotency-key";
/// Characters in a key at most, as documented.
const KEY_CHARS_MAX: usize = 255;

/// Bytes of a refusal that is stored under a key, as it is packed. With key and digest it fits into a quarter of a page of the
/// database.
const REFUSAL_BYTES_MAX: usize = 800;

/// The same of a client that may administer, which has other ways to fill the disk.
const ADMINISTRATOR_REFUSAL_BYTES_MAX: usize = 4_096;

/// A request's idempotency key on its way to the command that honours it.
#[derive(Debug, Clone)]
pub(crate) struct OnceTicket {
    key: OnceKey,
    expires_at: Timestamp,
    /// The request's identifier, which every repetition of its answer tells.
    request_id: String,
    stored: Arc<AtomicBool>,
}

impl OnceTicket {
    /// A ticket for a key that is known to be new, to have been answered, or to wait for nothing but its answer.
    pub(crate) fn new(key: OnceKey, expires_at: Timestamp, request_id: String) -> Self {
        Self { key, expires_at, request_id, stored: Arc::default() }
    }

    /// The key, for commands that call a gateway and must claim it first.
    pub(crate) fn key(&self) -> &OnceKey {
        &self.key
    }

    /// When the key's record may be forgotten (UTC).
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Notes that the answer is stored, so that the layer does not store it again.
    pub(crate) fn mark_stored(&self) {
        self.stored.store(true, Ordering::Release);
    }

    /// Notes that the answer is not stored after all, because its transaction was rolled back.
    pub(crate) fn mark_not_stored(&self) {
        self.stored.store(false, Ordering::Release);
    }

    /// What a command needs to store its answer: `answer` gives the status and the body of a success.
    pub(crate) fn once<T, F>(&self, answer: F) -> Once
    where
        T: Serialize,
        F: FnOnce(&Output) -> (StatusCode, T) + Send + 'static,
    {
        let stored = Arc::clone(&self.stored);
        let request_id = self.request_id.clone();
        let encode = Box::new(move |output: &Output| {
            let (status, body) = answer(output);
            stored.store(true, Ordering::Release);
            let body = serde_json::to_vec(&body).unwrap_or_default();
            pack(&request_id, status, Some("application/json"), &body)
        });
        Once { key: self.key.clone(), expires_at: self.expires_at, encode }
    }
}

/// The stored form of an answer.
#[derive(Serialize, Deserialize)]
struct Packed {
    /// The identifier of the first request; empty in records from before it was kept.
    #[serde(default)]
    request_id: String,
    status: u16,
    content_type: Option<String>,
    body: String,
}

/// Packs an answer for the store. Bodies are JSON, so they are text.
pub(crate) fn pack(
    request_id: &str,
    status: StatusCode,
    content_type: Option<&str>,
    body: &[u8],
) -> StoredResponse {
    let packed = Packed {
        request_id: request_id.to_owned(),
        status: status.as_u16(),
        content_type: content_type.map(str::to_owned),
        body: String::from_utf8_lossy(body).into_owned(),
    };
    StoredResponse(serde_json::to_vec(&packed).unwrap_or_default())
}

/// The answer that was packed.
pub(crate) fn unpack(stored: &StoredResponse) -> Response {
    let Ok(packed) = serde_json::from_slice::<Packed>(&stored.0) else {
        return Response::builder()
            .status(StatusCode::INTERNAL_SERVER_ERROR)
            .body(Body::empty())
            .unwrap_or_default();
    };
    let mut response = Response::new(Body::from(packed.body));
    *response.status_mut() = StatusCode::from_u16(packed.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(Ok(value)) = packed.content_type.map(|text| HeaderValue::from_str(&text)) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    if let Some(Ok(value)) =
        (!packed.request_id.is_empty()).then(|| HeaderValue::from_str(&packed.request_id))
    {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    response
}

/// Status and body of a stored answer; `None` when another version of the server packed it.
pub(crate) fn stored_parts(stored: &StoredResponse) -> Option<(StatusCode, String)> {
    let packed = serde_json::from_slice::<Packed>(&stored.0).ok()?;
    Some((StatusCode::from_u16(packed.status).ok()?, packed.body))
}

/// The body of a stored success, as the operation's own type. A stored refusal is left to the layer, which gives it out
/// when the request is repeated.
pub(crate) fn stored_success<T: DeserializeOwned>(stored: &StoredResponse) -> Result<T, Rejection> {
    let packed = serde_json::from_slice::<Packed>(&stored.0).ok().filter(|packed| packed.status < 300);
    let body = packed.and_then(|packed| serde_json::from_str(&packed.body).ok());
    body.ok_or_else(key_in_use)
}

/// The refusal of a request whose key is that of another that is not answered yet.
fn key_in_use() -> Rejection {
    Rejection::new(Category::IdempotencyKeyInUse, "a request with this idempotency key is under way")
        .retry_after_s(1)
}

/// The ticket of a request under a key.
fn ticket_for(app: &App, caller: &Caller, key: &str, parts: &Parts, body: &Bytes) -> OnceTicket {
    let fingerprint = fingerprint(key, &parts.method, &parts.uri, &caller.scope, body);
    let key = OnceKey { client: caller.client.clone(), key: stored_form(key), fingerprint };
    let expires_at = app.now().saturating_add(IDEMPOTENCY_LIFE).unwrap_or(Timestamp::MAX);
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    OnceTicket::new(key, expires_at, request_id)
}

/// Answers a repeated request as it was answered before, and sees to it that a new one is remembered. Without a caller
/// nothing is: a key is one client's, and the answer to who has not proved who they are, which may be a token, is never kept.
pub(crate) async fn replay(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(caller) = parts.extensions.get::<Caller>() else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let refusal = match key_of(&parts.method, &parts.headers) {
        Ok(None) => return next.run(Request::from_parts(parts, body)).await,
        Ok(Some(_)) if is_streamed(&parts) => {
            let message = "is not taken by this operation, which is safe to repeat without it";
            Rejection::at(Category::InvalidParameter, Location::Header, "Idempotency-Key", message)
        }
        Ok(Some(key)) => {
            let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let ticket = ticket_for(&app, caller, &key, &parts, &bytes);
            let is_administrator = caller.may(Permission::Administer);
            match known_answer(&app, &ticket).await {
                Ok(None) => {}
                Ok(Some(answer)) => return answer,
                Err(rejection) => return refuse(&parts, &rejection),
            }
            parts.extensions.insert(ticket.clone());
            let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
            return remember(&app, &ticket, is_administrator, response).await;
        }
        Err(rejection) => rejection,
    };
    refuse(&parts, &refusal)
}

async fn known_answer(app: &App, ticket: &OnceTicket) -> Result<Option<Response>, Rejection> {
    match app.ports.once.find_once(&ticket.key, app.now()).await {
        // What was cut off is carried out again, and answers as it would have answered then.
        Ok(Replay::New | Replay::Settled(_)) => Ok(None),
        Ok(known) => known_replay(known).map(Some),
        Err(error) => Err(store_failure(&error)),
    }
}

/// The answer to a key that is known already.
pub(crate) fn known_replay(known: Replay) -> Result<Response, Rejection> {
    match known {
        Replay::Answered(stored) => Ok(unpack(&stored)),
        Replay::Mismatch => Err(Rejection::new(
            Category::IdempotencyMismatch,
            "the idempotency key was used for another request",
        )),
        Replay::InFlight | Replay::Settled(_) | Replay::New => Err(key_in_use()),
    }
}

/// Stores the answer of a request that had no effect. Answers of 5xx, 401 and 429 are not stored: nothing was decided.
///
/// A refusal costs a caller next to nothing, so what is stored of it has a bound. The caller is told no more than is stored, so that
/// a repetition gets the same answer.
async fn remember(app: &App, ticket: &OnceTicket, is_administrator: bool, response: Response) -> Response {
    // Old versions are told of most failures with status 200, which says nothing about what was decided.
    let refused = response.extensions().get::<Refused>().cloned();
    let status = refused.as_ref().map_or(response.status(), |refused| refused.category().status());
    let undecided = status.is_server_error()
        || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT);
    if ticket.stored.load(Ordering::Acquire) || undecided {
        return response;
    }
    if refused.is_none() {
        return keep(app, ticket, response, usize::MAX).await.0;
    }
    if !app.limiter.may_keep_refusal(&ticket.key.client, app.now()) {
        return response;
    }
    let bytes_max = if is_administrator { ADMINISTRATOR_REFUSAL_BYTES_MAX } else { REFUSAL_BYTES_MAX };
    let mut response = response;
    loop {
        let (answer, is_kept) = keep(app, ticket, response, bytes_max).await;
        let shorter = answer.extensions().get::<Refused>().filter(|_| !is_kept).and_then(Refused::shorter);
        // What is too long with one fault is not kept, and is carried out again when it is repeated.
        let Some(mut shorter) = shorter else { return answer };
        // Layers within may have added headers.
        for (name, value) in answer.headers() {
            if !shorter.headers().contains_key(name) && name != CONTENT_LENGTH {
                shorter.headers_mut().append(name.clone(), value.clone());
            }
        }
        response = shorter;
    }
}

/// Stores an answer, unless it is too long; says whether it did.
async fn keep(app: &App, ticket: &OnceTicket, response: Response, bytes_max: usize) -> (Response, bool) {
    let (parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return (Response::from_parts(parts, Body::empty()), true);
    };
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let packed = pack(&ticket.request_id, parts.status, content_type, &bytes);
    let fits = packed.0.len() <= bytes_max;
    if fits {
        let stored = app.ports.once.store_once(&ticket.key, app.now(), ticket.expires_at, packed).await;
        if let Err(error) = stored {
            store_failure(&error);
        }
    }
    (Response::from_parts(parts, Body::from(bytes)), fits)
}

/// The key of a request that may carry one.
pub(super) fn key_of(method: &Method, headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    // An empty header says nothing. Where the contract wants at least one character, the operation refuses it.
    let Some(value) = headers.get(KEY_HEADER).filter(|value| !value.is_empty()) else { return Ok(None) };
    let fault = |message: &str| {
        Err(Rejection::at(Category::InvalidParameter, Location::Header, "Idempotency-Key", message))
    };
    match *method {
        Method::POST | Method::PATCH => {}
        Method::PUT => return fault("Request method 'PUT' not supported with Idempotency-Key header"),
        _ => return Ok(None),
    }
    match value.to_str() {
        Ok(key) if key.len() <= KEY_CHARS_MAX => Ok(Some(key.to_owned())),
        _ => fault("must be at most 255 characters of US-ASCII"),
    }
}

/// The key as it is stored.
pub(super) fn stored_form(key: &str) -> String {
    use std::fmt::Write as _;
    let digest = digest(&[b"idempotency key", key.as_bytes()]);
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What makes two requests under a key the same request: what is asked, and in which entity and organizations, however
/// the headers named them.
fn fingerprint(key: &str, method: &Method, uri: &Uri, scope: &Scope, body: &Bytes) -> [u8; 32] {
    let target = uri.path_and_query().map_or(uri.path(), PathAndQuery::as_str);
    let entity = scope.entity.0.to_be_bytes();
    let organizations = scope.organizations.as_ref().map(|ids| {
        let mut ids = ids.clone();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().flat_map(|id| id.to_bytes()).collect::<Vec<_>>()
    });
    let (limit, organizations) = match &organizations {
        None => (&b"all"[..], &[][..]),
        Some(ids) => (&b"some"[..], ids.as_slice()),
    };
    let (method, target) = (method.as_str().as_bytes(), target.as_bytes());
    digest(&[b"request", key.as_bytes(), method, target, &entity, limit, organizations, body])
}

/// A number that stands for several parts: the first half of their digest.
pub(crate) fn number_of(parts: &[&[u8]]) -> u128 {
    let half = digest(parts).first_chunk().copied().unwrap_or_default();
    u128::from_be_bytes(half)
}

/// A digest of several parts, which differs also where only the borders between them do.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use payment_runs_engine::ids::{EntityKey, OrganizationId};

    use super::*;

    fn headers(key: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(KEY_HEADER, HeaderValue::from_bytes(key).unwrap());
        headers
    }

    #[test]
    fn keys_belong_to_post_and_patch() {
        assert_eq!(key_of(&Method::POST, &headers(b"k")), Ok(Some("k".to_owned())));
        assert_eq!(key_of(&Method::PATCH, &headers(b"k")), Ok(Some("k".to_owned())));
        assert_eq!(key_of(&Method::GET, &headers(b"k")), Ok(None));
        assert_eq!(key_of(&Method::DELETE, &headers(b"k")), Ok(None));
        assert!(key_of(&Method::PUT, &headers(b"k")).is_err());
        assert!(key_of(&Method::POST, &headers(&[b'k'; 256])).is_err());
        assert_eq!(key_of(&Method::POST, &headers(b"")), Ok(None), "an empty header says nothing");
        assert!(key_of(&Method::POST, &headers(&[b'k'; 255])).is_ok());
    }

    #[test]
    fn fingerprints_tell_requests_apart() {
        let whole = Scope::entity(EntityKey(1));
        let of = |key: &str, method: &Method, path: &str, body: &'static str| {
            let uri = path.parse().unwrap();
            fingerprint(key, method, &uri, &whole, &Bytes::from_static(body.as_bytes()))
        };
        let first = of("k", &Method::POST, "/v1/payment-runs", "{}");
        assert_eq!(first, of("k", &Method::POST, "/v1/payment-runs", "{}"));
        assert_ne!(first, of("k", &Method::PATCH, "/v1/payment-runs", "{}"));
        assert_ne!(first, of("k", &Method::POST, "/v1/payment-run", "s{}"));
        assert_ne!(first, of("k", &Method::POST, "/v1/payment-runs", "{ }"));
        assert_ne!(first, of("k", &Method::POST, "/v1/payment-runs?a=1", "{}"));
        assert_ne!(
            first,
            of("l", &Method::POST, "/v1/payment-runs", "{}"),
            "nobody makes it without the key"
        );
    }

    #[test]
    fn fingerprints_tell_scopes_apart() {
        let of = |entity: i32, organizations: Option<&[u128]>| {
            let organizations = organizations.map(|ids| ids.iter().map(|id| OrganizationId::from_u128(*id)));
            let scope =
                Scope { entity: EntityKey(entity), organizations: organizations.map(Iterator::collect) };
            fingerprint("k", &Method::POST, &Uri::from_static("/v1/payment-runs"), &scope, &Bytes::new())
        };
        assert_eq!(of(1, Some(&[5, 6])), of(1, Some(&[6, 5])), "their order says nothing");
        let scopes = [of(1, None), of(2, None), of(1, Some(&[])), of(1, Some(&[5])), of(1, Some(&[5, 6]))];
        for (at, one) in scopes.iter().enumerate() {
            assert!(!scopes[..at].contains(one), "scope {at}");
        }
    }

    #[test]
    fn a_key_is_stored_as_a_digest() {
        let stored = stored_form("order 4711");
        assert!(stored.len() == 64 && !stored.contains("4711"), "{stored}");
        assert_eq!(stored, stored_form("order 4711"));
        assert_ne!(stored, stored_form("order 4712"));
    }
}
