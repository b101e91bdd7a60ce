//! What a data record must be, before anything is taken for it.

use super::types::{AccountView, ChunkView, RecordView, RunRules};
use crate::document::{Document, DocumentStatus};
use crate::money::{Currency, Money};
use crate::payment_method::PaymentMethodStatus;
use crate::run::{DataRecord, SkipReason};
use crate::run_rules::effective_target_date;
use crate::select::{OwnMeans, explain};

/// The code of a record that asks for something impossible.
pub const CODE_INVALID: &str = "Invalid_Request_Data";

/// The code of a record whose run was stopped before its turn.
pub const CODE_STOPPED: &str = "Payment_Run_Stopped";

/// The most characters of a record's comment.
pub const RECORD_COMMENT_CHARACTERS_MAX: usize = 255;

/// What is wrong with a record, as a sentence.
pub(super) type Fault = String;

/// Checks that need nothing but the record: what excludes what, and what needs what.
pub fn check_shape(record: &DataRecord) -> Result<(), String> {
    let fail = |message: &str| Err(message.to_owned());
    if let Some(fault) = &record.fault {
        return Err(fault.clone());
    }
    if record.account.is_none() {
        return fail("The account's identifier or number is needed.");
    }
    if record.standalone && (record.document.is_some() || record.document_kind.is_some()) {
        return fail("A standalone payment settles no document.");
    }
    if record.standalone && record.amount.is_none() {
        return fail("A standalone payment needs an amount.");
    }
    if !record.standalone && record.currency.is_some() {
        return fail("A currency is given only for a standalone payment.");
    }
    if record.document.is_some() != record.document_kind.is_some() {
        return fail("A document needs both its type and its identifier or number.");
    }
    if record.amount.is_some() && record.document.is_none() && !record.standalone {
        return fail("An amount is given only with a document or for a standalone payment.");
    }
    if record.amount.is_some_and(|(mantissa, _)| mantissa <= 0) {
        return fail("The amount must be more than 0.");
    }
    if record.comment.as_ref().is_some_and(|text| text.chars().count() > RECORD_COMMENT_CHARACTERS_MAX) {
        return fail("The comment has more than 255 characters.");
    }
    Ok(())
}

/// The record's own payment method and gateway, if it names any.
pub(super) fn own_means<'a>(
    rules: &'a RunRules,
    account: &AccountView,
    record: &'a RecordView,
) -> Result<OwnMeans<'a>, Fault> {
    let mut own = OwnMeans::default();
    if record.record.payment_method.is_some() {
        let method = record.payment_method.as_ref().ok_or("There is no such payment method.")?;
        if method.account != Some(account.account.id) {
            return Err("The payment method belongs to another account.".to_owned());
        }
        let may_be_closed = rules.run.options.process_payment_with_closed_pm;
        if method.status == PaymentMethodStatus::Closed && !may_be_closed {
            return Err(explain(SkipReason::PaymentMethodClosed).to_owned());
        }
        own.method = Some(method);
    }
    if let Some(key) = &record.record.gateway {
        let is_named = |id: u128, name: &str| key.as_id() == Some(id) || key.as_str() == name;
        let found = rules.gateways.iter().find(|one| is_named(one.id.as_u128(), &one.name));
        let gateway = found.ok_or("There is no such payment gateway.")?;
        if !gateway.is_active {
            return Err(explain(SkipReason::GatewayInactive).to_owned());
        }
        own.gateway = Some(gateway);
    }
    Ok(own)
}

/// Whether a document that a record names can be collected at all.
pub(super) fn check_document(
    view: &ChunkView,
    account: &AccountView,
    document: &Document,
) -> Result<(), Fault> {
    let fail = |message: &str| Err(message.to_owned());
    if document.account != account.account.id {
        return fail("The document belongs to another account.");
    }
    if document.status != DocumentStatus::Posted {
        return fail("The document is not posted.");
    }
    if document.balance_minor <= 0 {
        return fail("The document has nothing left to pay.");
    }
    if document.due_date > effective_target_date(&view.rules.run, &view.rules.settings, view.now) {
        return fail("The document is due after the target date.");
    }
    Ok(())
}

/// Whether a document of an account is open and due.
pub(super) fn is_payable(view: &ChunkView, account: &AccountView, document: &Document) -> bool {
    document.account == account.account.id
        && document.status == DocumentStatus::Posted
        && document.balance_minor > 0
        && document.due_date <= effective_target_date(&view.rules.run, &view.rules.settings, view.now)
}

/// A record's amount in minor units of its currency.
pub(super) fn amount_of((mantissa, scale): (i64, u32), currency: Currency) -> Result<i64, Fault> {
    match Money::from_scaled(i128::from(mantissa), scale, currency) {
        Ok(money) if money.minor > 0 => Ok(money.minor),
        Ok(_) => Err("The amount must be more than 0.".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
