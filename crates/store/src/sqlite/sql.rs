//! Statements and rows: small helpers that keep the mapping of each noun short.

use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::ids::{
    AccountId, BillRunId, CreditMemoId, DeliveryId, DocumentId, EntityId, EntityKey, GatewayId, ImportId,
    OrganizationId, PaymentId, PaymentMethodId, RunId, ScheduleId, UserId, WebhookId,
};
use payment_runs_engine::money::Currency;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row};

use super::codes::Code;
use super::failure::Failure;

/// An identifier that is stored as 16 bytes.
pub(crate) trait BlobId: Copy {
    fn to_blob(self) -> [u8; 16];
    fn from_blob(bytes: [u8; 16]) -> Self;
}

macro_rules! blob_ids {
    ($($name:ident)+) => {$(
        impl BlobId for $name {
            fn to_blob(self) -> [u8; 16] {
                self.to_bytes()
            }
            fn from_blob(bytes: [u8; 16]) -> Self {
                Self::from_bytes(bytes)
            }
        }
    )+};
}

blob_ids! {
    AccountId BillRunId CreditMemoId DeliveryId DocumentId EntityId GatewayId ImportId OrganizationId PaymentId PaymentMethodId RunId ScheduleId UserId WebhookId
}

/// An optional identifier as it is stored.
pub(crate) fn blob<I: BlobId>(id: Option<I>) -> Option<[u8; 16]> {
    id.map(BlobId::to_blob)
}

/// A time as it is stored.
pub(crate) fn time(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// An optional time as it is stored.
pub(crate) fn opt_time(at: Option<Timestamp>) -> Option<i64> {
    at.map(time)
}

/// An optional date as it is stored.
pub(crate) fn opt_date(date: Option<Date>) -> Option<String> {
    date.map(|date| date.to_string())
}

/// A stored time.
pub(crate) fn from_time(millisecond: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_millisecond(millisecond).map_err(|_| Failure::Corrupt(format!("time {millisecond}")))
}

/// The key that everything of a run starts with, as parameters.
pub(crate) fn params_of(entity: EntityKey, run: RunId) -> (i32, [u8; 16]) {
    (entity.0, run.to_blob())
}

/// A count that was stored as an integer.
pub(crate) fn unsigned<T: TryFrom<i64>>(value: i64) -> Result<T, Failure> {
    T::try_from(value).map_err(|_| Failure::Corrupt(format!("number {value}")))
}

/// A value that was stored as JSON text.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Corrupt(format!("JSON text ({error})")))
}

/// A value as JSON text.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::broken(format!("a value has no JSON form: {error}")))
}

/// Reads a row's columns one after the other, in the order in which the statement names them.
pub(crate) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    pub(crate) fn get<T: FromSql>(&mut self) -> Result<T, Failure> {
        let index = self.next;
        self.next += 1;
        Ok(self.row.get(index)?)
    }

    pub(crate) fn id<I: BlobId>(&mut self) -> Result<I, Failure> {
        self.get().map(I::from_blob)
    }

    pub(crate) fn opt_id<I: BlobId>(&mut self) -> Result<Option<I>, Failure> {
        Ok(self.get::<Option<[u8; 16]>>()?.map(I::from_blob))
    }

    pub(crate) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Failure> {
        self.get().and_then(unsigned)
    }

    pub(crate) fn opt_number<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, Failure> {
        self.get::<Option<i64>>()?.map(unsigned).transpose()
    }

    pub(crate) fn code<T: Code>(&mut self) -> Result<T, Failure> {
        self.get().and_then(T::from_code)
    }

    pub(crate) fn opt_code<T: Code>(&mut self) -> Result<Option<T>, Failure> {
        self.get::<Option<i64>>()?.map(T::from_code).transpose()
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Failure> {
        self.get().and_then(from_time)
    }

    pub(crate) fn opt_time(&mut self) -> Result<Option<Timestamp>, Failure> {
        self.get::<Option<i64>>()?.map(from_time).transpose()
    }

    pub(crate) fn date(&mut self) -> Result<Date, Failure> {
        let text: String = self.get()?;
        text.parse().map_err(|_| Failure::Corrupt(format!("date `{text}`")))
    }

    pub(crate) fn opt_date(&mut self) -> Result<Option<Date>, Failure> {
        let Some(text) = self.get::<Option<String>>()? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Failure::Corrupt(format!("date `{text}`")))
    }

    pub(crate) fn currency(&mut self) -> Result<Currency, Failure> {
        currency(&self.get::<String>()?)
    }

    pub(crate) fn opt_currency(&mut self) -> Result<Option<Currency>, Failure> {
        self.get::<Option<String>>()?.map(|code| currency(&code)).transpose()
    }
}

/// A stored currency.
pub(crate) fn currency(code: &str) -> Result<Currency, Failure> {
    Currency::from_code(code).map_err(|_| Failure::Corrupt(format!("currency `{code}`")))
}

/// The first row, if there is one.
pub(crate) fn first<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&mut Columns<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    match rows.next()? {
        Some(row) => read(&mut Columns::new(row)).map(Some),
        None => Ok(None),
    }
}

/// Every row.
pub(crate) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&mut Columns<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        values.push(read(&mut Columns::new(row))?);
    }
    Ok(values)
}

/// Executes a statement and says how many rows it changed.
pub(crate) fn execute(db: &Connection, sql: &str, params: impl Params) -> Result<usize, Failure> {
    Ok(db.prepare_cached(sql)?.execute(params)?)
}

/// Executes a statement that must change exactly one row.
pub(crate) fn execute_one(
    db: &Connection,
    sql: &str,
    params: impl Params,
    what: &'static str,
) -> Result<(), Failure> {
    match execute(db, sql, params)? {
        1 => Ok(()),
        count => Err(Failure::broken(format!("{what}: {count} rows changed where one was expected"))),
    }
}

/// `INSERT … VALUES (?1, …)` for the columns of a table, written with commas.
pub(crate) fn insert_sql(table: &str, columns: &str) -> String {
    let count = columns.split(',').count();
    let marks: Vec<String> = (1..=count).map(|index| format!("?{index}")).collect();
    format!("INSERT INTO {table} ({columns}) VALUES ({})", marks.join(", "))
}

/// Like [`insert_sql`], but a row with the same key is changed, except for its key and the columns in `kept`, and only
/// while `guard` holds for it.
pub(crate) fn upsert_sql(table: &str, columns: &str, key: &str, kept: &[&str], guard: &str) -> String {
    let keys: Vec<&str> = key.split(',').map(str::trim).collect();
    let sets: Vec<String> = columns
        .split(',')
        .map(str::trim)
        .filter(|column| !keys.contains(column) && !kept.contains(column))
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    let insert = insert_sql(table, columns);
    format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {} WHERE {guard}", sets.join(", "))
}
