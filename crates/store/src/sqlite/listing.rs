//! What the ledger keeps about its own completeness.

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{GatewayId, LedgerId};
use payment_runs_engine::ports::{ChargingHold, LedgerWatch, StoreError};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::access::ledger_id;
use super::failure::Failure;
use super::row;
use super::sql::{BlobId, execute, first, time};

/// Why nothing is charged, if so.
pub(super) fn charging_hold(db: &Connection) -> Result<Option<ChargingHold>, Failure> {
    first(db, "SELECT at, why FROM charging_hold", [], |row| {
        Ok(ChargingHold { at: row.time()?, why: row.get()? })
    })
}

#[async_trait]
impl LedgerWatch for SqliteStore {
    async fn watched_ledger(&self) -> Result<LedgerId, StoreError> {
        self.read("read the ledger's identifier", ledger_id).await
    }

    async fn ensure_listed_until(&self, gateway: GatewayId, at: Timestamp) -> Result<Timestamp, StoreError> {
        self.write("keep up to when a gateway was listed", move |db| {
            let sql = "INSERT INTO gateway_listing (gateway, complete_until) VALUES (?1, ?2) \
                       ON CONFLICT (gateway) DO NOTHING";
            execute(db, sql, params![gateway.to_blob(), time(at)])?;
            let sql = "SELECT complete_until FROM gateway_listing WHERE gateway = ?1";
            Ok(first(db, sql, params![gateway.to_blob()], |row| row.time())?.unwrap_or(at))
        })
        .await
    }

    async fn put_listed_until(&self, gateway: GatewayId, at: Timestamp) -> Result<(), StoreError> {
        self.write("store up to when a gateway was listed", move |db| {
            let sql = "INSERT INTO gateway_listing (gateway, complete_until) VALUES (?1, ?2) \
                       ON CONFLICT (gateway) DO UPDATE SET complete_until = max(complete_until, excluded.complete_until)";
            execute(db, sql, params![gateway.to_blob(), time(at)]).map(drop)
        })
        .await
    }

    async fn unknown_keys(&self, keys: Vec<String>) -> Result<Vec<String>, StoreError> {
        self.read("look for the keys of charges", move |db| {
            let mut unknown = Vec::new();
            for key in keys {
                if !row::payment::has_key(db, &key)? {
                    unknown.push(key);
                }
            }
            Ok(unknown)
        })
        .await
    }

    async fn charging_hold(&self) -> Result<Option<ChargingHold>, StoreError> {
        self.read("look whether charging is held", charging_hold).await
    }

    async fn hold_charging(&self, hold: ChargingHold) -> Result<(), StoreError> {
        self.write("hold charging", move |db| {
            let sql =
                "INSERT INTO charging_hold (id, at, why) VALUES (1, ?1, ?2) ON CONFLICT (id) DO NOTHING";
            execute(db, sql, params![time(hold.at), hold.why]).map(drop)
        })
        .await
    }
}
