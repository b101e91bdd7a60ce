//! What must hold when a schedule has ended: the bank's books and ours tell the same story.

use std::collections::BTreeMap;

use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::{AccountId, DocumentId, Key, PaymentId, RunId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{Payment, PaymentKind, PaymentState};
use payment_runs_engine::ports::ledger::{DecisionQuery, PaymentQuery};
use payment_runs_engine::ports::{Ledger, StoreError};
use payment_runs_engine::run::{Count, Decision, RunStatus, Tallies, Tally};
use payment_runs_store::SqliteStore;

use crate::bank::{Bank, Entry};
use crate::pool::at_once;
use crate::world::{ENTITY, World};

/// More than any schedule writes.
const ROWS_MAX: u32 = 10_000;

fn scope() -> Scope {
    Scope::entity(ENTITY)
}

/// Whether every run has ended and nothing is in doubt that could still be told.
pub fn has_ended(store: &SqliteStore, world: &World, supports_look_up: bool) -> Result<bool, StoreError> {
    for run in &world.runs {
        let run = at_once(store.find_run(&scope(), &Key::new(run.id.to_string())))?;
        if run.is_some_and(|run| matches!(run.status, RunStatus::Pending | RunStatus::Processing)) {
            return Ok(false);
        }
    }
    let states = if supports_look_up {
        vec![PaymentState::Intent, PaymentState::Pending, PaymentState::Unknown]
    } else {
        vec![PaymentState::Intent]
    };
    let query = PaymentQuery { states, limit: ROWS_MAX, ..PaymentQuery::default() };
    Ok(at_once(store.list_payments(&scope(), query))?.is_empty())
}

/// Our books and the bank's, as they stand at the end.
struct Books {
    payments: BTreeMap<PaymentId, Payment>,
    decisions: BTreeMap<RunId, Vec<Decision>>,
    entries: Vec<Entry>,
    now: Timestamp,
    supports_look_up: bool,
    violations: Vec<String>,
}

/// Everything that is wrong.
pub fn check_books(
    store: &SqliteStore,
    world: &World,
    bank: &Bank,
    now: Timestamp,
    supports_look_up: bool,
) -> Result<Vec<String>, StoreError> {
    let mut books = Books {
        payments: read_payments(store)?,
        decisions: read_decisions(store, world)?,
        entries: bank.entries(),
        now,
        supports_look_up,
        violations: Vec::new(),
    };
    books.check_charges();
    books.check_payments();
    books.check_documents(store, world)?;
    books.check_credits(store, world)?;
    books.check_runs(store, world)?;
    Ok(books.violations)
}

fn read_payments(store: &SqliteStore) -> Result<BTreeMap<PaymentId, Payment>, StoreError> {
    let query = PaymentQuery { limit: ROWS_MAX, ..PaymentQuery::default() };
    let mut payments = BTreeMap::new();
    for listed in at_once(store.list_payments(&scope(), query))? {
        let whole = at_once(store.find_payment(&scope(), &Key::new(listed.id.to_string())))?;
        payments.insert(listed.id, whole.unwrap_or(listed));
    }
    Ok(payments)
}

fn read_decisions(store: &SqliteStore, world: &World) -> Result<BTreeMap<RunId, Vec<Decision>>, StoreError> {
    let mut decisions = BTreeMap::new();
    for run in &world.runs {
        let query = DecisionQuery { limit: ROWS_MAX, ..DecisionQuery::default() };
        let listed = at_once(store.list_decisions(ENTITY, run.id, query))?;
        decisions.insert(run.id, listed.into_iter().map(|(_, decision)| decision).collect());
    }
    Ok(decisions)
}

impl Books {
    fn fail(&mut self, violation: String) {
        self.violations.push(violation);
    }

    /// Whether a payment may stay in doubt: only where nobody can be asked.
    fn may_be_in_doubt(&self, payment: &Payment) -> bool {
        !self.supports_look_up && matches!(payment.state, PaymentState::Pending | PaymentState::Unknown)
    }

    /// Every approved charge has its one processed payment.
    fn check_charges(&mut self) {
        let mut approved: BTreeMap<String, u32> = BTreeMap::new();
        for entry in self.entries.clone() {
            if !entry.is_approved(self.now) {
                continue;
            }
            let times = approved.entry(entry.reference.clone()).or_default();
            *times += 1;
            if *times == 2 {
                self.fail(format!("payment {} was charged twice", entry.reference));
            }
            let payment =
                entry.reference.parse().ok().and_then(|id: PaymentId| self.payments.get(&id).cloned());
            match payment {
                None => self.fail(format!("an approved charge is lost: {} has no payment", entry.reference)),
                Some(payment) => self.check_charge(&entry, &payment),
            }
        }
    }

    fn check_charge(&mut self, entry: &Entry, payment: &Payment) {
        if payment.state != PaymentState::Processed && !self.may_be_in_doubt(payment) {
            self.fail(format!("an approved charge is lost: {} is {:?}", payment.number, payment.state));
        }
        let is_same = payment.amount_minor == entry.amount_minor && payment.currency.code() == entry.currency;
        if !is_same || entry.token != format!("tok_{}", payment.account.as_u128()) {
            self.fail(format!("{} is not what was charged: {entry:?}", payment.number));
        }
    }

    /// Every processed electronic payment was charged, and nothing stays in doubt without need.
    fn check_payments(&mut self) {
        for payment in self.payments.values().cloned().collect::<Vec<_>>() {
            let reference = payment.id.to_string();
            let is_charged =
                self.entries.iter().any(|one| one.reference == reference && one.is_approved(self.now));
            if payment.kind == PaymentKind::Electronic
                && payment.state == PaymentState::Processed
                && !is_charged
            {
                self.fail(format!("{} is processed, but nothing was charged", payment.number));
            }
            if payment.state.is_in_doubt() && !self.may_be_in_doubt(&payment) {
                self.fail(format!("{} is still {:?}", payment.number, payment.state));
            }
            let parts: i64 = payment.parts.iter().map(|part| part.amount_minor).sum();
            if payment.kind == PaymentKind::Electronic && !payment.standalone && parts != payment.amount_minor
            {
                self.fail(format!("the parts of {} do not add up", payment.number));
            }
        }
    }

    /// What a document has lost is what payments and credits have given, and never more than it was.
    fn check_documents(&mut self, store: &SqliteStore, world: &World) -> Result<(), StoreError> {
        for before in &world.load.documents {
            let key = Key::new(before.id.to_string());
            let Some(after) = at_once(store.find_document(&scope(), before.kind, &key))? else {
                self.fail(format!("{} is gone", before.number));
                continue;
            };
            let paid = self.charged(before.id);
            let credited: i64 = self
                .decisions
                .values()
                .flatten()
                .filter(|one| one.document == before.id)
                .map(|one| one.credit_minor)
                .sum();
            let taken = after.paid_minor + after.credited_minor;
            if after.balance_minor < 0 || after.balance_minor + taken != after.amount_minor {
                self.fail(format!("the balance of {} does not add up: {after:?}", before.number));
            }
            if taken != paid + credited {
                self.fail(format!(
                    "{} has taken {taken}, but was given {paid} and {credited}",
                    before.number
                ));
            }
            let holder = after.held_by.and_then(|id| self.payments.get(&id));
            if after.held_by.is_some() && !holder.is_some_and(|payment| self.may_be_in_doubt(payment)) {
                self.fail(format!("{} is still held by {:?}", before.number, after.held_by));
            }
        }
        Ok(())
    }

    /// What charges give to a document. Older payments that a run applied count as its credits.
    fn charged(&self, document: DocumentId) -> i64 {
        let payments = self.payments.values().filter(|one| one.kind == PaymentKind::Electronic);
        let payments = payments.filter(|one| one.state == PaymentState::Processed);
        let parts = payments.flat_map(|one| &one.parts).filter(|part| part.document == document);
        parts.map(|part| part.amount_minor).sum()
    }

    /// What credits have lost is what documents were given, by account and currency.
    fn check_credits(&mut self, store: &SqliteStore, world: &World) -> Result<(), StoreError> {
        let mut used: BTreeMap<(AccountId, Currency), i64> = BTreeMap::new();
        for memo in &world.load.credit_memos {
            let after = at_once(store.find_credit_memo(&scope(), &Key::new(memo.id.to_string())))?;
            let left = after.map_or(0, |one| one.unapplied_minor);
            *used.entry((memo.account, memo.currency)).or_default() += memo.unapplied_minor - left;
            if !(0..=memo.unapplied_minor).contains(&left) {
                self.fail(format!("{left} is left of {}", memo.number));
            }
        }
        for payment in &world.load.payments {
            let left = self.payments.get(&payment.id).map_or(0, |one| one.unapplied_minor);
            *used.entry((payment.account, payment.currency)).or_default() += payment.unapplied_minor - left;
            if !(0..=payment.unapplied_minor).contains(&left) {
                self.fail(format!("{left} is left of {}", payment.number));
            }
        }
        for account in &world.load.accounts {
            let after = at_once(store.find_account(&scope(), &Key::new(account.id.to_string())))?;
            let left = after.map_or(0, |one| one.credit_balance_minor);
            *used.entry((account.id, account.currency)).or_default() += account.credit_balance_minor - left;
            if !(0..=account.credit_balance_minor).contains(&left) {
                self.fail(format!("{left} is left of the credit balance of {}", account.number));
            }
        }
        let mut given: BTreeMap<(AccountId, Currency), i64> = BTreeMap::new();
        for one in self.decisions.values().flatten() {
            *given.entry((one.account, one.currency)).or_default() += one.credit_minor;
        }
        used.retain(|_, amount| *amount != 0);
        given.retain(|_, amount| *amount != 0);
        if used != given {
            self.fail(format!("credits used are {used:?}, but documents were given {given:?}"));
        }
        Ok(())
    }

    /// Every run has ended, has decided once about each document, and has counted right.
    fn check_runs(&mut self, store: &SqliteStore, world: &World) -> Result<(), StoreError> {
        for run in &world.runs {
            let found = at_once(store.find_run(&scope(), &Key::new(run.id.to_string())))?;
            let status = found.map(|run| run.status);
            if status != Some(RunStatus::Completed) {
                self.fail(format!("run {} is {status:?}", run.id));
            }
            let decisions = self.decisions.get(&run.id).cloned().unwrap_or_default();
            let mut documents: Vec<_> = decisions.iter().map(|one| one.document).collect();
            documents.sort_unstable();
            if documents.windows(2).any(|pair| pair[0] == pair[1]) {
                self.fail(format!("run {} has decided twice about a document", run.id));
            }
            let mut counted = at_once(store.run_tallies(ENTITY, run.id))?;
            self.check_records(run.id, run.records.len(), &mut counted);
            let expected = self.recount(run.id, &decisions);
            counted.retain(|_, tally| *tally != Tally::default());
            if counted != expected {
                self.fail(format!("run {} counts {counted:?}, but the books say {expected:?}", run.id));
            }
        }
        Ok(())
    }

    /// Every data record is counted once; one that waits for a payment in doubt is not counted yet.
    fn check_records(&mut self, run: RunId, records: usize, tallies: &mut Tallies) {
        let told: i64 = tallies.values().map(|one| one.processed_records + one.error_records).sum();
        let waits = self.payments.values().any(|one| one.run == Some(run) && one.state.is_in_doubt());
        let records = i64::try_from(records).unwrap_or(i64::MAX);
        if told > records || (told < records && !waits) {
            self.fail(format!("run {run} has counted {told} of {records} records"));
        }
        for tally in tallies.values_mut() {
            (tally.processed_records, tally.error_records) = (0, 0);
            // How many credits were used is not in the decisions; their amounts are.
            for count in [&mut tally.credit_memos, &mut tally.unapplied_payments, &mut tally.credit_balance] {
                count.number = 0;
            }
            tally.credit_memos.amount_minor +=
                tally.unapplied_payments.amount_minor + tally.credit_balance.amount_minor;
            (tally.unapplied_payments, tally.credit_balance) = (Count::default(), Count::default());
        }
    }

    /// A run's counters as its decisions and payments tell them. All credits count as credit memos here.
    fn recount(&self, run: RunId, decisions: &[Decision]) -> Tallies {
        let mut tallies = Tallies::new();
        let add = |count: &mut Count, amount_minor: i64| {
            count.number += 1;
            count.amount_minor += amount_minor;
        };
        let payments: Vec<_> = self.payments.values().filter(|one| one.run == Some(run)).collect();
        for payment in &payments {
            let tally = tallies.entry(payment.currency).or_default();
            match payment.state {
                PaymentState::Processed => add(&mut tally.payments, payment.amount_minor),
                PaymentState::Declined => add(&mut tally.errors, payment.amount_minor),
                PaymentState::Canceled => {}
                _ => add(&mut tally.processing, payment.amount_minor),
            }
        }
        for one in decisions {
            let tally = tallies.entry(one.currency).or_default();
            tally.credit_memos.amount_minor += one.credit_minor;
            if one.skipped.is_some() {
                tally.skipped += 1;
                continue;
            }
            let processed = payments.iter().filter(|payment| payment.state == PaymentState::Processed);
            let parts = processed.flat_map(|payment| &payment.parts);
            let paid: i64 =
                parts.filter(|part| part.document == one.document).map(|part| part.amount_minor).sum();
            let (picked, rest) = match one.kind {
                DocumentKind::Invoice => (&mut tally.invoices, &mut tally.unprocessed_invoices),
                DocumentKind::DebitMemo => (&mut tally.debit_memos, &mut tally.unprocessed_debit_memos),
            };
            add(picked, one.balance_minor);
            let rest_minor = one.balance_minor - one.credit_minor - paid;
            if rest_minor != 0 {
                add(rest, rest_minor);
            }
        }
        tallies.retain(|_, tally| *tally != Tally::default());
        tallies
    }
}
