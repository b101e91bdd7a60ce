#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! One row per reason, and one for the order in which they are told.

use super::*;
use crate::document::Document;
use crate::fixtures::{account, euro, gateway, invoice, method, now, rules};
use crate::ids::{GatewayId, PaymentId, PaymentMethodId};
use crate::payment_method::PaymentMethodStatus;

/// What one row changes.
struct World {
    rules: RunRules,
    account: AccountView,
    document: Document,
}

impl World {
    fn new() -> Self {
        Self { rules: rules(), account: account(1), document: invoice(1, 1, 100) }
    }

    fn decide(&self) -> Result<Option<Means>, SkipReason> {
        select_document(&self.rules, &self.account, &self.document, now())
    }

    fn method(&mut self) -> &mut PaymentMethod {
        &mut self.account.payment_methods[0]
    }
}

type Row = (&'static str, fn(&mut World), SkipReason);

/// Each row breaks one rule; the rows stand in the order of the checks.
const ROWS: &[Row] = &[
    ("stopped", |w| w.rules.stopping = true, SkipReason::Stopped),
    ("inactive account", |w| w.account.account.status = AccountStatus::Canceled, SkipReason::AccountInactive),
    ("account autoPay", |w| w.account.account.auto_pay = false, SkipReason::AutoPayOffAccount),
    ("document autoPay", |w| w.document.auto_pay = false, SkipReason::AutoPayOffDocument),
    ("held", |w| w.document.held_by = Some(PaymentId::from_u128(5)), SkipReason::PaymentInProgress),
    ("other kind", |w| w.method().kind = PaymentMethodKind::Other, SkipReason::NoPaymentMethod),
    ("closed", |w| w.method().status = PaymentMethodStatus::Closed, SkipReason::PaymentMethodClosed),
    (
        "currency",
        |w| (w.method().kind, w.document.currency) = (PaymentMethodKind::Ach, euro()),
        SkipReason::CurrencyMismatch,
    ),
    (
        "failures",
        |w| {
            w.rules.settings.retry_rule.max_consecutive_failures = Some(3);
            w.method().consecutive_failures = 3;
        },
        SkipReason::RetryRule,
    ),
    ("no gateway", |w| w.account.account.gateway = Some(GatewayId::from_u128(9)), SkipReason::NoGateway),
    ("gateway off", |w| w.rules.gateways[0].is_active = false, SkipReason::GatewayInactive),
];

#[test]
fn each_broken_rule_has_its_reason() {
    assert!(World::new().decide().unwrap().is_some());
    for (name, change, reason) in ROWS {
        let mut world = World::new();
        change(&mut world);
        assert_eq!(world.decide(), Err(*reason), "{name}");
    }
}

#[test]
fn the_first_broken_rule_names_the_reason() {
    for (index, (name, first, reason)) in ROWS.iter().enumerate() {
        for (other, second, _) in &ROWS[index + 1..] {
            let mut world = World::new();
            second(&mut world);
            first(&mut world);
            assert_eq!(world.decide(), Err(*reason), "{name} comes before {other}");
        }
    }
}

#[test]
fn every_reason_is_reached_or_belongs_to_the_plan() {
    let of_plan = [SkipReason::CreditNotApplied, SkipReason::ZeroAmount];
    for reason in SkipReason::ALL {
        let is_reached = ROWS.iter().any(|(_, _, expected)| *expected == reason);
        assert!(is_reached != of_plan.contains(&reason), "{reason:?}");
        assert!(explain(reason).ends_with('.'));
    }
}

#[test]
fn without_collection_neither_method_nor_gateway_is_needed() {
    for (name, change, reason) in ROWS {
        let mut world = World::new();
        world.rules.run.options.collect_payment = false;
        change(&mut world);
        let needs_means = !matches!(
            reason,
            SkipReason::Stopped
                | SkipReason::AccountInactive
                | SkipReason::AutoPayOffAccount
                | SkipReason::AutoPayOffDocument
                | SkipReason::PaymentInProgress
        );
        let expected = if needs_means { Ok(None) } else { Err(*reason) };
        assert_eq!(world.decide(), expected, "{name}");
    }
}

#[test]
fn a_closed_method_is_charged_when_told_so_but_a_scrubbed_one_never() {
    let mut world = World::new();
    world.rules.run.options.process_payment_with_closed_pm = true;
    world.method().status = PaymentMethodStatus::Closed;
    assert!(world.decide().unwrap().is_some());
    world.method().status = PaymentMethodStatus::Scrubbed;
    assert_eq!(world.decide(), Err(SkipReason::PaymentMethodClosed));
}

#[test]
fn a_method_without_a_token_or_of_another_account_is_none() {
    let mut world = World::new();
    world.method().instrument.token = None;
    assert_eq!(world.decide(), Err(SkipReason::NoPaymentMethod));
    let mut world = World::new();
    world.account.payment_methods = vec![method(10, 2)];
    assert_eq!(world.decide(), Err(SkipReason::NoPaymentMethod));
    let mut world = World::new();
    world.account.account.default_payment_method = None;
    assert_eq!(world.decide(), Err(SkipReason::NoPaymentMethod));
}

#[test]
fn a_document_has_its_own_method_unless_profiles_are_off() {
    let own = PaymentMethodId::from_u128(11);
    let default = PaymentMethodId::from_u128(10);
    for (custom, expected) in [(None, own), (Some(true), own), (Some(false), default)] {
        let mut world = World::new();
        world.account.payment_methods.push(method(11, 1));
        world.document.payment_method = Some(own);
        world.rules.run.options.use_custom_payment_methods = custom;
        assert_eq!(world.decide().unwrap().unwrap().method, expected, "{custom:?}");
    }
}

#[test]
fn the_gateway_is_the_runs_then_the_accounts_then_the_default() {
    let id = GatewayId::from_u128;
    for (of_run, of_account, expected) in
        [(Some(3), Some(2), 3), (Some(3), None, 3), (None, Some(2), 2), (None, None, 1)]
    {
        let mut world = World::new();
        world.rules.gateways.push(gateway(3));
        world.rules.run.filter.gateway = of_run.map(id);
        world.account.account.gateway = of_account.map(id);
        assert_eq!(world.decide().unwrap().unwrap().gateway, id(expected));
    }
    let mut world = World::new();
    world.rules.gateways[0].is_default = false;
    assert_eq!(world.decide(), Err(SkipReason::NoGateway));
}

#[test]
fn an_approval_ends_the_wait_of_a_retry_rule() {
    let mut world = World::new();
    world.rules.settings.retry_rule =
        RetryRule { max_consecutive_failures: None, retry_window_hours: Some(12) };
    world.method().last_failed_at = Some(now());
    world.method().consecutive_failures = 1;
    assert_eq!(world.decide(), Err(SkipReason::RetryRule));
    world.method().consecutive_failures = 0;
    assert!(
        world.decide().unwrap().is_some(),
        "what failed before the last approval is no failure to wait for"
    );
}

#[test]
fn retry_rules_count_failures_and_hours() {
    let hours_ago = |hours| now().checked_sub(SignedDuration::from_hours(hours)).unwrap();
    // failures, hours since the last one, most failures, window, whether another attempt is allowed
    for (failures, since, most, window, allowed) in [
        (0, None, Some(1), Some(12), true),
        (2, Some(100), Some(3), None, true),
        (3, Some(100), Some(3), None, false),
        (1, Some(11), None, Some(12), false),
        (1, Some(12), None, Some(12), true),
        (9, Some(0), None, None, true),
    ] {
        let rule = RetryRule { max_consecutive_failures: most, retry_window_hours: window };
        let mut world = World::new();
        world.method().consecutive_failures = failures;
        world.method().last_failed_at = since.map(hours_ago);
        world.rules.settings.retry_rule = rule;
        let expected = if allowed { None } else { Some(SkipReason::RetryRule) };
        assert_eq!(world.decide().err(), expected, "{failures} {since:?} {rule:?}");
        // The method's own rule replaces the entity's.
        world.method().use_default_retry_rule = false;
        assert_eq!(world.decide().err(), None);
        (world.method().retry_rule, world.rules.settings.retry_rule) = (rule, RetryRule::default());
        assert_eq!(world.decide().err(), expected);
        world.rules.run.options.ignore_retry_rule = true;
        assert_eq!(world.decide().err(), None);
    }
}
