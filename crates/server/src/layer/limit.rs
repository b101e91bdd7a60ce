//! Quotas: every answer to a known caller tells where it stands, and who asks too often is told to wait.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use payment_runs_stubs::{Category, Rejection};

use super::refuse;
use crate::app::App;
use crate::auth::Caller;
use crate::failure::Surface;
use crate::limits::{Lane, Outcome, Verdict};

static LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
static REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
static CONCURRENCY_TYPE: HeaderName = HeaderName::from_static("concurrency-limit-type");
static CONCURRENCY_LIMIT: HeaderName = HeaderName::from_static("concurrency-limit-limit");
static CONCURRENCY_REMAINING: HeaderName = HeaderName::from_static("concurrency-limit-remaining");

/// The one path that callers without a token are counted on.
const TOKEN_PATH: &str = "/oauth/token";
/// Where callers may have more requests under way.
const HIGH_VOLUME_PATH: &str = "/v1/accounts";
/// Seconds after which a caller with too many requests under way may try again; most have ended by then.
const RETRY_AT_ONCE_S: u64 = 1;

/// Counts the request, and lets it through while its caller's quotas last. The project's own operations are not limited.
pub(crate) async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (verdict, slot) = match (request.extensions().get::<Caller>(), Surface::of(path)) {
        _ if path == TOKEN_PATH => (app.limiter.token(address_of(&request), app.now()), None),
        (None, _) | (_, Surface::Ops) => return next.run(request).await,
        (Some(caller), _) => app.limiter.request(&caller.client, lane_of(path), app.now()),
    };
    let mut response = match refusal(&verdict, path) {
        Some(rejection) => refuse(&request.into_parts().0, &rejection),
        None => next.run(request).await,
    };
    drop(slot);
    tell(&verdict, response.headers_mut());
    response
}

/// Where the request comes from. Behind a proxy that is the proxy: a header that names the caller could be made up.
fn address_of(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip())
}

/// Which limit of requests at once holds; it is documented for `/v1` alone.
fn lane_of(path: &str) -> Option<Lane> {
    let is_under =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match () {
        () if is_under(HIGH_VOLUME_PATH) => Some(Lane::HighVolume),
        () if is_under("/v1") => Some(Lane::Default),
        () => None,
    }
}

fn refusal(verdict: &Verdict, path: &str) -> Option<Rejection> {
    let (message, wait_s) = match verdict.outcome {
        Outcome::Admitted => return None,
        Outcome::QuotaUsedUp if path == TOKEN_PATH => ("too many requests", verdict.standing.reset_s),
        Outcome::QuotaUsedUp => ("the request quota is used up", verdict.standing.reset_s),
        Outcome::TooManyAtOnce => ("too many requests of this client are under way", RETRY_AT_ONCE_S),
    };
    Some(Rejection::new(Category::OverLimit, message).retry_after_s(wait_s))
}

fn tell(verdict: &Verdict, headers: &mut HeaderMap) {
    if let Ok(policy) = HeaderValue::from_str(&verdict.standing.policy) {
        headers.insert(LIMIT.clone(), policy);
    }
    headers.insert(REMAINING.clone(), HeaderValue::from(verdict.standing.remaining));
    headers.insert(RESET.clone(), HeaderValue::from(verdict.standing.reset_s));
    if let Some(concurrency) = &verdict.concurrency {
        let name = match concurrency.lane {
            Lane::Default => "Default",
            Lane::HighVolume => "HighVolume",
        };
        headers.insert(CONCURRENCY_TYPE.clone(), HeaderValue::from_static(name));
        headers.insert(CONCURRENCY_LIMIT.clone(), HeaderValue::from(concurrency.limit));
        headers.insert(CONCURRENCY_REMAINING.clone(), HeaderValue::from(concurrency.remaining));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_at_once_are_limited_under_v1() {
        for (path, lane) in [
            ("/v1/accounts", Some(Lane::HighVolume)),
            ("/v1/accounts/A1", Some(Lane::HighVolume)),
            ("/v1/accountsx", Some(Lane::Default)),
            ("/v1/payment-runs", Some(Lane::Default)),
            ("/v10/payment-runs", None),
            ("/v2/payment_runs", None),
            ("/object-query/payment-runs", None),
        ] {
            assert_eq!(lane_of(path), lane, "{path}");
        }
    }
}
