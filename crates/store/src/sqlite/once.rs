//! Idempotency records: a key, the request it stands for, and the answer once there is one.

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, PaymentId};
use payment_runs_engine::ports::{OnceKey, OnceStore, Replay, StoreError, StoredResponse};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::failure::Failure;
use super::sql::{BlobId, execute, execute_one, first, time};

/// Expired records that one call forgets at most, so that the writer is never busy with it for long.
const PURGE_MAX: i64 = 1_000;

/// What is known about the key.
pub(crate) fn find(db: &Connection, key: &OnceKey, now: Timestamp) -> Result<Replay, Failure> {
    let sql = "SELECT once.fingerprint, once.response, payment.id FROM once LEFT JOIN payment \
               ON payment.entity = once.entity AND payment.id = once.payment AND payment.state <> 0 \
               WHERE once.client = ?1 AND once.key = ?2 AND once.expires_at > ?3";
    let found = first(db, sql, params![key.client, key.key, time(now)], |row| {
        Ok((row.get::<[u8; 32]>()?, row.get::<Option<Vec<u8>>>()?, row.opt_id::<PaymentId>()?))
    })?;
    Ok(match found {
        None => Replay::New,
        Some((fingerprint, ..)) if fingerprint != key.fingerprint => Replay::Mismatch,
        Some((_, Some(response), _)) => Replay::Answered(StoredResponse(response)),
        Some((_, None, Some(payment))) => Replay::Settled(payment),
        Some((_, None, None)) => Replay::InFlight,
    })
}

/// Writes what is known about the key from now on; without a response it is in flight.
pub(crate) fn put(
    db: &Connection,
    key: &OnceKey,
    expires_at: Timestamp,
    response: Option<&StoredResponse>,
) -> Result<(), Failure> {
    let sql = "INSERT INTO once (client, key, fingerprint, response, expires_at) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (client, key) DO UPDATE SET \
               fingerprint = excluded.fingerprint, response = excluded.response, expires_at = excluded.expires_at, \
               entity = NULL, payment = NULL";
    let response = response.map(|response| &response.0);
    execute(db, sql, params![key.client, key.key, key.fingerprint, response, time(expires_at)]).map(drop)
}

/// Writes that the answer to the key waits for what comes of a payment.
pub(crate) fn put_waiting(
    db: &Connection,
    key: &OnceKey,
    expires_at: Timestamp,
    entity: EntityKey,
    payment: PaymentId,
) -> Result<(), Failure> {
    put(db, key, expires_at, None)?;
    let sql = "UPDATE once SET entity = ?3, payment = ?4 WHERE client = ?1 AND key = ?2";
    execute_one(db, sql, params![key.client, key.key, entity.0, payment.to_blob()], "bind an idempotency key")
}

#[async_trait]
impl OnceStore for SqliteStore {
    async fn find_once(&self, key: &OnceKey, now: Timestamp) -> Result<Replay, StoreError> {
        let key = key.clone();
        self.read("find an idempotency key", move |db| find(db, &key, now)).await
    }

    async fn claim_once(
        &self,
        key: &OnceKey,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Replay, StoreError> {
        let key = key.clone();
        self.write("claim an idempotency key", move |db| {
            let known = find(db, &key, now)?;
            if known == Replay::New {
                put(db, &key, expires_at, None)?;
            }
            Ok(known)
        })
        .await
    }

    async fn store_once(
        &self,
        key: &OnceKey,
        now: Timestamp,
        expires_at: Timestamp,
        response: StoredResponse,
    ) -> Result<(), StoreError> {
        let key = key.clone();
        self.write("store an answer", move |db| match find(db, &key, now)? {
            // The first answer stands, another request's record is none of ours, and a payment's answer is its own.
            Replay::Answered(_) | Replay::Mismatch | Replay::Settled(_) => Ok(()),
            Replay::New | Replay::InFlight => put(db, &key, expires_at, Some(&response)),
        })
        .await
    }

    async fn release_once(&self, key: &OnceKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.write("release an idempotency key", move |db| {
            let sql =
                "DELETE FROM once WHERE client = ?1 AND key = ?2 AND fingerprint = ?3 AND response IS NULL";
            execute(db, sql, params![key.client, key.key, key.fingerprint]).map(drop)
        })
        .await
    }

    async fn purge_once(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.write("forget expired answers", move |db| {
            let sql = "DELETE FROM once WHERE (client, key) IN \
                       (SELECT client, key FROM once WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
            execute(db, sql, params![time(now), PURGE_MAX])
        })
        .await
    }
}
