//! The error shape of the operations API: that of `/v2` without the hint on retries.

use axum::response::Response;
use http::StatusCode;
use payment_runs_stubs::Rejection;
use payment_runs_types::ops::{ErrorDetail, ErrorResponse};

use super::json_response;
use super::v2::{parameter, words};

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
    json_response(status, &ErrorResponse { type_: words(rejection.category).0.into(), errors })
}
