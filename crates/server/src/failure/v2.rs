//! The error shape of `/v2`.

use axum::response::Response;
use http::StatusCode;
use payment_runs_stubs::{Category, Fault, Rejection};
use payment_runs_types::v2::{ErrorDetail, ErrorResponse};

use super::json_response;

/// The `type` and the `code` of each category.
pub(super) fn words(category: Category) -> (&'static str, &'static str) {
    match category {
        Category::Permission => ("forbidden", "permission_denied"),
        Category::Authentication => ("unauthorized", "unauthorized"),
        Category::InvalidValue | Category::InvalidParameter => ("bad_request", "invalid_parameter"),
        Category::UnknownField => ("bad_request", "unknown_parameter"),
        Category::MissingField | Category::MissingParameter => ("bad_request", "missing_parameter"),
        Category::BusinessRule => ("bad_request", "business_rule"),
        Category::MalformedJson => ("bad_request", "malformed_json"),
        Category::NotFound => ("not_found", "resource_not_found"),
        Category::MethodNotAllowed => ("method_not_allowed", "method_not_allowed"),
        Category::NotAcceptable => ("bad_request", "not_acceptable"),
        Category::UnsupportedMediaType => ("unsupported_media_type", "unsupported_media_type"),
        Category::BodyTooLarge => ("content_too_large", "body_too_large"),
        Category::Conflict | Category::IdempotencyKeyInUse => ("conflict", "request_in_progress"),
        Category::Gap => ("conflict", "gap"),
        Category::IdempotencyMismatch => ("unprocessable_content", "idempotency_mismatch"),
        Category::OverLimit => ("too_many_requests", "too_many_requests"),
        Category::NotImplemented => ("not_implemented", "not_implemented"),
        Category::TimedOut => ("gateway_timeout", "gateway_timeout"),
        Category::Temporary => ("service_unavailable", "not_ready"),
        Category::External => ("bad_gateway", "bad_gateway"),
        Category::Internal => ("internal_server_error", "internal_server_error"),
    }
}

/// The name of the parameter or property, if there is one.
pub(super) fn parameter(fault: &Fault) -> Option<String> {
    (!fault.field.is_empty()).then(|| fault.field.clone())
}

pub(super) fn write(status: StatusCode, rejection: &Rejection) -> Response {
    // Who did not prove who they are is told nothing more.
    let told = rejection.faults.iter().filter(|_| status != StatusCode::UNAUTHORIZED);
    let errors = told
        .map(|fault| ErrorDetail {
            code: words(fault.category).1.to_owned(),
            parameter: parameter(fault),
            message: fault.message.clone(),
        })
        .collect();
    let waiting = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let body = ErrorResponse {
        type_: words(rejection.category).0.into(),
        errors,
        retryable: (!waiting)
            .then_some(matches!(rejection.category, Category::Conflict | Category::IdempotencyKeyInUse)),
    };
    json_response(status, &body)
}

#[cfg(test)]
#[path = "v2_tests.rs"]
mod tests;
