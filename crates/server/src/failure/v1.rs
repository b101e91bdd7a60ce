//! The error shape of `/v1` and `/oauth`.

use axum::response::Response;
use http::StatusCode;
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::v1::{ErrorResponse, Reason, TokenErrorResponse};

use super::codes::v1_code;
use super::{Place, Resource, json_response, sentence};

pub(super) fn write(place: &Place<'_>, status: StatusCode, rejection: &Rejection) -> Response {
    let status = documented(status);
    let reasons: Vec<Reason> = rejection
        .faults
        .iter()
        .map(|fault| Reason { code: v1_code(place.resource, fault.category), message: sentence(fault) })
        .collect();
    let first = reasons.first().map(|reason| (reason.code, reason.message.clone()));
    let (code, message) = first.unwrap_or_default();
    if place.resource == Resource::Access {
        let code = (status == StatusCode::BAD_REQUEST).then_some(code);
        return json_response(status, &TokenErrorResponse { code, message });
    }
    if rejection.category == Category::Authentication {
        let message = Some(message);
        let nothing = ErrorResponse::default();
        return json_response(status, &ErrorResponse { message, ..nothing });
    }
    let body = ErrorResponse {
        success: Some(false),
        process_id: Some(process_id(place.request_id)),
        request_id: Some(place.request_id.to_owned()),
        reasons: Some(reasons),
        code: None,
        message: None,
    };
    json_response(if place.old_version && is_logical(rejection) { StatusCode::OK } else { status }, &body)
}

/// The v1 reference knows one status for everything that is not the caller's fault.
pub(super) fn documented(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        other => other,
    }
}

/// Whether the fault is about what was asked and not about how: old versions answer these with 200.
fn is_logical(rejection: &Rejection) -> bool {
    !matches!(
        rejection.category,
        Category::Authentication
            | Category::IdempotencyKeyInUse
            | Category::IdempotencyMismatch
            | Category::MethodNotAllowed
            | Category::NotAcceptable
            | Category::UnsupportedMediaType
            | Category::BodyTooLarge
            | Category::OverLimit
            | Category::NotImplemented
            | Category::TimedOut
    )
}

/// Sixteen upper-case hexadecimal digits, taken from the request's identifier.
fn process_id(request_id: &str) -> String {
    let digits: String = request_id.chars().filter(char::is_ascii_hexdigit).collect();
    digits.chars().skip(digits.len().saturating_sub(16)).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_sixteen_digits() {
        assert_eq!(process_id("0190b7c4-6f3a-7d21-9c56-0000000000ab"), "9C560000000000AB");
        assert_eq!(process_id("ab"), "AB");
    }

    #[test]
    fn what_is_said_of_a_key_is_not_logical() {
        let of = |category| is_logical(&Rejection::new(category, "no"));
        assert!(of(Category::NotFound) && of(Category::BusinessRule) && of(Category::Internal));
        assert!(of(Category::Conflict), "a document that a payment holds");
        assert!(
            !of(Category::IdempotencyKeyInUse)
                && !of(Category::IdempotencyMismatch)
                && !of(Category::OverLimit)
        );
    }

    #[test]
    fn other_systems_failures_are_internal_here() {
        assert_eq!(documented(StatusCode::BAD_GATEWAY), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(documented(StatusCode::SERVICE_UNAVAILABLE), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(documented(StatusCode::GATEWAY_TIMEOUT), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(documented(StatusCode::NOT_IMPLEMENTED), StatusCode::NOT_IMPLEMENTED);
        assert_eq!(documented(StatusCode::CONFLICT), StatusCode::CONFLICT);
    }
}
