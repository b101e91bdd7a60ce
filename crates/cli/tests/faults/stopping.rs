//! Asked to stop while it works, and started twice.

use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};

use crate::check;
use crate::ledger::{LARGE, SMALL};
use crate::server::{Launch, until};

/// When the server is asked to stop, in charges.
const MOMENTS: [usize; 3] = [5, 600, 1_800];

/// A stop in order leaves nothing in doubt: what was sent is recorded before the process ends, so that the next one has
/// nothing to send again and nothing to ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_asked_to_stop_records_what_it_has_sent() {
    for moment in MOMENTS {
        let folder = LARGE.in_new_folder().await;
        // So slow that what is left at the last moment takes much longer than to ask the server to stop.
        let config = SimulatorConfig { latency_ms: 400, ..SimulatorConfig::default() };
        let bank = Simulator::start(config).await.unwrap();
        let launch = Launch::new(folder.path(), &bank.url());
        let server = launch.start();
        let run = server.create_run().await;
        until("the moment to stop", async || bank.journal().len() >= moment).await;
        // Callers are there all the while.
        let client = server.client().clone();
        let first = client.v1().list_payment_runs().send().await;
        let calls = async move {
            let mut answered = usize::from(first.is_ok());
            while client.v1().list_payment_runs().send().await.is_ok() {
                answered += 1;
            }
            answered
        };
        let (answered, status) = tokio::join!(calls, server.terminate());
        assert!(status.success(), "stopped after {moment} charges: {status}");
        assert!(answered > 0, "callers were answered until it stopped");
        let sent = bank.journal().len();
        assert!(sent < LARGE.count(), "it was stopped while it worked");

        let server = launch.start();
        assert_eq!(bank.journal().iter().filter(|entry| entry.replay).count(), 0);
        server.until_completed(&run).await;
        let told = format!("stopped after {sent} charges");
        let summary = server.summary(&run).await;
        server.kill();
        let journal = bank.journal();
        assert!(journal.iter().all(|entry| !entry.replay), "{told}: nothing had to be sent again");
        check::everything_once(&told, LARGE, &journal, &summary);
        println!("{told}: nothing in doubt");
        bank.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_file_is_refused_and_the_first_one_goes_on() {
    let folder = LARGE.in_new_folder().await;
    let bank =
        Simulator::start(SimulatorConfig { latency_ms: 5, ..SimulatorConfig::default() }).await.unwrap();
    let launch = Launch::new(folder.path(), &bank.url());
    let server = launch.start();
    let run = server.create_run().await;
    until("a charge", async || !bank.journal().is_empty()).await;
    let refused = launch.refused();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("is in use: one server at a time may open it"), "{said}");
    server.until_completed(&run).await;
    let summary = server.summary(&run).await;
    server.kill();
    check::everything_once("two servers", LARGE, &bank.journal(), &summary);
    assert!(launch.start().has_completed(&run).await, "the file is free again");
    bank.stop().await;
}

/// Closes the program's log after its first byte, and becomes the program.
const UNREAD_LOG: &str = r#"exec 2> >(head -c 1 >/dev/null); exec "$@""#;

/// Whoever read the log has gone, as `serve 2>&1 | head` does: runs are collected all the same, and callers are answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_nobody_reads_goes_on() {
    let folder = SMALL.in_new_folder().await;
    let bank = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let launch = Launch::new(folder.path(), &bank.url()).with_variable("RUST_LOG", &"info");
    let server = launch.within(&["bash", "-c", UNREAD_LOG, "bash"]).start();
    let run = server.create_run().await;
    server.until_completed(&run).await;
    let summary = server.summary(&run).await;
    server.kill();
    check::everything_once("a log that nobody reads", SMALL, &bank.journal(), &summary);
}
