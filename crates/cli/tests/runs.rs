//! `payment-runs runs`, `payments` and `schedules` against a running server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use payment_runs_client::Connection;
use payment_runs_client::types::v1::{CreateAccountRequest, CreateInvoiceRequest};
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, TestNode};
use serde_json::{Value, json};

/// The program, as somebody calls it who has set the environment.
struct Program {
    url: String,
}

impl Program {
    async fn output(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_payment-runs"));
        command.env("PAYMENT_RUNS_URL", &self.url).env("PAYMENT_RUNS_CLIENT_ID", CLIENT_ID);
        command.env("PAYMENT_RUNS_CLIENT_SECRET", CLIENT_SECRET).env_remove("RUST_LOG");
        command.args(line.split_whitespace());
        // The server of the test answers in this process, so its threads must not wait for the program.
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn text(&self, line: &str) -> String {
        let output = self.output(line).await;
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    async fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{line} --json")).await).unwrap()
    }
}

/// An account for each card, with an invoice of 10 dollars each.
async fn invoice(url: &str, cards: &[&str]) {
    let connection = Connection::builder(url).credentials(CLIENT_ID, CLIENT_SECRET).build().unwrap();
    for (at, card) in cards.iter().enumerate() {
        let number = format!("A-{at}");
        let account: CreateAccountRequest = serde_json::from_value(json!({
            "name": number, "accountNumber": number, "currency": "USD", "autoPay": true, "billCycleDay": 1,
            "billToContact": { "firstName": "Ada", "lastName": "Lovelace", "country": "United States" },
            "creditCard": { "cardNumber": card, "cardType": "Visa", "expirationMonth": "12",
                            "expirationYear": "2040", "cardHolderInfo": { "cardHolderName": "Ada" } },
        }))
        .unwrap();
        connection.v1().create_account().body(account).send().await.unwrap();
        let invoice: CreateInvoiceRequest = serde_json::from_value(json!({
            "accountNumber": number, "invoiceDate": "2026-01-01", "dueDate": "2026-01-31", "status": "Posted",
            "invoiceItems": [{ "chargeName": "Service", "amount": 10, "serviceStartDate": "2026-01-01" }],
        }))
        .unwrap();
        connection.v1().create_invoice().body(invoice).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_run_is_previewed_watched_and_read() {
    let node = TestNode::builder().with_system_clock().start().await.unwrap();
    let program = Program { url: node.url() };
    invoice(&program.url, &["4242424242424242", "4000000000000341"]).await;

    let preview = program.json("runs preview --target-date 2026-01-31").await;
    assert_eq!((&preview["documents_collected"], &preview["payments"]), (&json!(2), &json!(2)));
    assert_eq!(preview["totals"][0]["payments"], json!(20));
    let table = program.text("runs preview --target-date 2026-01-31").await;
    assert!(table.contains("collected") && table.contains("TOTAL"), "{table}");

    let watched = program.text("runs create --target-date 2026-01-31 --watch").await;
    assert!(watched.contains("PR-00000001 completed"), "{watched}");
    let listed = program.text("runs list --status completed").await;
    assert!(listed.starts_with("NUMBER ") && listed.contains("PR-00000001"), "{listed}");
    assert_eq!(program.json("runs get PR-00000001").await["status"], "Completed");
    let summary = program.json("runs summary PR-00000001").await;
    assert_eq!((&summary["numberOfPayments"], &summary["numberOfErrors"]), (&json!(1), &json!(1)));
    let decisions = program.json("runs decisions PR-00000001 --outcome collected").await;
    assert_eq!(decisions.as_array().unwrap().len(), 2);
    assert_eq!(program.json("runs data PR-00000001").await["data"], json!([]));
    let again = program.text("runs watch PR-00000001 --json").await;
    assert!(again.lines().all(|line| line.contains("\"progress\"")), "{again}");

    let payments = program.json("payments list --run PR-00000001").await;
    assert_eq!(payments.as_array().unwrap().len(), 2);
    let declined = program.text("payments list --state declined").await;
    assert_eq!(declined.lines().count(), 2, "{declined}");
    let number = payments[0]["number"].as_str().unwrap();
    assert_eq!(program.json(&format!("payments get {number}")).await["number"], payments[0]["number"]);
    let refused = program.output(&format!("payments resolve {number} --outcome declined --comment no")).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("409"), "a settled payment stays as it is");
    let missing = program.output("runs stop PR-99999999").await;
    assert!(String::from_utf8_lossy(&missing.stderr).contains("404"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_payment_run_is_changed_canceled_and_deleted() {
    let node = TestNode::builder().with_system_clock().start().await.unwrap();
    let program = Program { url: node.url() };
    let made = program.json("runs create --run-date 2099-01-31T09:30:00 --batch Batch1").await;
    assert_eq!((&made["status"], &made["runDate"]), (&json!("Pending"), &json!("2099-01-31 09:00:00")));
    let number = made["number"].as_str().unwrap();
    let changed =
        program.json(&format!("runs update {number} --clear batch --currency EUR --consolidated")).await;
    assert_eq!(changed["currency"], "EUR");
    assert!(changed["batch"].is_null());
    let nothing = program.output(&format!("runs update {number}")).await;
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing to change"));
    assert_eq!(program.json(&format!("runs cancel {number}")).await["status"], "canceled");
    assert!(program.text(&format!("runs delete {number}")).await.contains(number));
    assert!(!program.output(&format!("runs get {number}")).await.status.success());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_lives_through_the_command_line() {
    let node = TestNode::builder().with_system_clock().start().await.unwrap();
    let program = Program { url: node.url() };
    let line = "schedules create --name Dues --repeat monthly --on-day 31 --hour 9 --time-zone Europe/Vienna \
                --from 2099-01-01 --batch Batch1";
    let made = program.json(line).await;
    assert_eq!(
        (&made["state"], &made["next_run_at"]),
        (&json!("active"), &json!("2099-01-31T09:00:00+01:00"))
    );
    let id = made["id"].as_str().unwrap();
    let changed = program.json(&format!("schedules update {id} --hour 10")).await;
    assert_eq!(changed["next_run_at"], "2099-01-31T10:00:00+01:00");
    let listed = program.text("schedules list").await;
    assert!(listed.contains("Dues") && listed.contains("10:00 Europe/Vienna"), "{listed}");
    assert_eq!(program.json(&format!("schedules delete {id}")).await["state"], "ended");
    assert_eq!(program.json(&format!("schedules get {id}")).await["next_run_at"], Value::Null);
    node.stop().await;
}
