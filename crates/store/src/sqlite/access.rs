//! Clients, tokens, entities, settings and gateways.

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::ids::{EntityId, EntityKey, GatewayId, LedgerId, OrganizationId};
use payment_runs_engine::ports::{
    Access, Client, ClientChange, ClientQuery, ENTITIES_MAX, Entity, GatewayAccounts, LEDGER_ID_NAME, Named,
    NewEntity, ORGANIZATIONS_MAX, Session, StoreError,
};
use payment_runs_engine::settings::Settings;
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::failure::Failure;
use super::row;
use super::sql::{BlobId, Columns, all, execute, first, from_json, time, to_json};

/// Expired tokens that the making of a new one forgets at most.
const PURGE_MAX: i64 = 100;
/// How far before a new token's end an old one must have ended to be forgotten: longer than any token lives, so that
/// one that still counts is never lost, whatever the clock of the caller.
const TOKEN_KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// Clients that are read at once while a list is put together.
const CLIENT_BATCH: i64 = 256;

/// The columns of a client in the order in which [`read_client`] reads them.
const CLIENT: &str =
    "SELECT id, secret_hash, user, entities, organizations, permissions, is_active FROM client";

fn read_client(row: &mut Columns<'_>) -> Result<Client, Failure> {
    Ok(Client {
        id: row.get()?,
        secret_hash: row.get()?,
        user: row.id()?,
        entities: from_json(&row.get::<String>()?)?,
        organizations: row.get::<Option<String>>()?.map(|text| from_json(&text)).transpose()?,
        permissions: from_json(&row.get::<String>()?)?,
        is_active: row.get()?,
    })
}

fn find_client(db: &Connection, id: &str) -> Result<Option<Client>, Failure> {
    first(db, &format!("{CLIENT} WHERE id = ?1"), params![id], read_client)
}

/// Creates the client; with `replace` one of the same identifier is replaced. Says whether a row was written.
fn put_client(db: &Connection, client: &Client, replace: bool) -> Result<bool, Failure> {
    let conflict = if replace {
        "UPDATE SET secret_hash = excluded.secret_hash, user = excluded.user, entities = excluded.entities, \
         organizations = excluded.organizations, permissions = excluded.permissions, is_active = excluded.is_active"
    } else {
        "NOTHING"
    };
    let sql = format!(
        "INSERT INTO client (id, secret_hash, user, entities, organizations, permissions, is_active) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO {conflict}"
    );
    let values = params![
        client.id,
        client.secret_hash,
        client.user.to_blob(),
        to_json(&client.entities)?,
        client.organizations.as_ref().map(to_json).transpose()?,
        to_json(&client.permissions)?,
        client.is_active,
    ];
    execute(db, &sql, values).map(|rows| rows > 0)
}

fn list_clients(db: &Connection, query: &ClientQuery) -> Result<Vec<Client>, Failure> {
    let sql = format!("{CLIENT} WHERE id > ?1 ORDER BY id LIMIT ?2");
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let mut after = query.after.clone().unwrap_or_default();
    while found.len() < limit {
        let batch = all(db, &sql, params![after, CLIENT_BATCH], read_client)?;
        let Some(last) = batch.last() else { break };
        after.clone_from(&last.id);
        found.extend(batch.into_iter().filter(|client| query.admits(client)));
    }
    found.truncate(limit);
    Ok(found)
}

fn create_entity(db: &Connection, new: NewEntity) -> Result<Named<Entity>, Failure> {
    let taken = "SELECT 1 FROM entity WHERE name = ?1";
    if first(db, taken, params![new.name], |_| Ok(()))?.is_some() {
        return Ok(Named::Taken);
    }
    let ends = "SELECT count(*), coalesce(max(key), 0) FROM entity";
    let (count, last) =
        first(db, ends, [], |row| Ok((row.number::<usize>()?, row.get::<i32>()?)))?.unwrap_or_default();
    let Some(client) = find_client(db, &new.client)? else { return Ok(Named::Missing) };
    if count >= ENTITIES_MAX {
        return Ok(Named::Full);
    }
    let key = EntityKey(last + 1);
    let insert = "INSERT INTO entity (key, id, name) VALUES (?1, ?2, ?3)";
    execute(db, insert, params![key.0, new.id.to_blob(), new.name])?;
    let gateways = "INSERT INTO gateway (entity, id, name, kind, is_active, is_default) \
                    SELECT ?1, id, name, kind, is_active, is_default FROM gateway WHERE entity = ?2";
    execute(db, gateways, params![key.0, new.like.0])?;
    let mut entities = client.entities.clone();
    entities.push((key, new.id));
    put_client(db, &Client { entities, ..client }, true)?;
    Ok(Named::Done(Entity { key, id: new.id, name: new.name }))
}

/// Whether an organization of the entity, other than this one, has the name.
fn name_is_taken(
    db: &Connection,
    entity: EntityKey,
    id: OrganizationId,
    name: &str,
) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM organization WHERE entity = ?1 AND name = ?2 AND id <> ?3";
    Ok(first(db, sql, params![entity.0, name, id.to_blob()], |_| Ok(()))?.is_some())
}

/// What the entity has configured; the defaults while it has configured nothing.
pub(crate) fn settings(db: &Connection, entity: EntityKey) -> Result<Settings, Failure> {
    let sql = "SELECT body FROM setting WHERE entity = ?1";
    let body = first(db, sql, params![entity.0], |row| row.get::<String>())?;
    body.map_or_else(|| Ok(Settings::default()), |body| from_json(&body))
}

fn secret(db: &Connection, name: &str) -> Result<Option<[u8; 32]>, Failure> {
    first(db, "SELECT value FROM secret WHERE name = ?1", params![name], |row| row.get())
}

/// The ledger's identifier, with which the keys of its charges begin.
pub(crate) fn ledger_id(db: &Connection) -> Result<LedgerId, Failure> {
    let stored = secret(db, LEDGER_ID_NAME)?;
    let stored = stored.ok_or_else(|| Failure::broken("the ledger has no identifier"))?;
    let bytes = stored.first_chunk().copied().unwrap_or_default();
    Ok(LedgerId::from_bytes(bytes))
}

#[async_trait]
impl Access for SqliteStore {
    async fn find_client(&self, id: &str) -> Result<Option<Client>, StoreError> {
        let id = id.to_owned();
        self.read("find a client", move |db| find_client(db, &id)).await
    }

    async fn put_client(&self, client: Client) -> Result<(), StoreError> {
        self.write("store a client", move |db| put_client(db, &client, true).map(drop)).await
    }

    async fn create_client(&self, client: Client) -> Result<bool, StoreError> {
        self.write("create a client", move |db| put_client(db, &client, false)).await
    }

    async fn update_client(&self, id: &str, change: ClientChange) -> Result<Option<Client>, StoreError> {
        let id = id.to_owned();
        self.write("change a client", move |db| {
            let Some(client) = find_client(db, &id)? else { return Ok(None) };
            if change.ends_tokens() {
                execute(db, "DELETE FROM token WHERE client = ?1", params![id])?;
            }
            let client = change.apply(client);
            put_client(db, &client, true)?;
            Ok(Some(client))
        })
        .await
    }

    async fn list_clients(&self, query: ClientQuery) -> Result<Vec<Client>, StoreError> {
        self.read("list the clients", move |db| list_clients(db, &query)).await
    }

    async fn has_clients(&self) -> Result<bool, StoreError> {
        self.read("look for clients", |db| {
            Ok(first(db, "SELECT 1 FROM client LIMIT 1", [], |_| Ok(()))?.is_some())
        })
        .await
    }

    async fn put_token(
        &self,
        digest: [u8; 32],
        client: &Client,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (client, secret_hash) = (client.id.clone(), client.secret_hash.clone());
        self.write("store a token", move |db| {
            let purge = "DELETE FROM token WHERE digest IN \
                         (SELECT digest FROM token WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
            execute(db, purge, params![time(expires_at) - TOKEN_KEPT_MS, PURGE_MAX])?;
            let sql = "INSERT INTO token (digest, client, expires_at) \
                       SELECT ?1, id, ?3 FROM client WHERE id = ?2 AND secret_hash = ?4 AND is_active \
                       ON CONFLICT (digest) DO UPDATE SET client = excluded.client, expires_at = excluded.expires_at";
            execute(db, sql, params![digest, client, time(expires_at), secret_hash]).map(|rows| rows > 0)
        })
        .await
    }

    async fn find_session(&self, digest: [u8; 32], now: Timestamp) -> Result<Option<Session>, StoreError> {
        self.read("find a token", move |db| {
            let sql = "SELECT client, expires_at FROM token WHERE digest = ?1 AND expires_at > ?2";
            let token =
                first(db, sql, params![digest, time(now)], |row| Ok((row.get::<String>()?, row.time()?)))?;
            let Some((client, expires_at)) = token else { return Ok(None) };
            Ok(find_client(db, &client)?.map(|client| Session { client, expires_at }))
        })
        .await
    }

    async fn ensure_entity(&self, key: EntityKey, id: EntityId, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write("make an entity", move |db| {
            let sql = "INSERT INTO entity (key, id, name) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING";
            execute(db, sql, params![key.0, id.to_blob(), name]).map(drop)
        })
        .await
    }

    async fn create_entity(&self, new: NewEntity) -> Result<Named<Entity>, StoreError> {
        self.write("create an entity", move |db| create_entity(db, new)).await
    }

    async fn entities(&self) -> Result<Vec<Entity>, StoreError> {
        self.read("list the entities", |db| {
            all(db, "SELECT key, id, name FROM entity ORDER BY key", [], |row| {
                Ok(Entity { key: EntityKey(row.get()?), id: row.id()?, name: row.get()? })
            })
        })
        .await
    }

    async fn settings(&self, entity: EntityKey) -> Result<Settings, StoreError> {
        self.read("read the settings", move |db| settings(db, entity)).await
    }

    async fn put_settings(&self, entity: EntityKey, settings: Settings) -> Result<(), StoreError> {
        self.write("store the settings", move |db| {
            let sql = "INSERT INTO setting (entity, body) VALUES (?1, ?2) \
                       ON CONFLICT (entity) DO UPDATE SET body = excluded.body";
            execute(db, sql, params![entity.0, to_json(&settings)?]).map(drop)
        })
        .await
    }

    async fn ensure_secret(&self, name: &str, candidate: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let name = name.to_owned();
        self.write("make a secret", move |db| {
            let sql = "INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
            execute(db, sql, params![name, candidate])?;
            Ok(secret(db, &name)?.unwrap_or(candidate))
        })
        .await
    }

    async fn organizations(&self, entity: EntityKey) -> Result<Vec<(OrganizationId, String)>, StoreError> {
        self.read("list the organizations", move |db| {
            let sql = "SELECT id, name FROM organization WHERE entity = ?1 ORDER BY name";
            all(db, sql, params![entity.0], |row| Ok((row.id()?, row.get()?)))
        })
        .await
    }

    async fn put_organization(
        &self,
        entity: EntityKey,
        id: OrganizationId,
        name: &str,
    ) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write("store an organization", move |db| {
            let sql = "INSERT INTO organization (entity, id, name) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (entity, id) DO UPDATE SET name = excluded.name";
            execute(db, sql, params![entity.0, id.to_blob(), name]).map(drop)
        })
        .await
    }

    async fn create_organization(
        &self,
        entity: EntityKey,
        id: OrganizationId,
        name: &str,
    ) -> Result<Named<()>, StoreError> {
        let name = name.to_owned();
        self.write("create an organization", move |db| {
            if name_is_taken(db, entity, id, &name)? {
                return Ok(Named::Taken);
            }
            let count = "SELECT count(*) FROM organization WHERE entity = ?1";
            let count = first(db, count, params![entity.0], |row| row.number::<usize>())?.unwrap_or_default();
            if count >= ORGANIZATIONS_MAX {
                return Ok(Named::Full);
            }
            let sql = "INSERT INTO organization (entity, id, name) VALUES (?1, ?2, ?3)";
            execute(db, sql, params![entity.0, id.to_blob(), name]).map(|_| Named::Done(()))
        })
        .await
    }

    async fn rename_organization(
        &self,
        entity: EntityKey,
        id: OrganizationId,
        name: &str,
    ) -> Result<Named<()>, StoreError> {
        let name = name.to_owned();
        self.write("rename an organization", move |db| {
            if name_is_taken(db, entity, id, &name)? {
                return Ok(Named::Taken);
            }
            let sql = "UPDATE organization SET name = ?3 WHERE entity = ?1 AND id = ?2";
            let rows = execute(db, sql, params![entity.0, id.to_blob(), name])?;
            Ok(if rows == 0 { Named::Missing } else { Named::Done(()) })
        })
        .await
    }

    async fn put_gateway(&self, entity: EntityKey, gateway: GatewayConfig) -> Result<(), StoreError> {
        self.write("store a gateway", move |db| row::gateway::upsert(db, entity, &gateway)).await
    }

    async fn gateways(&self, entity: EntityKey) -> Result<Vec<GatewayConfig>, StoreError> {
        self.read("list the gateways", move |db| row::gateway::list(db, entity)).await
    }
}

#[async_trait]
impl GatewayAccounts for SqliteStore {
    async fn ensure_gateway_account(&self, gateway: GatewayId, account: &str) -> Result<String, StoreError> {
        let account = account.to_owned();
        self.write("keep a gateway's account", move |db| {
            let sql = "INSERT INTO gateway_account (gateway, account) VALUES (?1, ?2) \
                       ON CONFLICT (gateway) DO NOTHING";
            execute(db, sql, params![gateway.to_blob(), account])?;
            let sql = "SELECT account FROM gateway_account WHERE gateway = ?1";
            Ok(first(db, sql, params![gateway.to_blob()], |row| row.get())?.unwrap_or(account))
        })
        .await
    }

    async fn put_gateway_account(&self, gateway: GatewayId, account: &str) -> Result<(), StoreError> {
        let account = account.to_owned();
        self.write("change a gateway's account", move |db| {
            let sql = "INSERT INTO gateway_account (gateway, account) VALUES (?1, ?2) \
                       ON CONFLICT (gateway) DO UPDATE SET account = excluded.account";
            execute(db, sql, params![gateway.to_blob(), account]).map(drop)
        })
        .await
    }

    async fn count_in_doubt(&self, gateway: GatewayId) -> Result<u64, StoreError> {
        // Reads every payment: it is asked only when a process starts with another account.
        self.read("count a gateway's payments in doubt", move |db| {
            let sql = "SELECT count(*) FROM payment WHERE gateway = ?1 AND state < 3";
            Ok(first(db, sql, params![gateway.to_blob()], |row| row.number::<u64>())?.unwrap_or_default())
        })
        .await
    }
}
