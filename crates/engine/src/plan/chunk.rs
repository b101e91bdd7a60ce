//! The plan of a chunk: every document is decided once, credits go first, charges take the rest.

use super::charges::plan_payments;
use super::records::plan_records;
use super::tally::tally_plan;
use super::types::{AccountView, ChunkPlan, ChunkView};
use crate::allocate::{CreditPool, sort_documents};
use crate::document::{Document, DocumentStatus};
use crate::ports::Ids;
use crate::run::{Decision, SkipReason};
use crate::run_rules::effective_target_date;
use crate::select::{Means, select_document};

/// What is collected for one document, before payments are made of it.
#[derive(Debug, Clone)]
pub(super) struct Share<'a> {
    /// The document.
    pub(super) document: &'a Document,
    /// The data record that asks for it.
    pub(super) record: Option<u32>,
    /// What is charged, in minor units; more than 0.
    pub(super) charge_minor: i64,
    /// What it is charged to.
    pub(super) means: Means,
    /// Free text for the payment.
    pub(super) comment: Option<String>,
}

/// Decides everything about a chunk. Pure but for the identifiers of new payments, and the same for the same view.
pub fn plan_chunk(view: &ChunkView, ids: &dyn Ids) -> ChunkPlan {
    let mut plan = ChunkPlan::default();
    if view.records.is_empty() {
        for account in &view.accounts {
            plan_account(view, account, ids, &mut plan);
        }
    } else {
        plan_records(view, ids, &mut plan);
    }
    plan.tallies = tally_plan(view, &plan);
    plan
}

/// Plans one account of a run with filters.
fn plan_account(view: &ChunkView, account: &AccountView, ids: &dyn Ids, plan: &mut ChunkPlan) {
    let mut documents: Vec<&Document> =
        account.documents.iter().filter(|document| is_collectable(view, account, document)).collect();
    sort_documents(&mut documents);
    let mut credits = CreditPool::new(&view.rules, account);
    let mut shares = Vec::new();
    let first_decision = plan.decisions.len();
    for document in documents {
        let means = match select_document(&view.rules, account, document, view.now) {
            Ok(means) => means,
            Err(reason) => {
                plan.decisions.push(skipped(document, reason));
                continue;
            }
        };
        let uses = credits.take(document, document.balance_minor, None);
        let credit_minor: i64 = uses.iter().map(|one| one.amount_minor).sum();
        plan.credit_uses.extend(uses);
        let open_minor = document.balance_minor - credit_minor;
        let charge_minor = if means.is_some() { open_minor } else { 0 };
        plan.decisions.push(decide(document, credit_minor, charge_minor));
        if let Some(means) = means.filter(|_| charge_minor > 0) {
            shares.push(Share { document, record: None, charge_minor, means, comment: None });
        }
    }
    plan_payments(&view.rules.run, &shares, ids, plan, first_decision);
}

/// Whether the document is one that the run collects at all; the store's filters say the same.
fn is_collectable(view: &ChunkView, account: &AccountView, document: &Document) -> bool {
    document.account == account.account.id
        && document.status == DocumentStatus::Posted
        && document.balance_minor > 0
        && document.due_date <= effective_target_date(&view.rules.run, &view.rules.settings, view.now)
}

/// The decision about a document that is picked up, or left because nothing was applied and nothing is charged.
pub(super) fn decide(document: &Document, credit_minor: i64, charge_minor: i64) -> Decision {
    let is_picked = credit_minor > 0 || charge_minor > 0;
    Decision {
        skipped: (!is_picked).then_some(SkipReason::CreditNotApplied),
        credit_minor,
        charge_minor,
        ..skipped(document, SkipReason::CreditNotApplied)
    }
}

/// The decision about a document that is left.
pub(super) fn skipped(document: &Document, reason: SkipReason) -> Decision {
    Decision {
        document: document.id,
        kind: document.kind,
        number: document.number.clone(),
        account: document.account,
        currency: document.currency,
        balance_minor: document.balance_minor,
        skipped: Some(reason),
        credit_minor: 0,
        charge_minor: 0,
        payment: None,
        payment_method: None,
    }
}
