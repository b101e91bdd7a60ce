//! The records of a run that is told exactly what to collect.
//!
//! A record whose fields contradict one another is kept with its fault and fails when its turn comes, as documented: the
//! others go on. What cannot be kept at all refuses the whole request.

use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::Key;
use payment_runs_engine::run::DataRecord;
use payment_runs_types::Decimal;
use payment_runs_types::v1::{PaymentRunDataRecord, ReceivableType};

use crate::faults::Faults;

/// Reads every record.
pub(super) fn read_records(records: Vec<PaymentRunDataRecord>, faults: &mut Faults) -> Vec<DataRecord> {
    records.into_iter().enumerate().map(|(at, record)| read_record(at, record, faults)).collect()
}

fn read_record(at: usize, record: PaymentRunDataRecord, faults: &mut Faults) -> DataRecord {
    if record.data_items.as_ref().is_some_and(|items| !items.is_empty()) {
        faults.invalid(format!("data[{at}].dataItems"), "is not supported: it must be left out or empty");
    }
    for (name, value) in &record.custom_fields {
        if value.is_array() || value.is_object() {
            faults.invalid(format!("data[{at}].{name}"), "must be a text, a number, a boolean or null");
        }
    }
    let amount = record.amount.and_then(|amount| {
        let read = mantissa_and_scale(amount);
        if read.is_none() {
            faults.invalid(format!("data[{at}].amount"), "is too large");
        }
        read
    });
    let fault = contradiction(&record);
    let account_is_number = record.account_id.is_none() && record.account_number.is_some();
    let document_is_number = record.document_id.is_none() && record.document_number.is_some();
    DataRecord {
        account: record.account_id.or(record.account_number).map(Key::new),
        account_is_number,
        document_kind: record.document_type.and_then(|kind| document_kind(&kind)),
        document: record.document_id.or(record.document_number).map(Key::new),
        document_is_number,
        amount,
        payment_method: record.payment_method_id.map(Key::new),
        gateway: record.payment_gateway_id.map(Key::new),
        comment: record.comment,
        standalone: record.standalone.unwrap_or(false),
        currency: record.currency,
        custom_fields: record.custom_fields,
        fault,
    }
}

/// The kind of document; the contract's list leaves no other.
fn document_kind(kind: &ReceivableType) -> Option<DocumentKind> {
    match kind {
        ReceivableType::Invoice => Some(DocumentKind::Invoice),
        ReceivableType::DebitMemo => Some(DocumentKind::DebitMemo),
        ReceivableType::Unknown(_) => None,
    }
}

fn mantissa_and_scale(amount: Decimal) -> Option<(i64, u32)> {
    let number = amount.get();
    Some((i64::try_from(number.mantissa()).ok()?, number.scale()))
}

/// Why a record cannot be meant as it is written, as far as the engine's form of it no longer shows that.
fn contradiction(record: &PaymentRunDataRecord) -> Option<String> {
    if record.account_id.is_some() && record.account_number.is_some() {
        return Some("The account is named twice: by identifier and by number.".to_owned());
    }
    if record.document_id.is_some() && record.document_number.is_some() {
        return Some("The document is named twice: by identifier and by number.".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use serde_json::json;

    use super::*;

    fn read(records: serde_json::Value) -> (Vec<DataRecord>, Vec<String>) {
        let mut faults = Faults::default();
        let records = read_records(serde_json::from_value(records).unwrap(), &mut faults);
        let told = match faults.finish() {
            Ok(()) => vec![],
            Err(rejection) => rejection.faults.into_iter().map(|fault| fault.field).collect(),
        };
        (records, told)
    }

    #[test]
    fn a_record_is_kept_as_it_came() {
        let (records, faults) = read(json!([
            {"accountId": "60c8", "documentId": "2c90", "documentType": "Invoice", "amount": 80.5, "comment": "c",
             "customField1__c": "cf_value1"},
            {"accountNumber": "A1", "documentNumber": "DM1", "documentType": "DebitMemo", "dataItems": []},
            {"accountId": "account2", "amount": 100, "currency": "GBP", "standalone": true},
        ]));
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(records[0].account, Some(Key::new("60c8")));
        assert_eq!(records[0].amount, Some((805, 1)));
        assert_eq!(records[0].document_kind, Some(DocumentKind::Invoice));
        assert_eq!(records[0].custom_fields["customField1__c"], json!("cf_value1"));
        assert!(
            !records[0].account_is_number && !records[0].document_is_number && records[0].fault.is_none()
        );
        assert!(records[1].account_is_number && records[1].document_is_number);
        assert_eq!((records[2].currency.as_deref(), records[2].standalone), (Some("GBP"), true));
    }

    #[test]
    fn a_contradiction_fails_the_record_and_not_the_request() {
        let (records, faults) = read(json!([
            {"accountId": "a", "accountNumber": "b"},
            {"accountId": "a", "documentId": "c", "documentNumber": "d"},
        ]));
        assert_eq!(faults, Vec::<String>::new());
        assert!(records[0].fault.as_ref().unwrap().contains("account is named twice"));
        assert!(records[1].fault.as_ref().unwrap().contains("document is named twice"));
    }

    #[test]
    fn what_cannot_be_kept_refuses_the_request() {
        let (_, faults) = read(json!([
            {"accountId": "a", "dataItems": [{"documentItemId": "x"}]},
            {"accountId": "a", "nested__c": {"a": 1}, "list__c": [1]},
            {"accountId": "a", "amount": 1e20},
        ]));
        assert_eq!(faults, ["data[0].dataItems", "data[1].list__c", "data[1].nested__c", "data[2].amount"]);
    }
}
