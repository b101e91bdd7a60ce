//! Clients: who may call, and what they may do.

use std::sync::Arc;

use payment_runs_engine::ids::UserId;
use payment_runs_engine::ports::{Client, ClientChange, ClientQuery, Entropy, Permission};
use payment_runs_stubs::ops::list_clients::Query;
use payment_runs_stubs::{Category, Location, Rejection};
use payment_runs_types::ops::{self, ClientPage, CreateClientRequest, IssuedClient, UpdateClientRequest};

use super::{grant, stored, unknown};
use crate::auth::{hash_secret, write_permissions};
use crate::call::Call;
use crate::cursor;
use crate::layer::dashed;

/// Clients per page unless the caller says otherwise.
const SIZE_DEFAULT: u32 = 30;

/// Clients per page at most; the schema refuses more.
const SIZE_MAX: u32 = 99;

/// What a client may do unless its maker says otherwise: as little as is of any use.
const PERMISSIONS_DEFAULT: [ops::Permission; 1] = [ops::Permission::Read];

/// Random bytes in a secret; written in hexadecimal they are 40 characters, which the token endpoint takes.
const SECRET_BYTES: usize = 20;

/// One page of the clients that exist for the caller, by identifier.
pub(in crate::ops) async fn list(call: &Call<'_>, query: Query) -> Result<ClientPage, Rejection> {
    let entity = call.scope().entity;
    let entity_bytes = entity.0.to_be_bytes();
    let list: [&[u8]; 2] = [b"clients", &entity_bytes];
    let key = &call.app.settings.cursor_key;
    let position = query.cursor.as_deref().map(|text| {
        let bytes = cursor::read(key, &list, text);
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(foreign_cursor)
    });
    let size = query.page_size.and_then(|size| u32::try_from(size).ok()).unwrap_or(SIZE_DEFAULT);
    let size = size.clamp(1, SIZE_MAX);
    let asked = ClientQuery {
        entity,
        entities: grant::entity_keys(call),
        organizations: call.scope().organizations.clone(),
        after: position.transpose()?,
        limit: size + 1,
    };
    let mut clients = stored(call.app.ports.access.list_clients(asked).await)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let is_last = clients.len() <= size;
    clients.truncate(size);
    let end = clients.last().filter(|_| !is_last);
    let next_page = end.map(|client| cursor::sign(key, &list, client.id.as_bytes()));
    Ok(ClientPage { data: clients.into_iter().map(write).collect(), next_page })
}

pub(super) fn foreign_cursor() -> Rejection {
    let message = "was made for another list: start again without it";
    Rejection::at(Category::InvalidParameter, Location::Query, "cursor", message)
}

/// One client.
pub(in crate::ops) async fn get(call: &Call<'_>, id: &str) -> Result<ops::Client, Rejection> {
    find(call, id).await.map(write)
}

async fn find(call: &Call<'_>, id: &str) -> Result<Client, Rejection> {
    let found = stored(call.app.ports.access.find_client(id).await)?;
    found.filter(|client| grant::is_visible(call, client)).ok_or_else(|| no_client(id))
}

/// Makes a client and its secret.
pub(in crate::ops) async fn create(
    call: &Call<'_>,
    body: CreateClientRequest,
) -> Result<IssuedClient, Rejection> {
    refuse_key(call)?;
    let asked = body.permissions.as_deref().unwrap_or(&PERMISSIONS_DEFAULT);
    let permissions = grant::permissions(call, asked)?;
    let here =
        || call.caller.entities.iter().filter(|(key, _)| *key == call.scope().entity).copied().collect();
    let entities =
        body.entities.as_deref().map_or_else(|| Ok(here()), |asked| grant::entities(call, asked))?;
    let organizations = match &body.organizations {
        Some(asked) => grant::organizations(call, &entities, asked.as_deref()).await?,
        None => call.scope().organizations.clone(),
    };
    let entropy = call.app.ports.entropy.as_ref();
    let (secret, secret_hash) = new_secret(call).await?;
    let client = Client {
        id: body.client_id.unwrap_or_else(|| random_id(entropy)),
        secret_hash,
        user: UserId::from_u128(call.app.ports.ids.next_id()),
        entities,
        organizations,
        permissions,
        is_active: true,
    };
    if !stored(call.app.ports.access.create_client(client.clone()).await)? {
        let message = "is the identifier of another client";
        return Err(Rejection::at(Category::BusinessRule, Location::Body, "client_id", message));
    }
    Ok(IssuedClient { client: write(client), client_secret: secret })
}

/// Changes what a client may do.
pub(in crate::ops) async fn update(
    call: &Call<'_>,
    id: &str,
    body: UpdateClientRequest,
) -> Result<ops::Client, Rejection> {
    let client = find(call, id).await?;
    grant::check_power(call, &client)?;
    let permissions = body.permissions.map(|asked| grant::permissions(call, &asked)).transpose()?;
    let entities = body.entities.map(|asked| grant::entities(call, &asked)).transpose()?;
    let organizations = match &body.organizations {
        None => None,
        Some(asked) => {
            let entities = entities.as_ref().unwrap_or(&client.entities);
            Some(grant::organizations(call, entities, asked.as_deref()).await?)
        }
    };
    let change =
        ClientChange { secret_hash: None, entities, organizations, permissions, is_active: body.active };
    change_client(call, client, change).await
}

/// Switches a client off.
pub(in crate::ops) async fn deactivate(call: &Call<'_>, id: &str) -> Result<ops::Client, Rejection> {
    let client = find(call, id).await?;
    grant::check_power(call, &client)?;
    change_client(call, client, ClientChange { is_active: Some(false), ..ClientChange::default() }).await
}

/// Gives a client another secret, which ends its tokens.
pub(in crate::ops) async fn rotate(call: &Call<'_>, id: &str) -> Result<IssuedClient, Rejection> {
    refuse_key(call)?;
    let client = find(call, id).await?;
    grant::check_power(call, &client)?;
    let (client_secret, secret_hash) = new_secret(call).await?;
    let change = ClientChange { secret_hash: Some(secret_hash), ..ClientChange::default() };
    let client = change_client(call, client, change).await?;
    Ok(IssuedClient { client, client_secret })
}

async fn change_client(
    call: &Call<'_>,
    client: Client,
    change: ClientChange,
) -> Result<ops::Client, Rejection> {
    if client.id == call.caller.client {
        check_own(&change)?;
    }
    let changed = stored(call.app.ports.access.update_client(&client.id, change).await)?;
    changed.map(write).ok_or_else(|| no_client(&client.id))
}

/// A caller that locked itself out could not be let in again by anyone, if it is the last administrator.
fn check_own(change: &ClientChange) -> Result<(), Rejection> {
    let refuse = |field: &str, message: &str| {
        Err(Rejection::at(Category::BusinessRule, Location::Body, field, message))
    };
    if change.is_active == Some(false) {
        return refuse("active", "must not be taken from the caller itself");
    }
    match &change.permissions {
        Some(left) if !left.contains(&Permission::Administer) => {
            refuse("permissions", "must keep 'administer' for the caller itself")
        }
        _ => Ok(()),
    }
}

/// An answer with a secret is not kept, so that it cannot be given again to the same key.
pub(super) fn refuse_key(call: &Call<'_>) -> Result<(), Rejection> {
    match call.ticket() {
        None => Ok(()),
        Some(_) => Err(Rejection::at(
            Category::InvalidParameter,
            Location::Header,
            "idempotency-key",
            "is not taken by this operation: its answer holds a secret, which is not kept",
        )),
    }
}

/// A new secret and its hash.
async fn new_secret(call: &Call<'_>) -> Result<(String, String), Rejection> {
    let entropy = Arc::clone(&call.app.ports.entropy);
    let mut bytes = [0_u8; SECRET_BYTES];
    entropy.fill(&mut bytes);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let secret: String = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect();
    let text = secret.clone();
    // Hashing takes tens of milliseconds of work by design, which would hold up other requests here.
    let hashed = tokio::task::spawn_blocking(move || hash_secret(&text, entropy.as_ref())).await;
    let hash = hashed.ok().and_then(Result::ok);
    let hash = hash.ok_or_else(|| Rejection::new(Category::Internal, "the secret could not be made"))?;
    Ok((secret, hash))
}

/// A random identifier in the form of a version 4 UUID.
fn random_id(entropy: &dyn Entropy) -> String {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0x3 << 62;
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    let random = u128::from_be_bytes(bytes) & !(VERSION | VARIANT);
    dashed(random | (4 << 76) | (2 << 62))
}

fn no_client(id: &str) -> Rejection {
    unknown("client_id", "client", id)
}

fn write(client: Client) -> ops::Client {
    ops::Client {
        client_id: client.id,
        user_id: client.user.to_string(),
        permissions: write_permissions(&client.permissions).cloned().collect(),
        entities: client.entities.iter().map(|(_, id)| id.to_string()).collect(),
        organizations: client.organizations.map(|ids| ids.iter().map(ToString::to_string).collect()),
        active: client.is_active,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn random_identifiers_are_uuids_of_version_4() {
        assert_eq!(random_id(&Fixed(0)), "00000000-0000-4000-8000-000000000000");
        assert_eq!(random_id(&Fixed(0xff)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn nobody_locks_itself_out() {
        let off = ClientChange { is_active: Some(false), ..ClientChange::default() };
        assert_eq!(check_own(&off).unwrap_err().faults[0].field, "active");
        let less = ClientChange { permissions: Some(vec![]), ..ClientChange::default() };
        assert_eq!(check_own(&less).unwrap_err().faults[0].field, "permissions");
        let same =
            ClientChange { permissions: Some(vec![Permission::Administer]), ..ClientChange::default() };
        assert!(check_own(&same).is_ok());
    }
}
