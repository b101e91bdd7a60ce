//! Schedules as callers write them.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use payment_runs_engine::recurrence::{Recurrence, RecurrenceFault, Repeat};
use payment_runs_engine::run_schedule::RunTemplate;
use payment_runs_engine::settings::zone_named;
use payment_runs_stubs::{Fault, Location, Rejection};
use payment_runs_types::ops::{
    CreateScheduleRequest, PaymentRunBody, RepeatType, UpdateScheduleRequest, Weekday,
};
use serde_json::Value;

use crate::call::Call;
use crate::faults::Faults;
use crate::v1;

/// The property that holds the body of a payment run.
const RUN: &str = "payment_run";

/// What an occurrence decides by itself.
const OWN_FIELDS: [&str; 3] = ["targetDate", "runDate", "data"];

/// What a body says about when a schedule repeats.
pub(super) struct Given<'a> {
    repeat_type: Option<&'a RepeatType>,
    weekly_on_days: Option<&'a [Weekday]>,
    monthly_on_day: Option<i32>,
    run_time: Option<i32>,
    time_zone: Option<&'a str>,
    repeat_from: Option<Date>,
    /// Absent, null, or a day.
    #[expect(clippy::option_option, reason = "the contract tells absent from null")]
    repeat_to: Option<Option<Date>>,
}

macro_rules! given {
    ($body:expr, $repeat_type:expr, $run_time:expr, $repeat_from:expr) => {
        Given {
            repeat_type: $repeat_type,
            weekly_on_days: $body.weekly_on_days.as_deref(),
            monthly_on_day: $body.monthly_on_day,
            run_time: $run_time,
            time_zone: $body.time_zone.as_deref(),
            repeat_from: $repeat_from,
            repeat_to: $body.repeat_to.map(|to| to.map(payment_runs_types::Date::get)),
        }
    };
}

impl<'a> Given<'a> {
    /// What a new schedule says.
    pub(super) fn of_new(body: &'a CreateScheduleRequest) -> Self {
        given!(body, Some(&body.repeat_type), Some(body.run_time), Some(body.repeat_from.get()))
    }

    /// What a change says.
    pub(super) fn of_change(body: &'a UpdateScheduleRequest) -> Self {
        let from = body.repeat_from.map(payment_runs_types::Date::get);
        given!(body, body.repeat_type.as_ref(), body.run_time, from)
    }

    /// The rule, with the values that there were before in place of those left out. Nothing when it cannot be made out.
    pub(super) fn read(
        &self,
        before: Option<&Recurrence>,
        zone_default: &str,
        faults: &mut Faults,
    ) -> Option<Recurrence> {
        let repeat_type = self.repeat_type.cloned().or(before.map(|rule| repeat_type(rule.repeat)))?;
        let repeat = self.repeat(&repeat_type, before.map(|rule| rule.repeat), faults);
        let hour = match self.run_time {
            // The schema leaves only hours.
            Some(hour) => u8::try_from(hour).ok(),
            None => before.map(|rule| rule.hour),
        };
        let kept_zone = before.map_or(zone_default, |rule| rule.time_zone.as_str());
        let to = match self.repeat_to {
            Some(to) => to,
            None => before.and_then(|rule| rule.to).filter(|_| repeat_type != RepeatType::None),
        };
        let rule = Recurrence {
            repeat: repeat?,
            hour: hour?,
            time_zone: spelled(self.time_zone.unwrap_or(kept_zone)),
            from: self.repeat_from.or(before.map(|rule| rule.from))?,
            to,
        };
        let found = rule.faults();
        for fault in &found {
            faults.invalid(parameter(*fault), fault.to_string());
        }
        found.is_empty().then_some(rule)
    }

    fn repeat(
        &self,
        repeat_type: &RepeatType,
        before: Option<Repeat>,
        faults: &mut Faults,
    ) -> Option<Repeat> {
        if self.weekly_on_days.is_some() && *repeat_type != RepeatType::Weekly {
            faults.invalid("weekly_on_days", "is only for a 'repeat_type' of 'weekly'");
        }
        if self.monthly_on_day.is_some() && *repeat_type != RepeatType::Monthly {
            faults.invalid("monthly_on_day", "is only for a 'repeat_type' of 'monthly'");
        }
        match (repeat_type, before) {
            (RepeatType::None, _) => Some(Repeat::Never),
            (RepeatType::Daily, _) => Some(Repeat::Daily),
            (RepeatType::Weekly, before) => match (self.weekly_on_days, before) {
                (Some(days), _) => Some(Repeat::Weekly(days.iter().filter_map(engine_day).collect())),
                (None, Some(Repeat::Weekly(days))) => Some(Repeat::Weekly(days)),
                (None, _) => {
                    faults.missing("weekly_on_days", "is needed for a 'repeat_type' of 'weekly'");
                    None
                }
            },
            (RepeatType::Monthly, before) => match (self.monthly_on_day, before) {
                (Some(day), _) => Some(Repeat::Monthly(u8::try_from(day).unwrap_or(0))),
                (None, Some(Repeat::Monthly(day))) => Some(Repeat::Monthly(day)),
                (None, _) => {
                    faults.missing("monthly_on_day", "is needed for a 'repeat_type' of 'monthly'");
                    None
                }
            },
            // The schema leaves only known types.
            (RepeatType::Unknown(_), _) => None,
        }
    }
}

/// Notes when every start of the rule lies in the past.
pub(super) fn check_future(rule: &Recurrence, now: Timestamp, used: Option<Date>, faults: &mut Faults) {
    if rule.next(now, used).is_none() {
        let field = if rule.to.is_some() { "repeat_to" } else { "repeat_from" };
        faults.invalid(field, "leaves no occurrence in the future");
    }
}

/// The name of a time zone as the database of time zones spells it, which finds it in any case.
fn spelled(name: &str) -> String {
    let zone = zone_named(name);
    zone.as_ref().and_then(TimeZone::iana_name).unwrap_or(name).to_owned()
}

fn parameter(fault: RecurrenceFault) -> &'static str {
    match fault {
        RecurrenceFault::Hour => "run_time",
        RecurrenceFault::TimeZone => "time_zone",
        RecurrenceFault::Weekdays => "weekly_on_days",
        RecurrenceFault::MonthDay => "monthly_on_day",
        RecurrenceFault::To | RecurrenceFault::ToOfOne => "repeat_to",
    }
}

/// How a rule repeats, on the wire.
pub(super) fn repeat_type(repeat: Repeat) -> RepeatType {
    match repeat {
        Repeat::Never => RepeatType::None,
        Repeat::Daily => RepeatType::Daily,
        Repeat::Weekly(_) => RepeatType::Weekly,
        Repeat::Monthly(_) => RepeatType::Monthly,
    }
}

/// The days of the week inside and on the wire.
pub(super) const DAYS: [(civil::Weekday, Weekday); 7] = [
    (civil::Weekday::Monday, Weekday::Monday),
    (civil::Weekday::Tuesday, Weekday::Tuesday),
    (civil::Weekday::Wednesday, Weekday::Wednesday),
    (civil::Weekday::Thursday, Weekday::Thursday),
    (civil::Weekday::Friday, Weekday::Friday),
    (civil::Weekday::Saturday, Weekday::Saturday),
    (civil::Weekday::Sunday, Weekday::Sunday),
];

fn engine_day(day: &Weekday) -> Option<civil::Weekday> {
    DAYS.iter().find(|(_, wire)| wire == day).map(|(day, _)| *day)
}

/// What each run does: the body with which version 1 creates one, checked as it is there. Faults are told below the property
/// that holds it.
pub(super) async fn template(
    call: &Call<'_>,
    body: PaymentRunBody,
    faults: &mut Faults,
) -> Result<Option<RunTemplate>, Rejection> {
    let mut fields = body.0;
    for field in OWN_FIELDS.iter().filter(|field| fields.contains_key(**field)) {
        faults.invalid(
            format!("{RUN}.{field}"),
            "is not given here: each occurrence has its own day and no data",
        );
    }
    fields.retain(|name, _| !OWN_FIELDS.contains(&name.as_str()));
    // Version 1 needs a date, and any will do to check the rest.
    let date = call.app.now().to_zoned(TimeZone::UTC).date().to_string();
    fields.insert("targetDate".to_owned(), Value::String(date));
    let bytes = serde_json::to_vec(&fields).map_or_else(|_| Bytes::new(), Bytes::from);
    match v1::draft_payment_run(call, bytes).await {
        Ok(run) => {
            let (filter, options, organizations) = (run.filter, run.options, run.organizations);
            Ok(Some(RunTemplate { filter, options, organizations }))
        }
        Err(rejection) if rejection.status().is_server_error() => Err(rejection),
        Err(rejection) => {
            faults.extend(rejection.faults.into_iter().map(below_run).collect());
            Ok(None)
        }
    }
}

fn below_run(fault: Fault) -> Fault {
    let field = if fault.field.is_empty() { RUN.to_owned() } else { format!("{RUN}.{}", fault.field) };
    Fault { location: Location::Body, field, ..fault }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
