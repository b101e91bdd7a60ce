//! Payment runs through gateways that others wrote, which know nothing of this project: one forgets idempotency keys, the
//! other honours them. `cargo xtask foreign gateways` starts them and runs these tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Form, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use payment_runs_gateway::stripe::{SecretKey, StripeConfig};
use payment_runs_node::testing::TestNode;
use payment_runs_node::{GatewayChoice, NodeConfig};
use payment_runs_tests::server::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World};
use serde_json::{Value, json};

/// Accounts that pay, and accounts that cannot.
const PAYING: usize = 24;
const BROKE: usize = 4;

/// Of so many charges the answer of the last one is lost after the gateway has charged.
const CUT_EVERY: usize = 4;

/// Pages of a peer's list that are read at most.
const PAGES_MAX: usize = 50;

/// What the peers are told of who calls.
const SECRET: &str = "sk_test_peers";

/// What stands between the server and a peer: it writes the few words that the peer does not know in those it knows, and
/// loses answers.
#[derive(Clone)]
struct Interpreter {
    peer: String,
    kind: Peer,
    http: reqwest::Client,
    charges: Arc<AtomicUsize>,
    cut: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// Knows payment intents and payment methods, has no search, and forgets idempotency keys.
    Localstripe,
    /// Knows charges of prepared tokens, and honours idempotency keys.
    StatefulMock,
}

type Fields = Vec<(String, String)>;

impl Interpreter {
    fn list(&self) -> &'static str {
        match self.kind {
            Peer::Localstripe => "/v1/payment_intents",
            Peer::StatefulMock => "/v1/charges",
        }
    }

    async fn charge(State(this): State<Self>, headers: HeaderMap, Form(fields): Form<Fields>) -> Response {
        let fields = this.translated(fields);
        let mut call = this.http.post(format!("{}{}", this.peer, this.list())).form(&fields);
        for name in ["authorization", "idempotency-key"] {
            if let Some(value) = headers.get(name) {
                call = call.header(name, value.as_bytes());
            }
        }
        let answer = call.send().await.unwrap();
        let (status, body) = (answer.status(), answer.bytes().await.unwrap());
        if this.charges.fetch_add(1, Ordering::SeqCst) % CUT_EVERY == CUT_EVERY - 1 {
            this.cut.fetch_add(1, Ordering::SeqCst);
            // A body that breaks off closes the connection.
            let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
            return Body::from_stream(broken).into_response();
        }
        (status, [("content-type", "application/json")], body).into_response()
    }

    /// A charge in the words of the peer.
    fn translated(&self, fields: Fields) -> Fields {
        let is_known = |name: &str| match self.kind {
            Peer::Localstripe => !matches!(name, "description" | "error_on_requires_action"),
            Peer::StatefulMock => {
                matches!(name, "amount" | "currency" | "payment_method") || name.starts_with("metadata")
            }
        };
        let renamed = |name: String| match self.kind {
            Peer::StatefulMock if name == "payment_method" => "source".to_owned(),
            _ => name,
        };
        let kept = fields.into_iter().filter(|(name, _)| is_known(name));
        kept.map(|(name, value)| (renamed(name), value)).collect()
    }

    /// The peers have no search: the whole list is read.
    async fn search(State(this): State<Self>, RawQuery(query): RawQuery) -> Json<Value> {
        let url = format!("http://peer/?{}", query.unwrap_or_default());
        let url = reqwest::Url::parse(&url).unwrap();
        let (_, wanted) = url.query_pairs().find(|(name, _)| name == "query").unwrap();
        let wanted = wanted.trim_start_matches("metadata['reference']:'").trim_end_matches('\'').to_owned();
        let mut found = this.everything().await;
        found.retain(|charge| charge["metadata"]["reference"] == wanted.as_str());
        Json(json!({ "data": found, "has_more": false }))
    }

    /// Everything that the peer has charged or tried to.
    async fn everything(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        for _ in 0..PAGES_MAX {
            let after = all.last().map(|last| format!("&starting_after={}", last["id"].as_str().unwrap()));
            let url = format!("{}{}?limit=100{}", self.peer, self.list(), after.unwrap_or_default());
            let page = self.http.get(url).bearer_auth(SECRET).send().await.unwrap();
            let page: Value = page.json().await.unwrap();
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] != true {
                break;
            }
        }
        all
    }

    /// A payment method; the peer that knows only prepared tokens gets one by the card.
    async fn method(
        State(this): State<Self>,
        headers: HeaderMap,
        Form(mut fields): Form<Fields>,
    ) -> Response {
        if this.kind == Peer::StatefulMock {
            let is_broke = fields.iter().any(|(_, value)| value == CARD_DECLINED);
            let token = if is_broke { "tok_chargeDeclinedInsufficientFunds" } else { "tok_visa" };
            return Json(json!({ "id": token, "card": { "brand": "visa" } })).into_response();
        }
        fields.retain(|(name, _)| name != "billing_details[name]");
        // It wants the security code that is never kept here.
        fields.push(("card[cvc]".to_owned(), "123".to_owned()));
        let call = this.http.post(format!("{}/v1/payment_methods", this.peer)).form(&fields);
        let answer = call.header("authorization", headers["authorization"].as_bytes()).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap()).into_response()
    }

    async fn start(self) -> String {
        let router = Router::new()
            .route("/v1/payment_intents", post(Self::charge))
            .route("/v1/payment_intents/search", get(Self::search))
            .route("/v1/payment_methods", post(Self::method))
            .fallback(|| async { StatusCode::NOT_FOUND })
            .with_state(self);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the counterpart lives as long as the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

/// A server that charges through a peer.
async fn server(kind: Peer, variable: &str, key_life: Duration) -> (TestServer, Interpreter) {
    let peer = std::env::var(variable).expect("`cargo xtask foreign gateways` starts the peers");
    let http = payment_runs_tests::http_client();
    let interpreter = Interpreter { peer, kind, http, charges: Arc::default(), cut: Arc::default() };
    let url = interpreter.clone().start().await;
    let configure = move |config: &mut NodeConfig| {
        let mut stripe = StripeConfig::new(url, SecretKey::new(SECRET));
        stripe.settings.key_life = key_life;
        stripe.settings.concurrency = 4;
        stripe.look_up_is_authoritative = true;
        config.gateway = GatewayChoice::Remote(stripe);
        if let Some(worker) = &mut config.worker {
            worker.look_ups.every = Duration::from_millis(50);
            worker.look_ups.again_after = Duration::from_millis(100);
        }
    };
    let server = TestServer::start_with(TestNode::builder().with_system_clock().configure(configure)).await;
    (server, interpreter)
}

/// Collects from everybody, and waits until every outcome is known.
async fn collect(server: &TestServer) -> Value {
    let world = World::new(&server.caller);
    for at in 0..PAYING + BROKE {
        let card = if at < PAYING { CARD_APPROVED } else { CARD_DECLINED };
        let account = world.account(&format!("Peer {at}"), card).await;
        world.invoice(&account, json!(10 + at), "2026-01-31").await;
    }
    let run = server.caller.create("/v1/payment-runs", json!({ "targetDate": "2026-01-31" })).await;
    let path = format!("/ops/payment-runs/{}/progress", run["number"].as_str().unwrap());
    let has_ended =
        |progress: &Value| progress["status"] == "completed" && progress["payments_in_doubt"] == json!(0);
    server.caller.wait_for(&path, has_ended).await
}

/// The peer's name for a charge that was approved.
fn name_of_approved(charge: &Value) -> Option<String> {
    let name = charge["id"].as_str().filter(|_| charge["status"] == "succeeded")?;
    Some(name.to_owned())
}

/// Holds the peer's books against ours: one charge for each payment that was approved, and no other.
async fn audit(server: &TestServer, interpreter: &Interpreter, progress: &Value) {
    assert_eq!(progress["payments_processed"], json!(PAYING), "{progress}");
    assert_eq!(progress["payments_errors"], json!(BROKE));
    assert!(interpreter.cut.load(Ordering::SeqCst) > 2, "answers were lost");
    let mut charged: BTreeMap<String, usize> = BTreeMap::new();
    for charge in interpreter.everything().await {
        if charge["status"] == "succeeded" {
            *charged.entry(charge["metadata"]["reference"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert!(charged.values().all(|times| *times == 1), "charged twice: {charged:?}");
    let names: BTreeSet<String> =
        interpreter.everything().await.iter().filter_map(name_of_approved).collect();
    let listed = server.caller.get("/ops/payments?state=processed&page_size=99").await;
    let ours = listed.body["data"].as_array().unwrap().iter();
    let ours: BTreeSet<String> =
        ours.map(|one| one["gateway_reference"].as_str().unwrap().to_owned()).collect();
    assert_eq!(charged.len(), PAYING);
    assert_eq!(ours, names, "each payment has its charge, and each charge its payment");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a program of others: cargo xtask foreign gateways"]
async fn a_gateway_that_forgets_keys_charges_once() {
    let (server, interpreter) = server(Peer::Localstripe, "PAYMENT_RUNS_LOCALSTRIPE", Duration::ZERO).await;
    let progress = collect(&server).await;
    audit(&server, &interpreter, &progress).await;
    let calls = interpreter.charges.load(Ordering::SeqCst);
    assert_eq!(calls, PAYING + BROKE, "a charge without an answer was looked up, and never sent again");
    server.into_node().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a program of others: cargo xtask foreign gateways"]
async fn a_gateway_that_honours_keys_charges_once_though_asked_again() {
    let day = Duration::from_hours(24);
    let (server, interpreter) = server(Peer::StatefulMock, "PAYMENT_RUNS_STRIPE_MOCK", day).await;
    let progress = collect(&server).await;
    audit(&server, &interpreter, &progress).await;
    let calls = interpreter.charges.load(Ordering::SeqCst);
    assert!(calls > PAYING + BROKE, "charges without an answer were sent again under their key");
    server.into_node().stop().await;
}
