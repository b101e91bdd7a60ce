//! The rules of a payment run as callers meet them, and the table of all rules (`RULES.md`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use payment_runs_engine::account::{GatewayConfig, Scope};
use payment_runs_engine::command::Load;
use payment_runs_engine::ids::{EntityKey, GatewayId, Key};
use payment_runs_engine::payment_method::{PaymentMethod, PaymentMethodStatus};
use payment_runs_engine::ports::{Access as _, Ledger as _};
use payment_runs_node::testing::GATEWAY;
use payment_runs_tests::TestServer;
use payment_runs_tests::contract::root;
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World, text};
use serde_json::{Value, json};

const DUE: &str = "2024-07-01";
const TARGET: &str = "2024-07-24";
const NOW: &str = "2024-07-28T10:15:00Z";

/// Every file of Rust below a folder, generated ones and build output left out.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "generated", "node_modules"].contains(&name.as_str()) && !name.starts_with('.') {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of all tests: functions that are marked as tests, and the cases that every store has to pass.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["crates", "tests", "xtask"] {
        sources(&root().join(folder), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let is_case = file.components().any(|part| part.as_os_str() == "conformance");
        let mut is_marked = false;
        for line in text.lines().map(str::trim) {
            let head = line.strip_prefix("pub ").unwrap_or(line);
            let head = head.strip_prefix("async ").unwrap_or(head);
            if let Some(name) = head.strip_prefix("fn ").filter(|_| is_marked || is_case) {
                names.insert(name.split('(').next().unwrap().to_owned());
            }
            is_marked = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        }
    }
    names
}

#[test]
fn every_rule_names_tests_that_exist() {
    let table = std::fs::read_to_string(root().join("tests/RULES.md")).unwrap();
    let known = tests();
    let (mut rules, mut faults) = (BTreeSet::new(), Vec::new());
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [rule, tests] = cells[..] else {
            faults.push(format!("not two cells: {row}"));
            continue;
        };
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() || !rules.insert(rule) {
            faults.push(format!("no test, or the rule stands there twice: {rule}"));
        }
        let gone = named.iter().filter(|name| !known.contains(**name));
        faults.extend(gone.map(|name| format!("there is no test `{name}`: {rule}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(rules.len() >= 60, "{}", rules.len());
}

/// The reasons for which a run left documents, in the order of its decisions.
async fn reasons(server: &TestServer, run: &Value) -> Vec<Value> {
    let path = format!("/ops/payment-runs/{}/decisions?page_size=99", text(run, "id"));
    let decisions = server.caller.get(&path).await.body;
    decisions["data"].as_array().unwrap().iter().map(|one| one["reason"].clone()).collect()
}

/// The default payment method of an account.
async fn method_of(server: &TestServer, account: &str) -> String {
    let account = server.caller.get(&format!("/v1/accounts/{account}")).await.body;
    text(&account["basicInfo"], "defaultPaymentMethodId")
}

async fn stored_method(server: &TestServer, id: &str) -> PaymentMethod {
    let scope = Scope::entity(EntityKey::FIRST);
    server.node().store().find_payment_method(&scope, &Key::new(id)).await.unwrap().unwrap()
}

/// One more card of an account; gives its identifier.
async fn another_card(server: &TestServer, account: &str, card: &str) -> String {
    let body = json!({
        "type": "CreditCard", "accountKey": account, "cardNumber": card, "cardType": "Visa",
        "expirationMonth": 12, "expirationYear": 2040, "cardHolderInfo": { "cardHolderName": "Ada Lovelace" },
    });
    text(&server.caller.create("/v1/payment-methods", body).await, "id")
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_pay_themselves_unless_told_otherwise() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Paying", CARD_APPROVED).await;
    let item = json!({ "amount": 5, "chargeName": "Service", "serviceStartDate": DUE });
    let invoice =
        json!({ "accountId": account, "invoiceDate": DUE, "status": "Posted", "invoiceItems": [item] });
    let charge = json!({ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 7 });
    let memo = json!({ "accountId": account, "effectiveDate": DUE, "autoPost": true, "charges": [charge] });
    for (path, body) in [("/v1/invoices", invoice), ("/v1/debit-memos", memo)] {
        let mut manual = body.clone();
        manual["autoPay"] = json!(false);
        assert_eq!(server.caller.create(path, body).await["autoPay"], true, "{path}");
        assert_eq!(server.caller.create(path, manual).await["autoPay"], false, "{path}");
    }
    let run = world.run(json!({ "targetDate": TARGET })).await;
    let mut reasons = reasons(&server, &run).await;
    reasons.sort_by_key(ToString::to_string);
    let off = json!("auto_pay_off_document");
    assert_eq!(reasons, [off.clone(), off, Value::Null, Value::Null]);

    let contact = json!({ "firstName": "Ada", "lastName": "Bare", "country": "United States" });
    let mut bare = json!({ "name": "Bare", "currency": "USD", "billToContact": contact });
    let account = server.caller.create("/v1/accounts", bare.clone()).await;
    let read = server.caller.get(&format!("/v1/accounts/{}", text(&account, "accountId"))).await.body;
    assert_eq!(read["billingAndPayment"]["autoPay"], false, "there is nothing to pay with");
    bare["autoPay"] = json!(true);
    let refused = server.caller.post("/v1/accounts", bare).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let update = json!({ "autoPay": true });
    let refused = server.caller.put(&format!("/v1/accounts/{}", text(&account, "accountId")), update).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_told_over_the_api() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let first = world.account_with("First", CARD_APPROVED, json!({ "batch": "Batch7" })).await;
    let last_day = world.account_with("Last day", CARD_APPROVED, json!({ "billCycleDay": 31 })).await;
    let euro = world.account_with("Euro", CARD_APPROVED, json!({ "currency": "EUR" })).await;
    for account in [&first, &last_day, &euro] {
        world.invoice(account, json!(10), DUE).await;
    }
    for (filter, account) in [
        (json!({ "batch": "Batch7" }), &first),
        (json!({ "billCycleDay": "31" }), &last_day),
        (json!({ "currency": "EUR" }), &euro),
        (json!({ "accountId": first }), &first),
        (json!({ "billCycleDay": "31", "currency": "USD" }), &last_day),
    ] {
        let mut body = filter.clone();
        body["targetDate"] = json!(TARGET);
        let told = server.caller.create("/ops/payment-runs/preview", body).await;
        let accounts: Vec<&Value> =
            told["decisions"].as_array().unwrap().iter().map(|one| &one["account_id"]).collect();
        assert_eq!(accounts, [&json!(account)], "{filter}");
    }
    let none = json!({ "batch": "Batch7", "currency": "EUR", "targetDate": TARGET });
    assert_eq!(server.caller.create("/ops/payment-runs/preview", none).await["documents_total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_methods_are_charged_when_the_run_says_so() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Closed", CARD_APPROVED).await;
    world.invoice(&account, json!(10), DUE).await;
    let method = stored_method(&server, &method_of(&server, &account).await).await;
    let closed = PaymentMethod { status: PaymentMethodStatus::Closed, ..method };
    let load = Load { payment_methods: vec![closed], ..Load::default() };
    server.node().store().load(EntityKey::FIRST, load).await.unwrap();

    let run = world.run(json!({ "targetDate": TARGET })).await;
    assert_eq!(reasons(&server, &run).await, [json!("payment_method_closed")]);
    let body = json!({ "targetDate": TARGET, "data": [{ "accountId": account }] });
    let run = world.run(body).await;
    let data = server.caller.get(&format!("/v1/payment-runs/{}/data", text(&run, "id"))).await.body;
    assert_eq!(data["data"][0]["errorCode"], "Invalid_Request_Data", "{data}");
    assert!(text(&data["data"][0], "errorMessage").contains("payment method is closed"), "{data}");
    let run = world.run(json!({ "targetDate": TARGET, "processPaymentWithClosedPM": true })).await;
    assert_eq!(reasons(&server, &run).await, [Value::Null]);
    assert_eq!(server.charges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_off_is_not_charged() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let store = server.node().store();
    let of = |id: GatewayId, name: &str, is_active: bool, is_default: bool| GatewayConfig {
        id,
        name: name.to_owned(),
        kind: "stripe".to_owned(),
        is_active,
        is_default,
    };
    let default = store.gateways(EntityKey::FIRST).await.unwrap().remove(0);
    assert_eq!((default.id, default.is_default), (GATEWAY, true));
    let off = GatewayId::from_u128(0x77);
    store.put_gateway(EntityKey::FIRST, of(off, "Off", false, false)).await.unwrap();
    let account = world.account("Default", CARD_APPROVED).await;
    let other = world.account("Other", CARD_APPROVED).await;
    let scope = Scope::entity(EntityKey::FIRST);
    let mut moved = store.find_account(&scope, &Key::new(other.clone())).await.unwrap().unwrap();
    moved.gateway = Some(off);
    store.load(EntityKey::FIRST, Load { accounts: vec![moved], ..Load::default() }).await.unwrap();
    for account in [&account, &other] {
        world.invoice(account, json!(10), DUE).await;
    }
    let run = world.run(json!({ "targetDate": TARGET, "paymentGatewayId": off.to_string() })).await;
    assert_eq!(reasons(&server, &run).await, [json!("gateway_inactive")], "only the account that uses it");
    let run = world.run(json!({ "targetDate": TARGET, "paymentGatewayId": GATEWAY.to_string() })).await;
    assert_eq!(reasons(&server, &run).await, [Value::Null]);
    let payment = server.caller.get(&format!("/v1/payments?accountId={account}")).await.body;
    assert_eq!(payment["payments"][0]["gatewayId"], json!(GATEWAY.to_string()));
    // A record's own gateway must be active as well.
    let body = json!({
        "targetDate": TARGET,
        "data": [
            { "accountId": account, "amount": 1, "standalone": true, "paymentGatewayId": off.to_string() },
            { "accountId": other, "paymentGatewayId": GATEWAY.to_string() },
        ],
    });
    let run = world.run(body).await;
    let data = server.caller.get(&format!("/v1/payment-runs/{}/data", text(&run, "id"))).await.body;
    let results: Vec<&Value> = data["data"].as_array().unwrap().iter().map(|one| &one["result"]).collect();
    assert_eq!(results, ["Error", "Processed"], "{data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_rules_hold_a_method_back_until_told_otherwise() {
    let server = TestServer::start_at(NOW).await;
    let world = World::new(&server.caller);
    let account = world.account("Declined", CARD_DECLINED).await;
    let invoice = world.invoice(&account, json!(10), DUE).await;
    let method = method_of(&server, &account).await;
    let mut settings = server.caller.get("/ops/settings").await.body;
    settings["retry_rule"] = json!({ "max_consecutive_failures": 2, "retry_window_hours": 12 });
    assert_eq!(server.caller.put("/ops/settings", settings).await.status, 200);

    let body = json!({ "targetDate": TARGET });
    let ignoring = json!({ "targetDate": TARGET, "ignorePaymentRunRetryRule": true });
    let failures = async || {
        let method = server.caller.get(&format!("/v1/payment-methods/{method}")).await.body;
        method["numConsecutiveFailures"].as_i64().unwrap()
    };
    let held = [json!("retry_rule")];
    world.run(body.clone()).await;
    assert_eq!(failures().await, 1);
    assert_eq!(reasons(&server, &world.run(body.clone()).await).await, held, "within the hours");
    server.advance_to("2024-07-28T22:20:00Z");
    assert_eq!(reasons(&server, &world.run(body.clone()).await).await, [Value::Null], "after the hours");
    assert_eq!(failures().await, 2);
    server.advance_to("2024-07-30T10:00:00Z");
    assert_eq!(reasons(&server, &world.run(body.clone()).await).await, held, "too many failures");
    assert_eq!(reasons(&server, &world.run(ignoring).await).await, [Value::Null], "told to ignore the rule");
    assert_eq!(failures().await, 3);

    // The method's own rule replaces the tenant's.
    let path = format!("/v1/payment-methods/{method}");
    let own =
        json!({ "useDefaultRetryRule": false, "maxConsecutivePaymentFailures": 5, "paymentRetryWindow": 1 });
    assert_eq!(server.caller.put(&path, own).await.status, 200);
    assert_eq!(reasons(&server, &world.run(body.clone()).await).await, held, "within its hour");
    server.advance_to("2024-07-30T11:30:00Z");
    assert_eq!(reasons(&server, &world.run(body.clone()).await).await, [Value::Null]);
    let told = server.caller.get(&path).await.body;
    assert_eq!(
        (&told["totalNumberOfErrorPayments"], &told["numConsecutiveFailures"]),
        (&json!(4), &json!(4))
    );
    assert_eq!(told["lastTransaction"], "Declined", "{told}");

    // Another card of the account has failed never; its approval ends what the run found.
    let good = another_card(&server, &account, CARD_APPROVED).await;
    let data = json!([{ "accountId": account, "documentType": "Invoice", "documentId": invoice, "paymentMethodId": good }]);
    world.run(json!({ "targetDate": TARGET, "data": data })).await;
    assert_eq!(server.caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 0);
    let told = server.caller.get(&format!("/v1/payment-methods/{good}")).await.body;
    assert_eq!(
        (&told["totalNumberOfProcessedPayments"], &told["lastTransaction"]),
        (&json!(1), &json!("Approved"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credit_balance_pays_where_invoices_are_not_settled_with_memos() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Saving", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(10), DUE).await;
    let body = json!({ "targetDate": TARGET, "applyCreditBalance": true });
    assert_eq!(server.caller.post("/v1/payment-runs", body.clone()).await.status, 400, "memos settle here");
    let mut settings = server.caller.get("/ops/settings").await.body;
    settings["invoice_settlement"] = json!(false);
    assert_eq!(server.caller.put("/ops/settings", settings).await.status, 200);
    for other in ["autoApplyCreditMemo", "autoApplyUnappliedPayment"] {
        let mut both = body.clone();
        both[other] = json!(true);
        let refused = server.caller.post("/v1/payment-runs", both).await;
        assert_eq!((refused.status, refused.body["reasons"].as_array().map(Vec::len)), (400, Some(2)));
    }
    let store = server.node().store();
    let scope = Scope::entity(EntityKey::FIRST);
    // No operation of this server gives an account a credit balance.
    let file = server.open_database();
    assert_eq!(file.execute("UPDATE account SET credit_balance_minor = 400", []).unwrap(), 1);
    let run = world.run(body).await;
    let summary = server.caller.get(&format!("/v1/payment-runs/{}/summary", text(&run, "id"))).await.body;
    let totals = &summary["totalValues"][0];
    assert_eq!(summary["numberOfCreditBalanceAdjustments"], 1, "{summary}");
    assert_eq!(
        (&totals["totalValueOfCreditBalance"], &totals["totalValueOfPayments"]),
        (&json!("4 USD"), &json!("6 USD"))
    );
    assert_eq!(server.caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 0);
    let left = store.find_account(&scope, &Key::new(account)).await.unwrap().unwrap();
    assert_eq!(left.credit_balance_minor, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_decimal_currencies_are_charged_as_finely_as_the_gateway_counts() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account_with("Kuwait", CARD_APPROVED, json!({ "currency": "KWD" })).await;
    let invoice = world.invoice(&account, json!(1.24), DUE).await;
    let record = json!({ "accountId": account, "documentType": "Invoice", "documentId": invoice });
    let of = |amount: f64| {
        let mut record = record.clone();
        record["amount"] = json!(amount);
        json!({ "targetDate": TARGET, "data": [record] })
    };
    let run = world.run(of(0.0011)).await;
    let data = server.caller.get(&format!("/v1/payment-runs/{}/data", text(&run, "id"))).await.body;
    assert_eq!(data["data"][0]["result"], "Error", "no fourth digit: {data}");
    let run = world.run(of(0.004)).await;
    let path = format!("/ops/payment-runs/{}/payments", text(&run, "id"));
    let declined = server.caller.get(&path).await.body;
    assert_eq!(declined["data"][0]["gateway_code"], "amount_not_expressible", "{declined}");
    world.run(of(0.01)).await;
    let run = world.run(json!({ "targetDate": TARGET })).await;
    let summary = server.caller.get(&format!("/v1/payment-runs/{}/summary", text(&run, "id"))).await.body;
    assert_eq!(summary["totalValues"][0]["totalValueOfPayments"], "1.23 KWD", "{summary}");
    let charged: Vec<i64> = server.charges().iter().map(|charge| charge.amount_minor).collect();
    assert_eq!(charged, [10, 1_230]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_documents_own_method_is_charged_and_grouped_by() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Profiles", CARD_APPROVED).await;
    let (default, own) =
        (method_of(&server, &account).await, another_card(&server, &account, CARD_APPROVED).await);
    let with_own = json!({ "paymentMethodId": own });
    let arrange = async || {
        let plain = world.invoice_with(&account, json!(1), DUE, json!({})).await;
        assert_eq!(plain.get("paymentMethodId"), None, "{plain}");
        let invoice = world.invoice_with(&account, json!(2), DUE, with_own.clone()).await;
        assert_eq!(invoice["paymentMethodId"], json!(own));
        let charge = json!({ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 4 });
        let memo = json!({
            "accountId": account, "effectiveDate": DUE, "autoPost": true, "charges": [charge], "paymentMethodId": own,
        });
        let memo = server.caller.create("/v1/debit-memos", memo).await;
        let read = server.caller.get(&format!("/v1/debit-memos/{}", text(&memo, "id"))).await.body;
        assert_eq!(read["paymentMethodId"], json!(own));
    };
    // Amounts charged by method, by the options of the run.
    for (options, expected) in [
        (json!({}), vec![(&default, 1), (&own, 2), (&own, 4)]),
        (json!({ "useCustomPaymentMethods": false }), vec![(&default, 1), (&default, 2), (&default, 4)]),
        (json!({ "consolidatedPayment": true }), vec![(&default, 1), (&own, 6)]),
        (json!({ "consolidatedPayment": true, "useCustomPaymentMethods": false }), vec![(&default, 7)]),
    ] {
        arrange().await;
        let before = server.charges().len();
        let mut body = options.clone();
        body["targetDate"] = json!(TARGET);
        world.run(body).await;
        let count = server.charges().len() - before;
        let path = format!("/v1/payments?accountId={account}&pageSize={count}&sort=%2Bnumber");
        let payments = server.caller.get(&path).await.body;
        let mut charged: Vec<(String, i64)> = payments["payments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (text(one, "paymentMethodId"), one["amount"].as_i64().unwrap()))
            .collect();
        charged.sort_by_key(|(_, amount)| *amount);
        let expected: Vec<_> =
            expected.into_iter().map(|(method, amount)| (method.clone(), amount)).collect();
        assert_eq!(charged, expected, "{options}");
    }
    let stranger = world.account("Stranger", CARD_APPROVED).await;
    let item = json!({ "amount": 5, "chargeName": "Service", "serviceStartDate": DUE });
    let foreign =
        json!({ "accountId": stranger, "invoiceDate": DUE, "invoiceItems": [item], "paymentMethodId": own });
    let refused = server.caller.post("/v1/invoices", foreign).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(text(&refused.body["reasons"][0], "message").contains("paymentMethodId"), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_of_a_run_say_how_they_ended() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let good = world.account("Good", CARD_APPROVED).await;
    let bad = world.account("Bad", CARD_DECLINED).await;
    for account in [&good, &bad] {
        world.invoice(account, json!(10), DUE).await;
    }
    world.run(json!({ "targetDate": TARGET })).await;
    let payment = async |account: &str| {
        let payments = server.caller.get(&format!("/v1/payments?accountId={account}")).await.body;
        payments["payments"][0].clone()
    };
    let (paid, declined) = (payment(&good).await, payment(&bad).await);
    for one in [&paid, &declined] {
        let number = text(one, "number");
        assert!(number.starts_with("P-") && number.len() == 10, "{number}");
        assert_eq!((&one["type"], &one["amount"]), (&json!("Electronic"), &json!(10)));
        assert_eq!(one["gatewayId"], json!(GATEWAY.to_string()));
        assert!(one["referenceId"].is_string() && one["paymentMethodId"].is_string(), "{one}");
    }
    let fields = |one: &Value| {
        let fields = ["status", "gatewayState", "gatewayResponse", "gatewayResponseCode", "appliedAmount"];
        fields.map(|field| one[field].clone())
    };
    assert_eq!(
        fields(&paid),
        [json!("Processed"), json!("Submitted"), json!("Approved"), Value::Null, json!(10)]
    );
    let [status, state, words, code, applied] = fields(&declined);
    assert_eq!((status, state, applied), (json!("Error"), json!("NotSubmitted"), json!(0)));
    assert!(code.is_string(), "{code}");
    assert!(words.as_str().unwrap().contains("declined"), "{words}");
}
