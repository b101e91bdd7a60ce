//! The currencies that an entity makes something new in.

use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Answer;
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use serde_json::{Value, json};

const DUE: &str = "2024-07-01";

/// Replaces the currencies of the entity.
async fn configure(server: &TestServer, currencies: Value) {
    let mut settings = server.caller.get("/ops/settings").await.body;
    settings["currencies"] = currencies;
    let put = server.caller.put("/ops/settings", settings).await;
    assert_eq!(put.status, 200, "{}", put.body);
}

/// That v1 refuses a currency, and why.
fn assert_refused(answer: &Answer) {
    let message = "'currency' must be one of the entity's currencies: EUR";
    assert_eq!(
        (answer.status, &answer.body["reasons"][0]["message"]),
        (400, &json!(message)),
        "{}",
        answer.body
    );
    assert_eq!(answer.body["reasons"].as_array().unwrap().len(), 1, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_is_made_in_a_currency_that_the_entity_does_not_use() {
    let server = TestServer::start().await;
    let (admin, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Dollars", CARD_APPROVED).await;
    let euros = world.account_with("Euros", CARD_APPROVED, json!({ "currency": "EUR" })).await;
    world.invoice(&account, json!(7), DUE).await;
    configure(&server, json!(["EUR"])).await;

    let contact = json!({ "firstName": "Ada", "lastName": "L", "country": "United States" });
    let new = json!({ "name": "More", "currency": "USD", "billCycleDay": 1, "autoPay": false, "billToContact": contact });
    assert_refused(&admin.post("/v1/accounts", new.clone()).await);
    let item = json!({ "amount": 5, "chargeName": "Service", "serviceStartDate": DUE });
    let invoice = json!({ "accountId": account, "invoiceDate": DUE, "invoiceItems": [item] });
    assert_refused(&admin.post("/v1/invoices", invoice.clone()).await);
    let mut in_dollars = invoice.clone();
    in_dollars["accountId"] = json!(euros);
    assert_eq!(admin.post("/v1/invoices", in_dollars.clone()).await.status, 200, "the account's euros");
    in_dollars["currency"] = json!("USD");
    assert_refused(&admin.post("/v1/invoices", in_dollars).await);
    let charge = json!({ "chargeId": "c", "productRatePlanChargeId": "p", "amount": 5 });
    let memo = json!({ "accountId": account, "effectiveDate": DUE, "charges": [charge] });
    assert_refused(&admin.post("/v1/debit-memos", memo.clone()).await);
    assert_refused(&admin.post("/v1/credit-memos", memo).await);
    let payment = json!({ "accountId": account, "amount": 5, "currency": "USD", "type": "External" });
    assert_refused(&admin.post("/v1/payments", payment).await);
    let run = json!({ "currency": "USD", "runDate": "2099-01-01 00:00:00" });
    assert_refused(&admin.post("/v1/payment-runs", run).await);
    let body = json!({ "currency": "USD", "payment_run_date": "2099-01-01T00:00:00Z" });
    let v2 = admin.post("/v2/payment_runs", body).await;
    let error = json!({
        "code": "invalid_parameter", "parameter": "currency",
        "message": "must be one of the entity's currencies: EUR",
    });
    assert_eq!((v2.status, &v2.body["errors"]), (400, &json!([error])), "{}", v2.body);

    configure(&server, json!(null)).await;
    assert_eq!(admin.post("/v1/accounts", new).await.status, 200, "all currencies again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_run_keeps_to_the_currencies_when_it_is_changed() {
    let server = TestServer::start().await;
    let run = json!({ "currency": "EUR", "runDate": "2099-01-01 00:00:00" });
    let run = text(&server.caller.create("/v1/payment-runs", run).await, "id");
    configure(&server, json!(["EUR"])).await;
    let put = async |body: Value| server.caller.put(&format!("/v1/payment-runs/{run}"), body).await;
    assert_refused(&put(json!({ "currency": "USD" })).await);
    assert_eq!(put(json!({ "consolidatedPayment": true })).await.status, 200);
    let patch = server.caller.call("PATCH", &format!("/v2/payment_runs/{run}"));
    let patched = patch.json(&json!({ "currency": "USD" })).await;
    assert_eq!((patched.status, &patched.body["errors"][0]["parameter"]), (400, &json!("currency")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_in_another_currency_is_collected() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Dollars", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(7), DUE).await;
    configure(&server, json!(["EUR"])).await;
    world.run(json!({ "targetDate": DUE })).await;
    assert_eq!(server.caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 0);

    let standalone = |currency: &str| json!({ "accountId": account, "amount": 5, "currency": currency, "standalone": true });
    let body = json!({ "targetDate": DUE, "data": [standalone("USD"), standalone("EUR")] });
    let run = text(&world.run(body).await, "id");
    let data = server.caller.get(&format!("/v1/payment-runs/{run}/data")).await.body;
    assert_eq!(
        (&data["data"][0]["result"], &data["data"][1]["result"]),
        (&json!("Error"), &json!("Processed")),
        "{data}"
    );
    assert_eq!(data["data"][0]["errorMessage"], "The currency is none of the entity's currencies.");
}
