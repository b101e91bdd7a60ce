//! Fields of an update: left out, null or a value, as the APIs tell them apart.

use payment_runs_engine::command::Change;

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
