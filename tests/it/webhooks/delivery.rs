//! What an endpoint is told, in which order, and what becomes of what it does not take.

use std::sync::Arc;

use super::*;

/// The real time where a test needs one that stands, far from the test clock's.
const REAL: &str = "2027-05-01T00:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_in_its_order_signed_and_without_cards() {
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, secret) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    let good = owing(&world, "Good", CARD_APPROVED, &[10, 20, 30]).await;
    owing(&world, "Bad", CARD_DECLINED, &[40]).await;
    let run = world.run(json!({ "targetDate": "2026-01-31" })).await;
    let received = endpoint.received(5).await;
    let told = events(&received);
    assert_eq!(told[4], "payment_run_completed", "the run comes after its payments");
    let declined: Vec<&Received> = received.iter().filter(|one| one.event() == "payment_declined").collect();
    assert_eq!((declined.len(), told.iter().filter(|event| *event == "payment_processed").count()), (1, 3));
    for one in &received {
        assert_eq!(
            (one.line.as_str(), one.header("content-type")),
            ("POST /hooks HTTP/1.1", "application/json")
        );
        assert!(one.is_signed(&secret) && !one.is_signed("whsec_another"));
        let mut altered = one.clone();
        altered.bytes[1] ^= 1;
        assert!(!altered.is_signed(&secret));
        let body = String::from_utf8(one.bytes.clone()).unwrap();
        for hidden in [CARD_APPROVED, CARD_DECLINED, "4242", "0341", "pm_", "tok_", "Lovelace"] {
            assert!(!body.contains(hidden), "{hidden} is in {body}");
        }
        assert_eq!(one.body["entity_id"], ENTITY.to_string());
    }
    let payment = &declined[0].body["payment"];
    assert_eq!(
        (&payment["amount"], &payment["currency"], &payment["gateway_code"], &declined[0].body["category"]),
        (&json!(40), &json!("USD"), &json!("generic_decline"), &json!(2110))
    );
    assert_eq!((&payment["payment_run_id"], &payment["payment_run_number"]), (&run["id"], &run["number"]));
    let paid = received.iter().find(|one| one.event() == "payment_processed").unwrap();
    assert_eq!((&paid.body["payment"]["account_id"], &paid.body["category"]), (&json!(good), &json!(2120)));
    let v1 = server.caller.get(&format!("/v1/payments/{}", text(&paid.body["payment"], "id"))).await.body;
    assert_eq!(v1["number"], paid.body["payment"]["number"]);

    let completed = &received[4].body;
    let fields = &completed["merge_fields"];
    assert_eq!((&completed["category"], &completed["payment"]), (&json!(2140), &Value::Null));
    assert_eq!(
        fields,
        &json!({
            "PaymentRun.ID": run["id"], "PaymentRun.PaymentRunID": run["number"],
            "PaymentRun.PaymentRunStatus": "Completed", "PaymentRun.TargetDate": "2026-01-31",
            "PaymentRun.NumberofInvoicesGenerated": "4", "PaymentRun.NumberofPaymentsCollected": "3",
            "PaymentRun.PaymentRunAccessURL": format!("/v1/payment-runs/{}", text(&run, "id")),
            "PaymentRunSummary.TotalValueofInvoices": "100 USD",
            "PaymentRunSummary.TotalValueofPaymentsApplied": "60 USD",
        })
    );
    let path = text(fields, "PaymentRun.PaymentRunAccessURL");
    assert_eq!(server.caller.get(&path).await.body["number"], run["number"], "the path leads to the run");
    let listed = newest(&server.caller, &id, |delivery| delivery["state"] == "delivered").await;
    assert_eq!((&listed["content"], &listed["attempts"]), (completed, &json!(1)));
    assert_eq!((&listed["last_status"], &listed["delivered_at"]), (&json!(200), &json!(NOW)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_payment_of_a_longer_run_is_told_once_and_in_order() {
    /// More than are read and stored at once.
    const PAYMENTS: usize = 140;
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, _) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    let account = owing(&world, "Ada", CARD_APPROVED, &[10; PAYMENTS]).await;
    world.run(run_of(&account)).await;
    let received = endpoint.received(PAYMENTS + 1).await;
    assert_eq!(received[PAYMENTS].event(), "payment_run_completed");
    let mut paid: Vec<String> =
        received[..PAYMENTS].iter().map(|one| text(&one.body["payment"], "id")).collect();
    let told: Vec<String> = received.iter().map(Received::delivery).collect();
    paid.sort();
    paid.dedup();
    assert_eq!(paid.len(), PAYMENTS, "each once");
    let mut path = format!("/ops/webhooks/{id}/deliveries?page_size=99");
    let mut listed = Vec::new();
    loop {
        let page = server.caller.get(&path).await.body;
        listed.extend(page["data"].as_array().unwrap().iter().map(|delivery| text(delivery, "id")));
        let Some(next) = page["next_page"].as_str() else { break };
        path = format!("/ops/webhooks/{id}/deliveries?page_size=99&cursor={next}");
    }
    listed.reverse();
    assert_eq!(told, listed, "in the order in which it happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_tried_again_before_what_follows() {
    let real = TestClock::at(REAL.parse().unwrap());
    let clock = TestClock::at(NOW.parse().unwrap()).with_real_time(Arc::new(real.clone()));
    let builder = builder().with_clock(clock).configure(|config| config.webhook_timeout = SHORT_TIMEOUT);
    let server = TestServer::start_with(builder).await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, secret) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    let elsewhere = endpoint.url().replace("/hooks", "/elsewhere");
    endpoint.answer([Reply::Status(500), Reply::Redirect(elsewhere), Reply::Close, Reply::Hang]);
    let account = owing(&world, "Ada", CARD_APPROVED, &[10]).await;
    world.run(run_of(&account)).await;
    let path = format!("/ops/webhooks/{id}/deliveries");
    let expected = [
        (json!(500), "the endpoint answered with status 500"),
        (json!(307), "the endpoint answered with status 307"),
        (Value::Null, "the connection ended without an answer"),
        (Value::Null, "no answer came in time"),
    ];
    let mut pause = 5;
    for (attempt, (status, error)) in (1..).zip(expected) {
        let page = server.caller.wait_for(&path, |page| page["data"][1]["attempts"] == attempt).await;
        let (payment, run) = (&page["data"][1], &page["data"][0]);
        assert_eq!((&payment["state"], &payment["last_error"]), (&json!("waiting"), &json!(error)));
        assert_eq!(payment["last_status"], status);
        assert_eq!(
            (&run["event"], &run["attempts"]),
            (&json!("payment_run_completed"), &json!(0)),
            "it waits"
        );
        let due: jiff::Timestamp = text(payment, "next_attempt_at").parse().unwrap();
        let now = Clock::now(server.node().clock());
        let wait = due.duration_since(now);
        let longest = SignedDuration::from_secs(pause);
        assert!(wait <= longest && wait >= longest / 2, "{attempt}: {wait}");
        real.advance(SignedDuration::from_secs(1));
        // Shortly before its time nothing is sent.
        advance(&server, SignedDuration::from_millis(pause * 500 - 1));
        assert_eq!(endpoint.so_far().len(), usize::try_from(attempt).unwrap());
        advance(&server, SignedDuration::from_millis(pause * 500 + 1));
        endpoint.received(usize::try_from(attempt).unwrap() + 1).await;
        pause *= 3;
    }
    let received = endpoint.received(6).await;
    assert!(received.iter().all(|one| one.line == "POST /hooks HTTP/1.1"), "no redirect is followed");
    let ids: Vec<String> = received.iter().map(Received::delivery).collect();
    assert!(ids[..5].iter().all(|id| *id == ids[0]) && ids[5] != ids[0]);
    assert!(received[..5].iter().all(|one| one.bytes == received[0].bytes));
    assert_eq!(received[5].event(), "payment_run_completed");
    for (second, one) in (0..).zip(&received[..5]) {
        let at = real.now() - SignedDuration::from_secs(4 - second);
        assert!(one.is_signed_at(&secret, at), "each attempt is signed at its own time");
    }
}

/// A delivery on a page, by its identifier.
fn find<'a>(page: &'a Value, id: &Value) -> &'a Value {
    let found = page["data"].as_array().and_then(|all| all.iter().find(|one| one["id"] == *id));
    found.unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_holds_nobody_up_and_can_be_sent_again() {
    let server = start().await;
    let world = World::new(&server.caller);
    let (broken, sound) = (Receiver::start().await, Receiver::start().await);
    let (id, _) = make(&server.caller, broken.url(), &EVERYTHING).await;
    make(&server.caller, sound.url(), &EVERYTHING).await;
    let account = owing(&world, "Ada", CARD_APPROVED, &[10]).await;
    broken.refuse(Some(account.clone()));
    world.run(run_of(&account)).await;
    assert_eq!(events(&sound.received(2).await), ["payment_processed", "payment_run_completed"]);
    let other = owing(&world, "Bob", CARD_APPROVED, &[20]).await;
    world.run(run_of(&other)).await;
    let told = events(&broken.received(3).await);
    assert_eq!(
        told,
        ["payment_processed", "payment_processed", "payment_run_completed"],
        "another run goes on"
    );

    let path = format!("/ops/webhooks/{id}/deliveries");
    let stuck =
        server.caller.wait_for(&path, |page| page["data"][3]["attempts"] == 1).await["data"][3]["id"].clone();
    for attempt in 1..10 {
        server.caller.wait_for(&path, |page| find(page, &stuck)["attempts"] == attempt).await;
        assert_eq!(broken.so_far().len(), 2 + usize::try_from(attempt).unwrap(), "what follows waits");
        advance(&server, SignedDuration::from_hours(6));
    }
    let received = broken.received(13).await;
    assert_eq!(received[12].event(), "payment_run_completed", "it was given up, and what follows is told");
    let failed = server.caller.get(&format!("{path}?state=failed")).await.body;
    let failed = &failed["data"][0];
    assert_eq!(
        (&failed["id"], &failed["attempts"], &failed["last_status"]),
        (&stuck, &json!(10), &json!(503))
    );
    assert_eq!((&failed["next_attempt_at"], &failed["delivered_at"]), (&Value::Null, &Value::Null));

    let replay = format!("{path}/{}/replay", text(failed, "id"));
    let replayed = server.caller.call("POST", &replay).send().await;
    assert_eq!((replayed.status, &replayed.body["state"]), (200, &json!("waiting")), "{}", replayed.body);
    let trail = server.caller.get("/ops/audit-records?page_size=99").await.body;
    let last = trail["data"].as_array().unwrap().last().unwrap();
    let detail = format!("delivery {} to webhook {id}", text(failed, "id"));
    assert_eq!((&last["kind"], &last["detail"]), (&json!("delivery_replayed"), &json!(detail)));
    let again = server.caller.call("POST", &replay).send().await;
    assert_eq!((again.status, &again.body["errors"][0]["code"]), (400, &json!("business_rule")));
    server.caller.wait_for(&path, |page| find(page, &stuck)["attempts"] == 1).await;
    broken.refuse(None);
    advance(&server, SignedDuration::from_secs(5));
    let sent = broken.received(15).await;
    assert_eq!(sent[14].delivery(), text(failed, "id"), "the same id in every attempt and replay");
    assert_eq!(sent[14].body, failed["content"]);
    let page = server.caller.wait_for(&path, |page| find(page, &stuck)["state"] == "delivered").await;
    assert_eq!(find(&page, &stuck)["attempts"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_the_others_of_a_run_are_tried_once_until_one_is_taken() {
    const REFUSED: usize = 3;
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, _) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    let account = owing(&world, "Ada", CARD_APPROVED, &[10; REFUSED]).await;
    endpoint.refuse(Some(account.clone()));
    world.run(run_of(&account)).await;
    for attempt in 1..10 {
        endpoint.received(attempt).await;
        let path = format!("/ops/webhooks/{id}/deliveries");
        let first = |page: &Value| page["data"][REFUSED]["attempts"].clone();
        server.caller.wait_for(&path, |page| first(page) == attempt).await;
        advance(&server, SignedDuration::from_hours(6));
    }
    // The first was tried ten times, the next ones once; and the end of the run, which is taken, without a wait.
    let told = events(&endpoint.received(10 + REFUSED).await);
    assert!(told[..9 + REFUSED].iter().all(|event| event == "payment_processed"), "{told:?}");
    assert_eq!(told[9 + REFUSED], "payment_run_completed");
    newest(&server.caller, &id, |delivery| delivery["state"] == "delivered").await;
    let failed = server.caller.get(&format!("/ops/webhooks/{id}/deliveries?state=failed")).await.body;
    let attempts: Vec<&Value> =
        failed["data"].as_array().unwrap().iter().map(|one| &one["attempts"]).collect();
    assert_eq!(attempts, [&json!(1), &json!(1), &json!(10)], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_loses_nothing_and_a_new_event_counts_from_now() {
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, _) = make(&server.caller, endpoint.url(), &["payment_run_completed"]).await;
    let path = format!("/ops/webhooks/{id}");
    let change = async |body: Value| {
        let answer = server.caller.call("PATCH", &path).json(&body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let run = async |name: &str| {
        let account = owing(&world, name, CARD_APPROVED, &[10]).await;
        text(&world.run(run_of(&account)).await, "id")
    };
    let first = run("Ada").await;
    endpoint.received(1).await;
    change(json!({ "active": false })).await;
    let second = run("Bob").await;
    change(json!({ "active": true, "events": ["payment_run_completed", "payment_processed"] })).await;
    let third = run("Eve").await;
    let received = endpoint.received(4).await;
    let runs: Vec<String> = received
        .iter()
        .map(|one| {
            let (run, payment) = (&one.body["payment_run"], &one.body["payment"]);
            run["id"].as_str().or(payment["payment_run_id"].as_str()).unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        runs,
        [first, second, third.clone(), third],
        "the second run's payment came before the change"
    );
    assert_eq!(events(&received)[2..], ["payment_processed".to_owned(), "payment_run_completed".to_owned()]);
    assert_eq!(endpoint.so_far().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_an_answer_and_single_payments_are_told() {
    let server = start().await;
    let world = World::new(&server.caller);
    let endpoint = Receiver::start().await;
    let (id, _) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    endpoint.answer([Reply::Endless]);
    let account = world.account("Ada", CARD_APPROVED).await;
    let body = json!({ "accountId": account, "amount": 12.5, "currency": "USD", "type": "Electronic" });
    let payment = server.caller.create("/v1/payments", body).await;
    let listed = newest(&server.caller, &id, |delivery| delivery["state"] == "delivered").await;
    assert_eq!((&listed["last_status"], &listed["payment_id"]), (&json!(200), &payment["id"]));
    assert_eq!((&listed["payment_run_id"], &listed["content"]["merge_fields"]), (&Value::Null, &json!({})));
    // What was received elsewhere is known to whoever recorded it.
    world.unapplied_payment(&account, json!(5)).await;
    world.run(run_of(&account)).await;
    let received = endpoint.received(2).await;
    assert_eq!(events(&received), ["payment_processed", "payment_run_completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_may_not_call_inside_does_not_call_what_was_made_before() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Receiver::start().await;
    let server = TestServer::start_with(builder().in_folder(folder.path())).await;
    let (id, _) = make(&server.caller, endpoint.url(), &EVERYTHING).await;
    server.into_node().stop().await;
    let strict = TestNode::builder().at(NOW.parse().unwrap()).in_folder(folder.path());
    let server = TestServer::start_with(strict).await;
    let world = World::new(&server.caller);
    let account = owing(&world, "Ada", CARD_APPROVED, &[10]).await;
    world.run(run_of(&account)).await;
    let path = format!("/ops/webhooks/{id}/deliveries");
    let page = server.caller.wait_for(&path, |page| page["data"][1]["attempts"] == 1).await;
    assert_eq!(page["data"][1]["last_error"], "the URL is not one that this server sends to");
    assert!(endpoint.so_far().is_empty());
}

/// The process ends after the endpoint took a delivery and before that was written down.
#[test]
fn what_was_sent_and_not_recorded_is_sent_again_under_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let outer = tokio::runtime::Runtime::new().unwrap();
    let endpoint = outer.block_on(Receiver::start());
    let inner = tokio::runtime::Runtime::new().unwrap();
    let run = inner.block_on(async {
        let server = TestServer::start_with(builder().in_folder(folder.path())).await;
        make(&server.caller, endpoint.url(), &EVERYTHING).await;
        // The answer never arrives, so nothing can be recorded.
        endpoint.answer([Reply::Status(200), Reply::Hang]);
        let world = World::new(&server.caller);
        let account = owing(&world, "Ada", CARD_APPROVED, &[10, 20]).await;
        let run = text(&world.run(run_of(&account)).await, "id");
        endpoint.received(2).await;
        // Nothing of the node is stopped in order.
        drop(server);
        run
    });
    inner.shutdown_timeout(Duration::from_secs(10));
    assert_eq!(endpoint.so_far().len(), 2);
    outer.block_on(async {
        let server = TestServer::start_with(builder().in_folder(folder.path())).await;
        let received = endpoint.received(4).await;
        let ids: Vec<String> = received.iter().map(Received::delivery).collect();
        assert_eq!(ids[1], ids[2], "the one that was cut off comes again");
        assert!(ids[0] != ids[1] && ids[3] != ids[2]);
        assert_eq!(received[1].bytes, received[2].bytes);
        assert_eq!(
            (received[3].event(), &received[3].body["payment_run"]["id"]),
            ("payment_run_completed".to_owned(), &json!(run))
        );
        server.into_node().stop().await;
    });
}
