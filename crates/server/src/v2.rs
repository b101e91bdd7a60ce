//! The v2 surface: routed, and answered with 501 in its own error shape until it is served.

use axum::response::Response;
use payment_runs_stubs::{OperationInfo, Rejection, RequestContext, v2};

use crate::failure::refuse_operation;

/// Implements the generated trait of v2.
#[derive(Clone)]
pub(crate) struct V2Api;

impl v2::Api for V2Api {
    fn refuse(
        &self,
        context: &RequestContext,
        _operation: &'static OperationInfo,
        rejection: Rejection,
    ) -> Response {
        refuse_operation(context, &rejection)
    }
}
