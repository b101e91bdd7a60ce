//! What the commands that call a running server share: how it is reached, and how its answers are shown.

mod show;

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt as _, Stream, StreamExt as _, TryStreamExt as _};
use payment_runs_client::{Connection, ConnectionBuilder, Error};

pub(crate) use show::{NOTHING, Shown, maybe, yes_or_no};

/// How a running server is reached, and how its answers are wanted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArguments {
    /// The server's base address.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "PAYMENT_RUNS_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) url: String,
    /// The client that calls; it needs the permission for what it asks.
    #[arg(long, global = true, value_name = "ID", env = "PAYMENT_RUNS_CLIENT_ID", hide_env_values = true)]
    pub(crate) client_id: Option<String>,
    /// That client's secret. Prefer the environment, since other users of the machine can see arguments.
    #[arg(
        long,
        global = true,
        value_name = "SECRET",
        env = "PAYMENT_RUNS_CLIENT_SECRET",
        hide_env_values = true
    )]
    pub(crate) client_secret: Option<String>,
    /// The entity to act in; needed only by clients with several.
    #[arg(long, global = true, value_name = "ENTITY")]
    pub(crate) in_entity: Option<String>,
    /// Answers in JSON on standard output, as the server gave it.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl ConnectionArguments {
    /// Prepares the calls; nothing is sent yet.
    pub(crate) fn connect(&self) -> anyhow::Result<Connection> {
        self.builder()?.build().context("the client could not be set up")
    }

    /// The same, for calls that need settings of their own.
    pub(crate) fn builder(&self) -> anyhow::Result<ConnectionBuilder> {
        let (Some(id), Some(secret)) = (&self.client_id, &self.client_secret) else {
            bail!("credentials are needed: --client-id and --client-secret, or the environment");
        };
        let mut builder = Connection::builder(&self.url).credentials(id, secret);
        if let Some(entity) = &self.in_entity {
            builder = builder.header("zuora-entity-ids", entity);
        }
        Ok(builder)
    }
}

/// The first records of a list. It is boxed, since the calls behind a list are large.
pub(crate) fn take<'a, T: 'a>(
    list: impl Stream<Item = Result<T, Error>> + 'a,
    limit: usize,
) -> LocalBoxFuture<'a, Result<Vec<T>, Error>> {
    list.take(limit).try_collect().boxed_local()
}
