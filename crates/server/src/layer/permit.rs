//! Lets through only callers who may do what the operation does, before anything else of their request is looked at. The
//! generated handlers ask the same, but not before the layers between have read the body and looked up its idempotency key.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use super::refuse;
use super::streamed::operation_of;

/// Refuses callers without the permission. What is not served is told as such.
pub(crate) async fn permit(request: Request, next: Next) -> Response {
    let operation = operation_of(request.method(), request.extensions());
    match operation.map(|operation| operation.check_scopes(request.extensions().get())) {
        Some(Err(rejection)) => refuse(&request.into_parts().0, &rejection),
        Some(Ok(())) | None => next.run(request).await,
    }
}
