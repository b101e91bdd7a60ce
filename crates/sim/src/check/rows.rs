//! The books as they lie in the database, read without the store's help.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};

/// An identifier's 16 bytes.
pub(crate) type Id = [u8; 16];

/// The code of a payment that is only intended.
pub(crate) const INTENT: i64 = 0;
/// The code of a payment that the gateway will tell about.
pub(crate) const PENDING: i64 = 1;
/// The code of a payment about which nobody could tell.
pub(crate) const UNKNOWN: i64 = 2;
/// The code of a payment that was collected.
pub(crate) const PROCESSED: i64 = 3;
/// The code of a payment that was declined.
pub(crate) const DECLINED: i64 = 4;
/// The code of a payment that was given up before it was sent.
pub(crate) const CANCELED: i64 = 5;

/// The code of the event that a run was created.
pub(crate) const EVENT_RUN_CREATED: i64 = 0;
/// The code of the event that a run was started.
pub(crate) const EVENT_RUN_STARTED: i64 = 2;
/// The code of the event that a chunk was planned.
pub(crate) const EVENT_CHUNK_PLANNED: i64 = 7;
/// The code of the event that a payment was created by itself.
pub(crate) const EVENT_PAYMENT_CREATED: i64 = 8;
/// The code of the event that an outcome was recorded.
pub(crate) const EVENT_PAYMENT_SETTLED: i64 = 9;
/// The code of the event that a run was stopped.
pub(crate) const EVENT_RUN_STOPPED: i64 = 11;
/// The code of the event that a person settled a payment.
pub(crate) const EVENT_PAYMENT_RESOLVED: i64 = 12;

pub(crate) struct DocumentRow {
    pub(crate) id: Id,
    pub(crate) account: Id,
    pub(crate) number: String,
    pub(crate) status: i64,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) paid: i64,
    pub(crate) credited: i64,
    pub(crate) due_date: String,
    pub(crate) held_by: Option<Id>,
    pub(crate) posted_at: Option<i64>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a column")]
pub(crate) struct PaymentRow {
    pub(crate) id: Id,
    pub(crate) account: Id,
    pub(crate) number: String,
    pub(crate) run: Option<Id>,
    /// Whether a gateway charges it.
    pub(crate) is_electronic: bool,
    pub(crate) state: i64,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    pub(crate) unapplied: i64,
    pub(crate) method: Option<Id>,
    pub(crate) standalone: bool,
    pub(crate) records_counted: i64,
    pub(crate) key: Option<String>,
    /// Whether nothing is delivered for it without a person.
    pub(crate) bars_delivery: bool,
    /// Whether it was given up with its run.
    pub(crate) is_stopped: bool,
    pub(crate) reference_id: Option<String>,
    /// Document and amount of each part.
    pub(crate) parts: Vec<(Id, i64)>,
}

impl PaymentRow {
    pub(crate) fn is_in_doubt(&self) -> bool {
        matches!(self.state, INTENT | PENDING | UNKNOWN)
    }
}

pub(crate) struct RunRow {
    pub(crate) id: Id,
    pub(crate) number: String,
    pub(crate) status: i64,
    pub(crate) is_deleted: bool,
    pub(crate) is_stopping: bool,
    pub(crate) record_count: i64,
    pub(crate) filter_account: Option<Id>,
    pub(crate) filter_currency: Option<String>,
    pub(crate) executed_at: Option<i64>,
    pub(crate) target_date: Option<String>,
    pub(crate) documents_selected: i64,
    pub(crate) chunks: (i64, i64),
}

pub(crate) struct DecisionRow {
    pub(crate) run: Id,
    pub(crate) document: Id,
    pub(crate) kind: i64,
    pub(crate) currency: String,
    pub(crate) balance: i64,
    pub(crate) is_skipped: bool,
    pub(crate) credit: i64,
    pub(crate) charge: i64,
    pub(crate) payment: Option<Id>,
}

pub(crate) struct CreditRow {
    pub(crate) run: Id,
    pub(crate) document: Id,
    /// 0 a credit memo, 1 an unapplied payment, 2 a credit balance.
    pub(crate) source_kind: i64,
    pub(crate) source: Id,
    pub(crate) amount: i64,
}

pub(crate) struct EventRow {
    pub(crate) run: Option<Id>,
    pub(crate) kind: i64,
    pub(crate) chunk: Option<i64>,
    pub(crate) payment: Option<Id>,
    pub(crate) state: Option<i64>,
    pub(crate) has_detail: bool,
}

pub(crate) struct RecordRow {
    pub(crate) run: Id,
    pub(crate) is_decided: bool,
    pub(crate) has_error: bool,
    /// Whether a payment was planned for it.
    pub(crate) has_payment: bool,
}

/// The counters of a run in one currency, by name.
pub(crate) type Counters = BTreeMap<String, i64>;

/// Everything that the checks look at.
pub(crate) struct Rows {
    pub(crate) documents: Vec<DocumentRow>,
    pub(crate) payments: BTreeMap<Id, PaymentRow>,
    /// What each credit memo was, and what is left of it.
    pub(crate) memos: Vec<(Id, i64, i64)>,
    /// What is left of each account's credit balance.
    pub(crate) balances: BTreeMap<Id, i64>,
    /// Processed and failed payments of each payment method.
    pub(crate) methods: BTreeMap<Id, (i64, i64)>,
    pub(crate) runs: Vec<RunRow>,
    pub(crate) decisions: Vec<DecisionRow>,
    pub(crate) credits: Vec<CreditRow>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) records: Vec<RecordRow>,
    /// By run and currency.
    pub(crate) counters: BTreeMap<(Id, String), Counters>,
    /// What the database says about itself.
    pub(crate) integrity: String,
}

fn all<T>(
    db: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare(sql)?.query_map([], read)?.collect()
}

impl Rows {
    /// The payment that is charged under a key.
    pub(crate) fn payment_of(&self, key: &str) -> Option<&PaymentRow> {
        self.payments.values().find(|payment| payment.key.as_deref() == Some(key))
    }

    /// Reads a database that nobody has open.
    pub(crate) fn read(path: &Path) -> rusqlite::Result<Self> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let mut payments: BTreeMap<Id, PaymentRow> =
            read_payments(&db)?.into_iter().map(|one| (one.id, one)).collect();
        let sql = "SELECT payment, document, amount_minor FROM payment_part";
        for (payment, part) in all(&db, sql, |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))? {
            let payment: Id = payment;
            if let Some(payment) = payments.get_mut(&payment) {
                payment.parts.push(part);
            }
        }
        let balances =
            all(&db, "SELECT id, credit_balance_minor FROM account", |row| Ok((row.get(0)?, row.get(1)?)))?;
        let sql = "SELECT id, processed_payments, error_payments FROM payment_method";
        let methods = all(&db, sql, |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        let sql = "SELECT id, amount_minor, unapplied_minor FROM credit_memo";
        Ok(Self {
            documents: read_documents(&db)?,
            payments,
            memos: all(&db, sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?,
            balances: balances.into_iter().collect(),
            methods: methods.into_iter().collect(),
            runs: read_runs(&db)?,
            decisions: read_decisions(&db)?,
            credits: read_credits(&db)?,
            events: read_events(&db)?,
            records: read_records(&db)?,
            counters: read_counters(&db)?,
            integrity: db.query_row("PRAGMA quick_check", [], |row| row.get(0))?,
        })
    }
}

fn read_documents(db: &Connection) -> rusqlite::Result<Vec<DocumentRow>> {
    let sql = "SELECT id, account, number, status, currency, amount_minor, balance_minor, paid_minor, \
               credited_minor, due_date, held_by, posted_at FROM document";
    all(db, sql, |row| {
        Ok(DocumentRow {
            id: row.get(0)?,
            account: row.get(1)?,
            number: row.get(2)?,
            status: row.get(3)?,
            currency: row.get(4)?,
            amount: row.get(5)?,
            balance: row.get(6)?,
            paid: row.get(7)?,
            credited: row.get(8)?,
            due_date: row.get(9)?,
            held_by: row.get(10)?,
            posted_at: row.get(11)?,
        })
    })
}

fn read_payments(db: &Connection) -> rusqlite::Result<Vec<PaymentRow>> {
    let sql = "SELECT id, account, number, run, kind, state, currency, amount_minor, unapplied_minor, payment_method, \
               standalone, records_counted, idempotency_key, reference_id, bars_delivery, \
               coalesce(code = 'run_stopped', 0) FROM payment";
    all(db, sql, |row| {
        Ok(PaymentRow {
            id: row.get(0)?,
            account: row.get(1)?,
            number: row.get(2)?,
            run: row.get(3)?,
            is_electronic: row.get::<_, i64>(4)? == 0,
            state: row.get(5)?,
            currency: row.get(6)?,
            amount: row.get(7)?,
            unapplied: row.get(8)?,
            method: row.get(9)?,
            standalone: row.get(10)?,
            records_counted: row.get(11)?,
            key: row.get(12)?,
            reference_id: row.get(13)?,
            bars_delivery: row.get(14)?,
            is_stopped: row.get(15)?,
            parts: Vec::new(),
        })
    })
}

fn read_runs(db: &Connection) -> rusqlite::Result<Vec<RunRow>> {
    let sql = "SELECT id, number, status, is_deleted, is_stopping, record_count, filter_account, filter_currency, \
               executed_at, target_date, documents_selected, chunks_done, chunk_count FROM run";
    all(db, sql, |row| {
        Ok(RunRow {
            id: row.get(0)?,
            number: row.get(1)?,
            status: row.get(2)?,
            is_deleted: row.get(3)?,
            is_stopping: row.get(4)?,
            record_count: row.get(5)?,
            filter_account: row.get(6)?,
            filter_currency: row.get(7)?,
            executed_at: row.get(8)?,
            target_date: row.get(9)?,
            documents_selected: row.get(10)?,
            chunks: (row.get(11)?, row.get(12)?),
        })
    })
}

fn read_decisions(db: &Connection) -> rusqlite::Result<Vec<DecisionRow>> {
    let sql = "SELECT run, document, kind, currency, balance_minor, reason IS NOT NULL, credit_minor, charge_minor, \
               payment FROM decision";
    all(db, sql, |row| {
        Ok(DecisionRow {
            run: row.get(0)?,
            document: row.get(1)?,
            kind: row.get(2)?,
            currency: row.get(3)?,
            balance: row.get(4)?,
            is_skipped: row.get(5)?,
            credit: row.get(6)?,
            charge: row.get(7)?,
            payment: row.get(8)?,
        })
    })
}

fn read_credits(db: &Connection) -> rusqlite::Result<Vec<CreditRow>> {
    let sql = "SELECT run, document, source_kind, source, amount_minor FROM credit_application";
    all(db, sql, |row| {
        Ok(CreditRow {
            run: row.get(0)?,
            document: row.get(1)?,
            source_kind: row.get(2)?,
            source: row.get(3)?,
            amount: row.get(4)?,
        })
    })
}

fn read_events(db: &Connection) -> rusqlite::Result<Vec<EventRow>> {
    all(db, "SELECT run, kind, chunk, payment, state, detail IS NOT NULL FROM event", |row| {
        Ok(EventRow {
            run: row.get(0)?,
            kind: row.get(1)?,
            chunk: row.get(2)?,
            payment: row.get(3)?,
            state: row.get(4)?,
            has_detail: row.get(5)?,
        })
    })
}

fn read_records(db: &Connection) -> rusqlite::Result<Vec<RecordRow>> {
    let sql = "SELECT run, is_decided, error_code IS NOT NULL, EXISTS (SELECT 1 FROM payment_record AS p \
               WHERE p.entity = r.entity AND p.run = r.run AND p.position = r.position) FROM run_record AS r";
    all(db, sql, |row| {
        Ok(RecordRow {
            run: row.get(0)?,
            is_decided: row.get(1)?,
            has_error: row.get(2)?,
            has_payment: row.get(3)?,
        })
    })
}

/// Every counter column, whatever it is called.
fn read_counters(db: &Connection) -> rusqlite::Result<BTreeMap<(Id, String), Counters>> {
    let mut statement = db.prepare("SELECT * FROM chunk_tally")?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut counters: BTreeMap<(Id, String), Counters> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let of_run = counters.entry((row.get("run")?, row.get("currency")?)).or_default();
        for name in &names {
            if !matches!(name.as_str(), "entity" | "run" | "chunk" | "currency") {
                *of_run.entry(name.clone()).or_default() += row.get::<_, i64>(name.as_str())?;
            }
        }
    }
    Ok(counters)
}
