//! The samples of the contract: they are valid, the types carry them without loss, the client sends them as documented,
//! and the server answers the documented requests with the documented responses.

pub(crate) mod refused;
mod refused_v2;
mod round_trip;
mod sent;

use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Answer;
use payment_runs_tests::contract::contract;
use payment_runs_tests::samples::{Sample, documented, samples};
use serde_json::{Value, json};

use payment_runs_engine::ids::{EntityKey, UserId};
use payment_runs_node::testing::TestNode;
use payment_runs_store::Sequence;

#[test]
fn every_operation_has_samples_and_every_sample_an_operation() {
    let samples = samples();
    for operation in &contract().operations {
        let of_it: Vec<&Sample> = samples
            .iter()
            .filter(|sample| sample.document() == operation.api && sample.operation == operation.id)
            .collect();
        assert!(
            of_it.iter().any(|sample| sample.request.is_some()),
            "{} has no request sample",
            operation.id
        );
        assert!(
            of_it.iter().any(|sample| sample.response.is_some()),
            "{} has no response sample",
            operation.id
        );
    }
    for sample in &samples {
        let known = contract()
            .operations
            .iter()
            .any(|operation| operation.api == sample.document() && operation.id == sample.operation);
        assert!(known, "{} belongs to no operation", sample.name());
    }
}

#[test]
fn every_sample_obeys_the_contract() {
    let mut faults = Vec::new();
    for sample in samples() {
        faults.extend(
            request_faults(&sample).into_iter().map(|fault| format!("{} request: {fault}", sample.name())),
        );
        faults.extend(
            response_faults(&sample).into_iter().map(|fault| format!("{} response: {fault}", sample.name())),
        );
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

fn request_faults(sample: &Sample) -> Vec<String> {
    let Some(request) = &sample.request else { return Vec::new() };
    let Some(operation) = contract().operation(&request.method, &request.path) else {
        return vec![format!("{} {} reaches no operation", request.method, request.path)];
    };
    if operation.id != sample.operation {
        return vec![format!("it reaches {}", operation.id)];
    }
    match (contract().request_schema(operation), &request.body) {
        // The schema of a stream is that of one line. Lines of other kinds than JSON are for the test of the operation to judge.
        (Some(schema), Some(Value::String(text))) => text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(Value::is_object)
            .flat_map(|line| contract().open_schema_faults(operation.api, &schema, &line))
            .collect(),
        (Some(schema), Some(body)) => contract().open_schema_faults(operation.api, &schema, body),
        (None, Some(_)) => vec!["the operation takes no body".to_owned()],
        _ => Vec::new(),
    }
}

fn response_faults(sample: &Sample) -> Vec<String> {
    let Some(response) = &sample.response else { return Vec::new() };
    let operation = contract()
        .operations
        .iter()
        .find(|operation| operation.api == sample.document() && operation.id == sample.operation)
        .expect("the operation exists");
    let headers = json!({ "content-type": "application/json", "zuora-request-id": "sample" });
    let mut headers: http::HeaderMap = headers
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()))
        .collect();
    for (name, value) in &response.headers {
        headers.insert(
            http::HeaderName::try_from(name.as_str()).unwrap(),
            value.as_str().unwrap_or("1").parse().unwrap(),
        );
    }
    let body = match &response.body {
        None => Vec::new(),
        // The body of a stream is text.
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(body) => serde_json::to_vec(body).unwrap(),
    };
    contract().judge_operation(operation, response.status, &headers, &body)
}

/// A server that stands at this time, with a user of this identifier, whose runs stay pending.
async fn pinned(now: &str, user: &str) -> TestServer {
    let user: UserId = user.parse().unwrap();
    let builder = TestNode::builder().at(now.parse().unwrap()).without_worker();
    TestServer::start_with(builder.configure(|config| config.first_start.user = Some(user))).await
}

/// Makes the account of a sample under its documented identifier.
async fn arrange_account(server: &TestServer, id: &str) {
    server.node().ids().queue([0, u128::from_str_radix(id, 16).unwrap()]);
    let body = json!({ "name": "Sample", "currency": "USD", "billToContact": { "firstName": "A", "lastName": "B" } });
    let made = server.caller.create("/v1/accounts", body).await;
    assert_eq!(made["accountId"], id, "the queued identifier went elsewhere");
}

fn id_of(response: &Value, field: &str) -> u128 {
    u128::from_str_radix(response[field].as_str().unwrap(), 16).unwrap()
}

async fn answer(server: &TestServer, sample: &Sample, path: &str) -> Answer {
    let request = sample.request.as_ref().unwrap();
    let call = server.caller.call(&request.method, path).header("content-type", "application/json");
    call.raw(serde_json::to_vec(request.body.as_ref().unwrap()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_create_is_answered_as_documented() {
    let sample = documented("v1", "createPaymentRun", "account");
    let expected = sample.response.clone().unwrap();
    let body = expected.body.unwrap();
    let server = pinned("2024-07-28T23:40:21Z", body["createdById"].as_str().unwrap()).await;
    arrange_account(&server, body["accountId"].as_str().unwrap()).await;
    server.node().store().pin_sequence(EntityKey::FIRST, Sequence::PaymentRun, 6).await.unwrap();
    server.node().ids().queue([0, id_of(&body, "id")]);
    let answer = answer(&server, &sample, "/v1/payment-runs").await;
    assert_eq!((answer.status, &answer.body), (expected.status, &body));
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer.body).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_update_is_answered_as_documented() {
    let sample = documented("v1", "updatePaymentRun", "apply-unapplied-payments");
    let expected = sample.response.clone().unwrap();
    let body = expected.body.unwrap();
    let server = pinned("2017-09-22T12:37:22Z", body["createdById"].as_str().unwrap()).await;
    arrange_account(&server, body["accountId"].as_str().unwrap()).await;
    let store = server.node().store();
    store.pin_sequence(EntityKey::FIRST, Sequence::PaymentRun, 391).await.unwrap();
    server.node().ids().queue([0, id_of(&body, "id")]);
    let create = json!({
        "accountId": body["accountId"], "targetDate": body["targetDate"], "autoApplyCreditMemo": true,
        "consolidatedPayment": true, "processPaymentWithClosedPM": true,
    });
    server.caller.create("/v1/payment-runs", create).await;
    let path = format!("/v1/payment-runs/{}", body["id"].as_str().unwrap());
    let answer = answer(&server, &sample, &path).await;
    assert_eq!((answer.status, &answer.body), (expected.status, &body));
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer.body).unwrap());
}

/// A run that starts at once may be under way before an update arrives, so where a worker runs the documented update is for a
/// scheduled run. Its answer differs from the documented one in the start alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_update_changes_a_scheduled_run_where_a_worker_runs() {
    let sample = documented("v1", "updatePaymentRun", "apply-unapplied-payments");
    let mut body = sample.response.clone().unwrap().body.unwrap();
    let user: UserId = body["createdById"].as_str().unwrap().parse().unwrap();
    let builder = TestNode::builder().at("2017-09-22T12:37:22Z".parse().unwrap());
    let server =
        TestServer::start_with(builder.configure(|config| config.first_start.user = Some(user))).await;
    arrange_account(&server, body["accountId"].as_str().unwrap()).await;
    let store = server.node().store();
    store.pin_sequence(EntityKey::FIRST, Sequence::PaymentRun, 391).await.unwrap();
    server.node().ids().queue([0, id_of(&body, "id")]);
    let create = json!({
        "accountId": body["accountId"], "targetDate": body["targetDate"], "runDate": "2017-10-12 10:00:00",
        "autoApplyCreditMemo": true, "consolidatedPayment": true, "processPaymentWithClosedPM": true,
    });
    server.caller.create("/v1/payment-runs", create).await;
    let path = format!("/v1/payment-runs/{}", body["id"].as_str().unwrap());
    let answer = answer(&server, &sample, &path).await;
    let documented = body.as_object_mut().unwrap();
    assert_eq!(documented.remove("rundate"), Some(Value::Null));
    documented.insert("runDate".to_owned(), json!("2017-10-12 10:00:00"));
    assert_eq!((answer.status, &answer.body), (200, &body));
}
