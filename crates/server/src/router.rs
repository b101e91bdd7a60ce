//! Puts the generated routers and the layers together.

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Router};
use payment_runs_stubs::{Category, Rejection};
use tower_http::compression::CompressionLayer;
use tower_http::compression::Predicate;
use tower_http::compression::predicate::{NotForContentType, SizeAbove};
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::app::{App, BODY_PAUSE_MAX, COMPRESS_OVER_BYTES};
use crate::card_numbers::NO_CARD_NUMBERS;
use crate::contract;
use crate::layer::{acceptable, admit, bound, identify, limit, one_host, permit, read_body, refuse, replay};
use crate::ops::OpsApi;
use crate::v1::V1Api;
use crate::v2::V2Api;

/// The compression layer counts from the first size that is compressed.
const COMPRESS_FROM_BYTES: u16 = COMPRESS_OVER_BYTES + 1;

/// The whole server as one service: every documented route, and an answer in the right shape for every other one.
pub fn router(app: App) -> Router {
    let apis = payment_runs_stubs::v1::router(V1Api::new(app.clone()))
        .merge(payment_runs_stubs::v2::router(V2Api::new(app.clone())))
        .merge(payment_runs_stubs::ops::router(OpsApi::new(app.clone())))
        .merge(contract::routes());
    apis.fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::disable())
        .layer(Extension(NO_CARD_NUMBERS))
        .layer(from_fn_with_state(app.clone(), replay))
        .layer(from_fn_with_state(app.clone(), read_body))
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE_MAX))
        .layer(from_fn(acceptable))
        .layer(from_fn_with_state(app.clone(), bound))
        .layer(from_fn(permit))
        .layer(from_fn_with_state(app.clone(), limit))
        .layer(from_fn_with_state(app.clone(), admit))
        // Events are not compressed, since they would be held back until there are enough of them.
        .layer(CompressionLayer::new().gzip(true).compress_when(
            SizeAbove::new(COMPRESS_FROM_BYTES).and(NotForContentType::const_new("text/event-stream")),
        ))
        .layer(from_fn(one_host))
        .layer(from_fn_with_state(app, identify))
}

async fn unknown_path(request: Request) -> Response {
    let parts = request.into_parts().0;
    let message = format!("The endpoint {} {} does not exist.", parts.method, parts.uri.path());
    refuse(&parts, &Rejection::new(Category::NotFound, message))
}

async fn unknown_method(request: Request) -> Response {
    let parts = request.into_parts().0;
    let message = format!("{} is not served with the method {}", parts.uri.path(), parts.method);
    refuse(&parts, &Rejection::new(Category::MethodNotAllowed, message))
}
