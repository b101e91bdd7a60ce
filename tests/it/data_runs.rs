//! Data records: what each of their fields does, and as many of them as one request may have.

use std::collections::BTreeSet;
use std::sync::Arc;

use payment_runs_engine::account::{GatewayConfig, Scope};
use payment_runs_engine::command::Load;
use payment_runs_engine::document::{Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{DocumentId, EntityKey, GatewayId, Key};
use payment_runs_engine::ports::Ledger as _;
use payment_runs_gateway::stripe::{SecretKey, StripeConfig, StripeGateway};
use payment_runs_tests::TestServer;
use payment_runs_tests::contract::contract;
use payment_runs_tests::world::{CARD_APPROVED, World, merge, text};
use serde_json::{Value, json};

const DUE: &str = "2024-07-01";
const TARGET: &str = "2024-07-24";
const ACCOUNTS: usize = 50;
const DOCUMENTS_PER_ACCOUNT: usize = 1_000;
/// The largest number of records, and one of them is bad.
const RECORDS: usize = ACCOUNTS * DOCUMENTS_PER_ACCOUNT;

/// Invoices of 10.00 for an account, like the one that the API made.
async fn load_invoices(server: &TestServer, account: usize, like: &str) -> Vec<String> {
    let store = server.node().store();
    let scope = Scope::entity(EntityKey::FIRST);
    let like = store.find_document(&scope, DocumentKind::Invoice, &Key::new(like)).await.unwrap().unwrap();
    assert_eq!(like.status, DocumentStatus::Posted);
    let documents: Vec<Document> = (1..DOCUMENTS_PER_ACCOUNT)
        .map(|ordinal| Document {
            id: DocumentId::from_u128((account * DOCUMENTS_PER_ACCOUNT + ordinal) as u128 + 1),
            number: format!("L{account:02}-{ordinal:03}"),
            ..like.clone()
        })
        .collect();
    let numbers = documents.iter().map(|one| one.number.clone()).collect();
    store.load(EntityKey::FIRST, Load { documents, ..Load::default() }).await.unwrap();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_records_are_collected_in_one_run() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let mut records = Vec::with_capacity(RECORDS);
    for ordinal in 0..ACCOUNTS {
        let account = world.account(&format!("Customer {ordinal}"), CARD_APPROVED).await;
        let first = world.invoice_with(&account, json!(10), DUE, json!({})).await;
        let mut numbers = load_invoices(&server, ordinal, &text(&first, "id")).await;
        numbers.push(text(&first, "invoiceNumber"));
        records.extend(numbers.into_iter().map(|number| {
            json!({ "accountId": account, "documentType": "Invoice", "documentNumber": number, "amount": 4.5, "batch__c": ordinal })
        }));
    }
    records[777]["documentNumber"] = json!("nowhere");
    let mut body = json!({ "targetDate": TARGET, "consolidatedPayment": true, "data": records });

    let told = server.caller.create("/ops/payment-runs/preview", body.clone()).await;
    assert_eq!(
        (&told["documents_collected"], &told["data_records_refused"]),
        (&json!(RECORDS - 1), &json!(1))
    );
    let run = world.run(body.clone()).await;
    assert_eq!(run["status"], "Completed", "{run}");
    let summary = server.caller.get(&format!("/v1/payment-runs/{}/summary", text(&run, "id"))).await.body;
    assert_eq!(
        (&summary["numberOfInputData"], &summary["numberOfErrorInputData"]),
        (&json!(RECORDS), &json!(1))
    );
    assert_eq!(summary["numberOfProcessedInputData"], json!(RECORDS - 1), "{summary}");
    assert_eq!(summary["numberOfPayments"], told["payments"]);
    let charged: i64 = server.charges().iter().map(|charge| charge.amount_minor).sum();
    assert_eq!(charged, 450 * (i64::try_from(RECORDS).unwrap() - 1));
    assert_eq!(server.charges().len(), ACCOUNTS, "a payment takes a thousand documents");

    // Read as it is: to judge fifty thousand records by the contract takes longer than to collect them.
    let url = server.url(&format!("/v1/payment-runs/{}/data", text(&run, "id")));
    let answer = payment_runs_tests::http_client().get(url).bearer_auth(server.token()).send().await.unwrap();
    let data: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let data = data["data"].as_array().unwrap();
    assert_eq!(data.len(), RECORDS);
    let failed: Vec<(usize, &Value)> =
        data.iter().enumerate().filter(|(_, record)| record["result"] != "Processed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].0, &failed[0].1["errorCode"]), (777, &json!("Invalid_Request_Data")));
    assert_eq!((&data[1_234]["amountCollected"], &data[1_234]["batch__c"]), (&json!(4.5), &json!(1)));

    // One more record is one too many.
    let extra = json!({ "accountId": "A1" });
    body["data"].as_array_mut().unwrap().push(extra);
    let refused = server.caller.post("/v1/payment-runs", body).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(text(&refused.body["reasons"][0], "message").contains("data"), "{}", refused.body);
}

/// A field of a record, what is put over a record that names an invoice, and the place in the payment where it shows.
type Row = (&'static str, Value, &'static str, Value);

/// Two accounts that pay by card, with what records may name beside them.
struct Arranged {
    one: String,
    two: String,
    method: String,
    gateway: String,
    invoice: String,
    numbered_invoice: String,
    numbered_memo: String,
}

/// A second gateway, which charges at the same bank; gives its identifier.
async fn another_gateway(server: &TestServer) -> String {
    let bank = server.node().simulator().unwrap();
    let stripe = StripeConfig::new(bank.url(), SecretKey::new("sk_test_second"));
    let (id, kind) = (GatewayId::from_u128(0x77), "stripe".to_owned());
    let config = GatewayConfig { id, name: "Second".to_owned(), kind, is_active: true, is_default: false };
    let gateway = Arc::new(StripeGateway::over_http(&stripe).unwrap());
    server.node().add_gateway(config, gateway).await.unwrap();
    id.to_string()
}

async fn arrange(server: &TestServer) -> Arranged {
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let one = world.account_with("One", CARD_APPROVED, json!({ "accountNumber": "ONE" })).await;
    let two = world.account_with("Two", CARD_APPROVED, json!({ "accountNumber": "TWO" })).await;
    let method =
        json!({ "type": "CreditCardReferenceTransaction", "accountKey": one, "tokenId": "pm_card_visa" });
    let memo = json!({
        "accountId": one, "autoPost": true, "effectiveDate": DUE, "dueDate": DUE, "number": "SAME",
        "charges": [{ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 30 }],
    });
    let numbered = world.invoice_with(&one, json!(30), DUE, json!({ "invoiceNumber": "SAME" })).await;
    Arranged {
        method: text(&caller.create("/v1/payment-methods", method).await, "id"),
        gateway: another_gateway(server).await,
        invoice: world.invoice(&one, json!(30), DUE).await,
        numbered_invoice: text(&numbered, "id"),
        numbered_memo: text(&caller.create("/v1/debit-memos", memo).await, "id"),
        one,
        two,
    }
}

/// What each field does. Documents that a row names are paid in part, so that they stay open.
fn rows(of: &Arranged) -> Vec<Row> {
    let no_document = json!({ "documentType": null, "documentId": null, "amount": null });
    let over = |more: Value| {
        let mut patch = no_document.clone();
        patch.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        patch
    };
    let numbered = |kind: &str| json!({ "documentType": kind, "documentId": null, "documentNumber": "SAME" });
    let document = "/ops/documents/0/document_id";
    vec![
        ("accountId", over(json!({ "accountId": of.two })), "/v1/accountId", json!(of.two)),
        (
            "accountNumber",
            over(json!({ "accountId": null, "accountNumber": "TWO" })),
            "/v1/accountId",
            json!(of.two),
        ),
        ("documentType", numbered("DebitMemo"), document, json!(of.numbered_memo)),
        ("documentNumber", numbered("Invoice"), document, json!(of.numbered_invoice)),
        ("documentId", json!({ "documentId": of.invoice }), document, json!(of.invoice)),
        ("amount", json!({ "amount": 4.5 }), "/v1/amount", json!(4.5)),
        ("paymentMethodId", json!({ "paymentMethodId": of.method }), "/v1/paymentMethodId", json!(of.method)),
        ("paymentGatewayId", json!({ "paymentGatewayId": of.gateway }), "/v1/gatewayId", json!(of.gateway)),
        ("comment", json!({ "comment": "Part" }), "/v1/comment", json!("Part")),
        ("standalone", over(json!({ "standalone": true, "amount": 1 })), "/v1/standalone", json!(true)),
        (
            "currency",
            over(json!({ "standalone": true, "amount": 1, "currency": "EUR" })),
            "/v1/currency",
            json!("EUR"),
        ),
    ]
}

/// The first payment of a run of one record, as both APIs tell it.
async fn paid(server: &TestServer, record: &Value) -> Value {
    let run = World::new(&server.caller).run(json!({ "targetDate": TARGET, "data": [record] })).await;
    let id = text(&run, "id");
    let payments = server.caller.get(&format!("/ops/payment-runs/{id}/payments")).await.body;
    let payment = &payments["data"][0];
    assert_eq!(payment["state"], "processed", "{record}: {payments}");
    let told = server.caller.get(&format!("/v1/payments/{}", text(payment, "id"))).await.body;
    json!({ "v1": told, "ops": payment })
}

/// The fields of a record, as the contract has them.
fn record_fields() -> BTreeSet<String> {
    let mut operations = contract().operations.iter();
    let operation = operations.find(|one| one.api == "v1" && one.id == "createPaymentRun").unwrap();
    let fields = contract().body_fields(operation);
    fields.iter().filter_map(|field| field.strip_prefix("data[].")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_of_a_record_changes_its_payment_or_is_refused_by_name() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let arranged = arrange(&server).await;
    let base = world.invoice(&arranged.one, json!(30), DUE).await;
    let base =
        json!({ "accountId": arranged.one, "documentType": "Invoice", "documentId": base, "amount": 1 });
    let before = paid(&server, &base).await;
    let mut fields = record_fields();
    for (field, patch, place, told) in rows(&arranged) {
        assert!(fields.remove(field), "{field} is no field");
        // What a record without a document takes.
        world.invoice(&arranged.two, json!(10), DUE).await;
        let mut record = base.clone();
        merge(&mut record, patch);
        let after = paid(&server, &record).await;
        assert_ne!(before.pointer(place), Some(&told), "{field}");
        assert_eq!(after.pointer(place), Some(&told), "{field}: {after}");
    }
    for field in fields {
        let item = field.strip_prefix("dataItems[].").unwrap_or_else(|| panic!("{field} does nothing"));
        let mut record = base.clone();
        let value = if item == "amount" { json!(1) } else { json!("x") };
        record["dataItems"] = json!([{ item: value }]);
        let body = json!({ "targetDate": TARGET, "data": [record] });
        let refused = server.caller.post("/v1/payment-runs", body).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body.to_string().contains("dataItems"), "{}", refused.body);
    }
}
