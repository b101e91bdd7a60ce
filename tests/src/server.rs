//! A running server for one test, with a caller that is logged in.

use jiff::Timestamp;
use payment_runs_gateway::simulator::JournalEntry;
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, TestNode, TestNodeBuilder};

use crate::PATIENCE;
use crate::caller::Caller;

/// A real node on a free port, with its own database file and its own bank.
pub struct TestServer {
    node: TestNode,
    /// A caller with every permission.
    pub caller: Caller,
}

impl TestServer {
    /// Starts with the machine's clock.
    pub async fn start() -> Self {
        Self::start_with(TestNode::builder().with_system_clock()).await
    }

    /// Starts with a clock that stands at this time (UTC) until it is moved.
    pub async fn start_at(now: &str) -> Self {
        Self::start_with(TestNode::builder().at(now.parse().expect("a time"))).await
    }

    /// Starts a node that a test has set up.
    pub async fn start_with(builder: TestNodeBuilder) -> Self {
        let node = builder.start().await.expect("the node starts");
        let caller = Caller::new(node.url());
        caller.log_in(CLIENT_ID, CLIENT_SECRET).await;
        Self { node, caller }
    }

    /// The node alone, to be stopped in order.
    pub fn into_node(self) -> TestNode {
        self.node
    }

    /// The node.
    pub fn node(&self) -> &TestNode {
        &self.node
    }

    /// The database's file, beside the server: to arrange what no API makes, and to look.
    pub fn open_database(&self) -> rusqlite::Connection {
        let file = rusqlite::Connection::open(self.node.folder().join("node.db")).expect("the file is there");
        file.busy_timeout(PATIENCE).expect("a wait can be set");
        file
    }

    /// An address on the server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.node.url())
    }

    /// The caller's token.
    pub fn token(&self) -> String {
        self.caller.token().expect("the caller is logged in")
    }

    /// Moves the clock.
    pub fn advance_to(&self, now: &str) {
        self.node.clock().set(now.parse::<Timestamp>().expect("a time"));
    }

    /// The charges for which the bank took money.
    pub fn charges(&self) -> Vec<JournalEntry> {
        let journal = self.node.simulator().expect("the node has a bank of its own").journal();
        journal.into_iter().filter(JournalEntry::moved_money).collect()
    }
}
