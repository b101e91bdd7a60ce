//! Administration: clients, entities, organizations and settings.
//!
//! A caller reaches no farther here than anywhere else: what it may not act in does not exist for it, and it gives away
//! nothing that it does not have itself.

pub(super) mod clients;
pub(super) mod entities;
mod grant;
pub(super) mod organizations;
pub(super) mod settings;
pub(super) mod webhooks;

use payment_runs_engine::ports::{Named, StoreError};
use payment_runs_stubs::{Category, Location, Rejection};

use crate::call::Call;
use crate::failure::store_failure;

/// Refuses callers that see only some organizations where the entity as a whole is at stake.
fn require_all_organizations(call: &Call<'_>, what: &str) -> Result<(), Rejection> {
    if call.scope().organizations.is_none() {
        return Ok(());
    }
    let message = format!("a caller that is limited to organizations may not {what}");
    Err(Rejection::new(Category::Permission, message))
}

fn stored<T>(result: Result<T, StoreError>) -> Result<T, Rejection> {
    result.map_err(|error| store_failure(&error))
}

/// What was stored under a name of its own, or why it was not.
fn named<T>(outcome: Named<T>, missing: impl FnOnce() -> Rejection) -> Result<T, Rejection> {
    let refuse = |message: &str| Err(Rejection::at(Category::BusinessRule, Location::Body, "name", message));
    match outcome {
        Named::Done(value) => Ok(value),
        Named::Taken => refuse("is the name of another one"),
        Named::Full => refuse("cannot be given: there are as many as there may be"),
        Named::Missing => Err(missing()),
    }
}

/// There is no such object for this caller.
fn unknown(parameter: &'static str, noun: &str, id: &str) -> Rejection {
    // The identifier is the caller's own text; a long one is not worth repeating.
    const ID_CHARS_MAX: usize = 64;
    let id: String = id.chars().take(ID_CHARS_MAX).collect();
    Rejection::at(Category::NotFound, Location::Path, parameter, format!("there is no {noun} {id}"))
}
