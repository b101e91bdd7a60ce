//! Keeps charges and questions from a gateway account that the payments do not belong to, and charges from a ledger that was
//! restored.
//!
//! An idempotency key protects a charge at one account only: at another one a repetition is a second charge, and a look-up
//! finds nothing. So the account is confirmed before anything else is asked of a gateway, and before the first charge the
//! ledger is compared with the gateway's own list.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::confirmation::{Confirmation, Confirmed};
use super::ledger_guard::LedgerGuard;
use crate::ids::{DocumentId, GatewayId};
use crate::ports::{
    AccountUnavailable, Chain, Charge, ChargePage, ChargeRequest, Delivery, EncodeCharge, Gateway,
    GatewayAccounts, GatewaySettings, InstrumentDetails, ListError, LookUp, NotSentCause, StoreError,
    TokenizeError, Tokenized,
};

/// Whether a gateway's payments belong to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Belonging {
    /// They do.
    Ours,
    /// They belong to another one, and some of them are in doubt there.
    Another {
        /// The account that they belong to.
        account: String,
        /// How many are in doubt.
        in_doubt: u64,
    },
}

/// Takes an account for the one that the gateway's payments belong to: where there was none before, where nothing is in
/// doubt at the one before, or where the operator says that they have moved.
pub async fn take_account(
    accounts: &dyn GatewayAccounts,
    gateway: GatewayId,
    account: &str,
    has_moved: bool,
) -> Result<Belonging, StoreError> {
    let kept = accounts.ensure_gateway_account(gateway, account).await?;
    if kept == account {
        return Ok(Belonging::Ours);
    }
    let in_doubt = accounts.count_in_doubt(gateway).await?;
    if in_doubt > 0 && !has_moved {
        return Ok(Belonging::Another { account: kept, in_doubt });
    }
    tracing::warn!(%gateway, before = kept, now = account, "payments go to another gateway account from now on");
    accounts.put_gateway_account(gateway, account).await?;
    Ok(Belonging::Ours)
}

/// What the gateway said when a process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The account is the one that the payments belong to.
    Confirmed,
    /// It could not be asked. It is asked again before anything is sent.
    Unconfirmed(AccountUnavailable),
    /// Payments are in doubt at another account.
    Refused {
        /// The account that the payments belong to.
        account: String,
        /// The account that the gateway names, or its address.
        found: String,
        /// How many payments are in doubt.
        in_doubt: u64,
    },
}

/// A gateway whose account is confirmed before anything is sent to it or asked of it. Once confirmed it stays so: a process
/// keeps its address and its secret key.
pub struct AccountGate {
    gateway: Arc<dyn Gateway>,
    accounts: Arc<dyn GatewayAccounts>,
    id: GatewayId,
    /// Stands for the account of a gateway that names none.
    address: String,
    account: Confirmation,
    /// Whether the ledger was compared with the gateway's charges.
    ledger: Confirmation,
    guard: Arc<LedgerGuard>,
}

impl AccountGate {
    /// A gate before a gateway that has this identifier and address. All gates of a process share the guard of the ledger.
    pub fn new(
        gateway: Arc<dyn Gateway>,
        accounts: Arc<dyn GatewayAccounts>,
        guard: Arc<LedgerGuard>,
        id: GatewayId,
        address: String,
    ) -> Self {
        let (account, ledger) = (Confirmation::default(), Confirmation::default());
        Self { gateway, accounts, id, address, account, ledger, guard }
    }

    /// Asks for the account when a process starts, before any of its work begins. This alone lets payments go to another
    /// account.
    pub async fn start(&self, has_moved: bool) -> Result<Start, StoreError> {
        self.guard.begin(self.id).await?;
        let found = match self.account_or_address().await {
            Ok(found) => found,
            Err(unavailable) => return Ok(Start::Unconfirmed(unavailable)),
        };
        Ok(match take_account(self.accounts.as_ref(), self.id, &found, has_moved).await? {
            Belonging::Ours => {
                self.account.confirm();
                Start::Confirmed
            }
            Belonging::Another { account, in_doubt } => Start::Refused { account, found, in_doubt },
        })
    }

    async fn account_or_address(&self) -> Result<String, AccountUnavailable> {
        Ok(self.gateway.account().await?.unwrap_or_else(|| self.address.clone()))
    }

    /// Compares the ledger with the gateway's charges when a process starts, once the account is confirmed. What cannot be
    /// compared now is compared before the first charge.
    pub async fn check_ledger(&self) -> Result<(), AccountUnavailable> {
        self.pass().await?;
        self.pass_ledger().await.map(drop)
    }

    /// Lets through once the account is known to be the right one.
    async fn pass(&self) -> Result<(), AccountUnavailable> {
        self.account.pass(self.id, self.compare()).await.map(drop)
    }

    /// Lets through once the ledger was compared with the gateway's charges.
    async fn pass_ledger(&self) -> Result<Confirmed, AccountUnavailable> {
        self.ledger.pass(self.id, self.guard.check(self.gateway.as_ref(), self.id)).await
    }

    /// Lets a charge through unless something keeps it back. A charge that waited for the comparison is delivered again from the
    /// start, since its deadline may have passed.
    async fn pass_charge(&self) -> Result<(), AccountUnavailable> {
        let kept_back = |cause, why| Err(AccountUnavailable { cause, why, retry_after: None });
        self.pass().await?;
        let confirmed = self.pass_ledger().await?;
        match (self.guard.held(), confirmed) {
            (Some(why), _) => kept_back(NotSentCause::LedgerRestored, why),
            (None, Confirmed::Before) => Ok(()),
            (None, Confirmed::Meanwhile) => {
                let why = "the ledger has just been compared with the gateway's charges";
                kept_back(NotSentCause::LedgerCompared, why.to_owned())
            }
        }
    }

    async fn compare(&self) -> Result<(), AccountUnavailable> {
        let refused = |cause, why| Err(AccountUnavailable { cause, why, retry_after: None });
        let found = self.account_or_address().await?;
        match self.accounts.ensure_gateway_account(self.id, &found).await {
            Ok(kept) if kept == found => Ok(()),
            Ok(kept) => refused(
                NotSentCause::AnotherAccount,
                format!(
                    "the payments belong to the gateway account {kept}, and the gateway charges at {found}"
                ),
            ),
            Err(error) => refused(NotSentCause::AccountUnconfirmed, Chain(&error).to_string()),
        }
    }
}

impl EncodeCharge for AccountGate {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        self.gateway.encode(charge)
    }

    fn documents_digest(&self, documents: &[DocumentId]) -> Option<String> {
        self.gateway.documents_digest(documents)
    }
}

#[async_trait]
impl Gateway for AccountGate {
    fn settings(&self) -> &GatewaySettings {
        self.gateway.settings()
    }

    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        self.gateway.account().await
    }

    async fn charge(&self, request: &ChargeRequest) -> Delivery {
        match self.pass_charge().await {
            Ok(()) => self.gateway.charge(request).await,
            Err(AccountUnavailable { cause, why, retry_after }) => {
                Delivery::NotSent { cause, why, retry_after }
            }
        }
    }

    async fn look_up(&self, key: &str) -> LookUp {
        match self.pass().await {
            Ok(()) => self.gateway.look_up(key).await,
            Err(AccountUnavailable { why, .. }) => LookUp::CannotTell { why },
        }
    }

    async fn list_charges(&self, since: Timestamp, cursor: Option<&str>) -> Result<ChargePage, ListError> {
        self.pass().await?;
        self.gateway.list_charges(since, cursor).await
    }

    async fn tokenize(
        &self,
        details: &InstrumentDetails,
        idempotency_key: &str,
    ) -> Result<Tokenized, TokenizeError> {
        match self.pass().await {
            Ok(()) => self.gateway.tokenize(details, idempotency_key).await,
            Err(AccountUnavailable { why, .. }) => Err(TokenizeError::Unavailable { why }),
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
