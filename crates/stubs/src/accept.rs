//! Whether models and parameters accept values, for the tests that compare them with the contract.

use garde::Validate;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value as a request body would be read, and checks it; the reason where it is refused.
pub fn check<T>(json: &Value) -> Result<(), String>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    let bytes = serde_json::to_vec(json).map_err(|error| error.to_string())?;
    let value: T = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    value.validate().map_err(|report| report.to_string())
}

/// Reads parameters, each a name and a text, as those of a request would be read, and checks them.
pub fn check_texts<T>(texts: &[(String, String)]) -> Result<(), String>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    let encoded = serde_html_form::to_string(texts).map_err(|error| error.to_string())?;
    let value: T = serde_html_form::from_str(&encoded).map_err(|error| error.to_string())?;
    value.validate().map_err(|report| report.to_string())
}
