//! Payment runs through v2.

use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Answer;
use payment_runs_tests::samples::documented;
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World, text};
use serde_json::{Value, json};

use payment_runs_engine::account::Scope;
use payment_runs_engine::command::Load;
use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::{EntityKey, Key, UserId};
use payment_runs_engine::ports::Ledger;
use payment_runs_node::testing::TestNode;

const RUNS: &str = "/v2/payment_runs";

/// A server whose clock stands and whose runs stay pending.
async fn still() -> TestServer {
    let builder = TestNode::builder().at("2024-07-28T09:15:30Z".parse().unwrap()).without_worker();
    TestServer::start_with(builder).await
}

async fn create(server: &TestServer, body: Value) -> Value {
    let answer = server.caller.post(RUNS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body
}

async fn patch(server: &TestServer, key: &str, body: Value) -> Answer {
    server.caller.call("PATCH", &format!("{RUNS}/{key}")).json(&body).await
}

/// The numbers of the runs that a query finds, without their `PR-` and zeros.
async fn found(server: &TestServer, query: &str) -> Vec<u32> {
    let answer = server.caller.get(&format!("{RUNS}?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    numbers(&answer.body)
}

fn numbers(page: &Value) -> Vec<u32> {
    let runs = page["data"].as_array().unwrap();
    runs.iter().map(|run| text(run, "payment_run_number")[3..].parse().unwrap()).collect()
}

/// What the documents say in words, since no schema says it.
#[tokio::test(flavor = "multi_thread")]
async fn day_zero_is_for_accounts_without_one_and_a_run_without_a_date_shows_none() {
    let server = still().await;
    let run = create(&server, json!({ "bill_cycle_day": "0", "target_date": "2024-07-28" })).await;
    assert_eq!((&run["bill_cycle_day"], run.get("payment_run_date")), (&json!(0), None), "{run}");
}

fn messages(answer: &Answer) -> Vec<String> {
    let errors = answer.body["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| format!("{}: {}", error["parameter"].as_str().unwrap_or(""), error["message"]))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_created_read_changed_and_deleted() {
    let server = still().await;
    let body = json!({
        "apply_credit_memos": true, "batch": "Batch1", "bill_cycle_day": "31", "consolidated_payment": true,
        "currency": "USD", "payment_run_date": "2024-08-01 11:30:37Z",
    });
    let run = create(&server, body).await;
    assert_eq!(run["consolidate_payment"], true, "{run}");
    assert_eq!(run["bill_cycle_day"], 31);
    assert_eq!(run["payment_run_date"], "2024-08-01T11:00:00Z");
    assert_eq!(run["target_date"], "2024-08-01");
    assert_eq!((&run["state"], &run["state_transitions"]), (&json!("pending"), &json!({})));
    assert_eq!(run["created_time"], "2024-07-28T09:15:30Z");
    assert_eq!(run["summary"]["number_of_payments"], 0);

    let id = text(&run, "id");
    for key in [&id, "PR-00000001"] {
        assert_eq!(server.caller.get(&format!("{RUNS}/{key}")).await.body, run);
    }

    let change = json!({ "batch": null, "consolidated_payment": null, "payment_run_date": "2024-08-02T05:00:00-07:00" });
    let changed = patch(&server, "PR-00000001", change).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body.get("batch"), None, "null clears");
    assert_eq!(changed.body["consolidate_payment"], false, "null brings the default back");
    assert_eq!(changed.body["currency"], "USD", "what is left out stays");
    assert_eq!(changed.body["payment_run_date"], "2024-08-02T12:00:00Z");
    assert_eq!(changed.body["target_date"], "2024-08-02");

    let deleted = server.caller.delete(&format!("{RUNS}/{id}")).await;
    assert_eq!((deleted.status, deleted.bytes.len()), (204, 0));
    for path in [format!("{RUNS}/{id}"), format!("/v1/payment-runs/{id}")] {
        assert_eq!(server.caller.get(&path).await.status, 404, "{path}");
    }
    let again = server.caller.delete(&format!("{RUNS}/{id}")).await;
    assert_eq!((again.status, &again.body["errors"][0]["parameter"]), (404, &json!("id")));
    assert_eq!(found(&server, "").await, [0_u32; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_deleted_while_it_waited_never_starts() {
    let server = TestServer::start_at("2024-07-28T09:15:30Z").await;
    let world = World::new(&server.caller);
    let account = world.account("Waiting", CARD_APPROVED).await;
    world.invoice(&account, json!(10), "2024-07-01").await;
    let waiting = create(&server, json!({ "payment_run_date": "2024-07-28 11:00:00" })).await;
    let deleted = server.caller.delete(&format!("{RUNS}/{}", text(&waiting, "id"))).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    let later =
        create(&server, json!({ "payment_run_date": "2024-07-28 11:00:00", "batch": "Nobody" })).await;
    server.advance_to("2024-07-28T11:00:01Z");
    world.ended(&text(&later, "id")).await;
    assert_eq!(server.charges().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn states_decide_what_may_be_done() {
    let server = TestServer::start().await;
    let run = create(&server, json!({ "target_date": "2024-07-31" })).await;
    World::new(&server.caller).ended(&text(&run, "id")).await;
    let changed = patch(&server, &text(&run, "id"), json!({ "batch": "Batch2" })).await;
    assert_eq!((changed.status, &changed.body["type"]), (400, &json!("bad_request")));
    assert_eq!(messages(&changed), ["id: \"only a pending payment run can be changed\""]);
    let deleted = server.caller.delete(&format!("{RUNS}/{}", text(&run, "id"))).await;
    assert_eq!(deleted.status, 400);
    assert_eq!(messages(&deleted), ["id: \"only a pending or canceled payment run can be deleted\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_run_tells_what_it_did() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let good = world.account("Good", CARD_APPROVED).await;
    world.invoice(&good, json!(100.25), "2024-07-01").await;
    world.memo("debit-memos", &good, json!(20), "2024-07-01").await;
    world.unapplied_payment(&good, json!(5)).await;
    let bad = world.account("Bad", CARD_DECLINED).await;
    world.invoice(&bad, json!(7.5), "2024-07-01").await;
    let run = create(&server, json!({ "target_date": "2024-07-31", "apply_unapplied_payments": true })).await;
    let key = text(&run, "id");
    world.ended(&key).await;
    let run = server.caller.get(&format!("{RUNS}/{key}")).await.body;
    assert_eq!(run["state"], "completed", "{run}");
    assert!(
        run["state_transitions"]["completed"].is_string() && run["payment_collection_date"].is_string(),
        "{run}"
    );
    let expected = json!({
        "number_of_errors": 1, "number_of_invoices": 2, "number_of_payments": 2, "number_of_credit_memos": 0,
        "number_of_debit_memos": 1, "number_of_unprocessed_debit_memos": 0, "number_of_unapplied_payments": 1,
        "number_of_unprocessed_receivables": 1, "errors_total": 7, "invoices_total": 107, "payments_total": 120,
        "unprocessed_receivables_total": 7,
    });
    assert_eq!(run["summary"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_orders_are_typed_and_case_sensitive() {
    let server = still().await;
    for (day, batch, target) in
        [("1", "Batch1", "2024-07-31"), ("15", "Batch2", "2024-08-01"), ("31", "other", "2024-08-02")]
    {
        create(&server, json!({ "bill_cycle_day": day, "batch": batch, "target_date": target })).await;
    }
    create(&server, json!({ "payment_run_date": "2024-08-01 12:00:00", "collect_payment": false })).await;
    for (query, numbers) in [
        ("", vec![4, 3, 2, 1]),
        ("filter[]=batch.EQ:Batch1", vec![1]),
        ("filter[]=batch.EQ:batch1", vec![]),
        ("filter[]=batch.SW:Batch", vec![2, 1]),
        ("filter[]=batch.NE:Batch1", vec![4, 3, 2]),
        ("filter[]=batch.EQ:null", vec![4]),
        ("filter[]=bill_cycle_day.GT:1&filter[]=bill_cycle_day.LT:31", vec![2]),
        ("filter[]=payment_run_number.IN:[PR-00000001,PR-00000003]", vec![3, 1]),
        ("filter[]=target_date.EQ:2024-08-01", vec![4, 2]),
        ("filter[]=collect_payment.EQ:false", vec![4]),
        ("filter[]=state.EQ:pending", vec![4, 3, 2, 1]),
        ("filter[]=state.IN:[completed,failed]", vec![]),
        ("filter[]=created_time.EQ:2024-07-28T09:15:30Z", vec![4, 3, 2, 1]),
        ("filter[]=created_time.GT:2024-07-28T09:15:30Z", vec![]),
        ("sort[]=payment_run_number.asc", vec![1, 2, 3, 4]),
        ("sort[]=target_date.asc", vec![1, 2, 4, 3]),
        ("sort[]=target_date.desc&sort[]=payment_run_number.asc", vec![3, 2, 4, 1]),
        ("sort[]=batch.asc", vec![4, 1, 2, 3]),
        ("sort[]=batch.desc", vec![3, 2, 1, 4]),
        ("sort[]=custom_objects.asc", vec![4, 3, 2, 1]),
    ] {
        assert_eq!(found(&server, query).await, numbers, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_by_a_cursor() {
    let server = still().await;
    for index in 0..7 {
        create(&server, json!({ "target_date": "2024-07-31", "batch": format!("Batch{}", index % 2) })).await;
    }
    let first = format!("{RUNS}?sort[]=batch.asc&page_size=3&filter[]=batch.SW:Batch");
    let mut page = server.caller.get(&first).await.body;
    let cursor = text(&page, "next_page");
    let mut all = numbers(&page);
    while let Some(cursor) = page["next_page"].as_str() {
        // A caller goes on with the cursor alone, or repeats what it asked for.
        let path = if all.len() == 3 {
            format!("{RUNS}?page_size=3&cursor={cursor}")
        } else {
            format!("{first}&cursor={cursor}")
        };
        page = server.caller.get(&path).await.body;
        all.extend(numbers(&page));
    }
    assert_eq!(page["next_page"], Value::Null);
    assert_eq!(all, [1, 3, 5, 7, 2, 4, 6]);

    let mut altered = cursor.clone();
    altered.replace_range(5..6, if &altered[5..6] == "A" { "B" } else { "A" });
    for query in [
        format!("cursor={altered}"),
        format!("cursor={cursor}&sort[]=batch.desc"),
        format!("cursor={cursor}&filter[]=batch.SW:other"),
        "cursor=W3sib3JkZXJ=".to_owned(),
    ] {
        let refused = server.caller.get(&format!("{RUNS}?{query}")).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["parameter"]),
            (400, &json!("cursor")),
            "{query}"
        );
    }
    let elsewhere = server.caller.get(&format!("/object-query/payment-runs?cursor={cursor}")).await;
    assert_eq!(elsewhere.status, 400, "cursors of one surface are none of another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_of_fields_leaves_the_others_out() {
    let server = still().await;
    create(&server, json!({ "target_date": "2024-07-31" })).await;
    let one = async |query: &str| -> Value {
        let answer = server.caller.get(&format!("{RUNS}?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["data"][0].clone()
    };
    let number = json!("PR-00000001");
    assert_eq!(
        one("fields[]=payment_run_number,state").await,
        json!({ "payment_run_number": number, "state": "pending" })
    );
    assert_eq!(
        one("fields[]=payment_run_number&payment_run.fields[]=state").await,
        json!({ "payment_run_number": number, "state": "pending" })
    );
    assert_eq!(
        one("fields[]=payment_run_number&summary.fields[]=payments_total").await,
        json!({ "payment_run_number": number, "summary": { "payments_total": 0 } })
    );
    let expanded = one("fields[]=payment_run_number&expand[]=summary").await;
    assert_eq!(expanded["summary"].as_object().map(serde_json::Map::len), Some(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_told_at_once() {
    let server = still().await;
    let query = "filter[]=colour.EQ:red&filter[]=state.EQ:gone&sort[]=size.asc&expand[]=account&page=2";
    let list = server.caller.get(&format!("{RUNS}?{query}")).await;
    assert_eq!(list.status, 400);
    insta::assert_json_snapshot!("faults_of_a_list", list.body);
    for query in ["page_size=0", "page_size=100", "page_size=many", "fields[]=colour"] {
        assert_eq!(server.caller.get(&format!("{RUNS}?{query}")).await.status, 400, "{query}");
    }
    let body = json!({ "gateway_id": "nowhere", "bill_run_id": "BR-1", "currency": "XXX" });
    let created = server.caller.post(RUNS, body).await;
    assert_eq!(created.status, 400);
    insta::assert_json_snapshot!("faults_of_a_creation", created.body);
    let unknown =
        server.caller.post(RUNS, json!({ "target_date": "2024-07-31", "consolidate_payment": true })).await;
    assert_eq!((unknown.status, &unknown.body["errors"][0]["code"]), (400, &json!("unknown_parameter")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_creation_gets_the_first_answer() {
    let server = still().await;
    let send = async |body: Value| {
        let call = server.caller.call("POST", RUNS).header("idempotency-key", "nightly-17");
        call.json(&body).await
    };
    let first = send(json!({ "target_date": "2024-07-31" })).await;
    let second = send(json!({ "target_date": "2024-07-31" })).await;
    assert_eq!((first.status, second.status, &first.body), (201, 201, &second.body));
    assert_eq!(found(&server, "").await, [1]);
    let other = send(json!({ "target_date": "2024-08-31" })).await;
    assert_eq!((other.status, &other.body["type"]), (422, &json!("unprocessable_content")));
    let change = async |batch: &str| {
        let call =
            server.caller.call("PATCH", &format!("{RUNS}/PR-00000001")).header("idempotency-key", "change-1");
        call.json(&json!({ "batch": batch })).await
    };
    let (first, second) = (change("Batch1").await, change("Batch1").await);
    assert_eq!((first.status, &first.body), (200, &second.body));
    assert_eq!(change("Batch2").await.status, 422);
}

/// The names of every property and the kinds of their values, with every map of custom properties left alone.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| match name.as_str() {
                "custom_fields" | "custom_objects" => (name.clone(), json!("map")),
                // At most one of the transitions is ever made.
                "state_transitions" => (name.clone(), json!("transitions")),
                _ => (name.clone(), shape(value)),
            });
            let mut fields: Vec<_> = fields.collect();
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.iter().take(1).map(shape).collect()),
        Value::String(text) if text.len() == 20 && text.ends_with('Z') => json!("time"),
        Value::String(_) => json!("text"),
        Value::Number(number) if number.is_i64() => json!("integer"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("flag"),
        Value::Null => Value::Null,
    }
}

/// Says of an invoice that a bill run made it, which no API does.
async fn give_bill_run(server: &TestServer, invoice: &str, bill_run: &str) {
    let (store, scope) = (server.node().store(), Scope::entity(EntityKey::FIRST));
    let found = store.find_document(&scope, DocumentKind::Invoice, &Key::new(invoice)).await.unwrap();
    let mut document = found.unwrap();
    document.bill_run = Some(bill_run.parse().unwrap());
    let load = Load { documents: vec![document], ..Load::default() };
    store.load(EntityKey::FIRST, load).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_list_is_answered_field_for_field() {
    let sample = documented("v2", "listPaymentRuns", "list");
    let expected = sample.response.unwrap().body.unwrap();
    let user: UserId = "8ad08f8e7e1a2c44017e1a9be0f30d02".parse().unwrap();
    let builder = TestNode::builder().at("2019-08-24T14:15:22Z".parse().unwrap());
    let server =
        TestServer::start_with(builder.configure(|config| config.first_start.user = Some(user))).await;
    let world = World::new(&server.caller);
    let gateways = server.caller.get("/v1/payment-gateways").await.body;
    let gateway = text(&gateways["paymentgateways"][0], "id");
    let bill_run = "8ad08d297c9d1a6f017c9d4e8c5b0021";
    let account = world
        .account_with("Documented", CARD_APPROVED, json!({ "batch": "Batch1", "billCycleDay": 31 }))
        .await;
    let invoice = world.invoice(&account, json!(10), "2019-08-01").await;
    give_bill_run(&server, &invoice, bill_run).await;
    let body = json!({
        "apply_credit_memos": true, "apply_unapplied_payments": true, "batch": "Batch1", "bill_cycle_day": "31",
        "collect_payment": true, "currency": "USD", "consolidated_payment": true, "gateway_id": gateway, "bill_run_id": bill_run,
        "payment_run_date": "2019-08-24 14:00:00Z", "target_date": "2019-08-24",
    });
    for _ in 0..2 {
        let run = create(&server, body.clone()).await;
        world.ended(&text(&run, "id")).await;
    }
    // The older of the two runs is the one that charged something.
    let request = sample.request.unwrap();
    let path = format!("{}?page_size=1&sort[]=payment_run_number.asc", request.path);
    let page = server.caller.call(&request.method, &path).send().await;
    assert_eq!(page.status, 200);
    assert_eq!(shape(&page.body), shape(&expected));
    assert_eq!(page.body["data"][0]["created_by_id"], user.to_string());
    assert_eq!(page.body["data"][0]["payment_collection_date"], "2019-08-24T14:15:22Z");
    let mut told = page.body;
    told["next_page"] = json!("a cursor");
    for field in ["id", "payment_gateway_id"] {
        told["data"][0][field] = json!("an identifier");
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap());
}
