//! The operations API: whether the server is up, how far a run is, and why each document was collected or skipped.

mod async_requests;
mod decisions;
mod progress;

use axum::response::Response as HttpResponse;
use payment_runs_engine::ports::StoreError;
use payment_runs_stubs::ops::{get_async_request, get_health, get_progress, get_readiness, list_decisions};
use payment_runs_stubs::{Category, Location, OperationInfo, Rejection, RequestContext, ops};
use payment_runs_types::ops::{Health, HealthStatus, Readiness, ReadinessStatus};

use crate::app::App;
use crate::call::Call;
use crate::failure::refuse_operation;

/// Implements the generated trait of the operations API.
#[derive(Clone)]
pub(crate) struct OpsApi {
    app: App,
}

impl OpsApi {
    /// The surface of a server.
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

impl ops::Api for OpsApi {
    fn refuse(
        &self,
        context: &RequestContext,
        _operation: &'static OperationInfo,
        rejection: Rejection,
    ) -> HttpResponse {
        refuse_operation(context, &rejection)
    }

    async fn get_health(&self, _context: RequestContext) -> Result<get_health::Response, Rejection> {
        Ok(get_health::Response::Status200(Health { status: HealthStatus::Ok }))
    }

    async fn get_readiness(&self, _context: RequestContext) -> Result<get_readiness::Response, Rejection> {
        match self.app.ports.ledger.check().await {
            Ok(()) => Ok(get_readiness::Response::Status200(Readiness { status: ReadinessStatus::Ready })),
            Err(error) => Err(not_ready(&error)),
        }
    }

    async fn list_decisions(
        &self,
        context: RequestContext,
        path: list_decisions::Path,
        query: list_decisions::Query,
        _headers: list_decisions::Headers,
    ) -> Result<list_decisions::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        decisions::list(&call, &path.key, query).await.map(list_decisions::Response::Status200)
    }

    async fn get_async_request(
        &self,
        context: RequestContext,
        path: get_async_request::Path,
        _headers: get_async_request::Headers,
    ) -> Result<get_async_request::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        async_requests::get(&call, &path.id).await.map(get_async_request::Response::Status200)
    }

    async fn get_progress(
        &self,
        context: RequestContext,
        path: get_progress::Path,
        _headers: get_progress::Headers,
    ) -> Result<get_progress::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        progress::get(&call, &path.key).await.map(get_progress::Response::Status200)
    }
}

fn not_ready(error: &StoreError) -> Rejection {
    let message = match error {
        StoreError::Closed => "the server is stopping",
        _ => "the database cannot be reached",
    };
    tracing::warn!(error = %crate::failure::Chain(error), "the server is not ready");
    Rejection::new(Category::Temporary, message).retry_after_s(1)
}

/// The run that the path names does not exist.
fn no_run(key: &str) -> Rejection {
    // The key is the caller's own text; a long one is not worth repeating.
    const KEY_CHARS_MAX: usize = 64;
    let key: String = key.chars().take(KEY_CHARS_MAX).collect();
    Rejection::at(Category::NotFound, Location::Path, "key", format!("there is no payment run {key}"))
}
