//! Fields of an update: left out, null or a value, as the APIs tell them apart.

use payment_runs_engine::command::Change;
use payment_runs_engine::ports::Permission;
use payment_runs_engine::run::RunOptions;
use payment_runs_stubs::Rejection;

use crate::call::Call;

/// Absent keeps, null clears, a value sets.
#[expect(clippy::option_option, reason = "the contract tells absent from null")]
pub(crate) fn change<T, U>(field: Option<Option<T>>, read: impl FnOnce(T) -> U) -> Change<U> {
    match field {
        None => Change::Keep,
        Some(None) => Change::Clear,
        Some(Some(value)) => Change::Set(read(value)),
    }
}

/// A flag cannot be empty: null brings its default back.
#[expect(clippy::option_option, reason = "the contract tells absent from null")]
pub(crate) fn flag(field: Option<Option<bool>>, default: bool) -> Option<bool> {
    field.map(|value| value.unwrap_or(default))
}

/// Refuses callers who may not charge where what they `change` does: whatever they changed would change who is charged.
pub(crate) fn require_charging(call: &Call<'_>, options: RunOptions, change: &str) -> Result<(), Rejection> {
    if options.collect_payment { call.require(Permission::ProcessElectronicPayment, change) } else { Ok(()) }
}

/// What callers are told who may not change a run that charges.
pub(crate) const CHANGE_CHARGING_RUN: &str = "change a payment run that charges payment methods";

/// Whether the run charges. From callers who may not charge the field is ignored, as documented: only a run that does not
/// charge is theirs to change, and it stays so, also if somebody turns the flag on in between.
#[expect(clippy::option_option, reason = "the contract tells absent from null")]
pub(crate) fn charging_flag(call: &Call<'_>, field: Option<Option<bool>>) -> Option<bool> {
    if call.caller.may(Permission::ProcessElectronicPayment) {
        flag(field, RunOptions::default().collect_payment)
    } else {
        Some(false)
    }
}
