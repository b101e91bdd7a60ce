//! Runs that were told exactly what to collect: each record is judged alone, and a bad one stops nothing.
//!
//! A record is checked in this order, and the first fault is its error: shape (see [`check_shape`]), the account, its
//! own payment method and gateway, the document, the amount, the means. A record that names a document takes that
//! document or fails. A record without one takes every open, due and free document of the account; what it cannot take
//! is recorded as skipped.

use std::collections::{BTreeMap, BTreeSet};

use super::charges::{PaymentDraft, plan_payments};
use super::chunk::{Share, decide, skipped};
use super::record_checks::{
    CODE_INVALID, CODE_STOPPED, Fault, amount_of, check_document, check_shape, is_payable, own_means,
};
use super::types::{AccountView, ChunkPlan, ChunkView, PlannedPayment, RecordOutcome, RecordView};
use crate::allocate::{CreditPool, sort_documents};
use crate::document::Document;
use crate::ids::DocumentId;
use crate::money::Currency;
use crate::ports::Ids;
use crate::run::SkipReason;
use crate::select::{Means, OwnMeans, check_account, check_free, explain, find_means, means_of};

/// Plans the data records of a chunk, account by account in the order of their identifiers.
pub(super) fn plan_records(view: &ChunkView, ids: &dyn Ids, plan: &mut ChunkPlan) {
    let mut records: Vec<&RecordView> = view.records.iter().collect();
    records.sort_by_key(|record| (record.account, record.position));
    for group in records.chunk_by(|a, b| a.account == b.account) {
        let id = group.first().and_then(|record| record.account);
        let account = view.accounts.iter().find(|one| Some(one.account.id) == id);
        let mut desk = Desk::new(view, account);
        for record in group {
            let outcome = desk.plan_record(record);
            plan.records.push(outcome);
        }
        desk.finish(ids, plan);
    }
    plan.records.sort_by_key(|outcome| outcome.position);
}

/// One account while its records are planned.
struct Desk<'a> {
    view: &'a ChunkView,
    account: Option<&'a AccountView>,
    credits: Option<CreditPool>,
    /// Documents that a record of this run has taken, also in an earlier chunk.
    taken: BTreeSet<DocumentId>,
    /// Documents that a record could not take; a later record may still take them.
    left: BTreeMap<DocumentId, (&'a Document, SkipReason)>,
    shares: Vec<Share<'a>>,
    standalone: Vec<(PaymentDraft, u32)>,
    found: ChunkPlan,
}

/// A document that a record asks for, and how much of it.
#[derive(Clone, Copy)]
struct Target<'a> {
    document: &'a Document,
    want_minor: i64,
}

impl<'a> Desk<'a> {
    fn new(view: &'a ChunkView, account: Option<&'a AccountView>) -> Self {
        Self {
            view,
            account,
            credits: account.map(|account| CreditPool::new(&view.rules, account)),
            taken: view.decided.clone(),
            left: BTreeMap::new(),
            shares: Vec::new(),
            standalone: Vec::new(),
            found: ChunkPlan::default(),
        }
    }

    /// Judges one record and takes what it asks for.
    fn plan_record(&mut self, record: &'a RecordView) -> RecordOutcome {
        let position = record.position;
        if self.view.rules.stopping {
            for document in self.asked_for(record) {
                self.left.entry(document.id).or_insert((document, SkipReason::Stopped));
            }
            let error = Some((CODE_STOPPED.to_owned(), explain(SkipReason::Stopped).to_owned()));
            return RecordOutcome { position, error, amount_to_collect: None };
        }
        match self.try_record(record) {
            Ok(amount_to_collect) => RecordOutcome { position, error: None, amount_to_collect },
            Err(message) => {
                let error = Some((CODE_INVALID.to_owned(), message));
                RecordOutcome { position, error, amount_to_collect: None }
            }
        }
    }

    fn try_record(&mut self, record: &'a RecordView) -> Result<Option<(i64, Currency)>, Fault> {
        check_shape(&record.record)?;
        let account = self.account.ok_or("There is no such account.")?;
        check_account(&account.account).map_err(explain)?;
        let own = own_means(&self.view.rules, account, record)?;
        if record.record.standalone {
            return self.take_standalone(account, record, own).map(Some);
        }
        let targets = if record.record.document.is_some() {
            vec![self.named_target(account, record)?]
        } else {
            self.open_targets(record)
        };
        if targets.is_empty() {
            return Err("The account has no open document that is due.".to_owned());
        }
        self.take_targets(account, record, own, &targets)
    }

    /// The document that the record names.
    fn named_target(&mut self, account: &AccountView, record: &'a RecordView) -> Result<Target<'a>, Fault> {
        let document = record.document.as_ref().ok_or("There is no such document.")?;
        // Before anything that the other record's payment may have changed meanwhile: the answer is always the same.
        if self.taken.contains(&document.id) {
            return Err("Another record of this payment run collects for the document.".to_owned());
        }
        check_document(self.view, account, document)?;
        if let Err(reason) = check_free(document) {
            self.left.entry(document.id).or_insert((document, reason));
            return Err(explain(reason).to_owned());
        }
        let want_minor = match record.record.amount {
            Some(amount) => amount_of(amount, document.currency)?,
            None => document.balance_minor,
        };
        if want_minor > document.balance_minor {
            return Err("The amount is more than the balance of the document.".to_owned());
        }
        Ok(Target { document, want_minor })
    }

    /// The open documents that are due and that a record asks for: the one it names, or all of its account.
    fn asked_for(&self, record: &'a RecordView) -> Vec<&'a Document> {
        let Some(account) = self.account else { return Vec::new() };
        let asked = &record.record;
        let all: &[Document] = match &record.document {
            Some(named) => std::slice::from_ref(named),
            None if asked.standalone || asked.document.is_some() || asked.document_kind.is_some() => &[],
            None => &account.documents,
        };
        all.iter().filter(|one| is_payable(self.view, account, one)).collect()
    }

    /// Every open document of the account that is due and that no other record has taken.
    fn open_targets(&self, record: &'a RecordView) -> Vec<Target<'a>> {
        let mut documents = self.asked_for(record);
        documents.retain(|one| !self.taken.contains(&one.id));
        sort_documents(&mut documents);
        let target = |document: &'a Document| Target { document, want_minor: document.balance_minor };
        documents.into_iter().map(target).collect()
    }

    /// Takes what can be taken. Says how much that is in all, where it is of one currency; fails when nothing can.
    fn take_targets(
        &mut self,
        account: &AccountView,
        record: &RecordView,
        own: OwnMeans<'_>,
        targets: &[Target<'a>],
    ) -> Result<Option<(i64, Currency)>, Fault> {
        let collects = self.view.rules.run.options.collect_payment;
        let mut wanted: BTreeMap<Currency, i64> = BTreeMap::new();
        let mut last_reason = None;
        for target in targets {
            let free = check_free(target.document);
            let means = free.and_then(|()| {
                let find = || find_means(&self.view.rules, account, target.document, own, self.view.now);
                collects.then(find).transpose()
            });
            match means {
                Ok(means) => {
                    self.take(*target, record, means);
                    let sum = wanted.entry(target.document.currency).or_default();
                    *sum = sum.saturating_add(target.want_minor);
                }
                Err(reason) => {
                    self.left.entry(target.document.id).or_insert((target.document, reason));
                    last_reason = Some(reason);
                }
            }
        }
        let mut sums = wanted.into_iter();
        match (sums.next(), sums.next(), last_reason) {
            (None, _, Some(reason)) => Err(explain(reason).to_owned()),
            (Some((currency, amount_minor)), None, _) => Ok(Some((amount_minor, currency))),
            _ => Ok(None),
        }
    }

    /// Takes a document: credits first, then the charge.
    fn take(&mut self, target: Target<'a>, record: &RecordView, means: Option<Means>) {
        let Target { document, want_minor } = target;
        let position = Some(record.position);
        let uses = match &mut self.credits {
            Some(credits) => credits.take(document, want_minor, position),
            None => Vec::new(),
        };
        let credit_minor: i64 = uses.iter().map(|one| one.amount_minor).sum();
        let charge_minor = if means.is_some() { want_minor - credit_minor } else { 0 };
        self.found.credit_uses.extend(uses);
        self.found.decisions.push(decide(document, credit_minor, charge_minor));
        self.taken.insert(document.id);
        if let Some(means) = means.filter(|_| charge_minor > 0) {
            let comment = record.record.comment.clone();
            self.shares.push(Share { document, record: position, charge_minor, means, comment });
        }
    }

    /// Takes a payment that settles no document.
    fn take_standalone(
        &mut self,
        account: &AccountView,
        record: &RecordView,
        own: OwnMeans<'_>,
    ) -> Result<(i64, Currency), Fault> {
        if !self.view.rules.run.options.collect_payment {
            return Err("A standalone payment needs a run that collects payments.".to_owned());
        }
        let currency = match record.record.currency.as_deref() {
            Some(code) => Currency::from_code(code).map_err(|error| error.to_string())?,
            None => account.account.currency,
        };
        if !self.view.rules.settings.allows(currency) {
            return Err("The currency is none of the entity's currencies.".to_owned());
        }
        let amount = record.record.amount.ok_or("A standalone payment needs an amount.")?;
        let amount_minor = amount_of(amount, currency)?;
        let default = account.account.default_payment_method;
        let default = account.payment_methods.iter().find(|one| Some(one.id) == default);
        let method = own.method.or(default).ok_or_else(|| explain(SkipReason::NoPaymentMethod).to_owned())?;
        let means = means_of(&self.view.rules, account, method, own.gateway, currency, self.view.now)
            .map_err(explain)?;
        let draft = PaymentDraft {
            account: account.account.id,
            currency,
            amount_minor,
            means,
            comment: record.record.comment.clone(),
        };
        self.standalone.push((draft, record.position));
        Ok((amount_minor, currency))
    }

    /// Hands the account's part of the plan over.
    fn finish(self, ids: &dyn Ids, plan: &mut ChunkPlan) {
        let Self { view, taken, left, shares, standalone, found, .. } = self;
        let (first_decision, first_payment) = (plan.decisions.len(), plan.payments.len());
        plan.decisions.extend(found.decisions);
        let left = left.into_values().filter(|(document, _)| !taken.contains(&document.id));
        plan.decisions.extend(left.map(|(document, reason)| skipped(document, reason)));
        plan.credit_uses.extend(found.credit_uses);
        plan_payments(&view.rules.run, &shares, ids, plan, first_decision);
        for (draft, position) in standalone {
            let payment: PlannedPayment = draft.into_standalone(ids, position);
            plan.payments.push(payment);
        }
        count_records(&mut plan.payments[first_payment..]);
    }
}

/// Lets each record count with the first of its payments.
fn count_records(payments: &mut [PlannedPayment]) {
    let mut counted = BTreeSet::new();
    for payment in payments {
        for share in &payment.record_shares {
            payment.records_counted += u32::from(counted.insert(share.position));
        }
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
