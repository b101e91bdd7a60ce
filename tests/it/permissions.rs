//! What a client may do: the scopes that the contract declares for an operation are what the server asks for, before it
//! looks at anything else of a request.

use std::time::Duration;

use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use payment_runs_tests::contract::contract;
use payment_runs_tests::raw::{RawConnection, Reply};
use payment_runs_tests::world::{World, text};
use payment_runs_types::ops::Permission;
use serde_json::{Value, json};

use crate::administration::logged_in;

/// No permission, each alone, all but one, and all.
fn sets_of_permissions() -> Vec<Vec<&'static str>> {
    let all: Vec<&str> = Permission::ALL.iter().map(Permission::as_str).collect();
    let but = |left_out: &str| all.iter().copied().filter(|one| *one != left_out).collect();
    let alone = all.iter().map(|one| vec![*one]);
    alone.chain(all.iter().map(|one| but(one))).chain([vec![], all.clone()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_those_who_hold_the_declared_scopes_pass() {
    let server = TestServer::start_with(TestNode::builder().with_system_clock().without_worker()).await;
    let clerk = logged_in(&server, &server.caller, "clerk", json!({})).await;
    let mut wrong = Vec::new();
    for held in sets_of_permissions() {
        let change = server.caller.call("PATCH", "/ops/clients/clerk");
        assert_eq!(change.json(&json!({ "permissions": held })).await.status, 200);
        for operation in contract().operations.iter().filter(|operation| !operation.scopes.is_empty()) {
            let path: Vec<&str> = operation
                .route
                .split('/')
                .map(|part| if part.starts_with('{') { "x" } else { part })
                .collect();
            // Nothing of it fits: whoever passes hears of that, and changes nothing.
            let call =
                clerk.call(&operation.method, &path.join("/")).header("content-type", "application/json");
            let answer = call.raw(b"{".to_vec()).await;
            let may = operation.scopes.iter().all(|scope| held.contains(&scope.as_str()));
            if (answer.status == 403) == may {
                wrong.push(format!("{} with {held:?}: {}", operation.id, answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The answer to a caller that may not do it needs neither the body nor the idempotency key, and has its own status for old
/// versions, too.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_so_before_the_body_is_read() {
    let server = TestServer::start().await;
    let reader = logged_in(&server, &server.caller, "reader", json!({})).await;
    let token = reader.token().unwrap();
    for (path, more) in [
        ("/v1/invoices", "zuora-version: 211.0\r\nidempotency-key: once\r\n"),
        ("/v2/payment_runs", "async: true\r\n"),
        ("/ops/imports/x/lines", ""),
        ("/ops/clients", "content-encoding: gzip\r\n"),
    ] {
        let mut connection = RawConnection::to(server.node().node().address()).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{more}\
             content-type: application/json\r\ncontent-length: 1000\r\n\r\n"
        );
        assert!(connection.send(head.as_bytes()).await);
        assert_eq!(connection.reply(Duration::from_secs(20)).await, Reply::Answer(403), "{path}");
    }
    let kept: i64 =
        server.open_database().query_row("SELECT count(*) FROM once", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 0, "nothing is remembered of a request that its caller may not make");
    let nothing = logged_in(&server, &server.caller, "nothing", json!({ "permissions": [] })).await;
    assert_eq!(nothing.call("HEAD", "/v1/payment-runs").open().await.status(), 403);
    assert_eq!(reader.call("HEAD", "/v1/payment-runs").open().await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_read_unless_its_maker_says_otherwise() {
    let server = TestServer::start().await;
    let made = server.caller.post("/ops/clients", json!({ "client_id": "new" })).await;
    assert_eq!(made.body["client"]["permissions"], json!(["read"]));
    let token = server.caller.request_token("new", &text(&made.body, "client_secret")).await;
    assert!(text(&token.body, "scope").ends_with(" read"), "{}", token.body);
    let whole = server.caller.get("/ops/clients/test-client").await.body;
    assert_eq!(whole["permissions"], json!(Permission::ALL), "the first client has all");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_shown_only_to_who_may_write_billing_objects() {
    const TOKEN: &str = "pm_card_visa";
    const SECOND_TOKEN: &str = "cus_of_the_payer";
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let admin = &server.caller;
    let account = json!({
        "name": "Payer", "currency": "USD", "autoPay": true,
        "billToContact": { "firstName": "Ada", "lastName": "L", "country": "United States" },
        "paymentMethod": {
            "type": "CreditCardReferenceTransaction", "tokenId": TOKEN, "secondTokenId": SECOND_TOKEN,
        },
    });
    let account = text(&admin.create("/v1/accounts", account).await, "accountId");
    World::new(admin).invoice(&account, json!(10), "2024-07-01").await;
    let run = World::new(admin).run(json!({ "targetDate": "2024-07-28" })).await;
    let (run, entity) = (text(&run, "id"), admin.get("/v1/payments").await.body);
    let payment = text(&entity["payments"][0], "id");
    let method = text(&entity["payments"][0], "paymentMethodId");
    let all_but = |left_out: &str| {
        let held: Vec<Value> =
            Permission::ALL.iter().map(|one| json!(one)).filter(|one| one != left_out).collect();
        json!({ "permissions": held })
    };
    let other = logged_in(&server, admin, "other", all_but("write_billing_objects")).await;
    for path in [
        format!("/v1/payment-methods/{method}"),
        format!("/v1/accounts/{account}"),
        format!("/v1/payments/{payment}"),
        "/v1/payments".to_owned(),
        format!("/v1/payment-runs/{run}/data"),
        "/object-query/payment-runs?expand[]=payments".to_owned(),
        format!("/object-query/payment-runs/{run}?expand[]=payments"),
        format!("/v2/payment_runs/{run}?expand[]=summary"),
        format!("/ops/payments/{payment}"),
        "/ops/payments".to_owned(),
        format!("/ops/payment-runs/{run}/payments"),
        format!("/ops/payment-runs/{run}/decisions"),
        format!("/ops/exports/payments?payment_run={run}"),
        format!("/ops/exports/decisions?payment_run={run}"),
        "/ops/audit-records".to_owned(),
    ] {
        let answer = other.get(&path).await;
        assert!(answer.status < 500 && answer.status != 403, "{path}: {}", answer.body);
        let told = String::from_utf8_lossy(&answer.bytes);
        assert!(!told.contains(TOKEN) && !told.contains(SECOND_TOKEN), "{path}: {told}");
    }
    let path = format!("/v1/payment-methods/{method}");
    let told = other.get(&path).await.body;
    assert_eq!((told.get("tokenId"), told.get("secondTokenId")), (None, None), "{told}");
    assert_eq!(told["id"], json!(method), "all else is there");
    let writer =
        logged_in(&server, admin, "writer", json!({ "permissions": ["read", "write_billing_objects"] }));
    let told = writer.await.get(&path).await.body;
    assert_eq!((&told["tokenId"], &told["secondTokenId"]), (&json!(TOKEN), &json!(SECOND_TOKEN)));
}
