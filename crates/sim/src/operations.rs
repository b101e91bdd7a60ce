//! What callers ask for while the runs are at work.

use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::account::AccountStatus;
use payment_runs_engine::command::{
    AccountChange, Change, Command, Load, NewCreditMemo, NewDocument, NewPayment, NewPaymentPart, NewRun,
    PaymentMethodChange, RunChange,
};
use payment_runs_engine::document::{Document, DocumentItem, DocumentKind};
use payment_runs_engine::ids::{AccountId, CreditMemoId, DocumentId, Key, PaymentId, RunId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::run::DeletePolicy;
use payment_runs_engine::settings::Settings;

use crate::random::Random;
use crate::world::{any_of, any_records, any_run, day, start};

/// Operations of a schedule at most.
const OPERATIONS_MAX: u64 = 8;

/// Within what time from the start, or from the start of a run, callers ask.
const SOON: Duration = Duration::from_mins(2);

/// The first identifier of what callers create.
const FIRST_ID: u128 = 1 << 99;

/// What a caller asks for.
#[derive(Debug, Clone)]
pub enum What {
    /// An electronic payment, for whose charge the caller waits.
    Pay(NewPayment),
    /// A command that needs nothing more.
    Command(Command),
    /// A person settles what is in doubt, after a look at the bank's books.
    Resolve,
    /// Everything that existed at the start is loaded once more, as when an import is repeated.
    LoadAgain,
}

/// Something that a caller asks for.
#[derive(Debug, Clone)]
pub struct Operation {
    /// When.
    pub at: Timestamp,
    /// Its name in histories.
    pub name: &'static str,
    /// What.
    pub what: What,
}

/// Draws what callers ask for.
pub(crate) fn draw_operations(
    random: &mut Random,
    load: &Load,
    settings: &Settings,
    runs: &[NewRun],
    is_hasty: bool,
) -> Vec<Operation> {
    let count = random.below(OPERATIONS_MAX + 1);
    let one = |ordinal: u64| {
        let mut caller = Caller { random, load, settings, runs, ordinal, is_hasty };
        let at = caller.time()?;
        let (name, what) = caller.ask()?;
        Some(Operation { at, name, what })
    };
    (0..count).filter_map(one).collect()
}

struct Caller<'a> {
    random: &'a mut Random,
    load: &'a Load,
    settings: &'a Settings,
    runs: &'a [NewRun],
    ordinal: u64,
    is_hasty: bool,
}

impl Caller<'_> {
    /// Soon, or soon after a run has started.
    fn time(&mut self) -> Option<Timestamp> {
        let run_at = any_of(self.random, self.runs).and_then(|run| run.run_at);
        let near_run = self.random.happens(500);
        let base = run_at.filter(|_| near_run).unwrap_or_else(start);
        base.checked_add(self.random.pause(Duration::ZERO, SOON)).ok()
    }

    fn id(&self) -> u128 {
        FIRST_ID + u128::from(self.ordinal)
    }

    fn ask(&mut self) -> Option<(&'static str, What)> {
        let command = |name, command| (name, What::Command(command));
        Some(match self.random.below(25) {
            0..=4 => ("pay", What::Pay(self.payment(true)?)),
            5..=6 => command("receive", Command::CreatePayment(self.payment(false)?)),
            7..=8 => command("create-document", Command::CreateDocument(self.document()?)),
            9 => command("create-credit-memo", Command::CreateCreditMemo(self.credit_memo()?)),
            10..=12 => command("create-run", Command::CreateRun(self.run())),
            13..=14 => command("update-run", Command::UpdateRun(self.run_key()?, self.run_change())),
            15 => command("cancel-run", Command::CancelRun(self.run_key()?)),
            16 => command("delete-run", Command::DeleteRun(self.run_key()?, DeletePolicy::CanceledOrPending)),
            17 => command("update-account", self.account_change()?),
            18 => command("update-payment-method", self.method_change()?),
            19..=21 => command("stop-run", Command::StopRun(self.run_key()?)),
            22..=23 => ("resolve", What::Resolve),
            _ => ("load-again", What::LoadAgain),
        })
    }

    fn run_key(&mut self) -> Option<Key> {
        Some(Key::new(any_of(self.random, self.runs)?.id.to_string()))
    }

    fn account(&mut self) -> Option<AccountId> {
        any_of(self.random, &self.load.accounts).map(|one| one.id)
    }

    /// The whole of a document, a part of it, more than it, or nothing of any.
    fn payment(&mut self, electronic: bool) -> Option<NewPayment> {
        let document = any_of(self.random, &self.load.documents)?.clone();
        let (taken, amount_minor) = match self.random.below(10) {
            0..=5 => (Some(document.balance_minor), document.balance_minor),
            6..=7 => {
                let part = self.random.minor(document.balance_minor);
                (Some(part), part)
            }
            8 => (Some(document.balance_minor), document.balance_minor + self.random.minor(200)),
            _ => (None, document.balance_minor),
        };
        Some(NewPayment {
            id: PaymentId::from_u128(self.id()),
            account: Key::new(document.account.to_string()),
            currency: document.currency,
            amount_minor,
            electronic,
            effective_date: day(0),
            payment_method: None,
            gateway: None,
            parts: taken.map(|amount_minor| part_of(&document, amount_minor)).into_iter().collect(),
            comment: None,
            reference_id: Some(format!("operation-{}", self.ordinal)),
            standalone: taken.is_none() && self.random.happens(500),
            charge_request: self.id(),
        })
    }

    fn document(&mut self) -> Option<NewDocument> {
        let account = self.account()?;
        let amount_minor = self.random.minor(500);
        let item = DocumentItem {
            amount_minor,
            tax_minor: 0,
            charge_name: None,
            service_start: None,
            service_end: None,
        };
        Some(NewDocument {
            id: DocumentId::from_u128(self.id()),
            kind: if self.random.happens(700) { DocumentKind::Invoice } else { DocumentKind::DebitMemo },
            number: None,
            account: Key::new(account.to_string()),
            currency: self.random.happens(300).then(|| Currency::from_code("EUR").unwrap_or(Currency::USD)),
            items: vec![item],
            document_date: day(30),
            due_date: Some(day(self.random.between(1, 30))),
            auto_pay: true,
            post: !self.random.happens(200),
            bill_run: None,
            payment_method: None,
            comment: None,
            reason_code: None,
        })
    }

    fn credit_memo(&mut self) -> Option<NewCreditMemo> {
        Some(NewCreditMemo {
            id: CreditMemoId::from_u128(self.id()),
            number: None,
            account: Key::new(self.account()?.to_string()),
            currency: None,
            amount_minor: self.random.minor(400),
            effective_date: day(self.random.between(1, 30)),
            post: true,
            comment: None,
            reason_code: None,
        })
    }

    fn run(&mut self) -> NewRun {
        let mut run = any_run(self.random, self.ordinal, self.load, self.settings);
        run.id = RunId::from_u128(self.id());
        if self.is_hasty {
            run.run_at = None;
        }
        run
    }

    fn run_change(&mut self) -> RunChange {
        let records = self.random.happens(200).then(|| any_records(self.random, self.load));
        RunChange {
            consolidated_payment: Some(self.random.happens(500)),
            target_date: Change::Set(day(self.random.below(10))),
            records,
            ..RunChange::default()
        }
    }

    fn account_change(&mut self) -> Option<Command> {
        let account = Key::new(self.account()?.to_string());
        let change = if self.random.happens(700) {
            AccountChange { auto_pay: Some(self.random.happens(300)), ..AccountChange::default() }
        } else {
            AccountChange { status: Some(AccountStatus::Canceled), ..AccountChange::default() }
        };
        Some(Command::UpdateAccount(account, change))
    }

    fn method_change(&mut self) -> Option<Command> {
        let method = Key::new(any_of(self.random, &self.load.payment_methods)?.id.to_string());
        if self.random.happens(300) {
            return Some(Command::ScrubPaymentMethod(method));
        }
        let change = PaymentMethodChange {
            use_default_retry_rule: Some(false),
            max_consecutive_failures: Change::Set(1),
            ..PaymentMethodChange::default()
        };
        Some(Command::UpdatePaymentMethod(method, change))
    }
}

fn part_of(document: &Document, amount_minor: i64) -> NewPaymentPart {
    NewPaymentPart { kind: document.kind, document: Key::new(document.id.to_string()), amount_minor }
}
