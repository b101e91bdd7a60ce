//! Lets in only callers with a valid token, and notes who they are.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::refuse;
use crate::app::App;
use crate::auth::{authenticate, scopes_of};
use crate::contract::is_contract_path;
use crate::failure::auth_failure;

/// Paths that anyone may call, beside those of the contract.
const PUBLIC_PATHS: &[&str] = &["/oauth/token", "/healthz", "/readyz"];

/// Finds out who calls; operations find a `Caller` and its `GrantedScopes` among the request's extensions.
pub(crate) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if PUBLIC_PATHS.contains(&path) || is_contract_path(path) {
        return next.run(request).await;
    }
    match authenticate(&app, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(scopes_of(&caller.permissions));
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(failure) => refuse(&request.into_parts().0, &auth_failure(&failure)),
    }
}
