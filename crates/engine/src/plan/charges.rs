//! From what is owed to payments: one per document, or one per account, currency and means when consolidated.

use super::chunk::Share;
use super::types::{ChunkPlan, PaymentItem, PlannedPayment, RecordShare};
use crate::ids::PaymentId;
use crate::payment::PaymentPart;
use crate::ports::Ids;
use crate::run::Run;

/// Documents that one payment pays at most. The contract allows no more, and it bounds the size of a settlement.
pub const DOCUMENTS_PER_PAYMENT_MAX: usize = 1_000;

/// Makes payments of the shares of one account, and names them in the decisions from `first_decision` on.
pub(super) fn plan_payments(
    run: &Run,
    shares: &[Share<'_>],
    ids: &dyn Ids,
    plan: &mut ChunkPlan,
    first_decision: usize,
) {
    for group in group_shares(shares, run.options.consolidated_payment) {
        let Some(payment) = make_payment(&group, run.options.consolidated_payment, ids) else {
            continue;
        };
        for decision in &mut plan.decisions[first_decision..] {
            if payment.parts.iter().any(|part| part.document == decision.document) {
                decision.payment = Some(payment.id);
                decision.payment_method = Some(payment.payment_method);
            }
        }
        plan.payments.push(payment);
    }
}

/// Cuts shares into groups of one payment each, in the order of their first documents.
fn group_shares<'s, 'a>(shares: &'s [Share<'a>], is_consolidated: bool) -> Vec<Vec<&'s Share<'a>>> {
    let mut groups: Vec<Vec<&Share<'_>>> = Vec::new();
    for share in shares {
        let open = groups.iter_mut().rev().find(|group| is_consolidated && can_join(group, share));
        match open {
            Some(group) => group.push(share),
            None => groups.push(vec![share]),
        }
    }
    groups
}

/// Whether a share fits into the payment of a group.
fn can_join(group: &[&Share<'_>], share: &Share<'_>) -> bool {
    let Some(first) = group.first() else { return true };
    let total = group.iter().chain([&share]).try_fold(0_i64, |sum, one| sum.checked_add(one.charge_minor));
    first.document.currency == share.document.currency
        && first.means == share.means
        && group.len() < DOCUMENTS_PER_PAYMENT_MAX
        && total.is_some()
}

/// The payment of a group.
fn make_payment(group: &[&Share<'_>], is_consolidated: bool, ids: &dyn Ids) -> Option<PlannedPayment> {
    let first = group.first()?;
    let (document, means) = (first.document, first.means.clone());
    let item = match first.record {
        _ if is_consolidated => PaymentItem::Consolidated(document.account, document.currency, document.id),
        Some(position) if first.is_named => PaymentItem::Record(position),
        Some(_) | None => PaymentItem::Document(document.id),
    };
    let part =
        |share: &&Share<'_>| PaymentPart { document: share.document.id, amount_minor: share.charge_minor };
    Some(PlannedPayment {
        id: PaymentId::from_u128(ids.next_id()),
        item,
        account: document.account,
        currency: document.currency,
        amount_minor: group.iter().map(|share| share.charge_minor).sum(),
        payment_method: means.method,
        gateway: means.gateway,
        token: means.token,
        parts: group.iter().map(part).collect(),
        comment: group.iter().find_map(|share| share.comment.clone()),
        standalone: false,
        record: first.record,
        record_shares: record_shares(group),
    })
}

/// How much of a payment is for which data record, by position.
fn record_shares(group: &[&Share<'_>]) -> Vec<RecordShare> {
    let mut by_position = std::collections::BTreeMap::<u32, i64>::new();
    for share in group {
        if let Some(position) = share.record {
            *by_position.entry(position).or_default() += share.charge_minor;
        }
    }
    let to_share = |(position, amount_minor)| RecordShare { position, amount_minor };
    by_position.into_iter().map(to_share).collect()
}
