//! Keeps charges and questions from a gateway account that the payments do not belong to.
//!
//! An idempotency key protects a charge at one account only: at another one a repetition is a second charge, and a look-up
//! finds nothing. So the account is confirmed before anything else is asked of a gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::ids::GatewayId;
use crate::ports::{
    AccountUnavailable, Chain, Charge, ChargeRequest, Delivery, EncodeCharge, Gateway, GatewayAccounts,
    GatewaySettings, InstrumentDetails, LookUp, NotSentCause, StoreError, TokenizeError, Tokenized,
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
    is_confirmed: AtomicBool,
    /// How often the gateway was asked.
    asked: AtomicU64,
    /// Why it was not confirmed the last time. One asks, and whoever comes meanwhile shares the answer.
    refusal: Mutex<Option<AccountUnavailable>>,
}

impl AccountGate {
    /// A gate before a gateway that has this identifier and address.
    pub fn new(
        gateway: Arc<dyn Gateway>,
        accounts: Arc<dyn GatewayAccounts>,
        id: GatewayId,
        address: String,
    ) -> Self {
        let (is_confirmed, asked, refusal) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::default());
        Self { gateway, accounts, id, address, is_confirmed, asked, refusal }
    }

    /// Asks for the account when a process starts, before any of its work begins. This alone lets payments go to another
    /// account.
    pub async fn start(&self, has_moved: bool) -> Result<Start, StoreError> {
        let found = match self.account_or_address().await {
            Ok(found) => found,
            Err(unavailable) => return Ok(Start::Unconfirmed(unavailable)),
        };
        Ok(match take_account(self.accounts.as_ref(), self.id, &found, has_moved).await? {
            Belonging::Ours => {
                self.is_confirmed.store(true, Ordering::Release);
                Start::Confirmed
            }
            Belonging::Another { account, in_doubt } => Start::Refused { account, found, in_doubt },
        })
    }

    async fn account_or_address(&self) -> Result<String, AccountUnavailable> {
        Ok(self.gateway.account().await?.unwrap_or_else(|| self.address.clone()))
    }

    /// Lets through once the account is known to be the right one.
    async fn pass(&self) -> Result<(), AccountUnavailable> {
        if self.is_confirmed.load(Ordering::Acquire) {
            return Ok(());
        }
        let asked = self.asked.load(Ordering::Acquire);
        let mut refusal = self.refusal.lock().await;
        if self.is_confirmed.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(shared) = refusal.as_ref().filter(|_| self.asked.load(Ordering::Acquire) != asked) {
            return Err(shared.clone());
        }
        let answer = self.compare().await;
        self.asked.fetch_add(1, Ordering::AcqRel);
        match &answer {
            Ok(()) => self.is_confirmed.store(true, Ordering::Release),
            // Said once, and not for each of the charges that are kept back.
            Err(why) if refusal.as_ref() != Some(why) => {
                tracing::warn!(gateway = %self.id, %why, "nothing is charged or looked up");
                *refusal = Some(why.clone());
            }
            Err(_) => {}
        }
        answer
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
        match self.pass().await {
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
