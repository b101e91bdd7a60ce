//! A running node, from its configuration to its orderly end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::collect::{AccountGate, LedgerGuard};
use payment_runs_engine::ids::EntityKey;
use payment_runs_engine::notify::{Dispatcher, DispatcherPorts};
use payment_runs_engine::ports::{
    Access, AsyncRequests, EncodeCharge, Exports, Gateway, GatewayAccounts, Gateways, Imports, Ledger,
    OnceStore, Schedules, Search, Spawner, StoreError, WebhookSender, Webhooks, Work,
};
use payment_runs_engine::runner::{Worker, WorkerPorts, WorkerSettings};
use payment_runs_engine::stopping::{Stopper, Stopping};
use payment_runs_gateway::registry::GatewayRegistry;
use payment_runs_gateway::simulator::SimulatorHandle;
use payment_runs_server::{App, NotificationWriter, Ports, ServerSettings, router, work_off_async_requests};
use payment_runs_store::{Executor, Origin, SqliteStore};

use crate::acceptor::{Acceptor, Service};
use crate::config::{Credentials, Database, NodeConfig};
use crate::encoder::EncodeByGateway;
use crate::error::NodeError;
use crate::first_start::prepare;
use crate::gateways::Reached;
use crate::running::RunningWorker;
use crate::seams::Seams;
use crate::system::SystemSpawner;
use crate::test_clock::TestClock;
use crate::tls::TlsFiles;
use crate::webhooks::HttpWebhookSender;

/// A running node: store, gateways, server and worker.
pub struct Node {
    address: SocketAddr,
    is_encrypted: bool,
    generated: Option<Credentials>,
    acceptor: Acceptor,
    stopper: Stopper,
    queue: RunningWorker,
    worker: Option<RunningWorker>,
    notifications: RunningWorker,
    spawner: SystemSpawner,
    registry: Arc<GatewayRegistry>,
    guard: Arc<LedgerGuard>,
    simulator: Option<SimulatorHandle>,
    store: SqliteStore,
    drain: Duration,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts a node on the machine's clock, or on a test clock where the configuration says so. Must be called inside a tokio
    /// runtime, on which the node then runs.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let seams = config
            .test_clock
            .map_or_else(Seams::system, |at| Seams::system().with_test_clock(TestClock::at(at)));
        Self::start_with(config, seams).await
    }

    /// Starts a node with this time, these identifiers and these random bytes.
    ///
    /// The address is taken first, so that a second node on the same address ends before it touches the database.
    pub async fn start_with(config: NodeConfig, seams: Seams) -> Result<Self, NodeError> {
        let listen_error = |source| NodeError::Listen { address: config.listen, source };
        let tls = config.tls.as_ref().map(TlsFiles::acceptor).transpose()?;
        let listener = Acceptor::bind(config.listen).await.map_err(listen_error)?;
        warn_of_plain_text(&config);
        let store = open_store(&config.database, config.is_restored).await?;
        let access: Arc<dyn Access> = Arc::new(store.clone());
        let prepared = prepare(&access, &seams, &config.first_start, config.credentials.clone()).await?;
        let reached = Reached::new(config.gateway, &config.database).await?;
        let accounts: Arc<dyn GatewayAccounts> = Arc::new(store.clone());
        let guard = guard_ledger(&store, &seams, config.is_restored).await?;
        let registry =
            reached.register(&prepared.gateways, &accounts, &guard, config.gateway_has_moved).await?;
        let (registry, Reached { gateway, simulator, .. }) = (Arc::new(registry), reached);
        let encoder = Arc::new(EncodeByGateway { gateways: Arc::clone(&registry), fallback: gateway });
        let sender = HttpWebhookSender::new(
            prepared.webhook_key,
            config.allow_private_webhooks,
            config.webhook_timeout,
        );
        let sender: Arc<dyn WebhookSender> = Arc::new(sender);
        let parts =
            Parts { store: &store, registry: &registry, encoder: &encoder, sender: &sender, seams: &seams };
        let settings = ServerSettings {
            default_version: config.default_version,
            cursor_key: prepared.cursor_key,
            limits: config.limits,
        };
        let spawner = SystemSpawner::default();
        let (stopper, stopping) = Stopping::pair();
        let app = App::new(parts.server_ports(&spawner), settings).until(stopping);
        let queued = app.clone();
        let queue = RunningWorker::start("queue", &spawner, move |stop| {
            work_off_async_requests(queued.clone(), stop)
        });
        let is_encrypted = tls.is_some();
        let service = Service::new(router(app), tls, config.connections);
        let acceptor = Acceptor::start(listener, service, config.drain).map_err(listen_error)?;
        let worker =
            config.worker.map(|settings| start_worker(parts.worker_ports(&spawner), &spawner, &settings));
        let told = parts.dispatcher_ports();
        let notifications = RunningWorker::start("notifications", &spawner, move |stop| {
            Dispatcher::new(told.clone()).run(stop)
        });
        Ok(Self {
            address: acceptor.address(),
            is_encrypted,
            generated: prepared.generated,
            acceptor,
            stopper,
            queue,
            worker,
            notifications,
            spawner,
            registry,
            guard,
            simulator,
            store,
            drain: config.drain,
        })
    }

    /// The address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's base address, without a slash at its end.
    pub fn url(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The credentials that this start made up, if it did. They are stored only as a hash and cannot be told again.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.generated.as_ref()
    }

    /// The built-in simulator, if there is one.
    pub fn simulator(&self) -> Option<&SimulatorHandle> {
        self.simulator.as_ref()
    }

    /// How the database file was found.
    pub fn origin(&self) -> Origin {
        self.store.origin()
    }

    /// Why nothing is charged until the ledger was reconciled, if so.
    pub fn charging_hold(&self) -> Option<String> {
        self.guard.held()
    }

    /// The store, for loading in bulk and for tests.
    pub fn store(&self) -> &SqliteStore {
        &self.store
    }

    /// Adds a gateway to an entity and to this process. Where it names no account, its name stands for one.
    pub async fn add_gateway(
        &self,
        entity: EntityKey,
        config: GatewayConfig,
        gateway: Arc<dyn Gateway>,
    ) -> Result<(), StoreError> {
        let accounts = Arc::new(self.store.clone());
        let guard = Arc::clone(&self.guard);
        let gate = AccountGate::new(gateway, accounts, guard, config.id, config.name.clone());
        self.registry.insert(config.id, Arc::new(gate));
        self.store.put_gateway(entity, config).await
    }

    /// Stops in order: no more connections, the requests in flight, the work in hand with its charges, the simulator, and
    /// at last the database. Each wait is bounded; whatever is cut off is found and finished by the next start.
    pub async fn stop(self) {
        // Those who watch would keep their connections open as long as there is something to see.
        self.stopper.stop();
        self.acceptor.stop().await;
        self.queue.stop(self.drain).await;
        if let Some(worker) = self.worker {
            worker.stop(self.drain).await;
        }
        // Last, so that what the work has just ended is told, if that can be done at once.
        self.notifications.stop(self.drain).await;
        if !self.spawner.drain(self.drain).await {
            tracing::warn!("background tasks did not end in time");
        }
        if let Some(simulator) = self.simulator {
            simulator.stop().await;
        }
        drop(self.registry);
        let store = self.store;
        // Some clones may be left, in tasks that were cut off: the file is closed all the same, whole and without its log.
        if let Err(error) = tokio::task::spawn_blocking(move || store.close()).await {
            tracing::error!(%error, "the database was not closed in order");
        }
    }
}

/// Tokens and secrets that cross a network want TLS, by this server or by a proxy before it.
fn warn_of_plain_text(config: &NodeConfig) {
    if config.tls.is_none() && !config.listen.ip().is_loopback() {
        tracing::warn!(address = %config.listen, "listening without TLS on an address that others can reach");
    }
}

pub(crate) async fn open_store(database: &Database, is_restored: bool) -> Result<SqliteStore, NodeError> {
    let path = database.path().to_owned();
    // Opening reads and may migrate the file, which takes as long as it takes.
    let open = move || {
        let executor = Executor::thread();
        if is_restored {
            SqliteStore::open_restored(path, executor)
        } else {
            SqliteStore::open(path, executor)
        }
    };
    let opened = tokio::task::spawn_blocking(open).await;
    let failed = |source| NodeError::OpenStore { database: database.to_string(), source };
    opened.map_err(NodeError::OpeningEnded)?.map_err(failed)
}

/// The guard of the ledger, which is told where the operator says that it was restored.
async fn guard_ledger(
    store: &SqliteStore,
    seams: &Seams,
    is_restored: bool,
) -> Result<Arc<LedgerGuard>, NodeError> {
    let guard = LedgerGuard::new(Arc::new(store.clone()), Arc::clone(&seams.clock));
    if is_restored {
        guard.hold("the server was started with --restored").await.map_err(NodeError::Prepare)?;
    }
    Ok(Arc::new(guard))
}

/// The parts from which the ports of the server and of the worker are taken.
#[derive(Clone, Copy)]
struct Parts<'a> {
    store: &'a SqliteStore,
    registry: &'a Arc<GatewayRegistry>,
    encoder: &'a Arc<EncodeByGateway<GatewayRegistry>>,
    sender: &'a Arc<dyn WebhookSender>,
    seams: &'a Seams,
}

impl Parts<'_> {
    fn server_ports(self, spawner: &SystemSpawner) -> Ports {
        Ports {
            ledger: Arc::new(self.store.clone()) as Arc<dyn Ledger>,
            async_requests: Arc::new(self.store.clone()) as Arc<dyn AsyncRequests>,
            exports: Arc::new(self.store.clone()) as Arc<dyn Exports>,
            imports: Arc::new(self.store.clone()) as Arc<dyn Imports>,
            search: Arc::new(self.store.clone()) as Arc<dyn Search>,
            schedules: Arc::new(self.store.clone()) as Arc<dyn Schedules>,
            access: Arc::new(self.store.clone()) as Arc<dyn Access>,
            once: Arc::new(self.store.clone()) as Arc<dyn OnceStore>,
            webhooks: Arc::new(self.store.clone()) as Arc<dyn Webhooks>,
            webhook_sender: Arc::clone(self.sender),
            gateways: Arc::clone(self.registry) as Arc<dyn Gateways>,
            encoder: Arc::clone(self.encoder) as Arc<dyn EncodeCharge>,
            clock: Arc::clone(&self.seams.clock),
            test_clock: self.seams.test_clock.clone(),
            ids: Arc::clone(&self.seams.ids),
            entropy: Arc::clone(&self.seams.entropy),
            spawner: Arc::new(spawner.clone()) as Arc<dyn Spawner>,
        }
    }

    fn dispatcher_ports(self) -> DispatcherPorts {
        DispatcherPorts {
            webhooks: Arc::new(self.store.clone()) as Arc<dyn Webhooks>,
            encoder: Arc::new(NotificationWriter),
            sender: Arc::clone(self.sender),
            clock: Arc::clone(&self.seams.clock),
            ids: Arc::clone(&self.seams.ids),
            entropy: Arc::clone(&self.seams.entropy),
        }
    }

    fn worker_ports(self, spawner: &SystemSpawner) -> WorkerPorts {
        let work: Arc<dyn Work> = Arc::new(self.store.clone());
        WorkerPorts {
            #[cfg(feature = "crash-points")]
            work: crate::crash_points::around_work(work),
            #[cfg(not(feature = "crash-points"))]
            work,
            gateways: Arc::clone(self.registry) as Arc<dyn Gateways>,
            encoder: Arc::clone(self.encoder) as Arc<dyn EncodeCharge>,
            clock: Arc::clone(&self.seams.clock),
            ids: Arc::clone(&self.seams.ids),
            spawner: Arc::new(spawner.clone()) as Arc<dyn Spawner>,
        }
    }
}

fn start_worker(ports: WorkerPorts, spawner: &SystemSpawner, settings: &WorkerSettings) -> RunningWorker {
    let settings = *settings;
    RunningWorker::start("worker", spawner, move |stop| Worker::new(ports.clone(), settings).run(stop))
}
