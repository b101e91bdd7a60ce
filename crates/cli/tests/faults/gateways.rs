//! Gateways that cut, delay, repeat, refuse and forget.

use jiff::SignedDuration;
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig, SimulatorHandle};
use payment_runs_types::ops::Resolution;
use tempfile::TempDir;

use crate::check;
use crate::ledger::SMALL;
use crate::server::{Launch, Server, TestTime, resolve_all};

/// A run that has completed through a gateway with faults, and what is left of it.
struct Collected {
    bank: SimulatorHandle,
    time: TestTime,
    server: Server,
    run: String,
    _folder: TempDir,
}

async fn collect(bank: SimulatorConfig, arguments: &str) -> Collected {
    let folder = SMALL.in_new_folder().await;
    let bank = Simulator::start(SimulatorConfig { seed: 7, ..bank }).await.unwrap();
    let mut time = TestTime::new();
    let launch = Launch::new(folder.path(), &bank.url()).with(arguments);
    let server = time.launch(&launch).start();
    let run = server.create_run().await;
    time.until_completed(&server, &run).await;
    Collected { bank, time, server, run, _folder: folder }
}

impl Collected {
    /// Tells what struck, and ends.
    async fn end(self, told: &str) {
        check::tell(told, &self.bank);
        self.server.kill();
        self.bank.stop().await;
    }
}

/// A gateway with faults, collected through until nothing is in doubt.
async fn collect_through(told: &str, bank: SimulatorConfig, arguments: &str) {
    let faults = bank.faults.clone();
    let mut done = collect(bank, arguments).await;
    done.time.until_nothing_is_in_doubt(&done.server).await;
    let (journal, summary) = (done.bank.journal(), done.server.summary(&done.run).await);
    check::everything_once(told, SMALL, &journal, &summary);
    assert_eq!(faults.is_empty(), done.bank.faults().is_empty(), "{told}: the faults strike");
    done.end(told).await;
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
    let done = collect(faulty("saved-500=0.2"), "").await;
    let in_doubt = done.server.count_in_doubt().await.unwrap();
    assert!(in_doubt > 0);
    resolve_all(&done.server, Resolution::Declined).await;
    assert_eq!(done.server.count_in_doubt().await, Ok(0));
    let (journal, summary) = (done.bank.journal(), done.server.summary(&done.run).await);
    check::nothing_twice("saved 500", &journal);
    check::counters("saved 500", SMALL, &journal, &summary);
    done.end("500 saved under the key, resolved by a person").await;
}

/// A gateway without keys charges at every delivery, so that a lost answer is looked up.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ignores_keys_is_asked_instead() {
    let bank = SimulatorConfig {
        honours_keys: false,
        ..faulty("drop-before-charge=0.1,drop-after-charge=0.2,cut-answer=0.1,error-500-after-charge=0.1")
    };
    let told = "keys ignored, looked up";
    let mut done = collect(bank, "--gateway-search final --gateway-key-life-s 0").await;
    // What reached the bank is found. What never did stays unknown: that nothing is found is no reason for another charge.
    let never_seen = SMALL.count() - done.bank.journal().len();
    done.time.until_in_doubt(&done.server, never_seen).await;
    resolve_all(&done.server, Resolution::Declined).await;
    let (journal, summary) = (done.bank.journal(), done.server.summary(&done.run).await);
    assert_eq!(SMALL.count() - journal.len(), never_seen);
    check::nothing_twice(told, &journal);
    check::counters(told, SMALL, &journal, &summary);
    assert!(never_seen > 0 && !done.bank.faults().is_empty(), "the faults strike");
    done.end(told).await;
}

/// Where nothing can be looked up either, what nobody knows stays unknown, and nothing is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ignores_keys_and_answers_no_look_ups_leaves_the_rest_to_a_person() {
    let faults = "drop-before-charge=0.1,drop-after-charge=0.2,cut-answer=0.1";
    let bank = SimulatorConfig { honours_keys: false, supports_lookup: false, ..faulty(faults) };
    let arguments = "--gateway-search none --gateway-key-life-s 0 --gateway-concurrency 16";
    let mut done = collect(bank, arguments).await;
    let in_doubt = done.server.count_in_doubt().await.unwrap();
    for _ in 0..30 {
        done.time.tick(&done.server, SignedDuration::from_mins(10)).await;
    }
    assert_eq!(done.server.count_in_doubt().await, Ok(in_doubt), "five hours later nobody knows more");
    let journal = done.bank.journal();
    check::nothing_twice("keys ignored, no look-ups", &journal);
    let struck = done.bank.faults();
    let refused: u64 =
        struck.iter().filter(|(fault, _)| *fault == "drop-before-charge").map(|(_, count)| count).sum();
    let lost: u64 = struck.iter().map(|(_, count)| count).sum();
    assert_eq!(u64::try_from(in_doubt).unwrap(), lost, "each lost answer is one payment in doubt");
    assert_eq!(u64::try_from(SMALL.count() - journal.len()).unwrap(), refused);
    resolve_all(&done.server, Resolution::Declined).await;
    assert_eq!(done.server.count_in_doubt().await, Ok(0));
    done.end("keys ignored, no look-ups, resolved by a person").await;
}
