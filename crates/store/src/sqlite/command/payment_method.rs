//! Commands on payment methods.

use payment_runs_engine::account::Stamps;
use payment_runs_engine::command::{NewPaymentMethod, Output, PaymentMethodChange};
use payment_runs_engine::ids::{AccountId, Key};
use payment_runs_engine::payment_method::{Instrument, PaymentMethod, PaymentMethodStatus};
use payment_runs_engine::refusal::{Field, Noun, Refusal};

use super::Desk;
use super::account::need_account;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;

/// The payment method as it is stored first: active, with no history.
pub(super) fn from_new(new: NewPaymentMethod, account: Option<AccountId>, stamps: Stamps) -> PaymentMethod {
    PaymentMethod::unused(new.id, account, (new.kind, new.kind_name), new.instrument, stamps)
}

pub(super) fn create(desk: &mut Desk<'_>, new: NewPaymentMethod) -> Result<Output, Failure> {
    let account = match &new.account {
        Some(key) => need_account(desk, key)?,
        None if new.make_default => {
            desk.refuse(Refusal::OneNeeded { fields: &[Field::Account] });
            None
        }
        None => None,
    };
    desk.checked()?;
    let make_default = new.make_default;
    let method = from_new(new, account.as_ref().map(|account| account.id), desk.stamps());
    row::payment_method::insert(desk.db, desk.entity(), &method)?;
    if let Some(mut account) = account.filter(|_| make_default) {
        account.default_payment_method = Some(method.id);
        desk.restamp(&mut account.stamps);
        row::account::upsert(desk.db, desk.entity(), &account)?;
    }
    Ok(Output::PaymentMethod(method))
}

pub(super) fn update(
    desk: &mut Desk<'_>,
    key: &Key,
    change: &PaymentMethodChange,
) -> Result<Output, Failure> {
    let mut method = need_usable(desk, key)?;
    let instrument = &mut method.instrument;
    instrument.expiration_month = change.expiration_month.or(instrument.expiration_month);
    instrument.expiration_year = change.expiration_year.or(instrument.expiration_year);
    method.use_default_retry_rule = change.use_default_retry_rule.unwrap_or(method.use_default_retry_rule);
    let rule = &mut method.retry_rule;
    rule.max_consecutive_failures = change.max_consecutive_failures.apply(rule.max_consecutive_failures);
    rule.retry_window_hours = change.retry_window_hours.apply(rule.retry_window_hours);
    desk.restamp(&mut method.stamps);
    row::payment_method::upsert(desk.db, desk.entity(), &method)?;
    Ok(Output::PaymentMethod(method))
}

/// Erases what is known of the card or bank account. A charge that was decided before keeps its stored body.
pub(super) fn scrub(desk: &mut Desk<'_>, key: &Key) -> Result<Output, Failure> {
    let mut method = need_usable(desk, key)?;
    method.status = PaymentMethodStatus::Scrubbed;
    method.instrument = Instrument::default();
    desk.restamp(&mut method.stamps);
    row::payment_method::upsert(desk.db, desk.entity(), &method)?;
    Ok(Output::PaymentMethod(method))
}

fn need_usable(desk: &mut Desk<'_>, key: &Key) -> Result<PaymentMethod, Failure> {
    let found = row::payment_method::find(desk.db, desk.scope, key)?;
    let method = Desk::need_path(found, Noun::PaymentMethod, key)?;
    if method.status == PaymentMethodStatus::Scrubbed {
        desk.refuse(Refusal::WrongState { noun: Noun::PaymentMethod, state: "scrubbed".to_owned() });
    }
    desk.checked()?;
    Ok(method)
}
