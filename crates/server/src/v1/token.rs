//! Bearer tokens.

use std::net::Ipv4Addr;

use payment_runs_engine::ids::EntityId;
use payment_runs_stubs::{Category, Rejection, RequestContext};
use payment_runs_types::v1::{CreateTokenRequest, TokenResponse};

use crate::app::{App, TOKEN_LIFE_S};
use crate::auth::{NoToken, TokenAttempt, issue_token, write_permissions};
use crate::failure::store_failure;
use crate::layer::dashed;

/// Gives a token for a client's credentials.
pub(super) async fn create(
    app: &App,
    context: &RequestContext,
    body: CreateTokenRequest,
) -> Result<TokenResponse, Rejection> {
    // Without the layer of quotas nothing is limited.
    let unlimited = TokenAttempt { address: Ipv4Addr::UNSPECIFIED.into(), wait_s: None };
    let attempt = context.get::<TokenAttempt>().copied().unwrap_or(unlimited);
    let issued = issue_token(app, attempt, &body.client_id, &body.client_secret).await;
    let issued = issued.map_err(|error| match &error {
        NoToken::Wrong => Rejection::new(Category::Authentication, error.to_string()),
        NoToken::OverLimit(wait_s) => {
            Rejection::new(Category::OverLimit, error.to_string()).retry_after_s(*wait_s)
        }
        NoToken::Store(error) => store_failure(error),
    })?;
    let entity = |(_, id): &(_, EntityId)| format!(" entity.{}", dashed(id.as_u128()));
    let entities: String = issued.client.entities.iter().map(entity).collect();
    let scopes = write_permissions(&issued.client.permissions).map(ToString::to_string);
    let scopes = scopes.collect::<Vec<String>>().join(" ");
    Ok(TokenResponse {
        access_token: issued.token,
        expires_in: TOKEN_LIFE_S,
        jti: Some(format!("{:032x}", app.ports.ids.next_id())),
        scope: Some(format!("user.{}{entities} {}", issued.client.user, scopes).trim_end().to_owned()),
        token_type: "bearer".to_owned(),
    })
}
