//! Whether a call that goes on for long would still be let in.

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::account::Scope;
use payment_runs_engine::ports::Client;
use payment_runs_stubs::{Category, OperationInfo, Rejection};

use super::scopes_of;
use crate::app::App;
use crate::call::Call;
use crate::failure::store_failure;

/// How long an answer of the store counts: what is taken from a client ends its streams about so soon, and a stream that is
/// looked at often asks no more often than this.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// The client of a call that goes on, as it was when the call began. That its token ends by itself does not matter: the call
/// was begun in time.
pub(crate) struct Standing {
    app: App,
    client: Client,
    scope: Scope,
    operation: &'static OperationInfo,
    asked_at: Timestamp,
}

impl Standing {
    /// The standing of a call that was just let in.
    pub(crate) async fn of(call: &Call<'_>, operation: &'static OperationInfo) -> Result<Self, Rejection> {
        let found = call.app.ports.access.find_client(&call.caller.client).await;
        let client = found.map_err(|error| store_failure(&error))?.ok_or_else(ended)?;
        let (app, scope) = (call.app.clone(), call.scope().clone());
        let asked_at = app.now();
        Ok(Self { app, client, scope, operation, asked_at })
    }

    /// Refuses to go on when the client was switched off or got another secret, or the permission or a part of the reach was
    /// taken from it. A store that fails is an end, too: nobody knows.
    pub(crate) async fn check(&mut self) -> Result<(), Rejection> {
        let now = self.app.now();
        // A clock that was set back must not silence the question.
        if now.duration_since(self.asked_at).abs() < ASK_AGAIN_AFTER {
            return Ok(());
        }
        let found = self.app.ports.access.find_client(&self.client.id).await;
        let client = found.map_err(|error| store_failure(&error))?.ok_or_else(ended)?;
        if !client.keeps_tokens_of(&self.client) || !client.reaches(&self.scope) {
            return Err(ended());
        }
        self.operation.check_scopes(Some(&scopes_of(&client.permissions)))?;
        self.asked_at = now;
        Ok(())
    }
}

fn ended() -> Rejection {
    Rejection::new(Category::Authentication, "the client may not go on with this")
}
