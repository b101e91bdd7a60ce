//! What a run would do: cut, read and planned by the same code as the run itself, over one snapshot, with nothing written.
//!
//! A run's chunks see what the chunks before them wrote. That matters only where an account fills several chunks, so what
//! such an account has used and taken is remembered until its last chunk; the memory needed is that of one chunk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey};
use payment_runs_engine::plan::{ChunkPlan, ChunkView, CreditSource, RunRules, plan_chunk};
use payment_runs_engine::ports::ledger::DecisionPosition;
use payment_runs_engine::ports::{Ids, Preview, PreviewQuery, Previewed, PreviewedDecision};
use payment_runs_engine::run::{Run, RunStatus};
use payment_runs_engine::run_rules::effective_target_date;
use rusqlite::Connection;

use super::chunk::{Piece, RangeKey};
use super::cutter::{Cut, Cutter};
use super::select::{Filter, cut_documents};
use super::view::{self, Range, StoredRecord};
use crate::sqlite::command;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::BlobId;

/// Pieces cut at once; it bounds what is remembered of them.
const PIECES_MAX: usize = 8;
/// Times in a row that a search for documents may stop with none found, which it does after some ten thousand: nearly
/// nothing meets the filters then.
const FRUITLESS_MAX: u32 = 100;

/// Identifiers of payments that exist nowhere.
#[derive(Default)]
struct NoIds(AtomicU64);

impl Ids for NoIds {
    fn next_id(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1
    }
}

/// Answers a preview.
pub(crate) fn preview(db: &Connection, asked: &PreviewQuery) -> Result<Previewed, Failure> {
    let (entity, now) = (asked.scope.entity, asked.now);
    let (draft, accounts) =
        command::draft_run(db, &asked.scope, asked.user, now, &NoIds::default(), &asked.run)?;
    let run = Run { status: RunStatus::Processing, executed_at: Some(now), ..draft };
    let rules = view::rules(db, entity, run.clone())?;
    let source = if run.record_count > 0 {
        Source::Records(in_order(asked, accounts))
    } else {
        Source::Documents(Filter::load(db, entity, &run, now)?)
    };
    let mut stage = Stage::new(db, asked, rules);
    let (mut start, mut inside, mut fruitless) = (RangeKey::origin(), false, 0);
    loop {
        let cutter = Cutter::new(start.clone(), inside, PIECES_MAX, asked.documents_per_chunk);
        let cut = source.cut(db, entity, &start, cutter)?;
        for piece in &cut.pieces {
            stage.plan(piece, source.records(piece))?;
        }
        fruitless = if cut.pieces.is_empty() { fruitless + 1 } else { 0 };
        if cut.is_whole {
            return Ok(Previewed::Plan(stage.preview));
        }
        if stage.documents > asked.documents_max || fruitless >= FRUITLESS_MAX {
            return Ok(Previewed::TooLarge);
        }
        (start, inside) = (cut.start, cut.inside);
    }
}

/// The data records of the run, in the order in which they are cut.
fn in_order(asked: &PreviewQuery, accounts: Vec<Option<AccountId>>) -> Vec<(RangeKey, StoredRecord)> {
    let records = (0_u32..).zip(&asked.run.records).zip(accounts).map(|((position, record), account)| {
        let blob = account.map(|id| id.to_blob().to_vec()).unwrap_or_default();
        let key = RangeKey { account: blob, position: i64::from(position), ..RangeKey::origin() };
        (key, StoredRecord { position, account, record: record.clone() })
    });
    let mut records: Vec<_> = records.collect();
    records.sort_by(|a, b| a.0.cmp(&b.0));
    records
}

/// What the run is cut from.
enum Source<'a> {
    Documents(Filter<'a>),
    Records(Vec<(RangeKey, StoredRecord)>),
}

impl Source<'_> {
    /// Cuts the next pieces.
    fn cut(
        &self,
        db: &Connection,
        entity: EntityKey,
        start: &RangeKey,
        mut cutter: Cutter,
    ) -> Result<Cut, Failure> {
        let records = match self {
            Self::Documents(filter) => return cut_documents(db, entity, filter, start, cutter),
            Self::Records(records) => records,
        };
        let from = records.partition_point(|(key, _)| key <= start);
        for (key, _) in &records[from..] {
            if cutter.push(key.clone()).is_break() {
                return Ok(cutter.stop());
            }
        }
        Ok(cutter.finish())
    }

    /// The data records of a piece; `None` for a run with filters.
    fn records(&self, piece: &Piece) -> Option<Vec<StoredRecord>> {
        let Self::Records(records) = self else { return None };
        let from = records.partition_point(|(key, _)| *key <= piece.after);
        let upto = records.partition_point(|(key, _)| *key <= piece.upto);
        Some(records[from..upto].iter().map(|(_, record)| record.clone()).collect())
    }
}

/// Pieces planned one after the other.
struct Stage<'a> {
    db: &'a Connection,
    asked: &'a PreviewQuery,
    rules: RunRules,
    ids: NoIds,
    /// The next piece's ordinal.
    ordinal: u32,
    /// Documents decided about.
    documents: u64,
    carried: Carried,
    preview: Preview,
}

impl<'a> Stage<'a> {
    fn new(db: &'a Connection, asked: &'a PreviewQuery, rules: RunRules) -> Self {
        let target_date = effective_target_date(&rules.run, &rules.settings, asked.now);
        let preview = Preview { target_date, tallies: BTreeMap::new(), decisions: Vec::new() };
        let (ids, carried) = (NoIds::default(), Carried::default());
        Self { db, asked, rules, ids, ordinal: 0, documents: 0, carried, preview }
    }

    /// Plans a piece as if the pieces before it had been written.
    fn plan(&mut self, piece: &Piece, records: Option<Vec<StoredRecord>>) -> Result<(), Failure> {
        let now: Timestamp = self.asked.now;
        let range = Range { after: &piece.after, upto: &piece.upto };
        let entity = self.asked.scope.entity;
        let mut view = view::read(self.db, entity, self.rules.clone(), range, records, now)?;
        if piece.follows {
            self.carried.put_into(&mut view);
        } else {
            self.carried = Carried::default();
        }
        let plan = plan_chunk(&view, &self.ids);
        self.carried.take_from(&plan, &piece.upto);
        for (currency, tally) in &plan.tallies {
            row::tally::merge(self.preview.tallies.entry(*currency).or_default(), tally)?;
        }
        self.documents += u64::try_from(plan.decisions.len()).unwrap_or(u64::MAX);
        self.keep_page(plan);
        self.ordinal += 1;
        Ok(())
    }

    /// Keeps the decisions that were asked for.
    fn keep_page(&mut self, plan: ChunkPlan) {
        let gateways: BTreeMap<_, _> = plan.payments.iter().map(|one| (one.id, one.gateway)).collect();
        let limit = usize::try_from(self.asked.limit).unwrap_or(usize::MAX);
        for (ordinal, decision) in (0_u32..).zip(plan.decisions) {
            let position = DecisionPosition { chunk: self.ordinal, ordinal };
            let is_asked_for = self.asked.after.is_none_or(|after| position > after);
            if is_asked_for && self.preview.decisions.len() < limit {
                let gateway = decision.payment.and_then(|payment| gateways.get(&payment).copied());
                self.preview.decisions.push(PreviewedDecision { position, decision, gateway });
            }
        }
    }
}

/// What the pieces so far did to the account in which the last one ends.
#[derive(Default)]
struct Carried {
    used: BTreeMap<CreditSource, i64>,
    decided: BTreeSet<DocumentId>,
}

impl Carried {
    /// Shows a piece that goes on inside the account what is left.
    fn put_into(&self, view: &mut ChunkView) {
        let used = |source| self.used.get(&source).copied().unwrap_or_default();
        for account in &mut view.accounts {
            for memo in &mut account.credit_memos {
                memo.unapplied_minor -= used(CreditSource::CreditMemo(memo.id));
            }
            for payment in &mut account.unapplied_payments {
                payment.unapplied_minor -= used(CreditSource::UnappliedPayment(payment.id));
            }
            let balance = CreditSource::CreditBalance(account.account.id);
            account.account.credit_balance_minor -= used(balance);
        }
        view.used = self.used.keys().copied().collect();
        if !view.records.is_empty() {
            view.decided.clone_from(&self.decided);
        }
    }

    /// Remembers what a plan does to the account in which its piece ends.
    fn take_from(&mut self, plan: &ChunkPlan, upto: &RangeKey) {
        let Ok(blob) = <[u8; 16]>::try_from(upto.account.as_slice()) else { return };
        let last = AccountId::from_blob(blob);
        for credit in plan.credit_uses.iter().filter(|credit| credit.account == last) {
            *self.used.entry(credit.source).or_default() += credit.amount_minor;
        }
        let decided = plan.decisions.iter().filter(|decision| decision.account == last);
        self.decided.extend(decided.map(|decision| decision.document));
    }
}
