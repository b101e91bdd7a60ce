//! The error shape of `/object-query`.

use axum::response::Response;
use http::StatusCode;
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{ObjectQueryErrorResponse, Reason};

use super::codes::query_code;
use super::{Place, json_response, sentence};

pub(super) fn write(place: &Place<'_>, status: StatusCode, rejection: &Rejection) -> Response {
    let reasons = rejection
        .faults
        .iter()
        .map(|fault| Reason { code: query_code(fault), message: sentence(fault) })
        .collect();
    let body =
        ObjectQueryErrorResponse { reasons: Some(reasons), request_id: Some(place.request_id.to_owned()) };
    json_response(super::v1::documented(status), &body)
}
