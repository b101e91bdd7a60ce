//! Payments stay with the gateway account at which they may have been charged.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use payment_runs_engine::collect::SendPolicy;
use payment_runs_gateway::simulator::{JournalEntry, Simulator, SimulatorConfig, SimulatorHandle};
use payment_runs_gateway::stripe::{SecretKey, StripeConfig};
use payment_runs_node::testing::{TestNode, TestNodeBuilder, TestNodeError};
use payment_runs_node::{GatewayChoice, NodeError};
use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, World};
use serde_json::{Value, json};

/// The due dates of invoices that are collected one after the other.
const DUE: [&str; 2] = ["2024-07-28", "2024-08-28"];

async fn bank(config: SimulatorConfig) -> SimulatorHandle {
    Simulator::start(config).await.unwrap()
}

/// A bank that charges, but whose answers are lost, and which can be asked about nothing.
fn silent() -> SimulatorConfig {
    let faults = "drop-after-charge=1".parse().unwrap();
    SimulatorConfig { faults, supports_lookup: false, ..SimulatorConfig::default() }
}

fn charged(bank: &SimulatorHandle) -> usize {
    bank.journal().iter().filter(|entry| JournalEntry::moved_money(entry)).count()
}

/// A node that keeps its database in this folder and charges through this bank.
fn through(folder: &Path, url: String) -> TestNodeBuilder {
    TestNode::builder().with_system_clock().in_folder(folder).configure(|config| {
        config.gateway = GatewayChoice::Remote(StripeConfig::new(url, SecretKey::new("sk_test_moved")));
        if let Some(worker) = &mut config.worker {
            worker.send = SendPolicy { deliveries_max: 1, unanswered_max: 1, ..SendPolicy::default() };
            worker.look_ups.every = Duration::from_millis(50);
            worker.look_ups.again_after = Duration::from_millis(100);
        }
    })
}

/// Collects what is due by then, and gives the counters of the run.
async fn collect(server: &TestServer, due: &str) -> Value {
    let run = World::new(&server.caller).run(json!({ "targetDate": due })).await;
    let progress = format!("/ops/payment-runs/{}/progress", run["number"].as_str().unwrap());
    server.caller.get(&progress).await.body
}

async fn payments(server: &TestServer, state: &str) -> Vec<Value> {
    let list = server.caller.get(&format!("/ops/payments?state={state}")).await;
    list.body["data"].as_array().unwrap().clone()
}

/// Leaves three payments in doubt, which this bank has charged.
async fn leave_in_doubt(folder: &Path, bank: &SimulatorHandle) {
    let server = TestServer::start_with(through(folder, bank.url())).await;
    let world = World::new(&server.caller);
    let account = world.account("Doubtful", CARD_APPROVED).await;
    for amount in [10, 20, 30] {
        world.invoice(&account, json!(amount), DUE[0]).await;
    }
    assert_eq!(collect(&server, DUE[0]).await["payments_in_doubt"], 3);
    server.into_node().stop().await;
    assert_eq!(charged(bank), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_another_account_is_refused_while_payments_are_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Some(folder.path().join("bank"));
    let first = bank(SimulatorConfig { journal: journal.clone(), ..silent() }).await;
    leave_in_doubt(folder.path(), &first).await;
    first.stop().await;

    let other = bank(SimulatorConfig::default()).await;
    let built_in = TestNode::builder().with_system_clock().in_folder(folder.path());
    for builder in [through(folder.path(), other.url()), built_in] {
        let refused = builder.start().await.unwrap_err();
        let TestNodeError::Node(error) = refused else { panic!("{refused:?}") };
        let NodeError::AnotherAccount { in_doubt, account, found, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*in_doubt, 3);
        let told = error.to_string().replace(account, "acct_1").replace(found, "acct_2");
        insta::allow_duplicates! {
            insta::assert_snapshot!(told, @"3 payments in doubt belong to the account acct_1 of the gateway `Default`, which charges at acct_2 now: start with acct_1 again to learn what became of them, or with --gateway-moved if they were never charged there");
        }
    }

    // The same bank at another address is the same account.
    let moved = bank(SimulatorConfig { journal, ..SimulatorConfig::default() }).await;
    let server = TestServer::start_with(through(folder.path(), moved.url())).await;
    let settled = |list: &Value| list["data"].as_array().is_some_and(|list| list.len() == 3);
    server.caller.wait_for("/ops/payments?state=processed", settled).await;
    server.into_node().stop().await;
    assert_eq!((charged(&moved), charged(&other)), (3, 0));

    let server = TestServer::start_with(through(folder.path(), other.url())).await;
    assert_eq!(payments(&server, "processed").await.len(), 3, "nothing is in doubt any more");
    server.into_node().stop().await;
    assert_eq!(charged(&other), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_that_a_gateway_has_moved() {
    let folder = tempfile::tempdir().unwrap();
    leave_in_doubt(folder.path(), &bank(silent()).await).await;
    let other = bank(SimulatorConfig::default()).await;
    let builder = through(folder.path(), other.url()).configure(|config| config.gateway_has_moved = true);
    let server = TestServer::start_with(builder).await;
    let settled = |list: &Value| list["data"].as_array().is_some_and(|list| list.len() == 3);
    server.caller.wait_for("/ops/payments?state=processed", settled).await;
    server.into_node().stop().await;
    assert_eq!(charged(&other), 3, "they are looked up and sent there from then on");
    let again = TestServer::start_with(through(folder.path(), other.url())).await;
    again.into_node().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_charged_before_the_account_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Some(folder.path().join("bank"));
    let right = SimulatorConfig { journal, ..SimulatorConfig::default() };
    let first = bank(right.clone()).await;
    let server = TestServer::start_with(through(folder.path(), first.url())).await;
    let world = World::new(&server.caller);
    let account = world.account("Patient", CARD_APPROVED).await;
    for due in DUE {
        world.invoice(&account, json!(10), due).await;
    }
    assert_eq!(collect(&server, DUE[0]).await["payments_processed"], 1);
    server.into_node().stop().await;
    let listen: SocketAddr = first.address();
    first.stop().await;

    let server = TestServer::start_with(through(folder.path(), format!("http://{listen}"))).await;
    assert_eq!(collect(&server, DUE[1]).await["payments_processed"], 0, "nobody listens there");
    let wrong = bank(SimulatorConfig { listen, ..SimulatorConfig::default() }).await;
    assert_eq!(collect(&server, DUE[1]).await["payments_processed"], 0);
    let kept_back = payments(&server, "canceled").await;
    let message = kept_back[0]["gateway_message"].as_str().unwrap();
    assert!(message.starts_with("the payments belong to the gateway account acct_"), "{message}");
    assert_eq!((kept_back.len(), wrong.journal().len()), (2, 0));
    wrong.stop().await;

    let right = bank(SimulatorConfig { listen, ..right }).await;
    let collected = collect(&server, DUE[1]).await;
    assert_eq!(collected["payments_processed"], 1, "{:?}", payments(&server, "canceled").await);
    assert_eq!(charged(&right), 2);
    server.into_node().stop().await;
}
