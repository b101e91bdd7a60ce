//! The one place where a refused request becomes an answer, in the shape of the API that was called.

mod codes;
mod ops;
mod query;
mod v1;
mod v2;

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use payment_runs_engine::payment_method::card_number::{holds_card_number, without_card_numbers};
use payment_runs_engine::ports::{Chain, LedgerError, StoreError};
use payment_runs_stubs::{Category, Fault, Location, Rejection, RequestContext};
use serde::Serialize;

pub(crate) use codes::Resource;

use crate::auth::AuthFailure;
use crate::layer::OldVersion;
use crate::refused::Wording;

/// The surfaces that the server answers on; each has its own error shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// `/v1` and `/oauth`.
    V1,
    /// `/object-query`.
    ObjectQuery,
    /// `/v2`.
    V2,
    /// Everything else is our own operations API.
    Ops,
}

impl Surface {
    /// The surface a path belongs to.
    pub(crate) fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match first {
            "v2" => Self::V2,
            "object-query" => Self::ObjectQuery,
            "ops" | "healthz" | "readyz" | "metrics" => Self::Ops,
            _ => Self::V1,
        }
    }
}

/// What the answer to a refusal depends on, besides the refusal.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    /// The surface that was called.
    pub(crate) surface: Surface,
    /// What the v1 codes count as the resource.
    pub(crate) resource: Resource,
    /// The request's identifier.
    pub(crate) request_id: &'a str,
    /// Whether the caller's `Zuora-Version` is so old that logical errors are answered with 200.
    pub(crate) old_version: bool,
}

/// What a refusal was about, among the extensions of its answer, since old versions are told of it with status 200, and what is
/// stored of it is shorter.
#[derive(Debug, Clone)]
pub(crate) struct Refused(Arc<Told>);

#[derive(Debug)]
struct Told {
    surface: Surface,
    resource: Resource,
    request_id: String,
    old_version: bool,
    rejection: Rejection,
}

impl Refused {
    /// What it was about.
    pub(crate) fn category(&self) -> Category {
        self.0.rejection.category
    }

    /// The same answer with half of the faults; nothing where there is only one.
    pub(crate) fn shorter(&self) -> Option<Response> {
        let Told { surface, resource, request_id, old_version, rejection } = self.0.as_ref();
        let half = rejection.faults.len() / 2;
        let place = Place { surface: *surface, resource: *resource, request_id, old_version: *old_version };
        (half > 0).then(|| write_failure(&place, &rejection.with_first_faults(half)))
    }
}

/// The word of the operations API for a kind of fault.
pub(crate) fn code_word(category: Category) -> &'static str {
    v2::words(category).1
}

/// Writes the answer to a refused request.
pub(crate) fn write_failure(place: &Place<'_>, rejection: &Rejection) -> Response {
    let status = rejection.category.status();
    let rejection = &masked(rejection);
    let mut response = match place.surface {
        Surface::V1 => v1::write(place, status, rejection),
        Surface::ObjectQuery => query::write(place, status, rejection),
        Surface::V2 => v2::write(status, rejection),
        Surface::Ops => ops::write(status, rejection),
    };
    if let Some(seconds) = rejection.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(Refused(Arc::new(Told {
        surface: place.surface,
        resource: place.resource,
        request_id: place.request_id.to_owned(),
        old_version: place.old_version,
        rejection: rejection.clone(),
    })));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Characters of the path of a field that are told. The longest documented one has a hundred; the rest are a caller's own texts.
const PATH_CHARS_MAX: usize = 256;

/// The rejection without card numbers: messages repeat what callers sent, such as the name of something that does not exist, and
/// answers are logged by others and stored under idempotency keys.
fn masked(rejection: &Rejection) -> Rejection {
    let mut rejection = rejection.clone();
    for fault in &mut rejection.faults {
        if let Some((end, _)) = fault.field.char_indices().nth(PATH_CHARS_MAX) {
            fault.field.truncate(end);
            fault.field.push('…');
        }
        for text in [&mut fault.field, &mut fault.message] {
            if holds_card_number(text) {
                *text = without_card_numbers(text);
            }
        }
    }
    rejection
}

/// A JSON answer.
pub(crate) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    use axum::response::IntoResponse;
    (status, axum::Json(body)).into_response()
}

/// Words that a message about a field begins with when it reads on after the field's name.
const PREDICATES: &[&str] = &["belongs", "excludes", "has", "is", "looks", "must", "needs"];

/// A fault as one sentence that begins with the field's path, as the v1 shapes have no place for the path alone.
fn sentence(fault: &Fault) -> String {
    let (field, message) = (&fault.field, &fault.message);
    let first = message.split(' ').next().unwrap_or_default();
    match (field.is_empty(), PREDICATES.contains(&first)) {
        (true, _) => message.clone(),
        (false, true) => format!("'{field}' {message}"),
        (false, false) => format!("'{field}': {message}"),
    }
}

/// Why a request that was understood could not be answered: the caller is told only that, the log is told the cause.
pub(crate) fn store_failure(error: &StoreError) -> Rejection {
    tracing::error!(error = %Chain(error), "the store failed");
    match error {
        StoreError::Closed | StoreError::LeaseLost => {
            Rejection::new(Category::Temporary, "the service is not ready: try again").retry_after_s(1)
        }
        StoreError::Busy { .. } => Rejection::new(
            Category::Temporary,
            "another program holds the database: nothing was changed, try again",
        )
        .retry_after_s(1),
        StoreError::InDoubt { .. } => Rejection::new(
            Category::Internal,
            "it is not known whether the request took effect: look before you try again, or use an idempotency key",
        ),
        StoreError::Read { .. }
        | StoreError::Write { .. }
        | StoreError::Damaged { .. }
        | StoreError::Corrupt { .. } => {
            Rejection::new(Category::Internal, "the request could not be completed: nothing was changed")
        }
    }
}

/// Why a request is not let in, as an answer.
pub(crate) fn auth_failure(failure: &AuthFailure) -> Rejection {
    let message = failure.to_string();
    match failure {
        AuthFailure::Unauthenticated => Rejection::new(Category::Authentication, message),
        AuthFailure::EntityNeeded => Rejection::from_faults(vec![Fault {
            location: Location::Header,
            field: "Zuora-Entity-Ids".to_owned(),
            message,
            category: Category::InvalidValue,
        }]),
        AuthFailure::ForeignEntity | AuthFailure::ForeignOrganization(_) => {
            Rejection::new(Category::Permission, message)
        }
        AuthFailure::Store(error) => store_failure(error),
    }
}

/// Why a command did not happen: refusals are told with the API's own field names.
pub(crate) fn ledger_failure(error: &LedgerError, wording: &Wording) -> Rejection {
    match error {
        LedgerError::Store(error) => store_failure(error),
        LedgerError::Refused(refusals) => crate::refused::rejection(refusals, wording),
    }
}

/// Writes a refusal of an operation, in the shape of the surface that the request's path belongs to.
pub(crate) fn refuse_operation(context: &RequestContext, rejection: &Rejection) -> Response {
    let path = context.uri.path();
    let old_version = context.get::<OldVersion>().is_some();
    let place = Place {
        surface: Surface::of(path),
        resource: Resource::of(&context.method, path),
        request_id: &context.request_id,
        old_version,
    };
    write_failure(&place, rejection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_with_the_field() {
        let say = |field: &str, message: &str| {
            let (field, message) = (field.to_owned(), message.to_owned());
            sentence(&Fault { location: Location::Body, field, message, category: Category::InvalidValue })
        };
        assert_eq!(
            say("data[3].amount", "must be greater than 0"),
            "'data[3].amount' must be greater than 0"
        );
        assert_eq!(say("accountId", "excludes 'batch'"), "'accountId' excludes 'batch'");
        assert_eq!(say("accountNumber", "'A1' is taken"), "'accountNumber': 'A1' is taken");
        assert_eq!(say("", "the body is empty"), "the body is empty");
    }

    #[test]
    fn paths_belong_to_surfaces() {
        for (path, surface) in [
            ("/v1/payment-runs", Surface::V1),
            ("/oauth/token", Surface::V1),
            ("/nowhere", Surface::V1),
            ("/object-query/payment-runs", Surface::ObjectQuery),
            ("/v2/payment_runs", Surface::V2),
            ("/v20", Surface::V1),
            ("/ops/payment-runs/x/progress", Surface::Ops),
            ("/readyz", Surface::Ops),
        ] {
            assert_eq!(Surface::of(path), surface, "{path}");
        }
    }
}
