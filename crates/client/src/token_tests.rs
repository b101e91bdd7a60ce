#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::*;
use crate::connection::tls;

const MINUTE: Duration = Duration::from_mins(1);

/// Waits of a millisecond: how often is asked is what is tested.
const FAST: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    delay_base: Duration::from_millis(1),
    delay_max: Duration::from_millis(2),
    retry_after_max: Duration::ZERO,
};

/// A cache before a token endpoint that fails at everything.
struct Failing {
    cache: Cache,
    http: reqwest::Client,
    asked: Arc<AtomicUsize>,
}

impl Failing {
    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let router = Router::new().fallback(async move || {
            count.fetch_add(1, Ordering::SeqCst);
            StatusCode::SERVICE_UNAVAILABLE
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls(false).unwrap()).build().unwrap();
        let credentials = Credentials { id: "id".to_owned(), secret: "secret".to_owned() };
        Self { cache: Cache::new(&url, credentials, HeaderMap::new(), FAST), http, asked }
    }

    /// Has a token that should be renewed by now and is good for some while.
    fn hold(&self, good_for: Duration) -> HeaderValue {
        let header = bearer("old").unwrap();
        let now = system::now();
        let token = Token { header: header.clone(), renew_at: now, expires_at: now + good_for };
        *self.cache.current.write().unwrap() = Some(token);
        header
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_good_token_is_used_at_once_while_renewing_fails() {
    let failing = Failing::start().await;
    let good = failing.hold(MINUTE);
    for _ in 0..2 {
        let calls = (0..8).map(|_| failing.cache.header(&failing.http));
        for header in join_all(calls).await {
            assert_eq!(header.unwrap(), good);
        }
        assert_eq!(failing.asked(), 3, "one call tried to renew it");
    }
    failing.hold(MINUTE);
    assert_eq!(failing.cache.header(&failing.http).await.unwrap(), good);
    assert_eq!(failing.asked(), 6, "it is tried again when it is due again");
}

#[tokio::test]
async fn a_good_token_is_not_kept_waiting_by_a_fetch() {
    let failing = Failing::start().await;
    let good = failing.hold(MINUTE);
    let _another_fetches = failing.cache.fetching.lock().await;
    assert_eq!(failing.cache.header(&failing.http).now_or_never().unwrap().unwrap(), good);
    assert_eq!(failing.asked(), 0);
}

#[tokio::test]
async fn a_renewal_that_is_given_up_is_put_off_too() {
    let failing = Failing::start().await;
    let good = failing.hold(MINUTE);
    assert!(failing.cache.header(&failing.http).now_or_never().is_none(), "it has begun to renew it");
    assert_eq!(failing.cache.header(&failing.http).now_or_never().unwrap().unwrap(), good);
}

#[tokio::test]
async fn a_renewal_is_put_off_for_a_while_and_never_beyond_the_token() {
    let failing = Failing::start().await;
    for (good_for, put_off) in [(MINUTE, RENEW_AGAIN_AFTER), (RENEW_AGAIN_AFTER / 2, RENEW_AGAIN_AFTER / 2)] {
        failing.hold(good_for);
        let before = failing.cache.current().unwrap();
        failing.cache.header(&failing.http).await.unwrap();
        let after = failing.cache.current().unwrap();
        assert!(after.renew_at >= before.renew_at + put_off);
        assert!(after.renew_at <= (system::now() + put_off).min(after.expires_at));
        assert_eq!(after.expires_at, before.expires_at);
    }
}

#[tokio::test]
async fn calls_whose_token_was_refused_share_the_failure() {
    let failing = Failing::start().await;
    let refused = failing.hold(MINUTE);
    let calls = (0..8).map(|_| failing.cache.other_than(&failing.http, Some(&refused)));
    assert!(join_all(calls).await.iter().all(Result::is_err));
    assert_eq!(failing.asked(), 3, "as often as one call asks");
    failing.cache.other_than(&failing.http, Some(&refused)).await.unwrap_err();
    assert_eq!(failing.asked(), 6, "a call that comes later asks anew");
}

#[tokio::test]
async fn an_expired_token_is_not_used() {
    let failing = Failing::start().await;
    failing.hold(Duration::ZERO);
    let older = bearer("older").unwrap();
    assert!(failing.cache.header(&failing.http).await.is_err());
    assert!(failing.cache.other_than(&failing.http, Some(&older)).await.is_err());
    assert_eq!(failing.asked(), 6);
}
