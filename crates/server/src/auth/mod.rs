//! Who is calling: client secrets, tokens, and the entity a request acts in.

mod guesses;
#[cfg(test)]
mod parser_tests;
mod permission;
mod secret;
mod session;
mod standing;
mod token;

pub(crate) use guesses::{Guesses, TokenAttempt};
pub(crate) use permission::{read_permissions, scopes_of, write_permissions};
pub use secret::{SecretError, hash_secret};
pub(crate) use session::{AuthFailure, Caller, authenticate};
pub(crate) use standing::Standing;
pub(crate) use token::{NoToken, issue_token};
