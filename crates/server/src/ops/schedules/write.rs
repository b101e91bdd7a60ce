//! Schedules on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use payment_runs_engine::recurrence::Repeat;
use payment_runs_engine::run_schedule::{self, RunTemplate, ScheduleStatus};
use payment_runs_types::OffsetDateTime;
use payment_runs_types::ops::{PaymentRunBody, Schedule, ScheduleState, Weekday};
use serde_json::{Value, json};

use super::read::{DAYS, repeat_type};
use crate::time::Zone;

/// The whole schedule. Its next start is told in its own time zone, the rest in that of the entity.
pub(super) fn whole(schedule: &run_schedule::Schedule, zone: &Zone) -> Schedule {
    let rule = &schedule.recurrence;
    let own_zone = rule.zone().unwrap_or(TimeZone::UTC);
    let next = schedule.next.as_ref();
    Schedule {
        id: schedule.id.to_string(),
        name: schedule.name.clone(),
        state: match schedule.status {
            ScheduleStatus::Active => ScheduleState::Active,
            ScheduleStatus::Ended => ScheduleState::Ended,
        },
        repeat_type: repeat_type(rule.repeat),
        weekly_on_days: weekdays(rule.repeat),
        monthly_on_day: match rule.repeat {
            Repeat::Monthly(day) => Some(i32::from(day)),
            Repeat::Never | Repeat::Daily | Repeat::Weekly(_) => None,
        },
        run_time: i32::from(rule.hour),
        time_zone: rule.time_zone.clone(),
        repeat_from: rule.from.into(),
        repeat_to: rule.to.map(Into::into),
        payment_run: run_body(&schedule.template),
        next_run_at: next.map(|next| in_zone(next.at, &own_zone)),
        next_payment_run_id: next.map(|next| next.run.to_string()),
        next_payment_run_number: next.map(|next| next.number.clone()),
        last_payment_run_id: schedule.last_run.map(|run| run.to_string()),
        occurrences_started: i64::try_from(schedule.started).unwrap_or(i64::MAX),
        created_at: zone.with_offset(schedule.stamps.created_at),
        updated_at: zone.with_offset(schedule.stamps.updated_at),
    }
}

fn in_zone(at: Timestamp, zone: &TimeZone) -> OffsetDateTime {
    OffsetDateTime::new(at, zone.to_offset(at))
}

fn weekdays(repeat: Repeat) -> Vec<Weekday> {
    let Repeat::Weekly(days) = repeat else { return Vec::new() };
    DAYS.iter().filter(|(day, _)| days.contains(*day)).map(|(_, wire)| wire.clone()).collect()
}

/// The body with which version 1 would create such a run, as it was understood: names are identifiers, and what was left to
/// a default is said.
pub(super) fn run_body(template: &RunTemplate) -> PaymentRunBody {
    let (filter, options) = (&template.filter, &template.options);
    let text = |text: Option<String>| text.map(Value::String);
    let organizations = (!template.organizations.is_empty()).then(|| {
        let label =
            |id: &payment_runs_engine::ids::OrganizationId| json!({ "organizationId": id.to_string() });
        template.organizations.iter().map(label).collect()
    });
    let fields = [
        ("accountId", text(filter.account.map(|id| id.to_string()))),
        ("batch", text(filter.batch.clone())),
        ("billCycleDay", text(filter.bill_cycle_day.map(|day| day.to_string()))),
        ("billingRunId", text(filter.bill_run.map(|id| id.to_string()))),
        ("currency", text(filter.currency.map(|currency| currency.to_string()))),
        ("paymentGatewayId", text(filter.gateway.map(|id| id.to_string()))),
        ("organizationLabels", organizations),
        ("applyCreditBalance", Some(json!(options.apply_credit_balance))),
        ("autoApplyCreditMemo", Some(json!(options.auto_apply_credit_memo))),
        ("autoApplyUnappliedPayment", Some(json!(options.auto_apply_unapplied_payment))),
        ("collectPayment", Some(json!(options.collect_payment))),
        ("consolidatedPayment", Some(json!(options.consolidated_payment))),
        ("processPaymentWithClosedPM", Some(json!(options.process_payment_with_closed_pm))),
        ("useCustomPaymentMethods", options.use_custom_payment_methods.map(Value::Bool)),
        ("ignorePaymentRunRetryRule", Some(json!(options.ignore_retry_rule))),
    ];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    PaymentRunBody::from(given.collect::<BTreeMap<_, _>>())
}
