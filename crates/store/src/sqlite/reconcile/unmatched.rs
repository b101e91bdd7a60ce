//! Unmatched payments, and what people decide about them.

use jiff::Timestamp;
use payment_runs_engine::document::Document;
use payment_runs_engine::ids::{EntityKey, PaymentId};
use payment_runs_engine::money::Money;
use payment_runs_engine::payment::{Payment, PaymentPart, PaymentState};
use payment_runs_engine::ports::{MatchDecision, Matched, UnmatchedPayment};
use rusqlite::{Connection, params};

use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all, execute_one, first};
use crate::sqlite::work::balances;

pub(super) fn list(db: &Connection) -> Result<Vec<UnmatchedPayment>, Failure> {
    let sql = "SELECT p.number, a.number, p.reference, p.amount_minor, p.unapplied_minor, p.currency, \
               (SELECT count(*) FROM document AS d WHERE d.entity = u.entity AND d.account = u.account \
                AND d.currency = u.currency AND d.status = 1 AND d.balance_minor > 0) \
               FROM unmatched_payment AS u JOIN payment AS p ON p.entity = u.entity AND p.id = u.payment \
               JOIN account AS a ON a.entity = u.entity AND a.id = u.account ORDER BY p.number";
    all(db, sql, [], |row| {
        let (number, account, reference) = (row.get()?, row.get()?, row.get()?);
        let (amount_minor, unapplied_minor) = (row.get()?, row.get()?);
        let money = Money::new(amount_minor, row.currency()?);
        Ok(UnmatchedPayment { number, account, reference, money, unapplied_minor, held: row.number()? })
    })
}

/// Carries a decision out, or changes nothing.
pub(super) fn decide(
    db: &Connection,
    number: &str,
    decision: &MatchDecision,
    now: Timestamp,
) -> Result<Matched, Failure> {
    let Some((entity, payment)) = find(db, number)? else { return Ok(Matched::NoPayment) };
    if payment.state != PaymentState::Processed {
        return Ok(Matched::NotCollected);
    }
    let parts = match decision {
        MatchDecision::Release => Vec::new(),
        MatchDecision::Apply(numbers) => match find_parts(db, entity, &payment, numbers)? {
            Ok(parts) => parts,
            Err(missing) => return Ok(Matched::NoDocument(missing)),
        },
    };
    let mut left = payment.unapplied_minor;
    for part in &parts {
        left -= part.amount_minor;
        balances::take_from_payment(db, entity, payment.id, part.amount_minor, now)?;
        balances::credit(db, entity, payment.account, part.document, part.amount_minor, true, now)?;
        row::payment::add_part(db, entity, payment.id, part)?;
    }
    free(db, entity, payment.id)?;
    let detail = if parts.is_empty() { "released" } else { "applied to documents" };
    let event = Event::payment(EventKind::PaymentMatched, &payment, None, Some(detail.to_owned()));
    append(db, entity, now, &[event])?;
    Ok(Matched::Done(Money::new(left, payment.currency)))
}

fn find(db: &Connection, number: &str) -> Result<Option<(EntityKey, Payment)>, Failure> {
    let sql = "SELECT u.entity, u.payment FROM unmatched_payment AS u JOIN payment AS p \
               ON p.entity = u.entity AND p.id = u.payment WHERE p.number = ?1 LIMIT 1";
    let found = first(db, sql, params![number], |row| Ok((EntityKey(row.get()?), row.id()?)))?;
    let Some((entity, id)) = found else { return Ok(None) };
    Ok(row::payment::by_id(db, entity, id)?.map(|payment| (entity, payment)))
}

/// The part of each document, in the order of the numbers; the number of one that cannot be paid.
fn find_parts(
    db: &Connection,
    entity: EntityKey,
    payment: &Payment,
    numbers: &[String],
) -> Result<Result<Vec<PaymentPart>, String>, Failure> {
    let open = row::document::open_of_account(db, entity, payment.account)?;
    let open: Vec<Document> =
        open.into_iter().map(|document| own_hold(db, document)).collect::<Result<_, _>>()?;
    let mut left = payment.unapplied_minor;
    let mut parts: Vec<PaymentPart> = Vec::with_capacity(numbers.len());
    for number in numbers {
        let is_free = |one: &&Document| {
            one.number == *number && one.currency == payment.currency && one.held_by.is_none()
        };
        let found = open.iter().find(is_free);
        let Some(document) = found.filter(|one| parts.iter().all(|part| part.document != one.id)) else {
            return Ok(Err(number.clone()));
        };
        let amount_minor = document.balance_minor.min(left);
        if amount_minor > 0 {
            left -= amount_minor;
            parts.push(PaymentPart { document: document.id, amount_minor });
        }
    }
    Ok(Ok(parts))
}

/// The document, held only by a payment of its own: what its account's unmatched payments hold can be matched.
pub(super) fn own_hold(db: &Connection, document: Document) -> Result<Document, Failure> {
    let held_by = match document.held_by {
        Some(payment) if is_unmatched(db, payment)? => None,
        held_by => held_by,
    };
    Ok(Document { held_by, ..document })
}

/// Whether a payment waits for a person to match it.
fn is_unmatched(db: &Connection, payment: PaymentId) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM unmatched_payment WHERE payment = ?1";
    Ok(first(db, sql, params![payment.to_blob()], |_| Ok(()))?.is_some())
}

fn free(db: &Connection, entity: EntityKey, payment: PaymentId) -> Result<(), Failure> {
    let sql = "DELETE FROM unmatched_payment WHERE entity = ?1 AND payment = ?2";
    execute_one(db, sql, params![entity.0, payment.to_blob()], "free the documents of an account")
}
