//! The second transaction of the protocol: outcomes, each written once, with everything that follows from it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use payment_runs_engine::command::Resolution;
use payment_runs_engine::ids::{
    AccountId, DocumentId, EntityKey, GatewayId, PaymentId, PaymentMethodId, RunId, UserId,
};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{GatewayAnswer, PaymentPart, PaymentState};
use payment_runs_engine::payment_method::TransactionResult;
use payment_runs_engine::payment_method::card_number::without_card_numbers;
use payment_runs_engine::plan::{
    SettledPart, SettlementEffect, SettlementView, settle_payment, settle_records,
};
use payment_runs_engine::ports::{Doubt, Outcome, Settlement};
use payment_runs_engine::run::Tally;
use rusqlite::{Connection, params};

use super::balances;
use crate::sqlite::codes::Code;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all, execute_one, first, time};

/// A payment with what its settlement depends on.
pub(crate) const PAYMENT: &str = "SELECT account, run, chunk, records_counted, currency, payment_method, standalone, \
     state, amount_minor, gateway, bars_delivery FROM payment WHERE entity = ?1 AND id = ?2";
/// The parts of a payment with their documents. The cross join keeps the order of the tables: a payment's few parts
/// first, then one document for each.
pub(crate) const PARTS: &str = "SELECT p.document, p.amount_minor, d.kind, d.balance_minor \
     FROM payment_part AS p CROSS JOIN document AS d \
     WHERE p.entity = ?1 AND p.payment = ?2 AND d.entity = ?1 AND d.account = ?3 AND d.id = p.document \
     ORDER BY p.ordinal";

/// Moves a payment on, if it still is in the state it was read in. One that is canceled was never sent: its key is free again.
pub(crate) const UPDATE: &str = "UPDATE payment SET state = ?4, reference = coalesce(?5, reference), code = ?6, \
     message = ?7, unapplied_minor = ?8, settled_at = ?9, next_look_up_at = ?10, updated_at = ?11, \
     bars_delivery = ?12, idempotency_key = CASE ?4 WHEN 5 THEN NULL ELSE idempotency_key END \
     WHERE entity = ?1 AND id = ?2 AND state = ?3";

/// Another payment with the same charge at the same gateway.
const SAME_REFERENCE: &str =
    "SELECT number FROM payment WHERE gateway = ?1 AND reference = ?2 AND id <> ?3 LIMIT 1";

/// On whose behalf outcomes are recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// The worker that has the claim of this chunk; its payments must be the chunk's.
    Chunk(RunId, u32),
    /// A look-up, of any payment.
    LookUp,
    /// A caller, of any payment in its scope.
    Command(UserId),
    /// A person who found out what became of a payment in its scope.
    Resolve(UserId, &'a Resolution),
}

/// A payment as it is stored when its outcome arrives.
struct Stored {
    account: AccountId,
    run: Option<RunId>,
    chunk: Option<u32>,
    records_counted: u32,
    currency: Currency,
    payment_method: Option<PaymentMethodId>,
    standalone: bool,
    state: PaymentState,
    amount_minor: i64,
    gateway: Option<GatewayId>,
    bars_delivery: bool,
    parts: Vec<(PaymentPart, SettledPart)>,
}

/// What a payment keeps of its last outcome.
struct Said {
    answer: GatewayAnswer,
    bars_delivery: bool,
}

type ChunkKey = (RunId, u32, Currency);

/// Records outcomes, each guarded by its payment's state. Says how many changed something.
pub(crate) fn settle_all(
    db: &Connection,
    entity: EntityKey,
    now: Timestamp,
    settlements: &[Settlement],
    mode: Mode<'_>,
) -> Result<usize, Failure> {
    let mut tallies: BTreeMap<ChunkKey, Tally> = BTreeMap::new();
    let mut events = Vec::with_capacity(settlements.len());
    let mut changed = 0;
    for settlement in settlements {
        let id = settlement.payment;
        let Some(stored) = load(db, entity, id)? else {
            return Err(Failure::broken(format!("there is no payment {id} to record an outcome for")));
        };
        check_mode(mode, id, &stored)?;
        let view = SettlementView {
            state: stored.state,
            amount_minor: stored.amount_minor,
            parts: stored.parts.iter().map(|(_, settled)| *settled).collect(),
        };
        let outcome = match mode {
            Mode::Resolve(..) => settlement.outcome.clone(),
            _ => judge_reference(db, id, &stored, &settlement.outcome)?,
        };
        let effect = settle_payment(&view, &outcome).filter(|_| may_settle(mode, &stored, &outcome));
        let Some(mut effect) = effect else {
            events.extend(contradiction(id, &stored, &outcome));
            events.extend(bar_delivery(db, entity, now, id, &stored, &outcome)?);
            continue;
        };
        settle_records(&mut effect, stored.records_counted);
        let answer = match mode {
            Mode::Resolve(_, resolution) => resolution.answer(),
            Mode::Chunk(..) | Mode::LookUp | Mode::Command(_) => answer_of(&outcome).without_card_numbers(),
        };
        let said = Said { answer, bars_delivery: bars_delivery(&outcome) };
        write_payment(db, entity, now, id, &said, &stored, &effect)?;
        write_documents(db, entity, now, id, &stored, &effect)?;
        write_method(db, entity, now, &stored, &effect)?;
        if let (Some(run), Some(chunk)) = (stored.run, stored.chunk) {
            row::tally::merge(tallies.entry((run, chunk, stored.currency)).or_default(), &effect.tally)?;
        }
        events.push(settled_event(id, &stored, &effect, &outcome, mode));
        changed += 1;
    }
    for ((run, chunk, currency), tally) in &tallies {
        row::tally::add(db, entity, *run, *chunk, *currency, tally)?;
    }
    append(db, entity, now, &events)?;
    Ok(changed)
}

fn load(db: &Connection, entity: EntityKey, id: PaymentId) -> Result<Option<Stored>, Failure> {
    let found = first(db, PAYMENT, params![entity.0, id.to_blob()], |row| {
        Ok(Stored {
            account: row.id()?,
            run: row.opt_id()?,
            chunk: row.opt_number()?,
            records_counted: row.number()?,
            currency: row.currency()?,
            payment_method: row.opt_id()?,
            standalone: row.get()?,
            state: row.code()?,
            amount_minor: row.get()?,
            gateway: row.opt_id()?,
            bars_delivery: row.get()?,
            parts: Vec::new(),
        })
    })?;
    let Some(mut stored) = found else { return Ok(None) };
    let values = params![entity.0, id.to_blob(), stored.account.to_blob()];
    stored.parts = all(db, PARTS, values, |row| {
        let document: DocumentId = row.id()?;
        let amount_minor = row.get()?;
        let settled = SettledPart { amount_minor, kind: row.code()?, balance_minor: row.get()? };
        Ok((PaymentPart { document, amount_minor }, settled))
    })?;
    Ok(Some(stored))
}

fn check_mode(mode: Mode<'_>, id: PaymentId, stored: &Stored) -> Result<(), Failure> {
    match mode {
        Mode::Chunk(run, chunk) if stored.run != Some(run) || stored.chunk != Some(chunk) => {
            Err(Failure::broken(format!("payment {id} is not of the claimed chunk")))
        }
        Mode::Chunk(..) | Mode::LookUp | Mode::Command(_) | Mode::Resolve(..) => Ok(()),
    }
}

/// Whether this side may say so: that a payment of unknown outcome was never sent is for look-ups alone to find, since a
/// sender knows only its own delivery.
fn may_settle(mode: Mode<'_>, stored: &Stored, outcome: &Outcome) -> bool {
    let is_given_up = matches!(outcome, Outcome::NotSent { .. });
    !is_given_up || stored.state == PaymentState::Intent || matches!(mode, Mode::LookUp)
}

/// The answer that a payment keeps of an outcome.
fn answer_of(outcome: &Outcome) -> GatewayAnswer {
    match outcome {
        Outcome::Approved { reference } | Outcome::Pending { reference } => {
            GatewayAnswer { reference: Some(reference.clone()), code: None, message: None }
        }
        Outcome::Declined { code, message, reference } => GatewayAnswer {
            reference: reference.clone(),
            code: Some(code.clone()),
            message: Some(message.clone()),
        },
        Outcome::NotSent { cause, why } => {
            let code = Some(cause.code().to_owned());
            GatewayAnswer { reference: None, code, message: Some(why.clone()) }
        }
        Outcome::Unknown { why, .. } => {
            GatewayAnswer { reference: None, code: None, message: Some(why.clone()) }
        }
    }
}

fn write_payment(
    db: &Connection,
    entity: EntityKey,
    now: Timestamp,
    payment: PaymentId,
    said: &Said,
    stored: &Stored,
    effect: &SettlementEffect,
) -> Result<(), Failure> {
    let applied: i64 = stored.parts.iter().map(|(part, _)| part.amount_minor).sum();
    let leaves_rest = effect.state == PaymentState::Processed && !stored.standalone;
    let unapplied_minor = if leaves_rest { stored.amount_minor - applied } else { 0 };
    let is_in_doubt = effect.state.is_in_doubt();
    let values = params![
        entity.0,
        payment.to_blob(),
        stored.state.code(),
        effect.state.code(),
        said.answer.reference,
        said.answer.code,
        said.answer.message,
        unapplied_minor,
        (!is_in_doubt).then(|| time(now)),
        is_in_doubt.then(|| time(now)),
        time(now),
        said.bars_delivery,
    ];
    execute_one(db, UPDATE, values, "record an outcome")
}

fn write_documents(
    db: &Connection,
    entity: EntityKey,
    now: Timestamp,
    payment: PaymentId,
    stored: &Stored,
    effect: &SettlementEffect,
) -> Result<(), Failure> {
    for (index, (part, _)) in stored.parts.iter().enumerate() {
        // A payment of a run goes under a key of its first document. One that is canceled gives its key back.
        let is_key = index == 0 && stored.run.is_some() && effect.state != PaymentState::Canceled;
        let answered = u32::from(is_key);
        match (effect.pays_documents, effect.releases_documents) {
            (true, true) => {
                balances::pay_and_release(db, entity, stored.account, part, payment, answered, now)?;
            }
            (true, false) => balances::pay(db, entity, stored.account, part, now)?,
            (false, true) => {
                balances::release(db, entity, stored.account, part.document, payment, answered)?;
            }
            (false, false) => {}
        }
    }
    Ok(())
}

/// What the payment method learns: the failure counters that retry rules read.
fn write_method(
    db: &Connection,
    entity: EntityKey,
    now: Timestamp,
    stored: &Stored,
    effect: &SettlementEffect,
) -> Result<(), Failure> {
    let (Some(method), Some(result)) = (stored.payment_method, effect.transaction) else { return Ok(()) };
    let sql = match result {
        TransactionResult::Approved => {
            "UPDATE payment_method SET consecutive_failures = 0, processed_payments = processed_payments + 1, \
             last_transaction_at = ?3, last_transaction = ?4 WHERE entity = ?1 AND id = ?2"
        }
        TransactionResult::Declined => {
            "UPDATE payment_method SET consecutive_failures = consecutive_failures + 1, \
             error_payments = error_payments + 1, last_failed_at = ?3, last_transaction_at = ?3, last_transaction = ?4 \
             WHERE entity = ?1 AND id = ?2"
        }
    };
    let values = params![entity.0, method.to_blob(), time(now), result.code()];
    execute_one(db, sql, values, "count a payment method's transaction")
}

fn settled_event(
    id: PaymentId,
    stored: &Stored,
    effect: &SettlementEffect,
    outcome: &Outcome,
    mode: Mode<'_>,
) -> Event {
    let (kind, user, detail) = match mode {
        Mode::Chunk(..) | Mode::LookUp => (EventKind::PaymentSettled, None, alarm(outcome)),
        Mode::Command(user) => (EventKind::PaymentSettled, Some(user), alarm(outcome)),
        Mode::Resolve(user, resolution) => {
            (EventKind::PaymentResolved, Some(user), Some(resolution.comment.clone()))
        }
    };
    Event {
        kind,
        run: stored.run,
        chunk: stored.chunk,
        payment: Some(id),
        state: Some(effect.state),
        user,
        detail,
    }
}

/// An outcome that contradicts what was recorded before: money moved that no document got, or the other way round. It
/// changes nothing by itself, but it must not pass unseen.
fn contradiction(payment: PaymentId, stored: &Stored, outcome: &Outcome) -> Option<Event> {
    let detail = match (stored.state, outcome) {
        (PaymentState::Declined | PaymentState::Canceled, Outcome::Approved { .. }) => {
            "an approval came after this state and changed nothing"
        }
        (PaymentState::Processed, Outcome::Declined { .. }) => {
            "a decline came after this state and changed nothing"
        }
        _ => return None,
    };
    tracing::error!(%payment, state = ?stored.state, "{detail}");
    Some(Event {
        kind: EventKind::PaymentSettled,
        run: stored.run,
        chunk: stored.chunk,
        payment: Some(payment),
        state: Some(stored.state),
        user: None,
        detail: Some(detail.to_owned()),
    })
}

/// The outcome, unless it names a charge that another payment has: then nobody can tell whose money moved.
fn judge_reference(
    db: &Connection,
    payment: PaymentId,
    stored: &Stored,
    outcome: &Outcome,
) -> Result<Outcome, Failure> {
    let (Outcome::Approved { reference } | Outcome::Pending { reference }, Some(gateway)) =
        (outcome, stored.gateway)
    else {
        return Ok(outcome.clone());
    };
    let values = params![gateway.to_blob(), reference, payment.to_blob()];
    let other: Option<String> = first(db, SAME_REFERENCE, values, |row| row.get())?;
    Ok(match other {
        // A person who settles a payment need not know the gateway's name for the charge.
        Some(number) if !reference.is_empty() => {
            let why = format!("the gateway reports {reference}, which is the charge of payment {number}");
            Outcome::Unknown { doubt: Doubt::WrongCharge, why }
        }
        _ => outcome.clone(),
    })
}

fn bars_delivery(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { doubt, .. } if doubt.bars_delivery())
}

/// What the audit trail says of an outcome that a person must look at.
fn alarm(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Unknown { doubt, why } if doubt.bars_delivery() => {
            let why = without_card_numbers(why);
            tracing::error!(
                why,
                "what a gateway reports contradicts the request: a person must settle the payment"
            );
            Some(why)
        }
        _ => None,
    }
}

/// Bars a payment in doubt from being delivered again, where its state stays as it is. Gives the record of it, once.
fn bar_delivery(
    db: &Connection,
    entity: EntityKey,
    now: Timestamp,
    payment: PaymentId,
    stored: &Stored,
    outcome: &Outcome,
) -> Result<Option<Event>, Failure> {
    let Some(detail) = alarm(outcome).filter(|_| stored.state.is_in_doubt() && !stored.bars_delivery) else {
        return Ok(None);
    };
    let sql =
        "UPDATE payment SET bars_delivery = 1, message = ?3, updated_at = ?4 WHERE entity = ?1 AND id = ?2";
    execute_one(db, sql, params![entity.0, payment.to_blob(), detail, time(now)], "bar a delivery")?;
    Ok(Some(Event {
        kind: EventKind::PaymentSettled,
        run: stored.run,
        chunk: stored.chunk,
        payment: Some(payment),
        state: Some(stored.state),
        user: None,
        detail: Some(detail),
    }))
}
