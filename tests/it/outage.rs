//! A gateway that refuses charges: the payments count as errors, with the reason, wherever a run is summed up.

use std::collections::BTreeMap;

use axum::extract::Form;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
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

/// A gateway that refuses the charges of one card.
async fn gateway() -> String {
    let nothing = || async { Json(json!({ "object": "list", "data": [], "has_more": false })) };
    let router = Router::new()
        .route("/v1/payment_methods", post(method))
        .route("/v1/payment_intents", post(charge).get(nothing))
        .route("/v1/payment_intents/search", get(nothing))
        .fallback(|| async { StatusCode::NOT_FOUND });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the counterpart lives as long as the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
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
    let stripe = StripeConfig::new(gateway().await, SecretKey::new("sk_test_refused"));
    let builder = TestNode::builder().with_system_clock();
    let builder = builder.configure(move |config| config.gateway = GatewayChoice::Remote(stripe));
    let server = TestServer::start_with(builder).await;
    let partly = collect(&server, "2024-07-01", &[CARD_APPROVED, REFUSED]).await;
    insta::assert_json_snapshot!(
        json!({ "partly": partly, "wholly": collect(&server, "2024-07-02", &[REFUSED]).await })
    );
}
