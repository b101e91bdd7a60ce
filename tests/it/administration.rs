//! Clients, entities, organizations and settings through the operations API.

use payment_runs_node::testing::{CLIENT_ID, ENTITY, USER};
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::{Answer, Caller};
use payment_runs_tests::world::text;
use serde_json::{Value, json};

/// Makes a client; gives its secret.
async fn make(by: &Caller, body: Value) -> String {
    let answer = by.post("/ops/clients", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    text(&answer.body, "client_secret")
}

/// Makes a client of this name and logs it in.
pub(crate) async fn logged_in(server: &TestServer, by: &Caller, id: &str, mut body: Value) -> Caller {
    body["client_id"] = json!(id);
    let secret = make(by, body).await;
    let caller = Caller::new(server.node().url());
    caller.log_in(id, &secret).await;
    caller
}

fn fault(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["errors"][0]["parameter"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_administer() {
    let server = TestServer::start().await;
    let powers = json!({ "permissions": ["manage_payment_runs", "process_electronic_payment"] });
    let clerk = logged_in(&server, &server.caller, "clerk", powers).await;
    let settings = server.caller.get("/ops/settings").await.body;
    for (method, path, body) in [
        ("GET", "/ops/clients", None),
        ("POST", "/ops/clients", Some(json!({ "permissions": [] }))),
        ("GET", "/ops/clients/clerk", None),
        ("PATCH", "/ops/clients/clerk", Some(json!({ "permissions": ["administer"] }))),
        ("DELETE", "/ops/clients/test-client", None),
        ("POST", "/ops/clients/clerk/rotate", None),
        ("GET", "/ops/entities", None),
        ("POST", "/ops/entities", Some(json!({ "name": "Mine" }))),
        ("GET", "/ops/organizations", None),
        ("POST", "/ops/organizations", Some(json!({ "name": "Mine" }))),
        ("PATCH", "/ops/organizations/0190b7c46f3a7d219c5500000000a001", Some(json!({ "name": "Mine" }))),
        ("GET", "/ops/settings", None),
        ("PUT", "/ops/settings", Some(settings)),
    ] {
        let call = clerk.call(method, path);
        let answer = match &body {
            Some(body) => call.json(body).await,
            None => call.send().await,
        };
        assert_eq!((answer.status, &answer.body["type"]), (403, &json!("forbidden")), "{method} {path}");
    }
    assert_eq!(server.caller.get("/ops/clients").await.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(server.caller.get("/ops/entities").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_from_its_first_day_to_its_last() {
    let server = TestServer::start().await;
    let admin = &server.caller;
    let made = admin.post("/ops/clients", json!({ "permissions": ["administer"] })).await;
    assert_eq!(made.status, 201);
    let id = text(&made.body["client"], "client_id");
    let secret = text(&made.body, "client_secret");
    assert_eq!((id.len(), secret.len()), (36, 40));
    let expected = json!({
        "client_id": id, "user_id": made.body["client"]["user_id"], "permissions": ["administer"],
        "entities": [ENTITY.to_string()], "organizations": null, "active": true,
    });
    assert_eq!(made.body["client"], expected);
    let path = format!("/ops/clients/{id}");
    let got = admin.get(&path).await;
    assert_eq!((&got.body, got.body.to_string().contains(&secret)), (&expected, false));

    let caller = Caller::new(server.node().url());
    caller.log_in(&id, &secret).await;
    assert_eq!(caller.get("/ops/settings").await.status, 200);
    let changed = admin.call("PATCH", &path).json(&json!({ "permissions": ["read"] })).await;
    assert_eq!((changed.status, &changed.body["permissions"]), (200, &json!(["read"])));
    assert_eq!(caller.get("/ops/settings").await.status, 403, "the change holds for tokens it has");
    assert_eq!(caller.get("/v1/payment-runs").await.status, 200);

    let rotated = admin.call("POST", &format!("{path}/rotate")).send().await;
    assert_eq!((rotated.status, &rotated.body["client"]["permissions"]), (200, &json!(["read"])));
    let newer = text(&rotated.body, "client_secret");
    assert_eq!(caller.get("/v1/payment-runs").await.status, 401, "tokens of the old secret end");
    assert_eq!(caller.request_token(&id, &secret).await.status, 401);
    caller.log_in(&id, &newer).await;

    let gone = admin.delete(&path).await;
    assert_eq!((gone.status, &gone.body["active"]), (200, &json!(false)));
    assert_eq!(caller.get("/v1/payment-runs").await.status, 401);
    assert_eq!(caller.request_token(&id, &newer).await.status, 401);
    let back = admin.call("PATCH", &path).json(&json!({ "active": true })).await;
    assert_eq!(back.status, 200);
    assert_eq!(caller.get("/v1/payment-runs").await.status, 401, "an ended token does not come back");
    caller.log_in(&id, &newer).await;
    assert_eq!(caller.get("/v1/payment-runs").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_what_it_does_not_have() {
    let server = TestServer::start().await;
    let admin = &server.caller;
    let helper = logged_in(&server, admin, "helper", json!({ "permissions": ["administer"] })).await;
    let create = async |body: Value| helper.post("/ops/clients", body).await;
    let more = create(json!({ "permissions": ["process_electronic_payment"] })).await;
    assert_eq!(fault(&more), (403, "permissions"));
    let elsewhere = json!({ "permissions": [], "entities": ["0190b7c46f3a7d219c5500000000e009"] });
    assert_eq!(fault(&create(elsewhere).await), (403, "entities"));
    let unknown = json!({ "permissions": [], "organizations": ["0190b7c46f3a7d219c5500000000a009"] });
    assert_eq!(fault(&create(unknown).await), (403, "organizations"));

    for (method, path) in [
        ("POST", format!("/ops/clients/{CLIENT_ID}/rotate")),
        ("DELETE", format!("/ops/clients/{CLIENT_ID}")),
    ] {
        let answer = helper.call(method, &path).send().await;
        assert_eq!(answer.status, 403, "{method} of a client that may do more: {}", answer.body);
    }
    let own = helper.call("PATCH", "/ops/clients/helper");
    let answer = own.json(&json!({ "permissions": ["administer", "manage_payment_runs"] })).await;
    assert_eq!(fault(&answer), (403, "permissions"));
    let answer = helper.call("PATCH", "/ops/clients/helper").json(&json!({ "permissions": [] })).await;
    assert_eq!(fault(&answer), (400, "permissions"), "nobody locks itself out");
    assert_eq!(fault(&helper.delete("/ops/clients/helper").await), (400, "active"));
    let twice = admin.post("/ops/clients", json!({ "client_id": "helper", "permissions": [] })).await;
    assert_eq!(fault(&twice), (400, "client_id"));
    assert_eq!(helper.get("/ops/settings").await.status, 200, "and nothing has changed");
    assert_eq!(admin.get("/ops/clients/nobody").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_kept_for_repeated_requests() {
    let server = TestServer::start().await;
    for path in ["/ops/clients".to_owned(), format!("/ops/clients/{CLIENT_ID}/rotate")] {
        let call = server.caller.call("POST", &path).header("idempotency-key", &path);
        let answer = call.json(&json!({ "permissions": [] })).await;
        assert_eq!(fault(&answer), (400, "idempotency-key"), "{}", answer.body);
    }
    assert_eq!(server.caller.get("/ops/clients").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_listed_page_by_page() {
    let server = TestServer::start().await;
    let admin = &server.caller;
    for id in ["c", "a", "b"] {
        make(admin, json!({ "client_id": id, "permissions": [] })).await;
    }
    let mut path = "/ops/clients?page_size=3".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = admin.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        seen.extend(page.body["data"].as_array().unwrap().iter().map(|client| text(client, "client_id")));
        let Some(next) = page.body["next_page"].as_str() else { break };
        path = format!("/ops/clients?page_size=3&cursor={next}");
    }
    assert_eq!(seen, ["a", "b", "c", CLIENT_ID]);
    assert_eq!(fault(&admin.get("/ops/clients?cursor=AAAA").await), (400, "cursor"));
    assert_eq!(fault(&admin.get("/ops/clients?page_size=100").await), (400, "page_size"));
    assert_eq!(text(&admin.get("/ops/clients/test-client").await.body, "user_id"), USER.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_and_entities_have_names_of_their_own() {
    let server = TestServer::start().await;
    let admin = &server.caller;
    let east = admin.post("/ops/organizations", json!({ "name": "East" })).await;
    assert_eq!((east.status, &east.body["name"]), (201, &json!("East")));
    assert_eq!(fault(&admin.post("/ops/organizations", json!({ "name": "East" })).await), (400, "name"));
    let west = admin.post("/ops/organizations", json!({ "name": "West" })).await;
    let path = format!("/ops/organizations/{}", text(&west.body, "organization_id"));
    let taken = admin.call("PATCH", &path).json(&json!({ "name": "East" })).await;
    assert_eq!(fault(&taken), (400, "name"));
    let renamed = admin.call("PATCH", &path).json(&json!({ "name": "Coast" })).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("Coast")));
    let listed = admin.get("/ops/organizations").await.body;
    assert_eq!(listed["data"], json!([renamed.body, east.body]), "by name");
    let nowhere = admin.call("PATCH", "/ops/organizations/x").json(&json!({ "name": "North" })).await;
    assert_eq!(fault(&nowhere), (404, "organization_id"));

    assert_eq!(fault(&admin.post("/ops/entities", json!({ "name": "Main" })).await), (400, "name"));
    let entity = admin.post("/ops/entities", json!({ "name": "Canada" })).await;
    assert_eq!(entity.status, 201, "{}", entity.body);
    let here = admin.clone().with_header("zuora-entity-ids", &ENTITY.to_string());
    let entities = here.get("/ops/entities").await.body;
    assert_eq!(entities["data"], json!([{ "entity_id": ENTITY.to_string(), "name": "Main" }, entity.body]));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_how_the_entity_works() {
    let server = TestServer::start_at("2024-07-28T22:30:00Z").await;
    let admin = &server.caller;
    let default = json!({
        "time_zone": "UTC", "retry_rule": { "max_consecutive_failures": null, "retry_window_hours": null },
        "invoice_settlement": true, "currencies": null,
    });
    assert_eq!(admin.get("/ops/settings").await.body, default);
    let created = |run: Value| text(&run, "createdDate");
    let run = json!({ "runDate": "2099-01-01 00:00:00" });
    let before = created(admin.create("/v1/payment-runs", run.clone()).await);
    assert_eq!(before, "2024-07-28 22:30:00");

    let wanted = json!({
        "time_zone": "Europe/Paris", "retry_rule": { "max_consecutive_failures": 4, "retry_window_hours": 24 },
        "invoice_settlement": false, "currencies": ["EUR", "USD"],
    });
    let put = admin.put("/ops/settings", wanted.clone()).await;
    assert_eq!((put.status, &put.body), (200, &wanted));
    assert_eq!(admin.get("/ops/settings").await.body, wanted);
    assert_eq!(created(admin.create("/v1/payment-runs", run).await), "2024-07-29 00:30:00");
    let credit = json!({ "targetDate": "2024-07-28", "autoApplyCreditMemo": true });
    assert_eq!(admin.post("/v1/payment-runs", credit).await.status, 400, "there are no credit memos now");

    let with = async |field: &str, value: Value| {
        let mut body = wanted.clone();
        body[field] = value;
        admin.put("/ops/settings", body).await
    };
    assert_eq!(fault(&with("time_zone", json!("Mars/Olympus")).await), (400, "time_zone"));
    assert_eq!(fault(&with("currencies", json!(["EUR", "EURO"])).await), (400, "currencies[1]"));
    assert_eq!(fault(&with("currencies", json!(["EUR", "QQQ"])).await), (400, "currencies[1]"));
    assert_eq!(with("currencies", json!([])).await.status, 400, "no currency at all");
    assert_eq!(with("currency", json!("USD")).await.status, 400, "an unknown setting");
    let rule = json!({ "max_consecutive_failures": 0, "retry_window_hours": null });
    let answer = with("retry_rule", rule).await;
    assert_eq!(fault(&answer), (400, "retry_rule.max_consecutive_failures"), "{}", answer.body);
    assert_eq!(admin.get("/ops/settings").await.body, wanted, "refusals change nothing");
}
