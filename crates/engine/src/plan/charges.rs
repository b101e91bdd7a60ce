//! From what is owed to payments: one per document, or one per account, currency and means when consolidated.

use std::collections::BTreeMap;

use super::chunk::Share;
use super::types::{ChunkPlan, PlannedPayment, RecordShare};
use crate::ids::{AccountId, PaymentId};
use crate::money::Currency;
use crate::payment::PaymentPart;
use crate::ports::Ids;
use crate::run::Run;
use crate::select::Means;

/// Documents that one payment pays at most. The contract allows no more, and it bounds the size of a settlement.
pub const DOCUMENTS_PER_PAYMENT_MAX: usize = 1_000;

/// What a payment is about, before it has an identifier and documents.
#[derive(Debug, Clone)]
pub(super) struct PaymentDraft {
    pub(super) account: AccountId,
    pub(super) currency: Currency,
    pub(super) amount_minor: i64,
    pub(super) means: Means,
    pub(super) comment: Option<String>,
}

impl PaymentDraft {
    /// A payment that settles nothing, asked for by a data record.
    pub(super) fn into_standalone(self, ids: &dyn Ids, position: u32) -> PlannedPayment {
        let share = RecordShare { position, amount_minor: self.amount_minor };
        let payment = self.into_payment(ids, Vec::new(), Some(position), vec![share]);
        PlannedPayment { standalone: true, ..payment }
    }

    fn into_payment(
        self,
        ids: &dyn Ids,
        parts: Vec<PaymentPart>,
        record: Option<u32>,
        record_shares: Vec<RecordShare>,
    ) -> PlannedPayment {
        PlannedPayment {
            id: PaymentId::from_u128(ids.next_id()),
            account: self.account,
            currency: self.currency,
            amount_minor: self.amount_minor,
            payment_method: self.means.method,
            gateway: self.means.gateway,
            token: self.means.token,
            parts,
            comment: self.comment,
            standalone: false,
            record,
            record_shares,
            records_counted: 0,
        }
    }
}

/// Makes payments of the shares of one account, and names them in the decisions from `first_decision` on.
pub(super) fn plan_payments(
    run: &Run,
    shares: &[Share<'_>],
    ids: &dyn Ids,
    plan: &mut ChunkPlan,
    first_decision: usize,
) {
    let is_consolidated = run.options.consolidated_payment;
    let mut paid_by = BTreeMap::new();
    for group in group_shares(shares, is_consolidated) {
        let Some(payment) = make_payment(&group, ids) else { continue };
        paid_by
            .extend(payment.parts.iter().map(|part| (part.document, (payment.id, payment.payment_method))));
        plan.payments.push(payment);
    }
    for decision in &mut plan.decisions[first_decision..] {
        if let Some((payment, method)) = paid_by.get(&decision.document) {
            decision.payment = Some(*payment);
            decision.payment_method = Some(*method);
        }
    }
}

/// The shares of one payment.
struct Group<'s, 'a> {
    shares: Vec<&'s Share<'a>>,
    total_minor: i64,
}

/// Cuts shares into groups of one payment each, in the order of their first documents.
fn group_shares<'s, 'a>(shares: &'s [Share<'a>], is_consolidated: bool) -> Vec<Group<'s, 'a>> {
    let mut groups: Vec<Group<'s, 'a>> = Vec::new();
    // The group that still takes shares, by currency and means.
    let mut open: BTreeMap<(Currency, &Means), usize> = BTreeMap::new();
    for share in shares {
        let key = (share.document.currency, &share.means);
        let group = open.get(&key).filter(|_| is_consolidated).and_then(|&index| groups.get_mut(index));
        if !group.is_some_and(|group| group.admit(share)) {
            open.insert(key, groups.len());
            groups.push(Group { shares: vec![share], total_minor: share.charge_minor });
        }
    }
    groups
}

impl<'s, 'a> Group<'s, 'a> {
    /// Takes a share in, if the payment does not become too large.
    fn admit(&mut self, share: &'s Share<'a>) -> bool {
        let total = self.total_minor.checked_add(share.charge_minor);
        match total.filter(|_| self.shares.len() < DOCUMENTS_PER_PAYMENT_MAX) {
            Some(total_minor) => {
                self.total_minor = total_minor;
                self.shares.push(share);
                true
            }
            None => false,
        }
    }
}

/// The payment of a group.
fn make_payment(group: &Group<'_, '_>, ids: &dyn Ids) -> Option<PlannedPayment> {
    let first = group.shares.first()?;
    let document = first.document;
    let draft = PaymentDraft {
        account: document.account,
        currency: document.currency,
        amount_minor: group.total_minor,
        means: first.means.clone(),
        comment: group.shares.iter().find_map(|share| share.comment.clone()),
    };
    let part =
        |share: &&Share<'_>| PaymentPart { document: share.document.id, amount_minor: share.charge_minor };
    let parts = group.shares.iter().map(part).collect();
    Some(draft.into_payment(ids, parts, first.record, record_shares(group)))
}

/// How much of a payment is for which data record, by position.
fn record_shares(group: &Group<'_, '_>) -> Vec<RecordShare> {
    let mut by_position = BTreeMap::<u32, i64>::new();
    for share in &group.shares {
        if let Some(position) = share.record {
            *by_position.entry(position).or_default() += share.charge_minor;
        }
    }
    let to_share = |(position, amount_minor)| RecordShare { position, amount_minor };
    by_position.into_iter().map(to_share).collect()
}
