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
}
