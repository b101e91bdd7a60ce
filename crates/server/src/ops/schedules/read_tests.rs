//! What callers say about when a schedule repeats.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::ops::schedules::write::whole;
use crate::time::Zone;

/// The rule of a new schedule, or the parameters that are wrong.
fn new(mut body: Value) -> Result<Recurrence, Vec<String>> {
    body["payment_run"] = json!({});
    let body: CreateScheduleRequest = serde_json::from_value(body).unwrap();
    let mut faults = Faults::default();
    let rule = Given::of_new(&body).read(None, "America/Los_Angeles", &mut faults);
    settle(rule, faults)
}

/// The rule after a change.
fn changed(before: &Recurrence, body: Value) -> Result<Recurrence, Vec<String>> {
    let body: UpdateScheduleRequest = serde_json::from_value(body).unwrap();
    let mut faults = Faults::default();
    let rule = Given::of_change(&body).read(Some(before), "UTC", &mut faults);
    settle(rule, faults)
}

fn settle(rule: Option<Recurrence>, faults: Faults) -> Result<Recurrence, Vec<String>> {
    match faults.finish() {
        Ok(()) => Ok(rule.unwrap()),
        Err(rejection) => Err(rejection.faults.into_iter().map(|fault| fault.field).collect()),
    }
}

#[test]
fn each_type_has_its_own_days() {
    let weekly = json!({
        "repeat_type": "weekly", "weekly_on_days": ["friday", "monday", "friday"], "run_time": 6,
        "time_zone": "europe/vienna", "repeat_from": "2026-01-01", "repeat_to": "2026-12-31",
    });
    let rule = new(weekly.clone()).unwrap();
    assert_eq!((rule.hour, rule.time_zone.as_str()), (6, "Europe/Vienna"));
    let days = [civil::Weekday::Monday, civil::Weekday::Friday];
    assert_eq!(rule.repeat, Repeat::Weekly(days.into_iter().collect()));
    for (field, value, faults) in [
        ("weekly_on_days", json!(null), vec!["weekly_on_days"]),
        ("repeat_type", json!("daily"), vec!["weekly_on_days"]),
        ("repeat_type", json!("monthly"), vec!["weekly_on_days", "monthly_on_day"]),
        ("monthly_on_day", json!(3), vec!["monthly_on_day"]),
        ("time_zone", json!("Mars/Olympus"), vec!["time_zone"]),
        ("repeat_to", json!("2025-12-31"), vec!["repeat_to"]),
    ] {
        let mut body = weekly.clone();
        body[field] = value;
        if body[field].is_null() {
            body.as_object_mut().unwrap().shift_remove(field);
        }
        assert_eq!(new(body).unwrap_err(), faults, "{field}");
    }
    let once =
        json!({ "repeat_type": "none", "run_time": 0, "repeat_from": "2026-01-01", "repeat_to": null });
    let rule = new(once.clone()).unwrap();
    assert_eq!((rule.repeat, rule.time_zone.as_str()), (Repeat::Never, "America/Los_Angeles"));
    let mut body = once;
    body["repeat_to"] = json!("2026-01-02");
    assert_eq!(new(body).unwrap_err(), ["repeat_to"]);
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let before = new(json!({
        "repeat_type": "weekly", "weekly_on_days": ["sunday"], "run_time": 6, "time_zone": "UTC",
        "repeat_from": "2026-01-01", "repeat_to": "2026-12-31",
    }))
    .unwrap();
    assert_eq!(changed(&before, json!({})).unwrap(), before);
    let later = changed(&before, json!({ "run_time": 7, "repeat_to": null })).unwrap();
    assert_eq!(later, Recurrence { hour: 7, to: None, ..before.clone() });
    let daily = changed(&before, json!({ "repeat_type": "daily" })).unwrap();
    assert_eq!(daily, Recurrence { repeat: Repeat::Daily, ..before.clone() }, "its days go with its type");
    let once = changed(&before, json!({ "repeat_type": "none", "repeat_from": "2026-02-01" })).unwrap();
    assert_eq!((once.repeat, once.to), (Repeat::Never, None), "and so does its last day");
    assert_eq!(changed(&before, json!({ "repeat_type": "monthly" })).unwrap_err(), ["monthly_on_day"]);
    assert_eq!(changed(&daily, json!({ "weekly_on_days": ["monday"] })).unwrap_err(), ["weekly_on_days"]);
}

#[test]
fn a_rule_of_the_past_is_refused() {
    let rule = |to: Value| {
        let body = json!({ "repeat_type": "daily", "run_time": 6, "time_zone": "UTC", "repeat_from": "2026-01-01", "repeat_to": to });
        new(body).unwrap()
    };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let fault = |rule: &Recurrence, now: &str, used: Option<&str>| {
        let mut faults = Faults::default();
        check_future(rule, at(now), used.map(|day| day.parse().unwrap()), &mut faults);
        faults.finish().err().map(|rejection| rejection.faults[0].field.clone())
    };
    let open = rule(Value::Null);
    let closed = rule(json!("2026-01-03"));
    assert_eq!(fault(&open, "2030-01-01T00:00:00Z", None), None);
    assert_eq!(fault(&closed, "2026-01-03T05:59:59Z", None), None);
    assert_eq!(fault(&closed, "2026-01-03T06:00:00Z", None).as_deref(), Some("repeat_to"));
    assert_eq!(fault(&closed, "2026-01-03T05:00:00Z", Some("2026-01-03")).as_deref(), Some("repeat_to"));
    let once = Recurrence { repeat: Repeat::Never, ..open };
    assert_eq!(fault(&once, "2026-01-01T06:00:00Z", None).as_deref(), Some("repeat_from"));
}

#[test]
fn what_is_written_reads_back() {
    use payment_runs_engine::account::Stamps;
    use payment_runs_engine::ids::{RunId, ScheduleId, UserId};
    use payment_runs_engine::run_schedule::{PendingOccurrence, Schedule, ScheduleStatus};
    use payment_runs_engine::settings::Settings;

    let rule = new(json!({
        "repeat_type": "weekly", "weekly_on_days": ["sunday", "tuesday"], "run_time": 23,
        "time_zone": "Asia/Kolkata", "repeat_from": "2026-01-01",
    }))
    .unwrap();
    let schedule = Schedule {
        id: ScheduleId::from_u128(0xa),
        name: Some("Rent".to_owned()),
        status: ScheduleStatus::Active,
        recurrence: rule.clone(),
        template: RunTemplate {
            filter: payment_runs_engine::run::RunFilter {
                batch: Some("Batch1".to_owned()),
                ..Default::default()
            },
            options: payment_runs_engine::run::RunOptions::default(),
            organizations: vec![],
        },
        used: None,
        last_run: Some(RunId::from_u128(0xb)),
        started: 4,
        next: Some(PendingOccurrence {
            run: RunId::from_u128(0xc),
            number: "PR-00000012".to_owned(),
            at: "2026-02-01T17:30:00Z".parse().unwrap(),
        }),
        stamps: Stamps::new("2026-01-01T00:00:00.7Z".parse().unwrap(), UserId::from_u128(1)),
    };
    let written = serde_json::to_value(whole(&schedule, &Zone::of(&Settings::default()))).unwrap();
    let expected = json!({
        "id": "0000000000000000000000000000000a", "name": "Rent", "state": "active", "repeat_type": "weekly",
        "weekly_on_days": ["tuesday", "sunday"], "monthly_on_day": null, "run_time": 23, "time_zone": "Asia/Kolkata",
        "repeat_from": "2026-01-01", "repeat_to": null,
        "payment_run": {
            "applyCreditBalance": false, "autoApplyCreditMemo": false, "autoApplyUnappliedPayment": false,
            "batch": "Batch1", "collectPayment": true, "consolidatedPayment": false,
            "ignorePaymentRunRetryRule": false, "processPaymentWithClosedPM": false,
        },
        "next_run_at": "2026-02-01T23:00:00+05:30", "next_payment_run_id": "0000000000000000000000000000000c",
        "next_payment_run_number": "PR-00000012", "last_payment_run_id": "0000000000000000000000000000000b",
        "occurrences_started": 4, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    });
    assert_eq!(written, expected);
    let mut again = written;
    for field in [
        "id",
        "state",
        "next_run_at",
        "next_payment_run_id",
        "next_payment_run_number",
        "last_payment_run_id",
        "occurrences_started",
        "created_at",
        "updated_at",
        "monthly_on_day",
    ] {
        again.as_object_mut().unwrap().shift_remove(field);
    }
    assert_eq!(new(again).unwrap(), rule);
}
