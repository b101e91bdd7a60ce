//! The integration tests: one binary, a file per subject.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod accepted_fields;
mod administration;
mod async_requests;
mod audit;
mod bad_input;
mod billing_objects;
mod body_costs;
mod card_data;
mod card_numbers;
mod connections;
mod contract_served;
mod control;
#[path = "../corpus/mod.rs"]
#[expect(clippy::print_stderr, reason = "a test says which input failed")]
mod corpus;
mod currencies;
mod data_runs;
mod doors;
mod early_refusals;
mod events;
mod exports;
mod gateway_account;
mod headers;
mod hostile_gateways;
mod hostile_requests;
mod idempotency;
mod implemented;
mod import_columns;
mod imports;
mod limits;
mod locked_database;
mod object_query;
mod overload;
mod payment_runs;
mod peers;
mod permissions;
mod preview;
mod recurring;
mod resolve;
mod rules;
mod samples;
mod schedule_year;
mod schedules;
mod scopes;
mod test_clock;
mod tls;
mod v2;
mod webhooks;
