//! Work on a ledger that no server has open: its reconciliation with the gateway, and what people decide afterwards.

use std::sync::Arc;

use jiff::Timestamp;
use payment_runs_engine::collect::LedgerGuard;
use payment_runs_engine::ids::EntityKey;
use payment_runs_engine::ports::{
    Access, Gateway, GatewayAccounts, LedgerWatch, MatchDecision, Matched, Reconciliation as Ledger,
    StoreError, UnmatchedPayment,
};
use payment_runs_engine::reconcile::{ReconcileError, Reconciled, Reconciler};
use payment_runs_store::SqliteStore;

use crate::config::{Database, GatewayChoice};
use crate::error::NodeError;
use crate::gateways::Reached;
use crate::node::open_store;
use crate::seams::Seams;

/// A ledger that no server has open. It is locked until it is closed.
#[derive(Debug)]
pub struct OfflineLedger {
    store: SqliteStore,
    database: Database,
    seams: Seams,
}

/// What is to be reconciled.
#[derive(Debug)]
pub struct Reconciliation {
    /// The gateway, as the server is configured with it.
    pub gateway: GatewayChoice,
    /// From when on charges are compared (UTC).
    pub since: Timestamp,
    /// Whether differences are settled. Otherwise nothing is written.
    pub is_applied: bool,
}

/// What a reconciliation with one gateway found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayReconciled {
    /// The gateway's name.
    pub gateway: String,
    /// What was found.
    pub reconciled: Reconciled,
}

/// Why such work ended early.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// There is no such database.
    #[error("the database `{0}` does not exist")]
    NoDatabase(Database),
    /// The database or the gateway could not be prepared.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The ledger failed.
    #[error("the ledger could not be read or written")]
    Store(#[from] StoreError),
    /// The comparison failed.
    #[error("the gateway `{gateway}` could not be reconciled")]
    Reconcile {
        /// Its name.
        gateway: String,
        /// Why.
        #[source]
        source: ReconcileError,
    },
}

impl OfflineLedger {
    /// Opens a ledger. One that a server has open is refused, and none is made.
    pub async fn open(database: Database) -> Result<Self, OfflineError> {
        if !database.path().exists() {
            return Err(OfflineError::NoDatabase(database));
        }
        let store = open_store(&database, false).await?;
        Ok(Self { store, database, seams: Seams::system() })
    }

    /// Compares the ledger with every gateway of the kind that this program speaks.
    pub async fn reconcile(&self, work: Reconciliation) -> Result<Vec<GatewayReconciled>, OfflineError> {
        let Reconciliation { gateway, since, is_applied } = work;
        let reached = Reached::new(gateway, &self.database).await?;
        let found = self.compare(&reached, since, is_applied).await;
        if let Some(simulator) = reached.simulator {
            simulator.stop().await;
        }
        found
    }

    async fn compare(
        &self,
        reached: &Reached,
        since: Timestamp,
        is_applied: bool,
    ) -> Result<Vec<GatewayReconciled>, OfflineError> {
        let store = Arc::new(self.store.clone());
        let accounts: Arc<dyn GatewayAccounts> = store.clone();
        let guard = Arc::new(LedgerGuard::new(store.clone(), Arc::clone(&self.seams.clock)));
        let mut found = Vec::new();
        for stored in Reached::served(&self.store.gateways(EntityKey::FIRST).await?) {
            // Behind the gate nothing is asked of another account than the payments belong to.
            let gateway: Arc<dyn Gateway> = Arc::new(reached.gate(stored, &accounts, &guard));
            let (clock, ids) = (Arc::clone(&self.seams.clock), Arc::clone(&self.seams.ids));
            let work = Reconciler { id: stored.id, gateway, ledger: store.clone(), clock, ids };
            let failed = |source| OfflineError::Reconcile { gateway: stored.name.clone(), source };
            let reconciled = work.run(since, is_applied).await.map_err(failed)?;
            if is_applied && reconciled.is_complete_since(since) {
                work.confirm(&reconciled).await?;
            }
            found.push(GatewayReconciled { gateway: stored.name.clone(), reconciled });
        }
        Ok(found)
    }

    /// Why nothing is charged, if so.
    pub async fn charging_hold(&self) -> Result<Option<String>, OfflineError> {
        Ok(self.store.charging_hold().await?.map(|hold| hold.why))
    }

    /// Lets charges be sent again.
    pub async fn end_charging_hold(&self) -> Result<(), OfflineError> {
        Ok(self.store.end_charging_hold().await?)
    }

    /// Unmatched payments.
    pub async fn unmatched_payments(&self) -> Result<Vec<UnmatchedPayment>, OfflineError> {
        Ok(self.store.unmatched_payments().await?)
    }

    /// Carries out what a person decided about an unmatched payment.
    pub async fn match_payment(
        &self,
        number: &str,
        decision: MatchDecision,
    ) -> Result<Matched, OfflineError> {
        Ok(Ledger::match_payment(&self.store, number, decision, self.seams.clock.now()).await?)
    }

    /// Closes the ledger in order.
    pub async fn close(self) {
        let store = self.store;
        if let Err(error) = tokio::task::spawn_blocking(move || store.close()).await {
            tracing::error!(%error, "the database was not closed in order");
        }
    }
}
