//! Imports through the operations API.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::{Answer, Caller};
use payment_runs_tests::world::text;
use serde_json::{Value, json};

use crate::administration::logged_in;

/// Begins an import; gives its identifier.
pub(crate) async fn begin(by: &Caller, kind: &str, format: &str) -> String {
    let answer = by.post("/ops/imports", json!({ "kind": kind, "format": format })).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    text(&answer.body, "id")
}

/// Sends lines.
async fn send(by: &Caller, id: &str, query: &str, lines: &str) -> Answer {
    send_as(by, id, query, "ndjson", lines.as_bytes().to_vec()).await
}

/// Sends lines in one of the formats.
pub(crate) async fn send_as(by: &Caller, id: &str, query: &str, format: &str, lines: Vec<u8>) -> Answer {
    let media_type = if format == "csv" { "text/csv" } else { "application/x-ndjson" };
    let call = by.call("POST", &format!("/ops/imports/{id}/lines{query}"));
    call.header("content-type", media_type).raw(lines).await
}

/// Begins an import of objects and sends them all; gives the import after them.
pub(crate) async fn import(by: &Caller, kind: &str, lines: &[Value]) -> Value {
    let id = begin(by, kind, "ndjson").await;
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let answer = send(by, &id, "", &lines.join("\n")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

fn counts(import: &Value) -> (i64, i64, i64) {
    let count = |name: &str| import[name].as_i64().unwrap();
    (count("next_line"), count("lines_stored"), count("lines_refused"))
}

fn fault(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["errors"][0]["parameter"].as_str().unwrap_or_default())
}

/// An account with a card that the built-in bank knows.
pub(crate) async fn account_with_card(by: &Caller, number: &str) {
    let account = json!({ "number": number, "name": number, "currency": "USD" });
    assert_eq!(counts(&import(by, "accounts", &[account]).await), (2, 1, 0));
    let method = json!({ "account": number, "type": "CreditCardReferenceTransaction", "token": "pm_card_visa", "mask": "************4242" });
    assert_eq!(counts(&import(by, "payment_methods", &[method]).await), (2, 1, 0));
}

fn invoice(number: &str, account: &str, amount: f64) -> Value {
    json!({ "type": "Invoice", "number": number, "account": account, "amount": amount, "document_date": "2026-01-01" })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_imported_is_collected() {
    let server = TestServer::start_at("2026-02-01T09:00:00Z").await;
    let caller = &server.caller;
    account_with_card(caller, "A-1").await;
    let own = "0000000000000000000000000000abcd";
    let method = json!({
        "id": own, "account": "A-1", "type": "CreditCardReferenceTransaction", "token": "pm_card_mastercard",
        "make_default": false, "max_consecutive_failures": 3,
    });
    assert_eq!(counts(&import(caller, "payment_methods", &[method]).await), (2, 1, 0));
    let documents = [
        invoice("OLD-1", "A-1", 100.5),
        json!({
            "type": "DebitMemo", "number": "OLD-2", "account": "A-1", "amount": 50, "balance": 20.25,
            "document_date": "2026-01-02", "due_date": "2026-01-31", "comment": "half is paid", "payment_method": own,
        }),
        json!({ "type": "Invoice", "number": "OLD-3", "account": "A-1", "amount": 9, "document_date": "2026-01-01", "status": "Draft" }),
        json!({ "type": "Invoice", "number": "OLD-4", "account": "A-1", "amount": 9, "document_date": "2026-01-01", "auto_pay": false }),
    ];
    assert_eq!(counts(&import(caller, "documents", &documents).await), (5, 4, 0));
    let credits = [
        json!({ "type": "CreditMemo", "number": "OLD-CM", "account": "A-1", "amount": 10, "date": "2026-01-01" }),
        json!({ "type": "UnappliedPayment", "number": "OLD-P", "account": "A-1", "amount": 5.5, "date": "2026-01-01" }),
    ];
    assert_eq!(counts(&import(caller, "credits", &credits).await), (3, 2, 0));

    let body =
        json!({ "targetDate": "2026-02-01", "autoApplyCreditMemo": true, "autoApplyUnappliedPayment": true });
    let run = payment_runs_tests::world::World::new(caller).run(body).await;
    assert_eq!(run["status"], "Completed");
    let mut charged: Vec<i64> = server.charges().iter().map(|charge| charge.amount_minor).collect();
    charged.sort_unstable();
    assert_eq!(charged, [2_025, 8_500], "credits went first, and the rest was charged");
    let paid = caller.get("/v1/invoices/OLD-1").await.body;
    assert_eq!((&paid["balance"], &paid["amount"]), (&json!(0), &json!(100.5)), "{paid}");
    let draft = caller.get("/v1/invoices/OLD-3").await.body;
    assert_eq!((&draft["status"], &draft["balance"]), (&json!("Draft"), &json!(9)));
    let next = caller.create("/v1/accounts", json!({ "name": "New", "currency": "USD", "billToContact": { "firstName": "A", "lastName": "B" } })).await;
    assert!(next["success"].as_bool().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_line_is_told_and_the_good_ones_are_kept() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    account_with_card(caller, "A-1").await;
    let id = begin(caller, "documents", "ndjson").await;
    let lines = [
        invoice("I-1", "A-1", 1.0).to_string(),
        invoice("I-1", "A-1", 1.0).to_string(),
        r#"{"type":"Invoice","number":"I-2","account":"nobody","amount":-1,"currency":"EUR","document_date":"2026-01-01"}"#.to_owned(),
        r#"{"type":"Invoice","number":"I-3","amount":"x","document_date":"2026-02-30","colour":"red"}"#.to_owned(),
        String::new(),
        "{ not JSON".to_owned(),
        format!("\"{}\"", "x".repeat(70_000)),
        json!({ "type": "Invoice", "number": "I-4", "account": "A-1", "amount": 1, "balance": 2, "document_date": "2026-01-01" }).to_string(),
        json!({ "type": "Invoice", "number": "I-5", "account": "A-1", "amount": 0.001, "payment_method": "x", "document_date": "2026-01-01" }).to_string(),
        invoice("I-6", "A-1", 2.0).to_string(),
    ];
    let answer = send(caller, &id, "", &lines.join("\n")).await;
    assert_eq!(counts(&answer.body), (11, 2, 7), "{}", answer.body);
    assert_eq!(caller.get("/v1/invoices/I-6").await.status, 200);
    let first = caller.get(&format!("/ops/imports/{id}/faults?page_size=4")).await.body;
    let next = text(&first, "next_page");
    let rest = caller.get(&format!("/ops/imports/{id}/faults?page_size=4&cursor={next}")).await.body;
    assert_eq!(rest["next_page"], Value::Null);
    let mut told = String::new();
    for line in first["data"].as_array().unwrap().iter().chain(rest["data"].as_array().unwrap()) {
        for error in line["errors"].as_array().unwrap() {
            let field = error["parameter"].as_str().unwrap_or("-");
            let (code, message) = (error["code"].as_str().unwrap(), error["message"].as_str().unwrap());
            writeln!(told, "{} {field} {code}: {message}", line["line"]).unwrap();
        }
    }
    insta::assert_snapshot!(told);
    let foreign = caller.get(&format!("/ops/imports?cursor={next}")).await;
    assert_eq!(fault(&foreign), (400, "cursor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_methods_and_credits_are_judged_alike() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let accounts = [
        json!({
            "number": "A-1", "name": "One", "currency": "EUR", "auto_pay": false, "batch": "Batch7", "bill_cycle_day": 31,
            "status": "Draft", "credit_balance": 12.5,
        }),
        json!({ "number": "A-1", "name": "Again", "currency": "EUR" }),
        json!({ "number": "A-2", "name": "Two", "currency": "ZZZ", "payment_gateway": "none", "organization": "none" }),
        json!({ "number": "A-3", "name": "Three", "currency": "USD", "payment_gateway": "none", "organization": "none", "bill_cycle_day": 31 }),
        json!({ "number": "A-4", "name": "Closed", "currency": "USD", "status": "Canceled" }),
    ];
    assert_eq!(counts(&import(caller, "accounts", &accounts).await), (6, 2, 3));
    let one = caller.get("/v1/accounts/A-1").await.body;
    let billing = &one["billingAndPayment"];
    assert_eq!((&billing["autoPay"], &billing["billCycleDay"]), (&json!(false), &json!(31)), "{one}");
    let card = "4242 4242 4242 4242";
    let methods = [
        json!({ "account": "A-1", "type": "Other" }),
        json!({ "account": "A-1", "type": "CreditCard" }),
        json!({ "account": "A-1", "type": "CreditCard", "token": card }),
        json!({ "account": "A-1", "type": "CreditCard", "token": "pm_1", "card_number": card }),
        json!({ "account": "A-4", "type": "CreditCard", "token": "pm_1" }),
        json!({ "account": "A-9", "type": "CreditCard", "token": "pm_1" }),
    ];
    let methods = import(caller, "payment_methods", &methods).await;
    assert_eq!(counts(&methods), (7, 1, 5));
    let faults = caller.get(&format!("/ops/imports/{}/faults", text(&methods, "id"))).await;
    assert!(!String::from_utf8_lossy(&faults.bytes).contains("4242"), "a card number is told to nobody");
    let credits = [
        json!({ "type": "CreditBalance", "account": "A-1", "amount": 7.5, "date": "2026-01-01" }),
        json!({ "type": "CreditBalance", "account": "A-1", "amount": 7.5, "currency": "USD", "date": "2026-01-01" }),
        json!({ "type": "CreditMemo", "account": "A-1", "amount": 7.5, "date": "2026-01-01" }),
        json!({ "type": "CreditMemo", "number": "C-1", "account": "A-1", "amount": 0, "date": "2026-01-01" }),
        json!({ "type": "CreditMemo", "number": "C-1", "account": "A-1", "amount": 1, "date": "2026-01-01" }),
        json!({ "type": "CreditMemo", "number": "C-1", "account": "A-1", "amount": 1, "date": "2026-01-01" }),
    ];
    assert_eq!(counts(&import(caller, "credits", &credits).await), (7, 2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn comma_separated_values_are_lines_too() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let id = begin(caller, "accounts", "csv").await;
    let csv = "number,name,currency,auto_pay,batch,bill_cycle_day,credit_balance\r\n\
               A-1,\"Ada, \"\"Countess\"\" of Lovelace\",USD,TRUE,Batch1,31,10.50\r\n\
               A-2,Charles,USD,,,,\r\n\
               A-3,,USD,maybe,,40,x\r\n\
               A-4,Too few\r\n";
    let path = format!("/ops/imports/{id}/lines");
    let csv_call = |path: &str| caller.call("POST", path).header("content-type", "text/csv; charset=utf-8");
    let answer = csv_call(&path).raw(csv.as_bytes().to_vec()).await;
    assert_eq!(counts(&answer.body), (5, 2, 2), "{}", answer.body);
    assert_eq!(
        caller.get("/v1/accounts/A-1").await.body["basicInfo"]["name"],
        "Ada, \"Countess\" of Lovelace"
    );
    let faults = caller.get(&format!("{}/faults", path.trim_end_matches("/lines"))).await.body;
    let lines: Vec<_> =
        faults["data"].as_array().unwrap().iter().map(|fault| fault["line"].clone()).collect();
    assert_eq!(lines, [3, 4]);
    assert_eq!(faults["data"][0]["errors"].as_array().unwrap().len(), 4, "{faults}");
    let again = csv_call(&path).raw(csv.as_bytes().to_vec()).await;
    assert_eq!(counts(&again.body), (5, 2, 2), "sending everything again changes nothing");
    let more =
        csv_call(&format!("{path}?first_line=5")).raw(b"name,number,currency\nFive,A-5,EUR".to_vec()).await;
    assert_eq!(counts(&more.body), (6, 3, 2), "each body names its own columns");
    let unknown = csv_call(&format!("{path}?first_line=6")).raw(b"number,colour\nA-6,red\n".to_vec()).await;
    assert_eq!(unknown.status, 400, "{}", unknown.body);
    assert!(unknown.body["errors"][0]["message"].as_str().unwrap().contains("'colour'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_records_are_refused_and_take_no_other_line_with_them() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let bodies = [
        ("Q1,USD,\"Ada\nQ2,USD,Bob\nQ3,USD,Eve\n", "opens a quote that is not closed"),
        ("Q1,USD,\"Ada\nQ2,USD,\"Bob\"\nQ3,USD,Eve\n", "has text behind a closing quote"),
        ("Q1,USD,\"Ada\" x\nQ2,USD,Bob\nQ3,USD,Eve\n", "has text behind a closing quote"),
        ("Q1, \"USD\",Ada\nQ2,USD,Bob\nQ3,USD,Eve\n", "has blanks before a quote"),
        ("Q1,USD,Ada\rLovelace\nQ2,USD,Bob\nQ3,USD,Eve\n", "has a carriage return without a line feed"),
        ("\u{feff}number,currency,name\nQ2,USD,Bob\nQ3,USD,Rack 19\" Ltd\n", "begins with a byte order mark"),
    ];
    for (at, (body, message)) in bodies.into_iter().enumerate() {
        let id = begin(caller, "accounts", "csv").await;
        let csv = format!("number,currency,name\n{}", body.replace('Q', &format!("Q{at}")));
        let call =
            caller.call("POST", &format!("/ops/imports/{id}/lines")).header("content-type", "text/csv");
        let answer = call.raw(csv.into_bytes()).await;
        assert_eq!(counts(&answer.body), (4, 2, 1), "{body:?}: {}", answer.body);
        let faults = caller.get(&format!("/ops/imports/{id}/faults")).await.body;
        assert_eq!(faults["data"][0]["line"], 1, "{faults}");
        assert!(text(&faults["data"][0]["errors"][0], "message").starts_with(message), "{faults}");
        assert_eq!(caller.get(&format!("/v1/accounts/Q{at}1")).await.status, 404);
        assert_eq!(caller.get(&format!("/v1/accounts/Q{at}2")).await.body["basicInfo"]["name"], "Bob");
    }
    let name = caller.get("/v1/accounts/Q53").await.body["basicInfo"]["name"].clone();
    assert_eq!(name, "Rack 19\" Ltd", "a quote inside a value stands for itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_it_was_cut() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let account = |number: usize| json!({ "number": format!("A-{number}"), "name": "N", "currency": "USD" });
    let lines: Vec<String> = (1..=2_500).map(|number| format!("{}\n", account(number))).collect();
    let id = begin(caller, "accounts", "ndjson").await;
    let path = format!("/ops/imports/{id}");
    let (sender, mut pieces) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(4);
    let body = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
    let sending = payment_runs_tests::http_client()
        .post(server.url(&format!("{path}/lines")))
        .bearer_auth(server.token())
        .header("content-type", "application/x-ndjson")
        .body(reqwest::Body::wrap_stream(body))
        .send();
    let cutting = async {
        sender.send(Ok(lines[..2_199].concat().into_bytes())).await.unwrap();
        // Whole batches are taken while the body goes on.
        let import = caller.wait_for(&path, |import| import["next_line"] == 2_001).await;
        assert_eq!(counts(&import), (2_001, 2_000, 0));
        sender.send(Err(std::io::Error::other("the line went dead"))).await.unwrap();
    };
    let (cut, ()) = tokio::join!(sending, cutting);
    assert!(cut.is_err(), "there is nobody to take the answer");
    let next_line = caller.get(&path).await.body["next_line"].as_u64().unwrap();
    assert!(next_line == 2_001 || next_line == 2_200, "whole batches and whole lines are taken: {next_line}");
    let gap = send(caller, &id, "?first_line=2201", &lines[2_200]).await;
    assert_eq!(fault(&gap), (409, "first_line"));
    let part = send(caller, &id, "?first_line=1900", &lines[1_899..2_300].concat()).await;
    assert_eq!(counts(&part.body), (2_301, 2_300, 0));
    let all = send(caller, &id, "", &lines.concat()).await;
    assert_eq!(counts(&all.body), (2_501, 2_500, 0));
    assert_eq!(caller.get("/v1/accounts/A-2500").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_compressed_or_of_the_wrong_kind() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let id = begin(caller, "accounts", "ndjson").await;
    let path = format!("/ops/imports/{id}/lines");
    let line = json!({ "number": "A-1", "name": "N", "currency": "USD" }).to_string();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(line.as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    let call = || caller.call("POST", &path).header("content-type", "application/x-ndjson");
    let cut = call().header("content-encoding", "gzip").raw(gzip[..gzip.len() - 4].to_vec()).await;
    assert_eq!((cut.status, counts(&caller.get(&format!("/ops/imports/{id}")).await.body)), (400, (1, 0, 0)));
    let whole = call().header("content-encoding", "gzip").raw(gzip).await;
    assert_eq!(counts(&whole.body), (2, 1, 0));
    assert_eq!(call().header("content-encoding", "br").raw(vec![1]).await.status, 415);
    let csv =
        caller.call("POST", &path).header("content-type", "text/csv").raw(b"number\nA-2".to_vec()).await;
    assert_eq!(csv.status, 415, "the import is of the other format");
    let json =
        caller.call("POST", &path).header("content-type", "application/json").raw(b"{}".to_vec()).await;
    assert_eq!(json.status, 415);
    let keyed = call().header("idempotency-key", "k").raw(Vec::new()).await;
    assert_eq!(fault(&keyed), (400, "Idempotency-Key"));
    let empty = call().raw(Vec::new()).await;
    assert_eq!(counts(&empty.body), (2, 1, 0), "nothing is no lines");
    let query = send(caller, &id, "?first_line=0", "").await;
    assert_eq!(fault(&query), (400, "first_line"));
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_begun_once_and_listed() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let body = json!({ "kind": "credits", "format": "csv", "name": "credits.csv" });
    let call = || caller.call("POST", "/ops/imports").header("idempotency-key", "once");
    let (first, again) = (call().json(&body).await, call().json(&body).await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body, "the same key begins one import");
    let others = [begin(caller, "accounts", "ndjson").await, begin(caller, "documents", "csv").await];
    let page = caller.get("/ops/imports?page_size=2").await.body;
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|import| text(import, "id")).collect()
    };
    assert_eq!(ids(&page), [others[1].clone(), others[0].clone()], "newest first");
    let rest = caller.get(&format!("/ops/imports?cursor={}", text(&page, "next_page"))).await.body;
    assert_eq!(rest["data"], json!([first.body]));
    assert_eq!((&rest["next_page"], &rest["data"][0]["name"]), (&Value::Null, &json!("credits.csv")));
    for (body, field) in [
        (json!({ "kind": "invoices", "format": "csv" }), "kind"),
        (json!({ "kind": "credits", "format": "xml" }), "format"),
        (json!({ "kind": "credits" }), "format"),
        (json!({ "kind": "credits", "format": "csv", "file": "x" }), "file"),
    ] {
        assert_eq!(fault(&caller.post("/ops/imports", body).await), (400, field));
    }
    for path in [
        "/ops/imports/nothing",
        "/ops/imports/nothing/faults",
        "/ops/imports/0000000000000000000000000000abcd",
    ] {
        assert_eq!(fault(&caller.get(path).await), (404, "id"), "{path}");
    }
    assert_eq!(fault(&send(caller, "nothing", "", "").await), (404, "id"));
    assert_eq!(fault(&caller.get("/ops/imports?page_size=100").await), (400, "page_size"));
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_stay_inside_permission_and_scope() {
    let server = TestServer::start().await;
    let admin = &server.caller;
    let whole = begin(admin, "accounts", "ndjson").await;
    let clerk = logged_in(
        &server,
        admin,
        "clerk",
        json!({ "permissions": ["read", "manage_payment_runs", "administer"] }),
    )
    .await;
    for path in
        ["/ops/imports".to_owned(), format!("/ops/imports/{whole}"), format!("/ops/imports/{whole}/faults")]
    {
        assert_eq!(clerk.get(&path).await.status, 403, "{path}");
    }
    assert_eq!(clerk.post("/ops/imports", json!({ "kind": "accounts", "format": "csv" })).await.status, 403);
    assert_eq!(send(&clerk, &whole, "", "{}").await.status, 403);

    let east =
        text(&admin.post("/ops/organizations", json!({ "name": "East" })).await.body, "organization_id");
    let grant = json!({ "permissions": ["write_billing_objects"], "organizations": [east] });
    let limited = logged_in(&server, admin, "east", grant).await;
    assert_eq!(
        limited.get("/ops/imports").await.body["data"],
        json!([]),
        "others' imports do not exist for it"
    );
    assert_eq!(limited.get(&format!("/ops/imports/{whole}")).await.status, 404);
    assert_eq!(send(&limited, &whole, "", "{}").await.status, 404);
    import(admin, "accounts", &[json!({ "number": "W-1", "name": "West", "currency": "USD" })]).await;
    let accounts = [
        json!({ "number": "E-1", "name": "East", "currency": "USD" }),
        json!({ "number": "E-2", "name": "East", "currency": "USD", "organization": "West" }),
    ];
    let own = import(&limited, "accounts", &accounts).await;
    assert_eq!(counts(&own), (3, 1, 1));
    let documents =
        import(&limited, "documents", &[invoice("I-1", "E-1", 1.0), invoice("I-2", "W-1", 1.0)]).await;
    assert_eq!(counts(&documents), (3, 1, 1), "accounts of others do not exist for it");
    assert_eq!(limited.get("/ops/imports").await.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(admin.get(&format!("/ops/imports/{}", text(&own, "id"))).await.status, 200);

    let entity = text(&admin.post("/ops/entities", json!({ "name": "Other" })).await.body, "entity_id");
    let elsewhere = admin.clone().with_header("zuora-entity-ids", &entity);
    assert_eq!(elsewhere.get(&format!("/ops/imports/{whole}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_taken_until_their_client_may_not_send_any_more() {
    let server = TestServer::start_at("2026-02-01T09:00:00Z").await;
    let admin = &server.caller;
    let clerk =
        logged_in(&server, admin, "clerk", json!({ "permissions": ["read", "write_billing_objects"] })).await;
    let id = begin(&clerk, "accounts", "ndjson").await;
    let path = format!("/ops/imports/{id}");
    let batch = |name: &str| {
        let line = |at| format!("{{\"number\":\"{name}-{at}\",\"name\":\"n\",\"currency\":\"USD\"}}\n");
        (0..1_000).map(line).collect::<String>()
    };
    let (pieces, body) = tokio::sync::mpsc::channel::<String>(1);
    let body = futures_util::stream::unfold(body, async |mut body| {
        body.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), body))
    });
    let request = payment_runs_tests::http_client()
        .post(server.url(&format!("{path}/lines")))
        .bearer_auth(clerk.token().unwrap())
        .header("content-type", "application/x-ndjson")
        .body(reqwest::Body::wrap_stream(body));
    let sending = async {
        pieces.send(batch("A")).await.unwrap();
        admin.wait_for(&path, |import| import["lines_stored"] == 1_000).await;
        let call = admin.call("PATCH", "/ops/clients/clerk");
        assert_eq!(call.json(&json!({ "permissions": ["read"] })).await.status, 200);
        server.node().clock().advance(jiff::SignedDuration::from_secs(2));
        pieces.send(batch("B")).await.unwrap();
        drop(pieces);
    };
    let (answer, ()) = tokio::join!(request.send(), sending);
    assert_eq!(answer.unwrap().status(), 403);
    assert_eq!(counts(&admin.get(&path).await.body), (1_001, 1_000, 0), "what came before stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_are_kept_of_so_many_lines_of_a_client_and_day() {
    const KEPT_OF_AN_IMPORT: usize = 5_000;
    const KEPT_OF_A_DAY: usize = 50_000;
    let server = TestServer::start_at("2026-02-01T23:59:30Z").await;
    let caller = &server.caller;
    let bad = async |lines: usize| {
        let id = begin(caller, "accounts", "ndjson").await;
        let import = send(caller, &id, "", &"x\n".repeat(lines)).await.body;
        let faults = caller.get(&format!("/ops/imports/{id}/faults?page_size=1")).await.body;
        (import["lines_refused"].as_u64().unwrap(), faults["data"].as_array().unwrap().len())
    };
    for _ in 0..KEPT_OF_A_DAY / KEPT_OF_AN_IMPORT {
        assert_eq!(bad(KEPT_OF_AN_IMPORT).await, (5_000, 1));
    }
    assert_eq!(bad(3).await, (3, 0), "they are counted, and their reasons are not kept");
    let good = json!({ "number": "A-1", "name": "One", "currency": "USD" });
    assert_eq!(counts(&import(caller, "accounts", &[good]).await), (2, 1, 0));
    server.advance_to("2026-02-02T00:00:00Z");
    assert_eq!(bad(3).await, (3, 1), "a day later there is room again");
}

/// The most memory that this process has used, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_the_lines() {
    const LINES: usize = 20_000;
    const LINES_A_PIECE: usize = 100;
    // What the batches, the writer's page cache of 32 MiB and the runtime may take; the lines have 20 MB in all.
    const GROWTH_KIB_MAX: u64 = 56 * 1024;
    let server = TestServer::start().await;
    let caller = &server.caller;
    account_with_card(caller, "A-1").await;
    let id = begin(caller, "documents", "ndjson").await;
    let before = peak_kib();
    let comment = "x".repeat(200);
    let pieces = (0..LINES / LINES_A_PIECE).map(move |piece| {
        let lines = (0..LINES_A_PIECE).map(|at| {
            let number = piece * LINES_A_PIECE + at;
            // Most of a line is blank, so that the lines are large and the database stays small.
            format!(
                "{{\"type\":\"Invoice\",\"number\":\"I-{number}\",\"account\":\"A-1\",\"amount\":1,{:700}\"document_date\":\"2026-01-01\",\"comment\":\"{comment}\"}}\n", ""
            )
        });
        Ok::<_, std::io::Error>(lines.collect::<String>())
    });
    let answer = payment_runs_tests::http_client()
        .post(server.url(&format!("/ops/imports/{id}/lines")))
        .bearer_auth(server.token())
        .header("content-type", "application/x-ndjson")
        .body(reqwest::Body::wrap_stream(futures_util::stream::iter(pieces)))
        .send()
        .await
        .unwrap();
    let import: Value = answer.json().await.unwrap();
    assert_eq!(counts(&import), (20_001, 20_000, 0));
    let growth = peak_kib() - before;
    assert!(growth < GROWTH_KIB_MAX, "memory grew by {growth} KiB");
}
