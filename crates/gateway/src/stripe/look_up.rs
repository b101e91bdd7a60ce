//! What a search by a charge's key proves. Pure.

use payment_runs_engine::ports::{Delivery, Doubt, LookUp};
use serde::Deserialize;

use super::classify::{IntentBody, delivery_of, error_of};
use super::exchange::ExchangeAnswer;

#[derive(Debug, Deserialize)]
struct SearchBody {
    data: Vec<IntentBody>,
    #[serde(default)]
    has_more: bool,
}

/// Reads the answer of a search. `authoritative` says whether finding nothing proves that nothing
/// was charged.
pub fn read(answer: &ExchangeAnswer, key: &str, authoritative: bool) -> LookUp {
    if answer.status != 200 {
        let words = error_of(answer).map(|error| format!(": {}", error.words())).unwrap_or_default();
        return cannot_tell(format!("the gateway answered the look-up with {}{words}", answer.status));
    }
    let Ok(search) = serde_json::from_slice::<SearchBody>(&answer.body) else {
        return cannot_tell("the gateway's answer to the look-up cannot be read");
    };
    let mut deliveries: Vec<Delivery> = search
        .data
        .iter()
        .filter(|intent| intent.metadata.reference.as_deref() == Some(key))
        .map(delivery_of)
        .collect();
    deliveries.sort_by_key(weight);
    let charged: Vec<&str> = deliveries.iter().filter_map(reference_of).collect();
    if charged.len() > 1 {
        let why =
            format!("the gateway holds {} charges of this payment: {}", charged.len(), charged.join(", "));
        return LookUp::Found(Delivery::Unknown { doubt: Doubt::WrongCharge, why });
    }
    match deliveries.into_iter().next() {
        Some(Delivery::Unknown { why, .. }) => cannot_tell(why),
        // A decline on this page says nothing about an approval on the next.
        Some(Delivery::Declined { .. }) | None if search.has_more => {
            cannot_tell("the gateway found more charges than one page holds")
        }
        Some(delivery) => LookUp::Found(delivery),
        None if authoritative => LookUp::NeverSeen,
        None => cannot_tell("the gateway found nothing, which proves nothing: its search lags behind"),
    }
}

/// The gateway's name for a charge that moved money, or is to.
fn reference_of(delivery: &Delivery) -> Option<&str> {
    match delivery {
        Delivery::Approved(charge) | Delivery::Pending(charge) => Some(&charge.reference),
        _ => None,
    }
}

fn cannot_tell(why: impl Into<String>) -> LookUp {
    LookUp::CannotTell { why: why.into() }
}

/// Where several charges carry one key, money that moved outweighs everything else, and
/// what is not understood outweighs a decline.
fn weight(delivery: &Delivery) -> u8 {
    match delivery {
        Delivery::Approved(_) => 0,
        Delivery::Pending(_) => 1,
        Delivery::Unknown { .. } | Delivery::NotSent { .. } | Delivery::Refused { .. } => 2,
        Delivery::Declined { .. } => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(intents: &[(&str, &str)], has_more: bool, authoritative: bool) -> &'static str {
        let data: Vec<String> = intents
            .iter()
            .map(|(reference, status)| {
                format!(r#"{{"id":"pi_1","status":"{status}","metadata":{{"reference":"{reference}"}}}}"#)
            })
            .collect();
        let body = format!(r#"{{"data":[{}],"has_more":{has_more}}}"#, data.join(","));
        named(&read(&answer(200, &body), "R", authoritative))
    }

    fn answer(status: u16, body: &str) -> ExchangeAnswer {
        ExchangeAnswer { status, retry_after: None, body: bytes::Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn named(look_up: &LookUp) -> &'static str {
        match look_up {
            LookUp::Found(Delivery::Approved(_)) => "approved",
            LookUp::Found(Delivery::Declined { .. }) => "declined",
            LookUp::Found(Delivery::Pending(_)) => "pending",
            LookUp::Found(Delivery::Unknown { doubt: Doubt::WrongCharge, .. }) => "two charges",
            LookUp::Found(_) => "found wrongly",
            LookUp::NeverSeen => "never seen",
            LookUp::CannotTell { .. } => "cannot tell",
        }
    }

    #[test]
    fn money_that_moved_outweighs_everything() {
        for (intents, meaning) in [
            (&[("R", "succeeded")][..], "approved"),
            (&[("R", "processing")], "pending"),
            (&[("R", "requires_payment_method")], "declined"),
            (&[("R", "requires_capture")], "cannot tell"),
            (&[("R", "requires_payment_method"), ("R", "succeeded")], "approved"),
            (&[("R", "succeeded"), ("R", "succeeded")], "two charges"),
            (&[("R", "processing"), ("R", "succeeded")], "two charges"),
            (&[("R", "requires_payment_method"), ("R", "processing")], "pending"),
            (&[("R", "requires_payment_method"), ("R", "requires_capture")], "cannot tell"),
            (&[("S", "succeeded"), ("R", "requires_payment_method")], "declined"),
            (&[("S", "succeeded")], "never seen"),
            (&[], "never seen"),
        ] {
            assert_eq!(found(intents, false, true), meaning, "{intents:?}");
        }
    }

    #[test]
    fn nothing_found_proves_nothing_unless_the_search_is_authoritative_and_complete() {
        assert_eq!(found(&[], false, false), "cannot tell");
        assert_eq!(found(&[], true, true), "cannot tell");
        assert_eq!(found(&[("R", "requires_payment_method")], true, true), "cannot tell");
        assert_eq!(found(&[("R", "succeeded")], true, true), "approved");
    }

    #[test]
    fn an_unreadable_or_failed_look_up_cannot_tell() {
        for (status, body) in [(200, "<html>"), (200, "{}"), (404, ""), (429, ""), (500, ""), (302, "{}")] {
            assert_eq!(named(&read(&answer(status, body), "R", true)), "cannot tell", "{status} {body}");
        }
    }
}
