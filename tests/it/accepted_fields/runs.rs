//! What each field of payment runs, schedules and administration does.

use serde_json::{Value, json};

use super::tables::{Fields, NOT_KEPT};
use super::{Arranged, Table};

/// What a v1 body of a run may hold, apart from its records, which have tests of their own.
fn run_fields(arranged: &Arranged) -> (Fields, Fields, Vec<(&'static str, &'static str)>) {
    let kept = vec![
        ("accountId", json!({ "accountId": arranged.account })),
        ("batch", json!({ "batch": "Batch7" })),
        ("billCycleDay", json!({ "billCycleDay": "7" })),
        ("billingRunId", json!({ "billingRunId": "0190b7c46f3a7d219c5500000000b001" })),
        ("currency", json!({ "currency": "EUR" })),
        ("paymentGatewayId", json!({ "paymentGatewayId": arranged.gateway })),
        ("targetDate", json!({ "targetDate": "2024-07-27" })),
        ("runDate", json!({ "targetDate": null, "runDate": "2024-08-01 10:00:00" })),
        ("autoApplyCreditMemo", json!({ "autoApplyCreditMemo": true })),
        ("autoApplyUnappliedPayment", json!({ "autoApplyUnappliedPayment": true })),
        ("collectPayment", json!({ "collectPayment": false })),
        ("consolidatedPayment", json!({ "consolidatedPayment": true })),
        ("processPaymentWithClosedPM", json!({ "processPaymentWithClosedPM": true })),
        ("useCustomPaymentMethods", json!({ "useCustomPaymentMethods": false })),
    ];
    let label = |field: &str, value: Value| json!({ "organizationLabels": [{ field: value }] });
    let refused = vec![
        ("applyCreditBalance", json!({ "applyCreditBalance": true })),
        ("organizationLabels[].organizationName", label("organizationName", json!("none"))),
        ("paymentGatewayNumber", json!({ "paymentGatewayNumber": "none" })),
        ("advancedFilter", json!({ "advancedFilter": "x" })),
        (
            "organizationLabels[].organizationId",
            json!({ "organizationLabels": [{ "organizationId": "none" }] }),
        ),
    ];
    let idle = vec![
        ("data[].", "the tests of data records read each of them back"),
        ("ignorePaymentRunRetryRule", "the tests of rules hold it; no answer shows it"),
        ("apiCallerType", NOT_KEPT),
        ("organizationLabels[].cascadingDown", "organizations have no tree here"),
        ("organizationLabels[].excluded", "the tests of organizations see whose documents are left out"),
    ];
    (kept, refused, idle)
}

pub(super) fn payment_runs(arranged: &Arranged) -> Vec<Table> {
    let table = |operation, before, call, body| {
        let (kept, refused, idle) = run_fields(arranged);
        Table { operation, before, call, body, read: vec!["/v1/payment-runs/{id}"], kept, refused, idle }
    };
    let target = json!({ "targetDate": "2024-07-28" });
    let v1 = [
        table(("v1", "createPaymentRun"), None, ("POST", "/v1/payment-runs".to_owned()), target.clone()),
        table(
            ("v1", "updatePaymentRun"),
            Some(("/v1/payment-runs", target.clone())),
            ("PUT", "/v1/payment-runs/{id}".to_owned()),
            target,
        ),
    ];
    let v2_fields = vec![
        ("apply_credit_memos", json!({ "apply_credit_memos": true })),
        ("apply_unapplied_payments", json!({ "apply_unapplied_payments": true })),
        ("batch", json!({ "batch": "Batch7" })),
        ("bill_cycle_day", json!({ "bill_cycle_day": "7" })),
        ("bill_run_id", json!({ "bill_run_id": "0190b7c46f3a7d219c5500000000b001" })),
        ("collect_payment", json!({ "collect_payment": false })),
        ("currency", json!({ "currency": "EUR" })),
        ("consolidated_payment", json!({ "consolidated_payment": true })),
        ("gateway_id", json!({ "gateway_id": arranged.gateway })),
        ("payment_run_date", json!({ "target_date": null, "payment_run_date": "2024-08-01 10:00:00Z" })),
        ("target_date", json!({ "target_date": "2024-07-27" })),
    ];
    let target = json!({ "target_date": "2024-07-28" });
    let v2 = |operation, before, call| Table {
        operation,
        before,
        call,
        body: target.clone(),
        read: vec!["/v2/payment_runs/{id}"],
        kept: v2_fields.clone(),
        refused: vec![],
        idle: vec![],
    };
    let v2 = [
        v2(("v2", "createPaymentRun"), None, ("POST", "/v2/payment_runs".to_owned())),
        v2(
            ("v2", "updatePaymentRun"),
            Some(("/v2/payment_runs", target.clone())),
            ("PATCH", "/v2/payment_runs/{id}".to_owned()),
        ),
    ];
    v1.into_iter().chain(v2).collect()
}

pub(super) fn schedules() -> Vec<Table> {
    let body = json!({
        "repeat_type": "weekly", "weekly_on_days": ["monday"], "run_time": 6, "time_zone": "Europe/Vienna",
        "repeat_from": "2026-03-02", "payment_run": {},
    });
    let kept: Fields = vec![
        ("name", json!({ "name": "Named" })),
        ("repeat_type", json!({ "repeat_type": "daily", "weekly_on_days": null })),
        ("weekly_on_days[]", json!({ "weekly_on_days": ["friday"] })),
        ("monthly_on_day", json!({ "repeat_type": "monthly", "weekly_on_days": null, "monthly_on_day": 3 })),
        ("run_time", json!({ "run_time": 7 })),
        ("time_zone", json!({ "time_zone": "Europe/Paris" })),
        ("repeat_from", json!({ "repeat_from": "2026-04-06" })),
        ("repeat_to", json!({ "repeat_to": "2026-12-31" })),
        ("payment_run", json!({ "payment_run": { "batch": "Batch7" } })),
    ];
    let table = |operation, before, call, kept| Table {
        operation,
        before,
        call,
        body: body.clone(),
        read: vec!["/ops/schedules/{id}"],
        kept,
        refused: vec![],
        idle: vec![],
    };
    vec![
        table(("ops", "createSchedule"), None, ("POST", "/ops/schedules".to_owned()), kept.clone()),
        table(
            ("ops", "updateSchedule"),
            Some(("/ops/schedules", body.clone())),
            ("PATCH", "/ops/schedules/{id}".to_owned()),
            kept,
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn administration() -> Vec<Table> {
    let webhook = json!({ "url": "https://example.com/hooks", "events": ["payment_declined"] });
    let client = json!({ "permissions": ["read"] });
    let settings = json!({
        "time_zone": "Europe/Paris", "retry_rule": { "max_consecutive_failures": 4, "retry_window_hours": 24 },
        "invoice_settlement": true, "currencies": null,
    });
    let webhook_fields: Fields = vec![
        ("url", json!({ "url": "https://example.com/other" })),
        ("events[]", json!({ "events": ["payment_processed"] })),
        ("description", json!({ "description": "Dunning" })),
    ];
    let table = |operation, before, call: (&'static str, &str), body, read, kept| Table {
        operation: ("ops", operation),
        before,
        call: (call.0, call.1.to_owned()),
        body,
        read: vec![read],
        kept,
        refused: vec![],
        idle: vec![],
    };
    let mut update_webhook = webhook_fields.clone();
    update_webhook.push(("active", json!({ "active": false })));
    let mut clients = vec![
        table(
            "createClient",
            None,
            ("POST", "/ops/clients"),
            client.clone(),
            "/ops/clients/{id}",
            vec![
                ("client_id", json!({ "client_id": "given-client" })),
                ("permissions[]", json!({ "permissions": ["manage_payment_runs"] })),
            ],
        ),
        table(
            "updateClient",
            Some(("/ops/clients", client.clone())),
            ("PATCH", "/ops/clients/{id}"),
            client,
            "/ops/clients/{id}",
            vec![
                ("permissions[]", json!({ "permissions": ["manage_payment_runs"] })),
                ("active", json!({ "active": false })),
            ],
        ),
    ];
    for table in &mut clients {
        let none = json!(["0190b7c46f3a7d219c5500000000e001"]);
        table.refused = vec![
            ("entities[]", json!({ "entities": none })),
            ("organizations[]", json!({ "organizations": none })),
        ];
    }
    let others = vec![
        table(
            "createWebhook",
            None,
            ("POST", "/ops/webhooks"),
            webhook.clone(),
            "/ops/webhooks/{id}",
            webhook_fields,
        ),
        table(
            "updateWebhook",
            Some(("/ops/webhooks", webhook.clone())),
            ("PATCH", "/ops/webhooks/{id}"),
            webhook,
            "/ops/webhooks/{id}",
            update_webhook,
        ),
        table(
            "createImport",
            None,
            ("POST", "/ops/imports"),
            json!({ "kind": "accounts", "format": "csv" }),
            "/ops/imports/{id}",
            vec![
                ("kind", json!({ "kind": "documents" })),
                ("format", json!({ "format": "ndjson" })),
                ("name", json!({ "name": "Named" })),
            ],
        ),
        table(
            "updateSettings",
            None,
            ("PUT", "/ops/settings"),
            settings,
            "/ops/settings",
            vec![
                ("time_zone", json!({ "time_zone": "Europe/Vienna" })),
                (
                    "retry_rule",
                    json!({ "retry_rule": { "max_consecutive_failures": 5, "retry_window_hours": 24 } }),
                ),
                ("invoice_settlement", json!({ "invoice_settlement": false })),
                ("currencies[]", json!({ "currencies": ["EUR", "USD"] })),
            ],
        ),
    ];
    clients.into_iter().chain(others).collect()
}
