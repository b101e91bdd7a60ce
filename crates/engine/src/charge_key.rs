//! Idempotency keys of charges: the same thing that is collected has the same key, in every process and after every restore.
//!
//! A key names the ledger, what is collected, and how many charges under its keys have been answered. Amount, currency, payment
//! method and gateway stand in the body only: a plan that differs from an earlier one meets the gateway's refusal to take
//! a key with another body, and is looked up instead of charged once more. Keys have at most 120 characters.

use crate::ids::{DocumentId, LedgerId, RunId};

/// The key of a payment of documents: of its first one. `charges_answered` counts the charges under the document's keys
/// that were approved, declined or refused, or that a person settled.
pub fn of_document(ledger: LedgerId, document: DocumentId, charges_answered: u32) -> String {
    format!("{ledger}-d{document}-{charges_answered}")
}

/// The key of a payment of a run that settles no document: of the data record that asks for it, by position.
pub fn of_record(ledger: LedgerId, run: RunId, position: u32) -> String {
    format!("{ledger}-r{run}-{position}")
}

/// The key of a single payment. `request` stands for the caller and its idempotency key; without such a key it is a fresh
/// identifier.
pub fn of_request(ledger: LedgerId, request: u128) -> String {
    format!("{ledger}-c{request:032x}")
}

/// What a key says it collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collected {
    /// Documents, of which this is the first.
    Document {
        /// The document.
        document: DocumentId,
        /// How many charges under its keys had been answered before.
        charges_answered: u32,
    },
    /// A data record of a run.
    Record {
        /// The run.
        run: RunId,
        /// The record, by position.
        position: u32,
    },
    /// What a caller asked for.
    Request,
}

/// Reads a key; `None` for a text that is none.
pub fn parse(key: &str) -> Option<Collected> {
    let (ledger, rest) = key.split_once('-')?;
    ledger.parse::<LedgerId>().ok()?;
    let (kind, rest) = rest.split_at_checked(1)?;
    let numbered = || rest.split_once('-').and_then(|(id, number)| Some((id, number.parse().ok()?)));
    match kind {
        "d" => {
            let (id, charges_answered) = numbered()?;
            Some(Collected::Document { document: id.parse().ok()?, charges_answered })
        }
        "r" => {
            let (id, position) = numbered()?;
            Some(Collected::Record { run: id.parse().ok()?, position })
        }
        "c" => Some(Collected::Request),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_key_names_the_ledger_and_what_is_collected_and_nothing_else() {
        let (ledger, other) = (LedgerId::from_u128(1), LedgerId::from_u128(2));
        let (one, two) = (DocumentId::from_u128(1), DocumentId::from_u128(2));
        let run = RunId::from_u128(1);
        let keys = [
            of_document(ledger, one, 0),
            of_document(ledger, one, 1),
            of_document(ledger, two, 0),
            of_document(other, one, 0),
            of_record(ledger, run, 0),
            of_record(ledger, run, 1),
            of_request(ledger, 1),
            of_request(ledger, 2),
        ];
        assert_eq!(BTreeSet::from_iter(&keys).len(), keys.len(), "{keys:?}");
        assert!(of_record(LedgerId::from_u128(u128::MAX), run, u32::MAX).len() <= 120);
        assert_eq!(keys[0], of_document(ledger, one, 0));
    }

    #[test]
    fn a_key_can_be_read_again() {
        let (ledger, document, run) = (LedgerId::from_u128(1), DocumentId::from_u128(2), RunId::from_u128(3));
        let read = Collected::Document { document, charges_answered: 7 };
        assert_eq!(parse(&of_document(ledger, document, 7)), Some(read));
        assert_eq!(parse(&of_record(ledger, run, 4)), Some(Collected::Record { run, position: 4 }));
        assert_eq!(parse(&of_request(ledger, 5)), Some(Collected::Request));
        for other in ["", "key", "x-d1-0", &format!("{ledger}-"), &format!("{ledger}-d{document}")] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
