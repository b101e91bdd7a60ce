//! Accounts, payment methods, documents, credits and payments.

use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World, text};
use serde_json::{Value, json};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_run_names_the_gateway_it_is_limited_to() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let gateways = caller.get("/v1/payment-gateways").await.body;
    let (id, name) =
        (text(&gateways["paymentgateways"][0], "id"), text(&gateways["paymentgateways"][0], "name"));
    let assert_named = |run: &Value| {
        assert_eq!(
            (&run["paymentGatewayId"], &run["paymentGatewayNumber"]),
            (&json!(id), &json!(name)),
            "{run}"
        );
    };
    let body = json!({ "runDate": "2099-01-01 00:00:00", "paymentGatewayNumber": name });
    let run = caller.create("/v1/payment-runs", body).await;
    assert_named(&run);
    let path = format!("/v1/payment-runs/{}", text(&run, "id"));
    assert_named(&caller.get(&path).await.body);
    assert_named(&caller.get("/v1/payment-runs").await.body["paymentRuns"][0]);
    assert_named(&caller.put(&path, json!({ "batch": "Batch1" })).await.body);
    let cleared = caller.put(&path, json!({ "paymentGatewayNumber": null })).await.body;
    assert_eq!(cleared.get("paymentGatewayNumber"), None, "{cleared}");
    let set = caller.put(&path, json!({ "paymentGatewayId": id })).await.body;
    assert_named(&set);
}

/// The numbers of the payments that a list shows, in its order.
async fn numbers(server: &TestServer, query: &str) -> Vec<String> {
    let answer = server.caller.get(&format!("/v1/payments{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let payments = answer.body["payments"].as_array().unwrap();
    payments
        .iter()
        .map(|payment| text(payment, "number").trim_start_matches("P-0000000").to_owned())
        .collect()
}

/// Four payments: external ones of 100 and 5 dollars and of 40 yen, and an electronic one of 70 dollars for an invoice, all
/// on different days. Gives the two accounts.
async fn four_payments(server: &TestServer) -> (String, String) {
    let world = World::new(&server.caller);
    let dollars = world.account("Dollars", CARD_APPROVED).await;
    let yen = world.account_with("Yen", CARD_APPROVED, json!({ "currency": "JPY" })).await;
    let invoice = world.invoice(&dollars, json!(70), "2024-07-01").await;
    for (account, currency, amount, day, kind) in [
        (&dollars, "USD", 100, "2024-07-29", "External"),
        (&yen, "JPY", 40, "2024-07-28", "External"),
        (&dollars, "USD", 70, "2024-07-30", "Electronic"),
        (&dollars, "USD", 5, "2024-07-28", "External"),
    ] {
        let mut body = json!({
            "accountId": account, "amount": amount, "currency": currency, "type": kind, "effectiveDate": day,
        });
        if kind == "Electronic" {
            body["invoices"] = json!([{ "invoiceId": invoice, "amount": 70 }]);
        }
        server.caller.create("/v1/payments", body).await;
        server.node().clock().advance(jiff::SignedDuration::from_secs(10));
    }
    (dollars, yen)
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_filtered_by_every_documented_field() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let (dollars, yen) = four_payments(&server).await;
    let user =
        server.caller.get("/v1/payments/P-00000001").await.body["createdById"].as_str().unwrap().to_owned();
    for (query, expected) in [
        (String::new(), &["4", "3", "2", "1"][..]),
        (format!("?accountId={yen}"), &["2"]),
        (format!("?accountId={dollars}&currency=USD&type=External"), &["4", "1"]),
        (format!("?createdById={user}&effectiveDate=2024-07-28"), &["4", "2"]),
        (format!("?updatedById={user}&status=Processed&number=P-00000003"), &["3"]),
        ("?createdById=null".to_owned(), &[]),
        ("?updatedById=someone".to_owned(), &[]),
        ("?createdDate=2024-07-28%2010:15:10".to_owned(), &["2"]),
        ("?updatedDate=2024-07-28T10:15:20".to_owned(), &["3"]),
        ("?currency=JPY".to_owned(), &["2"]),
        ("?currency=NOPE".to_owned(), &[]),
        ("?type=Electronic".to_owned(), &["3"]),
        ("?number=P-00000009".to_owned(), &[]),
        ("?status=Draft".to_owned(), &[]),
        ("?status=Error".to_owned(), &[]),
    ] {
        assert_eq!(numbers(&server, &query).await, expected, "{query}");
    }
    for wrong in
        ["?effectiveDate=yesterday", "?type=Barter", "?createdDate=null", "?amount=5", "?sort=status"]
    {
        let answer = server.caller.get(&format!("/v1/payments{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_sorted_by_every_documented_field() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let (dollars, yen) = four_payments(&server).await;
    // Accounts that were made later have larger identifiers.
    assert!(dollars < yen);
    for (sort, expected) in [
        ("-number", ["1", "2", "3", "4"]),
        ("number", ["4", "3", "2", "1"]),
        ("-accountId,-number", ["1", "3", "4", "2"]),
        ("-amount", ["4", "2", "3", "1"]),
        ("%2BappliedAmount,-amount", ["3", "4", "2", "1"]),
        ("+unappliedAmount", ["1", "2", "4", "3"]),
        ("createdById,-createdDate", ["1", "2", "3", "4"]),
        ("createdDate", ["4", "3", "2", "1"]),
        ("-effectiveDate", ["4", "2", "1", "3"]),
        ("-updatedById", ["4", "3", "2", "1"]),
        ("-updatedDate", ["1", "2", "3", "4"]),
    ] {
        assert_eq!(numbers(&server, &format!("?sort={sort}")).await, expected, "{sort}");
    }
    let first = server.caller.get("/v1/payments?pageSize=3&sort=-amount").await.body;
    let next = text(&first, "nextPage");
    assert_eq!(next, "/v1/payments?pageSize=3&sort=-amount&page=2");
    let second = server.caller.get(&next).await.body;
    assert_eq!(second["payments"][0]["number"], "P-00000001", "{second}");
    assert_eq!(second["nextPage"], serde_json::Value::Null);
}
