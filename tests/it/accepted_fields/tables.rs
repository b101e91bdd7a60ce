//! What each field of accounts, payment methods, documents and payments does.

use serde_json::{Value, json};

use super::runs::{administration, payment_runs, schedules};
use super::{Arranged, Table, over};

/// Fields, each with what is put over the body; null takes a field away.
pub(crate) type Fields = Vec<(&'static str, Value)>;

pub(super) const NOT_KEPT: &str = "neither kept nor sent to the gateway: no payment run needs it";

/// What a memo may hold and does not keep.
const MEMO_IDLE: &[(&str, &str)] = &[
    ("charges[].chargeId", NOT_KEPT),
    ("charges[].productRatePlanChargeId", NOT_KEPT),
    ("charges[].comment", NOT_KEPT),
    ("charges[].description", NOT_KEPT),
    ("charges[].service", NOT_KEPT),
    ("reasonCode", NOT_KEPT),
    ("comment", NOT_KEPT),
];

pub(crate) fn tables(arranged: &Arranged) -> Vec<Table> {
    let mut tables = accounts(arranged);
    tables.extend(payment_methods(arranged));
    tables.extend(documents(arranged));
    tables.extend([create_payment(arranged)]);
    tables.extend(payment_runs(arranged));
    tables.extend(schedules());
    tables.extend(administration());
    tables
}

fn contact() -> Value {
    json!({ "firstName": "Ada", "lastName": "Lovelace" })
}

fn new_account() -> Value {
    json!({ "name": "New", "currency": "USD", "billToContact": contact() })
}

/// A card, in the body of an account or alone.
fn card() -> Value {
    json!({
        "type": "CreditCard", "cardNumber": "4242424242424242", "cardType": "Visa", "expirationMonth": 12,
        "expirationYear": 2040, "cardHolderInfo": { "cardHolderName": "Ada" },
    })
}

fn accounts(arranged: &Arranged) -> Vec<Table> {
    let create = Table {
        operation: ("v1", "createAccount"),
        before: None,
        call: ("POST", "/v1/accounts".to_owned()),
        body: new_account(),
        read: vec!["/v1/accounts/{id}"],
        kept: vec![
            ("name", json!({ "name": "Newer" })),
            ("currency", json!({ "currency": "EUR" })),
            ("accountNumber", json!({ "accountNumber": "GIVEN" })),
            ("autoPay", json!({ "autoPay": true, "paymentMethod": card() })),
            ("batch", json!({ "batch": "Batch7" })),
            ("billCycleDay", json!({ "billCycleDay": 7 })),
            ("gatewayId", json!({ "gatewayId": arranged.gateway })),
            ("paymentGateway", json!({ "paymentGateway": arranged.gateway })),
        ],
        refused: vec![
            ("parentId", json!({ "parentId": arranged.account })),
            ("organizationLabel", json!({ "organizationLabel": "none" })),
            ("paymentMethodId", json!({ "paymentMethodId": arranged.method })),
        ],
        idle: vec![
            ("billToContact.", NOT_KEPT),
            ("paymentMethod.", "as for createPaymentMethod, by the same code"),
            ("creditCard.", "as for createPaymentMethod, by the same code"),
        ],
    };
    let update = Table {
        operation: ("v1", "updateAccount"),
        before: Some(("/v1/accounts", new_account())),
        call: ("PUT", "/v1/accounts/{id}".to_owned()),
        body: json!({ "name": "Changed" }),
        read: vec!["/v1/accounts/{id}"],
        kept: vec![
            ("name", json!({ "name": "Other" })),
            ("batch", json!({ "batch": "Batch7" })),
            ("billCycleDay", json!({ "billCycleDay": 7 })),
            ("paymentGateway", json!({ "paymentGateway": arranged.gateway })),
        ],
        refused: vec![
            ("autoPay", json!({ "autoPay": true })),
            ("defaultPaymentMethodId", json!({ "defaultPaymentMethodId": arranged.method })),
            ("currency", json!({ "currency": "EUR" })),
            ("parentId", json!({ "parentId": arranged.account })),
            ("status", json!({ "status": "Canceled" })),
        ],
        idle: vec![],
    };
    vec![create, update]
}

fn payment_methods(arranged: &Arranged) -> Vec<Table> {
    let mut body = card();
    body["accountKey"] = json!(arranged.account);
    let ach = json!({
        "type": "ACH", "cardNumber": null, "cardType": null, "expirationMonth": null, "expirationYear": null, "cardHolderInfo": null,
        "bankABACode": "110000000", "bankAccountNumber": "000123456789", "bankAccountName": "Ada",
    });
    let reference = json!({
        "type": "CreditCardReferenceTransaction", "cardNumber": null, "cardType": null, "expirationMonth": null, "expirationYear": null, "cardHolderInfo": null,
    });
    let create = Table {
        operation: ("v1", "createPaymentMethod"),
        before: None,
        call: ("POST", "/v1/payment-methods".to_owned()),
        body,
        read: vec!["/v1/payment-methods/{id}"],
        kept: vec![
            ("type", over(&reference, &json!({ "tokenId": "pm_card_visa" }))),
            ("makeDefault", json!({ "makeDefault": true })),
            ("cardNumber", json!({ "cardNumber": "5555555555554444", "cardType": "MasterCard" })),
            ("cardType", json!({ "cardNumber": "5555555555554444", "cardType": "MasterCard" })),
            ("expirationMonth", json!({ "expirationMonth": 11 })),
            ("expirationYear", json!({ "expirationYear": 2041 })),
            ("tokenId", over(&reference, &json!({ "tokenId": "pm_card_visa" }))),
            ("tokens.tokenId", over(&reference, &json!({ "tokens": { "tokenId": "pm_card_visa" } }))),
            (
                "secondTokenId",
                over(&reference, &json!({ "tokenId": "pm_card_visa", "secondTokenId": "cus_1" })),
            ),
            (
                "tokens.secondTokenId",
                over(
                    &reference,
                    &json!({ "tokens": { "tokenId": "pm_card_visa", "secondTokenId": "cus_1" } }),
                ),
            ),
            (
                "cardMaskNumber",
                over(&reference, &json!({ "tokenId": "pm_card_visa", "cardMaskNumber": "************1112" })),
            ),
            ("IBAN", over(&reference, &json!({ "type": "SEPA", "IBAN": "DE89370400440532013000" }))),
            ("bankABACode", ach.clone()),
            ("bankAccountNumber", ach.clone()),
            ("bankAccountName", ach.clone()),
        ],
        refused: vec![
            ("accountKey", json!({ "accountKey": "none" })),
            ("authGateway", json!({ "authGateway": "none" })),
            ("securityCode", json!({ "securityCode": "123" })),
        ],
        idle: vec![
            (
                "cardHolderInfo.cardHolderName",
                "sent to the gateway and kept in the ledger; no answer shows it",
            ),
            ("cardHolderInfo.addressLine", NOT_KEPT),
            ("cardHolderInfo.city", NOT_KEPT),
            ("cardHolderInfo.country", NOT_KEPT),
            ("cardHolderInfo.email", NOT_KEPT),
            ("cardHolderInfo.phone", NOT_KEPT),
            ("cardHolderInfo.state", NOT_KEPT),
            ("cardHolderInfo.zipCode", NOT_KEPT),
            ("accountHolderInfo.", "sent to the gateway"),
            ("mandateInfo.", "the gateway is told that there is a mandate, and not which"),
            ("bankAccountType", NOT_KEPT),
            ("skipValidation", "nothing is validated with the gateway before the first charge"),
            ("tokens.gatewayType", NOT_KEPT),
        ],
    };
    let update = Table {
        operation: ("v1", "updatePaymentMethod"),
        before: Some(("/v1/payment-methods", card())),
        call: ("PUT", "/v1/payment-methods/{id}".to_owned()),
        body: json!({ "expirationMonth": 10 }),
        read: vec!["/v1/payment-methods/{id}"],
        kept: vec![
            ("maxConsecutivePaymentFailures", json!({ "maxConsecutivePaymentFailures": 9 })),
            ("paymentRetryWindow", json!({ "paymentRetryWindow": 9 })),
            ("useDefaultRetryRule", json!({ "useDefaultRetryRule": false })),
            ("expirationMonth", json!({ "expirationMonth": 9 })),
            ("expirationYear", json!({ "expirationYear": 2042 })),
        ],
        refused: vec![
            ("securityCode", json!({ "securityCode": "123" })),
            ("status", json!({ "status": "Closed" })),
        ],
        idle: vec![],
    };
    vec![create, update]
}

fn documents(arranged: &Arranged) -> Vec<Table> {
    let service = json!({ "amount": 10, "chargeName": "Service", "serviceStartDate": "2024-07-01" });
    let item = |more: &Value| json!({ "invoiceItems": [over(&service, more)] });
    let invoice = Table {
        operation: ("v1", "createInvoice"),
        before: None,
        call: ("POST", "/v1/invoices".to_owned()),
        body: json!({
            "accountId": arranged.account, "invoiceDate": "2024-07-01",
            "invoiceItems": [{ "amount": 10, "chargeName": "Service", "serviceStartDate": "2024-07-01" }],
        }),
        read: vec!["/v1/invoices/{id}"],
        kept: vec![
            ("accountId", json!({ "accountId": arranged.other_account })),
            ("accountNumber", json!({ "accountId": null, "accountNumber": "TWO" })),
            ("invoiceDate", json!({ "invoiceDate": "2024-07-02" })),
            ("dueDate", json!({ "dueDate": "2024-07-09" })),
            ("currency", json!({ "currency": "EUR" })),
            ("autoPay", json!({ "autoPay": false })),
            ("paymentMethodId", json!({ "paymentMethodId": arranged.method })),
            ("status", json!({ "status": "Posted" })),
            ("invoiceNumber", json!({ "invoiceNumber": "GIVEN" })),
            ("invoiceItems[].amount", item(&json!({ "amount": 11 }))),
            (
                "invoiceItems[].taxItems[].taxAmount",
                item(&json!({ "taxItems": [{ "name": "VAT", "taxCode": "VAT", "taxAmount": 2 }] })),
            ),
        ],
        refused: vec![("billRunId", json!({ "billRunId": "none" }))],
        idle: vec![
            ("comments", NOT_KEPT),
            ("invoiceItems[].chargeName", NOT_KEPT),
            ("invoiceItems[].description", NOT_KEPT),
            ("invoiceItems[].service", NOT_KEPT),
            ("invoiceItems[].taxItems[].name", NOT_KEPT),
            ("invoiceItems[].taxItems[].taxCode", NOT_KEPT),
        ],
    };
    let charge = json!([{ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 10 }]);
    let debit_memo = Table {
        operation: ("v1", "createDebitMemo"),
        before: None,
        call: ("POST", "/v1/debit-memos".to_owned()),
        body: json!({ "accountId": arranged.account, "charges": charge }),
        read: vec!["/v1/debit-memos/{id}"],
        kept: vec![
            ("accountId", json!({ "accountId": arranged.other_account })),
            ("accountNumber", json!({ "accountId": null, "accountNumber": "TWO" })),
            (
                "charges[].amount",
                json!({ "charges": [{ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 11 }] }),
            ),
            ("autoPay", json!({ "autoPay": false })),
            ("autoPost", json!({ "autoPost": true })),
            ("dueDate", json!({ "dueDate": "2024-08-09" })),
            ("effectiveDate", json!({ "effectiveDate": "2024-07-09" })),
            ("number", json!({ "number": "GIVEN-DM" })),
            ("currency", json!({ "currency": "EUR" })),
            ("paymentMethodId", json!({ "paymentMethodId": arranged.method })),
        ],
        refused: vec![("billRunId", json!({ "billRunId": "none" }))],
        idle: MEMO_IDLE.to_vec(),
    };
    let credit_memo = Table {
        operation: ("v1", "createCreditMemo"),
        before: None,
        call: ("POST", "/v1/credit-memos".to_owned()),
        body: json!({ "accountId": arranged.account, "charges": [{ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 10 }] }),
        read: vec!["/v1/credit-memos/{id}"],
        kept: vec![
            ("accountId", json!({ "accountId": arranged.other_account })),
            ("accountNumber", json!({ "accountId": null, "accountNumber": "TWO" })),
            (
                "charges[].amount",
                json!({ "charges": [{ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 11 }] }),
            ),
            ("autoPost", json!({ "autoPost": true })),
            ("number", json!({ "number": "GIVEN-CM" })),
            ("currency", json!({ "currency": "EUR" })),
        ],
        refused: vec![],
        idle: [
            &[("effectiveDate", "the order in which credits are used; the tests of rules hold it")],
            MEMO_IDLE,
        ]
        .concat(),
    };
    vec![invoice, debit_memo, credit_memo]
}

fn create_payment(arranged: &Arranged) -> Table {
    let electronic = json!({ "type": "Electronic", "paymentMethodId": arranged.method });
    Table {
        operation: ("v1", "createPayment"),
        before: None,
        call: ("POST", "/v1/payments".to_owned()),
        body: json!({ "accountId": arranged.account, "amount": 3, "currency": "USD", "type": "External" }),
        read: vec!["/v1/payments/{id}"],
        kept: vec![
            ("accountId", json!({ "accountId": arranged.other_account })),
            ("accountNumber", json!({ "accountId": null, "accountNumber": "TWO" })),
            ("amount", json!({ "amount": 4 })),
            ("currency", json!({ "currency": "EUR" })),
            ("type", electronic.clone()),
            ("effectiveDate", json!({ "effectiveDate": "2024-07-02" })),
            ("paymentMethodId", electronic.clone()),
            ("gatewayId", over(&electronic, &json!({ "gatewayId": arranged.gateway }))),
            ("invoices[].invoiceId", json!({ "invoices": [{ "invoiceId": arranged.invoice, "amount": 1 }] })),
            ("invoices[].invoiceNumber", json!({ "invoices": [{ "invoiceNumber": "I-ONE", "amount": 1 }] })),
            ("invoices[].amount", json!({ "invoices": [{ "invoiceId": arranged.invoice, "amount": 2 }] })),
            (
                "debitMemos[].debitMemoId",
                json!({ "debitMemos": [{ "debitMemoId": arranged.debit_memo, "amount": 1 }] }),
            ),
            (
                "debitMemos[].debitMemoNumber",
                json!({ "debitMemos": [{ "debitMemoNumber": "DM-ONE", "amount": 1 }] }),
            ),
            (
                "debitMemos[].amount",
                json!({ "debitMemos": [{ "debitMemoId": arranged.debit_memo, "amount": 2 }] }),
            ),
            ("comment", json!({ "comment": "By cheque" })),
            ("referenceId", json!({ "referenceId": "cheque-1" })),
            ("standalone", json!({ "standalone": true })),
        ],
        refused: vec![],
        idle: vec![],
    }
}
