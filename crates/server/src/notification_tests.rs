//! What endpoints get.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use jiff::civil::date;
use payment_runs_engine::account::Stamps;
use payment_runs_engine::ids::{AccountId, EntityId, GatewayId, PaymentId, PaymentMethodId, UserId};
use payment_runs_engine::notify::BODY_BYTES_MAX;
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentKind, PaymentState};
use payment_runs_engine::run::{Count, Run, RunFilter, RunOptions};
use serde_json::{Value, json};

use super::*;

fn at(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

fn run() -> Run {
    Run {
        id: RunId::from_u128(0xa),
        number: "PR-00000042".to_owned(),
        status: RunStatus::Completed,
        filter: RunFilter::default(),
        options: RunOptions::default(),
        target_date: None,
        run_at: None,
        organizations: vec![],
        record_count: 0,
        executed_at: Some(at("2024-07-28T09:15:31Z")),
        completed_at: Some(at("2024-07-28T09:15:32Z")),
        error_message: None,
        occurrence: None,
        stamps: Stamps::new(at("2024-07-28T09:15:30Z"), UserId::from_u128(1)),
    }
}

fn payment() -> Payment {
    Payment {
        id: PaymentId::from_u128(0xb),
        number: "P-00000007".to_owned(),
        account: AccountId::from_u128(0xc),
        run: Some(RunId::from_u128(0xa)),
        kind: PaymentKind::Electronic,
        state: PaymentState::Declined,
        currency: Currency::USD,
        amount_minor: 12_345,
        unapplied_minor: 0,
        payment_method: Some(PaymentMethodId::from_u128(0xd)),
        gateway: Some(GatewayId::from_u128(0xe)),
        charge_key: None,
        answer: GatewayAnswer {
            reference: Some("pi_1".to_owned()),
            code: Some("card_declined".to_owned()),
            message: Some("é".repeat(5_000)),
        },
        effective_date: date(2024, 7, 28),
        reference_id: None,
        comment: None,
        standalone: false,
        settled_at: Some(at("2024-07-28T09:15:32Z")),
        parts: vec![],
        stamps: Stamps::new(at("2024-07-28T09:15:30Z"), UserId::from_u128(1)),
    }
}

fn encode(kind: NotificationKind, subject: Subject) -> Value {
    let (event, entity) = (9, EntityId::from_u128(0xf));
    let happened = notify::Notification { event, kind, at: at("2024-07-28T09:15:32Z"), entity, subject };
    let bytes = NotificationWriter.encode(DeliveryId::from_u128(0x10), &happened);
    assert!(bytes.len() <= BODY_BYTES_MAX);
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_run_is_told_with_its_merge_fields() {
    let count = |number, amount_minor| Count { number, amount_minor };
    let usd = Tally {
        invoices: count(3, 30_050),
        payments: count(2, 20_000),
        errors: count(1, 10_050),
        ..Tally::default()
    };
    let yen = Tally { invoices: count(1, 700), processing: count(1, 700), ..Tally::default() };
    let tallies = Tallies::from([(Currency::USD, usd), (Currency::from_code("JPY").unwrap(), yen)]);
    let ended = EndedRun { run: run(), target_date: Some(date(2024, 7, 31)), tallies };
    let id = format!("{:032x}", 0xa);
    assert_eq!(
        encode(NotificationKind::RunEnded, Subject::Run(Box::new(ended))),
        json!({
            "id": format!("{:032x}", 0x10), "event": "payment_run_completed", "category": 2140,
            "occurred_at": "2024-07-28T09:15:32Z", "entity_id": format!("{:032x}", 0xf),
            "payment_run": {
                "id": id, "number": "PR-00000042", "status": "completed", "target_date": "2024-07-31",
                "started_at": "2024-07-28T09:15:31Z", "completed_at": "2024-07-28T09:15:32Z", "error_message": null,
                "invoices": 4, "debit_memos": 0, "payments_processed": 2, "payments_errors": 1,
                "payments_in_doubt": 1,
                "totals": [
                    {"currency": "JPY", "invoices": 700, "debit_memos": 0, "payments": 0, "errors": 0},
                    {"currency": "USD", "invoices": 300.5, "debit_memos": 0, "payments": 200, "errors": 100.5},
                ],
            },
            "payment": null,
            "merge_fields": {
                "PaymentRun.ID": id, "PaymentRun.PaymentRunID": "PR-00000042",
                "PaymentRun.PaymentRunStatus": "Completed", "PaymentRun.TargetDate": "2024-07-31",
                "PaymentRun.NumberofInvoicesGenerated": "4", "PaymentRun.NumberofPaymentsCollected": "2",
                "PaymentRun.PaymentRunAccessURL": format!("/v1/payment-runs/{id}"),
                "PaymentRunSummary.TotalValueofInvoices": "700 JPY, 300.5 USD",
                "PaymentRunSummary.TotalValueofPaymentsApplied": "0 JPY, 200 USD",
            },
        })
    );
}

#[test]
fn a_payment_is_told_without_its_method() {
    let ended = EndedPayment {
        payment: payment(),
        account_number: "A00000001".to_owned(),
        run_number: Some("PR-00000042".to_owned()),
    };
    let told = encode(NotificationKind::PaymentDeclined, Subject::Payment(Box::new(ended.clone())));
    assert_eq!((&told["event"], &told["category"]), (&json!("payment_declined"), &json!(2110)));
    assert_eq!(
        told["payment"],
        json!({
            "id": format!("{:032x}", 0xb), "number": "P-00000007", "account_id": format!("{:032x}", 0xc),
            "account_number": "A00000001", "payment_run_id": format!("{:032x}", 0xa),
            "payment_run_number": "PR-00000042", "amount": 123.45, "currency": "USD",
            "gateway_id": format!("{:032x}", 0xe), "gateway_reference": "pi_1", "gateway_code": "card_declined",
            "gateway_message": "é".repeat(1_000),
        })
    );
    let fields = told["merge_fields"].as_object().unwrap();
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["PaymentRun.ID", "PaymentRun.PaymentRunID", "PaymentRun.PaymentRunAccessURL"]);

    let alone = Payment { run: None, state: PaymentState::Processed, ..payment() };
    let ended = EndedPayment { payment: alone, run_number: None, ..ended };
    let told = encode(NotificationKind::PaymentProcessed, Subject::Payment(Box::new(ended)));
    assert_eq!((&told["category"], &told["merge_fields"]), (&json!(2120), &json!({})));
    assert_eq!(told["payment"]["payment_run_id"], Value::Null);
}

#[test]
fn the_largest_notification_keeps_within_its_bound() {
    let letters = || 'A'..='Z';
    let codes =
        letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
    let currencies: Vec<Currency> = codes.filter_map(|code| Currency::from_code(&code).ok()).collect();
    assert!(currencies.len() > 150, "{}", currencies.len());
    let most = Count { number: i64::MAX / 1_000, amount_minor: i64::MAX };
    let tally = Tally { invoices: most, debit_memos: most, payments: most, errors: most, ..Tally::default() };
    let tallies: Tallies = currencies.into_iter().map(|currency| (currency, tally)).collect();
    let run = Run { error_message: Some("\u{1}".repeat(5_000)), ..run() };
    let ended = EndedRun { run, target_date: None, tallies };
    let told = encode(NotificationKind::RunEnded, Subject::Run(Box::new(ended)));
    assert!(told["payment_run"]["totals"].as_array().unwrap().len() > 150);
}
