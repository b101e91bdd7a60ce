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
        status: if line.closed { PaymentMethodStatus::Closed } else { PaymentMethodStatus::Active },
        use_default_retry_rule: line.retry_rule.is_none(),
        retry_rule: line.retry_rule.unwrap_or_default(),
        ..PaymentMethod::unused(
            line.id,
            Some(account.id),
            (line.kind, line.kind_name),
            line.instrument,
            desk.stamps(),
        )
    };
    row::payment_method::insert(desk.db, entity, &method)?;
    if line.make_default {
        account.default_payment_method = Some(method.id);
        desk.restamp(&mut account.stamps);
        row::account::upsert(desk.db, entity, account)?;
    }
    Ok(())
}
