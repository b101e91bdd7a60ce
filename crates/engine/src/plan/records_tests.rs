#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! Data records: one row per rule, and records that meet.

use super::*;
use crate::account::AccountStatus;
use crate::document::DocumentStatus;
use crate::document::{Document, DocumentKind};
use crate::fixtures::{CountingIds, account, chunk, credit_memo, euro, invoice, method, rules};
use crate::ids::{AccountId, Key, PaymentId};
use crate::money::Currency;
use crate::payment_method::PaymentMethodStatus;
use crate::plan::{ChunkView, PlannedPayment, RecordView, plan_chunk};
use crate::run::{Count, DataRecord, SkipReason};

/// A record that names a document of account 1.
fn named(position: u32, document: &Document, amount: Option<(i64, u32)>) -> RecordView {
    let record = DataRecord {
        account: Some(Key::new("A00000001")),
        account_is_number: true,
        document_kind: Some(document.kind),
        document: Some(Key::new(document.number.clone())),
        document_is_number: true,
        amount,
        ..DataRecord::default()
    };
    let (account, document) = (Some(AccountId::from_u128(1)), Some(document.clone()));
    RecordView { position, record, account, document, payment_method: None }
}

/// A record for everything that account 1 owes.
fn whole(position: u32) -> RecordView {
    let record = DataRecord { account: Some(Key::new("A00000001")), ..DataRecord::default() };
    let account = Some(AccountId::from_u128(1));
    RecordView { position, record, account, document: None, payment_method: None }
}

fn standalone(position: u32) -> RecordView {
    let mut view = whole(position);
    view.record.standalone = true;
    view.record.amount = Some((125, 1));
    view.record.currency = Some("USD".to_owned());
    view
}

fn view(records: Vec<RecordView>) -> ChunkView {
    ChunkView { records, ..chunk(rules(), vec![account(1)]) }
}

/// Account 1 owes these documents.
fn owing(documents: &[Document], records: Vec<RecordView>) -> ChunkView {
    let mut view = view(records);
    view.accounts[0].documents = documents.to_vec();
    view
}

/// The document that the first record names.
fn first(view: &mut ChunkView) -> &mut Document {
    view.records[0].document.as_mut().unwrap()
}

fn plan(view: &ChunkView) -> ChunkPlan {
    plan_chunk(view, &CountingIds::new())
}

fn errors(plan: &ChunkPlan) -> Vec<Option<&str>> {
    plan.records.iter().map(|one| one.error.as_ref().map(|(_, message)| message.as_str())).collect()
}

fn amounts(plan: &ChunkPlan) -> Vec<i64> {
    plan.payments.iter().map(|one: &PlannedPayment| one.amount_minor).collect()
}

type Row = (&'static str, fn(&mut ChunkView));

/// Each row spoils the only record of a chunk, whose document is worth 100.
const REFUSED: &[Row] = &[
    ("fault of the shape", |v| v.records[0].record.fault = Some("An account is named twice.".to_owned())),
    ("no account named", |v| v.records[0].record.account = None),
    ("no such account", |v| v.records[0].account = None),
    ("account inactive", |v| v.accounts[0].account.status = AccountStatus::Canceled),
    ("type without document", |v| v.records[0].record.document = None),
    ("document without type", |v| v.records[0].record.document_kind = None),
    ("no such document", |v| v.records[0].document = None),
    ("document of another", |v| first(v).account = AccountId::from_u128(2)),
    ("draft", |v| first(v).status = DocumentStatus::Draft),
    ("paid", |v| first(v).balance_minor = 0),
    ("not due", |v| first(v).due_date = "2026-03-02".parse().unwrap()),
    ("held", |v| first(v).held_by = Some(PaymentId::from_u128(1))),
    ("amount 0", |v| v.records[0].record.amount = Some((0, 0))),
    ("negative amount", |v| v.records[0].record.amount = Some((-1, 0))),
    ("amount over balance", |v| v.records[0].record.amount = Some((101, 2))),
    ("too precise", |v| v.records[0].record.amount = Some((1, 3))),
    ("amount without document", |v| {
        v.records[0].record.document = None;
        v.records[0].record.document_kind = None;
        v.records[0].record.amount = Some((1, 0));
    }),
    ("currency without standalone", |v| v.records[0].record.currency = Some("USD".to_owned())),
    ("no such method", |v| v.records[0].record.payment_method = Some(Key::new("x"))),
    ("method of another", |v| {
        v.records[0].record.payment_method = Some(Key::new("x"));
        v.records[0].payment_method = Some(method(20, 2));
    }),
    ("own method closed", |v| {
        v.records[0].record.payment_method = Some(Key::new("x"));
        let closed = PaymentMethodStatus::Closed;
        v.records[0].payment_method =
            Some(crate::payment_method::PaymentMethod { status: closed, ..method(11, 1) });
    }),
    ("no such gateway", |v| v.records[0].record.gateway = Some(Key::new("x"))),
    ("own gateway off", |v| {
        v.records[0].record.gateway = Some(Key::new("Gateway 2"));
        v.rules.gateways[1].is_active = false;
    }),
    ("default method closed", |v| v.accounts[0].payment_methods[0].status = PaymentMethodStatus::Closed),
    ("comment too long", |v| v.records[0].record.comment = Some("x".repeat(256))),
    ("standalone with document", |v| v.records[0].record.standalone = true),
];

#[test]
fn each_broken_rule_fails_its_record_and_stops_nothing() {
    for (name, spoil) in REFUSED {
        let good = invoice(2, 1, 50);
        let mut view = view(vec![named(0, &invoice(1, 1, 100), None)]);
        spoil(&mut view);
        let mut other = named(1, &good, None);
        other.record.payment_method = Some(Key::new("own"));
        other.payment_method = Some(method(12, 1));
        view.records.push(other);
        let plan = plan(&view);
        let (code, message) = plan.records[0].error.clone().unwrap_or_default();
        assert_eq!(code, CODE_INVALID, "{name}");
        assert!(message.len() > 5, "{name}: {message}");
        assert_eq!(plan.records[0].amount_to_collect, None, "{name}");
        let goes_on = !matches!(*name, "account inactive");
        assert_eq!(plan.records[1].error.is_none(), goes_on, "{name}: {:?}", plan.records[1]);
        assert_eq!(amounts(&plan), if goes_on { vec![50] } else { vec![] }, "{name}");
        let failed: i64 = plan.tallies.values().map(|tally| tally.error_records).sum();
        assert_eq!(failed, if goes_on { 1 } else { 2 }, "{name}");
    }
}

#[test]
fn a_record_collects_all_or_a_part() {
    let document = invoice(1, 1, 100);
    let plan_of = |amount| plan(&view(vec![named(0, &document, amount)]));
    let all = plan_of(None);
    assert_eq!((errors(&all), amounts(&all)), (vec![None], vec![100]));
    assert_eq!(all.records[0].amount_to_collect, Some((100, Currency::USD)));
    let part = plan_of(Some((4, 1)));
    assert_eq!(amounts(&part), [40]);
    let payment = &part.payments[0];
    assert_eq!((payment.record, payment.records_counted), (Some(0), 1));
    assert_eq!(part.tallies[&Currency::USD].unprocessed_invoices, Count { number: 1, amount_minor: 100 });
}

#[test]
fn auto_pay_does_not_matter_to_a_record() {
    let mut document = invoice(1, 1, 100);
    document.auto_pay = false;
    let mut view = view(vec![named(0, &document, None)]);
    view.accounts[0].account.auto_pay = false;
    assert_eq!(amounts(&plan(&view)), [100]);
}

#[test]
fn a_record_names_its_own_method_gateway_and_comment() {
    let mut view = view(vec![named(0, &invoice(1, 1, 100), None)]);
    let record = &mut view.records[0];
    record.record.payment_method = Some(Key::new("own"));
    record.payment_method = Some(method(11, 1));
    record.record.gateway = Some(Key::new(format!("{:032x}", 2)));
    record.record.comment = Some("hello".to_owned());
    let plan = plan(&view);
    let payment = &plan.payments[0];
    assert_eq!(payment.token, "tok_11");
    assert_eq!(payment.gateway.as_u128(), 2);
    assert_eq!(payment.comment.as_deref(), Some("hello"));
}

#[test]
fn credits_count_for_a_record() {
    let mut view = view(vec![named(0, &invoice(1, 1, 100), Some((80, 2)))]);
    view.rules.run.options.auto_apply_credit_memo = true;
    view.accounts[0].credit_memos = vec![credit_memo(1, 1, 30)];
    let plan_of = plan(&view);
    assert_eq!(amounts(&plan_of), [50]);
    assert_eq!(plan_of.credit_uses[0].record, Some(0));
    view.accounts[0].credit_memos = vec![credit_memo(1, 1, 300)];
    let plan_of = plan(&view);
    assert!(plan_of.payments.is_empty());
    assert_eq!(plan_of.credit_uses[0].amount_minor, 80, "never more than was asked for");
    assert_eq!(plan_of.tallies[&Currency::USD].processed_records, 1);
}

#[test]
fn a_record_for_an_account_takes_every_open_document() {
    let mut held = invoice(2, 1, 60);
    held.held_by = Some(PaymentId::from_u128(1));
    let mut late = invoice(3, 1, 70);
    late.due_date = "2026-04-01".parse().unwrap();
    let documents = [invoice(1, 1, 50), held, late, invoice(4, 1, 0), invoice(5, 1, 80)];
    let mut view = owing(&documents, vec![whole(0)]);
    let plan_of = plan(&view);
    assert_eq!((errors(&plan_of), amounts(&plan_of)), (vec![None], vec![50, 80]));
    assert_eq!(plan_of.records[0].amount_to_collect, Some((130, Currency::USD)));
    let skipped: Vec<_> = plan_of.decisions.iter().filter_map(|one| one.skipped).collect();
    assert_eq!(skipped, [SkipReason::PaymentInProgress]);
    let counted: Vec<_> = plan_of.payments.iter().map(|one| one.records_counted).collect();
    assert_eq!(counted, [1, 0], "the record counts once");
    view.rules.run.options.consolidated_payment = true;
    assert_eq!(amounts(&plan(&view)), [130]);
}

#[test]
fn an_account_that_owes_nothing_fails_its_record() {
    assert!(errors(&plan(&view(vec![whole(0)])))[0].is_some());
}

#[test]
fn records_of_several_currencies_give_no_single_amount() {
    let mut foreign = invoice(2, 1, 60);
    foreign.currency = euro();
    let plan = plan(&owing(&[invoice(1, 1, 50), foreign], vec![whole(0)]));
    assert_eq!((errors(&plan), amounts(&plan)), (vec![None], vec![50, 60]));
    assert_eq!(plan.records[0].amount_to_collect, None);
}

#[test]
fn two_records_cannot_have_one_document() {
    let document = invoice(1, 1, 100);
    let records = vec![named(0, &document, Some((40, 2))), named(1, &document, Some((40, 2)))];
    let plan_of = plan(&view(records));
    assert_eq!(amounts(&plan_of), [40]);
    assert!(plan_of.records[1].error.is_some());
    // A record that fails takes nothing away from the next one.
    let mut first = named(0, &document, None);
    first.record.payment_method = Some(Key::new("gone"));
    let plan_of = plan(&view(vec![first, named(1, &document, None)]));
    assert_eq!(amounts(&plan_of), [100]);
    assert_eq!(plan_of.decisions.len(), 1);
    // A record for the whole account leaves out what is taken.
    let both = [document.clone(), invoice(2, 1, 30)];
    let plan_of = plan(&owing(&both, vec![named(0, &document, None), whole(1)]));
    assert_eq!((errors(&plan_of), amounts(&plan_of)), (vec![None, None], vec![100, 30]));
}

#[test]
fn what_an_earlier_chunk_decided_stays_decided() {
    let document = invoice(1, 1, 100);
    let mut held = document.clone();
    held.held_by = Some(PaymentId::from_u128(1));
    for document in [document, held] {
        let both = [document.clone(), invoice(2, 1, 30)];
        let mut view = owing(&both, vec![named(0, &document, None), whole(1)]);
        view.decided.insert(document.id);
        let plan_of = plan(&view);
        assert!(plan_of.records[0].error.is_some());
        assert_eq!(amounts(&plan_of), [30]);
        let decided: Vec<_> = plan_of.decisions.iter().map(|one| one.document.as_u128()).collect();
        assert_eq!(decided, [2]);
        view.rules.stopping = true;
        assert_eq!(plan(&view).decisions.len(), 1);
    }
}

#[test]
fn records_consolidate_and_keep_their_shares() {
    let mut view =
        view(vec![named(3, &invoice(1, 1, 100), Some((40, 2))), named(5, &invoice(2, 1, 100), None)]);
    view.rules.run.options.consolidated_payment = true;
    let plan = plan(&view);
    assert_eq!(amounts(&plan), [140]);
    let payment = &plan.payments[0];
    let shares: Vec<_> = payment.record_shares.iter().map(|one| (one.position, one.amount_minor)).collect();
    assert_eq!(shares, [(3, 40), (5, 100)]);
    assert_eq!((payment.record, payment.records_counted), (Some(3), 2));
}

#[test]
fn a_standalone_payment_settles_nothing() {
    let mut view = view(vec![standalone(4)]);
    let plan_of = plan(&view);
    let payment = &plan_of.payments[0];
    assert!(payment.standalone && payment.parts.is_empty());
    assert_eq!((payment.amount_minor, payment.records_counted), (1_250, 1));
    assert!(plan_of.decisions.is_empty());
    assert_eq!(plan_of.tallies[&Currency::USD].processing, Count { number: 1, amount_minor: 1_250 });
    let spoil: [fn(&mut ChunkView); 4] = [
        |v| v.records[0].record.amount = None,
        |v| v.records[0].record.currency = Some("ZZZ".to_owned()),
        |v| v.rules.run.options.collect_payment = false,
        |v| v.accounts[0].account.default_payment_method = None,
    ];
    let good = view.clone();
    for (index, spoil) in spoil.iter().enumerate() {
        view = good.clone();
        spoil(&mut view);
        let plan = plan(&view);
        assert!(plan.records[0].error.is_some() && plan.payments.is_empty(), "{index}");
    }
}

#[test]
fn a_stopped_run_leaves_every_record() {
    let document = Document { kind: DocumentKind::DebitMemo, ..invoice(1, 1, 100) };
    let mut view = view(vec![named(0, &document, None), standalone(1)]);
    view.rules.stopping = true;
    let plan = plan(&view);
    assert!(plan.records.iter().all(|one| one.error.as_ref().is_some_and(|(code, _)| code == CODE_STOPPED)));
    assert_eq!(plan.decisions[0].skipped, Some(SkipReason::Stopped));
    assert!(plan.payments.is_empty());
}
