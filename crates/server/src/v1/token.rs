//! Bearer tokens.

use payment_runs_engine::ids::EntityId;
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::v1::{CreateTokenRequest, TokenResponse};

use crate::app::{App, TOKEN_LIFE_S};
use crate::auth::{issue_token, write_permissions};
use crate::failure::store_failure;
use crate::layer::dashed;

/// Gives a token for a client's credentials.
pub(super) async fn create(app: &App, body: CreateTokenRequest) -> Result<TokenResponse, Rejection> {
    let issued = issue_token(app, &body.client_id, &body.client_secret).await;
    let issued = issued.map_err(|error| store_failure(&error))?.ok_or_else(|| {
        Rejection::new(Category::Authentication, "the client id or the client secret is not valid")
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
