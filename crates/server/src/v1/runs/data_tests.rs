#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! What is told of a record, for each way in which it can end.

use jiff::Timestamp;
use payment_runs_engine::account::Stamps;
use payment_runs_engine::ids::{AccountId, CreditMemoId, Key, PaymentId, UserId};
use payment_runs_engine::payment::{GatewayAnswer, PaymentKind};
use payment_runs_engine::run::DataRecord;
use serde_json::{Value, json};

use super::*;

fn record() -> RecordResult {
    RecordResult {
        position: 0,
        record: DataRecord {
            account: Some(Key::new("A00000001")),
            account_is_number: true,
            document_kind: Some(DocumentKind::Invoice),
            document: Some(Key::new("c1d2")),
            amount: Some((805, 1)),
            payment_method: Some(Key::new("a9b8")),
            comment: Some("March".to_owned()),
            custom_fields: [("costCentre__c".to_owned(), json!("4711"))].into(),
            ..DataRecord::default()
        },
        error: None,
        decided: true,
        amount_to_collect: Some((8_050, Currency::USD)),
        transactions: vec![],
    }
}

fn payment(state: PaymentState, applied_minor: i64) -> RecordTransaction {
    let declined = state == PaymentState::Declined;
    let payment = Payment {
        id: PaymentId::from_u128(1),
        number: "P-00000001".to_owned(),
        account: AccountId::from_u128(2),
        run: None,
        kind: PaymentKind::Electronic,
        state,
        currency: Currency::USD,
        amount_minor: 9_000,
        unapplied_minor: 0,
        payment_method: None,
        gateway: None,
        charge_key: None,
        answer: GatewayAnswer {
            reference: None,
            code: declined.then(|| "card_declined".to_owned()),
            message: declined.then(|| "Declined.".to_owned()),
        },
        effective_date: "2026-03-31".parse().unwrap(),
        reference_id: None,
        comment: None,
        standalone: false,
        settled_at: None,
        parts: vec![],
        stamps: Stamps::new(Timestamp::UNIX_EPOCH, UserId::from_u128(3)),
    };
    RecordTransaction::Payment { payment, applied_minor }
}

fn memo(applied_minor: i64) -> RecordTransaction {
    RecordTransaction::Credit { source: CreditSource::CreditMemo(CreditMemoId::from_u128(4)), applied_minor }
}

/// What is told of a record beside its own fields.
fn told(result: RecordResult) -> Value {
    let own = [
        "accountNumber",
        "documentType",
        "documentId",
        "amount",
        "paymentMethodId",
        "comment",
        "costCentre__c",
    ];
    let Value::Object(fields) = serde_json::to_value(element(result)).unwrap() else { return Value::Null };
    fields.into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect()
}

#[test]
fn a_record_is_told_as_it_was_given() {
    let result = RecordResult { decided: false, amount_to_collect: None, ..record() };
    assert_eq!(
        serde_json::to_value(element(result)).unwrap(),
        json!({
            "accountNumber": "A00000001", "documentType": "Invoice", "documentId": "c1d2", "amount": 80.5,
            "paymentMethodId": "a9b8", "comment": "March", "costCentre__c": "4711"
        })
    );
    let standalone = DataRecord {
        account: Some(Key::new("account2")),
        amount: Some((100, 0)),
        currency: Some("GBP".to_owned()),
        standalone: true,
        ..DataRecord::default()
    };
    let result = RecordResult { decided: false, record: standalone, ..record() };
    assert_eq!(
        serde_json::to_value(element(result)).unwrap(),
        json!({"accountId": "account2", "amount": 100, "currency": "GBP", "standalone": true})
    );
}

#[test]
fn credits_come_first_and_both_count_as_collected() {
    let transactions = vec![payment(PaymentState::Processed, 7_050), memo(1_000)];
    assert_eq!(
        told(RecordResult { transactions, ..record() }),
        json!({
            "amountToCollect": 80.5, "amountCollected": 80.5, "result": "Processed",
            "transactions": [
                {"type": "CreditMemo", "id": format!("{:032x}", 4), "appliedAmount": 10},
                {"type": "Payment", "id": format!("{:032x}", 1), "appliedAmount": 70.5, "amount": 90,
                 "status": "Processed"}
            ]
        })
    );
}

#[test]
fn a_declined_payment_is_told_with_its_reason() {
    let error = Some(("card_declined".to_owned(), "Declined.".to_owned()));
    let transactions = vec![payment(PaymentState::Declined, 8_050)];
    assert_eq!(
        told(RecordResult { transactions, error, ..record() }),
        json!({
            "amountToCollect": 80.5, "amountCollected": 0, "result": "Error",
            "errorCode": "card_declined", "errorMessage": "Declined.",
            "transactions": [
                {"type": "Payment", "id": format!("{:032x}", 1), "appliedAmount": 80.5, "amount": 90,
                 "status": "Error", "errorCode": "card_declined", "errorMessage": "Declined."}
            ]
        })
    );
}

#[test]
fn an_open_payment_leaves_the_result_open() {
    for state in [PaymentState::Intent, PaymentState::Pending, PaymentState::Unknown] {
        let told = told(RecordResult { transactions: vec![payment(state, 8_050)], ..record() });
        assert_eq!(told.get("result"), None, "{state:?}");
        assert_eq!(told["amountCollected"], json!(0), "{state:?}");
        assert_eq!(told["transactions"][0]["status"], json!("Processing"), "{state:?}");
    }
}

#[test]
fn an_invalid_record_has_neither_amounts_nor_transactions() {
    let error = Some(("Invalid_Request_Data".to_owned(), "Payment method is closed".to_owned()));
    assert_eq!(
        told(RecordResult { amount_to_collect: None, error, ..record() }),
        json!({
            "result": "Error", "errorCode": "Invalid_Request_Data", "errorMessage": "Payment method is closed"
        })
    );
}
