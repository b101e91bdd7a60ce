//! Payment gateways as configured.

use std::sync::LazyLock;

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::ids::{EntityKey, Key};
use rusqlite::{Connection, params};

use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, all, execute, upsert_sql};

static UPSERT: LazyLock<String> = LazyLock::new(|| {
    upsert_sql("gateway", "entity, id, name, kind, is_active, is_default", "entity, id", &[], "1")
});

pub(crate) fn read(row: &mut Columns<'_>) -> Result<GatewayConfig, Failure> {
    Ok(GatewayConfig {
        id: row.id()?,
        name: row.get()?,
        kind: row.get()?,
        is_active: row.get()?,
        is_default: row.get()?,
    })
}

/// Writes the gateway; where it is the default, no other one is any longer.
pub(crate) fn upsert(db: &Connection, entity: EntityKey, gateway: &GatewayConfig) -> Result<(), Failure> {
    if gateway.is_default {
        execute(db, "UPDATE gateway SET is_default = 0 WHERE entity = ?1", params![entity.0])?;
    }
    let values = params![
        entity.0,
        gateway.id.to_blob(),
        gateway.name,
        gateway.kind,
        gateway.is_active,
        gateway.is_default,
    ];
    execute(db, &UPSERT, values).map(drop)
}

/// Every gateway of the entity, by name.
pub(crate) fn list(db: &Connection, entity: EntityKey) -> Result<Vec<GatewayConfig>, Failure> {
    let sql = "SELECT id, name, kind, is_active, is_default FROM gateway WHERE entity = ?1 ORDER BY name";
    all(db, sql, params![entity.0], read)
}

/// The gateway that a caller names, by identifier or else by name.
pub(crate) fn find(db: &Connection, entity: EntityKey, key: &Key) -> Result<Option<GatewayConfig>, Failure> {
    let gateways = list(db, entity)?;
    let by_id = gateways.iter().find(|one| Some(one.id.as_u128()) == key.as_id());
    Ok(by_id.or_else(|| gateways.iter().find(|one| one.name == key.as_str())).cloned())
}
