#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! Laws that every plan obeys, whatever the accounts look like.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::account::AccountStatus;
use crate::document::{CreditMemo, Document, DocumentKind};
use crate::fixtures::{
    CountingIds, account, chunk, credit_memo, euro, invoice, method, rules, unapplied_payment,
};
use crate::ids::{Key, PaymentId, PaymentMethodId};
use crate::money::Currency;
use crate::payment::Payment;
use crate::payment_method::PaymentMethodStatus;
use crate::run::{DataRecord, Tally};

fn any_currency() -> impl Strategy<Value = Currency> {
    prop_oneof![3 => Just(Currency::USD), 1 => Just(euro()), 1 => Just(Currency::from_code("JPY").unwrap())]
}

/// Documents get their identifiers later, so that they are unique.
fn any_document() -> impl Strategy<Value = Document> {
    let rare = || prop::bool::weighted(0.1);
    (any_currency(), 0_i64..500, 1_i8..29, any::<bool>(), rare(), rare(), rare(), rare()).prop_map(
        |(currency, balance_minor, day, is_memo, is_manual, is_held, is_late, is_own)| Document {
            currency,
            kind: if is_memo { DocumentKind::DebitMemo } else { DocumentKind::Invoice },
            due_date: jiff::civil::date(2026, if is_late { 4 } else { 2 }, day),
            auto_pay: !is_manual,
            held_by: is_held.then(|| PaymentId::from_u128(77)),
            payment_method: is_own.then(|| PaymentMethodId::from_u128(11)),
            ..invoice(0, 0, balance_minor)
        },
    )
}

fn any_memo() -> impl Strategy<Value = CreditMemo> {
    (any_currency(), 0_i64..400, 1_i8..29).prop_map(|(currency, unapplied_minor, day)| CreditMemo {
        currency,
        effective_date: jiff::civil::date(2026, 1, day),
        ..credit_memo(0, 0, unapplied_minor)
    })
}

fn any_unapplied() -> impl Strategy<Value = Payment> {
    (any_currency(), 0_i64..400, any::<bool>()).prop_map(|(currency, unapplied_minor, standalone)| Payment {
        currency,
        standalone,
        ..unapplied_payment(0, 0, unapplied_minor)
    })
}

fn any_account() -> impl Strategy<Value = AccountView> {
    let rare = || prop::bool::weighted(0.1);
    (
        prop::collection::vec(any_document(), 0..8),
        prop::collection::vec(any_memo(), 0..3),
        prop::collection::vec(any_unapplied(), 0..3),
        0_i64..300,
        rare(),
        rare(),
        rare(),
    )
        .prop_map(
            |(documents, credit_memos, unapplied_payments, credit_balance_minor, off, closed, gone)| {
                let mut view = AccountView { documents, credit_memos, unapplied_payments, ..account(0) };
                view.account.credit_balance_minor = credit_balance_minor;
                view.account.auto_pay = !off;
                view.account.status = if gone { AccountStatus::Canceled } else { AccountStatus::Active };
                if closed {
                    view.payment_methods[0].status = PaymentMethodStatus::Closed;
                }
                view
            },
        )
}

fn any_rules() -> impl Strategy<Value = RunRules> {
    let rare = || prop::bool::weighted(0.1);
    (any::<[bool; 5]>(), rare(), rare()).prop_map(
        |([credits, settled, consolidated, custom, closed], no_charge, stop)| {
            let mut rules = rules();
            rules.settings.invoice_settlement = settled;
            let options = &mut rules.run.options;
            options.auto_apply_credit_memo = credits && settled;
            options.auto_apply_unapplied_payment = credits && settled;
            options.apply_credit_balance = credits && !settled;
            options.consolidated_payment = consolidated;
            options.use_custom_payment_methods = Some(custom);
            options.process_payment_with_closed_pm = closed;
            options.collect_payment = !no_charge;
            rules.stopping = stop;
            rules
        },
    )
}

/// Gives everything in a view an identifier of its own.
fn number(view: &mut ChunkView) {
    let mut next = 100_u128;
    let mut fresh = || {
        next += 1;
        next
    };
    for (index, account_view) in view.accounts.iter_mut().enumerate() {
        let id = index as u128 + 1;
        let fixture = account(id);
        account_view.account = crate::account::Account {
            id: fixture.account.id,
            number: fixture.account.number,
            default_payment_method: Some(method(10, id).id),
            ..account_view.account.clone()
        };
        let status = account_view.payment_methods[0].status;
        account_view.payment_methods =
            vec![crate::payment_method::PaymentMethod { status, ..method(10, id) }, method(11, id)];
        for document in &mut account_view.documents {
            let template = invoice(fresh(), id, 0);
            (document.id, document.number, document.account) =
                (template.id, template.number, template.account);
        }
        for memo in &mut account_view.credit_memos {
            let template = credit_memo(fresh(), id, 0);
            (memo.id, memo.number, memo.account) = (template.id, template.number, template.account);
        }
        for payment in &mut account_view.unapplied_payments {
            let template = unapplied_payment(fresh(), id, 0);
            (payment.id, payment.number, payment.account) = (template.id, template.number, template.account);
        }
    }
}

/// Turns a view into one of a run with data records: some name a document, perhaps a part of it, some an account.
fn with_records(mut view: ChunkView, choices: &[(usize, usize, bool, i64)]) -> ChunkView {
    let accounts = view.accounts.clone();
    for (position, (account, document, is_whole, amount)) in choices.iter().enumerate() {
        if accounts.is_empty() {
            break;
        }
        let account = &accounts[account % accounts.len()];
        let named = account.documents.get(document % account.documents.len().max(1));
        let named = named.filter(|_| !is_whole);
        let record = DataRecord {
            account: Some(Key::new(account.account.number.clone())),
            document_kind: named.map(|one| one.kind),
            document: named.map(|one| Key::new(one.number.clone())),
            amount: named.filter(|_| *amount > 0).map(|_| (*amount, 2)),
            ..DataRecord::default()
        };
        view.records.push(RecordView {
            position: u32::try_from(position).unwrap(),
            record,
            account: Some(account.account.id),
            document: named.cloned(),
            payment_method: None,
        });
    }
    view
}

fn any_view() -> impl Strategy<Value = ChunkView> {
    let choice = (0_usize..4, 0_usize..8, prop::bool::weighted(0.3), 0_i64..300);
    (
        any_rules(),
        prop::collection::vec(any_account(), 0..4),
        prop::collection::vec(choice, 0..6),
        any::<bool>(),
    )
        .prop_map(|(rules, accounts, choices, has_records)| {
            let mut view = chunk(rules, accounts);
            number(&mut view);
            if has_records { with_records(view, &choices) } else { view }
        })
}

/// What is left of a credit, and its currency.
fn credits_of(view: &ChunkView) -> BTreeMap<CreditSource, (i64, Currency)> {
    let mut credits = BTreeMap::new();
    for one in &view.accounts {
        for memo in &one.credit_memos {
            credits.insert(CreditSource::CreditMemo(memo.id), (memo.unapplied_minor, memo.currency));
        }
        for payment in &one.unapplied_payments {
            credits.insert(
                CreditSource::UnappliedPayment(payment.id),
                (payment.unapplied_minor, payment.currency),
            );
        }
        let balance = (one.account.credit_balance_minor, one.account.currency);
        credits.insert(CreditSource::CreditBalance(one.account.id), balance);
    }
    credits
}

fn documents_of(view: &ChunkView) -> BTreeMap<crate::ids::DocumentId, Document> {
    let all = view.accounts.iter().flat_map(|one| &one.documents);
    all.map(|document| (document.id, document.clone())).collect()
}

/// The view as it is after the plan was written down.
fn apply(view: &ChunkView, plan: &ChunkPlan) -> ChunkView {
    let mut after = view.clone();
    let change = |document: &mut Document| {
        let credit: i64 = plan
            .credit_uses
            .iter()
            .filter(|one| one.document == document.id)
            .map(|one| one.amount_minor)
            .sum();
        document.balance_minor -= credit;
        let holder =
            plan.payments.iter().find(|one| one.parts.iter().any(|part| part.document == document.id));
        document.held_by = holder.map(|one| one.id).or(document.held_by);
    };
    let used = |source| -> i64 {
        plan.credit_uses.iter().filter(|one| one.source == source).map(|one| one.amount_minor).sum()
    };
    for one in &mut after.accounts {
        one.documents.iter_mut().for_each(change);
        for memo in &mut one.credit_memos {
            memo.unapplied_minor -= used(CreditSource::CreditMemo(memo.id));
        }
        for payment in &mut one.unapplied_payments {
            payment.unapplied_minor -= used(CreditSource::UnappliedPayment(payment.id));
        }
        one.account.credit_balance_minor -= used(CreditSource::CreditBalance(one.account.id));
    }
    after.records.iter_mut().filter_map(|one| one.document.as_mut()).for_each(change);
    after
}

/// The view as it is after every payment of a plan was approved.
fn settle(view: &ChunkView, plan: &ChunkPlan) -> ChunkView {
    let mut after = view.clone();
    let change = |document: &mut Document| {
        for part in plan.payments.iter().flat_map(|one| &one.parts).filter(|one| one.document == document.id)
        {
            document.balance_minor -= part.amount_minor;
            document.held_by = None;
        }
    };
    after.accounts.iter_mut().flat_map(|one| &mut one.documents).for_each(change);
    after.records.iter_mut().filter_map(|one| one.document.as_mut()).for_each(change);
    after
}

/// Puts things into an order that depends on a number alone.
fn shuffle<T>(things: &mut [T], mut seed: u64) {
    for end in (1..things.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        things.swap(end, usize::try_from(seed >> 33).unwrap() % (end + 1));
    }
}

/// The place of each credit in the order in which they are used.
fn ranks_of(view: &ChunkView) -> BTreeMap<CreditSource, (u8, jiff::civil::Date, String)> {
    let mut ranks = BTreeMap::new();
    for one in &view.accounts {
        for memo in &one.credit_memos {
            ranks.insert(CreditSource::CreditMemo(memo.id), (0, memo.effective_date, memo.number.clone()));
        }
        // A standalone payment is never used, whatever it has left.
        for payment in one.unapplied_payments.iter().filter(|payment| !payment.standalone) {
            let rank = (1, payment.effective_date, payment.number.clone());
            ranks.insert(CreditSource::UnappliedPayment(payment.id), rank);
        }
    }
    ranks
}

/// What an account has left of each credit that can be used.
fn credits_left(account: &AccountView) -> BTreeMap<CreditSource, (i64, Currency)> {
    let memos = account.credit_memos.iter();
    let memos = memos.map(|one| (CreditSource::CreditMemo(one.id), (one.unapplied_minor, one.currency)));
    let payments = account.unapplied_payments.iter().filter(|one| !one.standalone);
    let payments =
        payments.map(|one| (CreditSource::UnappliedPayment(one.id), (one.unapplied_minor, one.currency)));
    memos.chain(payments).collect()
}

/// Whether a document could have had a credit: it was picked up, or was left for the very want of one.
fn takes_credits(decision: &crate::run::Decision) -> bool {
    matches!(decision.skipped, None | Some(crate::run::SkipReason::CreditNotApplied))
}

/// Counts a plan anew, from its decisions and payments.
fn recount(plan: &ChunkPlan) -> BTreeMap<Currency, Tally> {
    let mut tallies: BTreeMap<Currency, Tally> = BTreeMap::new();
    for one in &plan.decisions {
        let tally = tallies.entry(one.currency).or_default();
        tally.skipped += i64::from(one.skipped.is_some());
        let (picked, rest) = match one.kind {
            DocumentKind::Invoice => (&mut tally.invoices, &mut tally.unprocessed_invoices),
            DocumentKind::DebitMemo => (&mut tally.debit_memos, &mut tally.unprocessed_debit_memos),
        };
        if one.skipped.is_none() {
            picked.number += 1;
            picked.amount_minor += one.balance_minor;
            rest.number += i64::from(one.balance_minor > one.credit_minor);
            rest.amount_minor += one.balance_minor - one.credit_minor;
        }
    }
    for one in &plan.payments {
        let tally = tallies.entry(one.currency).or_default();
        tally.processing.number += 1;
        tally.processing.amount_minor += one.amount_minor;
    }
    tallies
}

/// The part of a tally that [`recount`] knows.
fn counted(tally: &Tally) -> Tally {
    Tally {
        credit_memos: crate::run::Count::default(),
        unapplied_payments: crate::run::Count::default(),
        credit_balance: crate::run::Count::default(),
        processed_records: 0,
        error_records: 0,
        ..*tally
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn money_is_conserved(view in any_view()) {
        let plan = plan_chunk(&view, &CountingIds::new());
        let documents = documents_of(&view);
        let credits = credits_of(&view);
        let mut taken: BTreeMap<_, i64> = BTreeMap::new();
        let mut used: BTreeMap<_, i64> = BTreeMap::new();
        for one in &plan.credit_uses {
            prop_assert!(one.amount_minor > 0);
            prop_assert_eq!(credits[&one.source].1, documents[&one.document].currency);
            prop_assert_eq!(documents[&one.document].account, one.account);
            *taken.entry(one.document).or_default() += one.amount_minor;
            *used.entry(one.source).or_default() += one.amount_minor;
        }
        for payment in &plan.payments {
            let sum: i64 = payment.parts.iter().map(|part| part.amount_minor).sum();
            prop_assert_eq!(sum, payment.amount_minor);
            prop_assert!(payment.amount_minor > 0 && payment.parts.len() <= DOCUMENTS_PER_PAYMENT_MAX);
            for part in &payment.parts {
                prop_assert!(part.amount_minor > 0);
                prop_assert_eq!(documents[&part.document].currency, payment.currency);
                prop_assert_eq!(documents[&part.document].account, payment.account);
                *taken.entry(part.document).or_default() += part.amount_minor;
            }
            let shares: i64 = payment.record_shares.iter().map(|share| share.amount_minor).sum();
            prop_assert!(view.records.is_empty() || shares == payment.amount_minor);
        }
        for (document, amount) in taken {
            prop_assert!(amount <= documents[&document].balance_minor);
        }
        for (source, amount) in used {
            prop_assert!(amount <= credits[&source].0);
        }
    }

    #[test]
    fn every_document_is_decided_once(view in any_view()) {
        let plan = plan_chunk(&view, &CountingIds::new());
        let documents = documents_of(&view);
        let mut decided = std::collections::BTreeSet::new();
        for one in &plan.decisions {
            prop_assert!(decided.insert(one.document), "{:?} twice", one.document);
            prop_assert_eq!(one.balance_minor, documents[&one.document].balance_minor);
            let charged = plan.payments.iter().filter_map(|payment| {
                let part = payment.parts.iter().find(|part| part.document == one.document)?;
                Some((payment.id, part.amount_minor))
            }).collect::<Vec<_>>();
            prop_assert!(charged.len() <= 1);
            prop_assert_eq!(one.payment, charged.first().map(|(id, _)| *id));
            prop_assert_eq!(one.charge_minor, charged.first().map_or(0, |(_, amount)| *amount));
            let credit: i64 = plan.credit_uses.iter()
                .filter(|credit| credit.document == one.document).map(|credit| credit.amount_minor).sum();
            prop_assert_eq!(one.credit_minor, credit);
            prop_assert_eq!(one.skipped.is_none(), credit > 0 || one.charge_minor > 0);
        }
        if view.records.is_empty() {
            let target = view.rules.run.target_date.unwrap();
            let due = documents.values().filter(|one| one.balance_minor > 0 && one.due_date <= target).count();
            prop_assert_eq!(decided.len(), due);
        } else {
            prop_assert_eq!(plan.records.len(), view.records.len());
        }
    }

    #[test]
    fn counters_equal_decisions(view in any_view()) {
        let plan = plan_chunk(&view, &CountingIds::new());
        let expected = recount(&plan);
        for (currency, tally) in &plan.tallies {
            let expected = expected.get(currency).copied().unwrap_or_default();
            prop_assert_eq!(counted(tally), expected);
            let credits = tally.credit_memos.amount_minor + tally.unapplied_payments.amount_minor
                + tally.credit_balance.amount_minor;
            let applied: i64 = plan.decisions.iter()
                .filter(|one| one.currency == *currency).map(|one| one.credit_minor).sum();
            prop_assert_eq!(credits, applied);
        }
        let told: i64 = plan.tallies.values().map(|one| one.error_records + one.processed_records).sum();
        let later: i64 = plan.payments.iter().map(|one| i64::from(one.records_counted)).sum();
        prop_assert_eq!(told + later, i64::try_from(view.records.len()).unwrap());
    }

    #[test]
    fn the_same_view_gives_the_same_plan(view in any_view(), seed in any::<u64>()) {
        let plan = plan_chunk(&view, &CountingIds::new());
        prop_assert_eq!(&plan, &plan_chunk(&view, &CountingIds::new()));
        // The order in which the store reads rows does not matter.
        let mut shuffled = view.clone();
        for one in &mut shuffled.accounts {
            shuffle(&mut one.documents, seed);
            shuffle(&mut one.credit_memos, seed);
            shuffle(&mut one.unapplied_payments, seed);
            shuffle(&mut one.payment_methods, seed);
        }
        shuffle(&mut shuffled.rules.gateways, seed);
        shuffle(&mut shuffled.records, seed);
        prop_assert_eq!(&plan, &plan_chunk(&shuffled, &CountingIds::new()));
    }

    #[test]
    fn credits_flow_in_their_order(view in any_view()) {
        let plan = plan_chunk(&view, &CountingIds::new());
        let after = apply(&view, &plan);
        let ranks = ranks_of(&view);
        for (account, after) in view.accounts.iter().zip(&after.accounts) {
            let used: Vec<_> = plan.credit_uses.iter().filter(|one| one.account == account.account.id).collect();
            let left = credits_left(after);
            for one in &used {
                let currency = documents_of(&view)[&one.document].currency;
                // Whatever goes before a credit that was used is used up.
                let earlier = left.iter().filter(|(source, (_, of))| {
                    *of == currency && ranks.get(source) < ranks.get(&one.source)
                });
                for (source, (minor, _)) in earlier {
                    prop_assert_eq!(*minor, 0, "{:?} goes before {:?}", source, one.source);
                }
            }
            if view.records.is_empty() {
                // A document gets a credit only when those before it in its currency, that take any, have had enough.
                let taking: Vec<_> = plan.decisions.iter()
                    .filter(|one| one.account == account.account.id && takes_credits(one)).collect();
                for (index, one) in taking.iter().enumerate().filter(|(_, one)| one.credit_minor > 0) {
                    for earlier in taking[..index].iter().filter(|earlier| earlier.currency == one.currency) {
                        prop_assert_eq!(earlier.credit_minor, earlier.balance_minor);
                    }
                }
                let order: Vec<_> = taking.iter().map(|one| {
                    let document = &documents_of(&view)[&one.document];
                    (document.due_date, document.number.clone())
                }).collect();
                prop_assert!(order.is_sorted());
            }
        }
    }

    #[test]
    fn planning_after_settlement_asks_only_for_the_rest(view in any_view()) {
        let plan = plan_chunk(&view, &CountingIds::new());
        let settled = settle(&apply(&view, &plan), &plan);
        let again = plan_chunk(&settled, &CountingIds::new());
        let documents = documents_of(&view);
        let mut paid: BTreeMap<_, i64> = BTreeMap::new();
        for plan in [&plan, &again] {
            for one in &plan.credit_uses {
                *paid.entry(one.document).or_default() += one.amount_minor;
            }
            for part in plan.payments.iter().flat_map(|one| &one.parts) {
                *paid.entry(part.document).or_default() += part.amount_minor;
            }
        }
        for (document, minor) in paid {
            prop_assert!(minor <= documents[&document].balance_minor, "never more than was owed, in two runs");
        }
        if view.records.is_empty() && view.rules.run.options.collect_payment {
            prop_assert_eq!(again.payments.len(), 0, "what was picked up was paid whole");
        }
    }

    #[test]
    fn planning_again_charges_nothing_twice(view in any_view()) {
        let plan = plan_chunk(&view, &CountingIds::new());
        let again = plan_chunk(&apply(&view, &plan), &CountingIds::new());
        for payment in &plan.payments {
            for part in &payment.parts {
                prop_assert!(!again.payments.iter().any(|one| one.parts.iter().any(|p| p.document == part.document)));
                prop_assert!(!again.credit_uses.iter().any(|one| one.document == part.document));
            }
        }
    }
}
