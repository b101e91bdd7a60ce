#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! Rules that show only in a whole plan.

use super::*;
use crate::account::RetryRule;
use crate::document::Document;
use crate::fixtures::{CountingIds, account, chunk, credit_memo, invoice, method, rules, unapplied_payment};
use crate::ids::{AccountId, Key, PaymentMethodId};
use crate::money::Currency;
use crate::payment_method::PaymentMethodStatus;
use crate::run::{Count, DataRecord, SkipReason};

fn plan(view: &ChunkView) -> ChunkPlan {
    plan_chunk(view, &CountingIds::new())
}

fn count(number: i64, amount_minor: i64) -> Count {
    Count { number, amount_minor }
}

/// The documented case: 100 invoices are due; 60 credit memos, some of which pay two invoices, and 30 unapplied payments.
#[test]
fn the_documented_use_case_counts_what_got_a_credit() {
    let mut rules = rules();
    rules.run.options.auto_apply_credit_memo = true;
    rules.run.options.auto_apply_unapplied_payment = true;
    let mut customer = account(1);
    customer.documents = (1..=100).map(|id| invoice(id, 1, 100)).collect();
    let amount = |id: u128| if id <= 5 { 200 } else { 100 };
    customer.credit_memos = (1..=60).map(|id| credit_memo(id, 1, amount(id))).collect();
    customer.unapplied_payments = (1..=30).map(|id| unapplied_payment(id, 1, 100)).collect();
    for (charges, selected) in [(false, 95), (true, 100)] {
        rules.run.options.collect_payment = charges;
        let plan = plan(&chunk(rules.clone(), vec![customer.clone()]));
        let tally = plan.tallies[&Currency::USD];
        assert_eq!((tally.invoices.number, tally.skipped), (selected, 100 - selected));
        assert_eq!((tally.credit_memos, tally.unapplied_payments), (count(60, 6_500), count(30, 3_000)));
        assert_eq!(plan.payments.len(), if charges { 5 } else { 0 });
    }
}

#[test]
fn a_credit_counts_once_however_many_chunks_use_it() {
    let mut rules = rules();
    rules.run.options.auto_apply_credit_memo = true;
    let mut customer = account(1);
    customer.documents = vec![invoice(1, 1, 100)];
    customer.credit_memos = vec![credit_memo(1, 1, 30), credit_memo(2, 1, 30)];
    let mut view = chunk(rules, vec![customer]);
    view.used.insert(CreditSource::CreditMemo(view.accounts[0].credit_memos[0].id));
    assert_eq!(plan(&view).tallies[&Currency::USD].credit_memos, count(1, 60));
}

#[test]
fn a_target_date_that_lies_ahead_does_not_keep_the_credit_balance_back() {
    let mut rules = rules();
    rules.settings.invoice_settlement = false;
    rules.run.options.apply_credit_balance = true;
    rules.run.target_date = Some("2026-12-31".parse().unwrap());
    let mut customer = account(1);
    customer.account.credit_balance_minor = 100;
    customer.documents = vec![Document { due_date: "2026-12-01".parse().unwrap(), ..invoice(1, 1, 100) }];
    let plan = plan(&chunk(rules, vec![customer]));
    assert_eq!((plan.credit_uses.len(), plan.payments.len()), (1, 0));
}

/// Spoils a payment method.
type Spoil = fn(&mut crate::payment_method::PaymentMethod);

/// A document with a payment method of its own beside the account's default one.
fn with_profile() -> ChunkView {
    let mut customer = account(1);
    customer.payment_methods.push(method(11, 1));
    customer.documents =
        vec![Document { payment_method: Some(PaymentMethodId::from_u128(11)), ..invoice(1, 1, 100) }];
    chunk(rules(), vec![customer])
}

#[test]
fn the_rules_hold_for_the_method_that_would_be_charged() {
    let spoil: [(Spoil, SkipReason); 2] = [
        (|method| method.status = PaymentMethodStatus::Closed, SkipReason::PaymentMethodClosed),
        (|method| method.consecutive_failures = 3, SkipReason::RetryRule),
    ];
    for (spoil, reason) in spoil {
        for profiles in [None, Some(true), Some(false)] {
            let mut view = with_profile();
            view.rules.run.options.use_custom_payment_methods = profiles;
            view.rules.settings.retry_rule =
                RetryRule { max_consecutive_failures: Some(3), retry_window_hours: None };
            let own_is_charged = profiles != Some(false);
            let mut other = view.clone();
            spoil(&mut view.accounts[0].payment_methods[1]);
            let skipped = plan(&view).decisions[0].skipped;
            assert_eq!(skipped, own_is_charged.then_some(reason), "own method, {profiles:?}");
            spoil(&mut other.accounts[0].payment_methods[0]);
            let skipped = plan(&other).decisions[0].skipped;
            assert_eq!(skipped, (!own_is_charged).then_some(reason), "default method, {profiles:?}");
        }
    }
}

/// A record for the only document of account 1.
fn record(view: &mut ChunkView, change: impl FnOnce(&mut DataRecord)) {
    let document = view.accounts[0].documents.first().cloned();
    let mut record = DataRecord {
        account: Some(Key::new("A00000001")),
        document_kind: document.as_ref().map(|one| one.kind),
        document: document.as_ref().map(|one| Key::new(one.number.clone())),
        ..DataRecord::default()
    };
    change(&mut record);
    let position = u32::try_from(view.records.len()).unwrap();
    let account = Some(AccountId::from_u128(1));
    view.records.push(RecordView { position, record, account, document, payment_method: None });
}

#[test]
fn a_records_own_method_obeys_the_retry_rules() {
    let mut view = with_profile();
    record(&mut view, |record| record.payment_method = Some(Key::new("own")));
    let mut own = method(12, 1);
    own.use_default_retry_rule = false;
    own.retry_rule = RetryRule { max_consecutive_failures: Some(2), retry_window_hours: None };
    own.consecutive_failures = 2;
    view.records[0].payment_method = Some(own);
    let blocked = plan(&view);
    assert!(blocked.records[0].error.as_ref().unwrap().1.contains("retry rule"), "{:?}", blocked.records);
    assert_eq!(blocked.decisions[0].skipped, Some(SkipReason::RetryRule));
    view.rules.run.options.ignore_retry_rule = true;
    assert_eq!(plan(&view).payments[0].token, "tok_12");
}

#[test]
fn a_standalone_payment_is_in_the_accounts_currency_unless_told_otherwise() {
    let dinar = Currency::from_code("KWD").unwrap();
    for (currency, expected) in [(None, dinar), (Some("USD"), Currency::USD)] {
        let mut customer = account(1);
        customer.account.currency = dinar;
        let mut view = chunk(rules(), vec![customer]);
        record(&mut view, |record| {
            record.standalone = true;
            record.amount = Some((125, 1));
            record.currency = currency.map(str::to_owned);
        });
        let plan = plan(&view);
        let unit = 10_i64.pow(u32::from(expected.exponent()));
        assert_eq!(plan.records[0].error, None, "{currency:?}");
        assert_eq!((plan.payments[0].currency, plan.payments[0].amount_minor), (expected, 125 * unit / 10));
    }
}

#[test]
fn what_was_taken_is_told_the_same_way_before_and_after_its_payment() {
    let mut view = with_profile();
    record(&mut view, |_| {});
    view.decided.insert(view.accounts[0].documents[0].id);
    let before = plan(&view);
    // Meanwhile the payment of the earlier chunk was approved.
    view.records[0].document.as_mut().unwrap().balance_minor = 0;
    assert_eq!(before, plan(&view));
}
