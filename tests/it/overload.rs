//! Ten times as many callers as the server takes at once: it sheds what is too much, in the documented way, loses nothing of
//! what it took, and is as well afterwards as before.
//!
//! `OVERLOAD_SECONDS=60 cargo nextest run -p payment-runs-tests overload` goes on for a minute.

#![expect(clippy::disallowed_methods, reason = "callers come and go in real time, on their own tasks")]
#![expect(clippy::print_stdout, reason = "how much it was is told to those who ask with --no-capture")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use payment_runs_node::testing::TestNode;
use payment_runs_server::Limits;
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Answer;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Requests under way at once that the server takes of one client.
const CONCURRENCY: u32 = 10;
/// Callers at work at once.
const CALLERS: u32 = 10 * CONCURRENCY;
/// How long it goes on at least, unless told otherwise.
const SECONDS: u64 = 3;
/// So many requests are shed before it ends, however slow the machine is.
const SHED_MIN: u64 = 200;
/// It ends after this, whatever was shed.
const SECONDS_MAX: u64 = 120;
/// One request in so many is given up by its caller before it is answered, and made again under the same key.
const ABANDONED_EVERY: u32 = 5;
/// How soon such a caller gives up: some before the server has read the request, some after it has begun.
const ABANDONED_AFTER: Duration = Duration::from_millis(3);
/// How long a caller waits who was turned away. The server asks for a second, which would be no overload.
const IMPATIENCE: Duration = Duration::from_millis(2);
/// Questions that measure how long an answer takes.
const SAMPLES: usize = 21;

/// What the callers count together.
#[derive(Default)]
struct Counts {
    shed: AtomicU64,
    abandoned: AtomicU64,
}

/// One of many callers.
struct Caller {
    http: Client,
    url: String,
    token: String,
    counts: Arc<Counts>,
}

impl Caller {
    fn create(&self, key: &str) -> RequestBuilder {
        let body = json!({ "runDate": "2099-01-01 00:00:00" });
        self.http.post(&self.url).bearer_auth(&self.token).header("idempotency-key", key).json(&body)
    }

    /// Asks until the server takes the request; gives the answer's body.
    async fn insist(&self, key: &str) -> Vec<u8> {
        loop {
            let answer = self.create(key).send().await.expect("the server answers everybody");
            match answer.status().as_u16() {
                200 => return answer.bytes().await.expect("a body").to_vec(),
                429 | 503 => {
                    assert_documented(&answer);
                    self.counts.shed.fetch_add(1, Ordering::Relaxed);
                }
                // An abandoned request under the same key is under way still.
                409 => {}
                other => panic!("{other}: {:?}", answer.text().await),
            }
            tokio::time::sleep(IMPATIENCE).await;
        }
    }

    /// Whether the time is up, and it was an overload by then.
    fn is_done(&self, began: Instant, seconds: u64) -> bool {
        let is_enough = self.counts.shed.load(Ordering::Relaxed) >= SHED_MIN
            && self.counts.abandoned.load(Ordering::Relaxed) > 0;
        began.elapsed() >= Duration::from_secs(if is_enough { seconds } else { seconds.max(SECONDS_MAX) })
    }

    /// Creates one run after the other until it is done; gives each key and the run that was made for it.
    async fn work(self, number: u32, began: Instant, seconds: u64) -> Vec<(String, String)> {
        let mut made = Vec::new();
        for round in 0_u32.. {
            if self.is_done(began, seconds) {
                break;
            }
            let key = format!("caller-{number}-{round}");
            if (number + round).is_multiple_of(ABANDONED_EVERY)
                && tokio::time::timeout(ABANDONED_AFTER, self.create(&key).send()).await.is_err()
            {
                self.counts.abandoned.fetch_add(1, Ordering::Relaxed);
            }
            let first = self.insist(&key).await;
            assert_eq!(self.insist(&key).await, first, "a repeated request is answered as before");
            let body: Value = serde_json::from_slice(&first).expect("JSON");
            made.push((key, body["id"].as_str().expect("an identifier").to_owned()));
        }
        made
    }
}

/// Who is turned away is told so in the documented way.
fn assert_documented(answer: &Response) {
    let header =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("none");
    let wait: u64 = header("retry-after").parse().expect("Retry-After is a number of seconds");
    assert!(wait >= 1);
    if answer.status() == 429 {
        assert_eq!(header("concurrency-limit-type"), "Default");
        assert_eq!(header("concurrency-limit-limit"), CONCURRENCY.to_string());
        assert_eq!(header("concurrency-limit-remaining"), "0");
    }
    assert_eq!(header("zuora-request-id").len(), 36);
}

/// The time that the middle one of several questions takes.
async fn middle_latency(server: &TestServer) -> Duration {
    let mut taken = Vec::new();
    for _ in 0..SAMPLES {
        let asked = Instant::now();
        assert_eq!(server.caller.get("/v1/payment-runs?pageSize=1").await.status, 200);
        taken.push(asked.elapsed());
    }
    taken.sort_unstable();
    taken[SAMPLES / 2]
}

/// Every run there is, with how often it is listed.
async fn all_runs(server: &TestServer) -> BTreeMap<String, u32> {
    let mut runs = BTreeMap::new();
    let mut next = Some("/v1/payment-runs?pageSize=40".to_owned());
    while let Some(path) = next {
        let page = server.caller.get(&path).await.body;
        for run in page["paymentRuns"].as_array().expect("runs") {
            *runs.entry(run["id"].as_str().expect("an identifier").to_owned()).or_default() += 1;
        }
        next = page["nextPage"].as_str().map(str::to_owned);
    }
    runs
}

fn places_left(answer: &Answer) -> Option<u32> {
    answer.header("concurrency-limit-remaining")?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_shed_and_nothing_is_lost() {
    let seconds =
        std::env::var("OVERLOAD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let many = u64::from(u32::MAX);
    let limits = Limits {
        concurrent_requests: CONCURRENCY,
        // Only what is under way at once is to decide here.
        requests_per_minute: many,
        requests_per_hour: many,
        requests_per_day: many,
        ..Limits::default()
    };
    let builder = TestNode::builder().with_system_clock().configure(|config| config.limits = limits);
    let server = TestServer::start_with(builder).await;
    let before = middle_latency(&server).await;

    let counts = Arc::new(Counts::default());
    let caller = || Caller {
        http: payment_runs_tests::http_client(),
        url: server.url("/v1/payment-runs"),
        token: server.token(),
        counts: Arc::clone(&counts),
    };
    // A client takes a while to make, which is no part of the overload.
    let all: Vec<Caller> = (0..CALLERS).map(|_| caller()).collect();
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for (number, caller) in (0..).zip(all) {
        callers.spawn(caller.work(number, began, seconds));
    }
    let made: BTreeMap<String, String> = callers.join_all().await.into_iter().flatten().collect();
    let (shed, abandoned) = (counts.shed.load(Ordering::Relaxed), counts.abandoned.load(Ordering::Relaxed));
    println!(
        "{} runs made, {shed} requests shed, {abandoned} abandoned, in {:.1} s",
        made.len(),
        began.elapsed().as_secs_f64()
    );
    assert!(shed >= SHED_MIN && abandoned > 0, "it was no overload: {shed} shed, {abandoned} abandoned");

    // Each run is there once, and no other: what a caller gave up became the run of its key, or nothing.
    let runs = all_runs(&server).await;
    let expected: BTreeMap<String, u32> = made.values().map(|id| (id.clone(), 1)).collect();
    assert_eq!(expected.len(), made.len(), "two keys made one run");
    assert_eq!(runs, expected);

    // No place is lost, and answers take as long as before.
    for _ in 0..CONCURRENCY {
        let answer = server.caller.get("/v1/payment-runs?pageSize=1").await;
        assert_eq!(places_left(&answer), Some(CONCURRENCY - 1));
    }
    let after = middle_latency(&server).await;
    assert!(after <= 10 * before + Duration::from_millis(100), "{after:?} after, {before:?} before");
    server.into_node().stop().await;
}
