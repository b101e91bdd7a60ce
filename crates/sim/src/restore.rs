//! What an operator does around a ledger that was restored from a copy: starts it, reconciles it with the bank, lets a run
//! collect what is still owed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::collect::LedgerGuard;
use payment_runs_engine::command::{Command, NewCreditMemo, NewPayment, NewPaymentPart, NewRun, Request};
use payment_runs_engine::ids::{CreditMemoId, DocumentId, Key, PaymentId, RunId};
use payment_runs_engine::ports::{
    AccountUnavailable, Charge, ChargePage, ChargeRequest, Delivery, EncodeCharge, Gateway, GatewaySettings,
    Ids, InstrumentDetails, ListError, LookUp, NotSentCause, Reconciliation, TokenizeError, Tokenized,
};
use payment_runs_engine::ports::{Ledger, StoreError};
use payment_runs_engine::reconcile::{ReconcileError, Reconciler};
use payment_runs_engine::run::{RunFilter, RunOptions};
use payment_runs_store::SqliteStore;

use crate::bank::{Bank, BankEncoder};
use crate::mutant::Mutant;
use crate::pool::{SimClock, at_once};
use crate::random::Random;
use crate::world::{ENTITY, GATEWAY, USER, World, day, start};

/// How long a restore takes at least: so long that no delivery of the lost time is under way any more.
pub(crate) const RESTORE_MIN: Duration = Duration::from_mins(5);

/// How soon after a restore the ledger is reconciled at the earliest.
pub(crate) const RECONCILE_MIN: Duration = Duration::from_mins(5);

/// How late it is.
pub(crate) const RECONCILE_MAX: Duration = Duration::from_hours(6);

/// The run that collects what is still owed after a reconciliation.
pub(crate) const RUN_AFTERWARDS: RunId = RunId::from_u128(1 << 98);

/// The first identifier of what is entered between the restore and the start.
const FIRST_ID: u128 = 1 << 97;

/// The bank's list, as an operator with patience reads it.
pub(crate) struct Statement {
    pub(crate) bank: Arc<Bank>,
    pub(crate) clock: SimClock,
    pub(crate) settings: GatewaySettings,
}

impl EncodeCharge for Statement {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        BankEncoder.encode(charge)
    }
    fn documents_digest(&self, documents: &[DocumentId]) -> Option<String> {
        BankEncoder.documents_digest(documents)
    }
}

#[async_trait]
impl Gateway for Statement {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }
    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        Ok(Some(self.bank.account()))
    }
    async fn charge(&self, _: &ChargeRequest) -> Delivery {
        let why = "a statement charges nothing".to_owned();
        Delivery::NotSent { cause: NotSentCause::NotConfigured, why, retry_after: None }
    }
    async fn look_up(&self, _: &str) -> LookUp {
        LookUp::CannotTell { why: "a statement is not asked".to_owned() }
    }
    async fn list_charges(&self, since: Timestamp, cursor: Option<&str>) -> Result<ChargePage, ListError> {
        let skip = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
        Ok(self.bank.list(since, skip, self.clock.true_now()))
    }
    async fn tokenize(&self, _: &InstrumentDetails, _: &str) -> Result<Tokenized, TokenizeError> {
        Err(TokenizeError::Unavailable { why: "a statement makes no tokens".to_owned() })
    }
}

/// What a process does with its ledger when it starts.
pub(crate) fn check(guard: &LedgerGuard, statement: &Statement, is_told: bool) -> Result<(), StoreError> {
    if is_told {
        at_once(guard.hold("the operator says so"))?;
    }
    // What cannot be listed now is listed before the first charge.
    let _ = at_once(guard.check(statement, GATEWAY));
    Ok(())
}

/// Reconciles the ledger with the bank and lets it charge again. Says what was found.
pub(crate) fn reconcile(
    store: &SqliteStore,
    statement: Statement,
    ids: Arc<dyn Ids>,
    mutant: Option<Mutant>,
) -> Result<String, ReconcileError> {
    let clock = Arc::new(statement.clock.clone());
    let ledger = Arc::new(store.clone());
    let work = Reconciler { id: GATEWAY, gateway: Arc::new(statement), ledger, clock, ids };
    let is_applied = mutant != Some(Mutant::AdoptsNothing);
    let since = start().checked_sub(Duration::from_hours(1)).unwrap_or_else(|_| start());
    let reconciled = at_once(work.run(since, is_applied))?;
    at_once(work.confirm(&reconciled))?;
    at_once(store.end_charging_hold())?;
    let found = reconciled.findings.iter().map(|one| format!("{:?}: {:?}", one.difference, one.remedy));
    Ok(found.collect::<Vec<_>>().join("\n  "))
}

/// What people enter anew before the restored ledger starts: some credits and payments that it has not seen.
pub(crate) fn enter_anew(
    random: &mut Random,
    world: &World,
    store: &SqliteStore,
    ids: &Arc<dyn Ids>,
    now: Timestamp,
) {
    for (ordinal, account) in (0_u128..).zip(&world.load.accounts) {
        if random.happens(300) {
            let memo = NewCreditMemo {
                id: CreditMemoId::from_u128(FIRST_ID + ordinal),
                number: None,
                account: Key::new(account.id.to_string()),
                currency: None,
                amount_minor: i64::try_from(random.between(1, 300)).unwrap_or(1),
                effective_date: day(random.between(1, 30)),
                post: true,
                comment: None,
                reason_code: None,
            };
            execute(store, ids, now, Command::CreateCreditMemo(memo));
        }
    }
    for (ordinal, document) in (0_u128..).zip(&world.load.documents) {
        if random.happens(150) {
            let most = u64::try_from(document.amount_minor).unwrap_or(1);
            let amount_minor = i64::try_from(random.between(1, most)).unwrap_or(1);
            let part = NewPaymentPart {
                kind: document.kind,
                document: Key::new(document.id.to_string()),
                amount_minor,
            };
            let payment = NewPayment {
                id: PaymentId::from_u128(FIRST_ID + ordinal),
                account: Key::new(document.account.to_string()),
                currency: document.currency,
                amount_minor,
                electronic: false,
                effective_date: day(0),
                payment_method: None,
                gateway: None,
                parts: vec![part],
                comment: None,
                reference_id: None,
                standalone: false,
                charge_request: FIRST_ID + ordinal,
            };
            execute(store, ids, now, Command::CreatePayment(payment));
        }
    }
}

/// Creates a run over everything, which meets what the restored ledger still takes for owed.
pub(crate) fn collect_again(random: &mut Random, store: &SqliteStore, ids: &Arc<dyn Ids>, now: Timestamp) {
    let run = NewRun {
        id: RUN_AFTERWARDS,
        filter: RunFilter::default(),
        options: RunOptions {
            collect_payment: true,
            consolidated_payment: random.happens(300),
            auto_apply_credit_memo: random.happens(300),
            ..RunOptions::default()
        },
        target_date: Some(day(0)),
        run_at: None,
        organizations: Vec::new(),
        records: Vec::new(),
    };
    execute(store, ids, now, Command::CreateRun(run));
}

/// Carries a command out. What is refused, or was done before, does not matter here.
fn execute(store: &SqliteStore, ids: &Arc<dyn Ids>, now: Timestamp, command: Command) {
    let request = Request { scope: Scope::entity(ENTITY), user: USER, now, command };
    let _ = at_once(store.execute(request, None, Arc::new(BankEncoder), Arc::clone(ids)));
}
