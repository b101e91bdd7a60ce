//! A year of schedules on the test clock, compared with a table that was worked out by hand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::ports::Work as _;
use payment_runs_node::testing::TestNode;
use payment_runs_tests::world::text;
use payment_runs_tests::{TestServer, memory_folder, wait_until};
use serde_json::{Value, json};

const TABLE: &str = include_str!("schedule_year.txt");

/// Before the first occurrence and after the last one, everywhere.
const BEGIN: &str = "2025-12-30T00:00:00Z";
const END: &str = "2027-01-02T00:00:00Z";

/// A schedule of the table.
struct Expected {
    name: String,
    repeat_type: String,
    hour: i64,
    time_zone: String,
    count: usize,
    /// Days between which everything is listed.
    windows: Vec<(Date, Date)>,
    starts: BTreeMap<Date, Timestamp>,
}

fn table() -> Vec<Expected> {
    let mut schedules: Vec<Expected> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["schedule", name, repeat_type, hour, time_zone, count] => schedules.push(Expected {
                name: name.to_owned(),
                repeat_type: repeat_type.to_owned(),
                hour: hour.parse().unwrap(),
                time_zone: time_zone.to_owned(),
                count: count.parse().unwrap(),
                windows: Vec::new(),
                starts: BTreeMap::new(),
            }),
            ["window", from, to] => {
                schedules.last_mut().unwrap().windows.push((from.parse().unwrap(), to.parse().unwrap()));
            }
            [day, at] => {
                let last = schedules.last_mut().unwrap();
                assert_eq!(last.starts.insert(day.parse().unwrap(), at.parse().unwrap()), None, "{line}");
            }
            _ => panic!("{line}"),
        }
    }
    schedules
}

/// The body that makes a schedule of the table.
fn body(expected: &Expected) -> Value {
    let mut body = json!({
        "name": expected.name, "repeat_type": expected.repeat_type, "run_time": expected.hour,
        "time_zone": expected.time_zone, "repeat_from": "2026-01-01", "repeat_to": "2026-12-31",
        "payment_run": { "batch": expected.name },
    });
    let (field, days) = match expected.name.as_str() {
        "los-angeles" => ("weekly_on_days", json!(["monday", "wednesday", "sunday"])),
        "lord-howe-weekly" => ("weekly_on_days", json!(["sunday"])),
        "lord-howe-monthly" => ("monthly_on_day", json!(31)),
        "kolkata" => ("monthly_on_day", json!(30)),
        _ => return body,
    };
    body[field] = days;
    body
}

/// Moves the clock from one start to the next until the year is over.
async fn live_through(server: &TestServer) {
    let (clock, store) = (server.node().clock(), server.node().store());
    let end: Timestamp = END.parse().unwrap();
    while let Some(at) = store.next_run_at().await.unwrap() {
        assert!(at < end, "{at} is after the year");
        clock.set(at);
        // All that is due begins before the clock goes on: each leaves its next run behind it, which is later.
        let has_begun = async || store.next_run_at().await.unwrap().is_none_or(|next| next > at);
        wait_until(&format!("the run of {at} begins"), has_begun).await;
    }
    clock.set(end);
}

/// Every run, as object query shows it.
async fn all_runs(server: &TestServer) -> Vec<Value> {
    let caller = &server.caller;
    let open = "/object-query/payment-runs?pageSize=1&filter[]=status.NE:Completed";
    caller.wait_for(open, |page| page["data"].as_array().is_some_and(Vec::is_empty)).await;
    let first = "/object-query/payment-runs?pageSize=99&includeNullFields=true".to_owned();
    let mut runs = Vec::new();
    let mut path = Some(first.clone());
    while let Some(page) = path {
        let page = caller.get(&page).await.body;
        runs.extend(page["data"].as_array().unwrap().iter().cloned());
        path = page["nextPage"].as_str().map(|cursor| format!("{first}&cursor={cursor}"));
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_schedules_is_as_the_calendar_says() {
    // This is about the calendar and not the disk.
    let folder = memory_folder();
    let begin = BEGIN.parse().unwrap();
    let server = TestServer::start_with(TestNode::builder().at(begin).in_folder(folder.path())).await;
    let table = table();
    let mut ids = BTreeMap::new();
    for expected in &table {
        let made = server.caller.post("/ops/schedules", body(expected)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        ids.insert(expected.name.clone(), text(&made.body, "id"));
    }
    live_through(&server).await;
    server.advance_to(END);
    let runs = all_runs(&server).await;
    let numbers: BTreeSet<String> = runs.iter().map(|run| text(run, "paymentRunNumber")).collect();
    assert_eq!(numbers.len(), runs.len(), "each run has a number of its own");
    assert_eq!(runs.len(), table.iter().map(|expected| expected.count).sum::<usize>());
    for expected in &table {
        let own: Vec<&Value> = runs.iter().filter(|run| run["batch"] == expected.name).collect();
        compare(expected, &own);
        let schedule = server.caller.get(&format!("/ops/schedules/{}", ids[&expected.name])).await.body;
        assert_eq!(schedule["state"], "ended", "{schedule}");
        assert_eq!(schedule["occurrences_started"], expected.count, "{schedule}");
    }
}

fn compare(expected: &Expected, runs: &[&Value]) {
    let name = &expected.name;
    let mut starts = BTreeMap::new();
    for run in runs {
        let day: Date = text(run, "targetDate").parse().unwrap();
        let at: Timestamp = format!("{}Z", text(run, "runDate").replace(' ', "T")).parse().unwrap();
        assert_eq!(run["executedDate"], run["runDate"], "{name}: it starts when it is to start: {run}");
        assert_eq!(run["timeZone"], json!(expected.time_zone), "{run}");
        assert_eq!(run["runTime"], json!(expected.hour), "{run}");
        let weekday = day.strftime("%a").to_string();
        let shown = (expected.repeat_type == "weekly").then_some(weekday);
        assert_eq!(run["weeklyOnDay"], json!(shown), "{run}");
        assert_eq!(starts.insert(day, at), None, "{name}: {day} comes twice");
    }
    assert_eq!(starts.len(), expected.count, "{name}");
    for (from, to) in &expected.windows {
        let found: Vec<_> = starts.range(*from..=*to).collect();
        let wanted: Vec<_> = expected.starts.range(*from..=*to).collect();
        assert_eq!(found, wanted, "{name} from {from} to {to}");
    }
}

/// The table itself: every line lies in a window, so that none is left out of the comparison.
#[test]
fn every_line_of_the_table_is_compared() {
    for expected in table() {
        for day in expected.starts.keys() {
            let is_inside = expected.windows.iter().any(|(from, to)| from <= day && day <= to);
            assert!(is_inside, "{} {day}", expected.name);
        }
    }
}
