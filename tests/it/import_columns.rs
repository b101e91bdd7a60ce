//! Columns of imports: each one that the contract names changes what is read back, however its line is written.

use std::collections::BTreeSet;

use payment_runs_engine::account::Scope;
use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::{EntityKey, Key};
use payment_runs_engine::ports::Ledger as _;
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Caller;
use payment_runs_tests::contract::root;
use payment_runs_tests::world::{merge, text};
use serde_json::{Value, json};

use crate::imports::{begin, send_as};

const NOW: &str = "2024-07-28T10:15:00Z";

/// The kinds of import, each with the schema of its lines.
pub(crate) const KINDS: [(&str, &str); 4] = [
    ("accounts", "ImportAccount"),
    ("payment_methods", "ImportPaymentMethod"),
    ("documents", "ImportDocument"),
    ("credits", "ImportCredit"),
];

pub(crate) const FORMATS: [&str; 2] = ["ndjson", "csv"];

/// A payment method of the account ONE.
const METHOD: &str = "0000000000000000000000000000abcd";

/// Stands for the number or identifier of the line itself.
const KEY: &str = "{key}";

/// Columns that no answer shows, since they are for the gateway, for credits of a run or for people with the file; the ledger
/// has them.
const SHOWN_BY_NO_ANSWER: [(&str, &str); 4] = [
    ("accounts", "credit_balance"),
    ("payment_methods", "holder_name"),
    ("documents", "reason_code"),
    ("documents", "comment"),
];

/// One column: what a line gives, and the place in which answer where it shows.
struct Column {
    name: &'static str,
    given: Value,
    read: &'static str,
    place: &'static str,
    told: Value,
}

/// What lines refer to.
struct Arranged {
    gateway: String,
    /// The identifier of the account TWO.
    two: String,
}

/// The names of the columns of lines, as the contract has them.
pub(crate) fn columns_of(schema: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("openapi/ops.yaml")).unwrap();
    let document: Value = yaml_serde::from_str(&text).unwrap();
    let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
    properties.keys().cloned().collect()
}

/// The number of a line, or the identifier where it has no number.
pub(crate) fn key(kind: &str, serial: u32) -> String {
    if kind == "payment_methods" { format!("{:032x}", 0xabcd_0000 + serial) } else { format!("K-{serial}") }
}

/// A line with what it needs and nothing else.
pub(crate) fn line(kind: &str, key: &str) -> Value {
    match kind {
        "accounts" => json!({ "number": key, "name": "Base", "currency": "USD" }),
        "payment_methods" => {
            json!({ "id": key, "account": "ONE", "type": "CreditCardReferenceTransaction", "token": "pm_card_visa" })
        }
        "documents" => {
            json!({ "type": "Invoice", "number": key, "account": "ONE", "amount": 10, "document_date": "2024-07-01" })
        }
        "credits" => {
            json!({ "type": "UnappliedPayment", "number": key, "account": "ONE", "amount": 10, "date": "2024-07-01" })
        }
        other => panic!("there is no import of {other}"),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Lines as comma-separated values, with a column for each name that one of them has.
fn as_csv(lines: &[Value]) -> Vec<u8> {
    let names = lines.iter().filter_map(Value::as_object).flat_map(|line| line.keys());
    let names: BTreeSet<&String> = names.collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&names).unwrap();
    for line in lines {
        writer.write_record(names.iter().map(|name| cell(&line[name.as_str()]))).unwrap();
    }
    writer.into_inner().unwrap()
}

/// Imports lines in one of the formats; gives the import after them.
pub(crate) async fn import_as(by: &Caller, kind: &str, format: &str, lines: &[Value]) -> Value {
    let id = begin(by, kind, format).await;
    let body = if format == "csv" {
        as_csv(lines)
    } else {
        lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n").into_bytes()
    };
    let answer = send_as(by, &id, "", format, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Imports one line, which must be stored.
async fn store_one(by: &Caller, kind: &str, format: &str, line: Value) {
    let lines = [line];
    let import = import_as(by, kind, format, &lines).await;
    assert_eq!(import["lines_stored"], 1, "{format} {}: {import}", lines[0]);
}

async fn arrange(by: &Caller) -> Arranged {
    for number in ["ONE", "TWO"] {
        store_one(by, "accounts", "ndjson", line("accounts", number)).await;
    }
    store_one(by, "payment_methods", "ndjson", line("payment_methods", METHOD)).await;
    let organization = by.post("/ops/organizations", json!({ "name": "East" })).await;
    assert!(organization.status < 300, "{}", organization.body);
    let gateways = by.get("/v1/payment-gateways").await.body;
    let two = by.get("/v1/accounts/TWO").await.body;
    Arranged { gateway: text(&gateways["paymentgateways"][0], "name"), two: text(&two["basicInfo"], "id") }
}

/// Makes columns that are read back as they were given.
fn reader(read: &'static str) -> impl Fn(&'static str, Value, &'static str) -> Column {
    move |name, given, place| Column { name, told: given.clone(), given, read, place }
}

fn columns(kind: &str, arranged: &Arranged) -> Vec<Column> {
    match kind {
        "accounts" => accounts(arranged),
        "payment_methods" => payment_methods(),
        "documents" => documents(arranged),
        _ => credits(arranged),
    }
}

fn accounts(arranged: &Arranged) -> Vec<Column> {
    let column = reader("/v1/accounts/{key}");
    vec![
        column("number", json!(KEY), "/basicInfo/accountNumber"),
        column("name", json!("Other"), "/basicInfo/name"),
        column("currency", json!("EUR"), "/billingAndPayment/currency"),
        column("auto_pay", json!(false), "/billingAndPayment/autoPay"),
        column("batch", json!("Batch7"), "/basicInfo/batch"),
        column("bill_cycle_day", json!(31), "/billingAndPayment/billCycleDay"),
        column("payment_gateway", json!(arranged.gateway), "/billingAndPayment/paymentGateway"),
        column("organization", json!("East"), "/basicInfo/organizationLabel"),
        column("status", json!("Draft"), "/basicInfo/status"),
    ]
}

fn payment_methods() -> Vec<Column> {
    let column = reader("/v1/payment-methods/{key}");
    let account = Column {
        read: "/v1/accounts/TWO",
        told: json!(KEY),
        ..column("account", json!("TWO"), "/basicInfo/defaultPaymentMethodId")
    };
    vec![
        account,
        column("id", json!(KEY), "/id"),
        column("type", json!("CreditCard"), "/type"),
        column("token", json!("pm_card_mastercard"), "/tokenId"),
        column("mask", json!("************1112"), "/creditCardMaskNumber"),
        column("brand", json!("MasterCard"), "/creditCardType"),
        column("expiration_month", json!(11), "/expirationMonth"),
        column("expiration_year", json!(2041), "/expirationYear"),
        column("customer", json!("cus_1"), "/secondTokenId"),
        column("make_default", json!(false), "/isDefault"),
        Column { told: json!("Closed"), ..column("closed", json!(true), "/status") },
        column("max_consecutive_failures", json!(7), "/maxConsecutivePaymentFailures"),
        column("retry_window_hours", json!(9), "/paymentRetryWindow"),
    ]
}

fn documents(arranged: &Arranged) -> Vec<Column> {
    let column = reader("/v1/invoices/{key}");
    let kind = Column {
        read: "/v1/debit-memos/{key}",
        told: json!(KEY),
        ..column("type", json!("DebitMemo"), "/number")
    };
    vec![
        kind,
        column("number", json!(KEY), "/invoiceNumber"),
        Column { told: json!(arranged.two), ..column("account", json!("TWO"), "/accountId") },
        column("amount", json!(10.5), "/amount"),
        column("balance", json!(4.5), "/balance"),
        column("currency", json!("EUR"), "/currency"),
        column("document_date", json!("2024-07-02"), "/invoiceDate"),
        column("due_date", json!("2024-07-09"), "/dueDate"),
        column("auto_pay", json!(false), "/autoPay"),
        column("bill_run", json!("0190b7c46f3a7d219c5500000000b001"), "/billRunId"),
        column("payment_method", json!(METHOD), "/paymentMethodId"),
        column("status", json!("Draft"), "/status"),
    ]
}

fn credits(arranged: &Arranged) -> Vec<Column> {
    let column = reader("/v1/payments/{key}");
    let kind = Column {
        read: "/v1/credit-memos/{key}",
        told: json!(KEY),
        ..column("type", json!("CreditMemo"), "/number")
    };
    vec![
        kind,
        column("number", json!(KEY), "/number"),
        Column { told: json!(arranged.two), ..column("account", json!("TWO"), "/accountId") },
        column("amount", json!(10.5), "/amount"),
        column("currency", json!("EUR"), "/currency"),
        column("date", json!("2024-07-02"), "/effectiveDate"),
        column("comment", json!("By hand"), "/comment"),
    ]
}

/// A value with the key of its line.
fn filled(value: &Value, key: &str) -> Value {
    if value.as_str() == Some(KEY) { json!(key) } else { value.clone() }
}

/// The value at the place of a column after a line of this key was stored.
async fn told_after(by: &Caller, line: (&str, &str, Value), key: &str, column: &Column) -> Value {
    let (kind, format, line) = line;
    store_one(by, kind, format, line).await;
    let answer = by.get(&column.read.replace(KEY, key)).await;
    answer.body.pointer(column.place).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_a_line_is_read_back() {
    let server = TestServer::start_at(NOW).await;
    let caller = &server.caller;
    let arranged = arrange(caller).await;
    let (mut serial, mut faults) = (0, Vec::new());
    for (kind, schema) in KINDS {
        let columns = columns(kind, &arranged);
        let not_shown = SHOWN_BY_NO_ANSWER.iter().filter(|(of, _)| *of == kind).map(|(_, name)| *name);
        let listed = columns.iter().map(|column| column.name).chain(not_shown);
        assert_eq!(listed.map(str::to_owned).collect::<BTreeSet<_>>(), columns_of(schema), "{kind}");
        for (column, format) in columns.iter().flat_map(|column| FORMATS.map(|format| (column, format))) {
            serial += 2;
            let (base_key, own_key) = (key(kind, serial), key(kind, serial + 1));
            let base = (kind, format, line(kind, &base_key));
            let base = told_after(caller, base, &base_key, column).await;
            let mut own = line(kind, &own_key);
            own[column.name] = filled(&column.given, &own_key);
            let own = told_after(caller, (kind, format, own), &own_key, column).await;
            let told = filled(&column.told, &own_key);
            if base == told || own != told {
                faults.push(format!("{kind} {format} {}: {base} became {own}, not {told}", column.name));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_no_answer_shows_are_in_the_ledger() {
    let server = TestServer::start_at(NOW).await;
    let caller = &server.caller;
    arrange(caller).await;
    let (store, scope) = (server.node().store(), Scope::entity(EntityKey::FIRST));
    for (serial, format) in (0..).zip(FORMATS) {
        let key = |kind: &str| key(kind, serial);
        for (kind, more) in [
            ("accounts", json!({ "credit_balance": 12.5 })),
            ("payment_methods", json!({ "holder_name": "Ada" })),
            ("documents", json!({ "reason_code": "Late", "comment": "By hand" })),
        ] {
            let mut line = line(kind, &key(kind));
            merge(&mut line, more);
            store_one(caller, kind, format, line).await;
        }
        let account = store.find_account(&scope, &Key::new(key("accounts"))).await.unwrap().unwrap();
        assert_eq!(account.credit_balance_minor, 1_250);
        let method = Key::new(key("payment_methods"));
        let method = store.find_payment_method(&scope, &method).await.unwrap().unwrap();
        assert_eq!(method.instrument.holder_name.as_deref(), Some("Ada"));
        let document = Key::new(key("documents"));
        let document = store.find_document(&scope, DocumentKind::Invoice, &document).await.unwrap().unwrap();
        assert_eq!(
            (document.reason_code.as_deref(), document.comment.as_deref()),
            (Some("Late"), Some("By hand"))
        );
    }
}
