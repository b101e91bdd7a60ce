//! `payment-runs payments`: payments as operators see them, and what to do when nobody knows what came of one.

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use payment_runs_client::{Connection, Error};
use payment_runs_types::ops::{Payment, PaymentState, Resolution, ResolvePaymentRequest};

use crate::remote::{ConnectionArguments, Shown, maybe, take};

/// The arguments of `payments`.
#[derive(Debug, Args)]
pub(crate) struct PaymentsArguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    /// What to do.
    #[command(subcommand)]
    command: PaymentsCommand,
}

/// What can be done with payments.
#[derive(Debug, Subcommand)]
enum PaymentsCommand {
    /// Lists payments, newest first, or those of one payment run in the order in which it made them.
    List(ListArguments),
    /// Shows a payment.
    Get {
        /// Its id or number.
        payment: String,
    },
    /// Settles a payment whose outcome nobody could tell, with what a person has found out.
    Resolve(ResolveArguments),
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Only payments in this state.
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<StateArgument>,
    /// Only payments of this payment run, by id or number.
    #[arg(long, value_name = "RUN", conflicts_with = "account")]
    run: Option<String>,
    /// Only payments of this account, by id or number.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// How many to list at most.
    #[arg(long, value_name = "COUNT", default_value_t = 40)]
    limit: usize,
}

#[derive(Debug, Args)]
struct ResolveArguments {
    /// Its id or number.
    payment: String,
    /// Whether the money was collected.
    #[arg(long, value_enum)]
    outcome: OutcomeArgument,
    /// How that is known; it stays in the audit record.
    #[arg(long)]
    comment: String,
    /// The gateway's name for the charge.
    #[arg(long, value_name = "REFERENCE")]
    gateway_reference: Option<String>,
    /// The gateway's code of the refusal.
    #[arg(long, value_name = "CODE")]
    gateway_code: Option<String>,
    /// The gateway's words.
    #[arg(long, value_name = "MESSAGE")]
    gateway_message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateArgument {
    /// Written down and being sent.
    Intent,
    /// The gateway will tell later.
    Pending,
    /// Nobody could tell yet.
    Unknown,
    /// The money was collected.
    Processed,
    /// No money moved.
    Declined,
    /// Given up before it was sent.
    Canceled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutcomeArgument {
    /// The money was collected.
    Processed,
    /// No money moved.
    Declined,
}

impl From<StateArgument> for PaymentState {
    fn from(argument: StateArgument) -> Self {
        let name = argument.to_possible_value().map(|value| value.get_name().to_owned());
        Self::from(name.as_deref().unwrap_or_default())
    }
}

/// Does what was asked, and shows the answer.
pub(crate) async fn run(arguments: PaymentsArguments) -> anyhow::Result<()> {
    let connection = arguments.connection.connect()?;
    let shown = match arguments.command {
        PaymentsCommand::List(list) => self::list(&connection, list).await?,
        PaymentsCommand::Get { payment } => {
            let answer = connection.ops().get_payment().key(payment).send().await;
            Shown::fields(
                &answer.map_err(Error::from).context("the payment could not be read")?.into_inner(),
            )?
        }
        PaymentsCommand::Resolve(resolve) => self::resolve(&connection, resolve).await?,
    };
    shown.print(arguments.connection.json);
    Ok(())
}

async fn list(connection: &Connection, arguments: ListArguments) -> anyhow::Result<Shown> {
    let state = arguments.state.map(PaymentState::from);
    let taken = if let Some(run) = arguments.run {
        let mut call = connection.ops().list_payment_run_payments().key(run);
        if let Some(state) = state {
            call = call.state(state);
        }
        take(call.stream(), arguments.limit).await
    } else {
        let mut call = connection.ops().list_payments();
        if let Some(state) = state {
            call = call.state(state);
        }
        if let Some(account) = arguments.account {
            call = call.account(account);
        }
        take(call.stream(), arguments.limit).await
    };
    payments(&taken.context("the payments could not be listed")?)
}

async fn resolve(connection: &Connection, arguments: ResolveArguments) -> anyhow::Result<Shown> {
    let request = ResolvePaymentRequest {
        outcome: match arguments.outcome {
            OutcomeArgument::Processed => Resolution::Processed,
            OutcomeArgument::Declined => Resolution::Declined,
        },
        comment: arguments.comment,
        gateway_reference: arguments.gateway_reference,
        gateway_code: arguments.gateway_code,
        gateway_message: arguments.gateway_message,
    };
    let answer = connection.ops().resolve_payment().key(arguments.payment).body(request).send().await;
    Shown::fields(&answer.map_err(Error::from).context("the payment could not be settled")?.into_inner())
}

fn payments(payments: &[Payment]) -> anyhow::Result<Shown> {
    let row = |payment: &Payment| {
        vec![
            payment.number.clone(),
            payment.state.to_string(),
            payment.amount.to_string(),
            payment.currency.clone(),
            payment.account_id.clone(),
            maybe(payment.payment_run_id.clone()),
            maybe(payment.gateway_reference.clone()),
            maybe(payment.gateway_code.clone()),
        ]
    };
    let head = ["NUMBER", "STATE", "AMOUNT", "CURRENCY", "ACCOUNT", "RUN", "REFERENCE", "CODE"];
    Shown::new(&payments, &head, payments.iter().map(row).collect())
}
