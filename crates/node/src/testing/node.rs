//! The node of a test.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::ids::EntityKey;
use payment_runs_engine::ports::{Gateway, GatewaySettings, StoreError};
use payment_runs_gateway::simulator::{SimulatorConfig, SimulatorHandle};
use payment_runs_store::SqliteStore;
use tempfile::TempDir;

use super::seams::{TestEntropy, TestIds};
use super::{CLIENT_ID, CLIENT_SECRET, ENTITY, GATEWAY, USER};
use crate::config::{Credentials, Database, FirstStart, GatewayChoice, NodeConfig};
use crate::error::NodeError;
use crate::node::Node;
use crate::seams::Seams;
use crate::test_clock::TestClock;

/// The name of the database file in its temporary folder.
const DATABASE_FILE: &str = "node.db";
/// The first identifier that is not queued.
const FIRST_ID: u128 = 0x0199_0000_0000_7000_8000_0000_0000_0000;
/// The time of a test that names none.
const NOW_DEFAULT: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// The seed of a test's random bytes.
const ENTROPY_SEED: u64 = 1;

/// Why a test node did not start.
#[derive(Debug, thiserror::Error)]
pub enum TestNodeError {
    /// There is no temporary folder.
    #[error("there is no temporary folder")]
    Folder(#[source] io::Error),
    /// The node did not start.
    #[error("the node did not start")]
    Node(#[from] NodeError),
}

/// How a test node is set up.
#[derive(Debug)]
pub struct TestNodeBuilder {
    config: NodeConfig,
    clock: TestClock,
    runs_with_the_machine: bool,
    ids: TestIds,
    folder: Folder,
}

/// Where the database file lies: in a folder that goes with the node, or in one that stays.
#[derive(Debug)]
enum Folder {
    Temporary,
    Kept(PathBuf),
}

impl TestNodeBuilder {
    /// Stands the clock at this time (UTC) instead of the default one.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        self.with_clock(TestClock::at(now))
    }

    /// Uses this clock, which another node may share.
    #[must_use]
    pub fn with_clock(mut self, clock: TestClock) -> Self {
        self.clock = clock;
        self.runs_with_the_machine = false;
        self
    }

    /// Uses the machine's clock, which runs by itself; [`TestNode::clock`] then moves nothing.
    #[must_use]
    pub fn with_system_clock(mut self) -> Self {
        self.runs_with_the_machine = true;
        self
    }

    /// Takes identifiers from here.
    #[must_use]
    pub fn with_ids(mut self, ids: TestIds) -> Self {
        self.ids = ids;
        self
    }

    /// Keeps database and journal in this folder, so that a later node finds them.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Folder::Kept(folder.into());
        self
    }

    /// Starts the built-in simulator like this.
    #[must_use]
    pub fn with_simulator(mut self, config: SimulatorConfig) -> Self {
        if let GatewayChoice::BuiltIn { simulator, .. } = &mut self.config.gateway {
            *simulator = config;
        }
        self
    }

    /// Uses the built-in simulator within these bounds.
    #[must_use]
    pub fn with_gateway_settings(mut self, wanted: GatewaySettings) -> Self {
        match &mut self.config.gateway {
            GatewayChoice::BuiltIn { settings, .. } => *settings = wanted,
            GatewayChoice::Remote(stripe) => stripe.settings = wanted,
        }
        self
    }

    /// Starts without a worker: runs stay as they were created.
    #[must_use]
    pub fn without_worker(mut self) -> Self {
        self.config.worker = None;
        self
    }

    /// Changes anything else of the set-up.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut NodeConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts the node.
    pub async fn start(self) -> Result<TestNode, TestNodeError> {
        let (folder, temporary) = match self.folder {
            Folder::Kept(path) => (path, None),
            Folder::Temporary => {
                let folder = tempfile::tempdir().map_err(TestNodeError::Folder)?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let mut seams = Seams::system();
        seams.ids = Arc::new(self.ids.clone());
        seams.entropy = Arc::new(TestEntropy::seeded(ENTROPY_SEED));
        if !self.runs_with_the_machine {
            seams = seams.with_test_clock(self.clock.clone());
        }
        let config = NodeConfig { database: Database::Sqlite(folder.join(DATABASE_FILE)), ..self.config };
        let node = Node::start_with(config, seams).await?;
        Ok(TestNode { node, clock: self.clock, ids: self.ids, folder, temporary })
    }
}

/// A running node with everything a test may want to hold.
#[derive(Debug)]
pub struct TestNode {
    node: Node,
    clock: TestClock,
    ids: TestIds,
    folder: PathBuf,
    /// Removed after the node, which is why it comes last.
    temporary: Option<TempDir>,
}

impl TestNode {
    /// A node with the default set-up: see the constants of this module.
    pub fn builder() -> TestNodeBuilder {
        let mut config = NodeConfig::new(Database::Sqlite(DATABASE_FILE.into()));
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.credentials =
            Some(Credentials { client_id: CLIENT_ID.to_owned(), client_secret: CLIENT_SECRET.to_owned() });
        config.first_start = FirstStart { entity: Some(ENTITY), user: Some(USER), gateway: Some(GATEWAY) };
        TestNodeBuilder {
            config,
            clock: TestClock::at(NOW_DEFAULT),
            runs_with_the_machine: false,
            ids: TestIds::counting_from(FIRST_ID),
            folder: Folder::Temporary,
        }
    }

    /// A node with the default set-up.
    pub async fn start() -> Result<Self, TestNodeError> {
        Self::builder().start().await
    }

    /// The server's base address, without a slash at its end.
    pub fn url(&self) -> String {
        self.node.url()
    }

    /// The node itself.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The clock.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The identifiers.
    pub fn ids(&self) -> &TestIds {
        &self.ids
    }

    /// The store, to arrange things that no API makes, and to look.
    pub fn store(&self) -> &SqliteStore {
        self.node.store()
    }

    /// The built-in simulator, if the node has one.
    pub fn simulator(&self) -> Option<&SimulatorHandle> {
        self.node.simulator()
    }

    /// The folder of the database and the journal.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a gateway to the entity and to the process.
    pub async fn add_gateway(
        &self,
        config: GatewayConfig,
        gateway: Arc<dyn Gateway>,
    ) -> Result<(), StoreError> {
        self.node.add_gateway(EntityKey::FIRST, config, gateway).await
    }

    /// Stops the node: what is in flight ends first.
    pub async fn stop(self) {
        self.node.stop().await;
        drop(self.temporary);
    }
}
