//! Tokens: 32 random hexadecimal characters, of which only a digest is stored.

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ports::{Client, StoreError};
use sha2::{Digest, Sha256};

use super::guesses::TokenAttempt;
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

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoToken {
    /// Client or secret is wrong; it is not said which.
    #[error("the client id or the client secret is not valid")]
    Wrong,
    /// A quota is used up for so many seconds.
    #[error("too many requests")]
    OverLimit(u64),
    /// The store could not be asked.
    #[error("the client could not be read")]
    Store(#[from] StoreError),
}

/// Gives a token to a client with the right secret.
pub(crate) async fn issue_token(
    app: &App,
    attempt: TokenAttempt,
    id: &str,
    secret: &str,
) -> Result<IssuedToken, NoToken> {
    let found = app.ports.access.find_client(id).await?.filter(|client| client.is_active);
    let key = &app.settings.cursor_key;
    if !found.as_ref().is_some_and(|client| app.guesses.is_known(key, client, secret)) {
        check(app, attempt, found.as_ref(), secret).await?;
    }
    let client = found.ok_or(NoToken::Wrong)?;
    app.guesses.learn(key, &client, secret);
    let counted = attempt.wait_s.is_none();
    let given = app.limiter.token_given(attempt.address, counted, &client.id, app.now());
    given.map_err(NoToken::OverLimit)?;
    let mut bytes = [0_u8; TOKEN_BYTES];
    app.ports.entropy.fill(&mut bytes);
    let token = format!("{:032x}", u128::from_be_bytes(bytes));
    // The secret may have been replaced while it was being checked; then it has bought nothing.
    let is_stored = app.ports.access.put_token(token_digest(&token), &client, expiry(app.real_now())).await?;
    if is_stored { Ok(IssuedToken { token, client }) } else { Err(NoToken::Wrong) }
}

/// Checks a secret that is not known yet. Beyond the quota that takes its time, and a wrong one is told to wait.
async fn check(
    app: &App,
    attempt: TokenAttempt,
    found: Option<&Client>,
    secret: &str,
) -> Result<(), NoToken> {
    let wrong = attempt.wait_s.map_or(NoToken::Wrong, NoToken::OverLimit);
    let _turn = match attempt.wait_s {
        None => None,
        Some(wait_s) => Some(app.guesses.turn(attempt.address).await.ok_or(NoToken::OverLimit(wait_s))?),
    };
    let secret = secret.to_owned();
    let hash = found.map_or_else(|| NOBODY_HASH.to_owned(), |client| client.secret_hash.clone());
    // Hashing takes tens of milliseconds of work by design, which would hold up other requests here.
    let fits = tokio::task::spawn_blocking(move || verify_secret(&secret, &hash)).await.unwrap_or(false);
    if fits && found.is_some() { Ok(()) } else { Err(wrong) }
}

/// When a token given now ends.
fn expiry(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(TOKEN_LIFE_S)).unwrap_or(Timestamp::MAX)
}
