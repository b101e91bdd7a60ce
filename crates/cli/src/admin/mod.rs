//! `payment-runs admin`: clients, entities, organizations and settings of a running server.

mod arguments;
mod show;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use payment_runs_client::{Error, ops as api};
use payment_runs_types::ops::{
    CreateClientRequest, CreateEntityRequest, CreateOrganizationRequest, Permission, Settings,
    UpdateClientRequest, UpdateOrganizationRequest,
};

use crate::remote::Shown;
pub(crate) use arguments::AdminArguments;
use arguments::{
    AdminCommand, ClientsCommand, CreateClientArguments, EntitiesCommand, OrganizationsCommand,
    ReachArguments, SetArguments, SettingsCommand, UpdateClientArguments,
};

/// What is said of an entity that was just made.
const ENTITY_NOTE: &str =
    "The calling client may act in it. It now names an entity with every call: here with --in-entity.";

/// Does what was asked, and shows the answer.
pub(crate) async fn run(arguments: AdminArguments) -> anyhow::Result<()> {
    let connection = arguments.connection.connect()?;
    let ops = connection.ops();
    let shown = match arguments.command {
        AdminCommand::Clients(command) => clients(ops, command).await?,
        AdminCommand::Entities(command) => entities(ops, command).await?,
        AdminCommand::Organizations(command) => organizations(ops, command).await?,
        AdminCommand::Settings(command) => settings(ops, command).await?,
    };
    shown.print(arguments.connection.json);
    Ok(())
}

async fn clients(ops: &api::Client, command: ClientsCommand) -> anyhow::Result<Shown> {
    match command {
        ClientsCommand::List => {
            let clients: Vec<_> =
                ops.list_clients().stream().try_collect().await.context("the clients could not be listed")?;
            show::clients(&clients)
        }
        ClientsCommand::Create(arguments) => {
            let answer = ops.create_client().body(creation(arguments)).send().await;
            let made = answer.map_err(Error::from).context("the client could not be made")?;
            show::issued(&made)
        }
        ClientsCommand::Update(arguments) => {
            let id = arguments.client.clone();
            let answer = ops.update_client().client_id(id).body(change(arguments)).send().await;
            let changed = answer.map_err(Error::from).context("the client could not be changed")?;
            show::client(&changed)
        }
        ClientsCommand::Rotate { client } => {
            let answer = ops.rotate_client().client_id(client).send().await;
            let rotated = answer.map_err(Error::from).context("the secret could not be replaced")?;
            show::issued(&rotated)
        }
        ClientsCommand::Deactivate { client } => {
            let answer = ops.delete_client().client_id(client).send().await;
            let changed = answer.map_err(Error::from).context("the client could not be deactivated")?;
            show::client(&changed)
        }
    }
}

fn creation(arguments: CreateClientArguments) -> CreateClientRequest {
    let reach = arguments.reach;
    CreateClientRequest {
        client_id: arguments.id,
        permissions: some(permissions(&reach)),
        organizations: organization_ids(&reach),
        entities: some(reach.entities),
    }
}

fn change(arguments: UpdateClientArguments) -> UpdateClientRequest {
    let reach = arguments.reach;
    let permissions = permissions(&reach);
    UpdateClientRequest {
        permissions: if arguments.no_permissions { Some(permissions) } else { some(permissions) },
        organizations: organization_ids(&reach),
        entities: some(reach.entities),
        active: arguments.active,
    }
}

fn permissions(reach: &ReachArguments) -> Vec<Permission> {
    reach.permissions.iter().map(|permission| Permission::from(*permission)).collect()
}

/// The organizations as the contract writes them: left out, null for all, or a list.
#[expect(clippy::option_option, reason = "left out and null differ in the contract")]
fn organization_ids(reach: &ReachArguments) -> Option<Option<Vec<String>>> {
    if reach.all_organizations { Some(None) } else { some(reach.organizations.clone()).map(Some) }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

async fn entities(ops: &api::Client, command: EntitiesCommand) -> anyhow::Result<Shown> {
    match command {
        EntitiesCommand::List => {
            let answer = ops.list_entities().send().await;
            let list = answer.map_err(Error::from).context("the entities could not be listed")?.into_inner();
            show::entities(&list.data, &list.data)
        }
        EntitiesCommand::Create { name } => {
            let answer = ops.create_entity().body(CreateEntityRequest { name }).send().await;
            let made = answer.map_err(Error::from).context("the entity could not be made")?.into_inner();
            Ok(show::entities(&made, std::slice::from_ref(&made))?.with_note(ENTITY_NOTE))
        }
    }
}

async fn organizations(ops: &api::Client, command: OrganizationsCommand) -> anyhow::Result<Shown> {
    match command {
        OrganizationsCommand::List => {
            let answer = ops.list_organizations().send().await;
            let list =
                answer.map_err(Error::from).context("the organizations could not be listed")?.into_inner();
            show::organizations(&list.data, &list.data)
        }
        OrganizationsCommand::Create { name } => {
            let answer = ops.create_organization().body(CreateOrganizationRequest { name }).send().await;
            let made =
                answer.map_err(Error::from).context("the organization could not be made")?.into_inner();
            show::organizations(&made, std::slice::from_ref(&made))
        }
        OrganizationsCommand::Rename { organization, name } => {
            let call = ops.update_organization().organization_id(organization);
            let answer = call.body(UpdateOrganizationRequest { name }).send().await;
            let one =
                answer.map_err(Error::from).context("the organization could not be renamed")?.into_inner();
            show::organizations(&one, std::slice::from_ref(&one))
        }
    }
}

async fn settings(ops: &api::Client, command: SettingsCommand) -> anyhow::Result<Shown> {
    let answer = ops.get_settings().send().await;
    let found = answer.map_err(Error::from).context("the settings could not be read")?.into_inner();
    match command {
        SettingsCommand::Get => show::settings(&found),
        SettingsCommand::Set(wanted) => {
            let answer = ops.update_settings().body(set(found, wanted)).send().await;
            let now = answer.map_err(Error::from).context("the settings could not be changed")?;
            show::settings(&now)
        }
    }
}

/// The settings with what is wanted otherwise.
fn set(mut settings: Settings, wanted: SetArguments) -> Settings {
    if let Some(time_zone) = wanted.time_zone {
        settings.time_zone = time_zone;
    }
    if let Some(limit) = wanted.max_consecutive_failures {
        settings.retry_rule.max_consecutive_failures = limit.0;
    }
    if let Some(limit) = wanted.retry_window_hours {
        settings.retry_rule.retry_window_hours = limit.0;
    }
    if let Some(invoice_settlement) = wanted.invoice_settlement {
        settings.invoice_settlement = invoice_settlement;
    }
    if let Some(currencies) = wanted.currencies {
        settings.currencies = currencies.0;
    }
    settings
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
