//! A node starts, serves, stops in order, and finds everything again.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use http::StatusCode;
use payment_runs_engine::ids::EntityKey;
use payment_runs_engine::ports::Ledger as _;
use payment_runs_gateway::simulator::{JournalTotals, SimulatorConfig};
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, TestNode, TestNodeError};
use payment_runs_node::{Credentials, NodeError};

use support::{ask_token, create_run, get, receivables, wait_for_status, wait_until};

/// How long the bank takes where a test needs to catch it at work, in milliseconds.
const LATENCY_MS: u64 = 300;

async fn token_of(node: &TestNode) -> String {
    ask_token(&node.url(), CLIENT_ID, CLIENT_SECRET).await.text("access_token")
}

fn charges(node: &TestNode) -> JournalTotals {
    JournalTotals::of(&node.simulator().unwrap().journal())
}

#[tokio::test]
async fn a_node_is_ready_when_it_has_started() {
    let node = TestNode::start().await.unwrap();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&format!("{}{path}", node.url()), None).await.status, StatusCode::OK, "{path}");
    }
    let runs = format!("{}/v1/payment-runs", node.url());
    assert_eq!(get(&runs, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&runs, Some(&token_of(&node).await)).await.status, StatusCode::OK);
    node.stop().await;
}

#[tokio::test]
async fn a_stop_gives_address_and_database_back() {
    let folder = tempfile::tempdir().unwrap();
    let node = TestNode::builder().in_folder(folder.path()).start().await.unwrap();
    let address = node.node().address();
    node.stop().await;
    let again = TestNode::builder().in_folder(folder.path()).configure(|config| config.listen = address);
    let again = again.start().await.unwrap();
    assert_eq!(again.node().address(), address);
    again.stop().await;
}

#[tokio::test]
async fn the_first_start_makes_a_client_up_and_tells_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let builder =
        || TestNode::builder().in_folder(folder.path()).configure(|config| config.credentials = None);
    let first = builder().start().await.unwrap();
    let Credentials { client_id, client_secret } = first.node().credentials().unwrap().clone();
    first.stop().await;

    let second = builder().start().await.unwrap();
    assert_eq!(second.node().credentials(), None);
    assert_eq!(ask_token(&second.url(), &client_id, &client_secret).await.status, StatusCode::OK);
    assert_ne!(ask_token(&second.url(), &client_id, "another secret").await.status, StatusCode::OK);
    second.stop().await;
}

#[tokio::test]
async fn given_credentials_replace_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |secret: &str| {
        let client_secret = secret.to_owned();
        let credentials = Credentials { client_id: "billing".to_owned(), client_secret };
        let builder = TestNode::builder().in_folder(folder.path());
        builder.configure(|config| config.credentials = Some(credentials)).start().await.unwrap()
    };
    let first = start("old").await;
    assert_eq!(ask_token(&first.url(), "billing", "old").await.status, StatusCode::OK);
    first.stop().await;
    let second = start("new").await;
    assert_ne!(ask_token(&second.url(), "billing", "old").await.status, StatusCode::OK);
    let token = ask_token(&second.url(), "billing", "new").await.text("access_token");
    assert_eq!(get(&format!("{}/v1/payment-runs", second.url()), Some(&token)).await.status, StatusCode::OK);
    second.stop().await;
}

#[tokio::test]
async fn a_taken_address_is_noticed_before_the_database_is_touched() {
    let node = TestNode::start().await.unwrap();
    let (address, folder) = (node.node().address(), tempfile::tempdir().unwrap());
    let other = TestNode::builder().in_folder(folder.path()).configure(|config| config.listen = address);
    let refused = other.start().await.unwrap_err();
    assert!(matches!(refused, TestNodeError::Node(NodeError::Listen { .. })), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    node.stop().await;
}

#[tokio::test]
async fn a_database_in_use_is_refused() {
    let node = TestNode::start().await.unwrap();
    let refused = TestNode::builder().in_folder(node.folder()).start().await.unwrap_err();
    assert!(matches!(refused, TestNodeError::Node(NodeError::OpenStore { .. })), "{refused:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_run_is_collected() {
    let node = TestNode::start().await.unwrap();
    node.store().load(EntityKey::FIRST, receivables(25)).await.unwrap();
    let token = token_of(&node).await;
    let run = create_run(&node.url(), &token).await;
    assert_eq!((run.status, run.text("status").as_str()), (StatusCode::OK, "Pending"));
    wait_for_status(&node.url(), &token, &run.text("number"), "Completed").await;
    let totals = charges(&node);
    assert_eq!((totals.succeeded, totals.collected), (25, vec![("usd".to_owned(), 25_000)]));
    node.stop().await;
}

#[tokio::test]
async fn a_stop_lets_charges_end_and_the_next_start_finishes_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |latency_ms: u64| {
        let simulator = SimulatorConfig { latency_ms, ..SimulatorConfig::default() };
        let builder =
            TestNode::builder().in_folder(folder.path()).with_system_clock().with_simulator(simulator);
        builder
            .configure(|config| {
                if let Some(worker) = &mut config.worker {
                    worker.in_flight_per_chunk = 10;
                }
            })
            .start()
            .await
            .unwrap()
    };
    let first = start(LATENCY_MS).await;
    first.store().load(EntityKey::FIRST, receivables(40)).await.unwrap();
    let token = token_of(&first).await;
    let run = create_run(&first.url(), &token).await.text("number");
    wait_until(async || charges(&first).charges > 0).await;
    first.stop().await;

    let second = start(0).await;
    let before = charges(&second).succeeded;
    assert!((1..40).contains(&before), "{before} charges had been made when the node stopped");
    let token = token_of(&second).await;
    wait_for_status(&second.url(), &token, &run, "Completed").await;
    let totals = charges(&second);
    assert_eq!((totals.succeeded, totals.charged_twice.len()), (40, 0));
    assert_eq!(totals.replays, 0, "what was in flight at the stop must have been recorded");
    second.stop().await;
}
