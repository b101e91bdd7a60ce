//! How a node is set up.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::ids::{EntityId, GatewayId, UserId};
use payment_runs_engine::ports::GatewaySettings;
use payment_runs_engine::runner::WorkerSettings;
use payment_runs_gateway::simulator::SimulatorConfig;
use payment_runs_gateway::stripe::{StripeConfig, default_settings};
use payment_runs_server::Limits;

use crate::acceptor::ConnectionBounds;
use crate::tls::TlsFiles;

/// Where a server listens unless told otherwise: this machine only.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// What stands before the path of a database file.
const SQLITE_SCHEME: &str = "sqlite:";

/// How `SQLite` is told to keep a database in memory.
const MEMORY: [&str; 2] = [":memory:", "mode=memory"];

/// How `SQLite` is told that a name is an address with parameters, which are not taken.
const SQLITE_URI: &str = "file:";

/// The end of the name of the built-in simulator's journal, which lies beside the database file.
const JOURNAL_SUFFIX: &str = ".gateway-journal";

/// Where the data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// One `SQLite` file, which is made when it does not exist.
    Sqlite(PathBuf),
}

/// A text that names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDatabaseError {
    /// It has another form.
    #[error("a database is named `{SQLITE_SCHEME}PATH`, such as `{SQLITE_SCHEME}payment-runs.sqlite`")]
    Form,
    /// It names no file.
    #[error(
        "a database is a file: one in memory would forget what was charged. Name a path, such as `{SQLITE_SCHEME}payment-runs.sqlite`"
    )]
    Memory,
}

impl FromStr for Database {
    type Err = ParseDatabaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_prefix(SQLITE_SCHEME).ok_or(ParseDatabaseError::Form)?;
        // `sqlite:///tmp/x.db` is how connection strings write an absolute path.
        let path = path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        if MEMORY.iter().any(|memory| path.contains(memory)) {
            return Err(ParseDatabaseError::Memory);
        }
        if path.is_empty() || path.starts_with(SQLITE_URI) {
            return Err(ParseDatabaseError::Form);
        }
        Ok(Self::Sqlite(path.into()))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite(path) = self;
        write!(f, "{SQLITE_SCHEME}{}", path.display())
    }
}

impl Database {
    /// The journal of the built-in simulator: beside the database, so that a restart finds both or neither.
    pub fn journal_path(&self) -> PathBuf {
        let Self::Sqlite(path) = self;
        let mut name = path.as_os_str().to_owned();
        name.push(JOURNAL_SUFFIX);
        PathBuf::from(name)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        let Self::Sqlite(path) = self;
        path
    }
}

/// A client identifier and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The client's identifier.
    pub client_id: String,
    /// Its secret, which is stored only as a hash.
    pub client_secret: String,
}

/// Characters of a client identifier at most, as the token endpoint takes them.
const CLIENT_ID_CHARS_MAX: usize = 36;
/// Characters of a client secret at most, as the token endpoint takes them.
pub(crate) const CLIENT_SECRET_CHARS_MAX: usize = 42;

impl Credentials {
    /// Whether the token endpoint takes such texts at all.
    pub fn can_log_in(&self) -> bool {
        (1..=CLIENT_ID_CHARS_MAX).contains(&self.client_id.chars().count())
            && (1..=CLIENT_SECRET_CHARS_MAX).contains(&self.client_secret.chars().count())
    }
}

/// Shows no secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// What is made at the first start of a new database; later starts find it there. What is left out is made up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirstStart {
    /// The public identifier of the first entity.
    pub entity: Option<EntityId>,
    /// The user as whom the first client acts.
    pub user: Option<UserId>,
    /// The identifier of the default gateway.
    pub gateway: Option<GatewayId>,
}

/// The gateway that accounts without one of their own are charged through.
#[derive(Debug, Clone)]
pub enum GatewayChoice {
    /// One that is reached over the network.
    Remote(StripeConfig),
    /// The simulator, started with the node and stopped with it. Without a journal of its own it keeps one beside the
    /// database file.
    BuiltIn {
        /// How the simulator is started.
        simulator: SimulatorConfig,
        /// How it may be used.
        settings: GatewaySettings,
    },
}

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where the server listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The certificate and key with which the server speaks TLS; without them it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// What a connection may take of the server.
    pub connections: ConnectionBounds,
    /// Where the data is kept.
    pub database: Database,
    /// Whether the database was restored: then a plain copy of a file that a server had open is taken, too.
    pub is_restored: bool,
    /// The default gateway.
    pub gateway: GatewayChoice,
    /// Whether the gateway may charge at another account than before although payments are in doubt there. They are then sent
    /// and looked up at the new one.
    pub gateway_has_moved: bool,
    /// The client that is made, or given a new secret, at the start. Without it a first start makes one up.
    pub credentials: Option<Credentials>,
    /// The `Zuora-Version` of requests that name none; `None` means the latest.
    pub default_version: Option<String>,
    /// How many requests a caller may send.
    pub limits: Limits,
    /// Where a test clock stands at the start, instead of the machine's clock. Callers of the operations API move it.
    pub test_clock: Option<Timestamp>,
    /// What a first start makes.
    pub first_start: FirstStart,
    /// How runs are worked on; `None` leaves the work to others.
    pub worker: Option<WorkerSettings>,
    /// Whether webhooks may lead to addresses that are not public, and without TLS.
    pub allow_private_webhooks: bool,
    /// How long an endpoint of a webhook may take to answer.
    pub webhook_timeout: Duration,
    /// How long requests in flight, and then the work in hand, may take to end after a stop.
    pub drain: Duration,
}

/// How long a stop may take: longer than a charge's timeout, so that what is in flight can end and be recorded.
const DRAIN_DEFAULT: Duration = Duration::from_secs(30);

/// How long an endpoint may take: longer than it needs to write a delivery down, and short enough that one that hangs holds few
/// connections.
const WEBHOOK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

impl NodeConfig {
    /// A server on its default address with a worker inside and the built-in simulator.
    pub fn new(database: Database) -> Self {
        Self {
            listen: LISTEN_DEFAULT,
            tls: None,
            connections: ConnectionBounds::default(),
            database,
            is_restored: false,
            gateway: GatewayChoice::BuiltIn {
                simulator: SimulatorConfig::default(),
                settings: default_settings(),
            },
            gateway_has_moved: false,
            credentials: None,
            default_version: None,
            limits: Limits::default(),
            test_clock: None,
            first_start: FirstStart::default(),
            worker: Some(WorkerSettings::default()),
            allow_private_webhooks: false,
            webhook_timeout: WEBHOOK_TIMEOUT_DEFAULT,
            drain: DRAIN_DEFAULT,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn a_database_is_named_by_scheme_and_path() {
        for (text, path) in [
            ("sqlite:x.db", "x.db"),
            ("sqlite:/var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
        ] {
            assert_eq!(text.parse::<Database>().unwrap().path(), Path::new(path), "{text}");
        }
        for wrong in ["", "x.db", "sqlite:", "postgres://localhost/x", "sqlite:file:x.db"] {
            assert_eq!(wrong.parse::<Database>(), Err(ParseDatabaseError::Form), "{wrong}");
        }
        for memory in ["sqlite::memory:", "sqlite:file::memory:?cache=shared", "sqlite:file:x?mode=memory"] {
            assert_eq!(memory.parse::<Database>(), Err(ParseDatabaseError::Memory), "{memory}");
        }
    }

    #[test]
    fn the_journal_lies_beside_the_database() {
        let database: Database = "sqlite:/data/x.db".parse().unwrap();
        assert_eq!(database.journal_path(), Path::new("/data/x.db.gateway-journal"));
        assert_eq!(database.to_string(), "sqlite:/data/x.db");
    }

    #[test]
    fn credentials_have_their_documented_length() {
        let credentials = |id: usize, secret: usize| Credentials {
            client_id: "i".repeat(id),
            client_secret: "s".repeat(secret),
        };
        assert!(credentials(1, 1).can_log_in() && credentials(36, 42).can_log_in());
        for (id, secret) in [(0, 1), (1, 0), (37, 1), (1, 43)] {
            assert!(!credentials(id, secret).can_log_in(), "{id} {secret}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials { client_id: "a".into(), client_secret: "hush".into() };
        assert!(!format!("{credentials:?}").contains("hush"));
    }
}
