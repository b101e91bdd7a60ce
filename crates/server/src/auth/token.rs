//! Tokens: 32 random hexadecimal characters, of which only a digest is stored.

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ports::{Client, StoreError};
use sha2::{Digest, Sha256};

use super::secret::verify_secret;
use crate::app::{App, TOKEN_LIFE_S};

/// Random bytes in a token; written in hexadecimal they are 32 characters, as documented.
const TOKEN_BYTES: usize = 16;

/// A hash that no secret has. Unknown clients are checked against it, so that they take as long as known ones.
const NOBODY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A token as it is given to the client, the only time it is seen.
#[derive(Clone)]
pub(crate) struct IssuedToken {
    /// The token.
    pub(crate) token: String,
    /// The client it was given to.
    pub(crate) client: Client,
}

/// The digest under which a token is stored.
pub(crate) fn token_digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Gives a token to a client with the right secret; `None` when client or secret is wrong, without saying which.
pub(crate) async fn issue_token(
    app: &App,
    id: &str,
    secret: &str,
) -> Result<Option<IssuedToken>, StoreError> {
    let found = app.ports.access.find_client(id).await?.filter(|client| client.is_active);
    let secret = secret.to_owned();
    let hash = found.as_ref().map_or_else(|| NOBODY_HASH.to_owned(), |client| client.secret_hash.clone());
    // Hashing takes tens of milliseconds of work by design, which would hold up other requests here.
    let fits = tokio::task::spawn_blocking(move || verify_secret(&secret, &hash)).await.unwrap_or(false);
    let Some(client) = found.filter(|_| fits) else { return Ok(None) };
    let mut bytes = [0_u8; TOKEN_BYTES];
    app.ports.entropy.fill(&mut bytes);
    let token = format!("{:032x}", u128::from_be_bytes(bytes));
    // The secret may have been replaced while it was being checked; then it has bought nothing.
    let is_stored = app.ports.access.put_token(token_digest(&token), &client, expiry(app.real_now())).await?;
    Ok(is_stored.then_some(IssuedToken { token, client }))
}

/// When a token given now ends.
fn expiry(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(TOKEN_LIFE_S)).unwrap_or(Timestamp::MAX)
}
