//! What a list of charges says. Pure.

use std::str::FromStr;

use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, LedgerId};
use payment_runs_engine::ports::{
    AccountUnavailable, ChargePage, Delivery, ListError, ListedCharge, ListedState, ListedSubject,
    NotSentCause,
};
use serde::Deserialize;

use super::classify::{IntentBody, MetadataBody, delivery_of, error_of};
use super::exchange::ExchangeAnswer;

#[derive(Debug, Deserialize)]
struct ListBody {
    data: Vec<IntentBody>,
    #[serde(default)]
    has_more: bool,
}

/// Reads the answer. A gateway that knows no such list, or keeps it from this secret key, does not support it.
pub fn read(answer: &ExchangeAnswer) -> Result<ChargePage, ListError> {
    let words = || error_of(answer).map(|error| format!(": {}", error.words())).unwrap_or_default();
    let why = || format!("the gateway answered {}{} when asked for its charges", answer.status, words());
    let unavailable = |cause, why| {
        Err(ListError::Unavailable(AccountUnavailable { cause, why, retry_after: answer.retry_after }))
    };
    match answer.status {
        200..=299 => {
            let list = serde_json::from_slice::<ListBody>(&answer.body).ok();
            list.and_then(|list| to_page(&list)).map_or_else(
                || {
                    let why = "the gateway's list of charges cannot be read";
                    unavailable(NotSentCause::LedgerUnchecked, why.to_owned())
                },
                Ok,
            )
        }
        403 | 404 | 405 | 501 => Err(ListError::NotSupported { why: why() }),
        401 => unavailable(NotSentCause::Credentials, why()),
        429 => unavailable(NotSentCause::TooManyRequests, why()),
        _ => unavailable(NotSentCause::LedgerUnchecked, why()),
    }
}

/// `None` where a charge has no time, or where the list goes on after nothing.
fn to_page(list: &ListBody) -> Option<ChargePage> {
    let charges: Vec<ListedCharge> = list.data.iter().map(to_charge).collect::<Option<_>>()?;
    let next = if list.has_more { Some(list.data.last()?.id.clone()) } else { None };
    Some(ChargePage { charges, next })
}

fn to_charge(intent: &IntentBody) -> Option<ListedCharge> {
    let (state, report) = match delivery_of(intent) {
        Delivery::Approved(report) => (ListedState::Approved, report),
        Delivery::Pending(report) => (ListedState::Pending, report),
        Delivery::Declined { code, message, .. } => {
            (ListedState::Declined { code, message }, intent.report_asked())
        }
        Delivery::Refused { message: why, .. }
        | Delivery::NotSent { why, .. }
        | Delivery::Unknown { why, .. } => (ListedState::Unclear { why }, intent.report_asked()),
    };
    Some(ListedCharge {
        reference: report.reference,
        key: report.key,
        money: report.money,
        state,
        created_at: Timestamp::from_second(intent.created?).ok()?,
        subject: to_subject(&intent.metadata),
    })
}

/// What cannot be read was not written by a ledger.
fn to_subject(metadata: &MetadataBody) -> ListedSubject {
    fn parsed<T: FromStr>(text: Option<&String>) -> Option<T> {
        text?.parse().ok()
    }
    ListedSubject {
        ledger: parsed::<LedgerId>(metadata.ledger.as_ref()),
        entity: parsed(metadata.entity.as_ref()).map(EntityKey),
        account: parsed(metadata.account.as_ref()),
        document: parsed(metadata.document.as_ref()),
        documents: parsed(metadata.documents.as_ref()),
        documents_digest: metadata.documents_digest.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use bytes::Bytes;
    use payment_runs_engine::money::{Currency, Money};

    use super::*;

    fn answer(status: u16, body: &str) -> ExchangeAnswer {
        ExchangeAnswer { status, retry_after: None, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn a_charge_is_listed_with_all_that_its_metadata_say() {
        let id = |last: char| format!("{}{last}", "0".repeat(31));
        let body = format!(
            r#"{{"object":"list","has_more":true,"data":[
            {{"id":"pi_3","created":1772323203,"status":"succeeded","amount":700,"amount_received":700,"currency":"usd",
              "metadata":{{"reference":"K","ledger":"{}","entity":"1","account":"{}","document":"{}","documents":"2","documents_digest":"D"}}}},
            {{"id":"pi_2","created":1772323202,"status":"processing","amount":5,"currency":"eur","metadata":{{"reference":"L","entity":"x"}}}},
            {{"id":"pi_1","created":1772323201,"status":"requires_payment_method","amount":5,"currency":"usd","last_payment_error":{{"code":"card_declined","message":"No."}}}},
            {{"id":"pi_0","created":1772323200,"status":"requires_capture","amount":5,"currency":"usd"}}]}}"#,
            id('7'),
            id('8'),
            id('9'),
        );
        let page = read(&answer(200, &body)).unwrap();
        assert_eq!(page.next.as_deref(), Some("pi_0"));
        let [first, second, third, fourth] = page.charges.try_into().unwrap();
        assert_eq!((first.reference.as_str(), first.key.as_deref()), ("pi_3", Some("K")));
        assert_eq!(first.money, Some(Money::new(700, Currency::USD)));
        assert_eq!(first.created_at.as_second(), 1_772_323_203);
        assert_eq!(first.state, ListedState::Approved);
        assert!(first.is_of(LedgerId::from_u128(7)) && !first.is_of(LedgerId::from_u128(8)));
        assert_eq!((first.subject.documents, first.subject.entity), (Some(2), Some(EntityKey(1))));
        assert_eq!((second.state, second.subject), (ListedState::Pending, ListedSubject::default()));
        assert!(matches!(&third.state, ListedState::Declined { code, .. } if code == "card_declined"));
        assert_eq!(third.money, Some(Money::new(5, Currency::USD)));
        assert!(matches!(&fourth.state, ListedState::Unclear { why } if why.contains("requires_capture")));
    }

    #[test]
    fn what_is_no_list_is_unsupported_or_not_known() {
        for status in [403, 404, 405, 501] {
            assert!(matches!(read(&answer(status, "{}")), Err(ListError::NotSupported { .. })), "{status}");
        }
        for (status, body, cause) in [
            (200, "<html>", NotSentCause::LedgerUnchecked),
            (200, "{}", NotSentCause::LedgerUnchecked),
            (200, r#"{"data":[],"has_more":true}"#, NotSentCause::LedgerUnchecked),
            (200, r#"{"data":[{"id":"pi","status":"succeeded"}]}"#, NotSentCause::LedgerUnchecked),
            (302, "{}", NotSentCause::LedgerUnchecked),
            (400, "{}", NotSentCause::LedgerUnchecked),
            (401, "{}", NotSentCause::Credentials),
            (429, "{}", NotSentCause::TooManyRequests),
            (500, "{}", NotSentCause::LedgerUnchecked),
        ] {
            match read(&answer(status, body)) {
                Err(ListError::Unavailable(unavailable)) => assert_eq!(unavailable.cause, cause, "{status}"),
                other => panic!("{status} {body}: {other:?}"),
            }
        }
        assert_eq!(read(&answer(200, r#"{"data":[]}"#)), Ok(ChargePage::default()));
    }
}
