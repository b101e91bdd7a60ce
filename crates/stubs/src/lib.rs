//! The server's half of the contract: per API a trait with one method per operation, a router that reads requests and
//! calls the trait, and the document that utoipa derives from both.
//!
//! The modules [`v1`], [`v2`] and [`ops`] are generated from `openapi/*.yaml`. Everything else here is what they stand
//! on: reading and checking requests ([`extract`]), and the words in which a request is refused ([`Rejection`]).
//!
//! A request that arrives at an operation's method has the documented shape: every required part is there, every value
//! keeps its bounds. What depends on more than one field, or on stored data, is the implementation's to check.

pub mod accept;
pub mod answer;
pub mod extract;
pub mod witness;

mod generated {
    pub mod ops;
    pub mod v1;
    pub mod v2;
}

mod context;
#[cfg(test)]
#[path = "../../../tests/corpus/mod.rs"]
#[expect(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says where")]
mod corpus;
mod lines;
mod operation;
mod payment_run_body;
mod rejection;
mod status;
mod stream;

pub use generated::{ops, v1, v2};

pub use extract::TextRule;

pub use context::{GrantedScopes, RequestContext, RequestId, TrackId};
pub use lines::{ColumnKind, Lines};
pub use operation::OperationInfo;
pub use payment_run_body::read_payment_run_body;
pub use rejection::{Category, FAULTS_MAX, Fault, Location, Rejection};
pub use status::{ClientErrorStatus, ServerErrorStatus, StatusOutOfRange};
pub use stream::Stream;
