//! What happens to every request before and after its operation, from the outside in: it gets an identifier and a line
//! in the log, its caller is found out, held to its quotas and asked for its permission, its time is bounded, it must take JSON, its body is read and inflated within
//! bounds, and its idempotency key is honoured.

mod acceptable;
mod admit;
mod body;
mod bound;
mod budget;
mod host;
mod identify;
mod limit;
mod once;
#[cfg(test)]
mod parser_tests;
mod permit;
mod streamed;
mod version;

pub(crate) use acceptable::acceptable;
pub(crate) use admit::admit;
pub(crate) use body::read_body;
pub(crate) use bound::bound;
pub(crate) use budget::BodyBudget;
pub(crate) use host::one_host;
pub(crate) use identify::{dashed, identify};
pub(crate) use limit::limit;
pub(crate) use once::{OnceTicket, known_replay, number_of, pack, replay, stored_parts, stored_success};
pub(crate) use permit::permit;
pub(crate) use version::OldVersion;

use axum::response::Response;
use http::request::Parts;
use payment_runs_stubs::{Rejection, RequestId};

use crate::failure::{Place, Resource, Surface, write_failure};

/// Refuses a request before its operation, in the shape of the API that its path belongs to. What is said here is about
/// how was asked and not about what, so callers of old versions get its status, too.
pub(crate) fn refuse(parts: &Parts, rejection: &Rejection) -> Response {
    let path = parts.uri.path();
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.as_str()).unwrap_or_default();
    let place = Place {
        surface: Surface::of(path),
        resource: Resource::of(&parts.method, path),
        request_id,
        old_version: false,
    };
    write_failure(&place, rejection)
}
