//! What every request needs: the ports, and how this server is set up.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ports::{
    Access, AsyncRequests, Clock, EncodeCharge, Entropy, Exports, Gateways, Ids, Imports, Ledger, OnceStore,
    Schedules, Search, SettableClock, Spawner, WebhookSender, Webhooks,
};
use payment_runs_engine::stopping::Stopping;
use payment_runs_stubs::OperationInfo;
use tokio::sync::{Notify, Semaphore, oneshot};

use crate::auth::Guesses;
use crate::layer::BodyBudget;
use crate::limits::{Limiter, Limits};
use crate::ops::preview::PREVIEWS_AT_ONCE;
use crate::ops::readiness::LastCheck;

/// How long an idempotency key and its answer are kept.
pub const IDEMPOTENCY_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How long a token is valid, in seconds; one hour less the second that the public documentation takes off.
pub const TOKEN_LIFE_S: i64 = 3599;

/// The largest request body after inflation, in bytes: 50,000 data records with long comments fit.
pub const BODY_BYTES_MAX: usize = 48 * 1024 * 1024;

/// The same for operations whose body holds no long list: every field at its full length fits many times.
pub const SHORT_BODY_BYTES_MAX: usize = 256 * 1024;

/// How many bytes the body of an operation has at most, after inflation. Streams are bounded by their lines instead.
pub fn body_bytes_max(operation: &OperationInfo) -> usize {
    let usual = if operation.has_long_body { BODY_BYTES_MAX } else { SHORT_BODY_BYTES_MAX };
    operation.plain_bytes_max.unwrap_or(usual)
}

/// How long a sender may pause inside a body before it is given up. It bounds slow senders also where a body may be of any
/// length.
pub(crate) const BODY_PAUSE_MAX: Duration = Duration::from_mins(1);

/// Responses longer than this are compressed when the caller accepts it, as documented.
pub const COMPRESS_OVER_BYTES: u16 = 1000;

/// Payment runs that are watched at once at most: each costs a connection, and a few questions to the store in a second.
pub(crate) const WATCHERS_MAX: usize = 100;

/// The ports that the server works on.
#[derive(Clone)]
pub struct Ports {
    /// Accounts, documents, payments and runs.
    pub ledger: Arc<dyn Ledger>,
    /// Runs, found by any of their fields.
    pub search: Arc<dyn Search>,
    /// Schedules of runs.
    pub schedules: Arc<dyn Schedules>,
    /// Clients, tokens and settings.
    pub access: Arc<dyn Access>,
    /// Idempotency records.
    pub once: Arc<dyn OnceStore>,
    /// Imports.
    pub imports: Arc<dyn Imports>,
    /// Lists that are read from end to end.
    pub exports: Arc<dyn Exports>,
    /// Requests that are carried out later.
    pub async_requests: Arc<dyn AsyncRequests>,
    /// Webhooks and their deliveries.
    pub webhooks: Arc<dyn Webhooks>,
    /// The way to the endpoints of webhooks, and their secrets.
    pub webhook_sender: Arc<dyn WebhookSender>,
    /// Payment gateways.
    pub gateways: Arc<dyn Gateways>,
    /// How charges are written for them.
    pub encoder: Arc<dyn EncodeCharge>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The same clock, where callers may set it.
    pub test_clock: Option<Arc<dyn SettableClock>>,
    /// New identifiers.
    pub ids: Arc<dyn Ids>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Work that goes on when its caller has gone.
    pub spawner: Arc<dyn Spawner>,
}

/// How this server is set up.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The `Zuora-Version` of requests that name none; `None` means the latest.
    pub default_version: Option<String>,
    /// Signs cursors, so that a foreign or altered one is refused.
    pub cursor_key: [u8; 32],
    /// How many requests a caller may send.
    pub limits: Limits,
}

/// The server's state, shared by every request.
#[derive(Clone)]
pub struct App {
    /// The ports.
    pub(crate) ports: Ports,
    /// The set-up.
    pub(crate) settings: Arc<ServerSettings>,
    /// Counts the requests.
    pub(crate) limiter: Arc<Limiter>,
    /// Counts the bytes of bodies.
    pub(crate) bodies: Arc<BodyBudget>,
    /// Slows down who guesses secrets.
    pub(crate) guesses: Arc<Guesses>,
    /// Room for previews.
    pub(crate) previews: Arc<Semaphore>,
    /// Places of those who watch a run.
    pub(crate) watchers: Arc<Semaphore>,
    /// Hears that the server is to end.
    pub(crate) stopping: Stopping,
    /// When the database was checked last.
    pub(crate) last_check: Arc<LastCheck>,
    queue: Arc<Notify>,
}

impl App {
    /// Puts the ports and the set-up together.
    pub fn new(ports: Ports, settings: ServerSettings) -> Self {
        let limiter = Arc::new(Limiter::new(settings.limits));
        Self {
            ports,
            settings: Arc::new(settings),
            limiter,
            bodies: Arc::default(),
            guesses: Arc::default(),
            previews: Arc::new(Semaphore::new(PREVIEWS_AT_ONCE)),
            watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
            stopping: Stopping::never(),
            last_check: Arc::default(),
            queue: Arc::default(),
        }
    }

    /// The same server, which ends what would go on for ever as soon as it hears that it is to end.
    #[must_use]
    pub fn until(self, stopping: Stopping) -> Self {
        Self { stopping, ..self }
    }

    /// Tells whoever works the queue off that a request was accepted.
    pub(crate) fn wake_queue(&self) {
        self.queue.notify_one();
    }

    /// Waits until a request was accepted here since the last wait.
    pub(crate) async fn queue_changed(&self) {
        self.queue.notified().await;
    }

    /// Carries something out to its end in the background, also when the caller hangs up, and waits for what comes of it; `None`
    /// when it was cut off.
    pub(crate) async fn carry_out<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = oneshot::channel();
        let task = async move {
            // Nobody may be there any more to hear it.
            let _ = tell.send(work.await);
        };
        self.ports.spawner.spawn(name, Box::pin(task));
        told.await.ok()
    }

    /// The time now (UTC).
    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// The time by which tokens end (UTC): clients count their life by clocks of their own.
    pub(crate) fn real_now(&self) -> Timestamp {
        self.ports.clock.real_now()
    }
}
