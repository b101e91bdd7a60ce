//! Everything the plan of a chunk depends on, read in the transaction that writes the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::document::{Document, DocumentKind};
use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey, PaymentMethodId};
use payment_runs_engine::plan::{AccountView, ChunkView, RecordView, RunRules};
use payment_runs_engine::ports::ChunkClaim;
use payment_runs_engine::run::{DataRecord, Run, RunOptions};
use rusqlite::{Connection, params};

use super::chunk::{RangeKey, StoredChunk};
use super::select::Filter;
use crate::sqlite::access;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all, from_json};

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

/// Reads the view of a chunk.
pub(crate) fn load(
    db: &Connection,
    claim: &ChunkClaim,
    run: Run,
    chunk: &StoredChunk,
    now: Timestamp,
) -> Result<ChunkView, Failure> {
    let entity = claim.entity;
    let (accounts, records) = if run.record_count > 0 {
        load_records(db, entity, &run, chunk)?
    } else {
        (load_accounts(db, entity, &run, chunk, now)?, Vec::new())
    };
    let rules = RunRules {
        stopping: row::run::is_stopping(db, entity, run.id)?,
        run,
        settings: access::settings(db, entity)?,
        gateways: row::gateway::list(db, entity)?,
    };
    let decided = load_decided(db, entity, &rules.run, chunk, &records)?;
    Ok(ChunkView { rules, now, accounts, records, decided })
}

/// The documents that earlier chunks decided about, where the records of their last account go on in this one.
fn load_decided(
    db: &Connection,
    entity: EntityKey,
    run: &Run,
    chunk: &StoredChunk,
    records: &[RecordView],
) -> Result<BTreeSet<DocumentId>, Failure> {
    let last = <[u8; 16]>::try_from(chunk.after.account.as_slice()).ok().map(AccountId::from_blob);
    let Some(account) = last.filter(|last| records.iter().any(|one| one.account == Some(*last))) else {
        return Ok(BTreeSet::new());
    };
    let sql = "SELECT document FROM decision WHERE entity = ?1 AND run = ?2 AND account = ?3";
    let values = params![entity.0, run.id.to_blob(), account.to_blob()];
    Ok(all(db, sql, values, |row| row.id())?.into_iter().collect())
}

/// The accounts of a run with filters, each with the documents that the run looks at.
fn load_accounts(
    db: &Connection,
    entity: EntityKey,
    run: &Run,
    chunk: &StoredChunk,
    now: Timestamp,
) -> Result<Vec<AccountView>, Failure> {
    let filter = Filter::load(db, entity, run, now)?;
    let (after, upto): (&RangeKey, &RangeKey) = (&chunk.after, &chunk.upto);
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

/// The records of a run that was told what to collect, and the accounts they name.
fn load_records(
    db: &Connection,
    entity: EntityKey,
    run: &Run,
    chunk: &StoredChunk,
) -> Result<(Vec<AccountView>, Vec<RecordView>), Failure> {
    let (after, upto) = (&chunk.after, &chunk.upto);
    let values =
        params![entity.0, run.id.to_blob(), after.account, after.position, upto.account, upto.position];
    let stored = all(db, RANGE_RECORDS, values, |row| {
        let position: u32 = row.number()?;
        let account: Vec<u8> = row.get()?;
        let record: DataRecord = from_json(&row.get::<String>()?)?;
        let account = <[u8; 16]>::try_from(account.as_slice()).ok().map(AccountId::from_blob);
        Ok((position, account, record))
    })?;
    let mut records = Vec::with_capacity(stored.len());
    for (position, account, record) in stored {
        let documents = record_documents(db, entity, account, &record)?;
        let payment_method =
            match record.payment_method.as_ref().and_then(payment_runs_engine::ids::Key::as_id) {
                Some(id) => row::payment_method::by_id(db, entity, PaymentMethodId::from_u128(id))?,
                None => None,
            };
        records.push(RecordView { position, record, account, documents, payment_method });
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

/// The account of some records, with its documents that they name and the payment methods they may need.
fn record_account(
    db: &Connection,
    entity: EntityKey,
    run: &Run,
    id: AccountId,
    records: &[&RecordView],
) -> Result<Option<AccountView>, Failure> {
    let Some(account) = row::account::by_id(db, entity, id)? else { return Ok(None) };
    let mut documents: BTreeMap<DocumentId, &Document> = BTreeMap::new();
    let mut methods: BTreeSet<PaymentMethodId> = BTreeSet::new();
    for record in records {
        documents.extend(record.documents.iter().filter(|one| one.account == id).map(|one| (one.id, one)));
        methods.extend(record.payment_method.as_ref().map(|method| method.id));
    }
    let mut documents: Vec<Document> = documents.into_values().cloned().collect();
    documents.sort_by(|a, b| (a.due_date, &a.number, a.id).cmp(&(b.due_date, &b.number, b.id)));
    methods.extend(documents.iter().filter_map(|document| document.payment_method));
    to_view(db, entity, run.options, account, documents, methods).map(Some)
}

/// The documents that a record names; without one, every open document of its account.
fn record_documents(
    db: &Connection,
    entity: EntityKey,
    account: Option<AccountId>,
    record: &DataRecord,
) -> Result<Vec<Document>, Failure> {
    let Some(key) = &record.document else {
        return match account.filter(|_| !record.standalone && record.document_kind.is_none()) {
            Some(account) => row::document::open_of_account(db, entity, account),
            None => Ok(Vec::new()),
        };
    };
    let kind = record.document_kind.unwrap_or(DocumentKind::Invoice);
    let found = if record.document_is_number {
        row::document::by_number(db, entity, kind, key.as_str())?
    } else {
        row::document::lookup(db, entity, kind, key)?
    };
    Ok(found.into_iter().collect())
}
