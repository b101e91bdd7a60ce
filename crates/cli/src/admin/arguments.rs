//! The arguments of `admin`.

use clap::{Args, Subcommand, ValueEnum};
use payment_runs_types::ops;

use crate::remote::ConnectionArguments;

/// The arguments of `admin`.
#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    /// What to administer.
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

/// What can be administered.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Who may call, and what they may do.
    #[command(subcommand)]
    Clients(ClientsCommand),
    /// Parts of the data that share nothing.
    #[command(subcommand)]
    Entities(EntitiesCommand),
    /// Parts of an entity, to which accounts belong.
    #[command(subcommand)]
    Organizations(OrganizationsCommand),
    /// What the entity has configured.
    #[command(subcommand)]
    Settings(SettingsCommand),
}

/// What can be done with clients.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientsCommand {
    /// Lists the clients of the entity.
    List,
    /// Makes a client and shows its secret this once.
    Create(CreateClientArguments),
    /// Changes what a client may do; what is not given stays.
    Update(UpdateClientArguments),
    /// Gives a client a new secret, shows it this once, and ends the tokens had with the old one.
    Rotate {
        /// The client.
        client: String,
    },
    /// Switches a client off and ends its tokens; `update --active true` switches it on again.
    Deactivate {
        /// The client.
        client: String,
    },
}

/// The arguments of `admin clients create`.
#[derive(Debug, Args)]
pub(crate) struct CreateClientArguments {
    /// The new client's id; a random one when not given.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) reach: ReachArguments,
}

/// The arguments of `admin clients update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateClientArguments {
    /// The client.
    pub(crate) client: String,
    #[command(flatten)]
    pub(crate) reach: ReachArguments,
    /// Takes all permissions away.
    #[arg(long, conflicts_with = "permissions")]
    pub(crate) no_permissions: bool,
    /// Whether the client may ask for tokens and use them.
    #[arg(long, value_name = "BOOL")]
    pub(crate) active: Option<bool>,
}

/// What a client may do, and where.
#[derive(Debug, Args)]
pub(crate) struct ReachArguments {
    /// What it may do; several are separated by commas. A new client may read when none is given.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PERMISSION")]
    pub(crate) permissions: Vec<PermissionArgument>,
    /// The ids of the entities it may act in; several are separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ENTITY")]
    pub(crate) entities: Vec<String>,
    /// The ids of the organizations it may act in; several are separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ORGANIZATION", conflicts_with = "all_organizations")]
    pub(crate) organizations: Vec<String>,
    /// It may act in all organizations.
    #[arg(long)]
    pub(crate) all_organizations: bool,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PermissionArgument {
    /// See everything but tokens of payment methods and what is administered.
    Read,
    /// Create and change accounts, payment methods, documents, credits and external payments; import.
    WriteBillingObjects,
    /// Create, change, stop and delete payment runs and their schedules.
    ManagePaymentRuns,
    /// Charge payment methods.
    ProcessElectronicPayment,
    /// Administer.
    Administer,
}

impl From<PermissionArgument> for ops::Permission {
    fn from(argument: PermissionArgument) -> Self {
        match argument {
            PermissionArgument::Read => Self::Read,
            PermissionArgument::WriteBillingObjects => Self::WriteBillingObjects,
            PermissionArgument::ManagePaymentRuns => Self::ManagePaymentRuns,
            PermissionArgument::ProcessElectronicPayment => Self::ProcessElectronicPayment,
            PermissionArgument::Administer => Self::Administer,
        }
    }
}

/// What can be done with entities.
#[derive(Debug, Subcommand)]
pub(crate) enum EntitiesCommand {
    /// Lists the entities that the calling client may act in.
    List,
    /// Makes an entity. The calling client may act in it, and has to name an entity with every call from then on.
    Create {
        /// The name.
        name: String,
    },
}

/// What can be done with organizations.
#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationsCommand {
    /// Lists the organizations of the entity.
    List,
    /// Makes an organization.
    Create {
        /// The name.
        name: String,
    },
    /// Gives an organization another name.
    Rename {
        /// The organization's id.
        organization: String,
        /// The new name.
        name: String,
    },
}

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Shows the settings of the entity.
    Get,
    /// Changes settings of the entity; what is not given stays.
    Set(SetArguments),
}

/// The arguments of `admin settings set`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct SetArguments {
    /// The IANA name of the time zone of times without an offset, such as Europe/Paris.
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// Charge a payment method no more after so many failures in a row; `none` for no such rule.
    #[arg(long, value_name = "COUNT", value_parser = limit)]
    pub(crate) max_consecutive_failures: Option<Limit>,
    /// Charge a payment method not within so many hours of its last failure; `none` for no such rule.
    #[arg(long, value_name = "HOURS", value_parser = limit)]
    pub(crate) retry_window_hours: Option<Limit>,
    /// Whether credit memos and unapplied payments exist, instead of credit balance.
    #[arg(long, value_name = "BOOL")]
    pub(crate) invoice_settlement: Option<bool>,
    /// The currencies in which something new may be made, such as EUR,USD; `all` for every one.
    #[arg(long, value_name = "CODES", value_parser = currencies)]
    pub(crate) currencies: Option<Currencies>,
}

/// Codes of currencies, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Currencies(pub(crate) Option<Vec<String>>);

fn currencies(text: &str) -> Result<Currencies, String> {
    if text == "all" {
        return Ok(Currencies(None));
    }
    let codes: Vec<String> = text.split(',').map(|code| code.trim().to_uppercase()).collect();
    if codes.iter().any(|code| code.len() != 3) {
        return Err("currencies are codes of three letters with commas between them, or `all`".to_owned());
    }
    Ok(Currencies(Some(codes)))
}

/// A limit of the retry rule, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<i32>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let number = text.parse::<i32>().ok().filter(|number| *number > 0);
    number
        .map(|number| Limit(Some(number)))
        .ok_or_else(|| "a limit is a whole number from 1, or `none`".to_owned())
}
