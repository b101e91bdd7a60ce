//! What differs between a page of a gateway's list and the ledger's payments.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Difference, KnownPayment};
use crate::ids::LedgerId;
use crate::payment::PaymentState;
use crate::ports::{ListedCharge, ListedState};

/// What was found so far. Lists come in pages, newest charges first.
#[derive(Debug, Default)]
pub struct Comparison {
    /// What differs.
    pub differences: Vec<Difference>,
    /// The newest charge of the list (UTC, by the gateway's clock).
    pub newest: Option<Timestamp>,
    /// Charges of this ledger that were listed.
    pub listed: u64,
    /// Keys of which a charge was listed, with whether one of them moved money.
    keys: BTreeMap<String, bool>,
    references: BTreeSet<String>,
}

impl Comparison {
    /// Whether a payment that the ledger has as processed was listed.
    pub fn has(&self, payment: &KnownPayment) -> bool {
        let is_named =
            payment.reference.as_ref().is_some_and(|reference| self.references.contains(reference));
        is_named || payment.key.as_ref().is_some_and(|key| self.keys.contains_key(key))
    }
}

/// Takes in a page. `payments` holds those with a key or a reference of the page's charges.
pub fn compare_page(
    comparison: &mut Comparison,
    ledger: LedgerId,
    charges: Vec<ListedCharge>,
    payments: &[KnownPayment],
) {
    let by_reference: BTreeMap<&str, &KnownPayment> =
        payments.iter().filter_map(|one| Some((one.reference.as_deref()?, one))).collect();
    let by_key: BTreeMap<&str, &KnownPayment> =
        payments.iter().filter_map(|one| Some((one.key.as_deref()?, one))).collect();
    for charge in charges {
        comparison.newest = comparison.newest.max(Some(charge.created_at));
        let Some(key) = charge.key.clone().filter(|_| charge.is_of(ledger)) else { continue };
        comparison.listed += 1;
        comparison.references.insert(charge.reference.clone());
        let moves_money = charge.state.moves_money();
        let earlier = comparison.keys.get(&key).copied();
        comparison.keys.insert(key.clone(), moves_money || earlier == Some(true));
        let named = by_reference.get(charge.reference.as_str()).copied();
        let difference = match (named, by_key.get(key.as_str()).copied()) {
            (Some(payment), _) => differ(charge, payment),
            (None, Some(payment)) => differ_by_key(charge, payment),
            (None, None) => {
                unknown(&mut comparison.differences, charge, earlier.map(|moved| (moved, moves_money)))
            }
        };
        comparison.differences.extend(difference);
    }
}

/// A charge that the ledger does not know. Of several under one key that moved money, the oldest keeps the key, and each other
/// one stands for itself. A decline beside another charge of its key says nothing more. `moved` tells whether one that was
/// listed before moved money, and whether this one did.
fn unknown(
    differences: &mut Vec<Difference>,
    charge: ListedCharge,
    moved: Option<(bool, bool)>,
) -> Option<Difference> {
    let has_its_key = |one: &Difference| matches!(one, Difference::Unknown(other) if other.key == charge.key);
    match moved {
        None => {}
        Some((_, false)) => return None,
        Some((false, true)) => differences.retain(|one| !has_its_key(one)),
        Some((true, true)) => {
            for difference in differences.iter_mut().filter(|one| has_its_key(one)) {
                if let Difference::Unknown(newer) = difference {
                    newer.key = None;
                }
            }
        }
    }
    Some(Difference::Unknown(charge))
}

/// How a charge differs from the payment that has its name.
fn differ(charge: ListedCharge, payment: &KnownPayment) -> Option<Difference> {
    let is_same = charge.money.is_none_or(|money| money == payment.money);
    match (&charge.state, payment.state) {
        (ListedState::Approved, PaymentState::Processed) | (ListedState::Pending, PaymentState::Pending)
            if is_same =>
        {
            None
        }
        (ListedState::Declined { .. }, PaymentState::Declined) => None,
        (ListedState::Unclear { .. }, state) if state.is_in_doubt() => None,
        (_, state) if state.is_in_doubt() => Some(Difference::InDoubt(charge, payment.clone())),
        _ => Some(Difference::Contradiction(charge, payment.clone())),
    }
}

/// How a charge differs from the payment that has its key, whose charge may be another one.
fn differ_by_key(charge: ListedCharge, payment: &KnownPayment) -> Option<Difference> {
    let is_its_own = payment.reference.as_deref().is_none_or(str::is_empty);
    match payment.state {
        PaymentState::Processed if is_its_own => differ(charge, payment),
        state if state.is_in_doubt() && is_its_own => differ(charge, payment),
        // Another charge under the key has its payment already.
        _ if charge.state.moves_money() => Some(Difference::Extra(charge, payment.clone())),
        _ => None,
    }
}
