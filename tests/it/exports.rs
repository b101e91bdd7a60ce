//! Exports through the operations API.

use std::io::Read as _;

use flate2::read::GzDecoder;
use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use payment_runs_tests::contract::contract;
use payment_runs_tests::raw::RawConnection;
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World, text};
use serde_json::{Value, json};

use crate::administration::logged_in;
use crate::imports::{account_with_card, import};

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Each line must be what the component says.
fn judge(lines: &[Value], component: &str) {
    let schema = json!({ "$ref": format!("#/components/schemas/{component}") });
    for line in lines {
        assert_eq!(contract().schema_faults("ops", &schema, line), Vec::<String>::new(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_exported_as_lines_and_as_columns() {
    let server = TestServer::start_at("2026-02-01T09:00:00Z").await;
    let caller = &server.caller;
    let world = World::new(caller);
    let good = world.account("Good", CARD_APPROVED).await;
    let bad = world.account("Bad", CARD_DECLINED).await;
    let off = world.account_with("Off", CARD_APPROVED, json!({ "autoPay": false })).await;
    for account in [&good, &bad, &off] {
        world.invoice(account, json!(12.5), "2026-01-31").await;
    }
    let run = world.run(json!({ "targetDate": "2026-02-01" })).await;
    let (id, number) = (text(&run, "id"), text(&run, "number"));

    let exported = caller.get(&format!("/ops/exports/decisions?payment_run={id}")).await;
    assert_eq!((exported.status, exported.header("content-type")), (200, Some("application/x-ndjson")));
    let decisions = lines(&exported.bytes);
    judge(&decisions, "Decision");
    let listed = caller.get(&format!("/ops/payment-runs/{id}/decisions")).await.body;
    assert_eq!(Value::from(decisions.clone()), listed["data"], "the list and the export are one");

    let csv = caller.get(&format!("/ops/exports/decisions?payment_run={number}&format=csv")).await;
    assert_eq!(csv.header("content-type"), Some("text/csv"));
    let mut reader = csv::Reader::from_reader(csv.bytes.as_slice());
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    for (row, decision) in rows.iter().zip(&decisions) {
        for (name, cell) in head.iter().zip(row) {
            let value = match &decision[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(cell, value, "{name}");
        }
    }

    let exported = caller.get(&format!("/ops/exports/payments?payment_run={id}&format=ndjson")).await;
    let payments = lines(&exported.bytes);
    judge(&payments, "Payment");
    let mut states: Vec<&str> = payments.iter().map(|payment| payment["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["declined", "processed"]);
    let processed = payments.iter().find(|payment| payment["state"] == "processed").unwrap();
    assert_eq!((&processed["amount"], &processed["payment_run_id"]), (&json!(12.5), &json!(id)));
    assert_eq!(processed["documents"][0]["amount"], 12.5);
    let csv = caller.get(&format!("/ops/exports/payments?payment_run={id}&format=csv")).await;
    let mut reader = csv::Reader::from_reader(csv.bytes.as_slice());
    let documents = reader.headers().unwrap().iter().position(|name| name == "documents").unwrap();
    let record =
        reader.records().map(Result::unwrap).find(|row| row.iter().any(|cell| cell == "processed")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&record[documents]).unwrap(), processed["documents"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_longer_than_its_parts_and_may_be_compressed() {
    const DOCUMENTS: usize = 1_100;
    let server = TestServer::start_at("2026-02-01T09:00:00Z").await;
    let caller = &server.caller;
    account_with_card(caller, "A-1").await;
    let documents: Vec<Value> = (0..DOCUMENTS)
        .map(|at| json!({ "type": "Invoice", "number": format!("=I{at:05}"), "account": "A-1", "amount": 1, "document_date": "2026-01-01" }))
        .collect();
    import(caller, "documents", &documents).await;
    let run =
        World::new(caller).run(json!({ "targetDate": "2026-02-01", "consolidatedPayment": true })).await;
    assert_eq!(run["status"], "Completed");
    let path = format!("/ops/exports/decisions?payment_run={}", text(&run, "id"));
    let decisions = lines(&caller.get(&path).await.bytes);
    let numbers: Vec<&str> = decisions.iter().map(|one| one["document_number"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..DOCUMENTS).map(|at| format!("=I{at:05}")).collect();
    assert_eq!(numbers, expected, "each once, in the order of the run");
    let plain = caller.get(&format!("{path}&format=csv")).await;
    assert!(plain.header("content-encoding").is_none());
    let rows = csv::Reader::from_reader(plain.bytes.as_slice())
        .into_records()
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    assert_eq!((rows.len(), &rows[0][1]), (DOCUMENTS, "'=I00000"), "a text is never a formula");

    let http = payment_runs_tests::http_builder().gzip(false).build().unwrap();
    let request = http.get(server.url(&format!("{path}&format=csv"))).bearer_auth(server.token());
    let response =
        request.header("accept-encoding", "gzip").header("accept", "text/csv").send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut inflated = Vec::new();
    GzDecoder::new(response.bytes().await.unwrap().as_ref()).read_to_end(&mut inflated).unwrap();
    assert_eq!(inflated, plain.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_breaks_off_when_its_client_may_not_read_any_more() {
    // Far more than what lies between the server and a receiver that does not read.
    const DOCUMENTS: usize = 6_000;
    let server = TestServer::start_at("2026-02-01T09:00:00Z").await;
    let admin = &server.caller;
    account_with_card(admin, "A-1").await;
    let name = "x".repeat(200);
    let documents: Vec<Value> = (0..DOCUMENTS)
        .map(|at| json!({ "type": "Invoice", "number": format!("{name}{at}"), "account": "A-1", "amount": 1, "document_date": "2026-01-01" }))
        .collect();
    import(admin, "documents", &documents).await;
    let run = World::new(admin).run(json!({ "targetDate": "2026-02-01", "collectPayment": false })).await;
    let reader = logged_in(&server, admin, "reader", json!({ "permissions": ["read"] })).await;
    let request = format!(
        "GET /ops/exports/decisions?payment_run={} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         authorization: Bearer {}\r\n\r\n",
        text(&run, "id"),
        reader.token().unwrap()
    );
    let begun = async || {
        let mut connection = RawConnection::slow(server.node().node().address()).await;
        assert!(connection.send(request.as_bytes()).await);
        // The first bytes are there, and with them the first part.
        assert_eq!(connection.byte().await, Some(b'H'));
        connection
    };
    let whole = begun().await.until_closed().await;
    assert!(whole.ends_with("0\r\n\r\n") && whole.matches(&name).count() == DOCUMENTS);
    let mut cut = begun().await;
    let call = admin.call("PATCH", "/ops/clients/reader");
    assert_eq!(call.json(&json!({ "permissions": [] })).await.status, 200);
    server.node().clock().advance(jiff::SignedDuration::from_secs(2));
    let cut = cut.until_closed().await;
    assert!(!cut.ends_with("0\r\n\r\n"), "a part must not look like the whole");
    assert!(cut.matches(&name).count() < DOCUMENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_of_a_run_is_exported_at_any_time() {
    let server = TestServer::start_with(TestNode::builder().without_worker()).await;
    let caller = &server.caller;
    let run = caller.create("/v1/payment-runs", json!({ "targetDate": "2026-02-01" })).await;
    for what in ["decisions", "payments"] {
        let path = format!("/ops/exports/{what}?payment_run={}", text(&run, "id"));
        let answer = caller.get(&path).await;
        assert_eq!((answer.status, answer.bytes.len()), (200, 0), "{what}");
        let csv = caller.get(&format!("{path}&format=csv")).await;
        assert_eq!(String::from_utf8_lossy(&csv.bytes).lines().count(), 1, "the names of the columns");
        let accepting = |accept: &str| caller.call("GET", &path).header("accept", accept).send();
        assert_eq!(accepting("application/x-ndjson").await.status, 200);
        assert_eq!(accepting("application/json").await.status, 200);
        assert_eq!(accepting("text/html").await.status, 406);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_exports() {
    let server = TestServer::start().await;
    let admin = &server.caller;
    let run = admin
        .create("/v1/payment-runs", json!({ "runDate": "2099-01-01 00:00:00", "targetDate": "2099-01-01" }))
        .await;
    let id = text(&run, "id");
    let east =
        text(&admin.post("/ops/organizations", json!({ "name": "East" })).await.body, "organization_id");
    let limited =
        logged_in(&server, admin, "east", json!({ "permissions": ["read"], "organizations": [east] })).await;
    let entity = text(&admin.post("/ops/entities", json!({ "name": "Other" })).await.body, "entity_id");
    let elsewhere = admin.clone().with_header("zuora-entity-ids", &entity);
    let home = admin.clone().with_header("zuora-entity-ids", &payment_runs_node::testing::ENTITY.to_string());
    for what in ["decisions", "payments"] {
        let path = format!("/ops/exports/{what}");
        let known = format!("{path}?payment_run={id}");
        assert_eq!(home.get(&known).await.status, 200);
        assert_eq!(elsewhere.get(&known).await.status, 404, "another entity");
        assert_eq!(limited.get(&known).await.status, 404, "a run of the whole entity");
        assert_eq!(admin.anonymous().get(&known).await.status, 401);
        for (query, status, field) in [
            ("", 400, "payment_run"),
            ("?payment_run=PR-99999999", 404, "payment_run"),
            ("?payment_run=PR-00000001&format=xml", 400, "format"),
        ] {
            let answer = home.get(&format!("{path}{query}")).await;
            assert_eq!(
                (answer.status, &answer.body["errors"][0]["parameter"]),
                (status, &json!(field)),
                "{query}"
            );
        }
    }
}
