//! What the command line of `schedules` takes, and what it makes of it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use clap::Parser as _;
use clap::error::ErrorKind;
use serde_json::json;

use super::*;
use crate::arguments::{Arguments, Command};

fn parse(line: &str) -> Result<SchedulesCommand, clap::Error> {
    let words = format!("payment-runs schedules {line}");
    let Command::Schedules(schedules) = Arguments::try_parse_from(words.split_whitespace())?.command else {
        panic!("not schedules")
    };
    Ok(schedules.command)
}

#[test]
fn a_schedule_is_made_as_the_contract_says() {
    let line = "create --name Dues --repeat weekly --on-days monday,friday --hour 9 --time-zone Europe/Paris \
                --from 2026-01-01 --to 2026-12-31 --batch Batch1";
    let SchedulesCommand::Create(create) = parse(line).unwrap() else { panic!("not create") };
    let body = PaymentRunBody(create.body.to_body().unwrap().into_iter().collect());
    assert_eq!(
        serde_json::to_value(create.repeat.creation(body).unwrap()).unwrap(),
        json!({ "name": "Dues", "repeat_type": "weekly", "weekly_on_days": ["monday", "friday"], "run_time": 9,
                "time_zone": "Europe/Paris", "repeat_from": "2026-01-01", "repeat_to": "2026-12-31",
                "payment_run": { "batch": "Batch1" } })
    );
    let SchedulesCommand::Create(bare) = parse("create --repeat daily").unwrap() else {
        panic!("not create")
    };
    assert!(bare.repeat.creation(PaymentRunBody::default()).unwrap_err().to_string().contains("--hour"));
}

#[test]
fn an_update_sends_only_what_was_given() {
    let change = |line: &str| {
        let SchedulesCommand::Update(update) = parse(&format!("update s {line}")).unwrap() else {
            panic!("not update")
        };
        serde_json::to_value(update.repeat.change(None, update.no_end)).unwrap()
    };
    assert_eq!(change(""), json!({}));
    assert_eq!(change("--hour 0 --no-end"), json!({ "run_time": 0, "repeat_to": null }));
    assert_eq!(
        change("--repeat monthly --on-day 31"),
        json!({ "repeat_type": "monthly", "monthly_on_day": 31 })
    );
}

#[test]
fn wrong_lines_are_refused() {
    for (line, kind) in [
        ("create --hour 24", ErrorKind::ValueValidation),
        ("create --on-day 0", ErrorKind::ValueValidation),
        ("create --on-days someday", ErrorKind::InvalidValue),
        ("update s --to 2026-01-01 --no-end", ErrorKind::ArgumentConflict),
        ("delete", ErrorKind::MissingRequiredArgument),
    ] {
        assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
    }
}
