//! Gateways that cut, delay, repeat, refuse and forget.

use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};
use payment_runs_types::ops::{PaymentState, Resolution, ResolvePaymentRequest};

use crate::check;
use crate::ledger::SMALL;
use crate::server::{Launch, Server, TestTime, until};

/// A gateway with faults, collected through until nothing is in doubt.
async fn collect_through(told: &str, bank: SimulatorConfig, arguments: &str) {
    let folder = SMALL.in_new_folder().await;
    let faults = bank.faults.clone();
    let bank = Simulator::start(SimulatorConfig { seed: 7, ..bank }).await.unwrap();
    let mut time = TestTime::new();
    let launch = Launch::new(folder.path(), &bank.url()).with(arguments);
    let server = time.launch(&launch).start();
    let run = server.create_run().await;
    time.until_completed(&server, &run).await;
    time.until_nothing_is_in_doubt(&server).await;
    let summary = server.summary(&run).await;
    server.kill();
    check::tell(told, &bank);
    check::everything_once(told, SMALL, &bank.journal(), &summary);
    assert_eq!(faults.is_empty(), bank.faults().is_empty(), "{told}: the faults strike");
    bank.stop().await;
}

fn faulty(faults: &str) -> SimulatorConfig {
    SimulatorConfig { faults: faults.parse().unwrap(), ..SimulatorConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_cut_or_garbled() {
    let faults = "drop-before-charge=0.1,drop-after-charge=0.2,cut-answer=0.2,garbled-answer=0.1";
    collect_through("answers cut", faulty(faults), "--gateway-search final").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_come_after_the_timeout() {
    let faults = "delay-ms=900:0.1,late-charge-ms=900:0.1";
    let arguments = "--gateway-search final --gateway-timeout-ms 300";
    collect_through("answers after the timeout", faulty(faults), arguments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_delivered_twice() {
    collect_through("requests doubled", faulty("duplicate=0.5"), "--gateway-search final").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_before_and_after_the_charge() {
    let faults = "error-500=0.1,error-500-after-charge=0.2,saved-500-after-charge=0.2";
    collect_through("500 before and after the charge", faulty(faults), "--gateway-search final").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_too_busy() {
    let faults = "rate-limit-429=1:0.2,lock-timeout-429=0.1,in-flight-409=0.1";
    collect_through("429 and 409", faulty(faults), "--gateway-search final").await;
}

/// What the gateway repeats for a key is a failure without a charge: nobody but a person can end that.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_the_key_repeats_is_left_to_a_person() {
    let folder = SMALL.in_new_folder().await;
    let bank = Simulator::start(SimulatorConfig { seed: 7, ..faulty("saved-500=0.2") }).await.unwrap();
    let mut time = TestTime::new();
    let server = time.launch(&Launch::new(folder.path(), &bank.url())).start();
    let run = server.create_run().await;
    time.until_completed(&server, &run).await;
    let in_doubt = server.count_in_doubt().await.unwrap();
    assert!(in_doubt > 0);
    resolve_all(&server, Resolution::Declined).await;
    assert_eq!(server.count_in_doubt().await, Ok(0));
    check::tell("500 saved under the key, resolved by a person", &bank);
    check::nothing_twice("saved 500", &bank.journal());
    check::counters("saved 500", SMALL, &bank.journal(), &server.summary(&run).await);
    server.kill();
    bank.stop().await;
}

/// A gateway without keys charges at every delivery, so that a lost answer is looked up.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ignores_keys_is_asked_instead() {
    let bank = SimulatorConfig {
        honours_keys: false,
        ..faulty("drop-before-charge=0.1,drop-after-charge=0.2,cut-answer=0.1,error-500-after-charge=0.1")
    };
    let arguments = "--gateway-search final --gateway-key-life-s 0";
    collect_through("keys ignored, looked up", bank, arguments).await;
}

/// Where nothing can be looked up either, what nobody knows stays unknown, and nothing is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ignores_keys_and_answers_no_look_ups_leaves_the_rest_to_a_person() {
    let folder = SMALL.in_new_folder().await;
    let faults = "drop-before-charge=0.1,drop-after-charge=0.2,cut-answer=0.1";
    let config = SimulatorConfig { honours_keys: false, supports_lookup: false, seed: 7, ..faulty(faults) };
    let bank = Simulator::start(config).await.unwrap();
    let mut time = TestTime::new();
    let launch = Launch::new(folder.path(), &bank.url())
        .with("--gateway-search none --gateway-key-life-s 0 --gateway-concurrency 16");
    let server = time.launch(&launch).start();
    let run = server.create_run().await;
    time.until_completed(&server, &run).await;
    let in_doubt = server.count_in_doubt().await.unwrap();
    for _ in 0..30 {
        time.tick(&server, jiff::SignedDuration::from_mins(10)).await;
    }
    assert_eq!(server.count_in_doubt().await, Ok(in_doubt), "five hours later nobody knows more");
    check::nothing_twice("keys ignored, no look-ups", &bank.journal());
    let charged = bank.journal().len();
    let lost: u64 =
        bank.faults().into_iter().filter(|(fault, _)| *fault != "drop-before-charge").map(|(_, n)| n).sum();
    let refused: u64 = bank.faults().into_iter().map(|(_, count)| count).sum::<u64>() - lost;
    assert_eq!(u64::try_from(in_doubt).unwrap(), lost + refused, "each lost answer is one payment in doubt");
    assert_eq!(u64::try_from(SMALL.count() - charged).unwrap(), refused);
    resolve_all(&server, Resolution::Declined).await;
    assert_eq!(server.count_in_doubt().await, Ok(0));
    check::tell("keys ignored, no look-ups, resolved by a person", &bank);
    server.kill();
    bank.stop().await;
}

/// A person settles everything that is unknown. What is being sent at this moment is refused, and asked for again.
async fn resolve_all(server: &Server, outcome: Resolution) {
    until("the end of all doubt", async || {
        let list = server.client().ops().list_payments().state(PaymentState::UnknownValue).page_size(99);
        let page = list.send().await.unwrap().into_inner();
        let is_empty = page.data.is_empty();
        for payment in page.data {
            let body = ResolvePaymentRequest {
                outcome: outcome.clone(),
                comment: "the bank's statement".to_owned(),
                gateway_reference: None,
                gateway_code: None,
                gateway_message: None,
            };
            let resolved = server.client().ops().resolve_payment().key(&payment.id).body(body).send().await;
            drop(resolved);
        }
        is_empty
    })
    .await;
}
