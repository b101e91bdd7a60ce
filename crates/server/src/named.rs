//! What bodies of every API name alike: a bill run, a currency. A name that leads nowhere is a fault, and a stand-in takes
//! its place, so that the other checks still see that the field was given.

use payment_runs_engine::ids::BillRunId;
use payment_runs_engine::money::Currency;

use crate::faults::Faults;
use crate::refused::money_words;

/// The bill run with this identifier. Bill runs are known only by their invoices, so one without any is no fault.
pub(crate) fn bill_run(faults: &mut Faults, field: &str, text: &str) -> BillRunId {
    text.parse().unwrap_or_else(|_| {
        faults.invalid(field, "must be the identifier of a bill run");
        BillRunId::from_u128(0)
    })
}

/// The currency with this code.
pub(crate) fn currency(faults: &mut Faults, field: &str, text: &str) -> Currency {
    Currency::from_code(text).unwrap_or_else(|error| {
        faults.invalid(field, money_words(&error));
        Currency::USD
    })
}
