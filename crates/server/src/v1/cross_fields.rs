//! Faults between the fields of a body whose values are refused already, so that the caller learns of all at once.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::command::NewRun;
use payment_runs_engine::ids::{AccountId, BillRunId, GatewayId, RunId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::refusal::Refusal;
use payment_runs_engine::run::{DataRecord, RunFilter, RunOptions};
use payment_runs_engine::run_rules::check_new_run;
use payment_runs_engine::settings::Settings;
use payment_runs_stubs::{Category, Fault, Location, OperationInfo, Rejection, RequestContext};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::owner::owner_missing;
use super::runs;
use crate::refused::{Wording, faults};

/// The operations whose bodies name an account by identifier or by number.
const OWNED: &[&str] = &["createInvoice", "createDebitMemo", "createCreditMemo", "createPayment"];

/// The rejection with the faults between fields, if it refuses values of a body that has such rules.
pub(super) fn with_cross_field_faults(
    context: &RequestContext,
    operation: &OperationInfo,
    rejection: Rejection,
) -> Rejection {
    let rules: fn(&Given) -> Vec<Fault> = match operation.id {
        "createPaymentRun" => between_run_fields,
        id if OWNED.contains(&id) => about_the_owner,
        _ => return rejection,
    };
    match &context.body {
        Some(body) => with_faults(body, rejection, rules),
        None => rejection,
    }
}

/// The rejection of a body that creates a payment run, with the faults between fields.
pub(super) fn with_run_faults(body: &[u8], rejection: Rejection) -> Rejection {
    with_faults(body, rejection, between_run_fields)
}

fn with_faults(body: &[u8], rejection: Rejection, rules: fn(&Given) -> Vec<Fault>) -> Rejection {
    let about_values = Some(body).filter(|_| is_about_values(&rejection));
    match about_values.and_then(|body| serde_json::from_slice::<Given>(body).ok()) {
        Some(fields) => Rejection::from_faults([rejection.faults, rules(&fields)].concat()),
        None => rejection,
    }
}

/// Whether an account is named.
fn about_the_owner(fields: &Given) -> Vec<Fault> {
    if fields.account_id.is_there || fields.account_number.is_there {
        Vec::new()
    } else {
        vec![owner_missing()]
    }
}

fn is_about_values(rejection: &Rejection) -> bool {
    let about_value = |fault: &Fault| {
        let category = fault.category;
        fault.location == Location::Body
            && !fault.field.is_empty()
            && matches!(category, Category::InvalidValue | Category::UnknownField | Category::MissingField)
    };
    rejection.faults.iter().all(about_value)
}

/// What the fields that are given say about each other, whatever their values.
fn between_run_fields(fields: &Given) -> Vec<Fault> {
    let wording = Wording { name: runs::name, state: None };
    let mut refusals = check_new_run(&stand_in(fields), &Settings::default());
    refusals.retain(|refusal| matches!(refusal, Refusal::Excludes { .. } | Refusal::OneNeeded { .. }));
    faults(&refusals, &wording)
}

/// A run that has a value wherever the body gives one.
fn stand_in(fields: &Given) -> NewRun {
    let has_gateway = fields.payment_gateway_id.has_value || fields.payment_gateway_number.has_value;
    NewRun {
        id: RunId::from_u128(0),
        filter: RunFilter {
            account: fields.account_id.has_value.then_some(AccountId::from_u128(0)),
            batch: fields.batch.has_value.then(String::new),
            bill_cycle_day: fields.bill_cycle_day.has_value.then_some(1),
            bill_run: fields.billing_run_id.has_value.then_some(BillRunId::from_u128(0)),
            currency: fields.currency.has_value.then_some(Currency::USD),
            gateway: has_gateway.then_some(GatewayId::from_u128(0)),
        },
        options: RunOptions {
            apply_credit_balance: fields.apply_credit_balance.is_on,
            auto_apply_credit_memo: fields.auto_apply_credit_memo.is_on,
            auto_apply_unapplied_payment: fields.auto_apply_unapplied_payment.is_on,
            ..RunOptions::default()
        },
        target_date: fields.target_date.has_value.then_some(Date::MIN),
        run_at: fields.run_date.has_value.then_some(Timestamp::UNIX_EPOCH),
        organizations: Vec::new(),
        records: if fields.data.has_elements { vec![DataRecord::default()] } else { Vec::new() },
    }
}

/// The fields that have rules between them. A body that was refused may be of any size and shape, so nothing of it is kept but this.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Given {
    account_id: Trace,
    account_number: Trace,
    apply_credit_balance: Trace,
    auto_apply_credit_memo: Trace,
    auto_apply_unapplied_payment: Trace,
    batch: Trace,
    bill_cycle_day: Trace,
    billing_run_id: Trace,
    currency: Trace,
    data: Trace,
    payment_gateway_id: Trace,
    payment_gateway_number: Trace,
    run_date: Trace,
    target_date: Trace,
}

/// What is known of a value that is passed over.
#[derive(Debug, Default, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "these are four questions, each on its own")]
struct Trace {
    is_there: bool,
    has_value: bool,
    is_on: bool,
    has_elements: bool,
}

impl Trace {
    const VALUE: Self = Self { is_there: true, has_value: true, is_on: false, has_elements: false };
}

impl<'de> Deserialize<'de> for Trace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tracer)
    }
}

struct Tracer;

impl<'de> Visitor<'de> for Tracer {
    type Value = Trace;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Trace, E> {
        Ok(Trace { has_value: false, ..Trace::VALUE })
    }

    fn visit_bool<E>(self, is_on: bool) -> Result<Trace, E> {
        Ok(Trace { is_on, ..Trace::VALUE })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Trace, E> {
        Ok(Trace::VALUE)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Trace, E> {
        Ok(Trace::VALUE)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Trace, E> {
        Ok(Trace::VALUE)
    }

    fn visit_str<E>(self, _: &str) -> Result<Trace, E> {
        Ok(Trace::VALUE)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Trace, A::Error> {
        let mut has_elements = false;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            has_elements = true;
        }
        Ok(Trace { has_elements, ..Trace::VALUE })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Trace, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Trace::VALUE)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use bytes::Bytes;
    use http::{Extensions, Method, Uri};
    use serde_json::{Value, json};

    use super::*;

    fn told(id: &'static str, rejection: Rejection, body: &Value) -> Vec<String> {
        let context = RequestContext {
            method: Method::POST,
            uri: Uri::from_static("/v1/payment-runs"),
            request_id: String::new(),
            track_id: None,
            extensions: Extensions::new(),
            body: Some(Bytes::from(body.to_string())),
        };
        let path = "/v1/payment-runs";
        let operation = OperationInfo {
            id,
            method: Method::POST,
            path,
            route: path,
            tag: "Payment runs",
            scopes: &[],
            streamed: false,
            plain_bytes_max: None,
            has_long_body: true,
            answers: &[],
        };
        let rejection = with_cross_field_faults(&context, &operation, rejection);
        rejection.faults.into_iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect()
    }

    fn too_long() -> Rejection {
        Rejection::at(Category::InvalidValue, Location::Body, "batch", "must have at most 50 characters")
    }

    #[test]
    fn faults_of_values_and_between_fields_are_told_together() {
        let body =
            json!({"accountId": "a", "batch": "x".repeat(51), "paymentGatewayNumber": "g", "data": [{}]});
        assert_eq!(
            told("createPaymentRun", too_long(), &body),
            [
                "batch must have at most 50 characters",
                "accountId excludes 'batch'",
                "accountId excludes 'paymentGatewayId'",
                "data excludes 'accountId'",
                "data excludes 'batch'",
                "data excludes 'paymentGatewayId'",
                " either 'runDate' or 'targetDate' is required",
            ]
        );
        let body =
            json!({"batch": "x".repeat(51), "targetDate": "2026-03-31", "accountId": null, "data": []});
        assert_eq!(told("createPaymentRun", too_long(), &body).len(), 1);
    }

    #[test]
    fn a_missing_account_is_told_with_the_rest() {
        let told_of = |body: Value| told("createInvoice", too_long(), &body).len();
        assert_eq!(told_of(json!({"batch": "x"})), 2);
        assert_eq!(told_of(json!({"accountNumber": "A1"})), 1);
    }

    #[test]
    fn other_refusals_stay_as_they_are() {
        let body = json!({"accountId": "a", "batch": "b"});
        assert_eq!(told("createAccount", too_long(), &body).len(), 1);
        let malformed = Rejection::at(Category::MalformedJson, Location::Body, "", "the body is not JSON");
        assert_eq!(told("createPaymentRun", malformed, &body).len(), 1);
        let header =
            Rejection::at(Category::InvalidParameter, Location::Header, "Zuora-Track-Id", "is too long");
        assert_eq!(told("createPaymentRun", header, &body).len(), 1);
    }
}
