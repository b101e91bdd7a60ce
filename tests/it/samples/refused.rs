//! Our samples of refusals say what the server says.

use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Answer;
use payment_runs_tests::samples::{Sample, SampleRequest, samples};
use serde_json::{Value, json};

/// Samples of refusals that need more than a request: objects in a state, a second request, a quota, a failure.
const ARRANGED: &[&str] = &[
    "own/v1/createPayment/more-than-the-balance",
    "own/v1/createPaymentRun/key-in-flight",
    "own/v1/createPaymentRun/key-reused",
    "own/v1/createPaymentRun/server-failure",
    "own/v1/createToken/too-many-requests",
    "own/v1/deletePaymentRun/completed-run",
    "own/v1/listPaymentRuns/quota-used-up",
    "own/v1/postCreditMemo/already-posted",
    "own/v1/postDebitMemo/already-posted",
    "own/v1/postInvoice/already-posted",
    "own/v1/updateAccount/foreign-payment-method",
    "own/v1/updatePaymentRun/already-started",
    "own/v1/updatePaymentRun/conflicting-filters",
];

/// The account that the samples know. It is the first one, so its number is `A00000001`.
const ACCOUNT: &str = "4f1c9be0a2d84e7b9c3d5a6f7e8b9c01";

/// The request of a sample that has none because the contract refuses it: method, path, body.
fn refused_request(name: &str) -> Option<(&'static str, &'static str, String)> {
    let record = json!({ "accountId": "A1", "amount": 1 });
    let row = match name {
        "own/v1/createPaymentRun/malformed-json" => {
            ("POST", "/v1/payment-runs", "{\"targetDate\": ".to_owned())
        }
        "own/v1/createPaymentRun/invalid-values" => {
            let data = json!([record, record, record, { "accountId": "A1", "amount": 0 }]);
            let body = json!({ "acountId": "A1", "batch": "x".repeat(51), "targetDate": "2026-03-31", "data": data });
            ("POST", "/v1/payment-runs", body.to_string())
        }
        "own/v1/createAccount/missing-fields" => (
            "POST",
            "/v1/accounts",
            json!({ "name": "A", "billToContact": { "firstName": "Ada" } }).to_string(),
        ),
        "own/v1/createInvoice/invalid-values" => {
            let items = json!([{ "amount": -1, "serviceStartDate": "2026-03-01" }, { "amount": 1 }]);
            let body = json!({ "accountId": "A1", "invoiceDate": "2026-03-01", "invoiceItems": items });
            ("POST", "/v1/invoices", body.to_string())
        }
        "own/v1/createPayment/invalid-values" => {
            let body = json!({ "accountId": "A1", "amount": 0, "currency": "USD", "type": "Barter" });
            ("POST", "/v1/payments", body.to_string())
        }
        "own/v1/listPaymentRuns/page-size-below-one" => ("GET", "/v1/payment-runs?pageSize=0", String::new()),
        "own/object-query/queryPaymentRuns/page-size-out-of-range" => {
            ("GET", "/object-query/payment-runs?pageSize=100", String::new())
        }
        _ => return None,
    };
    Some(row)
}

/// What a refusal says, without the identifiers of its request.
fn said(status: u16, body: &Value) -> Value {
    let mut body = body.clone();
    for field in ["processId", "requestId"] {
        body.as_object_mut().map(|fields| fields.shift_remove(field));
    }
    json!({ "status": status, "body": body })
}

pub(crate) async fn ask(server: &TestServer, request: &SampleRequest) -> Answer {
    let named = |name: &str| request.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
    let caller =
        if named("authorization").is_some() { server.caller.clone() } else { server.caller.anonymous() };
    let mut call = caller.call(&request.method, &request.path);
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("authorization") {
            call = call.header(name, value.as_str().unwrap());
        }
    }
    let is_form = named("content-type").is_some_and(|(_, value)| value != "application/json");
    match &request.body {
        None => call.send().await,
        Some(Value::Object(fields)) if is_form => {
            let pairs: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
            call.raw(pairs.join("&").into_bytes()).await
        }
        Some(body) => call.raw(serde_json::to_vec(body).unwrap()).await,
    }
}

async fn answer(server: &TestServer, sample: &Sample) -> Answer {
    if let Some(request) = &sample.request {
        return ask(server, request).await;
    }
    let (method, path, body) = refused_request(&sample.name())
        .unwrap_or_else(|| panic!("nobody knows how {} comes about", sample.name()));
    let call = server.caller.call(method, path);
    if body.is_empty() {
        call.send().await
    } else {
        call.header("content-type", "application/json").raw(body.into_bytes()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_samples_of_refusals_say_what_the_server_says() {
    let server = TestServer::start_at("2026-03-15T10:00:00Z").await;
    super::arrange_account(&server, ACCOUNT).await;
    let all = samples();
    let refusals = all.iter().filter(|sample| {
        let is_refusal = sample.response.as_ref().is_some_and(|response| response.status >= 400);
        sample.own && ["v1", "object-query"].contains(&sample.api.as_str()) && is_refusal
    });
    let (mut compared, mut faults) = (0, Vec::new());
    for sample in refusals.filter(|sample| !ARRANGED.contains(&sample.name().as_str())) {
        let expected = sample.response.as_ref().unwrap();
        let body = expected.body.clone().unwrap_or_default();
        let answer = answer(&server, sample).await;
        let (expected, actual) = (said(expected.status, &body), said(answer.status, &answer.body));
        compared += 1;
        if expected != actual {
            faults.push(format!("{}\n  says {expected}\n  but  {actual}", sample.name()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(compared > 20, "{compared}");
    for name in ARRANGED {
        assert!(all.iter().any(|sample| sample.name() == *name), "{name} is no sample");
    }
}
