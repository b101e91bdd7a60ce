//! Nothing that a body may hold is dropped without a word: each field changes something that can be read back, or is refused by
//! its name, or is listed with the reason why it can do neither.

mod runs;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use payment_runs_tests::contract::contract;
use payment_runs_tests::world::{CARD_APPROVED, World, merge, text};
use serde_json::{Value, json};

use tables::Fields;
pub(crate) use tables::tables;

/// One operation, the body that it takes, and what each field does to it.
pub(crate) struct Table {
    /// The document and the operation's identifier.
    pub(crate) operation: (&'static str, &'static str),
    /// Makes what the operation changes; its identifier takes the place of `{id}`.
    pub(crate) before: Option<(&'static str, Value)>,
    /// Method and path.
    pub(crate) call: (&'static str, String),
    /// A body that is accepted.
    pub(crate) body: Value,
    /// What is read back; `{id}` is what was made or changed.
    pub(crate) read: Vec<&'static str>,
    /// Fields that change what is read back, each with what is put over the body.
    pub(crate) kept: Fields,
    /// Fields that are refused by name.
    pub(crate) refused: Fields,
    /// Fields, or the beginnings of their paths, that do nothing, with the reason.
    pub(crate) idle: Vec<(&'static str, &'static str)>,
}

/// A server whose runs stay pending and which takes very many requests.
pub(crate) async fn patient_server() -> TestServer {
    let builder = TestNode::builder().at("2024-07-28T10:00:00Z".parse().unwrap()).without_worker();
    TestServer::start_with(builder.configure(|config| config.limits.requests_per_minute = 100_000)).await
}

/// What the bodies refer to.
pub(crate) struct Arranged {
    pub(crate) account: String,
    pub(crate) other_account: String,
    pub(crate) method: String,
    pub(crate) gateway: String,
    pub(crate) invoice: String,
    pub(crate) debit_memo: String,
}

pub(crate) async fn arrange(server: &TestServer) -> Arranged {
    let world = World::new(&server.caller);
    let account = world.account_with("One", CARD_APPROVED, json!({ "accountNumber": "ONE" })).await;
    let other_account = world.account_with("Two", CARD_APPROVED, json!({ "accountNumber": "TWO" })).await;
    let method =
        json!({ "type": "CreditCardReferenceTransaction", "accountKey": account, "tokenId": "pm_card_visa" });
    let method = text(&server.caller.create("/v1/payment-methods", method).await, "id");
    let gateways = server.caller.get("/v1/payment-gateways").await.body;
    let gateway = text(&gateways["paymentgateways"][0], "id");
    let invoice =
        world.invoice_with(&account, json!(100), "2024-07-01", json!({ "invoiceNumber": "I-ONE" })).await;
    let memo = json!({
        "accountId": account, "autoPost": true, "effectiveDate": "2024-07-01", "number": "DM-ONE",
        "charges": [{ "chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 100 }],
    });
    let debit_memo = text(&server.caller.create("/v1/debit-memos", memo).await, "id");
    Arranged { account, other_account, method, gateway, invoice: text(&invoice, "id"), debit_memo }
}

/// What was read back, by the place of each value.
type Seen = BTreeMap<String, Value>;

fn flatten(place: &str, value: &Value, seen: &mut Seen) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| flatten(&format!("{place}/{name}"), value, seen));
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                flatten(&format!("{place}/{index}"), value, seen);
            }
        }
        leaf => drop(seen.insert(place.to_owned(), leaf.clone())),
    }
}

/// The identifier of what an answer is about.
fn id_in(answer: &Value) -> Option<String> {
    let places = ["/id", "/accountId", "/client_id", "/client/client_id", "/webhook/id"];
    places.iter().find_map(|place| answer.pointer(place)).and_then(Value::as_str).map(str::to_owned)
}

/// Calls the operation with `body`, and reads back what came of it, or gives the refusal.
async fn outcome(server: &TestServer, table: &Table, body: &Value) -> Result<Seen, String> {
    let made = match &table.before {
        Some((path, body)) => server.caller.post(path, body.clone()).await.body,
        None => Value::Null,
    };
    let path = table.call.1.replace("{id}", &id_in(&made).unwrap_or_default());
    let answer = server.caller.call(table.call.0, &path).json(body).await;
    if answer.status >= 300 || answer.body["success"] == false {
        return Err(answer.body.to_string());
    }
    let id = id_in(&made).or_else(|| id_in(&answer.body)).unwrap_or_default();
    let mut seen = Seen::new();
    for (index, path) in table.read.iter().enumerate() {
        let read = server.caller.get(&path.replace("{id}", &id)).await;
        assert_eq!(read.status, 200, "{path}: {}", read.body);
        flatten(&index.to_string(), &read.body, &mut seen);
    }
    Ok(seen)
}

/// Whether two outcomes differ, apart from what differs between two equal calls, unless that is `given`.
fn differs(base: &Seen, volatile: &BTreeSet<&String>, seen: &Seen, given: &BTreeSet<String>) -> bool {
    let places: BTreeSet<&String> = base.keys().chain(seen.keys()).collect();
    places.into_iter().any(|place| {
        let (before, now) = (base.get(place), seen.get(place));
        before != now
            && (!volatile.contains(place) || now.is_some_and(|now| given.contains(&now.to_string())))
    })
}

fn over(body: &Value, patch: &Value) -> Value {
    let mut body = body.clone();
    merge(&mut body, patch.clone());
    body
}

async fn faults_of(server: &TestServer, table: &Table) -> Vec<String> {
    let (api, id) = table.operation;
    let mut faults = Vec::new();
    let mut fault = |field: &str, what: &str| faults.push(format!("{api} {id} {field}: {what}"));
    let base = outcome(server, table, &table.body).await;
    let again = outcome(server, table, &table.body).await;
    let (Ok(base), Ok(again)) = (&base, &again) else {
        return vec![format!("{api} {id}: {base:?} {again:?}")];
    };
    let places: BTreeSet<&String> = base.keys().chain(again.keys()).collect();
    let volatile = places.into_iter().filter(|place| base.get(*place) != again.get(*place)).collect();
    for (field, patch) in &table.kept {
        let mut given = Seen::new();
        flatten("", patch, &mut given);
        let given = given.into_values().map(|value| value.to_string()).collect();
        match outcome(server, table, &over(&table.body, patch)).await {
            Ok(seen) if differs(base, &volatile, &seen, &given) => {}
            Ok(_) => fault(field, "is accepted and changes nothing"),
            Err(refusal) => fault(field, &refusal),
        }
    }
    for (field, patch) in &table.refused {
        let name = field.rsplit(['.', '[', ']']).find(|part| !part.is_empty()).unwrap_or(field);
        match outcome(server, table, &over(&table.body, patch)).await {
            Ok(_) => fault(field, "is accepted"),
            Err(refusal) if refusal.contains(name) => {}
            Err(refusal) => fault(field, &format!("is refused without its name: {refusal}")),
        }
    }
    let operation =
        contract().operations.iter().find(|operation| (operation.api, operation.id.as_str()) == (api, id));
    let told: BTreeSet<&str> = table.kept.iter().chain(&table.refused).map(|(field, _)| *field).collect();
    let fields = contract().body_fields(operation.unwrap());
    for field in &fields {
        let is_idle = table.idle.iter().any(|(begin, _)| field.starts_with(begin));
        if is_idle == told.contains(field.as_str()) {
            fault(field, "stands in no list, or in two");
        }
    }
    for field in told {
        if !fields.contains(field) {
            fault(field, "is no field");
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_field_changes_something_or_is_listed() {
    let server = patient_server().await;
    let arranged = arrange(&server).await;
    let mut faults = Vec::new();
    let tables = tables(&arranged);
    for table in &tables {
        faults.extend(faults_of(&server, table).await);
    }
    assert!(faults.is_empty(), "{}\n{faults:#?}", faults.len());
}

/// Operations whose bodies have tests of their own.
const ELSEWHERE: &[(&str, &str)] = &[
    ("createToken", "its form has no field that is kept"),
    (
        "createEntity",
        "a second entity changes what every token reaches; the tests of administration read its name back",
    ),
    ("createOrganization", "its name is unique and alone; the tests of administration read it back"),
    ("updateOrganization", "its name is unique and alone; the tests of administration read it back"),
    ("previewPaymentRun", "the body of createPaymentRun; the preview equals the run that follows"),
    ("resolvePayment", "a payment is resolved once; the tests of resolving read each field back"),
    ("sendImportLines", "lines of imports, each column of which is read back by the tests of their columns"),
    ("setClock", "its field is the time that every test reads"),
];

#[test]
fn every_operation_with_a_body_has_a_table() {
    let arranged = Arranged {
        account: String::new(),
        other_account: String::new(),
        method: String::new(),
        gateway: String::new(),
        invoice: String::new(),
        debit_memo: String::new(),
    };
    let known: BTreeSet<_> = tables(&arranged)
        .into_iter()
        .map(|table| (table.operation.0, table.operation.1.to_owned()))
        .collect();
    let missing: Vec<_> = contract()
        .operations
        .iter()
        .filter(|operation| !contract().body_fields(operation).is_empty())
        .filter(|operation| !ELSEWHERE.iter().any(|(id, _)| *id == operation.id))
        .filter(|operation| !known.contains(&(operation.api, operation.id.clone())))
        .map(|operation| &operation.id)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
