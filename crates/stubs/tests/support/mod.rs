//! What the gate tests share.
#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop with a message")]

pub(crate) mod canonical;
pub(crate) mod judge;
pub(crate) mod upgrade;
pub(crate) mod values;

use std::path::Path;

use serde_json::Value;

/// The names of the documents, as their modules are called.
pub(crate) const APIS: [&str; 3] = ["v1", "v2", "ops"];

/// The checked-in document of an API.
pub(crate) fn contract(api: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../openapi/{api}.yaml"));
    let text = std::fs::read_to_string(&path).expect("the document can be read");
    yaml_serde::from_str(&text).expect("the document is YAML that JSON can say")
}
