//! What a payment run decided about each document.

use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::{Key, RunId};
use payment_runs_engine::ports::ledger::{DecisionPosition, DecisionQuery};
use payment_runs_engine::run;
use payment_runs_stubs::ops::list_decisions::Query;
use payment_runs_stubs::{Category, Location, Rejection};
use payment_runs_types::ops::{Decision, DecisionOutcome, DecisionPage, DocumentType, SkipReason};

use super::no_run;
use crate::call::Call;
use crate::cursor;
use crate::failure::store_failure;
use crate::money::to_decimal;

/// Decisions per page unless the caller says otherwise.
const SIZE_DEFAULT: u32 = 30;

/// Decisions per page at most; the schema refuses more.
const SIZE_MAX: u32 = 99;

/// One page of decisions, in the order in which they fell.
pub(super) async fn list(call: &Call<'_>, key: &str, query: Query) -> Result<DecisionPage, Rejection> {
    let ledger = &call.app.ports.ledger;
    let found = ledger.find_run(call.scope(), &Key::new(key)).await.map_err(|error| store_failure(&error))?;
    let run = found.ok_or_else(|| no_run(key))?;
    let list = ListName::of(call, run.id, &query);
    let signing_key = &call.app.settings.cursor_key;
    let after = match &query.cursor {
        None => None,
        Some(text) => Some(list.read(signing_key, text).ok_or_else(foreign_cursor)?),
    };
    let picked = query.outcome.as_ref().map(|outcome| *outcome == DecisionOutcome::Collected);
    if picked == Some(true) && query.reason.is_some() {
        // Nothing was collected and skipped.
        return Ok(DecisionPage { data: Vec::new(), next_page: None });
    }
    let reason = match &query.reason {
        None => None,
        Some(reason) => Some(engine_reason(reason)?),
    };
    let size = page_size(query.page_size);
    let asked = DecisionQuery { picked, reason, after, limit: size + 1 };
    let decisions = ledger.list_decisions(call.scope().entity, run.id, asked).await;
    let mut decisions = decisions.map_err(|error| store_failure(&error))?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let is_last = decisions.len() <= size;
    decisions.truncate(size);
    let end = decisions.last().filter(|_| !is_last);
    let next_page = end.map(|(position, _)| list.sign(signing_key, *position));
    let data = decisions.into_iter().map(|(_, decision)| write(decision)).collect();
    Ok(DecisionPage { data, next_page })
}

/// How many decisions a page has.
pub(super) fn page_size(asked: Option<i32>) -> u32 {
    asked.and_then(|size| u32::try_from(size).ok()).unwrap_or(SIZE_DEFAULT).clamp(1, SIZE_MAX)
}

/// A position as a cursor carries it.
pub(super) fn write_position(position: DecisionPosition) -> Vec<u8> {
    [position.chunk.to_be_bytes(), position.ordinal.to_be_bytes()].concat()
}

/// Reads what [`write_position`] wrote.
pub(super) fn read_position(bytes: &[u8]) -> Option<DecisionPosition> {
    let (chunk, ordinal) = bytes.split_at_checked(4)?;
    Some(DecisionPosition {
        chunk: u32::from_be_bytes(chunk.try_into().ok()?),
        ordinal: u32::from_be_bytes(ordinal.try_into().ok()?),
    })
}

/// Everything that decides which decisions are in a list, and so which cursors belong to it.
struct ListName {
    entity: [u8; 4],
    run: [u8; 16],
    outcome: String,
    reason: String,
}

impl ListName {
    fn of(call: &Call<'_>, run: RunId, query: &Query) -> Self {
        let text = |value: Option<String>| value.unwrap_or_default();
        Self {
            entity: call.scope().entity.0.to_be_bytes(),
            run: run.to_bytes(),
            outcome: text(query.outcome.as_ref().map(ToString::to_string)),
            reason: text(query.reason.as_ref().map(ToString::to_string)),
        }
    }

    fn parts(&self) -> [&[u8]; 5] {
        [b"decisions", &self.entity, &self.run, self.outcome.as_bytes(), self.reason.as_bytes()]
    }

    fn sign(&self, key: &[u8; 32], position: DecisionPosition) -> String {
        cursor::sign(key, &self.parts(), &write_position(position))
    }

    fn read(&self, key: &[u8; 32], text: &str) -> Option<DecisionPosition> {
        read_position(&cursor::read(key, &self.parts(), text)?)
    }
}

pub(super) fn foreign_cursor() -> Rejection {
    let message = "is stale or was made for another list: start again without it";
    Rejection::at(Category::InvalidParameter, Location::Query, "cursor", message)
}

pub(super) fn write(decision: run::Decision) -> Decision {
    let amount = |minor: i64| to_decimal(minor, decision.currency);
    Decision {
        document_id: decision.document.to_string(),
        document_type: match decision.kind {
            DocumentKind::Invoice => DocumentType::Invoice,
            DocumentKind::DebitMemo => DocumentType::DebitMemo,
        },
        account_id: decision.account.to_string(),
        outcome: if decision.skipped.is_none() {
            DecisionOutcome::Collected
        } else {
            DecisionOutcome::Skipped
        },
        reason: decision.skipped.map(wire_reason),
        credit_applied: amount(decision.credit_minor),
        amount: amount(decision.charge_minor),
        currency: decision.currency.to_string(),
        payment_id: decision.payment.map(|id| id.to_string()),
        document_number: decision.number,
    }
}

/// The reasons inside and on the wire.
const REASONS: &[(run::SkipReason, SkipReason)] = &[
    (run::SkipReason::AutoPayOffAccount, SkipReason::AutoPayOffAccount),
    (run::SkipReason::AutoPayOffDocument, SkipReason::AutoPayOffDocument),
    (run::SkipReason::AccountInactive, SkipReason::AccountInactive),
    (run::SkipReason::NoPaymentMethod, SkipReason::NoPaymentMethod),
    (run::SkipReason::PaymentMethodClosed, SkipReason::PaymentMethodClosed),
    (run::SkipReason::GatewayInactive, SkipReason::GatewayInactive),
    (run::SkipReason::NoGateway, SkipReason::NoGateway),
    (run::SkipReason::RetryRule, SkipReason::RetryRule),
    (run::SkipReason::PaymentInProgress, SkipReason::PaymentInProgress),
    (run::SkipReason::CreditNotApplied, SkipReason::CreditNotApplied),
    (run::SkipReason::ZeroAmount, SkipReason::ZeroAmount),
    (run::SkipReason::CurrencyMismatch, SkipReason::CurrencyMismatch),
    (run::SkipReason::Stopped, SkipReason::Stopped),
];

pub(super) fn wire_reason(reason: run::SkipReason) -> SkipReason {
    let found = REASONS.iter().find(|(inside, _)| *inside == reason);
    found.map_or_else(|| SkipReason::Unknown(String::new()), |(_, wire)| wire.clone())
}

fn engine_reason(reason: &SkipReason) -> Result<run::SkipReason, Rejection> {
    let found = REASONS.iter().find(|(_, wire)| wire == reason).map(|(inside, _)| *inside);
    found.ok_or_else(|| {
        Rejection::at(Category::InvalidParameter, Location::Query, "reason", "is not a known reason")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn every_reason_has_its_word() {
        for reason in run::SkipReason::ALL {
            let word = serde_json::to_value(reason).unwrap();
            assert_eq!(word.as_str(), Some(wire_reason(reason).as_str()));
            assert_eq!(engine_reason(&wire_reason(reason)).unwrap(), reason);
        }
        assert_eq!(REASONS.len(), SkipReason::ALL.len());
        assert!(engine_reason(&SkipReason::Unknown("bad_weather".to_owned())).is_err());
    }

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let list = |reason: &str| ListName {
            entity: [0, 0, 0, 1],
            run: [9; 16],
            outcome: "skipped".to_owned(),
            reason: reason.to_owned(),
        };
        let position = DecisionPosition { chunk: 3, ordinal: 998 };
        let cursor = list("").sign(&[1; 32], position);
        assert_eq!(list("").read(&[1; 32], &cursor), Some(position));
        assert_eq!(list("retry_rule").read(&[1; 32], &cursor), None);
        assert_eq!(list("").read(&[2; 32], &cursor), None);
    }
}
