//! The domain of payment runs: pure decisions, and the protocol that collects money exactly once.
//!
//! The crate knows nothing of HTTP, SQL or wire types. What it needs from the outside are the [`ports`].

pub mod account;
pub mod allocate;
pub mod audit;
pub mod charge_key;
pub mod collect;
pub mod command;
pub mod document;
mod doubt;
#[cfg(test)]
mod fixtures;
pub mod ids;
pub mod import;
#[cfg(test)]
mod machine_tests;
pub mod money;
pub mod naming;
pub mod notify;
pub mod payment;
pub mod payment_method;
pub mod plan;
pub mod ports;
pub mod reconcile;
pub mod recover;
pub mod recurrence;
pub mod refusal;
pub mod run;
pub mod run_rules;
pub mod run_schedule;
pub mod runner;
pub mod schedule;
pub mod search;
pub mod select;
pub mod separated_values;
pub mod settings;
pub mod single;
pub mod stopping;
