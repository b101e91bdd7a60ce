//! Card numbers in texts: no field of any operation takes one, and ordinary texts are not taken for one.

use std::collections::BTreeSet;

use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use payment_runs_gateway::stripe::{SecretKey, StripeConfig};
use payment_runs_node::GatewayChoice;
use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use payment_runs_tests::contract::root;
use payment_runs_tests::samples::{Sample, SampleRequest, samples};
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use serde_json::{Value, json};

use crate::import_columns::{FORMATS, KINDS, columns_of, import_as, key, line};

/// A number that comes up nowhere else, as people write it.
const NUMBER: &str = "4000 0566 5566 5556";
const DIGITS: &str = "4000056655665556";
/// The fields that are made for numbers.
const MADE_FOR_NUMBERS: [&str; 2] = ["bankAccountNumber", "cardNumber"];

/// Where the texts of a body are, as messages name it, each with the body in which a number stands there instead.
fn with_numbers(body: &Value) -> Vec<(String, Value)> {
    fn walk(value: &Value, path: &str, pointer: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(_) => found.push((path.to_owned(), pointer.to_owned())),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    walk(item, &format!("{path}[{at}]"), &format!("{pointer}/{at}"), found);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    if !MADE_FOR_NUMBERS.contains(&name.as_str()) {
                        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                        walk(field, &path, &format!("{pointer}/{name}"), found);
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(body, "", "", &mut found);
    let with_number = |(path, pointer): (String, String)| {
        let mut body = body.clone();
        *body.pointer_mut(&pointer).unwrap() = json!(format!("card {NUMBER}."));
        (path, body)
    };
    found.into_iter().map(with_number).collect()
}

/// Every sample with a JSON body.
fn requests() -> Vec<(Sample, SampleRequest, Value)> {
    let mut found = Vec::new();
    for sample in samples() {
        let Some(request) = sample.request.clone() else { continue };
        let body = request.body.clone().filter(Value::is_object);
        // The log-in is a form, of which nothing is stored.
        if let Some(body) = body.filter(|_| sample.operation != "createToken") {
            found.push((sample, request, body));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_any_body_takes_a_number() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let mut seen = BTreeSet::new();
    for (sample, request, body) in requests() {
        for (path, body) in with_numbers(&body) {
            // A list of records has the same fields in each.
            let field = path.replace(|character: char| character.is_ascii_digit(), "");
            if !seen.insert((sample.operation.clone(), field)) {
                continue;
            }
            let answer = server.caller.call(&request.method, &request.path).json(&body).await;
            let told = answer.body.to_string();
            let name = format!("{} {path}: {} {told}", sample.name(), answer.status);
            assert_eq!(answer.status, 400, "{name}");
            assert!(told.contains("looks like a card number") && told.contains(&path), "{name}");
            assert!(!told.contains(NUMBER) && !told.contains(DIGITS), "{name}");
        }
    }
    assert!(seen.len() > 100, "only {} fields were tried", seen.len());
    assert_not_stored(&server);
}

/// Lines of a kind with a number in one column each, and that column.
fn lines_with_numbers(kind: &str, schema: &str) -> (Vec<Value>, Vec<String>) {
    let columns: Vec<String> = columns_of(schema).into_iter().flat_map(|name| [name.clone(), name]).collect();
    let forms = [format!("card {NUMBER}."), DIGITS.to_owned()];
    let lines = (0..).zip(&columns).zip(forms.iter().cycle()).map(|((serial, column), form)| {
        let mut line = line(kind, &key(kind, serial));
        line[column.as_str()] = json!(form);
        line
    });
    (lines.collect(), columns)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_column_of_an_import_takes_a_number() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    for (kind, schema) in KINDS {
        let (lines, columns) = lines_with_numbers(kind, schema);
        for format in FORMATS {
            let import = import_as(&server.caller, kind, format, &lines).await;
            let refused = (&import["lines_stored"], &import["lines_refused"]);
            assert_eq!(refused, (&json!(0), &json!(columns.len())), "{kind} {format}: {import}");
            let path = format!("/ops/imports/{}/faults?page_size=99", text(&import, "id"));
            let faults = server.caller.get(&path).await;
            let told = faults.body["data"].as_array().unwrap();
            assert_eq!(told.len(), columns.len(), "{kind} {format}");
            for (fault, column) in told.iter().zip(&columns) {
                let mut errors = fault["errors"].as_array().unwrap().iter();
                let holds = |error: &Value| text(error, "message").contains("looks like a card number");
                let is_told = errors.any(|error| error["parameter"] == column.as_str() && holds(error));
                assert!(is_told, "{kind} {format} {column}: {fault}");
            }
            let told = format!("{import} {}", String::from_utf8_lossy(&faults.bytes));
            assert!(!told.contains(NUMBER) && !told.contains(DIGITS), "{told}");
        }
    }
    assert_not_stored(&server);
}

/// The number is in no form in the database or its journal of writes.
fn assert_not_stored(server: &TestServer) {
    for file in ["node.db", "node.db-wal"] {
        let bytes = std::fs::read(server.node().folder().join(file)).unwrap_or_default();
        for form in [NUMBER, DIGITS] {
            assert!(!bytes.windows(form.len()).any(|part| part == form.as_bytes()), "{form} is in {file}");
        }
    }
}

/// A gateway that repeats the number wherever it can: as a token, as a brand, and in the words of a decline.
async fn talkative_gateway() -> String {
    async fn method(body: String) -> Json<Value> {
        Json(if body.contains("4000000000000119") {
            json!({ "id": DIGITS })
        } else if body.contains("4000000000009987") {
            json!({ "id": "pm_1", "card": { "brand": DIGITS } })
        } else {
            json!({ "id": "pm_2", "card": { "brand": "visa" } })
        })
    }
    async fn charge() -> (StatusCode, Json<Value>) {
        let message = format!("card {NUMBER} ({DIGITS}) was declined");
        let error = json!({ "type": "card_error", "code": "card_declined", "message": message });
        (StatusCode::PAYMENT_REQUIRED, Json(json!({ "error": error })))
    }
    let router = Router::new()
        .route("/v1/payment_methods", post(method))
        .route("/v1/payment_intents", post(charge))
        .fallback(|| async { StatusCode::NOT_FOUND });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the counterpart lives as long as the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_repeats_is_not_stored() {
    let stripe = StripeConfig::new(talkative_gateway().await, SecretKey::new("sk_test_talkative"));
    let builder = TestNode::builder().with_system_clock();
    let builder = builder.configure(move |config| config.gateway = GatewayChoice::Remote(stripe));
    let server = TestServer::start_with(builder).await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Told", CARD_APPROVED).await;
    for card in ["4000000000000119", "4000000000009987"] {
        let body = json!({
            "accountKey": account, "type": "CreditCard", "cardType": "Visa", "cardNumber": card, "expirationMonth": 12,
            "expirationYear": 2040, "cardHolderInfo": { "cardHolderName": "Ada" },
        });
        let refused = caller.post("/v1/payment-methods", body).await;
        assert_eq!(refused.body["success"], false, "{card}: {}", refused.body);
        assert!(!refused.body.to_string().contains(DIGITS), "{}", refused.body);
    }
    world.invoice(&account, json!(10), "2024-07-01").await;
    world.run(json!({ "targetDate": "2024-07-31" })).await;
    let payments = caller.get("/ops/payments").await.body;
    assert!(
        payments.to_string().contains("card **** **** **** 5556 (************5556) was declined"),
        "{payments}"
    );
    assert_not_stored(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_request_keeps_no_number_of_its_path() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    for (method, path, body) in [
        ("PATCH", format!("/v2/payment_runs/{DIGITS}"), json!({ "target_date": "2024-07-29" })),
        ("POST", format!("/v2/payment_runs?expand={DIGITS}"), json!({ "target_date": "2024-07-29" })),
    ] {
        let answer = server.caller.call(method, &path).header("async", "true").json(&body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(!answer.body.to_string().contains(DIGITS), "{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_texts_are_taken() {
    let server = TestServer::start_at("2026-03-01T10:15:00Z").await;
    let account = World::new(&server.caller).account("Tel. +49 30 123456700018", CARD_APPROVED).await;
    for month in 1..=12 {
        for comment in [
            format!("Service period 2026-{month:02}-01 - 2026-{month:02}-28"),
            format!("Service period 2026{month:02}01-2026{month:02}28"),
            format!("call +49 30 1234567000{month:02}"),
        ] {
            let body = json!({
                "accountId": account, "invoiceDate": "2026-01-31", "comments": comment,
                "invoiceItems": [{ "amount": 1, "serviceStartDate": "2026-01-31" }],
            });
            let answer = server.caller.post("/v1/invoices", body).await;
            assert_eq!(answer.status, 200, "{comment}: {}", answer.body);
        }
    }
}

#[test]
fn fields_for_numbers_are_in_no_answer() {
    fn properties<'a>(schema: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
        match schema {
            Value::Object(fields) => {
                found.extend(fields.get("properties").and_then(|properties| properties.get(name)));
                fields.values().for_each(|inner| properties(inner, name, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| properties(inner, name, found)),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(root().join("openapi/v1.yaml")).unwrap();
    let document: Value = yaml_serde::from_str(&text).unwrap();
    for name in MADE_FOR_NUMBERS {
        let mut found = Vec::new();
        properties(&document, name, &mut found);
        assert!(!found.is_empty(), "no body has a field {name}");
        assert!(found.iter().all(|property| property["writeOnly"] == true), "{name} may be told");
    }
}
