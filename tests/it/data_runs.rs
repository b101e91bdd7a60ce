//! As many data records as one request may have.

use payment_runs_engine::account::Scope;
use payment_runs_engine::command::Load;
use payment_runs_engine::document::{Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{DocumentId, EntityKey, Key};
use payment_runs_engine::ports::Ledger as _;
use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, World, text};
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
