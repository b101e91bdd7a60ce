//! Gateways that misbehave, seen from the APIs: one that refuses charges, whose payments count as errors with the reason wherever a run
//! is summed up, and one that holds two charges of a payment, which a person settles.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Form, Query};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use payment_runs_engine::collect::SendPolicy;
use payment_runs_gateway::stripe::{SecretKey, StripeConfig};
use payment_runs_node::GatewayChoice;
use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, CARD_WITHOUT_FUNDS, World, text};
use serde_json::{Value, json};

type Fields = BTreeMap<String, String>;

/// The card whose charges are refused for the credentials.
const REFUSED: &str = CARD_WITHOUT_FUNDS;

/// The gateway's words.
const WHY: &str = "This key may not charge.";

async fn method(Form(fields): Form<Fields>) -> Json<Value> {
    let is_refused = fields.get("card[number]").is_some_and(|number| number == REFUSED);
    let token = if is_refused { "pm_refused" } else { "pm_taken" };
    Json(json!({ "id": token, "card": { "brand": "visa" } }))
}

async fn charge(Form(fields): Form<Fields>) -> Response {
    if fields["payment_method"] == "pm_refused" {
        let error = json!({ "type": "invalid_request_error", "code": "permission", "message": WHY });
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": error }))).into_response();
    }
    let reference = &fields["metadata[reference]"];
    let amount: i64 = fields["amount"].parse().unwrap();
    Json(json!({
        "id": format!("pi_{reference}"), "object": "payment_intent", "status": "succeeded", "amount": amount,
        "amount_received": amount, "currency": fields["currency"], "metadata": { "reference": reference },
    }))
    .into_response()
}

fn list_of(data: &[Value]) -> Json<Value> {
    Json(json!({ "object": "list", "data": data, "has_more": false }))
}

/// Two charges of whatever is searched for.
async fn search_twice(Query(query): Query<Fields>) -> Json<Value> {
    let reference = query["query"].split('\'').nth(3).unwrap();
    let intent = |id: &str| {
        json!({
            "id": id, "object": "payment_intent", "status": "succeeded", "amount": 1_000, "amount_received": 1_000,
            "currency": "usd", "metadata": { "reference": reference },
        })
    };
    list_of(&[intent("pi_1"), intent("pi_2")])
}

/// A gateway that refuses the charges of one card.
fn refusing() -> Router {
    Router::new()
        .route("/v1/payment_intents", post(charge).get(async || list_of(&[])))
        .route("/v1/payment_intents/search", get(async || list_of(&[])))
}

/// A gateway that answers no charge, and has made two of each.
fn doubling() -> Router {
    let broken = async || StatusCode::INTERNAL_SERVER_ERROR;
    Router::new()
        .route("/v1/payment_intents", post(broken).get(async || list_of(&[])))
        .route("/v1/payment_intents/search", get(search_twice))
}

/// A server that charges through this gateway.
async fn through(router: Router) -> TestServer {
    let router = router.route("/v1/payment_methods", post(method)).fallback(async || StatusCode::NOT_FOUND);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the counterpart lives as long as the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    let stripe = StripeConfig::new(format!("http://{address}"), SecretKey::new("sk_test_scripted"));
    let builder = TestNode::builder().with_system_clock().configure(|config| {
        config.gateway = GatewayChoice::Remote(stripe);
        if let Some(worker) = &mut config.worker {
            worker.send = SendPolicy { deliveries_max: 1, unanswered_max: 1, ..SendPolicy::default() };
            worker.look_ups.every = Duration::from_millis(50);
            worker.look_ups.again_after = Duration::from_millis(100);
        }
    });
    TestServer::start_with(builder).await
}

/// Collects from one account for each card, and gives what each summary says of the run.
async fn collect(server: &TestServer, due: &str, cards: &[&str]) -> Value {
    let world = World::new(&server.caller);
    for card in cards {
        let account = world.account("Ada", card).await;
        world.invoice(&account, json!(10), due).await;
    }
    let run = world.run(json!({ "targetDate": due })).await;
    let (id, number) = (text(&run, "id"), text(&run, "number"));
    let read = async |path: String| server.caller.get(&path).await.body;
    let v1 = read(format!("/v1/payment-runs/{number}/summary")).await;
    let v2 = read(format!("/v2/payment_runs/{id}?expand[]=summary")).await;
    let progress = read(format!("/ops/payment-runs/{number}/progress")).await;
    let queried = read(format!("/object-query/payment-runs/{number}")).await;
    json!({
        "v1": [run["status"], v1["numberOfPayments"], v1["numberOfErrors"]],
        "v2": [v2["state"], v2["summary"]["number_of_payments"], v2["summary"]["number_of_errors"]],
        "ops": [progress["status"], progress["payments_processed"], progress["payments_errors"], progress["error_message"]],
        "object query": [queried["status"], queried["errorMessage"]],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_that_a_gateway_refuses_count_as_errors_with_the_reason() {
    let server = through(refusing()).await;
    let partly = collect(&server, "2024-07-01", &[CARD_APPROVED, REFUSED]).await;
    insta::assert_json_snapshot!(
        json!({ "partly": partly, "wholly": collect(&server, "2024-07-02", &[REFUSED]).await })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_charges_of_a_payment_are_told_and_a_person_settles_it() {
    let server = through(doubling()).await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Ada", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(10), "2024-07-01").await;
    world.run(json!({ "targetDate": "2024-07-01" })).await;
    let told = "the gateway holds 2 charges of this payment: pi_1, pi_2";
    let is_told = |list: &Value| list["data"][0]["gateway_message"] == told;
    let payments = caller.wait_for("/ops/payments", is_told).await;
    let payment = &payments["data"][0];
    assert_eq!(payment["state"], "unknown", "neither charge is believed");
    // Look-ups that find the same again add nothing.
    let database = server.open_database();
    let look_ups =
        || database.query_row("SELECT look_ups FROM payment", [], |row| row.get::<_, i64>(0)).unwrap();
    caller.wait_for("/ops/payments", |_| look_ups() >= 3).await;
    let records = format!("/ops/audit-records?payment={}", text(payment, "number"));
    let alarms = |trail: &Value| {
        let trail = trail["data"].as_array().unwrap().iter();
        trail.filter(|record| record["detail"] == told).count()
    };
    assert_eq!(alarms(&caller.get(&records).await.body), 1, "the audit trail tells it once");

    let resolution =
        json!({ "outcome": "processed", "comment": "pi_2 is paid back", "gateway_reference": "pi_1" });
    let resolved = caller.post(&format!("/ops/payments/{}/resolve", text(payment, "id")), resolution).await;
    assert_eq!((resolved.status, &resolved.body["state"]), (200, &json!("processed")), "{}", resolved.body);
    assert_eq!(caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 0);
}
