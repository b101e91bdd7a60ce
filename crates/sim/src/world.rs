//! A small random world: accounts, what they owe, what they are owed, and runs that collect it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::account::{Account, AccountStatus, GatewayConfig, RetryRule, Stamps};
use payment_runs_engine::command::{Command, Load, NewRun};
use payment_runs_engine::document::{CreditMemo, Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{
    AccountId, CreditMemoId, DocumentId, EntityKey, GatewayId, Key, PaymentId, PaymentMethodId, RunId, UserId,
};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentKind, PaymentState};
use payment_runs_engine::payment_method::{
    Instrument, PaymentMethod, PaymentMethodKind, PaymentMethodStatus,
};
use payment_runs_engine::run::{DataRecord, RunFilter, RunOptions};
use payment_runs_engine::settings::Settings;

use crate::operations::{Operation, What, draw_operations};
use crate::random::Random;
use crate::script::Part;

/// How soon after the start of a run a person settles what is in doubt, where workers stand still.
const RESOLVE_MIN: Duration = Duration::from_mins(10);

/// How late a person does.
const RESOLVE_MAX: Duration = Duration::from_mins(45);

/// The user in whose name everything happens.
pub const USER: UserId = UserId::from_u128(1);

/// The entity in which everything happens.
pub const ENTITY: EntityKey = EntityKey::FIRST;

/// The gateway through which everything is charged.
pub const GATEWAY: GatewayId = GatewayId::from_u128(1);

/// What exists at the start of a schedule, and what is asked for during it.
#[derive(Debug, Clone)]
pub struct World {
    /// Everything that is loaded.
    pub load: Load,
    /// What the entity has configured.
    pub settings: Settings,
    /// The runs that exist at the start.
    pub runs: Vec<NewRun>,
    /// What callers ask for while the runs are at work.
    pub operations: Vec<Operation>,
    /// Whether workers look for each other's work every few seconds, under short leases. No run is scheduled then, since
    /// waiting for it would take long.
    pub is_hasty: bool,
}

/// The time at which every schedule starts.
pub fn start() -> Timestamp {
    Timestamp::from_second(1_772_323_200).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(crate) fn day(offset: u64) -> Date {
    let at = start().checked_sub(Duration::from_hours(24 * offset)).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

impl World {
    /// Draws a world.
    pub fn new(random: &mut Random) -> Self {
        let mut settings = Settings::default();
        if random.happens(200) {
            settings.retry_rule = RetryRule { max_consecutive_failures: Some(1), retry_window_hours: None };
        }
        settings.invoice_settlement = random.happens(800);
        let mut draw = Draw { random, next: 100, load: Load::default() };
        draw.load.gateways.push(gateway());
        for _ in 0..draw.random.between(1, 5) {
            draw.account();
        }
        let load = draw.load;
        let is_hasty = random.happens(400);
        let mut runs: Vec<NewRun> =
            (0..random.between(1, 3)).map(|ordinal| any_run(random, ordinal, &load, &settings)).collect();
        if is_hasty {
            for run in &mut runs {
                run.run_at = None;
            }
        }
        let operations = draw_operations(random, &load, &settings, &runs, is_hasty);
        Self { load, settings, runs, operations, is_hasty }
    }

    /// Adds people who settle what is in doubt while the runs' workers may stand still.
    pub fn add_resolvers(&mut self, random: &mut Random) {
        for run in &self.runs {
            let pause = random.pause(RESOLVE_MIN, RESOLVE_MAX);
            let at = run.run_at.unwrap_or_else(start).checked_add(pause).unwrap_or_else(|_| start());
            self.operations.push(Operation { at, name: "resolve", what: What::Resolve });
        }
    }

    /// Every part that can be left out.
    pub fn parts(&self) -> BTreeSet<Part> {
        let load = &self.load;
        let documents = (0..load.documents.len()).map(Part::Document);
        let credits = (0..load.credit_memos.len()).map(Part::Credit);
        let unapplied = (0..load.payments.len()).map(Part::Unapplied);
        let runs = (0..self.runs.len()).map(Part::Run);
        let operations = (0..self.operations.len()).map(Part::Operation);
        documents.chain(credits).chain(unapplied).chain(runs).chain(operations).collect()
    }

    /// Leaves out what is not among the parts.
    pub fn keep(&mut self, parts: &BTreeSet<Part>) {
        fn keep<T>(all: &mut Vec<T>, is_kept: impl Fn(usize) -> bool) {
            let mut index = 0;
            all.retain(|_| {
                index += 1;
                is_kept(index - 1)
            });
        }
        keep(&mut self.load.documents, |index| parts.contains(&Part::Document(index)));
        keep(&mut self.load.credit_memos, |index| parts.contains(&Part::Credit(index)));
        keep(&mut self.load.payments, |index| parts.contains(&Part::Unapplied(index)));
        keep(&mut self.runs, |index| parts.contains(&Part::Run(index)));
        keep(&mut self.operations, |index| parts.contains(&Part::Operation(index)));
    }

    /// Every run that there may be.
    pub fn run_ids(&self) -> Vec<RunId> {
        let created = self.operations.iter().filter_map(|one| match &one.what {
            What::Command(Command::CreateRun(run)) => Some(run.id),
            _ => None,
        });
        let afterwards = [crate::restore::RUN_AFTERWARDS];
        self.runs.iter().map(|run| run.id).chain(created).chain(afterwards).collect()
    }
}

struct Draw<'a> {
    random: &'a mut Random,
    next: u128,
    load: Load,
}

impl Draw<'_> {
    fn id(&mut self) -> u128 {
        self.next += 1;
        self.next
    }

    fn currency(&mut self) -> Currency {
        let code = ["USD", "USD", "USD", "EUR", "JPY"][self.random.index(5)];
        Currency::from_code(code).unwrap_or(Currency::USD)
    }

    fn account(&mut self) {
        let id = self.id();
        let method = self.method(id);
        let account = Account {
            id: AccountId::from_u128(id),
            number: format!("A{id:08}"),
            name: format!("Account {id}"),
            currency: Currency::USD,
            auto_pay: !self.random.happens(100),
            batch: None,
            bill_cycle_day: 0,
            gateway: None,
            default_payment_method: Some(method),
            status: AccountStatus::Active,
            organization: None,
            credit_balance_minor: i64::try_from(self.random.below(300)).unwrap_or_default(),
            stamps: stamps(),
        };
        self.load.accounts.push(account);
        for _ in 0..self.random.between(0, 6) {
            let document = self.document(id);
            self.load.documents.push(document);
        }
        for _ in 0..self.random.below(3) {
            let memo = self.memo(id);
            self.load.credit_memos.push(memo);
        }
        if self.random.happens(400) {
            let payment = self.unapplied(id);
            self.load.payments.push(payment);
        }
    }

    fn method(&mut self, account: u128) -> PaymentMethodId {
        let id = self.id();
        let is_closed = self.random.happens(100);
        self.load.payment_methods.push(PaymentMethod {
            status: if is_closed { PaymentMethodStatus::Closed } else { PaymentMethodStatus::Active },
            ..PaymentMethod::unused(
                PaymentMethodId::from_u128(id),
                Some(AccountId::from_u128(account)),
                (PaymentMethodKind::CreditCard, "CreditCard".to_owned()),
                Instrument { token: Some(format!("tok_{account}")), ..Instrument::default() },
                stamps(),
            )
        });
        PaymentMethodId::from_u128(id)
    }

    fn document(&mut self, account: u128) -> Document {
        let id = self.id();
        let is_memo = self.random.happens(300);
        let amount_minor = self.random.minor(500);
        Document {
            id: DocumentId::from_u128(id),
            number: format!("{}{id:08}", if is_memo { "DM" } else { "INV" }),
            kind: if is_memo { DocumentKind::DebitMemo } else { DocumentKind::Invoice },
            account: AccountId::from_u128(account),
            status: DocumentStatus::Posted,
            currency: self.currency(),
            amount_minor,
            balance_minor: amount_minor,
            paid_minor: 0,
            credited_minor: 0,
            document_date: day(40),
            due_date: day(self.random.between(1, 30)),
            auto_pay: !self.random.happens(80),
            bill_run: None,
            payment_method: None,
            held_by: None,
            comment: None,
            reason_code: None,
            posted_at: Some(start()),
            stamps: stamps(),
        }
    }

    fn memo(&mut self, account: u128) -> CreditMemo {
        let id = self.id();
        let amount_minor = self.random.minor(400);
        CreditMemo {
            id: CreditMemoId::from_u128(id),
            number: format!("CM{id:08}"),
            account: AccountId::from_u128(account),
            status: DocumentStatus::Posted,
            currency: self.currency(),
            amount_minor,
            unapplied_minor: amount_minor,
            effective_date: day(self.random.between(1, 30)),
            reason_code: None,
            comment: None,
            stamps: stamps(),
        }
    }

    fn unapplied(&mut self, account: u128) -> Payment {
        let id = self.id();
        let amount_minor = self.random.minor(400);
        Payment {
            id: PaymentId::from_u128(id),
            number: format!("P-X{id:07}"),
            account: AccountId::from_u128(account),
            run: None,
            kind: PaymentKind::External,
            state: PaymentState::Processed,
            currency: self.currency(),
            amount_minor,
            unapplied_minor: amount_minor,
            payment_method: None,
            gateway: None,
            charge_key: None,
            answer: GatewayAnswer::default(),
            effective_date: day(20),
            reference_id: None,
            comment: None,
            standalone: false,
            settled_at: Some(start()),
            parts: Vec::new(),
            stamps: stamps(),
        }
    }
}

fn stamps() -> Stamps {
    Stamps::new(start(), USER)
}

fn gateway() -> GatewayConfig {
    GatewayConfig {
        id: GATEWAY,
        name: "Bank".to_owned(),
        kind: "simulated".to_owned(),
        is_active: true,
        is_default: true,
    }
}

/// A run: at once or later, over everything or over named documents and accounts.
pub(crate) fn any_run(random: &mut Random, ordinal: u64, load: &Load, settings: &Settings) -> NewRun {
    let hours = random.between(1, 30);
    let run_at = start().checked_add(Duration::from_hours(hours)).ok().filter(|_| random.happens(400));
    let credits = random.happens(600);
    let options = RunOptions {
        apply_credit_balance: credits && !settings.invoice_settlement,
        auto_apply_credit_memo: credits && settings.invoice_settlement,
        auto_apply_unapplied_payment: credits && settings.invoice_settlement,
        collect_payment: !random.happens(100),
        consolidated_payment: random.happens(300),
        process_payment_with_closed_pm: random.happens(300),
        ..RunOptions::default()
    };
    let records = if random.happens(250) { any_records(random, load) } else { Vec::new() };
    NewRun {
        id: RunId::from_u128(u128::from(ordinal) + 1),
        filter: if records.is_empty() { any_filter(random, load) } else { RunFilter::default() },
        options,
        target_date: Some(day(random.below(5))),
        run_at,
        organizations: Vec::new(),
        records,
    }
}

pub(crate) fn any_records(random: &mut Random, load: &Load) -> Vec<DataRecord> {
    let mut records = Vec::new();
    for _ in 0..random.between(1, 6) {
        let Some(account) = load.accounts.get(random.index(load.accounts.len())) else { continue };
        let document = load.documents.get(random.index(load.documents.len())).filter(|_| random.happens(700));
        let owner = document.map_or(account.id, |one| one.account);
        let number = load.accounts.iter().find(|one| one.id == owner).map(|one| one.number.clone());
        let is_standalone = document.is_none() && random.happens(300);
        let amount = random.minor(300);
        let has_amount = is_standalone || (document.is_some() && random.happens(500));
        records.push(DataRecord {
            account: number.map(Key::new),
            account_is_number: true,
            document_kind: document.map(|one| one.kind),
            document: document.map(|one| Key::new(one.id.to_string())),
            amount: has_amount.then_some((amount, 2)),
            standalone: is_standalone,
            currency: is_standalone.then(|| "USD".to_owned()),
            ..DataRecord::default()
        });
    }
    records
}

/// Mostly everything; sometimes one account or one currency.
fn any_filter(random: &mut Random, load: &Load) -> RunFilter {
    match random.below(8) {
        0 => RunFilter { account: any_of(random, &load.accounts).map(|one| one.id), ..RunFilter::default() },
        1 => RunFilter { currency: Some(Currency::USD), ..RunFilter::default() },
        _ => RunFilter::default(),
    }
}

/// One of many, if there is any.
pub(crate) fn any_of<'a, T>(random: &mut Random, all: &'a [T]) -> Option<&'a T> {
    all.get(random.index(all.len()))
}
