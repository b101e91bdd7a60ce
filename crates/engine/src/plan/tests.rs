#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! Plans of runs with filters, case by case. The general laws are in `laws.rs`.

use super::*;
use crate::document::DocumentKind;
use crate::fixtures::{
    CountingIds, account, chunk, credit_memo, euro, invoice, method, rules, unapplied_payment,
};
use crate::ids::{DocumentId, PaymentMethodId};
use crate::money::Currency;
use crate::run::{Count, SkipReason};

fn plan(view: &ChunkView) -> ChunkPlan {
    plan_chunk(view, &CountingIds::new())
}

fn count(number: i64, amount_minor: i64) -> Count {
    Count { number, amount_minor }
}

#[test]
fn credits_come_before_the_charge() {
    // The documented summary: 256 owed, 100 by credit memo, 100 by unapplied payment, 56 charged.
    let mut rules = rules();
    rules.run.options.auto_apply_credit_memo = true;
    rules.run.options.auto_apply_unapplied_payment = true;
    let mut customer = account(1);
    let memo = DocumentKind::DebitMemo;
    customer.documents = vec![crate::document::Document { kind: memo, ..invoice(1, 1, 25_600) }];
    customer.credit_memos = vec![credit_memo(1, 1, 10_000)];
    customer.unapplied_payments = vec![unapplied_payment(1, 1, 10_000)];
    let plan = plan(&chunk(rules, vec![customer]));
    assert_eq!(plan.payments.len(), 1);
    assert_eq!(plan.payments[0].amount_minor, 5_600);
    assert_eq!((plan.decisions[0].credit_minor, plan.decisions[0].charge_minor), (20_000, 5_600));
    assert_eq!(plan.decisions[0].payment, Some(plan.payments[0].id));
    let tally = plan.tallies[&Currency::USD];
    assert_eq!(tally.debit_memos, count(1, 25_600));
    assert_eq!(tally.credit_memos, count(1, 10_000));
    assert_eq!(tally.unapplied_payments, count(1, 10_000));
    assert_eq!(tally.processing, count(1, 5_600));
    assert_eq!(tally.unprocessed_debit_memos, count(1, 5_600));
}

#[test]
fn the_oldest_credit_pays_the_oldest_document() {
    let mut rules = rules();
    rules.run.options.auto_apply_credit_memo = true;
    let mut customer = account(1);
    let mut late = invoice(1, 1, 100);
    late.due_date = "2026-02-20".parse().unwrap();
    customer.documents = vec![late, invoice(3, 1, 100), invoice(2, 1, 100)];
    let mut young = credit_memo(1, 1, 120);
    young.effective_date = "2026-02-01".parse().unwrap();
    customer.credit_memos = vec![young, credit_memo(2, 1, 30)];
    let plan = plan(&chunk(rules, vec![customer]));
    let uses: Vec<_> = plan
        .credit_uses
        .iter()
        .map(|one| match one.source {
            CreditSource::CreditMemo(memo) => (memo.as_u128(), one.document.as_u128(), one.amount_minor),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(uses, [(2, 2, 30), (1, 2, 70), (1, 3, 50)]);
    assert_eq!(plan.payments.iter().map(|one| one.amount_minor).collect::<Vec<_>>(), [50, 100]);
    assert_eq!(plan.tallies[&Currency::USD].credit_memos, count(2, 150));
}

#[test]
fn credit_balance_pays_where_invoices_are_not_settled() {
    let mut rules = rules();
    rules.run.options.apply_credit_balance = true;
    let mut customer = account(1);
    customer.account.credit_balance_minor = 150;
    customer.documents = vec![invoice(1, 1, 100), invoice(2, 1, 100)];
    let view = chunk(rules, vec![customer]);
    assert_eq!(plan(&view).credit_uses, [], "not where invoices are settled");
    let mut view = view;
    view.rules.settings.invoice_settlement = false;
    let plan = plan(&view);
    assert_eq!(plan.tallies[&Currency::USD].credit_balance, count(2, 150));
    assert_eq!(plan.payments[0].amount_minor, 50);
}

#[test]
fn without_collection_a_document_needs_a_credit() {
    let mut rules = rules();
    rules.run.options.auto_apply_credit_memo = true;
    rules.run.options.collect_payment = false;
    let mut customer = account(1);
    customer.documents = vec![invoice(1, 1, 100), invoice(2, 1, 100), invoice(3, 1, 100)];
    customer.credit_memos = vec![credit_memo(1, 1, 130)];
    let plan = plan(&chunk(rules, vec![customer]));
    let reasons: Vec<_> = plan.decisions.iter().map(|one| one.skipped).collect();
    assert_eq!(reasons, [None, None, Some(SkipReason::CreditNotApplied)]);
    assert!(plan.payments.is_empty());
    let tally = plan.tallies[&Currency::USD];
    assert_eq!((tally.skipped, tally.invoices), (1, count(2, 200)));
    assert_eq!(tally.unprocessed_invoices, count(1, 70));
}

#[test]
fn consolidation_keeps_currencies_and_means_apart() {
    let mut rules = rules();
    rules.run.options.consolidated_payment = true;
    let mut customer = account(1);
    let mut foreign = invoice(3, 1, 500);
    foreign.currency = euro();
    let mut own = invoice(4, 1, 900);
    own.payment_method = Some(PaymentMethodId::from_u128(11));
    customer.payment_methods.push(method(11, 1));
    customer.documents = vec![invoice(1, 1, 100), invoice(2, 1, 200), foreign, own];
    let plan = plan(&chunk(
        rules,
        vec![customer, {
            let mut b = account(2);
            b.documents = vec![invoice(5, 2, 7)];
            b
        }],
    ));
    let amounts: Vec<_> =
        plan.payments.iter().map(|one| (one.currency.code(), one.amount_minor, one.parts.len())).collect();
    assert_eq!(amounts, [("USD", 300, 2), ("EUR", 500, 1), ("USD", 900, 1), ("USD", 7, 1)]);
    assert_eq!(plan.payments[0].parts[0].document, DocumentId::from_u128(1));
}

#[test]
fn a_consolidated_payment_has_a_bounded_number_of_documents_and_a_bounded_sum() {
    let mut rules = rules();
    rules.run.options.consolidated_payment = true;
    let mut customer = account(1);
    let number = DOCUMENTS_PER_PAYMENT_MAX as u128 + 5;
    customer.documents = (1..=number).map(|id| invoice(id, 1, 10)).collect();
    let plan_of = |customer| plan(&chunk(rules.clone(), vec![customer]));
    let parts: Vec<_> = plan_of(customer.clone()).payments.iter().map(|one| one.parts.len()).collect();
    assert_eq!(parts, [DOCUMENTS_PER_PAYMENT_MAX, 5]);
    customer.documents = vec![invoice(1, 1, i64::MAX), invoice(2, 1, 5)];
    let amounts: Vec<_> = plan_of(customer).payments.iter().map(|one| one.amount_minor).collect();
    assert_eq!(amounts, [i64::MAX, 5]);
}

#[test]
fn what_is_not_due_or_not_open_is_not_decided_about() {
    let mut customer = account(1);
    let mut early = invoice(1, 1, 100);
    early.due_date = "2026-03-02".parse().unwrap();
    let mut draft = invoice(2, 1, 100);
    draft.status = crate::document::DocumentStatus::Draft;
    customer.documents = vec![early, draft, invoice(3, 1, 0), invoice(4, 2, 100)];
    assert_eq!(plan(&chunk(rules(), vec![customer])), ChunkPlan::default());
}

#[test]
fn without_a_target_date_the_day_of_the_start_counts_in_the_entitys_time_zone() {
    let mut rules = rules();
    rules.run.target_date = None;
    rules.run.run_at = Some("2026-02-15T07:00:00Z".parse().unwrap());
    let mut customer = account(1);
    customer.documents = vec![invoice(1, 1, 100)];
    let mut view = chunk(rules, vec![customer]);
    assert_eq!(plan(&view).payments.len(), 1);
    view.rules.settings.time_zone = "America/Los_Angeles".to_owned();
    assert_eq!(plan(&view).decisions.len(), 0, "it is still the 14th there");
}

#[test]
fn a_stopped_run_leaves_every_document() {
    let mut rules = rules();
    rules.stopping = true;
    rules.run.options.auto_apply_credit_memo = true;
    let mut customer = account(1);
    customer.documents = vec![invoice(1, 1, 100)];
    customer.credit_memos = vec![credit_memo(1, 1, 130)];
    let plan = plan(&chunk(rules, vec![customer]));
    assert_eq!(plan.decisions[0].skipped, Some(SkipReason::Stopped));
    assert!(plan.payments.is_empty() && plan.credit_uses.is_empty());
}
