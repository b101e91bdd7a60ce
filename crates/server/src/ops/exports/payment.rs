//! Payments as lines of an export.

use payment_runs_engine::payment::Payment;
use payment_runs_types::ops;

use crate::ops::payments;
use crate::time::Zone;

/// A payment with its times in the time zone of the entity.
pub(super) fn write(payment: &Payment, zone: &Zone) -> ops::Payment {
    ops::Payment {
        created_at: zone.with_offset(payment.stamps.created_at),
        settled_at: payment.settled_at.map(|at| zone.with_offset(at)),
        ..payments::write(payment)
    }
}
