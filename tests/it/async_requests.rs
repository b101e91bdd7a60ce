//! Requests that their callers do not wait for.

use std::path::Path;

use jiff::Timestamp;
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::{Answer, Caller};
use payment_runs_tests::world::text;
use serde_json::{Value, json};

use payment_runs_engine::ids::{EntityKey, UserId};
use payment_runs_engine::ports::{Access, AsyncRequest, AsyncRequests, Client, Entropy, Permission};
use payment_runs_node::testing::{CLIENT_ID, ENTITY, TestNode};
use payment_runs_server::hash_secret;
use payment_runs_store::{Executor, SqliteStore};

use crate::administration::logged_in;

const RUNS: &str = "/v2/payment_runs";
const NOW: &str = "2024-07-28T09:15:30Z";

/// A server whose clock stands and whose runs stay pending.
async fn still() -> TestServer {
    TestServer::start_with(TestNode::builder().at(NOW.parse().unwrap()).without_worker()).await
}

async fn send(server: &TestServer, method: &str, path: &str, body: Option<Value>) -> Answer {
    let call = server.caller.call(method, path).header("async", "true");
    match body {
        Some(body) => call.json(&body).await,
        None => call.send().await,
    }
}

/// Sends a request, and waits until it has been answered.
async fn ended(server: &TestServer, method: &str, path: &str, body: Option<Value>) -> Value {
    let accepted = send(server, method, path, body).await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    assert_eq!(accepted.body["request_id"].as_str(), accepted.header("zuora-request-id"));
    answered(server, &text(&accepted.body, "request_id")).await
}

async fn answered(server: &TestServer, id: &str) -> Value {
    let path = format!("/ops/async-requests/{id}");
    server.caller.wait_for(&path, |request| request["status"] != "queued").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_created_changed_and_deleted_without_waiting() {
    let server = still().await;
    let body = json!({ "payment_run_date": "2024-08-01 11:00:00", "batch": "Batch1" });
    let created = ended(&server, "POST", &format!("{RUNS}?fields[]=id,state"), Some(body)).await;
    assert_eq!(
        (&created["status"], &created["response"]["status"]),
        (&json!("succeeded"), &json!(201)),
        "{created}"
    );
    assert_eq!(
        (&created["method"], &created["path"]),
        (&json!("POST"), &json!("/v2/payment_runs?fields[]=id,state"))
    );
    assert_eq!((&created["accepted_at"], &created["ended_at"]), (&json!(NOW), &json!(NOW)));
    assert_eq!(created["response"]["body"]["state"], "pending");
    assert_eq!(
        created["response"]["body"].as_object().map(serde_json::Map::len),
        Some(2),
        "the chosen fields"
    );
    let run = format!("{RUNS}/{}", text(&created["response"]["body"], "id"));

    let changed = ended(&server, "PATCH", &run, Some(json!({ "batch": null, "currency": "EUR" }))).await;
    assert_eq!(changed["response"]["status"], 200, "{changed}");
    let shown = server.caller.get(&run).await.body;
    assert_eq!(
        (shown.get("batch"), &shown["currency"]),
        (None, &json!("EUR")),
        "null clears also when nobody waits"
    );

    let deleted = ended(&server, "DELETE", &run, None).await;
    assert_eq!(deleted["response"], json!({ "status": 204, "body": null }), "{deleted}");
    assert_eq!(server.caller.get(&run).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_can_be_read_and_what_is_malformed_is_refused_at_once() {
    let server = still().await;
    let refused = ended(&server, "POST", RUNS, Some(json!({ "batch": "Batch1" }))).await;
    assert_eq!(
        (&refused["status"], &refused["response"]["status"]),
        (&json!("failed"), &json!(400)),
        "{refused}"
    );
    assert_eq!(refused["response"]["body"]["errors"][0]["code"], "missing_parameter");
    let missing = ended(&server, "DELETE", &format!("{RUNS}/PR-00000009"), None).await;
    assert_eq!(missing["response"]["body"]["errors"][0]["message"], "there is no payment run PR-00000009");
    let malformed = send(&server, "POST", RUNS, Some(json!({ "target_date": "soon" }))).await;
    assert_eq!(malformed.status, 400);
    let choice = send(
        &server,
        "POST",
        &format!("{RUNS}?expand[]=account"),
        Some(json!({ "target_date": "2024-07-31" })),
    )
    .await;
    assert_eq!(choice.status, 400);
    let reading = server.caller.call("GET", RUNS).header("async", "true").send().await;
    assert_eq!((reading.status, &reading.body["data"]), (200, &json!([])), "reads ignore it");
    for id in ["nothing", "0190b7c4-6f3a-7d21-9c55-0000000000ff"] {
        assert_eq!(server.caller.get(&format!("/ops/async-requests/{id}")).await.status, 404, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_queued_once() {
    let server = still().await;
    let body = json!({ "payment_run_date": "2024-08-01 11:00:00" });
    let send = async || {
        let call =
            server.caller.call("POST", RUNS).header("async", "true").header("idempotency-key", "nightly");
        call.json(&body).await
    };
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status, second.status, &first.body), (202, 202, &second.body));
    answered(&server, &text(&first.body, "request_id")).await;
    assert_eq!(server.caller.get(RUNS).await.body["data"].as_array().map(Vec::len), Some(1));
}

/// The database of a process that is gone.
struct LeftBehind(SqliteStore);

impl LeftBehind {
    fn open(folder: &Path) -> Self {
        Self(SqliteStore::open(folder.join("node.db"), Executor::Inline).unwrap())
    }

    async fn enqueue(&self, request: AsyncRequest) {
        self.0.enqueue_async(request, None, 10).await.unwrap();
    }

    /// Takes a request for a minute.
    async fn claim(&self, now: &str) {
        let now: Timestamp = now.parse().unwrap();
        let lease_until = now.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
        assert!(self.0.claim_async(now, lease_until).await.unwrap().is_some());
    }
}

/// What a server keeps of a request that creates a run.
fn queued(id: u128, permissions: &[&str]) -> AsyncRequest {
    let user = "7e570000000070008000000000000002";
    let body = json!({
        "method": "POST", "path": RUNS, "body": r#"{"payment_run_date":"2024-08-01 11:00:00"}"#,
        "caller": {
            "client": CLIENT_ID, "user": user, "entity": 1, "organizations": null, "permissions": permissions,
        },
    });
    AsyncRequest {
        id,
        entity: EntityKey::FIRST,
        client: CLIENT_ID.to_owned(),
        accepted_at: NOW.parse().unwrap(),
        body: serde_json::to_vec(&body).unwrap(),
    }
}

/// A caller of another client, which may do only this.
async fn other_client(server: &TestServer, permissions: Vec<Permission>) -> Caller {
    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }
    let client = Client {
        id: "another-client".to_owned(),
        secret_hash: hash_secret("secret", &Zeros).unwrap(),
        user: UserId::from_u128(9),
        entities: vec![(EntityKey::FIRST, ENTITY)],
        organizations: None,
        permissions,
        is_active: true,
    };
    server.node().store().put_client(client).await.unwrap();
    let caller = server.caller.anonymous();
    caller.log_in("another-client", "secret").await;
    caller
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_its_own_requests_and_may_not_more_than_otherwise() {
    let server = still().await;
    let body = json!({ "payment_run_date": "2024-08-01 11:00:00" });
    let own = ended(&server, "POST", RUNS, Some(body.clone())).await;
    let path = format!("/ops/async-requests/{}", text(&own, "id"));
    let reader = other_client(&server, vec![Permission::Read]).await;
    assert_eq!(reader.get(&path).await.status, 404);
    let refused = reader.call("POST", RUNS).header("async", "true").json(&body).await;
    assert_eq!((refused.status, &refused.body["type"]), (403, &json!("forbidden")));
    let operator = other_client(&server, vec![Permission::Read, Permission::Administer]).await;
    assert_eq!(operator.get(&path).await.body, own);

    // Without the permission to charge, nothing is charged, also when nobody waits.
    let manager = other_client(&server, vec![Permission::Read, Permission::ManagePaymentRuns]).await;
    let accepted = manager.call("POST", RUNS).header("async", "true").json(&body).await;
    let path = format!("/ops/async-requests/{}", text(&accepted.body, "request_id"));
    let done = manager.wait_for(&path, |request| request["status"] != "queued").await;
    assert_eq!(done["response"]["body"]["collect_payment"], false, "{done}");
    assert_eq!(done["response"]["body"]["created_by_id"], UserId::from_u128(9).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_read_only_by_who_sees_all_that_its_maker_saw() {
    let server = still().await;
    let admin = &server.caller;
    let mut organizations = Vec::new();
    for name in ["East", "West"] {
        let made = admin.post("/ops/organizations", json!({ "name": name })).await;
        organizations.push(text(&made.body, "organization_id"));
    }
    let [east, west] = [&organizations[0], &organizations[1]];
    let clerk = async |name: &str, organizations: Value| {
        let powers = json!({
            "permissions": ["read", "manage_payment_runs", "administer"], "organizations": organizations,
        });
        logged_in(&server, admin, name, powers).await
    };
    let (eastern, western) = (clerk("east", json!([east])).await, clerk("west", json!([west])).await);
    let both = clerk("both", json!([east, west])).await;
    let body = json!({ "payment_run_date": "2024-08-01 11:00:00", "batch": "Secret" });
    let accepted = async |caller: &Caller| {
        let answer = caller.call("POST", RUNS).header("async", "true").json(&body).await;
        let id = text(&answer.body, "request_id");
        let done = answered(&server, &id).await;
        assert_eq!(done["status"], "succeeded", "{done}");
        format!("/ops/async-requests/{id}")
    };
    let (of_all, of_east) = (accepted(admin).await, accepted(&eastern).await);
    for (caller, path, status) in [
        (&eastern, &of_all, 404),
        (&western, &of_all, 404),
        (&both, &of_all, 404),
        (admin, &of_all, 200),
        (&eastern, &of_east, 200),
        (&western, &of_east, 404),
        (&both, &of_east, 200),
        (admin, &of_east, 200),
    ] {
        let answer = caller.get(path).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        let run = text(&admin.get(path).await.body["response"]["body"], "id");
        assert_eq!(caller.get(&format!("{RUNS}/{run}")).await.status, status, "as the run itself");
    }
    // Its own client cannot read it any more either, once it sees less.
    let narrowed = admin.call("PATCH", "/ops/clients/east").json(&json!({ "organizations": [west] })).await;
    assert_eq!(narrowed.status, 200, "{}", narrowed.body);
    assert_eq!(eastern.get(&of_east).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_carried_out_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let left = LeftBehind::open(folder.path());
    // Begun a month ago, and nobody knows any more how far it came.
    left.enqueue(queued(7, &["ManagePaymentRuns"])).await;
    left.claim(NOW).await;
    left.enqueue(AsyncRequest { body: b"{}".to_vec(), ..queued(8, &[]) }).await;
    drop(left);
    let builder = TestNode::builder().at("2024-08-28T00:00:00Z".parse().unwrap()).without_worker();
    let server = TestServer::start_with(builder.in_folder(folder.path())).await;
    let reason = async |id: u128| {
        let request = answered(&server, &format!("{id:032x}")).await;
        text(&request["response"]["body"]["errors"][0], "message")
    };
    assert_eq!(reason(7).await, "it is not known whether the request took effect");
    assert_eq!(reason(8).await, "the request was queued by another version of the server");
    assert_eq!(server.caller.get(RUNS).await.body["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_left_behind_is_carried_out_by_the_next_one_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let builder =
        |now: &str| TestNode::builder().at(now.parse().unwrap()).without_worker().in_folder(folder.path());
    let id = "0190b7c4-6f3a-7d21-9c55-000000000003";
    let left = LeftBehind::open(folder.path());
    left.enqueue(queued(0x0190_b7c4_6f3a_7d21_9c55_0000_0000_0003, &["ManagePaymentRuns"])).await;
    left.claim(NOW).await;
    drop(left);

    // The process that held the claim is gone; another one takes over when the lease has ended.
    let first = TestServer::start_with(builder("2024-07-28T09:16:30Z")).await;
    let done = answered(&first, id).await;
    assert_eq!(done["response"]["status"], 201, "{done}");
    let run = text(&done["response"]["body"], "id");
    first.into_node().stop().await;

    // A process that ended between the effect and its answer: the answer is forgotten, the effect is not.
    let database = rusqlite::Connection::open(folder.path().join("node.db")).unwrap();
    database.execute("UPDATE async_request SET ended_at = NULL, response = NULL, due_at = 0", []).unwrap();
    drop(database);
    let second = TestServer::start_with(builder("2024-07-28T09:17:00Z")).await;
    let again = answered(&second, id).await;
    assert_eq!(
        (&again["response"]["body"]["id"], &again["response"]["status"]),
        (&json!(run), &json!(201)),
        "{again}"
    );
    assert_eq!(
        second.caller.get(RUNS).await.body["data"].as_array().map(Vec::len),
        Some(1),
        "one run, not two"
    );
}

/// A store that cannot be written is left alone for a while, and not asked without end.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_is_asked_again_after_a_while() {
    const QUESTIONS: usize = 50;
    let server = still().await;
    let edit = |sql: &str| server.open_database().execute_batch(sql).unwrap();
    edit("CREATE TRIGGER full BEFORE UPDATE ON async_request BEGIN SELECT RAISE(ABORT, 'no room'); END");
    let accepted =
        send(&server, "POST", RUNS, Some(json!({ "payment_run_date": "2024-08-01 11:00:00" }))).await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let request = text(&accepted.body, "request_id");
    let status = async || {
        let path = format!("/ops/async-requests/{request}");
        text(&server.caller.get(&path).await.body, "status")
    };
    // It has been tried by the time that so many other requests are answered.
    for _ in 0..QUESTIONS {
        assert_eq!(status().await, "queued");
    }
    edit("DROP TRIGGER full");
    for _ in 0..QUESTIONS {
        assert_eq!(status().await, "queued", "nobody asks before the time has come");
    }
    server.node().clock().advance(jiff::SignedDuration::from_secs(5));
    assert_eq!(answered(&server, &request).await["status"], "succeeded");
}
