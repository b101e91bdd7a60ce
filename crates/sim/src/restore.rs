//! What an operator does around a ledger that was restored from a copy: starts it, reconciles it with the bank, lets a run
//! collect what is still owed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::collect::LedgerGuard;
use payment_runs_engine::command::{
    Command, NewCreditMemo, NewPayment, NewPaymentMethod, NewPaymentPart, NewRun, Request,
};
use payment_runs_engine::document::Document;
use payment_runs_engine::ids::{AccountId, CreditMemoId, DocumentId, Key, PaymentId, PaymentMethodId, RunId};
use payment_runs_engine::payment_method::{Instrument, PaymentMethodKind};
use payment_runs_engine::ports::{
    AccountUnavailable, Charge, ChargePage, ChargeRequest, Delivery, EncodeCharge, Gateway, GatewaySettings,
    Ids, InstrumentDetails, Ledger, ListError, LookUp, MatchDecision, Matched, NotSentCause, Reconciliation,
    StoreError, TokenizeError, Tokenized,
};
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
        Ok(self.bank.list(since, cursor, self.clock.true_now()))
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

/// What people do about payments that a reconciliation could not match: some are applied to the documents that the bank says they
/// paid, the others wait until the end. A wrong protocol releases them unseen.
pub(crate) fn match_payments(
    random: &mut Random,
    world: &World,
    store: &SqliteStore,
    bank: &Bank,
    mutant: Option<Mutant>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for payment in at_once(store.unmatched_payments())? {
        if mutant == Some(Mutant::ReleasesUnmatched) {
            at_once(store.match_payment(&payment.number, MatchDecision::Release, now))?;
        } else if random.happens(500) {
            let paid = bank.documents_of(payment.reference.as_deref().unwrap_or_default());
            let loaded = world.load.documents.iter().filter(|one| paid.contains(&one.id));
            let mut numbers: Vec<String> = loaded.map(|one| one.number.clone()).collect();
            // Those that were paid otherwise meanwhile are left out.
            while let Matched::NoDocument(number) =
                at_once(store.match_payment(&payment.number, MatchDecision::Apply(numbers.clone()), now))?
            {
                numbers.retain(|one| *one != number);
            }
        }
    }
    Ok(())
}

/// What people enter anew before the restored ledger starts: credits, payments and payment methods that it has not seen.
pub(crate) struct EntersAnew<'a> {
    pub(crate) random: Random,
    pub(crate) world: &'a World,
    pub(crate) store: &'a SqliteStore,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) now: Timestamp,
}

impl EntersAnew<'_> {
    pub(crate) fn enter(&mut self) {
        for (ordinal, account) in (FIRST_ID..).zip(&self.world.load.accounts) {
            if self.random.happens(300) {
                self.enter_credit_memo(ordinal, account.id);
            }
            if self.random.happens(300) {
                self.enter_payment_method(ordinal, account.id);
            }
        }
        for (ordinal, document) in (FIRST_ID..).zip(&self.world.load.documents) {
            if self.random.happens(150) {
                self.enter_payment(ordinal, document);
            }
        }
    }

    fn enter_credit_memo(&mut self, id: u128, account: AccountId) {
        let memo = NewCreditMemo {
            id: CreditMemoId::from_u128(id),
            number: None,
            account: Key::new(account.to_string()),
            currency: None,
            amount_minor: self.random.minor(300),
            effective_date: day(self.random.between(1, 30)),
            post: true,
            comment: None,
            reason_code: None,
        };
        self.execute(Command::CreateCreditMemo(memo));
    }

    /// A method that is charged from now on, so that a charge of the lost time meets another body under its key.
    fn enter_payment_method(&self, id: u128, account: AccountId) {
        let token = token_anew(account.as_u128());
        let method = NewPaymentMethod {
            id: PaymentMethodId::from_u128(id),
            account: Some(Key::new(account.to_string())),
            kind: PaymentMethodKind::CreditCard,
            kind_name: "CreditCard".to_owned(),
            instrument: Instrument { token: Some(token), ..Instrument::default() },
            make_default: true,
        };
        self.execute(Command::CreatePaymentMethod(method));
    }

    /// A payment of a part of a document, or of all of it, which the customer made otherwise.
    fn enter_payment(&mut self, id: u128, document: &Document) {
        let is_whole = self.random.happens(500);
        let amount_minor =
            if is_whole { document.amount_minor } else { self.random.minor(document.amount_minor) };
        let part =
            NewPaymentPart { kind: document.kind, document: Key::new(document.id.to_string()), amount_minor };
        let payment = NewPayment {
            id: PaymentId::from_u128(id),
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
            charge_request: id,
        };
        self.execute(Command::CreatePayment(payment));
    }

    fn execute(&self, command: Command) {
        execute(self.store, &self.ids, self.now, command);
    }
}

/// The token of the payment method that people enter anew for an account.
pub(crate) fn token_anew(account: u128) -> String {
    format!("tok_{account}_anew")
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
