//! Who is calling: client secrets, tokens, and the entity a request acts in.

#[cfg(test)]
mod parser_tests;
mod secret;
mod session;
mod token;

pub use secret::{SecretError, hash_secret};
pub(crate) use session::{AuthFailure, Caller, authenticate};
pub(crate) use token::issue_token;
