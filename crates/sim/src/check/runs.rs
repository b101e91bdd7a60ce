//! Runs, their decisions, and the record of what happened.

use std::collections::{BTreeMap, BTreeSet};

use super::Books;
use super::rows::{
    CANCELED, DocumentRow, EVENT_CHUNK_PLANNED, EVENT_PAYMENT_CREATED, EVENT_PAYMENT_RESOLVED,
    EVENT_PAYMENT_SETTLED, EVENT_RUN_CREATED, EVENT_RUN_STARTED, EVENT_RUN_STOPPED, Id, PROCESSED, RunRow,
};

/// The codes of a run's statuses.
const RUN_PENDING: i64 = 0;
const RUN_COMPLETED: i64 = 2;
const RUN_ERROR: i64 = 3;
const RUN_CANCELED: i64 = 4;

/// More than a schedule's clock is set back.
const CLOCK_SLACK_MS: i64 = 24 * 3_600 * 1_000;

/// The code of a posted document.
const POSTED: i64 = 1;

impl Books<'_> {
    /// Every run has ended and has decided once about each document that was its to decide about.
    pub(super) fn check_runs(&mut self) {
        let mut wrong = Vec::new();
        let mut decided: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
        for decision in &self.rows.decisions {
            if !decided.entry(decision.run).or_default().insert(decision.document) {
                wrong.push(format!("a run has decided twice about a document ({:?})", decision.document));
            }
            let planned = decision.payment.and_then(|id| self.rows.payments.get(&id));
            let part = planned.map(|one| {
                one.parts.iter().filter(|part| part.0 == decision.document).map(|part| part.1).sum::<i64>()
            });
            if part.unwrap_or_default() != decision.charge {
                wrong.push(format!("{} was to be charged, but {part:?} is in the payment", decision.charge));
            }
        }
        let none = BTreeSet::new();
        for run in &self.rows.runs {
            let number = &run.number;
            let is_over = match run.status {
                RUN_COMPLETED => !run.is_stopping,
                RUN_CANCELED => true,
                RUN_ERROR => self.took_nothing(run),
                RUN_PENDING => run.is_deleted,
                _ => false,
            };
            if !is_over {
                wrong.push(format!("{number} has ended in status {}", run.status));
            }
            if run.chunks.0 != run.chunks.1 {
                wrong.push(format!("{number} has ended with {:?} chunks done", run.chunks));
            }
            let decided = decided.get(&run.id).unwrap_or(&none);
            // A document that was posted in the very millisecond in which the run began may be found when its chunk is
            // planned, but not yet when it was cut.
            let count = decided.iter().filter(|id| self.is_loaded(id)).count();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            if run.record_count == 0 && count > run.documents_selected {
                wrong.push(format!("{number} has selected {} and decided {count}", run.documents_selected));
            }
            wrong.extend(self.check_overlooked(run, decided));
        }
        self.fail_all(wrong);
    }

    /// A completed run with filters has decided about every document that meets them, unless somebody else has paid it
    /// meanwhile: a document that is still owed was owed when its turn came.
    fn check_overlooked(&self, run: &RunRow, decided: &BTreeSet<Id>) -> Option<String> {
        let target =
            run.target_date.as_deref().filter(|_| run.record_count == 0 && run.status == RUN_COMPLETED)?;
        let meets = |one: &&DocumentRow| {
            one.status == POSTED
                && one.balance > 0
                && one.due_date.as_str() <= target
                && one.posted_at.zip(run.executed_at).is_some_and(|(posted, began)| {
                    // What came while the run began may be of either side, and the clock may have been set back meanwhile.
                    let slack = if self.is_loaded(&one.id) { 0 } else { CLOCK_SLACK_MS };
                    posted + slack <= began
                })
                && run.filter_account.is_none_or(|id| id == one.account)
                && run.filter_currency.as_ref().is_none_or(|currency| *currency == one.currency)
        };
        let mut overlooked =
            self.rows.documents.iter().filter(meets).filter(|one| !decided.contains(&one.id));
        overlooked.next().map(|one| format!("{} has overlooked {}", run.number, one.number))
    }

    /// Whether no payment of a run could be sent.
    fn took_nothing(&self, run: &RunRow) -> bool {
        let mut payments = self.rows.payments.values().filter(|one| one.run == Some(run.id)).peekable();
        payments.peek().is_some() && payments.all(|one| one.state == CANCELED)
    }

    fn is_loaded(&self, document: &Id) -> bool {
        self.ground.world.load.documents.iter().any(|one| one.id.to_bytes() == *document)
    }

    /// What happened to payments and runs is on record, each thing once.
    pub(super) fn check_events(&mut self) {
        let mut wrong = Vec::new();
        let events = &self.rows.events;
        let mut settled: BTreeMap<(Id, i64), u32> = BTreeMap::new();
        let mut created: BTreeMap<Id, u32> = BTreeMap::new();
        for event in events {
            let Some(payment) = event.payment else { continue };
            match event.kind {
                EVENT_PAYMENT_SETTLED if event.has_detail && event.state >= Some(PROCESSED) => {
                    wrong.push("an outcome came that contradicts what was recorded".to_owned());
                }
                // An alarm about what the gateway reports.
                EVENT_PAYMENT_SETTLED if event.has_detail => {}
                EVENT_PAYMENT_SETTLED | EVENT_PAYMENT_RESOLVED => {
                    *settled.entry((payment, event.state.unwrap_or(-1))).or_default() += 1;
                }
                EVENT_PAYMENT_CREATED => *created.entry(payment).or_default() += 1,
                _ => {}
            }
        }
        let loaded: BTreeSet<Id> =
            self.ground.world.load.payments.iter().map(|one| one.id.to_bytes()).collect();
        for payment in self.rows.payments.values().filter(|one| !loaded.contains(&one.id)) {
            let times = |state: i64| settled.get(&(payment.id, state)).copied().unwrap_or_default();
            let finals: u32 = (PROCESSED..=CANCELED).map(times).sum();
            let is_settled = payment.is_electronic && !payment.is_in_doubt();
            if finals != u32::from(is_settled) {
                wrong.push(format!("{} has {finals} records of its outcome", payment.number));
            }
            if is_settled && times(payment.state) != 1 {
                wrong.push(format!("{}: its outcome is not the recorded one", payment.number));
            }
            let creations = created.get(&payment.id).copied().unwrap_or_default();
            if creations != u32::from(payment.run.is_none()) {
                wrong.push(format!("{} has {creations} records of its creation", payment.number));
            }
        }
        wrong.extend(self.check_run_events());
        self.fail_all(wrong);
    }

    fn check_run_events(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for run in &self.rows.runs {
            let of_run = || self.rows.events.iter().filter(|event| event.run == Some(run.id));
            let count = |kind: i64| of_run().filter(|event| event.kind == kind).count();
            if count(EVENT_RUN_CREATED) != 1 {
                wrong.push(format!(
                    "{} has {} records of its creation",
                    run.number,
                    count(EVENT_RUN_CREATED)
                ));
            }
            if count(EVENT_RUN_STARTED) != usize::from(run.executed_at.is_some()) {
                wrong.push(format!("{} has {} records of its start", run.number, count(EVENT_RUN_STARTED)));
            }
            let is_stopped = run.is_stopping && run.status == RUN_CANCELED;
            if count(EVENT_RUN_STOPPED) != usize::from(is_stopped) {
                wrong.push(format!("{} has {} records of its stop", run.number, count(EVENT_RUN_STOPPED)));
            }
            let planned: Vec<_> =
                of_run().filter(|event| event.kind == EVENT_CHUNK_PLANNED).map(|event| event.chunk).collect();
            let distinct: BTreeSet<_> = planned.iter().collect();
            if distinct.len() != planned.len() {
                wrong.push(format!("a chunk of {} was planned twice", run.number));
            }
        }
        wrong
    }
}
