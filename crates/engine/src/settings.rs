//! What an entity has configured.

use serde::{Deserialize, Serialize};

use crate::account::RetryRule;

/// Settings of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// IANA name of the time zone in which zoneless times are read and written.
    pub time_zone: String,
    /// When failed payment methods are tried again; off unless configured.
    pub retry_rule: RetryRule,
    /// Whether credit memos and unapplied payments exist; where they do, credit balance does not.
    pub invoice_settlement: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { time_zone: "UTC".to_owned(), retry_rule: RetryRule::default(), invoice_settlement: true }
    }
}
