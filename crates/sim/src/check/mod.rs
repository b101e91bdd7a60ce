//! What must hold when a schedule has ended: the bank's books and ours tell the same story.

mod counters;
mod money;
mod rows;
mod runs;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::Key;
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ledger::PaymentQuery;
use payment_runs_engine::ports::{Ledger, StoreError};
use payment_runs_engine::run::RunStatus;
use payment_runs_store::SqliteStore;

use self::rows::{PENDING, PaymentRow, Rows, UNKNOWN};
use crate::bank::{Bank, Border, Entry, Manners};
use crate::pool::at_once;
use crate::world::{ENTITY, World};

/// Payments in doubt that one schedule has at most.
const IN_DOUBT_MAX: u32 = 1_000;

fn scope() -> Scope {
    Scope::entity(ENTITY)
}

/// How long after its key grew old a payment of unknown outcome has certainly been looked up.
const LOOKED_UP_AFTER: Duration = Duration::from_hours(1);

/// Whether every run has ended and nothing is in doubt that could still be told.
pub fn has_ended(
    store: &SqliteStore,
    world: &World,
    banks: &[Arc<Bank>],
    manners: Manners,
    now: Timestamp,
) -> Result<bool, StoreError> {
    for run in world.run_ids() {
        let run = at_once(store.find_run(&scope(), &Key::new(run.to_string())))?;
        if run.is_some_and(|run| matches!(run.status, RunStatus::Pending | RunStatus::Processing)) {
            return Ok(false);
        }
    }
    let states = vec![PaymentState::Intent, PaymentState::Pending, PaymentState::Unknown];
    let query = PaymentQuery { states, limit: IN_DOUBT_MAX, ..PaymentQuery::default() };
    let in_doubt = at_once(store.list_payments(&scope(), query))?;
    Ok(in_doubt.iter().all(|payment| match payment.state {
        PaymentState::Intent => false,
        _ if !manners.supports_look_up => true,
        PaymentState::Unknown => {
            let looked_up_after = manners.key_life / 2 + LOOKED_UP_AFTER;
            let key = payment.charge_key.as_deref().unwrap_or_default();
            // After a restore a plan may stand under the key of a charge of another amount, which a person must settle.
            let amount_minor = (manners.border == Border::RestoredLedger).then_some(payment.amount_minor);
            now.duration_since(payment.stamps.created_at).unsigned_abs() > looked_up_after
                && banks.iter().all(|bank| bank.cannot_tell(key, amount_minor))
        }
        _ => false,
    }))
}

/// What the checks may rely on.
pub struct Ground<'a> {
    /// What there was at the start.
    pub world: &'a World,
    /// The truth: what the banks have charged.
    pub entries: Vec<Entry>,
    /// The end, by the true clock.
    pub now: Timestamp,
    /// Whether the bank could be asked about charges.
    pub supports_look_up: bool,
    /// Whether the ledger may have been restored from an older copy.
    pub may_be_restored: bool,
}

/// Our books and the bank's, as they stand at the end.
struct Books<'a> {
    ground: &'a Ground<'a>,
    rows: Rows,
    violations: Vec<String>,
}

/// Everything that is wrong with a database that nobody has open.
pub fn check_books(path: &Path, ground: &Ground<'_>) -> Result<Vec<String>, rusqlite::Error> {
    let mut books = Books { ground, rows: Rows::read(path)?, violations: Vec::new() };
    if books.rows.integrity != "ok" {
        books.fail(format!("the database is damaged: {}", books.rows.integrity));
    }
    books.check_charges();
    books.check_payments();
    books.check_documents();
    books.check_credits();
    books.check_methods();
    books.check_runs();
    books.check_events();
    books.check_counters();
    Ok(books.violations)
}

impl Books<'_> {
    fn fail(&mut self, violation: String) {
        self.violations.push(violation);
    }

    fn fail_all(&mut self, violations: Vec<String>) {
        self.violations.extend(violations);
    }

    /// Whether a payment may stay in doubt: where nobody can be asked, where no charge was made, or where a wrong one was.
    fn may_be_in_doubt(&self, payment: &PaymentRow) -> bool {
        let amount_minor = self.ground.may_be_restored.then_some(payment.amount);
        let key = payment.key.as_deref().unwrap_or_default();
        let can_be_told = self.ground.supports_look_up
            && self.ground.entries.iter().any(|entry| entry.is_right(key, amount_minor));
        match payment.state {
            UNKNOWN => !can_be_told,
            PENDING => !self.ground.supports_look_up || payment.bars_delivery,
            _ => false,
        }
    }
}
