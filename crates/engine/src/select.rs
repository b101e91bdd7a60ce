//! Eligibility: whether a run picks a document up, and what it would be charged to. Pure decisions, one reason each.
//!
//! The checks run in this order, and the first that fails names the reason: the run was stopped; the account is active;
//! the account, then the document pays without being asked (data records skip both); no other payment of the document is
//! open. Where the run charges, the means follow: there is an electronic payment method; it is not closed; it can take
//! the currency; the retry rule allows an attempt; there is a gateway; the gateway is active.

use jiff::{SignedDuration, Timestamp};

use crate::account::{Account, AccountStatus, GatewayConfig, RetryRule};
use crate::document::Document;
use crate::ids::{GatewayId, PaymentMethodId};
use crate::money::Currency;
use crate::payment_method::{PaymentMethod, PaymentMethodKind, PaymentMethodStatus};
use crate::plan::{AccountView, RunRules};
use crate::run::{RunOptions, SkipReason};

/// What a document is charged to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Means {
    /// The payment method.
    pub method: PaymentMethodId,
    /// What the gateway knows the method by.
    pub token: String,
    /// The gateway.
    pub gateway: GatewayId,
}

/// What a data record may name instead of the usual means.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnMeans<'a> {
    /// A payment method.
    pub method: Option<&'a PaymentMethod>,
    /// A gateway.
    pub gateway: Option<&'a GatewayConfig>,
}

/// Decides about one document of a run with filters. `Ok(None)` means picked up for credits alone.
pub fn select_document(
    rules: &RunRules,
    account: &AccountView,
    document: &Document,
    now: Timestamp,
) -> Result<Option<Means>, SkipReason> {
    if rules.stopping {
        return Err(SkipReason::Stopped);
    }
    check_account(&account.account)?;
    if !account.account.auto_pay {
        return Err(SkipReason::AutoPayOffAccount);
    }
    if !document.auto_pay {
        return Err(SkipReason::AutoPayOffDocument);
    }
    check_free(document)?;
    if !rules.run.options.collect_payment {
        return Ok(None);
    }
    find_means(rules, account, document, OwnMeans::default(), now).map(Some)
}

/// Refuses an account that takes no part in runs.
pub fn check_account(account: &Account) -> Result<(), SkipReason> {
    if account.status == AccountStatus::Active { Ok(()) } else { Err(SkipReason::AccountInactive) }
}

/// Refuses a document that another payment holds.
pub fn check_free(document: &Document) -> Result<(), SkipReason> {
    if document.held_by.is_none() { Ok(()) } else { Err(SkipReason::PaymentInProgress) }
}

/// What a document is charged to: the record's own method and gateway come first.
pub fn find_means(
    rules: &RunRules,
    account: &AccountView,
    document: &Document,
    own: OwnMeans<'_>,
    now: Timestamp,
) -> Result<Means, SkipReason> {
    let method = match own.method {
        Some(method) => method,
        None => document_method(rules.run.options, account, document).ok_or(SkipReason::NoPaymentMethod)?,
    };
    means_of(rules, account, method, own.gateway, document.currency, now)
}

/// Checks a payment method and finds the gateway that it is charged through.
pub fn means_of(
    rules: &RunRules,
    account: &AccountView,
    method: &PaymentMethod,
    gateway: Option<&GatewayConfig>,
    currency: Currency,
    now: Timestamp,
) -> Result<Means, SkipReason> {
    let token = check_method(rules, &account.account, method, now, currency)?;
    let gateway = match gateway {
        Some(gateway) => gateway,
        None => effective_gateway(rules, &account.account).ok_or(SkipReason::NoGateway)?,
    };
    if !gateway.is_active {
        return Err(SkipReason::GatewayInactive);
    }
    Ok(Means { method: method.id, token, gateway: gateway.id })
}

/// The document's own method where the run uses payment profiles, else the account's default one.
fn document_method<'a>(
    options: RunOptions,
    account: &'a AccountView,
    document: &Document,
) -> Option<&'a PaymentMethod> {
    let profile = match options.use_custom_payment_methods {
        Some(false) => None,
        Some(true) | None => document.payment_method,
    };
    let id = profile.or(account.account.default_payment_method)?;
    account.payment_methods.iter().find(|method| method.id == id)
}

/// Checks a payment method in the documented order and gives its token.
fn check_method(
    rules: &RunRules,
    account: &Account,
    method: &PaymentMethod,
    now: Timestamp,
    currency: Currency,
) -> Result<String, SkipReason> {
    let options = rules.run.options;
    let is_ours = method.account.is_none_or(|owner| owner == account.id);
    if !is_ours || !method.kind.is_electronic() {
        return Err(SkipReason::NoPaymentMethod);
    }
    match method.status {
        PaymentMethodStatus::Active => {}
        PaymentMethodStatus::Closed if options.process_payment_with_closed_pm => {}
        PaymentMethodStatus::Closed | PaymentMethodStatus::Scrubbed => {
            return Err(SkipReason::PaymentMethodClosed);
        }
    }
    let token = method.instrument.token.clone().ok_or(SkipReason::NoPaymentMethod)?;
    if scheme_currency(method.kind).is_some_and(|code| code != currency.code()) {
        return Err(SkipReason::CurrencyMismatch);
    }
    if !options.ignore_retry_rule && !may_retry(method, &rules.settings.retry_rule, now) {
        return Err(SkipReason::RetryRule);
    }
    Ok(token)
}

/// The only currency that a bank scheme moves.
fn scheme_currency(kind: PaymentMethodKind) -> Option<&'static str> {
    match kind {
        PaymentMethodKind::Ach => Some("USD"),
        PaymentMethodKind::Sepa => Some("EUR"),
        PaymentMethodKind::CreditCard
        | PaymentMethodKind::CreditCardReferenceTransaction
        | PaymentMethodKind::Other => None,
    }
}

/// Whether a method that failed before may be charged again now, by its own rule or the entity's. An approval ends the
/// count of failures, and with it the wait: what is charged then is no repetition.
pub fn may_retry(method: &PaymentMethod, default_rule: &RetryRule, now: Timestamp) -> bool {
    if method.consecutive_failures == 0 {
        return true;
    }
    let rule = if method.use_default_retry_rule { default_rule } else { &method.retry_rule };
    let used_up = rule.max_consecutive_failures.is_some_and(|most| method.consecutive_failures >= most);
    let too_soon = rule.retry_window_hours.zip(method.last_failed_at).is_some_and(|(hours, failed_at)| {
        let window = SignedDuration::from_hours(i64::from(hours));
        failed_at.checked_add(window).is_ok_and(|free_at| now < free_at)
    });
    !used_up && !too_soon
}

/// The gateway of an account: the run filter's, the account's own, else the default one.
pub fn effective_gateway<'a>(rules: &'a RunRules, account: &Account) -> Option<&'a GatewayConfig> {
    let named = rules.run.filter.gateway.or(account.gateway);
    match named {
        Some(id) => rules.gateways.iter().find(|gateway| gateway.id == id),
        None => rules.gateways.iter().filter(|gateway| gateway.is_default).min_by_key(|gateway| gateway.id),
    }
}

/// A reason in words, as a data record's error tells it.
pub fn explain(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::AutoPayOffAccount => "The account pays only when asked.",
        SkipReason::AutoPayOffDocument => "The document is paid only when asked.",
        SkipReason::AccountInactive => "The account is not active.",
        SkipReason::NoPaymentMethod => "There is no electronic payment method.",
        SkipReason::PaymentMethodClosed => "The payment method is closed.",
        SkipReason::GatewayInactive => "The payment gateway is not active.",
        SkipReason::NoGateway => "There is no payment gateway.",
        SkipReason::RetryRule => "The retry rule allows no other attempt now.",
        SkipReason::PaymentInProgress => "Another payment for the document is in progress.",
        SkipReason::CreditNotApplied => "Nothing is charged, and no credit was left for the document.",
        SkipReason::ZeroAmount => "The record asks for nothing.",
        SkipReason::CurrencyMismatch => "The payment method cannot take the currency.",
        SkipReason::Stopped => "The payment run was stopped before its turn.",
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
