//! Things to collect from: accounts with cards, invoices, credits.

use serde_json::{Value, json};

use crate::caller::Caller;

/// A card that is approved.
pub const CARD_APPROVED: &str = "4242424242424242";
/// A card that can be stored, but declines when it is charged.
pub const CARD_DECLINED: &str = "4000000000000341";
/// A card without funds.
pub const CARD_WITHOUT_FUNDS: &str = "4000000000009995";

/// Makes objects through the public API.
pub struct World<'a> {
    caller: &'a Caller,
}

impl<'a> World<'a> {
    /// A world behind this caller.
    pub fn new(caller: &'a Caller) -> Self {
        Self { caller }
    }

    /// An account in US dollars that pays by this card; gives its identifier.
    pub async fn account(&self, name: &str, card: &str) -> String {
        self.account_with(name, card, json!({})).await
    }

    /// The same with more or other fields.
    pub async fn account_with(&self, name: &str, card: &str, more: Value) -> String {
        let mut body = json!({
            "name": name,
            "currency": "USD",
            "autoPay": true,
            "billCycleDay": 1,
            "billToContact": { "firstName": "Ada", "lastName": name, "country": "United States" },
            "creditCard": {
                "cardNumber": card, "cardType": "Visa", "expirationMonth": "12", "expirationYear": "2040",
                "cardHolderInfo": { "cardHolderName": "Ada Lovelace" },
            },
        });
        merge(&mut body, more);
        text(&self.caller.create("/v1/accounts", body).await, "accountId")
    }

    /// A posted invoice of one item, due on this day; gives its identifier.
    pub async fn invoice(&self, account: &str, amount: Value, due_date: &str) -> String {
        let body = self.invoice_with(account, amount, due_date, json!({})).await;
        text(&body, "id")
    }

    /// The same with more or other fields; gives the whole invoice.
    pub async fn invoice_with(&self, account: &str, amount: Value, due_date: &str, more: Value) -> Value {
        let mut body = json!({
            "accountId": account,
            "invoiceDate": due_date,
            "dueDate": due_date,
            "status": "Posted",
            "invoiceItems": [{ "amount": amount, "chargeName": "Service", "serviceStartDate": due_date }],
        });
        merge(&mut body, more);
        self.caller.create("/v1/invoices", body).await
    }

    /// A posted debit memo or credit memo of one charge; gives its identifier.
    pub async fn memo(&self, kind: &str, account: &str, amount: Value, date: &str) -> String {
        let mut body = json!({
            "accountId": account,
            "autoPost": true,
            "effectiveDate": date,
            "charges": [{ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": amount }],
        });
        if kind == "debit-memos" {
            merge(&mut body, json!({ "dueDate": date, "autoPay": true }));
        }
        text(&self.caller.create(&format!("/v1/{kind}"), body).await, "id")
    }

    /// An external payment that no document has taken; gives its identifier.
    pub async fn unapplied_payment(&self, account: &str, amount: Value) -> String {
        let body = json!({ "accountId": account, "amount": amount, "currency": "USD", "type": "External" });
        text(&self.caller.create("/v1/payments", body).await, "id")
    }

    /// Creates a run and waits until it has ended; gives the run.
    pub async fn run(&self, body: Value) -> Value {
        let created = self.caller.create("/v1/payment-runs", body).await;
        assert_eq!(created["status"], "Pending", "{created}");
        self.ended(&text(&created, "id")).await
    }

    /// Waits until a run has ended; gives the run.
    pub async fn ended(&self, run: &str) -> Value {
        let path = format!("/v1/payment-runs/{run}");
        self.caller.wait_for(&path, |run| run["status"] != "Pending" && run["status"] != "Processing").await
    }
}

/// A field that is text.
pub fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("`{field}` is missing in {body}")).to_owned()
}

/// Puts fields over others; null takes a field away.
pub fn merge(body: &mut Value, more: Value) {
    let Value::Object(more) = more else { panic!("only objects can be merged") };
    for (name, value) in more {
        if value.is_null() {
            body.as_object_mut().expect("an object").shift_remove(&name);
        } else {
            body[name] = value;
        }
    }
}
