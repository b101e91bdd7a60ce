//! What the command line of `runs` takes, and what it makes of it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use clap::Parser as _;
use clap::error::ErrorKind;
use serde_json::json;

use super::*;
use crate::arguments::{Arguments, Command};

fn parse(line: &str) -> Result<RunsCommand, clap::Error> {
    let words = format!("payment-runs runs {line}");
    let Command::Runs(runs) = Arguments::try_parse_from(words.split_whitespace())?.command else {
        panic!("not runs")
    };
    Ok(runs.command)
}

fn body(line: &str) -> serde_json::Value {
    let RunsCommand::Create(create) = parse(&format!("create {line}")).unwrap() else { panic!("not create") };
    serde_json::Value::Object(create.body.to_body().unwrap())
}

#[test]
fn arguments_become_the_documented_fields() {
    assert_eq!(body(""), json!({}));
    assert_eq!(
        body("--target-date 2026-01-31 --batch Batch1 --bill-cycle-day 31 --currency EUR --consolidated"),
        json!({ "targetDate": "2026-01-31", "batch": "Batch1", "billCycleDay": "31", "currency": "EUR",
                "consolidatedPayment": true })
    );
    assert_eq!(
        body(
            "--run-date 2026-01-31T09:30:00 --collect false --credit-memos --unapplied-payments --account a"
        ),
        json!({ "runDate": "2026-01-31 09:30:00", "collectPayment": false, "autoApplyCreditMemo": true,
                "autoApplyUnappliedPayment": true, "accountId": "a" })
    );
    assert_eq!(
        body(
            "--bill-run b --payment-gateway g --credit-balance --closed-payment-methods --custom-payment-methods false --ignore-retry-rule"
        ),
        json!({ "billingRunId": "b", "paymentGatewayId": "g", "applyCreditBalance": true,
                "processPaymentWithClosedPM": true, "useCustomPaymentMethods": false,
                "ignorePaymentRunRetryRule": true })
    );
}

#[test]
fn a_body_from_a_file_is_completed_by_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, records) = (folder.path().join("body.json"), folder.path().join("data.json"));
    std::fs::write(&whole, r#"{"targetDate": "2026-01-01", "batch": "Batch9"}"#).unwrap();
    std::fs::write(&records, r#"[{"accountNumber": "A1"}]"#).unwrap();
    let line = format!("--body {} --data {} --target-date 2026-02-01", whole.display(), records.display());
    assert_eq!(
        body(&line),
        json!({ "targetDate": "2026-02-01", "batch": "Batch9", "data": [{ "accountNumber": "A1" }] })
    );
    let RunsCommand::Create(create) = parse(&format!("create --data {}", whole.display())).unwrap() else {
        panic!("not create")
    };
    assert!(create.body.to_body().unwrap_err().to_string().contains("JSON array"));
}

#[test]
fn an_update_empties_what_it_clears() {
    let line = "update PR-00000001 --clear batch,run-date --target-date 2026-01-31";
    let RunsCommand::Update(update) = parse(line).unwrap() else { panic!("not update") };
    let mut body = update.body.to_body().unwrap();
    body::clear(&mut body, &update.clear).unwrap();
    assert_eq!(
        serde_json::Value::Object(body),
        json!({ "batch": null, "runDate": null, "targetDate": "2026-01-31" })
    );
    let RunsCommand::Update(both) = parse("update x --clear batch --batch Batch1").unwrap() else {
        panic!("not update")
    };
    assert!(body::clear(&mut both.body.to_body().unwrap(), &both.clear).is_err());
}

#[test]
fn wrong_lines_are_refused() {
    for (line, kind) in [
        ("create --bill-cycle-day 32", ErrorKind::ValueValidation),
        ("create --target-date tomorrow", ErrorKind::ValueValidation),
        ("decisions x --reason because", ErrorKind::ValueValidation),
        ("decisions x --outcome maybe", ErrorKind::ValueValidation),
        ("list --status done", ErrorKind::InvalidValue),
        ("stop", ErrorKind::MissingRequiredArgument),
    ] {
        assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
    }
}
