//! Schedules through the operations API: each occurrence is a run, and the next one waits.

use payment_runs_node::testing::{ENTITY, TestNode};
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::{Answer, Caller};
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use serde_json::{Value, json};

use crate::administration::logged_in;

const NOW: &str = "2026-03-01T00:00:00Z";

/// Every day at six in the morning in Vienna, which is five o'clock UTC in March until the 29th.
fn daily() -> Value {
    json!({
        "name": "Every morning", "repeat_type": "daily", "run_time": 6, "time_zone": "Europe/Vienna",
        "repeat_from": "2026-03-02", "payment_run": {},
    })
}

fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn make(caller: &Caller, body: Value) -> Value {
    let answer = caller.post("/ops/schedules", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body
}

fn path(schedule: &Value) -> String {
    format!("/ops/schedules/{}", text(schedule, "id"))
}

/// The schedule once its runs have come this far.
async fn begun(caller: &Caller, schedule: &Value, count: u32) -> Value {
    caller.wait_for(&path(schedule), |schedule| schedule["occurrences_started"] == count).await
}

/// Numbers, statuses and target dates of all runs, oldest first.
async fn runs(caller: &Caller) -> Vec<(String, String, String)> {
    let list = caller.get("/v1/payment-runs").await.body;
    let mut runs: Vec<_> = list["paymentRuns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| (text(run, "number"), text(run, "status"), text(run, "targetDate")))
        .collect();
    runs.reverse();
    runs
}

fn run(number: u32, status: &str, day: &str) -> (String, String, String) {
    (format!("PR-{number:08}"), status.to_owned(), day.to_owned())
}

fn faults(answer: &Answer) -> (u16, Vec<String>) {
    let errors = answer.body["errors"].as_array().unwrap();
    let parameters = errors.iter().map(|error| error["parameter"].as_str().unwrap_or_default().to_owned());
    (answer.status, parameters.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_occurrence_is_a_run_and_the_next_one_waits() {
    let server = TestServer::start_at(NOW).await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Tenant", CARD_APPROVED).await;
    let due = world.invoice(&account, json!(10), "2026-03-02").await;
    let later = world.invoice(&account, json!(20), "2026-03-03").await;
    let made = make(caller, with(daily(), &json!({ "payment_run": { "accountId": account } }))).await;
    assert_eq!((&made["state"], &made["occurrences_started"]), (&json!("active"), &json!(0)), "{made}");
    assert_eq!(made["next_run_at"], "2026-03-02T06:00:00+01:00");
    assert_eq!(made["next_payment_run_number"], "PR-00000001");
    assert_eq!(made["payment_run"]["accountId"], json!(account));
    assert_eq!(caller.get(&path(&made)).await.body, made);

    let first = text(&made, "next_payment_run_id");
    let pending = caller.get(&format!("/v1/payment-runs/{first}")).await.body;
    assert_eq!((&pending["status"], &pending["accountId"]), (&json!("Pending"), &json!(account)));
    assert_eq!(
        (&pending["targetDate"], &pending["runDate"]),
        (&json!("2026-03-02"), &json!("2026-03-02 05:00:00"))
    );

    server.advance_to("2026-03-02T04:59:59Z");
    assert_eq!(caller.get(&format!("/v1/payment-runs/{first}")).await.body["status"], "Pending");
    server.advance_to("2026-03-02T05:00:00Z");
    assert_eq!(world.ended(&first).await["status"], "Completed");
    let after = begun(caller, &made, 1).await;
    assert_eq!(
        (&after["last_payment_run_id"], &after["next_payment_run_number"]),
        (&json!(first), &json!("PR-00000002"))
    );
    assert_eq!(after["next_run_at"], "2026-03-03T06:00:00+01:00");
    let balance =
        async |invoice: &str| caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"].clone();
    assert_eq!(
        (balance(&due).await, balance(&later).await),
        (json!(0), json!(20)),
        "its day is its target date"
    );
    server.advance_to("2026-03-03T05:00:00Z");
    world.ended(&text(&after, "next_payment_run_id")).await;
    assert_eq!(balance(&later).await, json!(0));
    begun(caller, &made, 2).await;
    let expected = [
        run(1, "Completed", "2026-03-02"),
        run(2, "Completed", "2026-03-03"),
        run(3, "Pending", "2026-03-04"),
    ];
    assert_eq!(runs(caller).await, expected);
    assert_eq!(server.charges().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn object_query_shows_how_a_run_repeats() {
    let server = TestServer::start_at("2026-03-01T12:00:00Z").await;
    let caller = &server.caller;
    let weekly = json!({
        "repeat_type": "weekly", "weekly_on_days": ["monday", "thursday"], "repeat_to": "2026-12-31",
    });
    let fields = [
        "repeatType",
        "repeatFrom",
        "repeatTo",
        "runTime",
        "timeZone",
        "monthlyOnDay",
        "weeklyOnDay",
        "nextRunOn",
    ];
    let query = format!("includeNullFields=true&fields[]={}", fields.join(","));
    for (body, values) in [
        (daily(), json!(["Daily", "2026-03-02", null, 6, "Europe/Vienna", null, null, "2026-03-02"])),
        (
            with(daily(), &weekly),
            json!(["Weekly", "2026-03-02", "2026-12-31", 6, "Europe/Vienna", null, "Mon", "2026-03-02"]),
        ),
        (
            with(
                daily(),
                &json!({ "repeat_type": "monthly", "monthly_on_day": 31, "time_zone": "Pacific/Auckland" }),
            ),
            json!(["Monthly", "2026-03-02", null, 6, "Pacific/Auckland", "31", null, "2026-03-31"]),
        ),
        (
            with(daily(), &json!({ "repeat_type": "none" })),
            json!(["None", null, null, 6, "Europe/Vienna", null, null, "2026-03-02"]),
        ),
    ] {
        let made = make(caller, body).await;
        let key = text(&made, "next_payment_run_number");
        let shown = caller.get(&format!("/object-query/payment-runs/{key}?{query}")).await.body;
        let shown: Vec<Value> = fields.iter().map(|field| shown[field].clone()).collect();
        assert_eq!(json!(shown), values, "{made}");
    }
    // A run that has begun tells when its schedule goes on, and keeps its own day of the week.
    server.advance_to("2026-03-02T05:00:00Z");
    let open = "/object-query/payment-runs?filter[]=status.EQ:Completed";
    let done =
        caller.wait_for(open, |page| page["data"].as_array().is_some_and(|runs| runs.len() == 3)).await;
    let told: Vec<_> = done["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| (run["repeatType"].clone(), run["weeklyOnDay"].clone(), run["nextRunOn"].clone()))
        .collect();
    assert!(told.contains(&(json!("Daily"), Value::Null, json!("2026-03-03"))), "{told:?}");
    assert!(told.contains(&(json!("Weekly"), json!("Mon"), json!("2026-03-05"))), "{told:?}");
    assert!(told.contains(&(json!("None"), Value::Null, Value::Null)), "it was the only one: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_while_nobody_worked_runs_once() {
    let folder = tempfile::tempdir().unwrap();
    let start = |now: &str| TestNode::builder().at(now.parse().unwrap()).in_folder(folder.path());
    let server = TestServer::start_with(start(NOW)).await;
    let made = make(&server.caller, daily()).await;
    server.into_node().stop().await;

    // Five mornings have passed.
    let server = TestServer::start_with(start("2026-03-06T12:30:00Z")).await;
    let after = begun(&server.caller, &made, 1).await;
    assert_eq!(after["next_run_at"], "2026-03-07T06:00:00+01:00", "{after}");
    let late = World::new(&server.caller).ended(&text(&made, "next_payment_run_id")).await;
    assert_eq!(late["executedOn"], "2026-03-06 12:30:00", "{late}");
    let expected = [run(1, "Completed", "2026-03-02"), run(2, "Pending", "2026-03-07")];
    assert_eq!(runs(&server.caller).await, expected, "one late one and no burst");
    server.into_node().stop().await;

    let server = TestServer::start_with(start("2026-03-06T23:00:00Z")).await;
    assert_eq!(runs(&server.caller).await, expected, "and not a second time");
    server.advance_to("2026-03-07T05:00:00Z");
    let regular = World::new(&server.caller).ended("PR-00000002").await;
    assert_eq!(regular["executedOn"], regular["runDate"]);
    assert_eq!(begun(&server.caller, &made, 2).await["next_run_at"], "2026-03-08T06:00:00+01:00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_given_up_is_followed_by_the_next() {
    let server = TestServer::start_at(NOW).await;
    let caller = &server.caller;
    let made = make(caller, daily()).await;
    let first = text(&made, "next_payment_run_id");
    assert_eq!(caller.delete(&format!("/v2/payment_runs/{first}")).await.status, 204);
    let second = caller.get(&path(&made)).await.body;
    assert_eq!(second["next_run_at"], "2026-03-03T06:00:00+01:00", "{second}");
    assert_eq!((&second["occurrences_started"], &second["last_payment_run_id"]), (&json!(0), &Value::Null));
    assert_eq!(runs(caller).await, [run(2, "Pending", "2026-03-03")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_ended_leaves_what_has_begun() {
    let server = TestServer::start_at(NOW).await;
    let caller = &server.caller;
    let made = make(caller, daily()).await;
    server.advance_to("2026-03-02T05:00:00Z");
    begun(caller, &made, 1).await;
    World::new(caller).ended("PR-00000001").await;
    let ended = caller.delete(&path(&made)).await;
    assert_eq!((ended.status, &ended.body["state"]), (200, &json!("ended")), "{}", ended.body);
    assert_eq!(
        (&ended.body["next_run_at"], &ended.body["next_payment_run_id"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(caller.delete(&path(&made)).await.body, ended.body, "ending it again changes nothing");
    assert_eq!(caller.get(&path(&made)).await.body, ended.body);
    let expected = [run(1, "Completed", "2026-03-02"), run(2, "Canceled", "2026-03-03")];
    assert_eq!(runs(caller).await, expected);
    server.advance_to("2026-03-09T05:00:00Z");
    assert_eq!(runs(caller).await, expected);
    let shown = caller.get("/object-query/payment-runs/PR-00000001").await.body;
    assert_eq!((&shown["repeatType"], &shown["nextRunOn"]), (&json!("Daily"), &Value::Null), "{shown}");
    let change = caller.call("PATCH", &path(&made)).json(&json!({ "run_time": 7 })).await;
    assert_eq!((change.status, &change.body["type"]), (409, &json!("conflict")), "{}", change.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_moves_the_run_that_waits() {
    let server = TestServer::start_at(NOW).await;
    let caller = &server.caller;
    let made = make(caller, daily()).await;
    let run_path = format!("/v1/payment-runs/{}", text(&made, "next_payment_run_id"));
    let change = async |body: Value| {
        let answer = caller.call("PATCH", &path(&made)).json(&body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    // Somebody changes this run alone; the half hour of its zone is no obstacle.
    let half = change(json!({ "time_zone": "Asia/Kolkata" })).await;
    assert_eq!(half["next_run_at"], "2026-03-02T06:00:00+05:30");
    let alone = caller.put(&run_path, json!({ "batch": "Batch7" })).await;
    assert_eq!(
        (alone.status, &alone.body["runDate"]),
        (200, &json!("2026-03-02 00:30:00")),
        "{}",
        alone.body
    );
    let moved = caller.put(&run_path, json!({ "runDate": "2026-03-02 09:00:00" })).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    let schedule = caller.get(&path(&made)).await.body;
    assert_eq!(schedule["next_run_at"], "2026-03-02T14:30:00+05:30", "it is told where it waits: {schedule}");
    assert_eq!(schedule["payment_run"]["batch"], Value::Null, "the schedule itself is as it was");

    let named = change(json!({ "name": "Mornings" })).await;
    assert_eq!(named["next_run_at"], "2026-03-02T14:30:00+05:30");
    assert_eq!(caller.get(&run_path).await.body["batch"], "Batch7");
    let other = change(json!({ "payment_run": { "collectPayment": false, "currency": "EUR" } })).await;
    assert_eq!(other["payment_run"]["currency"], "EUR");
    let waiting = caller.get(&run_path).await.body;
    assert_eq!((&waiting["currency"], &waiting["batch"]), (&json!("EUR"), &Value::Null), "{waiting}");
    assert_eq!(
        (&waiting["collectPayment"], &waiting["runDate"]),
        (&json!(false), &json!("2026-03-02 09:00:00"))
    );
    let weekly =
        change(json!({ "repeat_type": "weekly", "weekly_on_days": ["sunday"], "run_time": 23 })).await;
    assert_eq!(weekly["next_run_at"], "2026-03-08T23:00:00+05:30");
    assert_eq!((&weekly["name"], &weekly["repeat_from"]), (&json!("Mornings"), &json!("2026-03-02")));
    let waiting = caller.get(&run_path).await.body;
    assert_eq!(
        (&waiting["targetDate"], &waiting["runDate"]),
        (&json!("2026-03-08"), &json!("2026-03-08 17:30:00"))
    );
    assert_eq!(runs(caller).await.len(), 1, "it is the same run all along");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_its_name() {
    let server = TestServer::start_at(NOW).await;
    let caller = &server.caller;
    let unknown = "0190b7c46f3a7d219c5500000000d001";
    for (more, parameters) in [
        (json!({ "repeat_type": "weekly" }), vec!["weekly_on_days"]),
        (json!({ "monthly_on_day": 3 }), vec!["monthly_on_day"]),
        (json!({ "run_time": 24 }), vec!["run_time"]),
        (json!({ "time_zone": "Mars/Olympus" }), vec!["time_zone"]),
        (json!({ "repeat_to": "2026-03-01" }), vec!["repeat_to"]),
        (json!({ "repeat_type": "none", "repeat_from": "2026-02-28" }), vec!["repeat_from"]),
        (json!({ "repeat_type": "hourly", "colour": "red" }), vec!["colour", "repeat_type"]),
        (
            json!({ "payment_run": { "targetDate": "2026-03-02", "data": [] } }),
            vec!["payment_run.targetDate", "payment_run.data"],
        ),
        (
            json!({ "payment_run": { "batch": "Batch1", "accountId": unknown } }),
            vec!["payment_run.accountId", "payment_run.accountId"],
        ),
        (
            json!({ "payment_run": { "billCycleDay": "32", "sum": 1 } }),
            vec!["payment_run.billCycleDay", "payment_run.sum"],
        ),
        (json!({ "payment_run": { "applyCreditBalance": true } }), vec!["payment_run.applyCreditBalance"]),
        (
            json!({ "run_time": 6, "time_zone": "x", "payment_run": { "currency": "ABC" } }),
            vec!["time_zone", "payment_run.currency"],
        ),
    ] {
        let answer = caller.post("/ops/schedules", with(daily(), &more)).await;
        let (status, mut found) = faults(&answer);
        found.sort();
        let mut parameters: Vec<String> = parameters.into_iter().map(str::to_owned).collect();
        parameters.sort();
        assert_eq!((status, found), (400, parameters), "{more}: {}", answer.body);
    }
    assert!(runs(caller).await.is_empty());
    assert_eq!(caller.get("/ops/schedules").await.body["data"], json!([]));
    let made = make(caller, daily()).await;
    let over = caller.call("PATCH", &path(&made)).json(&json!({ "repeat_to": "2026-03-01" })).await;
    assert_eq!(faults(&over), (400, vec!["repeat_to".to_owned()]), "{}", over.body);
    assert_eq!(caller.get(&path(&made)).await.body, made, "a refused change changes nothing");
    for method in ["GET", "PATCH", "DELETE"] {
        let call = caller.call(method, &format!("/ops/schedules/{unknown}"));
        let answer = if method == "PATCH" { call.json(&json!({})).await } else { call.send().await };
        assert_eq!(faults(&answer), (404, vec!["key".to_owned()]), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_stay_inside_permission_entity_and_organizations() {
    let server = TestServer::start_at(NOW).await;
    let admin = &server.caller;
    let entity = admin.post("/ops/entities", json!({ "name": "Second" })).await;
    let there = admin.clone().with_header("zuora-entity-ids", &text(&entity.body, "entity_id"));
    let here = admin.clone().with_header("zuora-entity-ids", &ENTITY.to_string());
    let organization = here.post("/ops/organizations", json!({ "name": "North" })).await;
    let organization = text(&organization.body, "organization_id");
    let powers = json!({ "permissions": ["read", "manage_payment_runs"], "organizations": [organization] });
    let north = logged_in(&server, &here, "north", powers).await;
    let reader = logged_in(&server, &here, "reader", json!({ "permissions": ["read"] })).await;

    let whole = make(&here, daily()).await;
    let own = make(&north, daily()).await;
    assert_eq!(own["payment_run"]["organizationLabels"], json!([{ "organizationId": organization }]));
    assert_eq!(own["payment_run"]["collectPayment"], json!(false), "who may not charge makes none that does");
    let ids = async |caller: &Caller| {
        let list = caller.get("/ops/schedules").await.body;
        list["data"].as_array().unwrap().iter().map(|one| text(one, "id")).collect::<Vec<_>>()
    };
    assert_eq!(ids(&here).await, [text(&own, "id"), text(&whole, "id")]);
    assert_eq!(ids(&north).await, [text(&own, "id")]);
    assert_eq!(ids(&there).await, [""; 0]);
    for caller in [&north, &there] {
        assert_eq!(caller.get(&path(&whole)).await.status, 404);
        assert_eq!(caller.delete(&path(&whole)).await.status, 404);
    }
    assert_eq!(reader.get(&path(&whole)).await.status, 200);
    assert_eq!(reader.post("/ops/schedules", daily()).await.status, 403);
    assert_eq!(reader.call("PATCH", &path(&whole)).json(&json!({ "run_time": 1 })).await.status, 403);
    assert_eq!(reader.delete(&path(&whole)).await.status, 403);
    let south = json!({ "payment_run": { "organizationLabels": [{ "organizationName": "South" }] } });
    let answer = north.call("PATCH", &path(&own)).json(&south).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(here.get(&path(&whole)).await.body, whole, "and nothing has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_made_once_and_listed_page_by_page() {
    let server = TestServer::start_at(NOW).await;
    let caller = &server.caller;
    let send = async |key: &str| {
        caller.call("POST", "/ops/schedules").header("idempotency-key", key).json(&daily()).await
    };
    let first = send("one").await;
    let again = send("one").await;
    assert_eq!((first.status, &first.bytes), (201, &again.bytes));
    send("two").await;
    let third = send("three").await;
    assert_eq!(runs(caller).await.len(), 3);
    let change = async || {
        let call = caller.call("PATCH", &path(&third.body)).header("idempotency-key", "change");
        call.json(&json!({ "run_time": 9 })).await
    };
    assert_eq!(change().await.bytes, change().await.bytes);

    let page = caller.get("/ops/schedules?page_size=2").await.body;
    let names = |page: &Value| {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| text(one, "next_payment_run_number"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&page), ["PR-00000003", "PR-00000002"]);
    let cursor = text(&page, "next_page");
    let last = caller.get(&format!("/ops/schedules?page_size=2&cursor={cursor}")).await.body;
    assert_eq!((names(&last), &last["next_page"]), (vec!["PR-00000001".to_owned()], &Value::Null));
    let foreign = caller.get("/ops/schedules?cursor=AAAA").await;
    assert_eq!(faults(&foreign), (400, vec!["cursor".to_owned()]));
    assert_eq!(caller.get("/ops/schedules?page_size=0").await.status, 400);
}
