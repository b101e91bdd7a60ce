//! The dialect over HTTP.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Frame;
use thiserror::Error;

use super::answer::{Answer, ApiError, method_answer};
use super::bank::{Bank, Cut, Delivery};
use super::effects::{now_ms, sleep_ms, spawn};
use super::request::{ChargeRequest, parse_charge, parse_method};
use super::token::Token;

/// A form with fifty metadata entries of the largest size fits.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest idempotency key, as the dialect has it.
const KEY_BYTES_MAX: usize = 255;
/// Search results per page where the caller names no number, and at most.
const SEARCH_LIMIT_DEFAULT: usize = 10;
const SEARCH_LIMIT_MAX: usize = 100;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What every handler needs.
#[derive(Debug)]
pub(super) struct Shared {
    /// The bank behind the surface.
    pub(super) bank: Bank,
    /// How long answers that do not charge take, in milliseconds.
    pub(super) latency_ms: u64,
    /// Whether charges can be searched.
    pub(super) supports_lookup: bool,
    /// The one secret key that is accepted; any that is not empty where none is given.
    pub(super) secret_key: Option<String>,
}

type AppState = State<Arc<Shared>>;

/// Marks a response whose connection is to be cut before its first byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutBeforeAnswer;

/// The routes of the simulator.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/payment_intents", post(create_payment_intent).get(list_payment_intents))
        .route("/v1/payment_intents/search", get(search_payment_intents))
        .route("/v1/payment_intents/{id}", get(get_payment_intent))
        .route("/v1/payment_methods", post(create_payment_method))
        .route("/v1/payment_methods/{id}", get(get_payment_method))
        .route("/v1/account", get(get_account))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), authenticate))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(unknown_url)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

async fn authenticate(State(shared): AppState, request: Request, next: Next) -> Response {
    if is_authorized(request.headers(), shared.secret_key.as_deref()) {
        next.run(request).await
    } else {
        respond(ApiError::unauthorized().answer())
    }
}

fn is_authorized(headers: &HeaderMap, expected: Option<&str>) -> bool {
    let Some(given) = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
    else {
        return false;
    };
    expected.map_or(!given.trim().is_empty(), |expected| expected == given)
}

async fn unknown_url(method: Method, uri: Uri) -> Response {
    let message = format!("Unrecognized request URL ({method}: {}).", uri.path());
    let kind = "invalid_request_error";
    respond(ApiError { status: 404, kind, code: None, param: None, message }.answer())
}

async fn create_payment_intent(State(shared): AppState, headers: HeaderMap, body: Bytes) -> Response {
    let parsed = idempotency_key(&headers).and_then(|key| parse_charge(&body).map(|request| (key, request)));
    let (key, request) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            sleep_ms(shared.latency_ms).await;
            return respond(error.answer());
        }
    };
    match shared.bank.deliver(&request, key, now_ms()) {
        Delivery::Answered { answer, delay_ms, cut } => {
            sleep_ms(delay_ms).await;
            respond_with(answer, cut)
        }
        Delivery::Later { after_ms } => charge_later(&shared, request, key, after_ms).await,
    }
}

/// The charge happens even when the caller has hung up, so it has a task of its own.
async fn charge_later(
    shared: &Arc<Shared>,
    request: ChargeRequest,
    key: Option<&str>,
    after_ms: u64,
) -> Response {
    let (shared, key) = (Arc::clone(shared), key.map(str::to_owned));
    let charge = spawn(async move {
        sleep_ms(after_ms).await;
        shared.bank.charge_late(&request, key.as_deref(), now_ms())
    });
    match charge.await {
        Ok(answer) => respond(answer),
        Err(_) => respond(ApiError::internal().answer()),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
    text.map(Some).ok_or_else(|| {
        let message = format!("An idempotency key has 1 to {KEY_BYTES_MAX} printable characters.");
        ApiError { param: None, ..ApiError::invalid("idempotency_key_invalid", "", message) }
    })
}

async fn get_payment_intent(State(shared): AppState, Path(id): Path<String>) -> Response {
    sleep_ms(shared.latency_ms).await;
    respond(shared.bank.find(&id, now_ms()).unwrap_or_else(|| not_found("intent", "payment_intent", &id)))
}

async fn list_payment_intents(State(shared): AppState, RawQuery(query): RawQuery) -> Response {
    sleep_ms(shared.latency_ms).await;
    match List::parse(query.as_deref().unwrap_or_default()) {
        Ok(list) => respond(shared.bank.list(list.since_s, list.after.as_deref(), list.limit, now_ms())),
        Err(error) => respond(error.answer()),
    }
}

async fn search_payment_intents(State(shared): AppState, RawQuery(query): RawQuery) -> Response {
    sleep_ms(shared.latency_ms).await;
    if !shared.supports_lookup {
        let message = "Search is not available on this server.".into();
        let kind = "invalid_request_error";
        return respond(ApiError { status: 404, kind, code: None, param: None, message }.answer());
    }
    match Search::parse(query.as_deref().unwrap_or_default()) {
        Ok(search) => respond(shared.bank.search(&search.reference, search.skip, search.limit, now_ms())),
        Err(error) => respond(error.answer()),
    }
}

async fn create_payment_method(State(shared): AppState, headers: HeaderMap, body: Bytes) -> Response {
    sleep_ms(shared.latency_ms).await;
    let parsed = idempotency_key(&headers).and_then(|key| parse_method(&body).map(|request| (key, request)));
    match parsed {
        Ok((key, request)) => respond(shared.bank.tokenise(request, key, now_ms())),
        Err(error) => respond(error.answer()),
    }
}

async fn get_payment_method(State(shared): AppState, Path(id): Path<String>) -> Response {
    sleep_ms(shared.latency_ms).await;
    match Token::parse(&id) {
        Some(token) => respond(method_answer(&token, &id, now_ms())),
        None => respond(not_found("payment_method", "PaymentMethod", &id)),
    }
}

/// At once: the latency is that of a bank at work, and this is asked once by each process.
async fn get_account(State(shared): AppState) -> Response {
    respond(shared.bank.account())
}

fn not_found(param: &str, object: &str, id: &str) -> Answer {
    ApiError { status: 404, ..ApiError::no_such(param, object, id) }.answer()
}

/// A list by time, newest first.
#[derive(Debug, PartialEq, Eq)]
struct List {
    since_s: i64,
    after: Option<String>,
    limit: usize,
}

impl List {
    fn parse(query: &str) -> Result<Self, ApiError> {
        let mut list = Self { since_s: i64::MIN, after: None, limit: SEARCH_LIMIT_DEFAULT };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "created[gte]" => {
                    list.since_s = value.parse().map_err(|_| invalid_integer("created[gte]", &value))?;
                }
                "starting_after" => list.after = Some(value.into_owned()),
                "limit" => list.limit = parse_limit(&value)?,
                other => return Err(ApiError::unknown_parameter(other)),
            }
        }
        Ok(list)
    }
}

fn parse_limit(value: &str) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=SEARCH_LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| invalid_integer("limit", value))
}

/// A search by our reference: `metadata['reference']:'…'`, the only form that is understood.
#[derive(Debug, PartialEq, Eq)]
struct Search {
    reference: String,
    skip: usize,
    limit: usize,
}

impl Search {
    fn parse(query: &str) -> Result<Self, ApiError> {
        let mut search = Self { reference: String::new(), skip: 0, limit: SEARCH_LIMIT_DEFAULT };
        let mut reference = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "query" => reference = Some(Self::parse_reference(&value)?),
                "limit" => search.limit = parse_limit(&value)?,
                "page" => search.skip = value.parse().map_err(|_| invalid_integer("page", &value))?,
                other => return Err(ApiError::unknown_parameter(other)),
            }
        }
        search.reference = reference.ok_or_else(|| ApiError::missing("query"))?;
        Ok(search)
    }

    fn parse_reference(text: &str) -> Result<String, ApiError> {
        let unsupported = || {
            let message = "Only metadata['reference']:'value' can be searched for.".into();
            ApiError::invalid("parameter_invalid", "query", message)
        };
        let text = text.trim();
        let value = [("metadata['reference']:'", '\''), ("metadata[\"reference\"]:\"", '"')]
            .into_iter()
            .find_map(|(prefix, quote)| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(quote)));
        let mut reference = String::new();
        let mut characters = value.ok_or_else(unsupported)?.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => reference.push(characters.next().ok_or_else(unsupported)?),
                '\'' | '"' => return Err(unsupported()),
                other => reference.push(other),
            }
        }
        Ok(reference)
    }
}

fn invalid_integer(param: &str, value: &str) -> ApiError {
    ApiError::invalid("parameter_invalid_integer", param, format!("Invalid integer: {value}"))
}

fn respond(answer: Answer) -> Response {
    respond_with(answer, Cut::None)
}

fn respond_with(answer: Answer, cut: Cut) -> Response {
    let length = answer.body.len();
    let body = if cut == Cut::MidAnswer { cut_body(answer.body) } else { Body::from(answer.body) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if answer.replayed {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(retry_after_s) = answer.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
    }
    if cut == Cut::BeforeAnswer {
        response.extensions_mut().insert(CutBeforeAnswer);
    }
    response
}

/// Why a connection ends in the middle of an answer.
#[derive(Debug, Error)]
#[error("the connection is cut on purpose")]
pub(super) struct CutOnPurpose;

/// Half of a body, then an error: the server closes the connection.
struct CutBody {
    half: Option<Bytes>,
    flushed: bool,
}

fn cut_body(text: String) -> Body {
    let mut half = Bytes::from(text);
    half.truncate(half.len() / 2);
    Body::new(CutBody { half: Some(half), flushed: false }.map_err(axum::Error::new))
}

impl hyper::body::Body for CutBody {
    type Data = Bytes;
    type Error = CutOnPurpose;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOnPurpose>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        // One turn for the server to write the half out before it sees the error.
        if !std::mem::replace(&mut self.flushed, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(CutOnPurpose)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_search_is_read_with_its_quotes_and_escapes() {
        let read = |query: &str| {
            let query: String =
                form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
            Search::parse(&query).map(|search| search.reference)
        };
        assert_eq!(read("metadata['reference']:'P-1'").unwrap(), "P-1");
        assert_eq!(read("metadata[\"reference\"]:\"P-1\"").unwrap(), "P-1");
        assert_eq!(read(r"metadata['reference']:'it\'s \\'").unwrap(), r"it's \");
        for bad in
            ["", "status:'succeeded'", "metadata['reference']:'a' AND x:'b'", r"metadata['reference']:'a\'"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        let list = List::parse("created[gte]=7&limit=2&starting_after=pi_1").unwrap();
        assert_eq!(list, List { since_s: 7, after: Some("pi_1".into()), limit: 2 });
        for bad in ["limit=0", "limit=101", "created[gte]=x", "ending_before=pi_1"] {
            assert!(List::parse(bad).is_err(), "{bad}");
        }
        let page = Search::parse("query=metadata['reference']:'a'&limit=2&page=4").unwrap();
        assert_eq!(page, Search { reference: "a".into(), skip: 4, limit: 2 });
        for bad in ["", "limit=0", "limit=101", "page=x", "sort=asc"] {
            assert!(Search::parse(bad).is_err(), "{bad}");
        }
    }
}
