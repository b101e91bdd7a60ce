//! Killed at every point between two transactions, and around every call to the gateway.

use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};
use payment_runs_node::crash_points::{CrashPoint, STEPS, VARIABLE};

use crate::check;
use crate::ledger::SMALL;
use crate::server::{Launch, Server, TestTime, until};

/// Answers are lost now and then.
const FAULTS: &str = "drop-before-charge=0.2,drop-after-charge=0.2";
/// Steps that only a run leads to whose answers are lost so often that it looks payments up, and delivers some once more.
const ONLY_IN_DOUBT: [&str; 4] = ["look-up", "begin-delivery", "end-delivery", "settle-look-ups"];
/// How often they are lost then.
const FAULTS_IN_DOUBT: &str = "drop-before-charge=0.4,drop-after-charge=0.3";
/// A chunk is worked off too soon for its lease to be renewed, unless charges take long.
const ONLY_WHEN_SLOW: &str = "renew";
/// How long they take then.
const SLOW_MS: u64 = 400;
/// Steps that every run takes often.
const OFTEN: [&str; 3] = ["settle", "charge", "look-up"];

/// Crashes there, starts again, and lets everything come to its end. Says whether the point was reached.
async fn crash_at(point: &CrashPoint) -> bool {
    let folder = SMALL.in_new_folder().await;
    let is_slow = point.step == ONLY_WHEN_SLOW;
    let config = SimulatorConfig {
        faults: if ONLY_IN_DOUBT.contains(&point.step) { FAULTS_IN_DOUBT } else { FAULTS }.parse().unwrap(),
        latency_ms: if is_slow { SLOW_MS } else { 0 },
        ..SimulatorConfig::default()
    };
    let bank = Simulator::start(config).await.unwrap();
    let mut launch = Launch::new(folder.path(), &bank.url()).with("--gateway-search final");
    if is_slow {
        launch = launch.with("--gateway-concurrency 4");
    }
    let mut time = TestTime::new();
    // Some steps come before the server serves, or before the request is answered.
    let started = time.launch(&launch).with_variable(VARIABLE, point).try_start();
    let has_crashed = match started {
        Err(_) => true,
        Ok(mut server) => {
            server.try_create_run().await.is_none() || goes_on_until_it_crashes(&mut server, &mut time).await
        }
    };
    let server = time.launch(&launch).start();
    let run = match server.find_only_run().await {
        Some(run) => run,
        None => server.create_run().await,
    };
    time.until_completed(&server, &run).await;
    time.until_nothing_is_in_doubt(&server).await;
    check::everything_once(&point.to_string(), SMALL, &bank.journal(), &server.summary(&run).await);
    server.kill();
    bank.stop().await;
    has_crashed
}

/// Lets time pass until the server has crashed, or has nothing to do any more. Says whether it has crashed.
async fn goes_on_until_it_crashes(server: &mut Server, time: &mut TestTime) -> bool {
    let mut is_quiet = false;
    until("the crash, or the end of everything", async || {
        is_quiet = time.try_tick(server).await.is_ok() && server.is_quiet().await;
        is_quiet || server.has_ended()
    })
    .await;
    !is_quiet
}

/// The points are gone through in two tests, which run at the same time.
async fn crash_at_all(is_after: bool) {
    let mut reached = 0;
    for step in STEPS {
        let times: &[u32] = if OFTEN.contains(&step) { &[1, 3] } else { &[1] };
        for &time in times {
            let point = CrashPoint { step, is_after, time };
            let was_reached = crash_at(&point).await;
            assert!(was_reached || time > 1, "{point} is never reached");
            reached += usize::from(was_reached);
        }
    }
    println!("{reached} crashes at named points");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_any_step_loses_and_repeats_nothing() {
    crash_at_all(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_any_step_loses_and_repeats_nothing() {
    crash_at_all(true).await;
}
