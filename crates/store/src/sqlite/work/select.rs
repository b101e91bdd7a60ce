//! The selection: a run is cut once into chunks. Nothing is written per document.

use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::account::Account;
use payment_runs_engine::ids::{AccountId, BillRunId, EntityKey, GatewayId, RunId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::ports::ChunkClaim;
use payment_runs_engine::run::Run;
use payment_runs_engine::run_rules::effective_target_date;
use rusqlite::{Connection, params};

use super::chunk::{self, RangeKey};
use super::claim;
use super::cutter::{Cut, Cutter};
use crate::sqlite::access;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, Columns, execute_one, first, params_of};

/// Documents that one call looks at before it stops at the end of an account: it bounds how long the writer is busy when
/// nearly nothing meets the filters.
const SCANNED_MAX: usize = 50_000;

/// Open documents after a key, in the order of their keys: the index alone answers. It is named, since without statistics
/// the planner cannot know how few rows the partial index holds.
pub(crate) const SCAN: &str = "SELECT account, due_date, number, id, -1, posted_at, currency, bill_run \
     FROM document INDEXED BY document_open \
     WHERE entity = ?1 AND status = 1 AND balance_minor > 0 \
     AND (account, due_date, number, id) > (?2, ?3, ?4, ?5) \
     ORDER BY account, due_date, number, id";
/// Data records of a run after a key, in the order of their keys.
pub(crate) const SCAN_RECORDS: &str = "SELECT account, '', '', x'', position FROM run_record \
     WHERE entity = ?1 AND run = ?2 AND (account, position) > (?3, ?4) ORDER BY account, position";

/// What a run's filters say about documents and accounts; the same when the run is cut and when a chunk is opened.
pub(crate) struct Filter<'a> {
    run: &'a Run,
    default_gateway: Option<GatewayId>,
    target_date: Date,
    /// When the run started: what was posted later belongs to another run.
    started_at: Timestamp,
}

impl<'a> Filter<'a> {
    pub(crate) fn load(
        db: &Connection,
        entity: EntityKey,
        run: &'a Run,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let settings = access::settings(db, entity)?;
        let gateways = row::gateway::list(db, entity)?;
        let default_gateway = gateways.iter().find(|gateway| gateway.is_default).map(|gateway| gateway.id);
        let started_at = run.executed_at.unwrap_or(now);
        let target_date = effective_target_date(run, &settings, started_at);
        Ok(Self { run, default_gateway, target_date, started_at })
    }

    /// Whether the run looks at this account at all.
    pub(crate) fn admits_account(&self, account: &Account) -> bool {
        let (filter, organizations) = (&self.run.filter, &self.run.organizations);
        filter.account.is_none_or(|id| id == account.id)
            && filter.batch.as_ref().is_none_or(|batch| account.batch.as_ref() == Some(batch))
            && filter.bill_cycle_day.is_none_or(|day| account.bill_cycle_day == day)
            && filter.gateway.is_none_or(|id| account.gateway.or(self.default_gateway) == Some(id))
            && (organizations.is_empty()
                || account.organization.is_some_and(|one| organizations.contains(&one)))
    }

    /// Whether every account is looked at, so that none needs to be read.
    fn admits_all_accounts(&self) -> bool {
        let filter = &self.run.filter;
        filter.batch.is_none()
            && filter.bill_cycle_day.is_none()
            && filter.gateway.is_none()
            && self.run.organizations.is_empty()
    }

    /// Whether the run looks at an open document with these properties, if it looks at its account.
    pub(crate) fn admits_document(
        &self,
        due_date: Date,
        posted_at: Option<Timestamp>,
        currency: Currency,
        bill_run: Option<BillRunId>,
    ) -> bool {
        due_date <= self.target_date
            && posted_at.is_some_and(|at| at <= self.started_at)
            && self.run.filter.currency.is_none_or(|wanted| wanted == currency)
            && self.run.filter.bill_run.is_none_or(|wanted| bill_run == Some(wanted))
    }
}

/// Cuts the next chunks and says whether the selection is complete.
pub(crate) fn extend(
    db: &Connection,
    claimed: &ChunkClaim,
    now: Timestamp,
    chunks_max: usize,
    documents_max: usize,
) -> Result<bool, Failure> {
    claim::check(db, claimed)?;
    let (entity, id) = (claimed.entity, claimed.run);
    let run = row::run::by_id(db, entity, id)?.ok_or_else(|| Failure::broken("a run at work vanished"))?;
    let (start, inside, ordinal) = load_cursor(db, entity, id)?;
    let cutter = Cutter::new(start.clone(), inside, chunks_max, documents_max);
    let cut = if run.record_count > 0 {
        cut_records(db, entity, id, &start, cutter)?
    } else {
        let filter = Filter::load(db, entity, &run, now)?;
        cut_documents(db, entity, &filter, &start, cutter)?
    };
    for (ordinal, piece) in (ordinal..).zip(&cut.pieces) {
        chunk::insert(db, entity, id, ordinal, piece)?;
    }
    store_cursor(db, entity, id, &cut)?;
    Ok(cut.is_whole)
}

fn load_cursor(db: &Connection, entity: EntityKey, run: RunId) -> Result<(RangeKey, bool, u32), Failure> {
    let sql = "SELECT cursor_account, cursor_due_date, cursor_number, cursor_id, cursor_position, \
               cursor_is_inside, chunk_count FROM run WHERE entity = ?1 AND id = ?2";
    let found =
        first(db, sql, params_of(entity, run), |row| Ok((RangeKey::read(row)?, row.get()?, row.number()?)))?;
    found.ok_or_else(|| Failure::broken("a run vanished while it was selected"))
}

fn store_cursor(db: &Connection, entity: EntityKey, run: RunId, cut: &Cut) -> Result<(), Failure> {
    let sql = "UPDATE run SET cursor_account = ?3, cursor_due_date = ?4, cursor_number = ?5, cursor_id = ?6, \
               cursor_position = ?7, cursor_is_inside = ?8, chunk_count = chunk_count + ?9, \
               documents_selected = documents_selected + ?10, selection_complete = ?11, \
               selection_lease_until = iif(?11, 0, selection_lease_until) \
               WHERE entity = ?1 AND id = ?2 AND selection_complete = 0";
    let documents: i64 = cut.pieces.iter().map(|piece| i64::from(piece.documents)).sum();
    let values = params![
        entity.0,
        run.to_blob(),
        cut.start.account,
        cut.start.due_date,
        cut.start.number,
        cut.start.id,
        cut.start.position,
        cut.inside,
        i64::try_from(cut.pieces.len()).unwrap_or(i64::MAX),
        documents,
        cut.is_whole,
    ];
    execute_one(db, sql, values, "move a selection on")
}

fn cut_records(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    start: &RangeKey,
    mut cutter: Cutter,
) -> Result<Cut, Failure> {
    let mut statement = db.prepare_cached(SCAN_RECORDS)?;
    let mut rows = statement.query(params![entity.0, run.to_blob(), start.account, start.position])?;
    while let Some(row) = rows.next()? {
        if cutter.push(RangeKey::read(&mut Columns::new(row))?).is_break() {
            return Ok(cutter.stop());
        }
    }
    Ok(cutter.finish())
}

/// Cuts the documents that a filter admits, from a key on; goes on at the cut's start until it is whole.
pub(super) fn cut_documents(
    db: &Connection,
    entity: EntityKey,
    filter: &Filter<'_>,
    start: &RangeKey,
    mut cutter: Cutter,
) -> Result<Cut, Failure> {
    let wanted = filter.run.filter.account.map(|id| id.to_blob().to_vec());
    let (account, due_date, number, id) = match &wanted {
        // Straight to the account, unless the selection is inside it already.
        Some(wanted) if start.account < *wanted => (wanted.as_slice(), "", "", &[][..]),
        _ => (start.account.as_slice(), start.due_date.as_str(), start.number.as_str(), start.id.as_slice()),
    };
    let mut statement = db.prepare_cached(SCAN)?;
    let mut rows = statement.query(params![entity.0, account, due_date, number, id])?;
    let mut admitted = AdmittedAccount::default();
    let mut scanned = 0;
    let mut last: Option<RangeKey> = None;
    while let Some(row) = rows.next()? {
        let mut row = Columns::new(row);
        let key = RangeKey::read(&mut row)?;
        if wanted.as_ref().is_some_and(|wanted| key.account != *wanted) {
            break;
        }
        let is_new_account = last.as_ref().is_none_or(|last| last.account != key.account);
        if let Some(last) = last.take().filter(|_| scanned >= SCANNED_MAX && is_new_account) {
            // Everything up to here is in pieces or was passed over: the next call goes on behind it.
            let cut = cutter.finish();
            let is_behind = cut.is_whole;
            return Ok(Cut { is_whole: false, start: if is_behind { last } else { cut.start }, ..cut });
        }
        scanned += 1;
        let due_date = parse_date(&key.due_date)?;
        let (posted_at, currency, bill_run) = (row.opt_time()?, row.currency()?, row.opt_id()?);
        let is_in = filter.admits_document(due_date, posted_at, currency, bill_run)
            && admitted.check(db, entity, filter, &key.account)?;
        if is_in && cutter.push(key.clone()).is_break() {
            return Ok(cutter.stop());
        }
        last = Some(key);
    }
    Ok(cutter.finish())
}

fn parse_date(text: &str) -> Result<Date, Failure> {
    text.parse().map_err(|_| Failure::Corrupt(format!("date `{text}`")))
}

/// The filters' answer about one account. Accounts come in order, so that the last answer is all there is to remember.
#[derive(Default)]
struct AdmittedAccount {
    last: Option<(Vec<u8>, bool)>,
}

impl AdmittedAccount {
    fn check(
        &mut self,
        db: &Connection,
        entity: EntityKey,
        filter: &Filter<'_>,
        account: &[u8],
    ) -> Result<bool, Failure> {
        if filter.admits_all_accounts() {
            return Ok(true);
        }
        if let Some((_, answer)) = self.last.as_ref().filter(|(known, _)| known == account) {
            return Ok(*answer);
        }
        let bytes: [u8; 16] =
            account.try_into().map_err(|_| Failure::Corrupt("an account's identifier".to_owned()))?;
        let found = row::account::by_id(db, entity, AccountId::from_blob(bytes))?;
        let answer = found.is_some_and(|account| filter.admits_account(&account));
        self.last = Some((account.to_vec(), answer));
        Ok(answer)
    }
}
