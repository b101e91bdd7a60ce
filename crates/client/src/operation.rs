//! What the generated code tells the transport about an operation.

/// One operation of an API.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Its Rust name, which the generated code also hands to the hooks.
    pub(crate) id: &'static str,
    /// Calls carry a bearer token.
    pub(crate) authenticated: bool,
    /// The contract lets an `Idempotency-Key` make this POST or PATCH safe to repeat.
    pub(crate) idempotent_by_key: bool,
    /// Headers that every call carries, lower case.
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

/// What a call says whose required parameter was never set.
pub(crate) fn missing(parameter: &str) -> String {
    format!("`{parameter}` is required and was not set")
}

/// What a call says whose parameter was set to a value of another type that does not convert.
pub(crate) fn unfit(parameter: &str) -> String {
    format!("the value of `{parameter}` does not convert to the parameter's type")
}
