//! The simulator's HTTP surface as any client sees it.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use payment_runs_engine::ports::Gateway as _;
use payment_runs_gateway::measure::measure_charge_rate;
use payment_runs_gateway::simulator::{JournalTotals, SimulatorConfig, SimulatorHandle, read_journal};
use serde_json::{Value, json};

use crate::support::{gateway, simulator, simulator_with};

const CHARGE: &str =
    "amount=1099&currency=usd&payment_method=pm_card_visa&confirm=true&metadata[reference]=R1";

struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Caller {
    fn new(simulator: &SimulatorHandle) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), url: simulator.url() }
    }

    async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: head.status, headers: head.headers, body }
    }

    async fn post(&self, path: &str, key: &str, body: &str) -> Answer {
        let headers = [("authorization", "Bearer sk_test"), ("idempotency-key", key)];
        self.call(Method::POST, path, &headers, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[("authorization", "Bearer sk_test")], "").await
    }
}

#[tokio::test]
async fn a_replay_says_that_it_is_one() {
    let simulator = simulator().await;
    let caller = Caller::new(&simulator);
    let first = caller.post("/v1/payment_intents", "k1", CHARGE).await;
    assert_eq!((first.status, first.headers.get("idempotent-replayed")), (StatusCode::OK, None));
    let second = caller.post("/v1/payment_intents", "k1", CHARGE).await;
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert_eq!(second.body, first.body);
    let other = caller.post("/v1/payment_intents", "k1", &CHARGE.replace("1099", "1")).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    assert_eq!(other.body["error"]["type"], "idempotency_error");
}

#[tokio::test]
async fn a_charge_is_found_by_id_and_by_reference() {
    let simulator = simulator().await;
    let caller = Caller::new(&simulator);
    let charge = caller.post("/v1/payment_intents", "k1", CHARGE).await.body;
    let id = charge["id"].as_str().unwrap();
    assert_eq!(caller.get(&format!("/v1/payment_intents/{id}")).await.body, charge);
    let found = caller.get("/v1/payment_intents/search?query=metadata['reference']:'R1'").await.body;
    assert_eq!((&found["data"][0], &found["has_more"]), (&charge, &json!(false)));
    let missing = caller.get("/v1/payment_intents/pi_000000000000000000000000").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(missing.body["error"]["code"], "resource_missing");
}

#[tokio::test]
async fn a_bank_has_an_account_that_its_journal_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let account = async |journal: Option<&Path>| {
        let config = SimulatorConfig { journal: journal.map(Path::to_owned), ..SimulatorConfig::default() };
        let simulator = simulator_with(config).await;
        let answer = Caller::new(&simulator).get("/v1/account").await;
        assert_eq!(answer.body["object"], "account");
        let account = gateway(&simulator).account().await.unwrap().unwrap();
        assert_eq!(answer.body["id"], account.as_str());
        Caller::new(&simulator).post("/v1/payment_intents", "k1", CHARGE).await;
        simulator.stop().await;
        account
    };
    let first = account(Some(&one)).await;
    assert!(first.starts_with("acct_"), "{first}");
    assert_eq!(account(Some(&one)).await, first);
    assert_eq!(read_journal(&one).unwrap().len(), 2, "the account is no charge");
    assert_ne!(account(Some(&other)).await, first);
    assert_ne!(account(None).await, account(None).await);
}

#[tokio::test]
async fn a_payment_method_shows_the_last_four_and_nothing_more() {
    let simulator = simulator().await;
    let caller = Caller::new(&simulator);
    let body = "type=card&card[number]=5555555555554444&card[exp_month]=3&card[exp_year]=31";
    let stored = caller.post("/v1/payment_methods", "m1", body).await;
    assert_eq!(stored.status, StatusCode::OK);
    let card = json!({"last4": "4444", "brand": "mastercard", "exp_month": 3, "exp_year": 2031});
    assert_eq!(stored.body["card"], card);
    assert!(!stored.body.to_string().contains("5555"));
    let id = stored.body["id"].as_str().unwrap();
    assert_eq!(caller.get(&format!("/v1/payment_methods/{id}")).await.body["card"], card);
}

#[tokio::test]
async fn everything_but_health_needs_a_secret_key() {
    let simulator = simulator().await;
    let caller = Caller::new(&simulator);
    let health = caller.call(Method::GET, "/healthz", &[], "").await;
    assert_eq!((health.status, health.body), (StatusCode::OK, "ok".into()));
    for headers in [&[][..], &[("authorization", "Bearer ")], &[("authorization", "sk_test")]] {
        let refused = caller.call(Method::POST, "/v1/payment_intents", headers, CHARGE).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{headers:?}");
    }
    assert!(simulator.journal().is_empty());
}

#[tokio::test]
async fn bad_requests_are_refused_in_the_dialects_shape() {
    let simulator = simulator().await;
    let caller = Caller::new(&simulator);
    for (path, key, body, status, code) in [
        ("/v1/payment_intents", "k", "amount=1", 400, json!("parameter_missing")),
        ("/v1/payment_intents", "k", "\u{0}%zz=&&&", 400, json!("parameter_unknown")),
        ("/v1/payment_intents", &"k".repeat(256), CHARGE, 400, json!("idempotency_key_invalid")),
        ("/v1/payment_methods", "k", "type=card&card[number]=1", 400, json!("parameter_missing")),
        ("/v1/refunds", "k", "", 404, Value::Null),
    ] {
        let answer = caller.post(path, key, body).await;
        assert_eq!((answer.status.as_u16(), &answer.body["error"]["code"]), (status, &code), "{path} {body}");
        assert!(answer.body["error"]["message"].is_string());
    }
    let large = caller.post("/v1/payment_intents", "k", &"x".repeat(70_000)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(simulator.journal().is_empty());
}

#[tokio::test]
async fn a_limited_caller_is_told_how_long_to_wait() {
    let faults = "rate-limit-429=7:1".parse().unwrap();
    let simulator = simulator_with(SimulatorConfig { faults, ..SimulatorConfig::default() }).await;
    let limited = Caller::new(&simulator).post("/v1/payment_intents", "k", CHARGE).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.headers["retry-after"], "7");
}

#[tokio::test]
async fn the_yardstick_charges_each_of_its_charges_once() {
    let simulator = simulator().await;
    let rate = measure_charge_rate(&simulator.url(), 8, 200, "m").await.unwrap();
    assert_eq!(rate.calls, 200);
    assert!(rate.per_second() > 0);
    let totals = JournalTotals::of(&simulator.journal());
    assert_eq!((totals.charges, totals.replays, totals.charged_twice.len()), (200, 0, 0));
}
