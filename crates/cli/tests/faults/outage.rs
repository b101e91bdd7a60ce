//! An outage that lasts longer than the gateway remembers keys.

use jiff::SignedDuration;
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};
use payment_runs_types::ops::Resolution;

use crate::check;
use crate::ledger::SMALL;
use crate::server::{Launch, TestTime, resolve_all, until};

/// When the server is killed, in charges: early, in the middle, and late.
const MOMENTS: [usize; 3] = [1, 100, 190];

/// The gateway forgets every key during the outage, and charges whatever it is sent under one of them. What was in flight is
/// looked up instead, and what is not found is left to a person.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_expire_during_an_outage_charge_nothing_again() {
    for moment in MOMENTS {
        let folder = SMALL.in_new_folder().await;
        let journal = folder.path().join("bank.journal");
        let config = SimulatorConfig { latency_ms: 5, journal: Some(journal), ..SimulatorConfig::default() };
        let bank = Simulator::start(config.clone()).await.unwrap();
        let mut time = TestTime::new();
        let launch = Launch::new(folder.path(), &bank.url()).with("--gateway-search final");
        let server = time.launch(&launch).start();
        let run = server.create_run().await;
        until("the moment of the outage", async || bank.journal().len() >= moment).await;
        server.kill();
        bank.stop().await;

        // The bank has forgotten the keys of yesterday, and remembers those of today.
        let address = "127.0.0.1:0".parse().unwrap();
        let forgetful = Simulator::start(SimulatorConfig { listen: address, key_life_ms: 0, ..config }).await;
        let bank = forgetful.unwrap();
        time.skip(SignedDuration::from_hours(25));
        let launch = Launch::new(folder.path(), &bank.url()).with("--gateway-search final");
        let server = time.launch(&launch).start();
        time.until_completed(&server, &run).await;
        // What was in flight and never reached the bank stays unknown: its key may not be sent again.
        let never_seen = SMALL.count() - bank.journal().len();
        time.until_in_doubt(&server, never_seen).await;
        resolve_all(&server, Resolution::Declined).await;
        let told = format!("an outage of 25 hours after {moment} charges, {never_seen} never seen");
        check::tell(&told, &bank);
        check::nothing_twice(&told, &bank.journal());
        check::counters(&told, SMALL, &bank.journal(), &server.summary(&run).await);
        server.kill();
        bank.stop().await;
    }
}
