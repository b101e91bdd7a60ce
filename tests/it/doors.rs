//! What is refused is refused at every door: names and numbers, time zones, dates, and fields that would change nothing. And
//! what is shown is found, whichever door shows it.

use payment_runs_tests::TestServer;
use payment_runs_tests::caller::{Answer, Caller};
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use serde_json::{Value, json};

use crate::imports::{begin, send_as};

/// Texts that are no names: something at an end, something that cannot be seen, an id.
const NO_NAMES: [&str; 9] = [
    " A",
    "A ",
    " ",
    "A\u{0}B",
    "A\nB",
    "A\u{202e}B",
    "\u{feff}A",
    "8ad09be48db5aba7018db604776d4854",
    "8AD09BE4-8db5-aba7-018d-b604776d4854",
];

fn account(name: &str, number: &str) -> Value {
    json!({
        "name": name, "accountNumber": number, "currency": "USD",
        "billToContact": { "firstName": "Ada", "lastName": "Sommer", "country": "France" },
    })
}

fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

fn invoice(account: &str, number: &str) -> Value {
    json!({
        "accountNumber": account, "invoiceDate": "2026-01-01", "invoiceNumber": number,
        "invoiceItems": [{ "amount": 1, "serviceStartDate": "2026-01-01" }],
    })
}

fn memo(account: &str, number: &str) -> Value {
    let charge = json!({ "chargeId": "c", "productRatePlanChargeId": "p", "amount": 1 });
    json!({ "accountNumber": account, "number": number, "charges": [charge] })
}

/// The fields that a refusal names, in any API.
fn fields(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{}", answer.body);
    answer.body.to_string()
}

/// What became of one line: the fields at fault, none when it was stored.
async fn line(caller: &Caller, kind: &str, line: &Value) -> Vec<String> {
    line_of(caller, kind, "ndjson", line.to_string()).await
}

/// The same of a body of one line in a format.
async fn line_of(caller: &Caller, kind: &str, format: &str, body: String) -> Vec<String> {
    let id = begin(caller, kind, format).await;
    let sent = send_as(caller, &id, "", format, body.into_bytes()).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let faults = caller.get(&format!("/ops/imports/{id}/faults")).await.body;
    let errors = faults["data"][0]["errors"].as_array().cloned().unwrap_or_default();
    assert_eq!(sent.body["lines_stored"].as_u64() == Some(1), errors.is_empty(), "{faults}");
    errors.iter().map(|error| text(error, "parameter")).collect()
}

fn imported_account(name: &str, number: &str) -> Value {
    json!({ "name": name, "number": number, "currency": "USD" })
}

fn imported_document(kind: &str, number: &str) -> Value {
    json!({ "type": kind, "number": number, "account": "A-1", "amount": 1, "document_date": "2026-01-01" })
}

fn imported_credit(kind: &str, number: &str) -> Value {
    json!({ "type": kind, "number": number, "account": "A-1", "amount": 1, "date": "2026-01-01" })
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_numbers_are_what_they_look_like_at_every_door() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    caller.create("/v1/accounts", account("Ada", "A-1")).await;
    let organization = caller.post("/ops/organizations", json!({ "name": "East" })).await.body;
    let organization = format!("/ops/organizations/{}", text(&organization, "organization_id"));
    let schedule =
        json!({ "repeat_type": "daily", "run_time": 2, "repeat_from": "2999-01-01", "payment_run": {} });
    let made = caller.post("/ops/schedules", schedule.clone()).await.body;
    let made_schedule = format!("/ops/schedules/{}", text(&made, "id"));
    let webhook = json!({ "url": "https://example.com", "events": ["payment_run_completed"] });
    let made = caller.post("/ops/webhooks", webhook.clone()).await.body;
    let made_webhook = format!("/ops/webhooks/{}", text(&made["webhook"], "id"));
    for name in NO_NAMES {
        let doors = [
            ("POST", "/v1/accounts", account("Ada", name), "accountNumber"),
            ("POST", "/v1/accounts", account(name, "A-2"), "name"),
            ("POST", "/v1/accounts", with(account("Ada", "A-2"), "batch", name), "batch"),
            ("PUT", "/v1/accounts/A-1", json!({ "name": name }), "name"),
            ("PUT", "/v1/accounts/A-1", json!({ "batch": name }), "batch"),
            ("POST", "/v1/invoices", invoice("A-1", name), "invoiceNumber"),
            ("POST", "/v1/debit-memos", memo("A-1", name), "number"),
            ("POST", "/v1/credit-memos", memo("A-1", name), "number"),
            ("POST", "/ops/entities", json!({ "name": name }), "name"),
            ("POST", "/ops/organizations", json!({ "name": name }), "name"),
            ("PATCH", &organization, json!({ "name": name }), "name"),
            ("POST", "/ops/schedules", with(schedule.clone(), "name", name), "name"),
            ("PATCH", &made_schedule, json!({ "name": name }), "name"),
            ("POST", "/ops/imports", json!({ "kind": "accounts", "format": "csv", "name": name }), "name"),
            ("POST", "/ops/webhooks", with(webhook.clone(), "description", name), "description"),
            ("PATCH", &made_webhook, json!({ "description": name }), "description"),
        ];
        for (method, path, body, field) in doors {
            let told = fields(&caller.call(method, path).json(&body).await);
            assert!(told.contains(field), "{method} {path} {name:?}: {told}");
        }
        for (kind, body, field) in [
            ("accounts", imported_account("Ada", name), "number"),
            ("accounts", imported_account(name, "A-3"), "name"),
            ("accounts", with(imported_account("Ada", "A-3"), "batch", name), "batch"),
            ("documents", imported_document("Invoice", name), "number"),
            ("documents", imported_document("DebitMemo", name), "number"),
            ("credits", imported_credit("CreditMemo", name), "number"),
            ("credits", imported_credit("UnappliedPayment", name), "number"),
        ] {
            assert_eq!(line(caller, kind, &body).await, [field], "{name:?} in {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_has_one_length_at_every_door() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    caller.create("/v1/accounts", account("Ada", "A-1")).await;
    let long = |first: &str, length: usize| format!("{first}{}", "n".repeat(length - first.len()));
    for (path, made, length) in [
        ("/v1/accounts", account as fn(&str, &str) -> Value, 70),
        ("/v1/invoices", invoice, 255),
        ("/v1/debit-memos", memo, 255),
        ("/v1/credit-memos", memo, 255),
    ] {
        let taken = caller.post(path, made("A-1", &long("v1-", length))).await;
        assert_eq!(taken.status, 200, "{path}: {}", taken.body);
        fields(&caller.post(path, made("A-1", &long("v1-", length + 1))).await);
    }
    for (kind, made, name, length) in [
        ("accounts", imported_account as fn(&str, &str) -> Value, "Ada", 70),
        ("documents", imported_document, "Invoice", 255),
        ("documents", imported_document, "DebitMemo", 255),
        ("credits", imported_credit, "CreditMemo", 255),
        ("credits", imported_credit, "UnappliedPayment", 255),
    ] {
        let none: [&str; 0] = [];
        assert_eq!(line(caller, kind, &made(name, &long("import-", length))).await, none, "{name}");
        assert_eq!(line(caller, kind, &made(name, &long("import-", length + 1))).await, ["number"], "{name}");
    }
}

/// A float would be nothing in place of the first, and another number in place of the second.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_cannot_be_held_exactly_are_refused_at_every_door() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    for number in ["1e-400", "98765432109876543210"] {
        let run =
            format!(r#"{{"targetDate":"2026-01-01","data":[{{"accountId":"A-1","amount":{number}}}]}}"#);
        let call = caller.call("POST", "/v1/payment-runs").header("content-type", "application/json");
        let told = fields(&call.raw(run.into_bytes()).await);
        assert!(told.contains("'data[0].amount' has more digits than can be held exactly"), "{told}");
        let object = format!(r#"{{"name":"Ada","number":"A-1","currency":"USD","credit_balance":{number}}}"#);
        assert_eq!(line_of(caller, "accounts", "ndjson", object).await, ["credit_balance"], "{number}");
        let columns = format!("name,number,currency,credit_balance\nAda,A-1,USD,{number}\n");
        assert_eq!(line_of(caller, "accounts", "csv", columns).await, ["credit_balance"], "{number}");
    }
    assert_eq!(caller.get("/v1/accounts/A-1").await.status, 404, "nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_zones_are_names_of_places_at_every_door() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let settings = caller.get("/ops/settings").await.body;
    let schedule =
        json!({ "repeat_type": "daily", "run_time": 2, "repeat_from": "2999-01-01", "payment_run": {} });
    let made = caller.post("/ops/schedules", schedule.clone()).await.body;
    let changed = format!("/ops/schedules/{}", text(&made, "id"));
    for zone in [
        "localtime",
        "posixrules",
        "Factory",
        "posix/UTC",
        "right/UTC",
        "Etc/Unknown",
        "/etc/localtime",
        "+02:00",
    ] {
        for (method, path, body) in [
            ("PUT", "/ops/settings", with(settings.clone(), "time_zone", zone)),
            ("POST", "/ops/schedules", with(schedule.clone(), "time_zone", zone)),
            ("PATCH", &changed, json!({ "time_zone": zone })),
        ] {
            let answer = caller.call(method, path).json(&body).await;
            assert_eq!(
                (answer.status, &answer.body["errors"][0]["parameter"]),
                (400, &json!("time_zone")),
                "{method} {path} {zone}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_begin_with_1900_at_every_door() {
    let server = TestServer::start_at("2026-01-01T00:00:00Z").await;
    let caller = &server.caller;
    caller.create("/v1/accounts", account("Ada", "A-1")).await;
    for date in ["0000-01-01", "0026-01-31", "1899-12-31"] {
        let at = format!("{date}T00:00:00Z");
        let schedule =
            json!({ "repeat_type": "daily", "run_time": 2, "repeat_from": date, "payment_run": {} });
        for (method, path, body) in [
            ("POST", "/v1/payment-runs", json!({ "targetDate": date })),
            ("POST", "/v1/payment-runs", json!({ "runDate": format!("{date} 00:00:00") })),
            ("POST", "/v2/payment_runs", json!({ "target_date": date })),
            ("POST", "/v2/payment_runs", json!({ "payment_run_date": at })),
            ("POST", "/v1/invoices", with(invoice("A-1", "I-1"), "invoiceDate", date)),
            ("POST", "/v1/credit-memos", with(memo("A-1", "C-1"), "effectiveDate", date)),
            ("POST", "/ops/schedules", schedule),
            ("PUT", "/ops/clock", json!({ "now": at })),
        ] {
            fields(&caller.call(method, path).json(&body).await);
        }
        for path in [
            format!("/v1/payment-runs?targetDate={date}"),
            format!("/v1/payments?effectiveDate={date}"),
            format!("/object-query/payment-runs?filter[]=targetdate.GE:{date}"),
            format!("/v2/payment_runs?filter[]=created_time.GT:{at}"),
        ] {
            fields(&caller.get(&path).await);
        }
        let document = with(imported_document("Invoice", "I-1"), "due_date", date);
        assert_eq!(line(caller, "documents", &document).await, ["due_date"]);
    }
    let first = with(invoice("A-1", "I-1"), "invoiceDate", "1900-01-01");
    assert_eq!(caller.post("/v1/invoices", first).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_found_by_the_time_that_it_shows_also_in_an_hour_that_comes_twice() {
    let server = TestServer::start_at("2026-11-01T08:30:00Z").await;
    let caller = &server.caller;
    let settings = caller.get("/ops/settings").await.body;
    caller.put("/ops/settings", with(settings, "time_zone", "America/Los_Angeles")).await;
    let run =
        json!({ "targetDate": "2026-12-01", "runDate": "2026-12-01 00:00:00", "collectPayment": false });
    let early = caller.create("/v1/payment-runs", run.clone()).await;
    server.advance_to("2026-11-01T09:30:00Z");
    let late = caller.create("/v1/payment-runs", run.clone()).await;
    server.advance_to("2026-11-01T10:30:00Z");
    let after = caller.create("/v1/payment-runs", run).await;
    assert_eq!(late["createdDate"], "2026-11-01 01:30:00");
    let numbers = |runs: &Value, field: &str| -> Vec<String> {
        let mut numbers: Vec<_> = runs.as_array().unwrap().iter().map(|run| text(run, field)).collect();
        numbers.sort();
        numbers
    };
    let all = [text(&early, "number"), text(&late, "number"), text(&after, "number")];
    for field in ["createdDate", "updatedDate"] {
        let listed = caller.get(&format!("/v1/payment-runs?{field}=2026-11-01%2001:30:00")).await.body;
        assert_eq!(numbers(&listed["paymentRuns"], "number"), all[..2], "{field}");
    }
    for (operator, found) in [
        ("EQ:2026-11-01 01:30:00", &all[..2]),
        ("NE:2026-11-01 01:30:00", &all[2..]),
        ("IN:[2026-11-01 01:30:00]", &all[..2]),
        ("GE:2026-11-01 01:30:00", &all[..]),
        ("LE:2026-11-01 01:30:00", &all[..2]),
        ("LT:2026-11-01 01:30:00", &all[..0]),
        ("GT:2026-11-01 01:30:00", &all[2..]),
        ("EQ:2026-11-01T08:30:00Z", &all[..1]),
    ] {
        let operator = operator.replace(' ', "%20");
        let listed = caller.get(&format!("/object-query/payment-runs?filter[]=updateddate.{operator}")).await;
        assert_eq!(numbers(&listed.body["data"], "paymentRunNumber"), found, "{operator}: {}", listed.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_would_change_nothing_are_refused_by_name() {
    let server = TestServer::start().await;
    let caller = &server.caller;
    let world = World::new(caller);
    world.account_with("Ada", CARD_APPROVED, json!({ "accountNumber": "A-1" })).await;
    let owner = caller.get("/v1/accounts/A-1").await.body;
    let method = text(&owner["basicInfo"], "defaultPaymentMethodId");
    let method = format!("/v1/payment-methods/{method}");
    let card = json!({
        "type": "CreditCard", "cardNumber": CARD_APPROVED, "cardType": "Visa", "expirationMonth": 12,
        "expirationYear": 2040,
    });
    let token = json!({ "type": "CreditCardReferenceTransaction", "tokenId": "pm_card_visa" });
    let older = json!({
        "cardNumber": CARD_APPROVED, "cardType": "Visa", "expirationMonth": "12", "expirationYear": "2040",
        "cardHolderInfo": {}, "securityCode": "123",
    });
    let account = account("Ada", "A-2");
    let methods = "/v1/payment-methods";
    for (verb, path, body, field) in [
        ("POST", "/v1/accounts", with(account.clone(), "parentId", "A-1"), "parentId"),
        ("POST", "/v1/accounts", with(account.clone(), "creditCard", older), "creditCard.securityCode"),
        (
            "POST",
            "/v1/accounts",
            with(account, "paymentMethod", with(card.clone(), "securityCode", "123")),
            "paymentMethod.securityCode",
        ),
        ("PUT", "/v1/accounts/A-1", json!({ "parentId": "A-2" }), "parentId"),
        ("PUT", "/v1/accounts/A-1", json!({ "currency": "EUR" }), "currency"),
        ("PUT", "/v1/accounts/A-1", json!({ "status": "Canceled" }), "status"),
        ("PUT", &method, json!({ "status": "Closed" }), "status"),
        ("PUT", &method, json!({ "securityCode": "123" }), "securityCode"),
        ("PUT", &method, json!({ "expirationYear": 30 }), "expirationYear"),
        ("POST", methods, with(card.clone(), "securityCode", "123"), "securityCode"),
        ("POST", methods, with(card.clone(), "expirationYear", 1), "expirationYear"),
        ("POST", methods, with(card.clone(), "expirationYear", 30), "expirationYear"),
        ("POST", methods, with(card, "expirationYear", 999), "expirationYear"),
        ("POST", methods, with(token, "expirationYear", 203), "expirationYear"),
        ("POST", "/v1/invoices", with(invoice("A-1", "I-1"), "billRunId", "B-1"), "billRunId"),
        ("POST", "/v1/debit-memos", with(memo("A-1", "D-1"), "billRunId", "B-1"), "billRunId"),
    ] {
        let answer = caller.call(verb, path).json(&body).await;
        assert_eq!(answer.status, 400, "{verb} {path} {field}: {}", answer.body);
        let reasons = answer.body["reasons"].as_array().unwrap();
        let message = text(&reasons[0], "message");
        assert!(reasons.len() == 1 && message.starts_with(&format!("'{field}' ")), "{field}: {message}");
    }
    assert_eq!(caller.get("/v1/accounts/A-2").await.status, 404, "nothing was made on the way");
}
