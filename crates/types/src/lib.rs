//! The models of the payment-run APIs, generated from `openapi/`, and the scalars they are made of.
//!
//! - [`v1`]: the public v1 API, object query, OAuth and the billing objects.
//! - [`v2`]: the v2 (quickstart) API.
//! - [`ops`]: this project's own API for operators.
//!
//! Absent and `null` stay distinct, both ways. The four kinds of field:
//!
//! | contract | Rust |
//! |---|---|
//! | required | `T` |
//! | required, nullable | `Option<T>`, must be present |
//! | optional | `Option<T>`, `null` is refused |
//! | optional, nullable | `Option<Option<T>>`: absent is `None`, `null` is `Some(None)` |
//!
//! Text out of a list becomes an enum that keeps values it does not know in `Unknown`, so that a newer server does not
//! break an older client. Objects that refuse unknown fields in the contract refuse them here.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `garde`: every type checks its bounds (`garde::Validate`), and refuses `Unknown`.
//! - `schemars`: every type answers with its schema in the contract, as JSON Schema 2020-12.
//! - `utoipa`: every type describes itself from its Rust declaration; a test compares that with the contract.

mod object;
#[cfg(feature = "garde")]
pub mod rules;
mod scalar;
#[cfg(feature = "schemars")]
mod schema;
mod text_enum;
#[cfg(feature = "utoipa")]
mod witness;

mod generated {
    #[cfg(test)]
    #[allow(
        unreachable_pub,
        dead_code,
        clippy::float_arithmetic,
        clippy::large_enum_variant,
        reason = "generated for the tests of this crate alone, from a document that has every shape there is"
    )]
    pub(crate) mod everything;
    pub mod ops;
    pub mod v1;
    pub mod v2;
}

pub use generated::{ops, v1, v2};
pub use scalar::comma_list::CommaList;
pub use scalar::date::{Date, DateError};
pub use scalar::date_time::{DateTime, DateTimeError};
pub use scalar::decimal::{Decimal, DecimalError};
pub use scalar::keys::KeyPattern;
pub use scalar::offset_date_time::{OffsetDateTime, OffsetDateTimeError};
pub use scalar::{nullable, whole};

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
