//! Lines that bring payment methods.

use payment_runs_engine::import::ImportedPaymentMethod;
use payment_runs_engine::payment_method::{PaymentMethod, PaymentMethodStatus};
use payment_runs_engine::refusal::{Noun, Refusal};

use super::{Book, Desk};
use crate::sqlite::failure::Failure;
use crate::sqlite::row;

pub(super) fn store(
    desk: &mut Desk<'_>,
    book: &mut Book,
    line: ImportedPaymentMethod,
) -> Result<(), Failure> {
    let entity = desk.entity();
    if row::payment_method::by_id(desk.db, entity, line.id)?.is_some() {
        desk.refuse(Refusal::NumberTaken { noun: Noun::PaymentMethod, number: line.id.to_string() });
    }
    let account = book.account(desk, &line.account)?;
    desk.checked()?;
    let Some(account) = account else { return Err(Failure::broken("a payment method without an account")) };
    let method = PaymentMethod {
        id: line.id,
        account: Some(account.id),
        kind: line.kind,
        kind_name: line.kind_name,
        status: if line.closed { PaymentMethodStatus::Closed } else { PaymentMethodStatus::Active },
        instrument: line.instrument,
        use_default_retry_rule: line.retry_rule.is_none(),
        retry_rule: line.retry_rule.unwrap_or_default(),
        consecutive_failures: 0,
        last_failed_at: None,
        last_transaction_at: None,
        last_transaction: None,
        processed_payments: 0,
        error_payments: 0,
        stamps: desk.stamps(),
    };
    row::payment_method::insert(desk.db, entity, &method)?;
    if line.make_default {
        account.default_payment_method = Some(method.id);
        desk.restamp(&mut account.stamps);
        row::account::upsert(desk.db, entity, account)?;
    }
    Ok(())
}
