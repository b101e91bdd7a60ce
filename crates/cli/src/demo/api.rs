//! The demo's calls, made as any integrator makes them: through the generated client.

use std::collections::BTreeMap;
use std::pin::pin;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use jiff::civil::Date;
use payment_runs_client::{Connection, Error};
use payment_runs_node::Credentials;
use payment_runs_types::ops::{DecisionOutcome, RunStatus};
use payment_runs_types::v1::{CreatePaymentRunRequest, PaymentRunSummaryResponse};

/// A connection to the demo's server.
#[derive(Debug)]
pub(crate) struct Api {
    connection: Connection,
}

/// A run as the caller knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CreatedRun {
    /// Identifier.
    pub(crate) id: String,
    /// Number.
    pub(crate) number: String,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunProgress {
    /// Documents about which nothing more is to be done, as far as one can see.
    pub(crate) settled: u64,
    /// Whether the run has completed.
    pub(crate) has_completed: bool,
    /// The status of a run that ended otherwise.
    pub(crate) failed_as: Option<String>,
}

impl Api {
    /// Prepares the calls; nothing is sent yet.
    pub(crate) fn connect(url: &str, credentials: &Credentials) -> anyhow::Result<Self> {
        let Credentials { client_id, client_secret } = credentials;
        let connection = Connection::builder(url).credentials(client_id, client_secret).build();
        Ok(Self { connection: connection.context("the client could not be set up")? })
    }

    /// Creates a run over everything that is due by the target date, with all else as documented by default.
    pub(crate) async fn create_run(&self, target_date: Date) -> anyhow::Result<CreatedRun> {
        let request = CreatePaymentRunRequest {
            target_date: Some(target_date.into()),
            ..CreatePaymentRunRequest::default()
        };
        let answer = self.connection.v1().create_payment_run().body(request).send().await;
        let run = answer.map_err(Error::from).context("the payment run could not be created")?.into_inner();
        Ok(CreatedRun { id: run.id, number: run.number })
    }

    /// Asks how far the run is.
    pub(crate) async fn progress(&self, run: &str) -> anyhow::Result<RunProgress> {
        let answer = self.connection.ops().get_progress().key(run).send().await;
        let progress =
            answer.map_err(Error::from).context("the progress of the run could not be read")?.into_inner();
        let settled = progress.payments_processed + progress.payments_errors + progress.documents_skipped;
        let failed_as = match &progress.status {
            RunStatus::Pending | RunStatus::Processing | RunStatus::Completed => None,
            ended => Some(ended.to_string()),
        };
        Ok(RunProgress {
            settled: u64::try_from(settled).unwrap_or(0),
            has_completed: progress.status == RunStatus::Completed,
            failed_as,
        })
    }

    /// The run's summary.
    pub(crate) async fn summary(&self, run: &str) -> anyhow::Result<PaymentRunSummaryResponse> {
        let answer = self.connection.v1().get_payment_run_summary().payment_run_key(run).send().await;
        Ok(answer.map_err(Error::from).context("the summary of the run could not be read")?.into_inner())
    }

    /// How many documents the run skipped, by reason.
    pub(crate) async fn skip_reasons(&self, run: &str) -> anyhow::Result<BTreeMap<String, u64>> {
        let call = self.connection.ops().list_decisions().key(run).outcome(DecisionOutcome::Skipped);
        let mut decisions = pin!(call.stream());
        let mut reasons = BTreeMap::new();
        while let Some(decision) = decisions.try_next().await.context("the decisions could not be read")? {
            let reason = decision.reason.map_or_else(|| "unknown".to_owned(), |reason| reason.to_string());
            *reasons.entry(reason).or_default() += 1;
        }
        Ok(reasons)
    }
}
