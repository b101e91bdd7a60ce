//! Quotas: every answer to a known caller tells where it stands, and who asks too often is told to wait.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use payment_runs_stubs::{Category, Rejection};

use super::refuse;
use crate::app::App;
use crate::auth::{Caller, TokenAttempt};
use crate::failure::Surface;
use crate::limits::{Lane, Outcome, Verdict, network};

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
        _ if path == TOKEN_PATH => return limit_tokens(&app, request, next).await,
        (None, _) | (_, Surface::Ops) => return next.run(request).await,
        (Some(caller), _) => app.limiter.request(&caller.client, lane_of(path), app.now()),
    };
    let mut response = match refusal(&verdict) {
        Some(rejection) => refuse(&request.into_parts().0, &rejection),
        None => next.run(request).await,
    };
    drop(slot);
    tell(&verdict, response.headers_mut());
    response
}

/// Counts a request for a token. Beyond the quota it goes on all the same, but slowly: its client may know its secret.
async fn limit_tokens(app: &App, mut request: Request, next: Next) -> Response {
    let address = network(address_of(request.extensions()));
    let verdict = app.limiter.token(address, app.now());
    let wait_s = (verdict.outcome != Outcome::Admitted).then_some(verdict.standing.reset_s);
    request.extensions_mut().insert(TokenAttempt { address, wait_s });
    let mut response = next.run(request).await;
    tell(&verdict, response.headers_mut());
    response
}

/// Where the request comes from. Behind a proxy that is the proxy: a header that names the caller could be made up.
pub(super) fn address_of(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
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

fn refusal(verdict: &Verdict) -> Option<Rejection> {
    let (message, wait_s) = match verdict.outcome {
        Outcome::Admitted => return None,
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
