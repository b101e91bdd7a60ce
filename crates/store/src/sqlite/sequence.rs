//! Numbers of objects, such as `A00000001`: one sequence per entity and kind, taken in blocks.

use payment_runs_engine::ids::EntityKey;
use rusqlite::{Connection, params};

use super::failure::Failure;
use super::sql::{execute, first};

/// Digits that every number has at least.
const DIGITS: usize = 8;

/// A sequence of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sequence {
    /// `A00000001`
    Account,
    /// `INV00000001`
    Invoice,
    /// `DM00000001`
    DebitMemo,
    /// `CM00000001`
    CreditMemo,
    /// `P-00000001`
    Payment,
    /// `PR-00000001`
    PaymentRun,
    /// Positions of events; it has no prefix.
    Event,
}

impl Sequence {
    fn code(self) -> i64 {
        match self {
            Self::Account => 0,
            Self::Invoice => 1,
            Self::DebitMemo => 2,
            Self::CreditMemo => 3,
            Self::Payment => 4,
            Self::PaymentRun => 5,
            Self::Event => 6,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Account => "A",
            Self::Invoice => "INV",
            Self::DebitMemo => "DM",
            Self::CreditMemo => "CM",
            Self::Payment => "P-",
            Self::PaymentRun => "PR-",
            Self::Event => "",
        }
    }

    /// The text of a number.
    pub(crate) fn text(self, value: i64) -> String {
        format!("{}{value:0DIGITS$}", self.prefix())
    }

    /// The value of a text that this sequence could have given.
    fn value(self, text: &str) -> Option<i64> {
        let digits = text.strip_prefix(self.prefix())?;
        let is_ours = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_ours { digits.parse().ok() } else { None }
    }
}

/// Takes `count` numbers and gives the first.
pub(crate) fn reserve(
    db: &Connection,
    entity: EntityKey,
    sequence: Sequence,
    count: usize,
) -> Result<i64, Failure> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let sql = "INSERT INTO sequence (entity, kind, next) VALUES (?1, ?2, 1 + ?3) \
               ON CONFLICT (entity, kind) DO UPDATE SET next = next + ?3 RETURNING next - ?3";
    first(db, sql, params![entity.0, sequence.code(), count], |row| row.get())?
        .ok_or_else(|| Failure::broken("a sequence gave no number"))
}

/// The last number that was taken; 0 when none was.
pub(crate) fn last(db: &Connection, entity: EntityKey, sequence: Sequence) -> Result<i64, Failure> {
    let sql = "SELECT next - 1 FROM sequence WHERE entity = ?1 AND kind = ?2";
    let found = first(db, sql, params![entity.0, sequence.code()], |row| row.get())?;
    Ok(found.unwrap_or_default())
}

/// Takes one number as text.
pub(crate) fn next_text(db: &Connection, entity: EntityKey, sequence: Sequence) -> Result<String, Failure> {
    reserve(db, entity, sequence, 1).map(|value| sequence.text(value))
}

/// Makes sure that the sequence never gives a number that a caller chose.
pub(crate) fn pass(
    db: &Connection,
    entity: EntityKey,
    sequence: Sequence,
    number: &str,
) -> Result<(), Failure> {
    let Some(value) = sequence.value(number) else { return Ok(()) };
    raise(db, entity, sequence, value + 1)
}

/// Like [`pass`], for many numbers at once.
pub(crate) fn pass_all<'a>(
    db: &Connection,
    entity: EntityKey,
    sequence: Sequence,
    numbers: impl Iterator<Item = &'a str>,
) -> Result<(), Failure> {
    match numbers.filter_map(|number| sequence.value(number)).max() {
        Some(value) => raise(db, entity, sequence, value + 1),
        None => Ok(()),
    }
}

fn raise(db: &Connection, entity: EntityKey, sequence: Sequence, next: i64) -> Result<(), Failure> {
    let sql = "INSERT INTO sequence (entity, kind, next) VALUES (?1, ?2, ?3) \
               ON CONFLICT (entity, kind) DO UPDATE SET next = max(next, excluded.next)";
    execute(db, sql, params![entity.0, sequence.code(), next.max(1)]).map(drop)
}

/// Sets the next number.
pub(crate) fn pin(db: &Connection, entity: EntityKey, sequence: Sequence, next: i64) -> Result<(), Failure> {
    let sql = "INSERT INTO sequence (entity, kind, next) VALUES (?1, ?2, ?3) \
               ON CONFLICT (entity, kind) DO UPDATE SET next = excluded.next";
    execute(db, sql, params![entity.0, sequence.code(), next]).map(drop)
}
