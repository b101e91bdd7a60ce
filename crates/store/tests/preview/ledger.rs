//! Random ledgers: what can stand in the way of a payment, and what can pay without one, mixed by a seed.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::account::{Account, AccountStatus, GatewayConfig, RetryRule, Stamps};
use payment_runs_engine::command::{Load, NewRun};
use payment_runs_engine::document::{CreditMemo, Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{
    AccountId, BillRunId, CreditMemoId, DocumentId, GatewayId, Key, PaymentId, PaymentMethodId, RunId, UserId,
};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentKind, PaymentState};
use payment_runs_engine::payment_method::{
    Instrument, PaymentMethod, PaymentMethodKind, PaymentMethodStatus,
};
use payment_runs_engine::run::{DataRecord, RunFilter, RunOptions};
use payment_runs_engine::settings::Settings;

/// Who does everything here.
pub(crate) const USER: UserId = UserId::from_u128(1);
const CODES: [&str; 4] = ["USD", "EUR", "JPY", "KWD"];

/// Random numbers that are the same for a seed in every build.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x6A09_E667_F3BC_C908)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    /// Whether something happens that does so this often in a hundred times.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn minor(&mut self, end: u64) -> i64 {
        i64::try_from(self.below(end)).unwrap()
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(all.len() as u64)).unwrap();
        all.get(index)
    }
}

/// The time of everything.
pub(crate) fn now() -> Timestamp {
    "2026-03-02T02:30:00Z".parse().unwrap()
}

/// A start on the hour in every zone of the settings.
fn on_the_hour() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

fn day(random: &mut Random) -> Date {
    // Around the target date, which is the 1st of March or the day of the run.
    date(2026, 2, 26).checked_add(jiff::Span::new().days(random.minor(6))).unwrap()
}

fn currency(random: &mut Random) -> Currency {
    Currency::from_code(random.pick(&CODES).unwrap()).unwrap()
}

/// What stands in the database before the run, and the run.
pub(crate) struct Ledger {
    pub(crate) settings: Settings,
    pub(crate) load: Load,
    pub(crate) run: NewRun,
    pub(crate) documents_per_chunk: usize,
}

struct Maker {
    random: Random,
    next: u128,
    load: Load,
}

/// The ledger of a seed. Identifiers begin at `first_id` and are fewer than a million.
pub(crate) fn make(seed: u64, first_id: u128) -> Ledger {
    let mut maker = Maker { random: Random::new(seed), next: first_id, load: Load::default() };
    let settings = maker.settings();
    maker.gateways();
    for _ in 0..=maker.random.below(5) {
        maker.account();
    }
    let run = maker.run(settings.invoice_settlement);
    let documents_per_chunk = usize::try_from(1 + maker.random.below(6)).unwrap();
    Ledger { settings, load: maker.load, run, documents_per_chunk }
}

impl Maker {
    fn id(&mut self) -> u128 {
        self.next += 1;
        self.next
    }

    fn retry_rule(&mut self) -> RetryRule {
        let random = &mut self.random;
        RetryRule {
            max_consecutive_failures: random.chance(25).then(|| 1 + u32::try_from(random.below(4)).unwrap()),
            retry_window_hours: random.chance(25).then(|| 1 + u32::try_from(random.below(48)).unwrap()),
        }
    }

    fn settings(&mut self) -> Settings {
        let zone = *self.random.pick(&["UTC", "America/Los_Angeles", "Asia/Tokyo"]).unwrap();
        Settings {
            time_zone: zone.to_owned(),
            retry_rule: self.retry_rule(),
            invoice_settlement: self.random.chance(75),
            ..Settings::default()
        }
    }

    fn gateways(&mut self) {
        let default = if self.random.chance(93) { self.random.below(3) } else { 9 };
        for index in 0..3 {
            let id = self.id();
            self.load.gateways.push(GatewayConfig {
                id: GatewayId::from_u128(id),
                name: format!("Gateway {id}"),
                kind: "stripe".to_owned(),
                is_active: self.random.chance(90),
                is_default: index == default,
            });
        }
    }

    fn account(&mut self) {
        let id = AccountId::from_u128(self.id());
        let first_method = self.load.payment_methods.len();
        let methods = if self.random.chance(93) { 1 + self.random.below(3) } else { 0 };
        for _ in 0..methods {
            self.method(id);
        }
        let methods: Vec<_> = self.load.payment_methods[first_method..].iter().map(|one| one.id).collect();
        let random = &mut self.random;
        let gateway = random.chance(30).then(|| random.pick(&self.load.gateways).unwrap().id);
        let account = Account {
            id,
            number: format!("A-{id}"),
            name: "Customer".to_owned(),
            currency: currency(random),
            auto_pay: random.chance(93),
            batch: random.chance(50).then(|| "Batch1".to_owned()),
            bill_cycle_day: if random.chance(50) { 31 } else { 1 },
            gateway,
            default_payment_method: random.pick(&methods).copied(),
            status: if random.chance(95) { AccountStatus::Active } else { AccountStatus::Canceled },
            organization: None,
            credit_balance_minor: random.minor(900),
            stamps: Stamps::new(now(), USER),
        };
        for _ in 0..self.random.below(16) {
            self.document(&account, &methods);
        }
        for _ in 0..self.random.below(4) {
            self.memo(&account);
        }
        for _ in 0..self.random.below(3) {
            self.payment(&account);
        }
        self.load.accounts.push(account);
    }

    fn method(&mut self, account: AccountId) {
        let id = self.id();
        let kinds = [PaymentMethodKind::Ach, PaymentMethodKind::Sepa, PaymentMethodKind::Other];
        let statuses = [PaymentMethodStatus::Closed, PaymentMethodStatus::Scrubbed];
        let retry_rule = self.retry_rule();
        let random = &mut self.random;
        let failures = if random.chance(40) { u32::try_from(random.below(4)).unwrap() } else { 0 };
        let hours = random.minor(60);
        let is_card = random.chance(88);
        let is_active = random.chance(85);
        self.load.payment_methods.push(PaymentMethod {
            id: PaymentMethodId::from_u128(id),
            account: Some(account),
            kind: if is_card { PaymentMethodKind::CreditCard } else { *random.pick(&kinds).unwrap() },
            kind_name: "CreditCard".to_owned(),
            status: if is_active { PaymentMethodStatus::Active } else { *random.pick(&statuses).unwrap() },
            instrument: Instrument {
                token: random.chance(97).then(|| format!("tok_{id}")),
                ..Instrument::default()
            },
            use_default_retry_rule: random.chance(60),
            retry_rule,
            consecutive_failures: failures,
            last_failed_at: (failures > 0 || random.chance(20))
                .then(|| now().checked_sub(SignedDuration::from_hours(hours)).unwrap()),
            last_transaction_at: None,
            last_transaction: None,
            processed_payments: 0,
            error_payments: failures,
            stamps: Stamps::new(now(), USER),
        });
    }

    fn document(&mut self, account: &Account, methods: &[PaymentMethodId]) {
        let id = self.id();
        let random = &mut self.random;
        let balance_minor = random.minor(500);
        let paid_minor = random.minor(50);
        let own = random.pick(methods).copied().filter(|_| random.chance(30));
        self.load.documents.push(Document {
            id: DocumentId::from_u128(id),
            number: format!("D-{id}"),
            kind: if random.chance(70) { DocumentKind::Invoice } else { DocumentKind::DebitMemo },
            account: account.id,
            status: if random.chance(95) { DocumentStatus::Posted } else { DocumentStatus::Draft },
            currency: if random.chance(80) { account.currency } else { currency(random) },
            amount_minor: balance_minor + paid_minor,
            balance_minor,
            paid_minor,
            credited_minor: 0,
            document_date: date(2026, 1, 1),
            due_date: day(random),
            auto_pay: random.chance(92),
            bill_run: random.chance(50).then(|| BillRunId::from_u128(7)),
            payment_method: own,
            held_by: random.chance(6).then(|| PaymentId::from_u128(id)),
            comment: None,
            reason_code: None,
            posted_at: Some(if random.chance(97) { now() } else { now() + SignedDuration::from_secs(1) }),
            stamps: Stamps::new(now(), USER),
        });
    }

    fn memo(&mut self, account: &Account) {
        let id = self.id();
        let random = &mut self.random;
        let unapplied_minor = random.minor(700);
        self.load.credit_memos.push(CreditMemo {
            id: CreditMemoId::from_u128(id),
            number: format!("CM-{id}"),
            account: account.id,
            status: if random.chance(90) { DocumentStatus::Posted } else { DocumentStatus::Draft },
            currency: if random.chance(85) { account.currency } else { currency(random) },
            amount_minor: unapplied_minor + random.minor(2) * 100,
            unapplied_minor,
            effective_date: day(random),
            reason_code: None,
            comment: None,
            stamps: Stamps::new(now(), USER),
        });
    }

    fn payment(&mut self, account: &Account) {
        let id = self.id();
        let random = &mut self.random;
        let unapplied_minor = 1 + random.minor(600);
        self.load.payments.push(Payment {
            id: PaymentId::from_u128(id),
            number: format!("P-{id}"),
            account: account.id,
            run: None,
            kind: PaymentKind::External,
            state: PaymentState::Processed,
            currency: account.currency,
            amount_minor: unapplied_minor + random.minor(2) * 100,
            unapplied_minor,
            payment_method: None,
            gateway: None,
            charge_key: None,
            answer: GatewayAnswer::default(),
            effective_date: day(random),
            reference_id: None,
            comment: None,
            standalone: random.chance(10),
            settled_at: Some(now()),
            parts: Vec::new(),
            stamps: Stamps::new(now(), USER),
        });
    }

    fn run(&mut self, is_settled: bool) -> NewRun {
        let id = RunId::from_u128(self.id());
        let with_credits = self.random.chance(60);
        let random = &mut self.random;
        let options = RunOptions {
            apply_credit_balance: with_credits && !is_settled,
            auto_apply_credit_memo: with_credits && is_settled,
            auto_apply_unapplied_payment: random.chance(70) && with_credits && is_settled,
            collect_payment: random.chance(85),
            consolidated_payment: random.chance(40),
            process_payment_with_closed_pm: random.chance(30),
            use_custom_payment_methods: [None, Some(true), Some(false)][random.below(3) as usize],
            ignore_retry_rule: random.chance(25),
        };
        let records = if random.chance(35) { self.records() } else { Vec::new() };
        let filter = if records.is_empty() { self.filter() } else { RunFilter::default() };
        let random = &mut self.random;
        // A scheduled run may leave the target date to its day, which is another one in another time zone.
        let is_scheduled = random.chance(25);
        NewRun {
            id,
            filter,
            options,
            target_date: (!is_scheduled).then(|| date(2026, 3, 1)),
            run_at: is_scheduled.then(on_the_hour),
            organizations: Vec::new(),
            records,
        }
    }

    fn filter(&mut self) -> RunFilter {
        let random = &mut self.random;
        if random.chance(15) {
            let account = random.pick(&self.load.accounts).map(|account| account.id);
            return RunFilter { account, ..RunFilter::default() };
        }
        RunFilter {
            account: None,
            batch: random.chance(10).then(|| "Batch1".to_owned()),
            bill_cycle_day: random.chance(10).then_some(31),
            bill_run: random.chance(10).then(|| BillRunId::from_u128(7)),
            currency: random.chance(10).then(|| Currency::from_code("USD").unwrap()),
            gateway: random.chance(12).then(|| random.pick(&self.load.gateways).unwrap().id),
        }
    }

    fn records(&mut self) -> Vec<DataRecord> {
        (0..=self.random.below(14)).map(|_| self.record()).collect()
    }

    /// A record for a document, an account or a standalone payment; sometimes of nonsense.
    fn record(&mut self) -> DataRecord {
        let random = &mut self.random;
        let account = random.pick(&self.load.accounts).unwrap();
        let of_account: Vec<&Document> =
            self.load.documents.iter().filter(|one| one.account == account.id).collect();
        let document = random.pick(&of_account).copied().filter(|_| random.chance(75));
        let standalone = document.is_none() && random.chance(25);
        let places = u32::from(document.map_or(account.currency, |one| one.currency).exponent());
        let amount = (standalone || (document.is_some() && random.chance(50)))
            .then(|| (1 + random.minor(150), if random.chance(95) { places } else { 4 }));
        let by_number = random.chance(50);
        let key = |id: String, number: &str| if by_number { number.to_owned() } else { id };
        DataRecord {
            account: random.chance(97).then(|| Key::new(key(account.id.to_string(), &account.number))),
            account_is_number: by_number,
            document_kind: document.map(|one| one.kind),
            document: document.map(|one| Key::new(key(one.id.to_string(), &one.number))),
            document_is_number: by_number,
            amount,
            payment_method: random.chance(25).then(|| {
                let own = account.default_payment_method.filter(|_| random.chance(80));
                let any = || random.pick(&self.load.payment_methods).map(|one| one.id);
                Key::new(own.or_else(any).map_or_else(|| "nothing".to_owned(), |id| id.to_string()))
            }),
            gateway: random
                .chance(20)
                .then(|| Key::new(random.pick(&self.load.gateways).unwrap().id.to_string())),
            comment: None,
            standalone,
            currency: (standalone && random.chance(70)).then(|| account.currency.code().to_owned()),
            custom_fields: std::collections::BTreeMap::new(),
            fault: None,
        }
    }
}
