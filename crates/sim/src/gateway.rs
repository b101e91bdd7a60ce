//! The simulated gateway: the way to the bank, on which everything can go wrong.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::collect::{AccountGate, LedgerGuard};
use payment_runs_engine::ids::{DocumentId, GatewayId};
use payment_runs_engine::ports::{
    AccountUnavailable, BoxFuture, Charge, ChargePage, ChargeRequest, Clock, Delivery, Doubt, EncodeCharge,
    Gateway, GatewaySettings, Gateways, InstrumentDetails, ListError, LookUp, NotSentCause, ReportedCharge,
    TokenizeError, Tokenized,
};
use payment_runs_store::SqliteStore;

use crate::bank::{Bank, BankEncoder, Border, Manners};
use crate::chaos::{CHARGE, LATE_MAX};
use crate::fault::FaultKind;
use crate::mutant::Mutant;
use crate::ports::{After, ChaosAccounts, Hand};
use crate::world::GATEWAY;

/// The step that asks about a charge.
const LOOK_UP: &str = "look-up";

/// The step that asks for the gateway's account.
const ACCOUNT: &str = "account";

/// The step that asks for the gateway's charges.
const LIST: &str = "list";

/// A life that no key reaches.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 100);

/// How the gateway before a bank may be used.
pub(crate) fn settings_of(manners: Manners) -> GatewaySettings {
    GatewaySettings {
        concurrency: 8,
        rate_per_s: None,
        timeout: Duration::from_secs(30),
        key_life: manners.key_life,
        supports_look_up: manners.supports_look_up,
    }
}

/// The gateway, as one worker or the callers reach it.
pub struct SimGateway {
    bank: Arc<Bank>,
    hand: Hand,
    settings: GatewaySettings,
    border: Border,
    mutant: Option<Mutant>,
    /// How often the process was started.
    launch: u32,
}

impl SimGateway {
    /// A gateway in front of a bank, in the hand of whoever charges, in a process that was started so often.
    pub fn new(bank: Arc<Bank>, hand: Hand, manners: Manners, mutant: Option<Mutant>, launch: u32) -> Self {
        let is_forgetful = mutant == Some(Mutant::ResendAfterExpiry);
        let usual = settings_of(manners);
        let settings =
            GatewaySettings { key_life: if is_forgetful { FOREVER } else { usual.key_life }, ..usual };
        Self { bank, hand, settings, border: manners.border, mutant, launch }
    }

    /// The key that goes over the wire: the request's own, unless the protocol is spoilt on purpose.
    fn key(&self, request: &ChargeRequest) -> String {
        match self.mutant {
            Some(Mutant::NewKeyOnRetry) => {
                format!("{}-{}", request.idempotency_key, self.hand.chaos.next_delivery())
            }
            Some(Mutant::NoDurableIntent) => format!("{}-{}", request.idempotency_key, self.launch),
            _ => request.idempotency_key.clone(),
        }
    }

    /// The time by the true clock and by the process's.
    fn times(&self) -> [Timestamp; 2] {
        [self.hand.clock.true_now(), self.hand.now()]
    }

    async fn latency(&self) {
        self.hand.sleep(self.hand.chaos.latency()).await;
    }

    /// Lets a delivery reach the bank some time from now, when its sender may be gone. A slow bank has accepted it by then.
    fn wander(&self, key: &str, request: &ChargeRequest, pause: Duration) {
        let now = self.hand.clock.true_now();
        let at = now.checked_add(pause).unwrap_or(Timestamp::MAX);
        let (key, body) = (key.to_owned(), request.body.to_vec());
        self.hand.chaos.note(|| format!("a delivery of {key} is under way for {pause:?}"));
        if self.border == Border::SlowCharges {
            self.bank.accept(key, body, at, now);
        } else {
            self.bank.wander(key, body, at);
        }
    }

    async fn deliver(&self, key: String, request: &ChargeRequest) -> Delivery {
        let unknown = || Delivery::Unknown { doubt: Doubt::Unanswered, why: "no answer".to_owned() };
        self.bank.begin(&key, self.times(), self.launch);
        let fault = self.hand.chaos.fault(CHARGE, self.hand.whose_charge());
        if let Some(fault) = fault {
            let length = fault.length();
            match fault.kind {
                FaultKind::Refused => {
                    let retry_after = (fault.millis > 0).then_some(length);
                    let (cause, why) = (NotSentCause::TooManyRequests, "429".to_owned());
                    return Delivery::NotSent { cause, why, retry_after };
                }
                FaultKind::DoubtBefore => return unknown(),
                FaultKind::Invalid => {
                    let (code, message) = ("invalid_request_error".to_owned(), "refused".to_owned());
                    return Delivery::Refused { code, message };
                }
                FaultKind::Conflict => {
                    self.bank.conflict(&key, self.times(), self.launch);
                    let why = "idempotency_error".to_owned();
                    return Delivery::Unknown { doubt: Doubt::Conflict, why };
                }
                FaultKind::WrongAmount => {
                    return self.bank.charge_wrongly(&key, &request.body, self.hand.clock.true_now());
                }
                FaultKind::ForeignCharge => {
                    if let Some(delivery) = self.bank.foreign_charge(&request.idempotency_key) {
                        return delivery;
                    }
                }
                FaultKind::Late => {
                    self.wander(&key, request, length);
                    return unknown();
                }
                FaultKind::Twice => self.wander(&key, request, length),
                // A request that was begun arrives within the bounds of the network, however long its sender stands still.
                FaultKind::FreezeBefore => {
                    self.wander(&key, request, length.min(LATE_MAX));
                    self.hand.stand_still(length).await;
                    return unknown();
                }
                // The answer takes its time, see below.
                FaultKind::Delay => {}
                _ => self.hand.before(fault).await,
            }
        }
        // A request is on its way as soon as it is sent: should its sender stand still now, for a day perhaps, then the bank does
        // not wait for it. Requests that take their time are late ones, within the bounds of the network.
        let delivery = self.bank.charge(&key, &request.body, self.hand.clock.true_now());
        self.hand.chaos.note(|| format!("charge {key}: {delivery:?}"));
        if let Some(fault) = fault.filter(|fault| fault.kind == FaultKind::Delay) {
            self.hand.sleep(fault.length()).await;
        }
        match self.hand.after(fault).await {
            After::InDoubt => return unknown(),
            After::Heard => {}
        }
        self.latency().await;
        delivery
    }
}

impl EncodeCharge for SimGateway {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        BankEncoder.encode(charge)
    }

    fn documents_digest(&self, documents: &[DocumentId]) -> Option<String> {
        BankEncoder.documents_digest(documents)
    }
}

#[async_trait]
impl Gateway for SimGateway {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }

    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        self.latency().await;
        let fault = self.hand.chaos.fault(ACCOUNT, self.hand.whose_call());
        if let Some(fault) = fault {
            match fault.kind {
                FaultKind::Refused | FaultKind::DoubtBefore | FaultKind::DoubtAfter => {
                    let (cause, why) = (NotSentCause::AccountUnconfirmed, "no answer".to_owned());
                    return Err(AccountUnavailable { cause, why, retry_after: None });
                }
                _ => self.hand.before(fault).await,
            }
        }
        let account = self.bank.account();
        self.hand.chaos.note(|| format!("the gateway charges at {account}"));
        self.hand.after(fault).await;
        Ok(Some(account))
    }

    async fn charge(&self, request: &ChargeRequest) -> Delivery {
        let delivery = self.deliver(self.key(request), request).await;
        match self.mutant {
            Some(mutant) => spoil(mutant, delivery, request),
            None => delivery,
        }
    }

    async fn look_up(&self, key: &str) -> LookUp {
        self.latency().await;
        let fault = self.hand.chaos.fault(LOOK_UP, self.hand.whose_call());
        if let Some(fault) = fault {
            match fault.kind {
                FaultKind::Refused | FaultKind::DoubtBefore | FaultKind::DoubtAfter => {
                    return LookUp::CannotTell { why: "no answer".to_owned() };
                }
                _ => self.hand.before(fault).await,
            }
        }
        let found = self.bank.look_up(key, self.hand.clock.true_now());
        self.hand.chaos.note(|| format!("look-up of {key}: {found:?}"));
        self.hand.after(fault).await;
        found
    }

    async fn list_charges(&self, since: Timestamp, cursor: Option<&str>) -> Result<ChargePage, ListError> {
        // It makes no keys that a restart would know.
        if matches!(self.mutant, Some(Mutant::NoDurableIntent | Mutant::RestoreUnnoticed)) {
            return Err(ListError::NotSupported { why: "nobody may look".to_owned() });
        }
        self.latency().await;
        let fault = self.hand.chaos.fault(LIST, self.hand.whose_call());
        if let Some(fault) = fault {
            match fault.kind {
                FaultKind::Refused | FaultKind::DoubtBefore | FaultKind::DoubtAfter => {
                    let (cause, why) = (NotSentCause::LedgerUnchecked, "no answer".to_owned());
                    return Err(AccountUnavailable { cause, why, retry_after: None }.into());
                }
                _ => self.hand.before(fault).await,
            }
        }
        let page = self.bank.list(since, cursor, self.hand.clock.true_now());
        self.hand.chaos.note(|| format!("{} charges are listed", page.charges.len()));
        self.hand.after(fault).await;
        Ok(page)
    }

    async fn tokenize(&self, _: &InstrumentDetails, _: &str) -> Result<Tokenized, TokenizeError> {
        Err(TokenizeError::Unavailable { why: "payment methods have tokens from the start here".to_owned() })
    }
}

/// What a wrong protocol makes of an answer.
fn spoil(mutant: Mutant, delivery: Delivery, request: &ChargeRequest) -> Delivery {
    match (mutant, delivery) {
        (Mutant::TimeoutIsNotSent, Delivery::Unknown { doubt: Doubt::Unanswered, why }) => {
            Delivery::NotSent { cause: NotSentCause::NoConnection, why, retry_after: None }
        }
        (Mutant::RefusalIsDecline, Delivery::Refused { code, message }) => {
            Delivery::Declined { code, message, reference: None }
        }
        (Mutant::ConflictIsRepeated, Delivery::Unknown { doubt: Doubt::Conflict, why }) => {
            Delivery::Unknown { doubt: Doubt::Unanswered, why }
        }
        (Mutant::BelievesAnyCharge, Delivery::Approved(charge)) => {
            let (key, money) = (Some(request.idempotency_key.clone()), Some(request.money));
            Delivery::Approved(ReportedCharge { key, money, ..charge })
        }
        (_, delivery) => delivery,
    }
}

/// One gateway, known under every identifier.
pub struct SimGateways {
    hand: Hand,
    gateway: Arc<dyn Gateway>,
}

impl SimGateways {
    /// The gateway, behind a gate that asks for its account, unless the protocol is spoilt on purpose.
    pub fn new(gateway: SimGateway, store: SqliteStore, guard: Arc<LedgerGuard>) -> Self {
        let (hand, mutant) = (gateway.hand.clone(), gateway.mutant);
        let gateway: Arc<dyn Gateway> = Arc::new(gateway);
        if mutant == Some(Mutant::AnyAccount) {
            return Self { hand, gateway };
        }
        let accounts = Arc::new(ChaosAccounts::new(store, hand.clone()));
        let gate = AccountGate::new(gateway, accounts, guard, GATEWAY, "nowhere".to_owned());
        Self { hand, gateway: Arc::new(gate) }
    }
}

impl Gateways for SimGateways {
    fn find(&self, _: GatewayId) -> Option<Arc<dyn Gateway>> {
        Some(self.gateway.clone())
    }

    fn admit(&self, _: GatewayId) -> BoxFuture<'_, Box<dyn Send>> {
        Box::pin(async {
            let hand = &self.hand;
            let until =
                hand.clock.now().checked_add(hand.chaos.pause(Duration::ZERO, Duration::from_millis(5)));
            hand.clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
            Box::new(()) as Box<dyn Send>
        })
    }
}
