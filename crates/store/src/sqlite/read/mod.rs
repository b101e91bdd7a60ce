//! Questions that need more than one row.

pub(crate) mod audit;
pub(crate) mod lists;
pub(crate) mod records;

pub(crate) use audit::audit_records;
pub(crate) use lists::{account_numbers, decisions, payments, progress, runs};
pub(crate) use records::records;
