//! The gateway port over the payment intents dialect: charges are created and confirmed off
//! session, in one call, under an idempotency key.
//!
//! What decides is pure and tested by tables: [`form`] writes bodies, [`classify()`] reads answers,
//! [`look_up`] reads searches, [`list`] reads lists, [`account`] reads who the gateway charges for. The effects are behind [`Exchange`]: [`HyperExchange`] speaks HTTP,
//! [`InProcess`] asks a simulated bank without a network. A charge is delivered once for each call;
//! the engine decides on repetition.

pub mod account;
pub mod classify;
mod config;
mod connector;
mod exchange;
pub mod form;
mod gateway;
mod hyper_exchange;
mod in_process;
pub mod list;
pub mod look_up;
mod tokenize;
mod units;

pub use classify::classify;
pub use config::{ConfigError, SecretKey, StripeConfig, default_settings};
pub use exchange::{Exchange, ExchangeAnswer, ExchangeError, ExchangeRequest, Target};
pub use gateway::StripeGateway;
pub use hyper_exchange::HyperExchange;
pub use in_process::InProcess;
