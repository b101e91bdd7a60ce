//! The gateways of a node: reached, guarded by their accounts, and registered.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::collect::{AccountGate, LedgerGuard, Start};
use payment_runs_engine::ports::{Gateway, GatewayAccounts};
use payment_runs_gateway::registry::GatewayRegistry;
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig, SimulatorHandle};
use payment_runs_gateway::stripe::{SecretKey, StripeConfig, StripeGateway};

use crate::config::{Database, GatewayChoice};
use crate::error::NodeError;
use crate::first_start::STRIPE_KIND;
use crate::system::SystemClock;

/// The secret key by which the built-in simulator is called; it takes any.
const SIMULATOR_SECRET: &str = "sk_test_built_in";

/// How long a start waits for the gateway to name its account. Without an answer the server starts all the same, and asks
/// again before the first charge.
const ACCOUNT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a start waits until the gateway has listed its charges: long enough for a hundred pages.
const LISTING_PATIENCE: Duration = Duration::from_secs(20);

/// The gateway that the process was given.
pub(crate) struct Reached {
    pub(crate) gateway: Arc<dyn Gateway>,
    /// Its base address.
    address: String,
    /// The built-in simulator, if that is the one.
    pub(crate) simulator: Option<SimulatorHandle>,
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reached").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Reached {
    /// Prepares the default gateway, and starts the simulator where that is the one.
    pub(crate) async fn new(choice: GatewayChoice, database: &Database) -> Result<Self, NodeError> {
        let (stripe, simulator) = match choice {
            GatewayChoice::Remote(stripe) => (stripe, None),
            GatewayChoice::BuiltIn { simulator, settings } => {
                let journal = simulator.journal.clone().unwrap_or_else(|| database.journal_path());
                let simulator = SimulatorConfig { journal: Some(journal), ..simulator };
                let running = Simulator::start(simulator).await.map_err(NodeError::Simulator)?;
                let stripe = StripeConfig::new(running.url(), SecretKey::new(SIMULATOR_SECRET));
                (StripeConfig { settings, ..stripe }, Some(running))
            }
        };
        let failed = |source| NodeError::Gateway { url: stripe.base_url.clone(), source };
        let gateway: Arc<dyn Gateway> = Arc::new(StripeGateway::over_http(&stripe).map_err(failed)?);
        #[cfg(feature = "crash-points")]
        let gateway = crate::crash_points::around_gateway(gateway);
        Ok(Self { gateway, address: stripe.base_url, simulator })
    }

    /// The stored gateways of the kind that this process speaks.
    pub(crate) fn served(stored: &[GatewayConfig]) -> impl Iterator<Item = &GatewayConfig> {
        stored.iter().filter(|stored| stored.kind == STRIPE_KIND)
    }

    /// A gate before this gateway, for a stored one.
    pub(crate) fn gate(
        &self,
        stored: &GatewayConfig,
        accounts: &Arc<dyn GatewayAccounts>,
        guard: &Arc<LedgerGuard>,
    ) -> AccountGate {
        let (gateway, accounts, guard) = (Arc::clone(&self.gateway), Arc::clone(accounts), Arc::clone(guard));
        AccountGate::new(gateway, accounts, guard, stored.id, self.address.clone())
    }

    /// Registers this gateway under every stored one of the kind that this process speaks, each behind a gate of its own.
    pub(crate) async fn register(
        &self,
        stored: &[GatewayConfig],
        accounts: &Arc<dyn GatewayAccounts>,
        guard: &Arc<LedgerGuard>,
        has_moved: bool,
    ) -> Result<GatewayRegistry, NodeError> {
        // Calls are spaced in real time also where a test holds the time.
        let registry = GatewayRegistry::new(Arc::new(SystemClock));
        for stored in Self::served(stored) {
            let gate = self.gate(stored, accounts, guard);
            confirm(&gate, stored, has_moved).await?;
            check_ledger(&gate, stored).await;
            registry.insert(stored.id, Arc::new(gate));
        }
        Ok(registry)
    }
}

/// Compares the ledger with the gateway's charges. What cannot be compared now is compared before the first charge.
async fn check_ledger(gate: &AccountGate, stored: &GatewayConfig) {
    // The real timer, as above.
    let why = match tokio::time::timeout(LISTING_PATIENCE, gate.check_ledger()).await {
        Ok(Ok(())) => return,
        Ok(Err(unavailable)) => unavailable.why,
        Err(_) => format!("the list is not read to its end within {LISTING_PATIENCE:?}"),
    };
    tracing::warn!(
        gateway = stored.name,
        why,
        "the gateway's charges are not compared yet: nothing is charged until they are"
    );
}

/// Refuses to start while payments are in doubt at another account. What cannot be asked now is asked before the first charge.
async fn confirm(gate: &AccountGate, stored: &GatewayConfig, has_moved: bool) -> Result<(), NodeError> {
    // The real timer, whatever clock the business runs by: a peer's silence is measured in its time.
    let why = match tokio::time::timeout(ACCOUNT_PATIENCE, gate.start(has_moved)).await {
        Ok(start) => match start.map_err(NodeError::Prepare)? {
            Start::Confirmed => return Ok(()),
            Start::Unconfirmed(unavailable) => unavailable.why,
            Start::Refused { account, found, in_doubt } => {
                let gateway = stored.name.clone();
                return Err(NodeError::AnotherAccount { gateway, account, found, in_doubt });
            }
        },
        Err(_) => format!("no answer within {ACCOUNT_PATIENCE:?}"),
    };
    tracing::warn!(
        gateway = stored.name,
        why,
        "the gateway's account is not confirmed yet: nothing is charged until it is"
    );
    Ok(())
}
