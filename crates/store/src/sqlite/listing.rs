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
use super::sql::{BlobId, execute, first, opt_time, time};

/// Why nothing is charged, if so.
pub(super) fn charging_hold(db: &Connection) -> Result<Option<ChargingHold>, Failure> {
    first(db, "SELECT at, why FROM charging_hold", [], |row| {
        Ok(ChargingHold { at: row.time()?, why: row.get()? })
    })
}

/// Whether a person was told of a charge under the key that belongs to no account of the ledger.
fn is_noted(db: &Connection, key: &str) -> Result<bool, Failure> {
    Ok(first(db, "SELECT 1 FROM noted_charge WHERE key = ?1", params![key], |_| Ok(()))?.is_some())
}

#[async_trait]
impl LedgerWatch for SqliteStore {
    async fn watched_ledger(&self) -> Result<LedgerId, StoreError> {
        self.read("read the ledger's identifier", ledger_id).await
    }

    async fn begin_comparison(&self, gateway: GatewayId, at: Timestamp) -> Result<Timestamp, StoreError> {
        self.write("begin to compare a gateway's charges", move |db| {
            let sql = "INSERT INTO gateway_listing (gateway, complete_until) VALUES (?1, ?2) \
                       ON CONFLICT (gateway) DO UPDATE SET is_compared = 0";
            execute(db, sql, params![gateway.to_blob(), time(at)])?;
            let sql = "SELECT complete_until FROM gateway_listing WHERE gateway = ?1";
            Ok(first(db, sql, params![gateway.to_blob()], |row| row.time())?.unwrap_or(at))
        })
        .await
    }

    async fn end_comparison(&self, gateway: GatewayId, newest: Option<Timestamp>) -> Result<(), StoreError> {
        self.write("note that a gateway's charges were compared", move |db| {
            let sql = "UPDATE gateway_listing SET is_compared = 1, \
                       complete_until = max(complete_until, coalesce(?2, complete_until)) WHERE gateway = ?1";
            execute(db, sql, params![gateway.to_blob(), opt_time(newest)])?;
            let sql = "UPDATE payment SET is_uncompared = 0 WHERE gateway = ?1 AND is_uncompared = 1";
            execute(db, sql, params![gateway.to_blob()]).map(drop)
        })
        .await
    }

    async fn unknown_keys(&self, keys: Vec<String>) -> Result<Vec<String>, StoreError> {
        self.read("look for the keys of charges", move |db| {
            let mut unknown = Vec::new();
            for key in keys {
                if !row::payment::may_have_charge(db, &key)? && !is_noted(db, &key)? {
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
