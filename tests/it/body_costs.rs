//! What a request body costs: memory in proportion to what the operation takes, and never more where the body is refused.

use std::time::Duration;

use payment_runs_server::body_bytes_max;
use payment_runs_stubs::{OperationInfo, ops, v1, v2};
use payment_runs_tests::TestServer;
use payment_runs_tests::contract::{Operation, contract};
use payment_runs_tests::raw::RawConnection;
use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

use crate::accepted_fields::{Arranged, arrange, patient_server, tables};
use crate::administration::logged_in;
use crate::headers::gzip;

/// Counts what this process holds. The server runs in it.
#[global_allocator]
static HELD: PeakAlloc = PeakAlloc;

/// How much memory a body takes at most, as a multiple of its operation's bound.
const TIMES_MAX: usize = 8;

/// What a request takes whatever its body is: buffers, the answer, the work of others.
const FIXED_BYTES: usize = 2 * 1024 * 1024;

/// What it takes to hash a secret so that guessing it is slow, which creating a client does.
const HASH_BYTES: usize = 20 * 1024 * 1024;

/// A body that is refused before it is read: a server that kept it would exceed what a request may take.
const REFUSED_BYTES: usize = 2 * FIXED_BYTES;

/// Long bodies are tried with so many bytes: more would show the same, later.
const TRIED_BYTES: usize = 1024 * 1024;

/// Elements of a list that is tried.
const ELEMENTS: usize = 5_000;

/// An operation that takes JSON, with a body that it accepts.
struct Subject {
    operation: &'static Operation,
    info: &'static OperationInfo,
    path: String,
    body: Map<String, Value>,
    list: Option<String>,
}

/// A body, by what is strange about it.
type Body = (&'static str, Vec<u8>);

fn info_of(operation: &Operation) -> &'static OperationInfo {
    let all = match operation.api {
        "v1" => v1::OPERATIONS,
        "v2" => v2::OPERATIONS,
        _ => ops::OPERATIONS,
    };
    all.iter().find(|one| one.id == operation.id).unwrap()
}

/// Every operation that takes JSON. Where no body is known to be accepted, it is an empty one.
fn subjects(arranged: &Arranged) -> Vec<Subject> {
    let tables = tables(arranged);
    let takes_json = |one: &&Operation| {
        let info = info_of(one);
        contract().request_schema(one).is_some() && !info.streamed && info.plain_bytes_max.is_none()
    };
    let to_subject = |operation: &'static Operation| {
        let table = tables.iter().find(|table| table.operation == (operation.api, &*operation.id));
        let path = table.filter(|table| table.before.is_none()).map(|table| table.call.1.clone());
        let segments = operation.route.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
        let fields = contract().body_fields(operation);
        Subject {
            operation,
            info: info_of(operation),
            path: path.unwrap_or_else(|| segments.collect::<Vec<_>>().join("/")),
            body: table.and_then(|table| table.body.as_object().cloned()).unwrap_or_default(),
            list: fields.iter().find_map(|field| Some(field.split_once("[]")?.0.to_owned())),
        }
    };
    contract().operations.iter().filter(takes_json).map(to_subject).collect()
}

impl Subject {
    fn bytes(&self) -> usize {
        body_bytes_max(self.info).min(TRIED_BYTES)
    }

    fn with(&self, name: &str, value: Value) -> Vec<u8> {
        let mut body = self.body.clone();
        body.insert(name.to_owned(), value);
        serde_json::to_vec(&body).unwrap()
    }

    /// The accepted body, with blanks up to the bound.
    fn padded(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(&self.body).unwrap();
        let blanks = vec![b' '; self.bytes() - text.len()];
        text.splice(1..1, blanks);
        text
    }

    /// Bodies that cannot be accepted, or need not be.
    fn strange(&self) -> Vec<Body> {
        let long = self.bytes() - 4 * 1024;
        let field = self.body.keys().next().map_or("name", String::as_str);
        let many: Map<String, Value> =
            (0..900).map(|index| (format!("field{index}"), json!(index))).collect();
        let mut strange = vec![
            ("a long text", self.with(field, json!("a".repeat(long)))),
            ("a long text of escapes", self.with(field, json!("\u{1}".repeat(long / 6)))),
            ("digits", self.with(field, json!("4242 4242 4242 4242 ".repeat(long / 20)))),
            ("a long list in a field", self.with(field, json!(vec![0; long / 2]))),
            ("lists in lists", format!("{{\"{field}\":{}", "[".repeat(long)).into_bytes()),
            ("unknown fields", serde_json::to_vec(&many).unwrap()),
            ("no JSON", vec![b'x'; long]),
        ];
        strange.extend(
            self.list
                .iter()
                .map(|list| ("empty elements", self.with(list, json!(vec![json!({}); ELEMENTS])))),
        );
        strange
    }

    /// A list of elements, good and wrong.
    fn lists(&self) -> Option<[Vec<u8>; 2]> {
        let list = self.list.as_ref()?;
        let good = self.body.get(list)?.get(0)?.clone();
        let mut wrong = good.clone();
        wrong.as_object_mut()?.values_mut().for_each(|value| *value = json!([]));
        Some([good, wrong].map(|element| self.with(list, json!(vec![element; ELEMENTS]))))
    }

    /// What the request takes at its peak beside what was held before, and its status.
    async fn cost(&self, server: &TestServer, token: &str, body: &[u8], coding: &str) -> (usize, u16) {
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{coding}connection: close\r\n\r\n",
            self.operation.method,
            self.path,
            body.len()
        );
        let mut connection = RawConnection::to(server.node().node().address()).await;
        HELD.reset_peak_usage();
        let before = HELD.current_usage();
        connection.send(head.as_bytes()).await;
        connection.send(body).await;
        let status = connection.answer().await;
        (HELD.peak_usage().saturating_sub(before), status)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_takes_memory_in_proportion_and_never_more_where_it_is_refused() {
    let server = patient_server().await;
    let arranged = arrange(&server).await;
    let stranger = logged_in(&server, &server.caller, "stranger", json!({ "permissions": [] })).await;
    let (token, stranger) = (server.token(), stranger.token().unwrap());
    let subjects = subjects(&arranged);
    assert!(subjects.len() > 25, "{}", subjects.len());
    let mut wrong = Vec::new();
    for subject in &subjects {
        let mut judge = |what: &str, (bytes, status): (usize, u16), bytes_max: usize| {
            if bytes > bytes_max {
                wrong.push(format!("{} {what} ({status}): {bytes} of {bytes_max}", subject.operation.id));
            }
        };
        let padded = subject.padded();
        let mut bodies = subject.strange();
        bodies.push(("blanks", padded));
        for (what, body) in &bodies {
            assert!(body.len() <= subject.bytes(), "{} {what} {}", subject.operation.id, body.len());
            let hash_bytes = if subject.operation.id == "createClient" { HASH_BYTES } else { 0 };
            let most = TIMES_MAX * subject.bytes() + FIXED_BYTES + hash_bytes;
            let packed = gzip(body);
            judge(what, subject.cost(&server, &token, body, "").await, most);
            judge(what, subject.cost(&server, &token, &packed, "content-encoding: gzip\r\n").await, most);
        }
        let refused = subject.cost(&server, &stranger, &vec![b' '; REFUSED_BYTES], "").await;
        assert_eq!(refused.1, 403, "{}", subject.operation.id);
        judge("a body without permission", refused, FIXED_BYTES);
        if let Some([good, bad]) = subject.lists() {
            let (accepted, _) = subject.cost(&server, &token, &good, "").await;
            judge("wrong elements", subject.cost(&server, &token, &bad, "").await, accepted + FIXED_BYTES);
            let packed = subject.cost(&server, &token, &gzip(&bad), "content-encoding: gzip\r\n").await;
            judge("wrong elements, packed", packed, accepted + FIXED_BYTES);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// How much processor time this process has taken.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// What it takes to make a tree of values of a text.
fn parse_time(json: &[u8]) -> Duration {
    let began = processor_time();
    let parsed: Result<Value, _> = serde_json::from_slice(json);
    let time = processor_time().saturating_sub(began);
    drop(parsed);
    time
}

/// Prints what the bodies of each operation cost: memory, and processor time as a multiple of what it takes to make a tree of values
/// of them, or of an accepted body of the longest length tried, whichever is more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures"]
#[expect(clippy::print_stdout, reason = "a measurement is for people")]
async fn what_bodies_cost() {
    let server = patient_server().await;
    let arranged = arrange(&server).await;
    let token = server.token();
    for subject in &subjects(&arranged) {
        let elements = subject.lists().map(|[_, wrong]| ("wrong elements", wrong));
        let mut costs = Vec::new();
        let least = parse_time(&subject.padded());
        for (what, body) in subject.strange().into_iter().chain(elements) {
            let parse = parse_time(&body).max(least);
            for (coding, body) in [("", body.clone()), ("content-encoding: gzip\r\n", gzip(&body))] {
                let began = processor_time();
                let (bytes, _) = subject.cost(&server, &token, &body, coding).await;
                let time = processor_time().saturating_sub(began);
                costs.push((
                    time.as_micros() / parse.as_micros().max(1),
                    time,
                    bytes,
                    what,
                    !coding.is_empty(),
                ));
            }
        }
        println!("{}: bound {}", subject.operation.id, body_bytes_max(subject.info));
        for (times, time, bytes, what, is_packed) in costs {
            println!(
                "  {times:>6} x  {time:>10.1?}  {:>6} KiB  {what}{}",
                bytes / 1024,
                if is_packed { ", gzip" } else { "" }
            );
        }
    }
}
