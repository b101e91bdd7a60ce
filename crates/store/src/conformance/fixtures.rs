//! What the cases are made from: a store seen through its ports, numbers that count up, and a small ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::civil::{Date, date};
use payment_runs_engine::account::{Account, AccountStatus, GatewayConfig, Scope, Stamps};
use payment_runs_engine::command::{Command, Load, NewRun, Output, Request};
use payment_runs_engine::document::{CreditMemo, Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{
    AccountId, CreditMemoId, DocumentId, EntityKey, GatewayId, Key, PaymentId, PaymentMethodId, RunId, UserId,
};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentKind, PaymentState};
use payment_runs_engine::payment_method::{Instrument, PaymentMethod, PaymentMethodKind};
use payment_runs_engine::ports::{
    Access, Charge, ChunkClaim, Doubt, EncodeCharge, Executed, GatewayAccounts, Ids, Intent, LEDGER_ID_NAME,
    Ledger, LedgerError, LedgerWatch, NotSentCause, OnceStore, Outcome, Reconciliation, Schedules, Search,
    Settlement, Webhooks, Work,
};
use payment_runs_engine::refusal::Refusal;
use payment_runs_engine::run::{Run, RunFilter, RunOptions};

pub(super) const ENTITY: EntityKey = EntityKey::FIRST;
pub(super) const USER: UserId = UserId::from_u128(0x0055_0001);
pub(super) const GATEWAY: GatewayId = GatewayId::from_u128(0x0066_0001);
/// Leases of the cases, in milliseconds.
pub(super) const LEASE_MS: i64 = 30_000;
const START_MS: i64 = 1_767_225_600_000;

/// Identifiers that count up.
#[derive(Debug)]
pub struct Numbers(AtomicU64);

impl Numbers {
    /// Starts after a number.
    pub fn new(after: u64) -> Self {
        Self(AtomicU64::new(after))
    }
}

impl Ids for Numbers {
    fn next_id(&self) -> u128 {
        // As large as a time-ordered identifier, so that identifiers sort as they would in production.
        (0x0190_u128 << 112) | u128::from(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// Writes a charge as its own fields.
#[derive(Debug)]
pub struct Encoder;

impl EncodeCharge for Encoder {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        let money = charge.money;
        format!("{} {} {} {}", charge.key, money.minor, money.currency, charge.token).into_bytes()
    }
}

/// An empty store, seen through its ports.
pub struct Stand<'a> {
    pub ledger: &'a dyn Ledger,
    pub work: &'a dyn Work,
    pub access: &'a dyn Access,
    pub gateway_accounts: &'a dyn GatewayAccounts,
    pub watch: &'a dyn LedgerWatch,
    pub reconciliation: &'a dyn Reconciliation,
    pub once: &'a dyn OnceStore,
    pub webhooks: &'a dyn Webhooks,
    pub search: &'a dyn Search,
    pub schedules: &'a dyn Schedules,
    pub ids: Arc<Numbers>,
}

/// The time of the cases: seconds after their start.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_millisecond(START_MS + second * 1_000).unwrap()
}

/// A lease that begins at a second.
pub(super) fn lease(second: i64) -> Timestamp {
    Timestamp::from_millisecond(START_MS + second * 1_000 + LEASE_MS).unwrap()
}

pub(super) fn today() -> Date {
    date(2026, 1, 1)
}

pub(super) fn scope() -> Scope {
    Scope::entity(ENTITY)
}

pub(super) fn key(text: impl ToString) -> Key {
    Key::new(text.to_string())
}

pub(super) fn approved(payment: PaymentId) -> Settlement {
    Settlement { payment, outcome: Outcome::Approved { reference: format!("ch_{payment}") } }
}

pub(super) fn declined(payment: PaymentId) -> Settlement {
    let outcome = Outcome::Declined {
        code: "card_declined".to_owned(),
        message: "Your card was declined.".to_owned(),
        reference: None,
    };
    Settlement { payment, outcome }
}

pub(super) fn unknown(payment: PaymentId) -> Settlement {
    Settlement { payment, outcome: unanswered() }
}

fn unanswered() -> Outcome {
    Outcome::Unknown { doubt: Doubt::Unanswered, why: "the line went dead".to_owned() }
}

/// A charge that contradicts the request.
pub(super) fn wrong(payment: PaymentId) -> Settlement {
    let outcome = Outcome::Unknown { doubt: Doubt::WrongCharge, why: "another amount".to_owned() };
    Settlement { payment, outcome }
}

pub(super) fn not_sent(payment: PaymentId) -> Settlement {
    let outcome = Outcome::NotSent { cause: NotSentCause::NoConnection, why: "no line".to_owned() };
    Settlement { payment, outcome }
}

impl<'a> Stand<'a> {
    /// Looks at a store through its ports.
    pub fn new<
        S: Ledger + Work + Access + GatewayAccounts + Reconciliation + OnceStore + Search + Schedules + Webhooks,
    >(
        store: &'a S,
    ) -> Self {
        Self {
            ledger: store,
            work: store,
            access: store,
            gateway_accounts: store,
            watch: store,
            reconciliation: store,
            once: store,
            webhooks: store,
            search: store,
            schedules: store,
            ids: Arc::new(Numbers::new(1_000)),
        }
    }

    pub(super) fn id(&self) -> u128 {
        self.ids.next_id()
    }

    pub(super) fn request(&self, second: i64, command: Command) -> Request {
        Request { scope: scope(), user: USER, now: at(second), command }
    }

    pub(super) async fn try_execute(&self, request: Request) -> Result<Output, Vec<Refusal>> {
        let ids: Arc<dyn Ids> = Arc::<Numbers>::clone(&self.ids);
        match self.ledger.execute(request, None, Arc::new(Encoder), ids).await {
            Ok(Executed::Fresh(output)) => Ok(output),
            Ok(other) => panic!("expected a fresh answer, got {other:?}"),
            Err(LedgerError::Refused(reasons)) => Err(reasons),
            Err(LedgerError::Store(error)) => panic!("the store failed: {error:?}"),
        }
    }

    pub(super) async fn execute(&self, second: i64, command: Command) -> Output {
        self.try_execute(self.request(second, command)).await.unwrap()
    }

    pub(super) async fn refused(&self, second: i64, command: Command) -> Vec<Refusal> {
        self.try_execute(self.request(second, command)).await.unwrap_err()
    }

    /// What every ledger has: an identifier and a gateway.
    pub(super) async fn add_gateway(&self) {
        self.access.ensure_secret(LEDGER_ID_NAME, [7; 32]).await.unwrap();
        let gateway = GatewayConfig {
            id: GATEWAY,
            name: "Main".to_owned(),
            kind: "stripe".to_owned(),
            is_active: true,
            is_default: true,
        };
        self.access.put_gateway(ENTITY, gateway).await.unwrap();
    }

    /// An account with a card, not stored yet.
    pub(super) fn account(&self, number: &str) -> (Account, PaymentMethod) {
        let stamps = Stamps::new(at(0), USER);
        let id = AccountId::from_u128(self.id());
        let method = PaymentMethod::unused(
            PaymentMethodId::from_u128(self.id()),
            Some(id),
            (PaymentMethodKind::CreditCard, "CreditCard".to_owned()),
            Instrument {
                mask: Some("************4242".to_owned()),
                token: Some(format!("pm_{number}")),
                ..Instrument::default()
            },
            stamps,
        );
        let account = Account {
            id,
            number: number.to_owned(),
            name: format!("Customer {number}"),
            currency: Currency::USD,
            auto_pay: true,
            batch: Some("Batch1".to_owned()),
            bill_cycle_day: 1,
            gateway: None,
            default_payment_method: Some(method.id),
            status: AccountStatus::Active,
            organization: None,
            credit_balance_minor: 0,
            stamps,
        };
        (account, method)
    }

    /// A posted invoice that is due today, not stored yet.
    pub(super) fn invoice(&self, account: &Account, number: &str, amount_minor: i64) -> Document {
        Document {
            id: DocumentId::from_u128(self.id()),
            number: number.to_owned(),
            kind: DocumentKind::Invoice,
            account: account.id,
            status: DocumentStatus::Posted,
            currency: account.currency,
            amount_minor,
            balance_minor: amount_minor,
            paid_minor: 0,
            credited_minor: 0,
            document_date: today(),
            due_date: today(),
            auto_pay: true,
            bill_run: None,
            payment_method: None,
            held_by: None,
            comment: None,
            reason_code: None,
            posted_at: Some(at(0)),
            stamps: Stamps::new(at(0), USER),
        }
    }

    /// A posted credit memo, not stored yet.
    pub(super) fn credit_memo(&self, account: &Account, number: &str, amount_minor: i64) -> CreditMemo {
        CreditMemo {
            id: CreditMemoId::from_u128(self.id()),
            number: number.to_owned(),
            account: account.id,
            status: DocumentStatus::Posted,
            currency: account.currency,
            amount_minor,
            unapplied_minor: amount_minor,
            effective_date: today(),
            reason_code: None,
            comment: None,
            stamps: Stamps::new(at(0), USER),
        }
    }

    /// A processed payment that no document has taken anything of, not stored yet.
    pub(super) fn unapplied_payment(&self, account: &Account, number: &str, amount_minor: i64) -> Payment {
        Payment {
            id: PaymentId::from_u128(self.id()),
            number: number.to_owned(),
            account: account.id,
            run: None,
            kind: PaymentKind::External,
            state: PaymentState::Processed,
            currency: account.currency,
            amount_minor,
            unapplied_minor: amount_minor,
            payment_method: None,
            gateway: None,
            charge_key: None,
            answer: GatewayAnswer::default(),
            effective_date: today(),
            reference_id: None,
            comment: None,
            standalone: false,
            settled_at: Some(at(0)),
            parts: Vec::new(),
            stamps: Stamps::new(at(0), USER),
        }
    }

    pub(super) async fn load(&self, load: Load) {
        self.ledger.load(ENTITY, load).await.unwrap();
    }

    /// Stores a gateway and accounts `A…` with as many invoices of 10.00 each.
    pub(super) async fn add_accounts(&self, invoices: &[usize]) -> Vec<(Account, Vec<Document>)> {
        self.add_accounts_from(1, invoices).await
    }

    /// The same, with numbers from one on.
    pub(super) async fn add_accounts_from(
        &self,
        first: usize,
        invoices: &[usize],
    ) -> Vec<(Account, Vec<Document>)> {
        self.add_gateway().await;
        let mut load = Load::default();
        let mut made = Vec::new();
        for (index, count) in invoices.iter().enumerate() {
            let (account, method) = self.account(&format!("A{:08}", first + index));
            let documents: Vec<Document> = (0..*count)
                .map(|ordinal| self.invoice(&account, &format!("INV{:04}{ordinal:04}", first + index), 1_000))
                .collect();
            load.accounts.push(account.clone());
            load.payment_methods.push(method);
            load.documents.extend(documents.clone());
            made.push((account, documents));
        }
        self.load(load).await;
        made
    }

    pub(super) fn ids(&self) -> Arc<dyn Ids> {
        Arc::<Numbers>::clone(&self.ids)
    }

    pub(super) fn new_run(&self) -> NewRun {
        NewRun {
            id: RunId::from_u128(self.id()),
            filter: RunFilter::default(),
            options: RunOptions::default(),
            target_date: Some(today()),
            run_at: None,
            organizations: Vec::new(),
            records: Vec::new(),
        }
    }

    pub(super) async fn create_run(&self, second: i64, new: NewRun) -> Run {
        match self.execute(second, Command::CreateRun(new)).await {
            Output::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    /// Claims the waiting run and cuts all of it.
    pub(super) async fn select(&self, second: i64, documents_max: usize) -> ChunkClaim {
        let claim = self.work.claim_selection(at(second), lease(second), self.ids()).await.unwrap().unwrap();
        while !self.work.extend_selection(&claim, at(second), 4, documents_max).await.unwrap() {}
        claim
    }

    pub(super) async fn claim(&self, second: i64) -> Option<ChunkClaim> {
        self.work.claim_chunk(at(second), lease(second)).await.unwrap()
    }

    /// Opens a chunk and gives its intents.
    pub(super) async fn open(&self, claim: &ChunkClaim, second: i64) -> Vec<Intent> {
        let ids: Arc<dyn Ids> = Arc::<Numbers>::clone(&self.ids);
        self.work.open_chunk(claim, at(second), Arc::new(Encoder), ids).await.unwrap().intents
    }

    /// Works a cut run off, with the outcome that `settle` gives each payment. Gives every intent.
    pub(super) async fn work_off(
        &self,
        second: i64,
        settle: impl Fn(PaymentId) -> Settlement,
    ) -> Vec<Intent> {
        let mut all = Vec::new();
        while let Some(claim) = self.claim(second).await {
            let intents = self.open(&claim, second).await;
            let settlements = intents.iter().map(|intent| settle(intent.payment)).collect();
            self.work.settle(&claim, at(second), settlements).await.unwrap();
            self.work.close_chunk(&claim, at(second)).await.unwrap();
            all.extend(intents);
        }
        self.work.finish_runs(at(second)).await.unwrap();
        all
    }

    pub(super) async fn document(&self, document: &Document) -> Document {
        let found = self.ledger.find_document(&scope(), document.kind, &key(document.id)).await.unwrap();
        found.unwrap()
    }

    pub(super) async fn run(&self, run: &Run) -> Run {
        self.ledger.find_run(&scope(), &key(run.id)).await.unwrap().unwrap()
    }
}
