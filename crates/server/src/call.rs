//! One call of an operation: who calls, and how commands are carried out for them.

use std::sync::Arc;

use http::StatusCode;
use payment_runs_engine::account::{GatewayConfig, Scope};
use payment_runs_engine::command::{Command, Request};
use payment_runs_engine::ports::{Executed, Once, Output, Permission, Replay};
use payment_runs_engine::settings::Settings;
use payment_runs_stubs::{Category, Rejection, RequestContext};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::auth::Caller;
use crate::failure::{ledger_failure, store_failure};
use crate::layer::{OnceTicket, known_replay, number_of, stored_success};
use crate::refused::Wording;

/// One call.
pub(crate) struct Call<'a> {
    /// The server.
    pub(crate) app: &'a App,
    /// The request beside its documented parts.
    pub(crate) context: &'a RequestContext,
    /// Who calls.
    pub(crate) caller: &'a Caller,
}

impl<'a> Call<'a> {
    /// A call of an operation that is not public; the layer before it has found out who calls.
    pub(crate) fn new(app: &'a App, context: &'a RequestContext) -> Result<Self, Rejection> {
        let caller = context.get::<Caller>();
        let caller =
            caller.ok_or_else(|| Rejection::new(Category::Authentication, "Authentication error"))?;
        Ok(Self { app, context, caller })
    }

    /// What the caller may see and change.
    pub(crate) fn scope(&self) -> &Scope {
        &self.caller.scope
    }

    /// Refuses callers without the permission.
    pub(crate) fn require(&self, permission: Permission, what: &str) -> Result<(), Rejection> {
        if self.caller.may(permission) {
            return Ok(());
        }
        Err(Rejection::new(Category::Permission, format!("this client may not {what}")))
    }

    /// What the entity has configured.
    pub(crate) async fn settings(&self) -> Result<Settings, Rejection> {
        let settings = self.app.ports.access.settings(self.scope().entity).await;
        settings.map_err(|error| store_failure(&error))
    }

    /// The entity's gateways.
    pub(crate) async fn gateways(&self) -> Result<Vec<GatewayConfig>, Rejection> {
        let gateways = self.app.ports.access.gateways(self.scope().entity).await;
        gateways.map_err(|error| store_failure(&error))
    }

    /// The ticket of the request's idempotency key, if it has one.
    pub(crate) fn ticket(&self) -> Option<&OnceTicket> {
        self.context.get::<OnceTicket>()
    }

    /// Carries a command out and gives its output, for requests that carry no idempotency key.
    pub(crate) async fn run(&self, command: Command, wording: &Wording) -> Result<Output, Rejection> {
        match self.send(command, None, wording).await? {
            Executed::Fresh(output) => Ok(output),
            Executed::Replayed(_) | Executed::InFlight | Executed::Mismatch => Err(unexpected_output()),
        }
    }

    /// Carries a command out. `answer` writes its output as the operation's body with status 200; it is stored with the
    /// effect when the request has an idempotency key.
    pub(crate) async fn execute<T>(
        &self,
        command: Command,
        wording: &Wording,
        answer: impl Fn(&Output) -> Option<T> + Clone + Send + 'static,
    ) -> Result<T, Rejection>
    where
        T: Serialize + DeserializeOwned,
    {
        self.execute_as(StatusCode::OK, command, wording, answer).await
    }

    /// Like [`Call::execute`], with another status of success.
    pub(crate) async fn execute_as<T>(
        &self,
        status: StatusCode,
        command: Command,
        wording: &Wording,
        answer: impl Fn(&Output) -> Option<T> + Clone + Send + 'static,
    ) -> Result<T, Rejection>
    where
        T: Serialize + DeserializeOwned,
    {
        match self.execute_with(status, command, wording, answer.clone()).await? {
            Done::Now(output) => answer(&output).ok_or_else(unexpected_output),
            Done::Before(body) => Ok(body),
        }
    }

    /// Like [`Call::execute`], for operations that go on after their command.
    pub(crate) async fn execute_raw<T>(
        &self,
        command: Command,
        wording: &Wording,
        answer: impl Fn(&Output) -> Option<T> + Send + 'static,
    ) -> Result<Done<T>, Rejection>
    where
        T: Serialize + DeserializeOwned,
    {
        self.execute_with(StatusCode::OK, command, wording, answer).await
    }

    async fn execute_with<T>(
        &self,
        status: StatusCode,
        command: Command,
        wording: &Wording,
        answer: impl Fn(&Output) -> Option<T> + Send + 'static,
    ) -> Result<Done<T>, Rejection>
    where
        T: Serialize + DeserializeOwned,
    {
        let once = self.ticket().map(|ticket| {
            ticket.once(move |output| match answer(output) {
                Some(body) => (status, Some(body)),
                None => (StatusCode::INTERNAL_SERVER_ERROR, None),
            })
        });
        match self.send(command, once, wording).await? {
            Executed::Fresh(output) => Ok(Done::Now(output)),
            Executed::Replayed(stored) => stored_success(&stored).map(Done::Before),
            Executed::InFlight => Err(refusal_of(Replay::InFlight)),
            Executed::Mismatch => Err(refusal_of(Replay::Mismatch)),
        }
    }

    /// What stands for this request in the key of its charge: the same when the caller repeats it under its idempotency key,
    /// else a fresh identifier.
    pub(crate) fn charge_request(&self) -> u128 {
        match self.ticket().map(OnceTicket::key) {
            Some(key) => number_of(&[b"charge", key.client.as_bytes(), key.key.as_bytes()]),
            None => self.app.ports.ids.next_id(),
        }
    }

    async fn send(
        &self,
        command: Command,
        once: Option<Once>,
        wording: &Wording,
    ) -> Result<Executed, Rejection> {
        let scope = self.scope().clone();
        let request = Request { scope, user: self.caller.user, now: self.app.now(), command };
        let is_bound = once.is_some();
        let ports = &self.app.ports;
        let done =
            ports.ledger.execute(request, once, Arc::clone(&ports.encoder), Arc::clone(&ports.ids)).await;
        done.map_err(|error| {
            // The transaction was rolled back, and the stored answer with it: the refusal is what is to be remembered.
            if let Some(ticket) = self.ticket().filter(|_| is_bound) {
                ticket.mark_not_stored();
            }
            ledger_failure(&error, wording)
        })
    }
}

/// What came of a command.
#[expect(clippy::large_enum_variant, reason = "it is made once and moved once")]
pub(crate) enum Done<T> {
    /// It was carried out now.
    Now(Output),
    /// The same request was answered before, like this.
    Before(T),
}

/// The store answered with another kind of object than the command makes.
pub(crate) fn unexpected_output() -> Rejection {
    tracing::error!("the store answered a command with another kind of object");
    Rejection::new(Category::Internal, "the request failed")
}

fn refusal_of(replay: Replay) -> Rejection {
    known_replay(replay).err().unwrap_or_else(unexpected_output)
}
