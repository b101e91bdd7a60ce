//! Collects what is wrong with a body, so that a refusal tells it all at once.

use payment_runs_engine::naming::{NAME_CHARS_MAX, name_faults};
use payment_runs_stubs::{Category, Fault, Location, Rejection};

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// A field has a value that it must not have.
    pub(crate) fn invalid(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.push(Category::InvalidValue, field, message);
    }

    /// A documented field is given that would change nothing, which the caller would not notice.
    pub(crate) fn unsupported(&mut self, field: impl Into<String>, is_given: bool, reason: &str) {
        if is_given {
            self.invalid(field, format!("is not supported: {reason}"));
        }
    }

    /// A field is needed here.
    pub(crate) fn missing(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.push(Category::MissingField, field, message);
    }

    /// A field and another one exclude each other.
    pub(crate) fn excludes(&mut self, field: impl Into<String>, other: &str) {
        self.push(Category::BusinessRule, field, format!("excludes '{other}'"));
    }

    /// Notes what is wrong with a name that the caller gives.
    pub(crate) fn name(&mut self, field: &str, text: &str) {
        for fault in name_faults(text, NAME_CHARS_MAX) {
            self.invalid(field, fault.to_string());
        }
    }

    /// Notes a fault of the given category.
    pub(crate) fn push(&mut self, category: Category, field: impl Into<String>, message: impl Into<String>) {
        let (field, message) = (field.into(), message.into());
        self.0.push(Fault { location: Location::Body, field, message, category });
    }

    /// The value, or nothing after noting the fault.
    pub(crate) fn take<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        read.map_err(|fault| self.0.push(fault)).ok()
    }

    /// Adds faults found elsewhere.
    pub(crate) fn extend(&mut self, faults: Vec<Fault>) {
        self.0.extend(faults);
    }

    /// Refuses the request where its one name is wrong.
    pub(crate) fn of_name(field: &str, text: &str) -> Result<(), Rejection> {
        let mut faults = Self::default();
        faults.name(field, text);
        faults.finish()
    }

    /// Refuses the request if anything is wrong.
    pub(crate) fn finish(self) -> Result<(), Rejection> {
        if self.0.is_empty() { Ok(()) } else { Err(Rejection::from_faults(self.0)) }
    }
}
