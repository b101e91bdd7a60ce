//! Webhooks: who makes and changes them, and what they sign with.

mod delivery;

use std::time::Duration;

use jiff::SignedDuration;
use payment_runs_engine::ports::Clock;
use payment_runs_node::testing::{ENTITY, TestClock, TestNode, TestNodeBuilder};
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::{Answer, Caller};
use payment_runs_tests::receiver::{Received, Receiver, Reply};
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World, text};
use serde_json::{Value, json};

use crate::administration::logged_in;

const NOW: &str = "2026-01-31T08:00:00Z";
/// How long a delivery waits for its answer: longer than any answer takes on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The same where an endpoint hangs, and a test waits for it.
const SHORT_TIMEOUT: Duration = Duration::from_secs(3);
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

/// Moves the clock on.
fn advance(server: &TestServer, by: SignedDuration) {
    server.node().clock().advance(by);
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

    advance(&server, SignedDuration::from_secs(60));
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
        (received.is_signed(&old), received.is_signed(&new))
    };
    assert_eq!(told("Ada", 1).await, (true, true));
    advance(&server, SignedDuration::from_hours(24));
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
