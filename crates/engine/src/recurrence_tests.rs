#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
use jiff::civil::date;
use proptest::prelude::*;

use super::*;

/// Zones of every kind: none, whole hours, half an hour, midnight, the evening before, and one that left out a day.
const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Vienna",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Nuuk",
    "Pacific/Apia",
    "Africa/Casablanca",
];

fn rule(repeat: Repeat, hour: u8, zone: &str, from: Date, to: Option<Date>) -> Recurrence {
    Recurrence { repeat, hour, time_zone: zone.to_owned(), from, to }
}

/// The first starts after an instant, as `day instant`.
fn starts(rule: &Recurrence, after: &str, count: usize) -> Vec<String> {
    let mut after: Timestamp = after.parse().unwrap();
    let mut used = None;
    let mut found = Vec::new();
    while let Some(start) = rule.next(after, used).filter(|_| found.len() < count) {
        found.push(format!("{} {}", start.day, start.at));
        (after, used) = (start.at, Some(start.day));
    }
    found
}

fn weekdays(days: &[Weekday]) -> Repeat {
    Repeat::Weekly(days.iter().copied().collect())
}

#[test]
fn a_day_is_an_hour_shorter_or_longer_where_clocks_change() {
    let vienna = rule(Repeat::Daily, 2, "Europe/Vienna", date(2026, 1, 1), None);
    assert_eq!(
        starts(&vienna, "2026-03-27T12:00:00Z", 3),
        [
            "2026-03-28 2026-03-28T01:00:00Z",
            "2026-03-29 2026-03-29T01:00:00Z",
            "2026-03-30 2026-03-30T00:00:00Z"
        ],
        "02:00 does not exist on the 29th, and 03:00 takes its place"
    );
    assert_eq!(
        starts(&vienna, "2026-10-24T12:00:00Z", 2),
        ["2026-10-25 2026-10-25T00:00:00Z", "2026-10-26 2026-10-26T01:00:00Z"],
        "02:00 comes twice on the 25th, and the first one counts"
    );
    // The clocks go from 23:00 to midnight, so the hour of one day begins with the next.
    let nuuk = rule(Repeat::Daily, 23, "America/Nuuk", date(2026, 1, 1), None);
    assert_eq!(
        starts(&nuuk, "2026-03-28T12:00:00Z", 2),
        ["2026-03-28 2026-03-29T01:00:00Z", "2026-03-29 2026-03-30T00:00:00Z"]
    );
    // Samoa left out a whole day.
    let apia = rule(Repeat::Daily, 6, "Pacific/Apia", date(2011, 12, 1), None);
    assert_eq!(
        starts(&apia, "2011-12-29T12:00:00Z", 2),
        ["2011-12-29 2011-12-29T16:00:00Z", "2011-12-31 2011-12-30T16:00:00Z"]
    );
}

#[test]
fn months_end_where_they_end() {
    let last = rule(Repeat::Monthly(31), 0, "UTC", date(2028, 1, 1), None);
    assert_eq!(
        starts(&last, "2028-01-01T00:00:00Z", 4),
        [
            "2028-01-31 2028-01-31T00:00:00Z",
            "2028-02-29 2028-02-29T00:00:00Z",
            "2028-03-31 2028-03-31T00:00:00Z",
            "2028-04-30 2028-04-30T00:00:00Z"
        ]
    );
    let thirtieth = rule(Repeat::Monthly(30), 0, "UTC", date(2026, 2, 1), Some(date(2026, 3, 30)));
    assert_eq!(
        starts(&thirtieth, "2026-01-30T00:00:00Z", 9),
        ["2026-02-28 2026-02-28T00:00:00Z", "2026-03-30 2026-03-30T00:00:00Z"]
    );
}

#[test]
fn weeks_have_their_days_and_one_start_is_one() {
    let days = weekdays(&[Weekday::Monday, Weekday::Thursday]);
    let weekly = rule(days, 9, "Asia/Kolkata", date(2026, 1, 1), Some(date(2026, 1, 8)));
    assert_eq!(
        starts(&weekly, "2025-01-01T00:00:00Z", 9),
        [
            "2026-01-01 2026-01-01T03:30:00Z",
            "2026-01-05 2026-01-05T03:30:00Z",
            "2026-01-08 2026-01-08T03:30:00Z"
        ]
    );
    let once = rule(Repeat::Never, 9, "UTC", date(2026, 1, 5), None);
    assert_eq!(starts(&once, "2025-01-01T00:00:00Z", 9), ["2026-01-05 2026-01-05T09:00:00Z"]);
    assert_eq!(starts(&once, "2026-01-05T09:00:00Z", 9), [""; 0], "it is over when it has begun");
}

#[test]
fn a_used_day_has_no_second_start() {
    let rule = rule(Repeat::Daily, 18, "UTC", date(2026, 1, 1), None);
    let after = "2026-01-05T07:00:00Z".parse().unwrap();
    assert_eq!(rule.next(after, None).unwrap().day, date(2026, 1, 5));
    assert_eq!(rule.next(after, Some(date(2026, 1, 5))).unwrap().day, date(2026, 1, 6));
    assert_eq!(rule.next(after, Some(date(2026, 2, 10))).unwrap().day, date(2026, 2, 11));
    assert_eq!(rule.next(Timestamp::MAX, None), None);
    assert_eq!(rule.next(after, Some(Date::MAX)), None);
}

#[test]
fn every_fault_is_told() {
    use RecurrenceFault::{Hour, MonthDay, TimeZone, To, ToOfOne, Weekdays};
    let day = date(2026, 1, 1);
    for (repeat, hour, zone, to, faults) in [
        (Repeat::Daily, 23, "Europe/Vienna", Some(day), vec![]),
        (Repeat::Daily, 24, "Mars/Olympus", Some(date(2025, 12, 31)), vec![Hour, TimeZone, To]),
        (weekdays(&[]), 0, "UTC", None, vec![Weekdays]),
        (Repeat::Monthly(0), 0, "+02:00", None, vec![MonthDay, TimeZone]),
        (Repeat::Monthly(32), 0, "UTC", None, vec![MonthDay]),
        (Repeat::Never, 0, "UTC", Some(day), vec![ToOfOne]),
    ] {
        let rule = rule(repeat, hour, zone, day, to);
        assert_eq!(rule.faults(), faults, "{rule:?}");
    }
    assert_eq!(rule(Repeat::Daily, 0, "Mars/Olympus", day, None).next(Timestamp::MIN, None), None);
    assert_eq!(rule(Repeat::Daily, 24, "UTC", day, None).next(Timestamp::MIN, None), None);
}

fn any_repeat() -> impl Strategy<Value = Repeat> {
    prop_oneof![
        Just(Repeat::Never),
        Just(Repeat::Daily),
        (1_u8..128).prop_map(|bits| Repeat::Weekly(Weekdays(bits))),
        (1_u8..=31).prop_map(Repeat::Monthly),
    ]
}

fn any_day() -> impl Strategy<Value = Date> {
    // Ten years around one in which a zone left out a day, and ten around now.
    prop_oneof![0_i64..3_650, 5_475_i64..9_125]
        .prop_map(|days| date(2008, 1, 1).checked_add(days.days()).unwrap())
}

fn any_rule() -> impl Strategy<Value = Recurrence> {
    let zone = proptest::sample::select(&ZONES[..]);
    (any_repeat(), 0_u8..24, zone, any_day(), proptest::option::of(0_i64..800)).prop_map(
        |(repeat, hour, zone, from, length)| {
            let to = length.filter(|_| repeat != Repeat::Never);
            rule(repeat, hour, zone, from, to.map(|days| from.checked_add(days.days()).unwrap()))
        },
    )
}

proptest! {
    /// Starts are strictly later and on later days, inside the first and the last day, on the right days, and at the right
    /// hour unless the clocks skipped it.
    #[test]
    fn starts_keep_the_rule(rule in any_rule(), at in any_day(), second in 0_i64..86_400) {
        let zone = rule.zone().unwrap();
        let mut after = at.to_zoned(TimeZone::UTC).unwrap().timestamp() + SignedDuration::from_secs(second);
        let mut used: Option<Date> = None;
        for _ in 0..40 {
            let Some(start) = rule.next(after, used) else { break };
            prop_assert!(start.at > after);
            prop_assert!(used.is_none_or(|used| start.day > used), "one a day");
            prop_assert!(rule.is_on(start.day));
            prop_assert!(start.day >= rule.from && rule.to.is_none_or(|to| start.day <= to));
            let day_is_right = match rule.repeat {
                Repeat::Never => start.day == rule.from,
                Repeat::Daily => true,
                Repeat::Weekly(days) => days.iter().any(|day| day == start.day.weekday()),
                Repeat::Monthly(31) => start.day.tomorrow().unwrap().day() == 1,
                Repeat::Monthly(day) => {
                    start.day.day().cast_unsigned() == day || start.day == start.day.last_of_month()
                }
            };
            prop_assert!(day_is_right, "{:?}", start);
            let local = start.at.to_zoned(zone.clone()).datetime();
            let nominal = start.day.at(rule.hour.cast_signed(), 0, 0, 0);
            if local != nominal {
                prop_assert!(zone.to_ambiguous_timestamp(nominal).is_ambiguous(), "{local} for {nominal}");
                prop_assert!(local > nominal);
            }
            (after, used) = (start.at, Some(start.day));
        }
    }

    /// No start is left out: between an instant and the next start there is no day of the rule whose hour comes later than
    /// that instant.
    #[test]
    fn no_start_is_passed_over(rule in any_rule(), at in any_day(), second in 0_i64..86_400) {
        let zone = rule.zone().unwrap();
        let after = at.to_zoned(TimeZone::UTC).unwrap().timestamp() + SignedDuration::from_secs(second);
        let next = rule.next(after, None);
        let mut day = rule.from.max(at.yesterday().unwrap());
        for _ in 0..80 {
            if next.is_some_and(|next| next.day <= day) {
                break;
            }
            let exists = day.to_zoned(zone.clone()).unwrap().date() == day;
            if rule.is_on(day) && exists {
                let nominal = day.at(rule.hour.cast_signed(), 0, 0, 0);
                let start = zone.to_ambiguous_timestamp(nominal).compatible().unwrap();
                prop_assert!(start <= after, "{day} was passed over for {next:?}");
            }
            day = day.tomorrow().unwrap();
        }
    }
}
