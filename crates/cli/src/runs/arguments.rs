//! The arguments of `runs`.

use clap::{Args, Subcommand, ValueEnum};
use payment_runs_types::ops;

use super::body::{BodyArguments, ClearedField};
use crate::remote::ConnectionArguments;

/// The arguments of `runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArguments {
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: RunsCommand,
}

/// What can be done with payment runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Creates a payment run, which starts at once unless it has a run date.
    Create(CreateArguments),
    /// Lists payment runs, the highest number first.
    List(ListArguments),
    /// Shows a payment run.
    Get {
        /// Its id or number.
        run: String,
    },
    /// Changes a pending payment run; what is not given stays.
    Update(UpdateArguments),
    /// Deletes a payment run that was canceled or could not go on.
    Delete {
        /// Its id or number.
        run: String,
    },
    /// Shows the counts and totals of a payment run.
    Summary {
        /// Its id or number.
        run: String,
    },
    /// Shows what became of the records that a payment run was given.
    Data {
        /// Its id or number.
        run: String,
    },
    /// Follows a payment run until it has ended.
    Watch {
        /// Its id or number.
        run: String,
    },
    /// Shows what a payment run would do; nothing is written.
    Preview(PreviewArguments),
    /// Lists what a payment run decided about each document, and why.
    Decisions(DecisionsArguments),
    /// Gives up a payment run that has not started.
    Cancel {
        /// Its id or number.
        run: String,
    },
    /// Stops a payment run at work: what was sent ends and is recorded, the rest is left.
    Stop {
        /// Its id or number.
        run: String,
    },
}

/// The arguments of `runs create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) body: BodyArguments,
    /// Follows the payment run until it has ended, and fails unless it completed.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// The arguments of `runs list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only payment runs in this status.
    #[arg(long, value_enum, value_name = "STATUS", ignore_case = true)]
    pub(crate) status: Option<StatusArgument>,
    /// Only payment runs with this target date.
    #[arg(long, value_name = "DATE")]
    pub(crate) target_date: Option<jiff::civil::Date>,
    /// How many to list at most.
    #[arg(long, value_name = "COUNT", default_value_t = LIST_DEFAULT)]
    pub(crate) limit: usize,
}

/// As many as fit on a screen or two.
pub(crate) const LIST_DEFAULT: usize = 40;

/// Where a payment run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusArgument {
    /// It waits.
    Pending,
    /// It is at work.
    Processing,
    /// It has ended.
    Completed,
    /// It could not go on.
    Error,
    /// It was given up or stopped.
    Canceled,
}

impl From<StatusArgument> for payment_runs_types::v1::PaymentRunStatus {
    fn from(argument: StatusArgument) -> Self {
        match argument {
            StatusArgument::Pending => Self::Pending,
            StatusArgument::Processing => Self::Processing,
            StatusArgument::Completed => Self::Completed,
            StatusArgument::Error => Self::Error,
            StatusArgument::Canceled => Self::Canceled,
        }
    }
}

/// The arguments of `runs update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// Its id or number.
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) body: BodyArguments,
    /// Fields to be emptied; several are separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FIELD")]
    pub(crate) clear: Vec<ClearedField>,
}

/// The arguments of `runs preview`.
#[derive(Debug, Args)]
pub(crate) struct PreviewArguments {
    #[command(flatten)]
    pub(crate) body: BodyArguments,
    /// How many decisions to show at most.
    #[arg(long, value_name = "COUNT", default_value_t = LIST_DEFAULT)]
    pub(crate) limit: usize,
}

/// The arguments of `runs decisions`.
#[derive(Debug, Args)]
pub(crate) struct DecisionsArguments {
    /// Its id or number.
    pub(crate) run: String,
    /// Only documents that were collected, or only those that were skipped.
    #[arg(long, value_parser = outcome, value_name = "OUTCOME")]
    pub(crate) outcome: Option<ops::DecisionOutcome>,
    /// Only documents skipped for this reason, such as `retry_rule`.
    #[arg(long, value_parser = reason, value_name = "REASON")]
    pub(crate) reason: Option<ops::SkipReason>,
    /// How many to list at most.
    #[arg(long, value_name = "COUNT", default_value_t = LIST_DEFAULT)]
    pub(crate) limit: usize,
}

fn outcome(text: &str) -> Result<ops::DecisionOutcome, String> {
    match ops::DecisionOutcome::from(text) {
        ops::DecisionOutcome::Unknown(_) => Err("it is `collected` or `skipped`".to_owned()),
        known => Ok(known),
    }
}

fn reason(text: &str) -> Result<ops::SkipReason, String> {
    match ops::SkipReason::from(text) {
        ops::SkipReason::Unknown(_) => Err("it is no reason that is known, such as `retry_rule`".to_owned()),
        known => Ok(known),
    }
}
