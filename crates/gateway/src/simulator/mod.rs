//! A payment gateway to develop and test against: the payment intents dialect over HTTP, with the
//! well-known test cards, idempotency keys, a journal of every charge, and seeded faults.
//!
//! * [`Simulator::start`] listens and answers; [`SimulatorHandle::journal`] tells what happened.
//! * [`bank`] is the whole behaviour without a network or a clock, for replayable simulations.
//! * `POST /v1/payment_methods` exchanges a card or bank account for a token that describes
//!   itself, so tokens outlive the simulator. `POST /v1/payment_intents` creates and confirms a
//!   charge. `GET /v1/payment_intents/{id}` and
//!   `GET /v1/payment_intents/search?query=metadata['reference']:'…'` find it again.
//!   `GET /v1/payment_intents?created[gte]=…&limit=…&starting_after=…` lists them, newest first.
//!   `GET /v1/account` names an account that the journal keeps. `GET /healthz` answers `ok`.
//!
//! Where it is simpler than the original: charges are only created and confirmed in one call,
//! there are no customers, mandates, refunds or webhooks, any card number with a right check digit
//! can be stored, and bank debits settle at once unless their number says otherwise. Where it is
//! stricter: a confirmed search is authoritative unless a lag is configured.

pub mod answer;
pub mod bank;
pub mod behaviour;
mod effects;
pub mod faults;
pub mod intent;
pub mod journal;
mod keys;
pub mod request;
mod routes;
mod server;
mod shard;
pub mod test_numbers;
mod timeline;
pub mod token;

pub use faults::{FAULT_FORMS, Faults, FaultsError};
pub use journal::{JournalEntry, JournalError, JournalOutcome, JournalTotals, read_journal};
pub use server::{Simulator, SimulatorConfig, SimulatorError, SimulatorHandle};
