//! Everything the plan of a chunk depends on, read in the transaction that writes the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::charge_key;
use payment_runs_engine::document::{Document, DocumentKind};
use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey, PaymentMethodId, RunId};
use payment_runs_engine::plan::{AccountView, ChunkView, RecordView, RunRules};
use payment_runs_engine::ports::ChunkClaim;
use payment_runs_engine::run::{DataRecord, Run, RunOptions};
use rusqlite::{Connection, params};

use super::chunk::{RangeKey, StoredChunk};
use super::select::Filter;
use crate::sqlite::access;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all, first, from_json};

/// The open documents of a chunk's range, in the order of their keys.
pub(crate) static RANGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM document INDEXED BY document_open \
         WHERE entity = ?1 AND status = 1 AND balance_minor > 0 \
         AND (account, due_date, number, id) > (?2, ?3, ?4, ?5) \
         AND (account, due_date, number, id) <= (?6, ?7, ?8, ?9) \
         ORDER BY account, due_date, number, id",
        row::document::SELECTED
    )
});
/// The data records of a chunk's range, in the order of their keys.
pub(crate) const RANGE_RECORDS: &str = "SELECT position, account, body FROM run_record \
     WHERE entity = ?1 AND run = ?2 AND (account, position) > (?3, ?4) AND (account, position) <= (?5, ?6) \
     ORDER BY account, position";

/// The chunk with which the account of a following chunk begins.
pub(crate) const FIRST_OF_ACCOUNT: &str = "SELECT ordinal FROM chunk \
     WHERE entity = ?1 AND run = ?2 AND ordinal < ?3 AND follows = 0 ORDER BY ordinal DESC LIMIT 1";
/// The documents of an account that a range of chunks decided about.
pub(crate) const DECIDED: &str = "SELECT document FROM decision \
     WHERE entity = ?1 AND run = ?2 AND chunk >= ?3 AND chunk < ?4 AND account = ?5";
/// The credits of an account that a range of chunks used.
pub(crate) const USED: &str = "SELECT source_kind, source FROM credit_application \
     WHERE entity = ?1 AND run = ?2 AND chunk >= ?3 AND chunk < ?4 AND account = ?5";

/// A data record with the account that it names, if that exists.
#[derive(Debug, Clone)]
pub(crate) struct StoredRecord {
    pub(crate) position: u32,
    pub(crate) account: Option<AccountId>,
    pub(crate) record: DataRecord,
}

/// A half-open range of keys, `(after, upto]`.
#[derive(Clone, Copy)]
pub(crate) struct Range<'a> {
    pub(crate) after: &'a RangeKey,
    pub(crate) upto: &'a RangeKey,
}

/// Reads the view of a chunk.
pub(crate) fn load(
    db: &Connection,
    claim: &ChunkClaim,
    run: Run,
    chunk: &StoredChunk,
    now: Timestamp,
) -> Result<ChunkView, Failure> {
    let (entity, id) = (claim.entity, run.id);
    let range = Range { after: &chunk.after, upto: &chunk.upto };
    let records = if run.record_count > 0 { Some(stored_records(db, entity, id, range)?) } else { None };
    let rules = RunRules { stopping: row::run::is_stopping(db, entity, id)?, ..rules(db, entity, run)? };
    let mut view = read(db, entity, rules, range, records, now)?;
    if chunk.follows {
        let sql = FIRST_OF_ACCOUNT;
        let first = first(db, sql, params![entity.0, id.to_blob(), chunk.ordinal], |row| row.number())?;
        carry_over(db, entity, &mut view, first.unwrap_or(0)..chunk.ordinal)?;
    }
    Ok(view)
}

/// The rules of a run that nobody has stopped.
pub(crate) fn rules(db: &Connection, entity: EntityKey, run: Run) -> Result<RunRules, Failure> {
    let settings = access::settings(db, entity)?;
    Ok(RunRules { run, settings, gateways: row::gateway::list(db, entity)?, stopping: false })
}

/// Reads what a range holds, as if no chunk had been planned before it. A run with data records brings those of the
/// range along.
pub(crate) fn read(
    db: &Connection,
    entity: EntityKey,
    rules: RunRules,
    range: Range<'_>,
    records: Option<Vec<StoredRecord>>,
    now: Timestamp,
) -> Result<ChunkView, Failure> {
    let (accounts, records) = match records {
        Some(records) => load_records(db, entity, &rules.run, records)?,
        None => (load_accounts(db, entity, &rules.run, range, now)?, Vec::new()),
    };
    Ok(ChunkView { rules, now, accounts, records, decided: BTreeSet::new(), used: BTreeSet::new() })
}

/// Adds what earlier chunks did to the one account of a following chunk: documents they decided about, and credits they
/// used and left something of.
fn carry_over(
    db: &Connection,
    entity: EntityKey,
    view: &mut ChunkView,
    chunks: std::ops::Range<u32>,
) -> Result<(), Failure> {
    let Some(account) = view.accounts.first() else { return Ok(()) };
    let (run, id) = (view.rules.run.id.to_blob(), account.account.id.to_blob());
    let values = params![entity.0, run, chunks.start, chunks.end, id];
    if !view.records.is_empty() {
        view.decided = all(db, DECIDED, values, |row| row.id())?.into_iter().collect();
    }
    let is_touched = account.credit_memos.iter().any(|one| one.unapplied_minor < one.amount_minor)
        || account.unapplied_payments.iter().any(|one| one.unapplied_minor < one.amount_minor);
    if is_touched {
        view.used = all(db, USED, values, row::decision::read_source)?.into_iter().collect();
    }
    Ok(())
}

/// The data records of a range of chunks, in the order of their keys.
fn stored_records(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    range: Range<'_>,
) -> Result<Vec<StoredRecord>, Failure> {
    let (after, upto) = (range.after, range.upto);
    let values = params![entity.0, run.to_blob(), after.account, after.position, upto.account, upto.position];
    all(db, RANGE_RECORDS, values, |row| {
        let position = row.number()?;
        let account: Vec<u8> = row.get()?;
        let account = <[u8; 16]>::try_from(account.as_slice()).ok().map(AccountId::from_blob);
        Ok(StoredRecord { position, account, record: from_json(&row.get::<String>()?)? })
    })
}

/// The accounts of a run with filters, each with the documents that the run looks at.
fn load_accounts(
    db: &Connection,
    entity: EntityKey,
    run: &Run,
    range: Range<'_>,
    now: Timestamp,
) -> Result<Vec<AccountView>, Failure> {
    let filter = Filter::load(db, entity, run, now)?;
    let Range { after, upto } = range;
    let values = params![
        entity.0,
        after.account,
        after.due_date,
        after.number,
        after.id,
        upto.account,
        upto.due_date,
        upto.number,
        upto.id
    ];
    let documents = all(db, &RANGE, values, row::document::read)?;
    let mut views: Vec<AccountView> = Vec::new();
    for group in documents.chunk_by(|a, b| a.account == b.account) {
        let wanted: Vec<Document> = group
            .iter()
            .filter(|one| filter.admits_document(one.due_date, one.posted_at, one.currency, one.bill_run))
            .cloned()
            .collect();
        let Some(id) = wanted.first().map(|document| document.account) else { continue };
        let account = row::account::by_id(db, entity, id)?
            .ok_or_else(|| Failure::Corrupt(format!("account {id} of a document")))?;
        if filter.admits_account(&account) {
            let methods = wanted.iter().filter_map(|document| document.payment_method).collect();
            views.push(to_view(db, entity, run.options, account, wanted, methods)?);
        }
    }
    Ok(views)
}

/// An account with what the plan may take from it: the payment methods named and its default one, and the credits that
/// the run uses.
fn to_view(
    db: &Connection,
    entity: EntityKey,
    options: RunOptions,
    account: payment_runs_engine::account::Account,
    documents: Vec<Document>,
    mut methods: BTreeSet<PaymentMethodId>,
) -> Result<AccountView, Failure> {
    methods.extend(account.default_payment_method);
    let mut payment_methods = Vec::with_capacity(methods.len());
    for id in methods {
        payment_methods.extend(row::payment_method::by_id(db, entity, id)?);
    }
    let credit_memos = if options.auto_apply_credit_memo {
        row::credit::open_of_account(db, entity, account.id)?
    } else {
        Vec::new()
    };
    let unapplied_payments = if options.auto_apply_unapplied_payment {
        row::payment::unapplied_of_account(db, entity, account.id)?
    } else {
        Vec::new()
    };
    Ok(AccountView { account, documents, payment_methods, credit_memos, unapplied_payments })
}

/// The number of the payment that a standalone record's charge became when the ledger was reconciled.
fn adopted_payment(db: &Connection, run: RunId, position: u32) -> Result<Option<String>, Failure> {
    let key = charge_key::of_record(access::ledger_id(db)?, run, position);
    Ok(row::payment::adopted_by_key(db, &key)?.map(|(_, _, number)| number))
}

/// The records of a run that was told what to collect, and the accounts they name.
fn load_records(
    db: &Connection,
    entity: EntityKey,
    run: &Run,
    stored: Vec<StoredRecord>,
) -> Result<(Vec<AccountView>, Vec<RecordView>), Failure> {
    let mut records = Vec::with_capacity(stored.len());
    for StoredRecord { position, account, mut record } in stored {
        if record.standalone
            && let Some(number) = adopted_payment(db, run.id, position)?
        {
            record.fault =
                Some(format!("The gateway answered this record's charge before: payment {number}."));
        }
        let document = named_document(db, entity, &record)?;
        let method = record.payment_method.as_ref().and_then(payment_runs_engine::ids::Key::as_id);
        let payment_method = match method {
            Some(id) => row::payment_method::by_id(db, entity, PaymentMethodId::from_u128(id))?,
            None => None,
        };
        records.push(RecordView { position, record, account, document, payment_method });
    }
    let mut by_account: BTreeMap<AccountId, Vec<&RecordView>> = BTreeMap::new();
    for record in &records {
        if let Some(account) = record.account {
            by_account.entry(account).or_default().push(record);
        }
    }
    let mut accounts = Vec::with_capacity(by_account.len());
    for (id, records) in by_account {
        accounts.extend(record_account(db, entity, run, id, &records)?);
    }
    Ok((accounts, records))
}

/// The account of some records, with its documents that they name, or all open ones where a record names none, and the
/// payment methods they may need.
fn record_account(
    db: &Connection,
    entity: EntityKey,
    run: &Run,
    id: AccountId,
    records: &[&RecordView],
) -> Result<Option<AccountView>, Failure> {
    let Some(account) = row::account::by_id(db, entity, id)? else { return Ok(None) };
    let named = records.iter().filter_map(|record| record.document.as_ref());
    let mut documents: BTreeMap<DocumentId, Document> =
        named.filter(|one| one.account == id).map(|one| (one.id, one.clone())).collect();
    if records.iter().any(|record| asks_for_all(&record.record)) {
        let open = row::document::open_of_account(db, entity, id)?;
        documents.extend(open.into_iter().map(|one| (one.id, one)));
    }
    let mut documents: Vec<Document> = documents.into_values().collect();
    documents.sort_by(|a, b| (a.due_date, &a.number, a.id).cmp(&(b.due_date, &b.number, b.id)));
    let own = records.iter().filter_map(|record| record.payment_method.as_ref().map(|method| method.id));
    let methods = own.chain(documents.iter().filter_map(|document| document.payment_method)).collect();
    to_view(db, entity, run.options, account, documents, methods).map(Some)
}

/// Whether a record asks for every open document of its account.
fn asks_for_all(record: &DataRecord) -> bool {
    !record.standalone && record.document.is_none() && record.document_kind.is_none()
}

/// The document that a record names, wherever it belongs.
fn named_document(
    db: &Connection,
    entity: EntityKey,
    record: &DataRecord,
) -> Result<Option<Document>, Failure> {
    let Some(key) = &record.document else { return Ok(None) };
    let kind = record.document_kind.unwrap_or(DocumentKind::Invoice);
    if record.document_is_number {
        row::document::by_number(db, entity, kind, key.as_str())
    } else {
        row::document::lookup(db, entity, kind, key)
    }
}
