//! Killed at random moments.

use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::check;
use crate::ledger::LARGE;
use crate::server::{Launch, TestTime, look_again, until};

/// How often the server is killed, unless `KILLS` says otherwise. Each moment comes from its own seed.
const KILLS: u64 = 20;
/// A server is killed after so many charges more at most.
const CHARGES_BETWEEN_KILLS_MAX: usize = 250;
/// Of so many starts one is killed before it serves.
const KILLED_AT_START_OF: u32 = 8;
/// So many looks are taken at most until then.
const LOOKS_AT_START_MAX: u32 = 60;
/// What the gateway does meanwhile.
const FAULTS: &str = "drop-before-charge=0.02,drop-after-charge=0.03,cut-answer=0.02,duplicate=0.02,\
                      error-500-after-charge=0.02,rate-limit-429=0:0.02,in-flight-409=0.02";

fn kills() -> u64 {
    std::env::var("KILLS").map_or(KILLS, |text| text.parse().expect("KILLS is a number"))
}

/// One run each, so that every run is killed once at any moment from its first charge to its last.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_finishes_its_run_and_charges_nothing_twice() {
    for seed in 0..kills().div_ceil(2) {
        let folder = LARGE.in_new_folder().await;
        let config = SimulatorConfig { latency_ms: 1, ..SimulatorConfig::default() };
        let bank = Simulator::start(config).await.unwrap();
        let kill_after = StdRng::seed_from_u64(seed).random_range(0..LARGE.count());
        let told = format!("seed {seed}, killed after {kill_after} charges");

        let launch = Launch::new(folder.path(), &bank.url());
        let server = launch.start();
        let run = server.create_run().await;
        until(&told, async || bank.journal().len() >= kill_after).await;
        server.kill();

        let server = launch.start();
        server.until_completed(&run).await;
        let summary = server.summary(&run).await;
        server.kill();
        check::everything_once(&told, LARGE, &bank.journal(), &summary);
        bank.stop().await;
    }
}

/// One run after the other that is killed again and again, also while it starts, at a gateway with faults.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_all_the_time_still_charges_nothing_twice() {
    let mut left = kills() / 2;
    for seed in 0.. {
        let mut random = StdRng::seed_from_u64(seed);
        let folder = LARGE.in_new_folder().await;
        let faults = FAULTS.parse().unwrap();
        let config = SimulatorConfig { latency_ms: 1, seed, faults, ..SimulatorConfig::default() };
        let bank = Simulator::start(config).await.unwrap();
        let launch = Launch::new(folder.path(), &bank.url()).with("--gateway-search final");
        let mut run = None;
        let mut kills = 0;
        let mut time = TestTime::new();
        while left > 0 && bank.journal().len() < LARGE.count() {
            let goal = bank.journal().len() + random.random_range(0..CHARGES_BETWEEN_KILLS_MAX);
            let is_killed_at_start = run.is_some() && random.random_ratio(1, KILLED_AT_START_OF);
            if is_killed_at_start {
                let mut process = time.launch(&launch).begin();
                for _ in 0..random.random_range(0..LOOKS_AT_START_MAX) {
                    look_again().await;
                }
                process.kill().unwrap();
                process.wait().unwrap();
            } else {
                let server = time.launch(&launch).start();
                if run.is_none() {
                    run = Some(server.create_run().await);
                }
                let id = run.as_deref().unwrap();
                until("the moment to kill", async || {
                    time.tick_run(&server).await;
                    bank.journal().len() >= goal || server.has_completed(id).await
                })
                .await;
                server.kill();
            }
            (kills, left) = (kills + 1, left - 1);
        }
        let (told, run) = (format!("seed {seed}, killed {kills} times"), run.unwrap());
        let server = time.launch(&launch).start();
        time.until_completed(&server, &run).await;
        time.until_nothing_is_in_doubt(&server).await;
        let summary = server.summary(&run).await;
        server.kill();
        check::tell(&told, &bank);
        check::everything_once(&told, LARGE, &bank.journal(), &summary);
        bank.stop().await;
        if left == 0 {
            break;
        }
    }
}
