//! Webhooks: who is told what happened, in which order, and what becomes of what is not taken.

use std::time::Duration;

use jiff::SignedDuration;
use payment_runs_engine::ports::Clock;
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, ENTITY, TestNode, TestNodeBuilder};
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::{Answer, Caller};
use payment_runs_tests::receiver::{Received, Receiver, Reply};
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World, text};
use serde_json::{Value, json};

use crate::administration::logged_in;

const NOW: &str = "2026-01-31T08:00:00Z";
/// What a test waits for an endpoint that hangs.
const TIMEOUT: Duration = Duration::from_millis(300);
const EVERYTHING: [&str; 3] = ["payment_run_completed", "payment_processed", "payment_declined"];

fn builder() -> TestNodeBuilder {
    TestNode::builder().at(NOW.parse().unwrap()).configure(|config| {
        config.allow_private_webhooks = true;
        config.webhook_timeout = TIMEOUT;
    })
}

async fn start() -> TestServer {
    TestServer::start_with(builder()).await
}

/// Makes a webhook; gives its identifier and its secret.
async fn make(by: &Caller, url: &str, events: &[&str]) -> (String, String) {
    let answer = by.post("/ops/webhooks", json!({ "url": url, "events": events })).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    (text(&answer.body["webhook"], "id"), text(&answer.body, "secret"))
}

/// Moves the clock on, and logs the caller in again, since tokens end.
async fn advance(server: &TestServer, by: SignedDuration) {
    server.node().clock().advance(by);
    server.caller.log_in(CLIENT_ID, CLIENT_SECRET).await;
}

/// An account with posted invoices of these amounts, which are paid one by one.
async fn owing(world: &World<'_>, name: &str, card: &str, amounts: &[i64]) -> String {
    let account = world.account(name, card).await;
    for amount in amounts {
        world.invoice(&account, json!(amount), "2026-01-15").await;
    }
    account
}

fn run_of(account: &str) -> Value {
    json!({ "accountId": account, "targetDate": "2026-01-31" })
}

fn events(received: &[Received]) -> Vec<String> {
    received.iter().map(Received::event).collect()
}

fn fault(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["errors"][0]["parameter"].as_str().unwrap_or_default())
}

/// Waits until the newest delivery of a webhook is as awaited; gives it.
async fn newest(caller: &Caller, webhook: &str, what: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/ops/webhooks/{webhook}/deliveries");
    let page = caller.wait_for(&path, |page| what(&page["data"][0])).await;
    page["data"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_from_its_first_day_to_its_last() {
    let server = start().await;
    let admin = &server.caller;
    let body = json!({
        "url": "HTTPS://Example.com:443/hooks", "events": ["payment_declined", "payment_run_completed", "payment_declined"],
        "description": "Dunning",
    });
    let made = admin.post("/ops/webhooks", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let secret = text(&made.body, "secret");
    assert!(secret.starts_with("whsec_") && secret.len() == 70);
    let id = text(&made.body["webhook"], "id");
    let expected = json!({
        "id": id, "url": "https://example.com/hooks", "events": ["payment_run_completed", "payment_declined"],
        "description": "Dunning", "active": true, "created_at": NOW, "updated_at": NOW,
    });
    assert_eq!(made.body["webhook"], expected);
    let path = format!("/ops/webhooks/{id}");
    assert_eq!(admin.get(&path).await.body, expected);
    assert_eq!(admin.get("/ops/webhooks").await.body, json!({ "data": [expected] }));

    advance(&server, SignedDuration::from_secs(60)).await;
    let change = json!({
        "url": "https://example.org/", "events": ["payment_processed"], "description": null, "active": false,
    });
    let changed = admin.call("PATCH", &path).json(&change).await;
    let expected = json!({
        "id": id, "url": "https://example.org/", "events": ["payment_processed"], "description": null,
        "active": false, "created_at": NOW, "updated_at": "2026-01-31T08:01:00Z",
    });
    assert_eq!((changed.status, &changed.body), (200, &expected));
    let same = admin.call("PATCH", &path).json(&json!({})).await;
    assert_eq!((same.status, &same.body), (200, &expected));

    let rotated = admin.call("POST", &format!("{path}/rotate")).send().await;
    assert_eq!(rotated.status, 200);
    let newer = text(&rotated.body, "secret");
    assert_ne!(newer, secret);
    for path in ["/ops/webhooks", &path] {
        let told = admin.get(path).await.body.to_string();
        assert!(!told.contains(&newer) && !told.contains("secret"), "{told}");
    }
    let gone = admin.delete(&path).await;
    assert_eq!((gone.status, &gone.body["url"]), (200, &json!("https://example.org/")));
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/rotate")),
        ("GET", format!("{path}/deliveries")),
        ("POST", format!("{path}/deliveries/0190b7c46f3a7d219c5500000000d001/replay")),
        ("GET", "/ops/webhooks/x".to_owned()),
    ] {
        assert_eq!(fault(&admin.call(method, &path).send().await), (404, "id"), "{method} {path}");
    }
    assert_eq!(fault(&admin.call("PATCH", &path).json(&json!({ "active": true })).await), (404, "id"));
    assert_eq!(admin.get("/ops/webhooks").await.body, json!({ "data": [] }));
    let trail = admin.get("/ops/audit-records").await.body;
    let trail: Vec<_> = trail["data"].as_array().unwrap().iter().map(|record| text(record, "kind")).collect();
    assert_eq!(
        trail,
        ["webhook_created", "webhook_updated", "webhook_updated", "webhook_updated", "webhook_deleted"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_webhooks_are_refused() {
    let server = TestServer::start_at(NOW).await;
    let admin = &server.caller;
    for url in [
        "http://example.com/",
        "ftp://example.com/",
        "https://user@example.com/",
        "https://example.com/#part",
        "/hooks",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fd00::1]/",
    ] {
        let body = json!({ "url": url, "events": EVERYTHING });
        assert_eq!(fault(&admin.post("/ops/webhooks", body).await), (400, "url"), "{url}");
    }
    let url = "https://example.com/";
    for (body, field) in [
        (json!({ "events": EVERYTHING }), "url"),
        (json!({ "url": url }), "events"),
        (json!({ "url": url, "events": [] }), "events"),
        (json!({ "url": url, "events": ["payment_created"] }), "events[0]"),
        (json!({ "url": url, "events": EVERYTHING, "secret": "mine" }), "secret"),
        (json!({ "url": url, "events": EVERYTHING, "description": "d".repeat(256) }), "description"),
    ] {
        assert_eq!(fault(&admin.post("/ops/webhooks", body.clone()).await), (400, field), "{body}");
    }
    assert_eq!(admin.get("/ops/webhooks").await.body, json!({ "data": [] }));

    let (id, _) = make(admin, url, &EVERYTHING).await;
    let path = format!("/ops/webhooks/{id}");
    let private = admin.call("PATCH", &path).json(&json!({ "url": "https://192.168.0.1/" })).await;
    assert_eq!(fault(&private), (400, "url"));
    let key = |path: &str| admin.call("POST", path).header("idempotency-key", "once");
    let keyed = key("/ops/webhooks").json(&json!({ "url": url, "events": EVERYTHING })).await;
    assert_eq!(fault(&keyed), (400, "idempotency-key"));
    let keyed = key(&format!("{path}/rotate")).send().await;
    // The same key for another request is refused for that reason, which comes first.
    assert!(matches!(keyed.status, 400 | 422), "{}", keyed.body);
    let nothing = admin.call("POST", &format!("{path}/deliveries/x/replay")).send().await;
    assert_eq!(fault(&nothing), (404, "delivery_id"));
    for (query, field) in [("cursor=AAAA", "cursor"), ("page_size=100", "page_size"), ("state=lost", "state")]
    {
        let answer = admin.get(&format!("{path}/deliveries?{query}")).await;
        assert_eq!(fault(&answer), (400, field), "{query}: {}", answer.body);
    }
    for _ in 1..20 {
        make(admin, url, &EVERYTHING).await;
    }
    let more = admin.post("/ops/webhooks", json!({ "url": url, "events": EVERYTHING })).await;
    assert_eq!((more.status, &more.body["errors"][0]["code"]), (400, &json!("business_rule")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_of_the_whole_entity_manage_webhooks() {
    let server = start().await;
    let admin = &server.caller;
    let (id, _) = make(admin, "https://example.com/", &EVERYTHING).await;
    let west = admin.post("/ops/organizations", json!({ "name": "West" })).await;
    let west = text(&west.body, "organization_id");
    let powers = json!({ "permissions": ["manage_payment_runs", "process_electronic_payment"] });
    let clerk = logged_in(&server, admin, "clerk", powers).await;
    let partial = json!({ "permissions": ["administer"], "organizations": [west] });
    let partial = logged_in(&server, admin, "partial", partial).await;
    for caller in [&clerk, &partial] {
        for (method, path, body) in [
            ("GET", "/ops/webhooks".to_owned(), None),
            (
                "POST",
                "/ops/webhooks".to_owned(),
                Some(json!({ "url": "https://example.com/", "events": EVERYTHING })),
            ),
            ("GET", format!("/ops/webhooks/{id}"), None),
            ("PATCH", format!("/ops/webhooks/{id}"), Some(json!({ "active": false }))),
            ("DELETE", format!("/ops/webhooks/{id}"), None),
            ("POST", format!("/ops/webhooks/{id}/rotate"), None),
            ("GET", format!("/ops/webhooks/{id}/deliveries"), None),
            ("POST", format!("/ops/webhooks/{id}/deliveries/x/replay"), None),
        ] {
            let call = caller.call(method, &path);
            let answer = match &body {
                Some(body) => call.json(body).await,
                None => call.send().await,
            };
            assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
        }
    }
    assert_eq!(admin.get(&format!("/ops/webhooks/{id}")).await.body["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_in_its_order_signed_and_without_cards() {
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, secret) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    let good = owing(&world, "Good", CARD_APPROVED, &[10, 20, 30]).await;
    owing(&world, "Bad", CARD_DECLINED, &[40]).await;
    let run = world.run(json!({ "targetDate": "2026-01-31" })).await;
    let received = endpoint.received(5).await;
    let told = events(&received);
    assert_eq!(told[4], "payment_run_completed", "the run comes after its payments");
    let declined: Vec<&Received> = received.iter().filter(|one| one.event() == "payment_declined").collect();
    assert_eq!((declined.len(), told.iter().filter(|event| *event == "payment_processed").count()), (1, 3));
    let now = NOW.parse().unwrap();
    for one in &received {
        assert_eq!(
            (one.line.as_str(), one.header("content-type")),
            ("POST /hooks HTTP/1.1", "application/json")
        );
        assert!(one.is_signed(&secret, now) && !one.is_signed("whsec_another", now));
        let mut altered = one.clone();
        altered.bytes[1] ^= 1;
        assert!(!altered.is_signed(&secret, now));
        assert!(!one.is_signed(&secret, now + SignedDuration::from_secs(2)), "it is of another time");
        let body = String::from_utf8(one.bytes.clone()).unwrap();
        for hidden in [CARD_APPROVED, CARD_DECLINED, "4242", "0341", "pm_", "tok_", "Lovelace"] {
            assert!(!body.contains(hidden), "{hidden} is in {body}");
        }
        assert_eq!(one.body["entity_id"], ENTITY.to_string());
    }
    let payment = &declined[0].body["payment"];
    assert_eq!(
        (&payment["amount"], &payment["currency"], &payment["gateway_code"], &declined[0].body["category"]),
        (&json!(40), &json!("USD"), &json!("generic_decline"), &json!(2110))
    );
    assert_eq!((&payment["payment_run_id"], &payment["payment_run_number"]), (&run["id"], &run["number"]));
    let paid = received.iter().find(|one| one.event() == "payment_processed").unwrap();
    assert_eq!((&paid.body["payment"]["account_id"], &paid.body["category"]), (&json!(good), &json!(2120)));
    let v1 = server.caller.get(&format!("/v1/payments/{}", text(&paid.body["payment"], "id"))).await.body;
    assert_eq!(v1["number"], paid.body["payment"]["number"]);

    let completed = &received[4].body;
    let fields = &completed["merge_fields"];
    assert_eq!((&completed["category"], &completed["payment"]), (&json!(2140), &Value::Null));
    assert_eq!(
        fields,
        &json!({
            "PaymentRun.ID": run["id"], "PaymentRun.PaymentRunID": run["number"],
            "PaymentRun.PaymentRunStatus": "Completed", "PaymentRun.TargetDate": "2026-01-31",
            "PaymentRun.NumberofInvoicesGenerated": "4", "PaymentRun.NumberofPaymentsCollected": "3",
            "PaymentRun.PaymentRunAccessURL": format!("/v1/payment-runs/{}", text(&run, "id")),
            "PaymentRunSummary.TotalValueofInvoices": "100 USD",
            "PaymentRunSummary.TotalValueofPaymentsApplied": "60 USD",
        })
    );
    let path = text(fields, "PaymentRun.PaymentRunAccessURL");
    assert_eq!(server.caller.get(&path).await.body["number"], run["number"], "the path leads to the run");
    let listed = newest(&server.caller, &id, |delivery| delivery["state"] == "delivered").await;
    assert_eq!((&listed["content"], &listed["attempts"]), (completed, &json!(1)));
    assert_eq!((&listed["last_status"], &listed["delivered_at"]), (&json!(200), &json!(NOW)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_payment_of_a_longer_run_is_told_once_and_in_order() {
    /// More than are read and stored at once.
    const PAYMENTS: usize = 140;
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, _) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    let account = owing(&world, "Ada", CARD_APPROVED, &[10; PAYMENTS]).await;
    world.run(run_of(&account)).await;
    let received = endpoint.received(PAYMENTS + 1).await;
    assert_eq!(received[PAYMENTS].event(), "payment_run_completed");
    let mut paid: Vec<String> =
        received[..PAYMENTS].iter().map(|one| text(&one.body["payment"], "id")).collect();
    let told: Vec<String> = received.iter().map(Received::delivery).collect();
    paid.sort();
    paid.dedup();
    assert_eq!(paid.len(), PAYMENTS, "each once");
    let mut path = format!("/ops/webhooks/{id}/deliveries?page_size=99");
    let mut listed = Vec::new();
    loop {
        let page = server.caller.get(&path).await.body;
        listed.extend(page["data"].as_array().unwrap().iter().map(|delivery| text(delivery, "id")));
        let Some(next) = page["next_page"].as_str() else { break };
        path = format!("/ops/webhooks/{id}/deliveries?page_size=99&cursor={next}");
    }
    listed.reverse();
    assert_eq!(told, listed, "in the order in which it happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_tried_again_before_what_follows() {
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, secret) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    let elsewhere = endpoint.url().replace("/hooks", "/elsewhere");
    endpoint.answer([Reply::Status(500), Reply::Redirect(elsewhere), Reply::Close, Reply::Hang]);
    let account = owing(&world, "Ada", CARD_APPROVED, &[10]).await;
    world.run(run_of(&account)).await;
    let path = format!("/ops/webhooks/{id}/deliveries");
    let expected = [
        (json!(500), "the endpoint answered with status 500"),
        (json!(307), "the endpoint answered with status 307"),
        (Value::Null, "the connection ended without an answer"),
        (Value::Null, "no answer came in time"),
    ];
    let mut pause = 5;
    for (attempt, (status, error)) in (1..).zip(expected) {
        let page = server.caller.wait_for(&path, |page| page["data"][1]["attempts"] == attempt).await;
        let (payment, run) = (&page["data"][1], &page["data"][0]);
        assert_eq!((&payment["state"], &payment["last_error"]), (&json!("waiting"), &json!(error)));
        assert_eq!(payment["last_status"], status);
        assert_eq!(
            (&run["event"], &run["attempts"]),
            (&json!("payment_run_completed"), &json!(0)),
            "it waits"
        );
        let due: jiff::Timestamp = text(payment, "next_attempt_at").parse().unwrap();
        let now = Clock::now(server.node().clock());
        let wait = due.duration_since(now);
        let longest = SignedDuration::from_secs(pause);
        assert!(wait <= longest && wait >= longest / 2, "{attempt}: {wait}");
        // Shortly before its time nothing is sent.
        advance(&server, SignedDuration::from_millis(pause * 500 - 1)).await;
        assert_eq!(endpoint.so_far().len(), usize::try_from(attempt).unwrap());
        advance(&server, SignedDuration::from_millis(pause * 500 + 1)).await;
        endpoint.received(usize::try_from(attempt).unwrap() + 1).await;
        pause *= 3;
    }
    let received = endpoint.received(6).await;
    assert!(received.iter().all(|one| one.line == "POST /hooks HTTP/1.1"), "no redirect is followed");
    let ids: Vec<String> = received.iter().map(Received::delivery).collect();
    assert!(ids[..5].iter().all(|id| *id == ids[0]) && ids[5] != ids[0]);
    assert!(received[..5].iter().all(|one| one.bytes == received[0].bytes));
    assert_eq!(received[5].event(), "payment_run_completed");
    let now = Clock::now(server.node().clock());
    assert!(received[4].is_signed(&secret, now), "each attempt is signed at its own time");
    assert!(!received[0].is_signed(&secret, now));
}

/// A delivery on a page, by its identifier.
fn find<'a>(page: &'a Value, id: &Value) -> &'a Value {
    let found = page["data"].as_array().and_then(|all| all.iter().find(|one| one["id"] == *id));
    found.unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_holds_nobody_up_and_can_be_sent_again() {
    let server = start().await;
    let world = World::new(&server.caller);
    let (broken, sound) = (Receiver::start().await, Receiver::start().await);
    let (id, _) = make(&server.caller, broken.url(), &EVERYTHING).await;
    make(&server.caller, sound.url(), &EVERYTHING).await;
    let account = owing(&world, "Ada", CARD_APPROVED, &[10]).await;
    broken.refuse(Some(account.clone()));
    world.run(run_of(&account)).await;
    assert_eq!(events(&sound.received(2).await), ["payment_processed", "payment_run_completed"]);
    let other = owing(&world, "Bob", CARD_APPROVED, &[20]).await;
    world.run(run_of(&other)).await;
    let told = events(&broken.received(3).await);
    assert_eq!(
        told,
        ["payment_processed", "payment_processed", "payment_run_completed"],
        "another run goes on"
    );

    let path = format!("/ops/webhooks/{id}/deliveries");
    let stuck =
        server.caller.wait_for(&path, |page| page["data"][3]["attempts"] == 1).await["data"][3]["id"].clone();
    for attempt in 1..10 {
        server.caller.wait_for(&path, |page| find(page, &stuck)["attempts"] == attempt).await;
        assert_eq!(broken.so_far().len(), 2 + usize::try_from(attempt).unwrap(), "what follows waits");
        advance(&server, SignedDuration::from_hours(6)).await;
    }
    let received = broken.received(13).await;
    assert_eq!(received[12].event(), "payment_run_completed", "it was given up, and what follows is told");
    let failed = server.caller.get(&format!("{path}?state=failed")).await.body;
    let failed = &failed["data"][0];
    assert_eq!(
        (&failed["id"], &failed["attempts"], &failed["last_status"]),
        (&stuck, &json!(10), &json!(503))
    );
    assert_eq!((&failed["next_attempt_at"], &failed["delivered_at"]), (&Value::Null, &Value::Null));

    let replay = format!("{path}/{}/replay", text(failed, "id"));
    let replayed = server.caller.call("POST", &replay).send().await;
    assert_eq!((replayed.status, &replayed.body["state"]), (200, &json!("waiting")), "{}", replayed.body);
    let trail = server.caller.get("/ops/audit-records?page_size=99").await.body;
    let last = trail["data"].as_array().unwrap().last().unwrap();
    let detail = format!("delivery {} to webhook {id}", text(failed, "id"));
    assert_eq!((&last["kind"], &last["detail"]), (&json!("delivery_replayed"), &json!(detail)));
    let again = server.caller.call("POST", &replay).send().await;
    assert_eq!((again.status, &again.body["errors"][0]["code"]), (400, &json!("business_rule")));
    server.caller.wait_for(&path, |page| find(page, &stuck)["attempts"] == 1).await;
    broken.refuse(None);
    advance(&server, SignedDuration::from_secs(5)).await;
    let sent = broken.received(15).await;
    assert_eq!(sent[14].delivery(), text(failed, "id"), "the same id in every attempt and replay");
    assert_eq!(sent[14].body, failed["content"]);
    let page = server.caller.wait_for(&path, |page| find(page, &stuck)["state"] == "delivered").await;
    assert_eq!(find(&page, &stuck)["attempts"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_loses_nothing_and_a_new_event_counts_from_now() {
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, _) = make(&server.caller, endpoint.url(), &["payment_run_completed"]).await;
    let path = format!("/ops/webhooks/{id}");
    let change = async |body: Value| {
        let answer = server.caller.call("PATCH", &path).json(&body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let run = async |name: &str| {
        let account = owing(&world, name, CARD_APPROVED, &[10]).await;
        text(&world.run(run_of(&account)).await, "id")
    };
    let first = run("Ada").await;
    endpoint.received(1).await;
    change(json!({ "active": false })).await;
    let second = run("Bob").await;
    change(json!({ "active": true, "events": ["payment_run_completed", "payment_processed"] })).await;
    let third = run("Eve").await;
    let received = endpoint.received(4).await;
    let runs: Vec<String> = received
        .iter()
        .map(|one| {
            let (run, payment) = (&one.body["payment_run"], &one.body["payment"]);
            run["id"].as_str().or(payment["payment_run_id"].as_str()).unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        runs,
        [first, second, third.clone(), third],
        "the second run's payment came before the change"
    );
    assert_eq!(events(&received)[2..], ["payment_processed".to_owned(), "payment_run_completed".to_owned()]);
    assert_eq!(endpoint.so_far().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_sign_for_a_day_after_a_rotation() {
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, old) = make(&server.caller, endpoint.url(), &["payment_run_completed"]).await;
    let rotated = server.caller.call("POST", &format!("/ops/webhooks/{id}/rotate")).send().await;
    let new = text(&rotated.body, "secret");
    let told = async |name: &str, count: usize| {
        let account = owing(&world, name, CARD_APPROVED, &[10]).await;
        world.run(run_of(&account)).await;
        let received = endpoint.received(count).await.pop().unwrap();
        let now = Clock::now(server.node().clock());
        (received.is_signed(&old, now), received.is_signed(&new, now))
    };
    assert_eq!(told("Ada", 1).await, (true, true));
    advance(&server, SignedDuration::from_hours(24)).await;
    assert_eq!(told("Bob", 2).await, (false, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_are_told_apart_and_pages_follow_each_other() {
    let server = start().await;
    let admin = &server.caller;
    let world = World::new(admin);
    let (here, there) = (Receiver::start().await, Receiver::start().await);
    let (id, _) = make(admin, here.url(), &EVERYTHING).await;
    let account = owing(&world, "Ada", CARD_APPROVED, &[10, 20, 30]).await;
    let made = admin.post("/ops/entities", json!({ "name": "Canada" })).await;
    let canada = admin.clone().with_header("zuora-entity-ids", &text(&made.body, "entity_id"));
    let (foreign, _) = make(&canada, there.url(), &EVERYTHING).await;
    let main = admin.clone().with_header("zuora-entity-ids", &ENTITY.to_string());
    assert_eq!(main.get(&format!("/ops/webhooks/{foreign}")).await.status, 404);
    assert_eq!(canada.get(&format!("/ops/webhooks/{id}")).await.status, 404);

    World::new(&main).run(run_of(&account)).await;
    here.received(4).await;
    let base = format!("/ops/webhooks/{id}/deliveries?page_size=3");
    let delivered = |page: &Value| {
        page["data"].as_array().unwrap().iter().all(|delivery| delivery["state"] == "delivered")
    };
    let first = main.wait_for(&base, delivered).await;
    let next = text(&first, "next_page");
    let second = main.get(&format!("{base}&cursor={next}")).await.body;
    assert_eq!((first["data"].as_array().unwrap().len(), second["data"].as_array().unwrap().len()), (3, 1));
    assert_eq!(second["next_page"], Value::Null);
    assert_eq!(first["data"][0]["event"], "payment_run_completed", "newest first");
    let other = main.get(&format!("{base}&state=failed&cursor={next}")).await;
    assert_eq!(fault(&other), (400, "cursor"), "a cursor of another list");
    assert_eq!(main.get(&format!("{base}&state=failed")).await.body["data"], json!([]));
    assert_eq!(main.get(&format!("{base}&state=delivered")).await.body["data"], first["data"]);
    assert!(there.so_far().is_empty(), "nothing happened there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_an_answer_and_single_payments_are_told() {
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, _) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    endpoint.answer([Reply::Endless]);
    let account = world.account("Ada", CARD_APPROVED).await;
    let body = json!({ "accountId": account, "amount": 12.5, "currency": "USD", "type": "Electronic" });
    let payment = server.caller.create("/v1/payments", body).await;
    let listed = newest(&server.caller, &id, |delivery| delivery["state"] == "delivered").await;
    assert_eq!((&listed["last_status"], &listed["payment_id"]), (&json!(200), &payment["id"]));
    assert_eq!((&listed["payment_run_id"], &listed["content"]["merge_fields"]), (&Value::Null, &json!({})));
    // What was received elsewhere is known to whoever recorded it.
    world.unapplied_payment(&account, json!(5)).await;
    world.run(run_of(&account)).await;
    let received = endpoint.received(2).await;
    assert_eq!(events(&received), ["payment_processed", "payment_run_completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_may_not_call_inside_does_not_call_what_was_made_before() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Receiver::start().await;
    let server = TestServer::start_with(builder().in_folder(folder.path())).await;
    let (id, _) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    server.into_node().stop().await;
    let strict = TestNode::builder().at(NOW.parse().unwrap()).in_folder(folder.path());
    let server = TestServer::start_with(strict).await;
    let world = World::new(&server.caller);
    let account = owing(&world, "Ada", CARD_APPROVED, &[10]).await;
    world.run(run_of(&account)).await;
    let path = format!("/ops/webhooks/{id}/deliveries");
    let page = server.caller.wait_for(&path, |page| page["data"][1]["attempts"] == 1).await;
    assert_eq!(page["data"][1]["last_error"], "the URL is not one that this server sends to");
    assert!(endpoint.so_far().is_empty());
}

/// The process ends after the endpoint took a delivery and before that was written down.
#[test]
fn what_was_sent_and_not_recorded_is_sent_again_under_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let outer = tokio::runtime::Runtime::new().unwrap();
    let endpoint = outer.block_on(Receiver::start());
    let inner = tokio::runtime::Runtime::new().unwrap();
    let run = inner.block_on(async {
        let patient = builder().in_folder(folder.path()).configure(|config| {
            config.webhook_timeout = Duration::from_mins(1);
        });
        let server = TestServer::start_with(patient).await;
        make(&server.caller, endpoint.url(), &EVERYTHING).await;
        // The answer never arrives, so nothing can be recorded.
        endpoint.answer([Reply::Status(200), Reply::Hang]);
        let world = World::new(&server.caller);
        let account = owing(&world, "Ada", CARD_APPROVED, &[10, 20]).await;
        let run = text(&world.run(run_of(&account)).await, "id");
        endpoint.received(2).await;
        // Nothing of the node is stopped in order.
        drop(server);
        run
    });
    inner.shutdown_timeout(Duration::from_secs(10));
    assert_eq!(endpoint.so_far().len(), 2);
    outer.block_on(async {
        let server = TestServer::start_with(builder().in_folder(folder.path())).await;
        let received = endpoint.received(4).await;
        let ids: Vec<String> = received.iter().map(Received::delivery).collect();
        assert_eq!(ids[1], ids[2], "the one that was cut off comes again");
        assert!(ids[0] != ids[1] && ids[3] != ids[2]);
        assert_eq!(received[1].bytes, received[2].bytes);
        assert_eq!(
            (received[3].event(), &received[3].body["payment_run"]["id"]),
            ("payment_run_completed".to_owned(), &json!(run))
        );
        server.into_node().stop().await;
    });
}
