//! Numbers of cards and bank accounts, and security codes, are kept nowhere: not in the database or its journal of writes, not
//! in the bank's journal, not in the logs at their most talkative, and not in any answer.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use payment_runs_tests::world::{World, text};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tracing_subscriber::filter::LevelFilter;

/// Cards that can be stored: one that approves, one that declines when it is charged, and other lengths and brands.
const CARDS: [(&str, &str); 4] = [
    ("4242424242424242", "Visa"),
    ("4000000000000341", "Visa"),
    ("5555555555554444", "MasterCard"),
    ("378282246310005", "AmericanExpress"),
];
/// Numbers that are refused: with a digit wrong, and of no length that cards have.
const REFUSED: [&str; 2] = ["4242424242424241", "42424242424242424242424"];
const ACCOUNT: &str = "000123456789";
const IBAN: &str = "DE89370400440532013000";
/// Four digits that come up by themselves only inside longer ones.
const CODE: &str = "7391";

/// Log lines, in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn capture() -> Self {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
        subscriber.with_writer(move || writer.clone()).init();
        lines
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Every form in which a number must not be found.
fn forms(number: &str) -> Vec<Vec<u8>> {
    let groups = |by: &str| {
        let digits = number.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned());
        digits.collect::<Vec<_>>().join(by)
    };
    let digest = Sha256::digest(number.as_bytes());
    let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let texts = [number.to_owned(), groups(" "), groups("-"), groups("%20"), hex];
    texts.into_iter().map(String::into_bytes).chain([digest.to_vec()]).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The number and the form in which it is found.
fn number_in(bytes: &[u8]) -> Option<String> {
    let cards = CARDS.iter().map(|(number, _)| *number);
    let all = cards.chain(REFUSED).chain([ACCOUNT, IBAN]);
    all.flat_map(forms)
        .find(|form| contains(bytes, form))
        .map(|form| String::from_utf8_lossy(&form).into_owned())
}

/// Whether the security code stands there by itself.
fn has_code(text: &str) -> bool {
    let mut words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '.');
    words.any(|word| word == CODE)
}

fn assert_clean(what: &str, bytes: &[u8]) {
    assert_eq!(number_in(bytes), None, "{what}");
    assert!(!has_code(&String::from_utf8_lossy(bytes)), "{what} holds the security code");
}

/// Calls, and looks at what is answered.
struct Watcher<'a> {
    server: &'a TestServer,
    answers: usize,
}

impl Watcher<'_> {
    async fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        let key = format!("card-data-{}", self.answers);
        let call = self.server.caller.call(method, path);
        let call = if method == "POST" { call.header("idempotency-key", &key) } else { call };
        let answer = match &body {
            Some(body) => call.json(body).await,
            None => call.send().await,
        };
        let what = format!("the answer to {method} {path} ({})", answer.status);
        assert_clean(
            &what,
            format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.bytes)).as_bytes(),
        );
        self.answers += 1;
        answer.body
    }
}

fn card(number: impl Into<Value>, brand: &str) -> Value {
    json!({
        "type": "CreditCard", "cardNumber": number.into(), "cardType": brand,
        "expirationMonth": 12, "expirationYear": 2040, "cardHolderInfo": { "cardHolderName": "Ada Lovelace" },
    })
}

fn bank_account() -> Value {
    json!({
        "type": "ACH", "bankABACode": "110000000", "bankAccountNumber": ACCOUNT, "bankAccountName": "Ada Ltd",
        "bankAccountType": "BusinessChecking",
    })
}

fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

/// Accounts and payment methods of every kind that takes a number; gives the accounts.
async fn store_numbers(watcher: &mut Watcher<'_>) -> Vec<String> {
    let mut accounts = Vec::new();
    for (number, brand) in CARDS {
        let body = json!({
            "name": format!("Customer of {brand}"), "currency": "USD", "autoPay": true, "billCycleDay": 1,
            "billToContact": { "firstName": "Ada", "lastName": "Lovelace", "country": "United States" },
            "creditCard": {
                "cardNumber": number, "cardType": brand, "expirationMonth": "12",
                "expirationYear": "2040", "cardHolderInfo": { "cardHolderName": "Ada Lovelace" },
            },
        });
        let account = text(&watcher.call("POST", "/v1/accounts", Some(body)).await, "accountId");
        let body = with(card(number, brand), "accountKey", account.as_str());
        let method = text(&watcher.call("POST", "/v1/payment-methods", Some(body)).await, "id");
        let path = format!("/v1/payment-methods/{method}");
        watcher.call("GET", &path, None).await;
        watcher.call("PUT", &path, Some(json!({ "expirationYear": 2041 }))).await;
        watcher.call("PUT", &format!("{path}/scrub"), None).await;
        accounts.push(account);
    }
    let bank = with(bank_account(), "accountKey", accounts[0].as_str());
    let bank = watcher.call("POST", "/v1/payment-methods", Some(bank)).await;
    assert!(bank["id"].is_string(), "{bank}");
    accounts
}

/// Numbers where they are refused, each with a message that could repeat them.
async fn send_refused(watcher: &mut Watcher<'_>) {
    for number in REFUSED {
        let refused = watcher.call("POST", "/v1/payment-methods", Some(card(number, "Visa"))).await;
        assert_eq!(refused["success"], false, "{number} is stored: {refused}");
    }
    let (number, brand) = CARDS[0];
    for body in [
        card(4_242_424_242_424_242_i64, brand),
        card(json!([number]), brand),
        card(json!({ "number": number }), brand),
        card("4242 4242 4242 4242 4242 4242 4242", brand),
        with(card(number, brand), "expirationMonth", number),
        with(card(number, brand), "cardType", number),
        with(card(number, brand), "type", number),
        with(card(number, brand), "securityCode", number),
        with(card(number, brand), "securityCode", CODE),
        with(card(number, brand), "authGateway", number),
        with(card(number, brand), "accountKey", number),
        with(card(number, brand), "cardHolderInfo", number),
        with(bank_account(), "bankABACode", ACCOUNT),
        with(bank_account(), "bankAccountNumber", json!([ACCOUNT])),
        json!({ "type": "SEPA", "bankAccountNumber": IBAN, "bankAccountName": 7, "IBAN": IBAN }),
    ] {
        watcher.call("POST", "/v1/payment-methods", Some(body)).await;
    }
}

/// Collects, and reads everything that can be read about it.
async fn collect(watcher: &mut Watcher<'_>, accounts: &[String]) {
    let world = World::new(&watcher.server.caller);
    for account in accounts {
        world.invoice(account, json!(12.5), "2024-07-01").await;
    }
    let invoice = world.invoice(&accounts[0], json!(30), "2099-07-01").await;
    let payment = json!({
        "accountId": accounts[0], "amount": 30, "currency": "USD", "type": "Electronic",
        "invoices": [{ "invoiceId": invoice, "amount": 30 }],
    });
    watcher.call("POST", "/v1/payments", Some(payment)).await;
    let run = text(&world.run(json!({ "targetDate": "2024-07-31" })).await, "id");
    let kinds = ["payment-runs", "payments", "payment-gateways"];
    let mut paths: Vec<String> = kinds.map(|kind| format!("/v1/{kind}")).into();
    paths.extend(["", "/summary", "/data"].map(|part| format!("/v1/payment-runs/{run}{part}")));
    paths.extend(["/decisions", "/progress"].map(|part| format!("/ops/payment-runs/{run}{part}")));
    paths.extend(["/object-query/payment-runs".to_owned(), "/v2/payment_runs".to_owned()]);
    paths.extend(accounts.iter().map(|account| format!("/v1/accounts/{account}")));
    for path in paths {
        watcher.call("GET", &path, None).await;
    }
    let payments = watcher.server.caller.get("/v1/payments").await.body["payments"].clone();
    let payments = payments.as_array().cloned().unwrap_or_default();
    assert_eq!(payments.len(), accounts.len() + 1, "{payments:?}");
    for payment in payments {
        watcher.call("GET", &format!("/v1/payments/{}", text(&payment, "id")), None).await;
    }
}

/// Every file of a folder: database, journal of writes, journal of the bank. As bytes a code is found by chance.
fn look_at_files(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(number_in(&bytes), None, "{}", path.display());
        all.extend(bytes);
    }
    all
}

/// Every value of every table; gives how many there are.
fn look_at_values(file: &Path) -> usize {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names: Result<Vec<String>, _> = tables.query_map([], |row| row.get(0)).unwrap().collect();
    let mut values = 0;
    for table in names.unwrap() {
        let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                values += 1;
                match row.get_ref(column).unwrap() {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => assert_clean(&table, bytes),
                    ValueRef::Integer(number) => assert_ne!(number.to_string(), CODE, "{table}"),
                    ValueRef::Null | ValueRef::Real(_) => {}
                }
            }
        }
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_and_no_code_is_kept_or_told() {
    let lines = Lines::capture();
    let folder = tempfile::tempdir().unwrap();
    let builder = TestNode::builder().with_system_clock().in_folder(folder.path());
    let server = TestServer::start_with(builder).await;
    let mut watcher = Watcher { server: &server, answers: 0 };
    let accounts = store_numbers(&mut watcher).await;
    send_refused(&mut watcher).await;
    collect(&mut watcher, &accounts).await;

    // While it runs, with the journal of writes, and when it has been closed.
    look_at_files(folder.path());
    server.into_node().stop().await;
    let files = look_at_files(folder.path());
    let values = look_at_values(&folder.path().join("node.db"));
    let journal = std::fs::read_to_string(folder.path().join("node.db.gateway-journal")).unwrap();
    assert_clean("the bank's journal", journal.as_bytes());
    let logs = lines.text();
    assert_clean("the log", logs.as_bytes());

    // It looked in the right places: what may be kept is there.
    assert!(contains(&files, b"************4242") && contains(&files, b"pm_card_"), "no mask and no token");
    assert!(values > 500, "only {values} values were looked at");
    let charges = journal.lines().filter(|line| line.contains("\"payment_intent\"")).count();
    assert_eq!(charges, accounts.len() + 1);
    for words in ["/v1/payment-methods", "TRACE", "answered"] {
        assert!(logs.contains(words), "no `{words}` in the log");
    }
}

#[test]
fn what_must_not_be_there_would_be_found() {
    for form in ["x4242424242424242x", "4242 4242 4242 4242", "3782-8224-6310-005", "DE89370400440532013000"]
    {
        assert!(number_in(form.as_bytes()).is_some(), "{form}");
    }
    assert!(
        has_code("{\"securityCode\":\"7391\"}") && has_code("cvc=7391&x") && !has_code("27391 7391.5 a7391")
    );
}
