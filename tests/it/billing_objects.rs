//! Accounts, payment methods, documents, credits and payments.

use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World, text};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_a_card_keeps_only_mask_and_token() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world
        .account_with("Masked", CARD_APPROVED, json!({ "accountNumber": "ACME-1", "batch": "Batch7" }))
        .await;
    let caller = &server.caller;
    let by_number = caller.get("/v1/accounts/ACME-1").await.body;
    assert_eq!(by_number["basicInfo"]["id"], json!(account), "{by_number}");
    assert_eq!(
        (&by_number["basicInfo"]["batch"], &by_number["billingAndPayment"]["currency"]),
        (&json!("Batch7"), &json!("USD"))
    );
    let method = text(&by_number["basicInfo"], "defaultPaymentMethodId");
    let method = caller.get(&format!("/v1/payment-methods/{method}")).await;
    assert_eq!(
        (&method.body["type"], &method.body["status"]),
        (&json!("CreditCard"), &json!("Active")),
        "{}",
        method.body
    );
    assert!(text(&method.body, "creditCardMaskNumber").ends_with("4242"));
    assert!(!String::from_utf8_lossy(&method.bytes).contains(CARD_APPROVED));

    // Neither the database nor its journal of writes holds the number.
    for entry in std::fs::read_dir(server.node().folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let found = bytes.windows(CARD_APPROVED.len()).any(|window| window == CARD_APPROVED.as_bytes());
        assert!(!found, "a card number was written to a file");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_change_field_by_field() {
    let server = TestServer::start().await;
    let account = World::new(&server.caller).account("Changing", CARD_APPROVED).await;
    let path = format!("/v1/accounts/{account}");
    let changed =
        server.caller.put(&path, json!({ "batch": "Batch2", "autoPay": false, "billCycleDay": 31 })).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let body = server.caller.get(&path).await.body;
    assert_eq!(
        (&body["basicInfo"]["batch"], &body["basicInfo"]["name"]),
        (&json!("Batch2"), &json!("Changing")),
        "{body}"
    );
    assert_eq!(
        (&body["billingAndPayment"]["autoPay"], &body["billingAndPayment"]["billCycleDay"]),
        (&json!(false), &json!(31))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_method_is_added_changed_and_scrubbed() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let account = World::new(caller).account("Two cards", CARD_APPROVED).await;
    let body = json!({
        "type": "CreditCard", "accountKey": account, "makeDefault": true, "cardNumber": CARD_DECLINED,
        "cardType": "Visa", "expirationMonth": 1, "expirationYear": 2041, "cardHolderInfo": { "cardHolderName": "Ada" },
    });
    let method = text(&caller.create("/v1/payment-methods", body).await, "id");
    let path = format!("/v1/payment-methods/{method}");
    assert_eq!(caller.get(&path).await.body["isDefault"], true);
    let changed = caller.put(&path, json!({ "maxConsecutivePaymentFailures": 3, "paymentRetryWindow": 12, "useDefaultRetryRule": false })).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let body = caller.get(&path).await.body;
    assert_eq!(
        (&body["maxConsecutivePaymentFailures"], &body["paymentRetryWindow"]),
        (&json!(3), &json!(12)),
        "{body}"
    );
    let scrubbed = caller.call("PUT", &format!("{path}/scrub")).send().await;
    assert_eq!(scrubbed.status, 200, "{}", scrubbed.body);
    let body = caller.get(&path).await.body;
    assert_eq!(body["status"], "Scrubbed", "{body}");
    assert!(!body.to_string().contains("0341"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_owed_only_once_it_is_posted() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Drafty", CARD_APPROVED).await;
    let draft = world.invoice_with(&account, json!(12.5), "2024-07-01", json!({ "status": "Draft" })).await;
    assert_eq!((&draft["status"], &draft["amount"]), (&json!("Draft"), &json!(12.5)), "{draft}");
    world.run(json!({ "targetDate": "2024-07-24" })).await;
    assert_eq!(server.charges().len(), 0);
    let path = format!("/v1/invoices/{}", text(&draft, "id"));
    let posted = server.caller.call("PUT", &format!("{path}/post")).send().await;
    assert_eq!((posted.status, &posted.body["status"]), (200, &json!("Posted")), "{}", posted.body);
    let again = server.caller.call("PUT", &format!("{path}/post")).send().await;
    assert_eq!(again.status, 400, "{}", again.body);
    world.run(json!({ "targetDate": "2024-07-24" })).await;
    assert_eq!(server.charges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn external_payments_settle_what_they_name_and_keep_the_rest() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let world = World::new(caller);
    let account = world.account("Transfers", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(40), "2024-07-01").await;
    let body = json!({
        "accountId": account, "amount": 100, "currency": "USD", "type": "External",
        "invoices": [{ "invoiceId": invoice, "amount": 30 }], "referenceId": "transfer 7",
    });
    let payment = caller.create("/v1/payments", body).await;
    assert_eq!(
        (&payment["appliedAmount"], &payment["unappliedAmount"]),
        (&json!(30), &json!(70)),
        "{payment}"
    );
    assert_eq!((&payment["status"], &payment["number"]), (&json!("Processed"), &json!("P-00000001")));
    assert_eq!(caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 10);
    let too_much = json!({
        "accountId": account, "amount": 100, "currency": "USD", "type": "External",
        "invoices": [{ "invoiceId": invoice, "amount": 10.01 }],
    });
    let refused = caller.post("/v1/payments", too_much).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert_eq!(server.charges().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_electronic_payment_changes_no_balance() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let world = World::new(caller);
    let account = world.account("Declined", CARD_DECLINED).await;
    let invoice = world.invoice(&account, json!(40), "2024-07-01").await;
    let body = json!({
        "accountId": account, "amount": 40, "currency": "USD", "type": "Electronic",
        "invoices": [{ "invoiceId": invoice, "amount": 40 }],
    });
    let payment = caller.create("/v1/payments", body).await;
    assert_eq!(payment["status"], "Error", "{payment}");
    assert!(payment["gatewayResponseCode"].is_string(), "{payment}");
    assert_eq!(caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_are_listed() {
    let server = TestServer::start().await;
    let body = server.caller.get("/v1/payment-gateways").await.body;
    assert_eq!(body["paymentgateways"].as_array().map(Vec::len), Some(1), "{body}");
    assert_eq!(body["paymentgateways"][0]["isDefault"], true);
}
