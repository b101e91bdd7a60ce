//! Reads and writes stay inside the entity, the organizations and the permissions of their caller, on every surface.

use payment_runs_engine::ports::Work as _;
use payment_runs_node::testing::{ENTITY, TestNode};
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Caller;
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use payment_runs_types::ops::Permission;
use serde_json::{Value, json};

use crate::administration::logged_in;

const NOW: &str = "2024-07-28T10:15:00Z";
const DUE: &str = "2024-07-01";
/// Where lists of runs and payments are, and under which name.
const LISTS: [(&str, &str); 4] = [
    ("/v1/payment-runs", "paymentRuns"),
    ("/v1/payments", "payments"),
    ("/v2/payment_runs", "data"),
    ("/object-query/payment-runs", "data"),
];

fn run_body() -> Value {
    json!({ "targetDate": "2024-07-28" })
}

async fn listed(caller: &Caller, path: &str, name: &str) -> usize {
    let answer = caller.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body[name].as_array().unwrap_or_else(|| panic!("no `{name}` in {}", answer.body)).len()
}

/// Nothing of this run and its objects can be seen or touched.
async fn assert_unknown(caller: &Caller, account: &str, invoice: &str, run: &str, payment: &str) {
    for path in [
        format!("/v1/accounts/{account}"),
        format!("/v1/invoices/{invoice}"),
        format!("/v1/payments/{payment}"),
        format!("/v1/payment-runs/{run}"),
        format!("/v1/payment-runs/{run}/summary"),
        format!("/v1/payment-runs/{run}/data"),
        format!("/v2/payment_runs/{run}"),
        format!("/object-query/payment-runs/{run}"),
        format!("/ops/payment-runs/{run}/progress"),
        format!("/ops/payment-runs/{run}/decisions"),
    ] {
        let answer = caller.get(&path).await;
        assert_eq!(answer.status, 404, "GET {path}: {}", answer.body);
    }
    for path in [format!("/v1/payment-runs/{run}"), format!("/v2/payment_runs/{run}")] {
        let answer = caller.delete(&path).await;
        assert_eq!(answer.status, 404, "DELETE {path}: {}", answer.body);
    }
    let update = caller.put(&format!("/v1/payment-runs/{run}"), json!({ "targetDate": DUE })).await;
    assert_eq!(update.status, 404, "{}", update.body);
    let post = caller.put(&format!("/v1/invoices/{invoice}/post"), json!({})).await;
    assert!(post.status >= 400, "{}", post.body);
    let item = json!({ "amount": 1, "chargeName": "Service", "serviceStartDate": DUE });
    let body = json!({ "accountId": account, "invoiceDate": DUE, "invoiceItems": [item] });
    let charge = caller.post("/v1/invoices", body).await;
    assert!(charge.status >= 400, "an invoice for a foreign account: {}", charge.body);
    let body = json!({ "accountId": account, "targetDate": "2024-07-28" });
    assert!(caller.post("/v1/payment-runs", body).await.status >= 400, "a run for a foreign account");
}

/// An account, its invoice, a run that collected it, and the payment.
async fn collected(server: &TestServer, caller: &Caller, name: &str, more: Value) -> [String; 4] {
    let world = World::new(caller);
    let account = world.account_with(name, CARD_APPROVED, more).await;
    let invoice = world.invoice(&account, json!(10), DUE).await;
    let before = server.charges().len();
    let run = world.run(run_body()).await;
    assert_eq!((&run["status"], server.charges().len()), (&json!("Completed"), before + 1), "{run}");
    let payments = caller.get(&format!("/v1/payments?accountId={account}")).await.body;
    let payment = text(&payments["payments"][0], "id");
    [account, invoice, text(&run, "id"), payment]
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_share_nothing() {
    let server = TestServer::start_at(NOW).await;
    let entity = server.caller.post("/ops/entities", json!({ "name": "Second" })).await;
    let second = text(&entity.body, "entity_id");
    for path in ["/v1/payment-runs", "/v2/payment_runs", "/object-query/payment-runs", "/ops/clients"] {
        let unnamed = server.caller.get(path).await;
        assert_eq!(unnamed.status, 400, "{path} needs an entity now: {}", unnamed.body);
        let foreign = server.caller.clone().with_header("zuora-entity-ids", &"0".repeat(32)).get(path).await;
        assert_eq!(foreign.status, 403, "{path}: {}", foreign.body);
    }
    let here = server.caller.clone().with_header("zuora-entity-ids", &ENTITY.to_string());
    let there = server.caller.clone().with_header("zuora-entity-ids", &second);

    let [account, invoice, run, payment] = collected(&server, &here, "Here", json!({})).await;
    assert_unknown(&there, &account, &invoice, &run, &payment).await;
    let progress = here.get(&format!("/ops/payment-runs/{run}/progress")).await;
    assert_eq!((progress.status, &progress.body["payments_processed"]), (200, &json!(1)));
    for (path, name) in LISTS {
        assert_eq!((listed(&here, path, name).await, listed(&there, path, name).await), (1, 0), "{path}");
    }
    let open = World::new(&here).invoice(&account, json!(7), DUE).await;
    let [account_there, invoice_there, run_there, payment_there] =
        collected(&server, &there, "There", json!({})).await;
    let left = here.get(&format!("/v1/invoices/{open}")).await.body;
    assert_eq!(left["balance"], json!(7), "a run of one entity collects nothing of another: {left}");
    assert_unknown(&here, &account_there, &invoice_there, &run_there, &payment_there).await;
    assert_unknown(&there, &account, &invoice, &run, &payment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memos_are_posted_only_in_their_entity() {
    let server = TestServer::start_at(NOW).await;
    let entity = server.caller.post("/ops/entities", json!({ "name": "Second" })).await;
    let there = server.caller.clone().with_header("zuora-entity-ids", &text(&entity.body, "entity_id"));
    let here = server.caller.clone().with_header("zuora-entity-ids", &ENTITY.to_string());
    let account = World::new(&here).account("Payer", CARD_APPROVED).await;
    for kind in ["debit-memos", "credit-memos"] {
        let memo = json!({
            "accountId": account, "effectiveDate": DUE,
            "charges": [{ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 3 }],
        });
        let memo = here.create(&format!("/v1/{kind}"), memo).await;
        let path = format!("/v1/{kind}/{}/post", text(&memo, "id"));
        let foreign = there.call("PUT", &path).send().await;
        assert_eq!(foreign.status, 404, "{kind}: {}", foreign.body);
        let posted = here.call("PUT", &path).send().await;
        assert_eq!((posted.status, &posted.body["status"]), (200, &json!("Posted")), "{}", posted.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_could_not_go_on_is_deleted_in_its_entity_only() {
    let now: jiff::Timestamp = NOW.parse().unwrap();
    let server = TestServer::start_with(TestNode::builder().at(now).without_worker()).await;
    let entity = server.caller.post("/ops/entities", json!({ "name": "Second" })).await;
    let there = server.caller.clone().with_header("zuora-entity-ids", &text(&entity.body, "entity_id"));
    let here = server.caller.clone().with_header("zuora-entity-ids", &ENTITY.to_string());
    let run = text(&here.create("/v1/payment-runs", run_body()).await, "id");
    let store = server.node().store();
    let lease_until = now + jiff::SignedDuration::from_secs(30);
    let claim = store
        .claim_selection(now, lease_until, std::sync::Arc::new(server.node().ids().clone()))
        .await
        .unwrap()
        .expect("the run waits to be worked on");
    store.fail_run(&claim, now, "the gateway is gone").await.unwrap();
    let path = format!("/v1/payment-runs/{run}");
    assert_eq!(there.delete(&path).await.status, 404);
    let deleted = here.delete(&path).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(here.get(&path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_stays_inside_its_entities() {
    let server = TestServer::start().await;
    let entity = server.caller.post("/ops/entities", json!({ "name": "Second" })).await;
    let second = text(&entity.body, "entity_id");
    let here = server.caller.clone().with_header("zuora-entity-ids", &ENTITY.to_string());
    let there = server.caller.clone().with_header("zuora-entity-ids", &second);
    let powers = json!({ "permissions": ["administer"] });
    let local = logged_in(&server, &there, "local", powers).await;
    let both = json!({ "client_id": "both", "permissions": [], "entities": [ENTITY.to_string(), second] });
    assert_eq!(there.post("/ops/clients", both).await.status, 201);

    let ids = |body: &Value| {
        body["data"].as_array().unwrap().iter().map(|one| text(one, "client_id")).collect::<Vec<_>>()
    };
    assert_eq!(ids(&local.get("/ops/clients").await.body), ["local"], "whoever reaches farther is not seen");
    assert_eq!(ids(&there.get("/ops/clients").await.body), ["both", "local", "test-client"]);
    assert_eq!(ids(&here.get("/ops/clients").await.body), ["both", "test-client"]);
    for (method, path) in [
        ("GET", "/ops/clients/test-client"),
        ("DELETE", "/ops/clients/test-client"),
        ("POST", "/ops/clients/both/rotate"),
    ] {
        assert_eq!(local.call(method, path).send().await.status, 404, "{method} {path}");
    }
    let wider = json!({ "permissions": [], "entities": [ENTITY.to_string()] });
    assert_eq!(local.post("/ops/clients", wider).await.status, 403);
    assert_eq!(local.get("/ops/entities").await.body["data"].as_array().unwrap().len(), 1);

    let north = there.post("/ops/organizations", json!({ "name": "North" })).await;
    let north = text(&north.body, "organization_id");
    assert_eq!(here.get("/ops/organizations").await.body["data"], json!([]));
    let path = format!("/ops/organizations/{north}");
    let renamed = here.call("PATCH", &path).json(&json!({ "name": "South" })).await;
    assert_eq!(renamed.status, 404, "an organization of another entity");
    let mut settings = there.get("/ops/settings").await.body;
    settings["time_zone"] = json!("Asia/Tokyo");
    assert_eq!(there.put("/ops/settings", settings).await.status, 200);
    assert_eq!(here.get("/ops/settings").await.body["time_zone"], "UTC");
    let foreign = here.clone().with_header("zuora-org-ids", &north).get("/v1/payment-runs").await;
    assert_eq!(foreign.status, 403, "an organization of another entity: {}", foreign.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_narrow_what_is_seen_and_changed() {
    let server = TestServer::start_at(NOW).await;
    let admin = &server.caller;
    let mut organizations = Vec::new();
    for name in ["East", "West"] {
        let made = admin.post("/ops/organizations", json!({ "name": name })).await;
        organizations.push(text(&made.body, "organization_id"));
    }
    let [east, west] = [&organizations[0], &organizations[1]];
    let of = |organization: &String| {
        json!({
            "permissions": Permission::ALL,
            "organizations": [organization],
        })
    };
    let east_clerk = logged_in(&server, admin, "east-clerk", of(east)).await;
    let west_clerk = logged_in(&server, admin, "west-clerk", of(west)).await;

    let [account, invoice, run, payment] = collected(&server, &east_clerk, "Easterner", json!({})).await;
    assert_unknown(&west_clerk, &account, &invoice, &run, &payment).await;
    let seen = admin.get(&format!("/v1/accounts/{account}")).await.body;
    assert_eq!(seen["basicInfo"]["organizationLabel"], "East", "{seen}");
    let open = World::new(&east_clerk).invoice(&account, json!(7), DUE).await;
    collected(&server, &west_clerk, "Westerner", json!({})).await;
    let left = east_clerk.get(&format!("/v1/invoices/{open}")).await.body;
    assert_eq!(left["balance"], json!(7), "a run of one organization collects nothing of another: {left}");

    let narrowed = admin.clone().with_header("zuora-org-ids", east);
    for (path, name) in LISTS {
        assert_eq!(listed(admin, path, name).await, 2, "{path}");
        for caller in [&east_clerk, &west_clerk, &narrowed] {
            assert_eq!(listed(caller, path, name).await, 1, "{path}");
        }
        for foreign in [
            east_clerk.clone().with_header("zuora-org-ids", west),
            admin.clone().with_header("zuora-org-ids", "0190b7c46f3a7d219c5500000000a009"),
            admin.clone().with_header("zuora-org-ids", "West"),
        ] {
            assert_eq!(foreign.get(path).await.status, 403, "{path}");
        }
    }
    let labelled = json!({ "targetDate": DUE, "organizationLabels": [{ "organizationId": west }] });
    let answer = east_clerk.post("/v1/payment-runs", labelled).await;
    assert!((400..404).contains(&answer.status), "a run for a foreign organization: {}", answer.body);

    let listed = east_clerk.get("/ops/organizations").await.body;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(east_clerk.post("/ops/organizations", json!({ "name": "North" })).await.status, 403);
    assert_eq!(east_clerk.post("/ops/entities", json!({ "name": "North" })).await.status, 403);
    let settings = east_clerk.get("/ops/settings").await.body;
    assert_eq!(east_clerk.put("/ops/settings", settings).await.status, 403);
    let everything = json!({ "permissions": [], "organizations": null });
    assert_eq!(east_clerk.post("/ops/clients", everything).await.status, 403);
    let inherited = east_clerk.post("/ops/clients", json!({ "permissions": [] })).await;
    assert_eq!(inherited.body["client"]["organizations"], json!([east]));
    assert_eq!(east_clerk.get("/ops/clients/west-clerk").await.status, 404);
    assert_eq!(east_clerk.delete("/ops/clients/test-client").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_names_no_organization_widens_nothing() {
    let server = TestServer::start_at(NOW).await;
    let admin = &server.caller;
    let east =
        text(&admin.post("/ops/organizations", json!({ "name": "East" })).await.body, "organization_id");
    let powers = json!({
        "permissions": ["read", "manage_payment_runs", "process_electronic_payment"], "organizations": [east],
    });
    let clerk = logged_in(&server, admin, "clerk", powers).await;
    let outside = World::new(admin).account("Outside", CARD_APPROVED).await;
    let invoice = World::new(admin).invoice(&outside, json!(10), DUE).await;
    let own = json!([{ "organizationId": east }]);
    for nothing in ["", ",", " , "] {
        let clerk = clerk.clone().with_header("zuora-org-ids", nothing);
        let world = World::new(&clerk);
        assert_eq!(world.run(run_body()).await["organizationLabels"], own, "`{nothing}`");
        let second = clerk.post("/v2/payment_runs", json!({ "target_date": "2024-07-28" })).await;
        assert_eq!(second.status, 201, "`{nothing}`: {}", second.body);
        let second = world.ended(&text(&second.body, "id")).await;
        assert_eq!(second["organizationLabels"], own, "`{nothing}`");
        let preview = clerk.post("/ops/payment-runs/preview", run_body()).await;
        assert_eq!((preview.status, &preview.body["decisions"]), (200, &json!([])), "`{nothing}`");
        let schedule = json!({
            "repeat_type": "daily", "run_time": 6, "time_zone": "UTC", "repeat_from": "2024-08-01", "payment_run": {},
        });
        let schedule = clerk.post("/ops/schedules", schedule).await;
        assert_eq!(schedule.status, 201, "`{nothing}`: {}", schedule.body);
        assert_eq!(schedule.body["payment_run"]["organizationLabels"], own, "`{nothing}`");
        let account = clerk.get(&format!("/v1/accounts/{outside}")).await;
        assert_eq!(account.status, 404, "`{nothing}`: {}", account.body);
    }
    let left = admin.get(&format!("/v1/invoices/{invoice}")).await.body;
    assert_eq!((left["balance"].clone(), server.charges().len()), (json!(10), 0), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_runs_need_their_permission() {
    let server = TestServer::start_at(NOW).await;
    let later = json!({ "runDate": "2099-01-01 00:00:00" });
    let run = text(&server.caller.create("/v1/payment-runs", later.clone()).await, "id");
    let powers = json!({ "permissions": ["read", "process_electronic_payment"] });
    let reader = logged_in(&server, &server.caller, "reader", powers).await;
    let v2_later = json!({ "payment_run_date": "2099-01-01T00:00:00Z" });
    for (method, path, body) in [
        ("POST", "/v1/payment-runs".to_owned(), Some(later.clone())),
        ("PUT", format!("/v1/payment-runs/{run}"), Some(later)),
        ("DELETE", format!("/v1/payment-runs/{run}"), None),
        ("POST", "/v2/payment_runs".to_owned(), Some(v2_later.clone())),
        ("PATCH", format!("/v2/payment_runs/{run}"), Some(v2_later)),
        ("DELETE", format!("/v2/payment_runs/{run}"), None),
    ] {
        let call = reader.call(method, &path);
        let answer = match &body {
            Some(body) => call.json(body).await,
            None => call.send().await,
        };
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
    }
    for path in [format!("/v1/payment-runs/{run}"), format!("/v2/payment_runs/{run}")] {
        assert_eq!(reader.get(&path).await.status, 200, "reading needs no more than its own permission");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_charged_without_the_permission_to() {
    let server = TestServer::start_at(NOW).await;
    let powers = json!({ "permissions": ["read", "write_billing_objects", "manage_payment_runs"] });
    let clerk = logged_in(&server, &server.caller, "clerk", powers).await;
    let world = World::new(&clerk);
    let account = world.account("Payer", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(10), DUE).await;
    let with = |collect: bool| json!({ "targetDate": "2024-07-28", "collectPayment": collect });
    let run = world.run(with(true)).await;
    assert_eq!((&run["status"], &run["collectPayment"]), (&json!("Completed"), &json!(false)), "{run}");
    let body = json!({ "target_date": "2024-07-28", "collect_payment": true });
    let created = clerk.post("/v2/payment_runs", body).await;
    assert_eq!((created.status, &created.body["collect_payment"]), (201, &json!(false)), "{}", created.body);
    world.ended(&text(&created.body, "id")).await;
    let later = clerk.create("/v1/payment-runs", json!({ "runDate": "2099-01-01 00:00:00" })).await;
    let path = format!("/v1/payment-runs/{}", text(&later, "id"));
    let updated = clerk.put(&path, json!({ "collectPayment": true })).await;
    assert_eq!((updated.status, &updated.body["collectPayment"]), (200, &json!(false)), "{}", updated.body);
    assert_charging_runs_are_not_theirs(&server, &clerk).await;

    let single = json!({
        "accountId": account, "amount": 10, "currency": "USD", "type": "Electronic",
        "invoices": [{ "invoiceId": invoice, "amount": 10 }],
    });
    let single = clerk.post("/v1/payments", single).await;
    assert!(single.status == 400 || single.status == 403, "{}", single.body);
    assert!(server.charges().is_empty());
    let left = clerk.get(&format!("/v1/invoices/{invoice}")).await.body;
    assert_eq!(left["balance"], json!(10), "{left}");
}

/// Who may not charge cannot change what a run that charges collects, on either surface.
async fn assert_charging_runs_are_not_theirs(server: &TestServer, clerk: &Caller) {
    let narrow = json!({ "runDate": "2099-01-01 00:00:00", "batch": "Batch1" });
    let run = text(&server.caller.create("/v1/payment-runs", narrow).await, "id");
    let v1 = clerk.put(&format!("/v1/payment-runs/{run}"), json!({ "batch": null })).await;
    assert_eq!(v1.status, 403, "{}", v1.body);
    let call = clerk.call("PATCH", &format!("/v2/payment_runs/{run}"));
    let v2 = call.json(&json!({ "batch": null, "collect_payment": false })).await;
    assert_eq!(v2.status, 403, "{}", v2.body);
    let schedule = json!({
        "repeat_type": "daily", "run_time": 6, "time_zone": "UTC", "repeat_from": "2024-08-01", "payment_run": {},
    });
    let schedule = server.caller.post("/ops/schedules", schedule).await.body;
    let call = clerk.call("PATCH", &format!("/ops/schedules/{}", text(&schedule, "id")));
    assert_eq!(call.json(&json!({ "run_time": 7 })).await.status, 403);
    let kept = server.caller.get(&format!("/v1/payment-runs/{run}")).await.body;
    assert_eq!((&kept["batch"], &kept["collectPayment"]), (&json!("Batch1"), &json!(true)), "{kept}");
}
