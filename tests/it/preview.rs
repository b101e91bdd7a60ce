//! What a payment run would do, asked over HTTP, and the run that follows.

use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Caller;
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use serde_json::{Value, json};

use crate::administration::logged_in;

const PATH: &str = "/ops/payment-runs/preview";
const DUE: &str = "2024-07-01";
const TARGET: &str = "2024-07-24";

/// Every page of a preview; gives the first one and all decisions.
async fn preview(caller: &Caller, body: &Value, page_size: usize) -> (Value, Vec<Value>) {
    let first = caller.post(&format!("{PATH}?page_size={page_size}"), body.clone()).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let (first, mut decisions) = (first.body, Vec::new());
    let mut page = first.clone();
    loop {
        decisions.extend(page["decisions"].as_array().unwrap().clone());
        for count in ["documents_total", "payments", "totals"] {
            assert_eq!(page[count], first[count], "the numbers are those of the whole");
        }
        let Some(cursor) = page["next_page"].as_str() else { return (first, decisions) };
        page = caller.post(&format!("{PATH}?page_size={page_size}&cursor={cursor}"), body.clone()).await.body;
    }
}

/// Decisions of a preview or of a run, as far as both tell them.
fn comparable(decisions: &[Value]) -> Vec<Value> {
    let only_one_tells = ["payment_id", "payment_method_id", "payment_gateway_id"];
    let mut decisions = decisions.to_vec();
    for decision in decisions.iter_mut().filter_map(Value::as_object_mut) {
        decision.retain(|name, _| !only_one_tells.contains(&name.as_str()));
    }
    decisions
}

/// Runs what was previewed and compares.
async fn compare(server: &TestServer, body: &Value) -> (Value, Value) {
    let caller = &server.caller;
    let (told, decisions) = preview(caller, body, 2).await;
    let run = World::new(caller).run(body.clone()).await;
    let id = text(&run, "id");
    let decided = caller.get(&format!("/ops/payment-runs/{id}/decisions?page_size=99")).await.body;
    assert_eq!(comparable(&decisions), comparable(decided["data"].as_array().unwrap()));
    let summary = caller.get(&format!("/v1/payment-runs/{id}/summary")).await.body;
    for (counted, name) in [
        ("documents_collected", "numberOfReceivables"),
        ("invoices", "numberOfInvoices"),
        ("debit_memos", "numberOfDebitMemos"),
        ("credit_memos", "numberOfCreditMemos"),
        ("unapplied_payments", "numberOfUnappliedPayments"),
        ("credit_balance_adjustments", "numberOfCreditBalanceAdjustments"),
        ("payments", "numberOfPayments"),
        ("data_records_refused", "numberOfErrorInputData"),
    ] {
        assert_eq!(told[counted], summary[name], "{counted}: {told} {summary}");
    }
    for total in told["totals"].as_array().unwrap() {
        let currency = text(total, "currency");
        let summed = summary["totalValues"].as_array().unwrap();
        let summed =
            summed.iter().find(|one| text(one, "totalValueOfReceivables").ends_with(&currency)).unwrap();
        for (ours, theirs) in [
            ("receivables", "totalValueOfReceivables"),
            ("invoices", "totalValueOfInvoices"),
            ("debit_memos", "totalValueOfDebitMemos"),
            ("credit_memos", "totalValueOfCreditMemos"),
            ("unapplied_payments", "totalValueOfUnappliedPayments"),
            ("credit_balance", "totalValueOfCreditBalance"),
            ("payments", "totalValueOfPayments"),
        ] {
            assert_eq!(json!(format!("{} {currency}", total[ours])), summed[theirs], "{ours}");
        }
    }
    (told, summary)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_tells_what_the_run_then_does() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Paying", CARD_APPROVED).await;
    for amount in [100, 30, 12] {
        world.invoice(&account, json!(amount), DUE).await;
    }
    world.memo("debit-memos", &account, json!(20), DUE).await;
    world.memo("credit-memos", &account, json!(110), DUE).await;
    world.unapplied_payment(&account, json!(25)).await;
    let yen = world.account_with("Tokyo", CARD_APPROVED, json!({ "currency": "JPY" })).await;
    world.invoice(&yen, json!(500), DUE).await;
    let manual = world.account_with("Manual", CARD_APPROVED, json!({ "autoPay": false })).await;
    world.invoice(&manual, json!(11), DUE).await;
    world.invoice(&manual, json!(11), "2024-07-25").await;

    let body =
        json!({ "targetDate": TARGET, "autoApplyCreditMemo": true, "autoApplyUnappliedPayment": true });
    let (told, _) = preview(&server.caller, &body, 99).await;
    assert_eq!((&told["target_date"], &told["documents_total"]), (&json!(TARGET), &json!(6)));
    assert_eq!((&told["documents_skipped"], &told["payments"]), (&json!(1), &json!(3)), "{told}");
    assert!(server.charges().is_empty(), "nothing is charged");
    let listed = server.caller.get("/v1/payment-runs").await.body;
    assert_eq!(listed["paymentRuns"], json!([]), "nothing is created");

    compare(&server, &body).await;
    // What was collected is gone, what was left is left again.
    let (again, _) = preview(&server.caller, &body, 99).await;
    assert_eq!((&again["documents_total"], &again["payments"]), (&json!(1), &json!(0)));
    let numbers = server.caller.get("/v1/payment-runs").await.body;
    assert_eq!(numbers["paymentRuns"][0]["number"], "PR-00000001", "a preview uses no number up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_records_tells_how_many_would_fail() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Recorded", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(100), DUE).await;
    let record = |amount: i64| json!({ "accountId": account, "documentType": "Invoice", "documentId": invoice, "amount": amount });
    let body = json!({
        "targetDate": TARGET,
        "data": [
            record(40), record(1),
            { "accountId": account, "standalone": true, "amount": 15.5 },
            { "accountId": "8ad09be48db5aba7018db604776d4854" },
        ],
    });
    let (told, summary) = compare(&server, &body).await;
    assert_eq!((&told["data_records_refused"], &told["payments"]), (&json!(2), &json!(2)), "{told}");
    assert_eq!(summary["numberOfInputData"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_run_is_previewed_as_if_it_started_now() {
    let server = TestServer::start_at("2024-07-20T10:00:00Z").await;
    let world = World::new(&server.caller);
    let account = world.account("Paying", CARD_APPROVED).await;
    world.invoice(&account, json!(5), "2024-07-24").await;
    world.invoice(&account, json!(6), "2024-07-25").await;
    let (told, _) = preview(&server.caller, &json!({ "runDate": "2024-07-24 09:00:00" }), 99).await;
    assert_eq!((&told["target_date"], &told["documents_total"]), (&json!(TARGET), &json!(1)));
    let both = json!({ "runDate": "2024-07-24 09:00:00", "targetDate": "2024-07-25" });
    assert_eq!(preview(&server.caller, &both, 99).await.0["documents_total"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_refused_as_the_creation_would_be() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let account = World::new(caller).account("Known", CARD_APPROVED).await;
    let unknown = "8ad09be48db5aba7018db604776d4854";
    for (name, body) in [
        ("an empty body", json!({})),
        ("conflicting filters", json!({ "accountId": account, "batch": "Batch1", "currency": "USD" })),
        ("an unknown field and a bad value", json!({ "acountId": account, "batch": "x".repeat(51) })),
        ("an unknown account", json!({ "accountId": unknown, "targetDate": TARGET })),
        (
            "a nested custom field",
            json!({ "targetDate": TARGET, "data": [{ "accountId": account, "a__c": [1] }] }),
        ),
        (
            "items",
            json!({ "targetDate": TARGET, "data": [{ "accountId": account, "dataItems": [{ "amount": 1 }] }] }),
        ),
        ("a credit balance", json!({ "targetDate": TARGET, "applyCreditBalance": true })),
    ] {
        let created = caller.post("/v1/payment-runs", body.clone()).await;
        let previewed = caller.post(PATH, body).await;
        assert_eq!((created.status, previewed.status), (400, 400), "{name}: {}", previewed.body);
        let (reasons, errors) = (&created.body["reasons"], &previewed.body["errors"]);
        let (reasons, errors) = (reasons.as_array().unwrap(), errors.as_array().unwrap());
        assert_eq!(reasons.len(), errors.len(), "{name}: every fault at once: {}", previewed.body);
        for (reason, error) in reasons.iter().zip(errors) {
            assert!(text(reason, "message").ends_with(&text(error, "message")), "{name}: {reason} {error}");
        }
    }
    let good = json!({ "targetDate": TARGET });
    for query in ["cursor=AAAA", "page_size=0", "page_size=100"] {
        assert_eq!(caller.post(&format!("{PATH}?{query}"), good.clone()).await.status, 400, "{query}");
    }
    let clerk =
        logged_in(&server, caller, "clerk", json!({ "permissions": ["process_electronic_payment"] })).await;
    assert_eq!(clerk.post(PATH, good).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_belongs_to_its_body_and_charging_to_its_permission() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Paying", CARD_APPROVED).await;
    for amount in [1, 2] {
        world.invoice(&account, json!(amount), DUE).await;
    }
    let body = json!({ "targetDate": TARGET });
    let (first, _) = preview(&server.caller, &body, 1).await;
    let path = format!("{PATH}?page_size=1&cursor={}", text(&first, "next_page"));
    assert_eq!(server.caller.post(&path, body.clone()).await.status, 200);
    let other = json!({ "targetDate": TARGET, "consolidatedPayment": true });
    assert_eq!(server.caller.post(&path, other).await.status, 400);
    let manager =
        logged_in(&server, &server.caller, "manager", json!({ "permissions": ["manage_payment_runs"] }))
            .await;
    let (told, decisions) = preview(&manager, &body, 99).await;
    assert_eq!(
        (&told["payments"], &told["documents_collected"]),
        (&json!(0), &json!(0)),
        "who may not charge"
    );
    assert!(decisions.iter().all(|one| one["reason"] == "credit_not_applied"), "{decisions:?}");
}
