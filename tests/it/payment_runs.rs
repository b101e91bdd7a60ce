//! Payment runs from creation to the last cent.

use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, CARD_WITHOUT_FUNDS, World, text};
use serde_json::{Value, json};

/// The day on which everything here is due.
const DUE: &str = "2024-07-01";
/// A target date after it.
const TARGET: &str = "2024-07-24";

async fn summary(server: &TestServer, run: &Value) -> Value {
    server.caller.get(&format!("/v1/payment-runs/{}/summary", text(run, "id"))).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_charges_what_is_due_and_says_so() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Paying", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(100.25), DUE).await;
    let later = world.invoice(&account, json!(7), "2024-07-25").await;
    let memo = world.memo("debit-memos", &account, json!(20), DUE).await;

    let run = world.run(json!({ "accountId": account, "targetDate": TARGET })).await;
    assert_eq!(run["status"], "Completed");
    assert!(run["executedOn"].is_string() && run["completedOn"].is_string(), "{run}");

    let summary = summary(&server, &run).await;
    assert_eq!(summary["numberOfInvoices"], 1, "{summary}");
    assert_eq!(summary["numberOfDebitMemos"], 1);
    assert_eq!(summary["numberOfReceivables"], 2);
    assert_eq!(summary["numberOfPayments"], 2);
    assert_eq!(summary["numberOfErrors"], 0);
    assert_eq!(summary["numberOfUnprocessedReceivables"], 0);
    assert_eq!(summary["totalValues"][0]["totalValueOfPayments"], "120.25 USD");
    assert_eq!(summary["totalValues"][0]["totalValueOfUnprocessedReceivables"], "0 USD");

    let caller = &server.caller;
    assert_eq!(caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 0);
    assert_eq!(caller.get(&format!("/v1/debit-memos/{memo}")).await.body["balance"], 0);
    assert_eq!(caller.get(&format!("/v1/invoices/{later}")).await.body["balance"], 7);
    let payments = caller.get(&format!("/v1/payments?accountId={account}")).await.body;
    assert_eq!(payments["payments"].as_array().map(Vec::len), Some(2), "{payments}");
    let charged: i64 = server.charges().iter().map(|charge| charge.amount_minor).sum();
    assert_eq!(charged, 12_025);
}

#[tokio::test(flavor = "multi_thread")]
async fn declined_cards_leave_the_run_completed_and_the_invoice_owed() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    for (name, card) in [("Declined", CARD_DECLINED), ("Broke", CARD_WITHOUT_FUNDS), ("Good", CARD_APPROVED)]
    {
        let account = world.account(name, card).await;
        world.invoice(&account, json!(10), DUE).await;
    }
    let run = world.run(json!({ "targetDate": TARGET })).await;
    assert_eq!(run["status"], "Completed");
    let summary = summary(&server, &run).await;
    assert_eq!(summary["numberOfPayments"], 1, "{summary}");
    assert_eq!(summary["numberOfErrors"], 2);
    assert_eq!(summary["numberOfUnprocessedInvoices"], 2);
    assert_eq!(summary["totalValues"][0]["totalValueOfErrors"], "20 USD");

    // The next run picks up what is still owed, and only that.
    let again = world.run(json!({ "targetDate": TARGET })).await;
    let summary = self::summary(&server, &again).await;
    assert_eq!(
        (summary["numberOfInvoices"].as_i64(), summary["numberOfErrors"].as_i64()),
        (Some(2), Some(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_used_before_the_card() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Credited", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(256), DUE).await;
    let credit = world.memo("credit-memos", &account, json!(100), DUE).await;
    let payment = world.unapplied_payment(&account, json!(100)).await;

    let body =
        json!({ "targetDate": TARGET, "autoApplyCreditMemo": true, "autoApplyUnappliedPayment": true });
    let run = world.run(body).await;
    let summary = summary(&server, &run).await;
    let totals = &summary["totalValues"][0];
    assert_eq!(totals["totalValueOfReceivables"], "256 USD", "{summary}");
    assert_eq!(totals["totalValueOfCreditMemos"], "100 USD");
    assert_eq!(totals["totalValueOfUnappliedPayments"], "100 USD");
    assert_eq!(totals["totalValueOfPayments"], "56 USD");
    assert_eq!(
        (&summary["numberOfCreditMemos"], &summary["numberOfUnappliedPayments"]),
        (&json!(1), &json!(1))
    );

    let caller = &server.caller;
    assert_eq!(caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 0);
    assert_eq!(caller.get(&format!("/v1/credit-memos/{credit}")).await.body["unappliedAmount"], 0);
    assert_eq!(caller.get(&format!("/v1/payments/{payment}")).await.body["unappliedAmount"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_document_that_met_the_filters_has_a_decision() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let paying = world.account("Paying", CARD_APPROVED).await;
    let picked = world.invoice(&paying, json!(10), DUE).await;
    let manual = world.account_with("Manual", CARD_APPROVED, json!({ "autoPay": false })).await;
    let skipped = world.invoice(&manual, json!(11), DUE).await;
    let off = world.invoice_with(&paying, json!(12), DUE, json!({ "autoPay": false })).await;

    let run = world.run(json!({ "targetDate": TARGET })).await;
    let path = format!("/ops/payment-runs/{}/decisions", text(&run, "number"));
    let decisions = server.caller.get(&path).await.body;
    let mut seen: Vec<(String, String, Value)> = decisions["data"]
        .as_array()
        .unwrap_or_else(|| panic!("{decisions}"))
        .iter()
        .map(|decision| {
            (text(decision, "document_id"), text(decision, "outcome"), decision["reason"].clone())
        })
        .collect();
    let mut expected = vec![
        (picked, "collected".to_owned(), Value::Null),
        (skipped, "skipped".to_owned(), json!("auto_pay_off_account")),
        (text(&off, "id"), "skipped".to_owned(), json!("auto_pay_off_document")),
    ];
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(seen, expected);

    let page = server.caller.get(&format!("{path}?page_size=2")).await.body;
    let cursor = text(&page, "next_page");
    let rest = server.caller.get(&format!("{path}?page_size=2&cursor={cursor}")).await.body;
    assert_eq!(rest["data"].as_array().map(Vec::len), Some(1), "{rest}");
    let skipped =
        server.caller.get(&format!("{path}?outcome=skipped&reason=auto_pay_off_account")).await.body;
    assert_eq!(skipped["data"].as_array().map(Vec::len), Some(1), "{skipped}");
    for wrong in [format!("{path}?cursor=AAAA{cursor}"), format!("{path}?outcome=skipped&cursor={cursor}")] {
        assert_eq!(server.caller.get(&wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consolidated_run_charges_an_account_once() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Bundled", CARD_APPROVED).await;
    for amount in [1, 2, 3] {
        world.invoice(&account, json!(amount), DUE).await;
    }
    let run = world.run(json!({ "targetDate": TARGET, "consolidatedPayment": true })).await;
    let summary = summary(&server, &run).await;
    assert_eq!(
        (&summary["numberOfInvoices"], &summary["numberOfPayments"]),
        (&json!(3), &json!(1)),
        "{summary}"
    );
    assert_eq!(server.charges().iter().map(|charge| charge.amount_minor).collect::<Vec<_>>(), [600]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_records_collects_what_each_one_says() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Recorded", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(100), DUE).await;
    let body = json!({
        "targetDate": TARGET,
        "data": [
            { "accountId": account, "documentId": invoice, "documentType": "Invoice", "amount": 40, "comment": "Part", "note__c": "kept" },
            { "accountId": account, "documentId": "8ad09be48db5aba7018db604776d4854", "documentType": "Invoice" },
            { "accountId": account, "amount": 15.5, "currency": "USD", "standalone": true },
        ],
    });
    let run = world.run(body).await;
    let id = text(&run, "id");
    assert_eq!(server.caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 60);
    let data = server.caller.get(&format!("/v1/payment-runs/{id}/data")).await.body;
    let data = data["data"].as_array().unwrap().clone();
    assert_eq!(data.len(), 3);
    assert_eq!(
        (&data[0]["result"], &data[0]["amountCollected"]),
        (&json!("Processed"), &json!(40)),
        "{}",
        data[0]
    );
    assert_eq!((&data[0]["comment"], &data[0]["note__c"]), (&json!("Part"), &json!("kept")));
    assert_eq!(data[0]["transactions"][0]["type"], "Payment");
    assert_eq!(
        (&data[1]["result"], &data[1]["errorCode"]),
        (&json!("Error"), &json!("Invalid_Request_Data"))
    );
    assert_eq!(
        (&data[2]["result"], &data[2]["amountCollected"]),
        (&json!("Processed"), &json!(15.5)),
        "{}",
        data[2]
    );
    let summary = summary(&server, &run).await;
    assert_eq!(summary["numberOfInputData"], 3, "{summary}");
    assert_eq!(
        (&summary["numberOfProcessedInputData"], &summary["numberOfErrorInputData"]),
        (&json!(2), &json!(1))
    );
    let charged: i64 = server.charges().iter().map(|charge| charge.amount_minor).sum();
    assert_eq!(charged, 5_550);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_filters_has_no_records() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let run = world.run(json!({ "targetDate": TARGET })).await;
    let data = server.caller.get(&format!("/v1/payment-runs/{}/data", text(&run, "id"))).await;
    assert_eq!((data.status, &data.body["data"]), (200, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_filtered_and_paged() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    for day in ["2024-01-01", "2024-01-02", "2024-01-03"] {
        world.run(json!({ "targetDate": day })).await;
    }
    let caller = &server.caller;
    let numbers = |body: &Value| -> Vec<String> {
        body["paymentRuns"].as_array().unwrap().iter().map(|run| text(run, "number")).collect()
    };
    let all = caller.get("/v1/payment-runs").await.body;
    assert_eq!(numbers(&all), ["PR-00000003", "PR-00000002", "PR-00000001"], "the newest number comes first");
    assert!(all.get("nextPage").is_none(), "{all}");
    let first = caller.get("/v1/payment-runs?pageSize=2&status=Completed").await.body;
    assert_eq!(numbers(&first).len(), 2);
    let next = text(&first, "nextPage");
    assert!(next.contains("status=Completed") && next.contains("page=2"), "{next}");
    let second = caller.get(&next).await.body;
    assert_eq!(numbers(&second), ["PR-00000001"]);
    let one = caller.get("/v1/payment-runs?targetDate=2024-01-02").await.body;
    assert_eq!(numbers(&one), ["PR-00000002"]);
    // A minus sorts upwards and a plus downwards, as documented; a plus may arrive as a blank.
    for (sort, first) in [
        ("-targetDate", "PR-00000001"),
        ("%2BtargetDate", "PR-00000003"),
        ("+targetDate", "PR-00000003"),
        ("targetDate", "PR-00000003"),
    ] {
        let sorted = caller.get(&format!("/v1/payment-runs?sort={sort}")).await.body;
        assert_eq!(numbers(&sorted)[0], first, "{sort}");
    }
    let clamped = caller.get("/v1/payment-runs?page=1&pageSize=100").await;
    assert_eq!(clamped.status, 200);
    for wrong in ["pageSize=0", "pageSize=x", "page=0&pageSize=5", "sort=number", "sort=a,b,c"] {
        assert_eq!(caller.get(&format!("/v1/payment-runs?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_charge_a_document_once() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Wanted twice", CARD_APPROVED).await;
    for _ in 0..20 {
        world.invoice(&account, json!(5), DUE).await;
    }
    let body = json!({ "targetDate": TARGET });
    let (first, second) = tokio::join!(world.run(body.clone()), world.run(body));
    assert_eq!((&first["status"], &second["status"]), (&json!("Completed"), &json!("Completed")));
    assert_eq!(server.charges().len(), 20, "each invoice is charged once, by whichever run");
}

#[tokio::test(flavor = "multi_thread")]
async fn zero_decimal_currencies_are_charged_in_whole_units() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account_with("Tokyo", CARD_APPROVED, json!({ "currency": "JPY" })).await;
    world.invoice(&account, json!(500), DUE).await;
    let run = world.run(json!({ "targetDate": TARGET })).await;
    let summary = summary(&server, &run).await;
    assert_eq!(summary["totalValues"][0]["totalValueOfPayments"], "500 JPY", "{summary}");
    assert_eq!(server.charges()[0].amount_minor, 500);
}
