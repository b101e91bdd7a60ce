//! The port [`AsyncRequests`].

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::EntityKey;
use payment_runs_engine::ports::{
    AcceptOnce, AsyncRecord, AsyncRequest, AsyncRequests, Enqueued, Replay, StoreError, StoredResponse,
};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::failure::Failure;
use super::once;
use super::sql::{Columns, execute, first, from_time, time};

/// Answered requests that one call forgets at most, so that the writer is never busy with it for long.
const PURGE_MAX: i64 = 1_000;

const SELECTED: &str = "id, entity, client, body, accepted_at, attempts, ended_at, response";

fn read(row: &mut Columns<'_>) -> Result<AsyncRecord, Failure> {
    let request = AsyncRequest {
        id: u128::from_be_bytes(row.get()?),
        entity: EntityKey(row.get()?),
        client: row.get()?,
        body: row.get()?,
        accepted_at: row.time()?,
    };
    let attempts = row.number()?;
    let outcome = row.opt_time()?.zip(row.get::<Option<Vec<u8>>>()?.map(StoredResponse));
    Ok(AsyncRecord { request, attempts, outcome })
}

fn enqueue(
    db: &Connection,
    request: &AsyncRequest,
    once: Option<&AcceptOnce>,
    waiting_max: u32,
) -> Result<Enqueued, Failure> {
    if let Some(once) = once {
        match once::find(db, &once.key, request.accepted_at)? {
            Replay::New => {}
            known => return Ok(Enqueued::Known(known)),
        }
    }
    // Counting stops at the bound, so that a full queue costs no more than a long one.
    let sql = "SELECT count(*) FROM (SELECT 1 FROM async_request WHERE ended_at IS NULL LIMIT ?1)";
    let waiting = first(db, sql, params![waiting_max], |row| row.get::<i64>())?.unwrap_or(0);
    if waiting >= i64::from(waiting_max) {
        return Ok(Enqueued::Full);
    }
    let sql = "INSERT INTO async_request (id, entity, client, body, accepted_at, due_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    let accepted_at = time(request.accepted_at);
    let values =
        params![request.id.to_be_bytes(), request.entity.0, request.client, request.body, accepted_at];
    execute(db, sql, values)?;
    if let Some(once) = once {
        once::put(db, &once.key, once.expires_at, Some(&once.response))?;
    }
    Ok(Enqueued::Accepted)
}

fn claim(db: &Connection, now: Timestamp, lease_until: Timestamp) -> Result<Option<AsyncRecord>, Failure> {
    let sql = "SELECT id FROM async_request WHERE ended_at IS NULL AND due_at <= ?1 ORDER BY id LIMIT 1";
    let Some(id) = first(db, sql, params![time(now)], |row| row.get::<[u8; 16]>())? else { return Ok(None) };
    let sql = "UPDATE async_request SET attempts = attempts + 1, due_at = ?2 WHERE id = ?1";
    execute(db, sql, params![id, time(lease_until)])?;
    by_id(db, u128::from_be_bytes(id))
}

fn by_id(db: &Connection, id: u128) -> Result<Option<AsyncRecord>, Failure> {
    let sql = format!("SELECT {SELECTED} FROM async_request WHERE id = ?1");
    first(db, &sql, params![id.to_be_bytes()], read)
}

#[async_trait]
impl AsyncRequests for SqliteStore {
    async fn enqueue_async(
        &self,
        request: AsyncRequest,
        once: Option<AcceptOnce>,
        waiting_max: u32,
    ) -> Result<Enqueued, StoreError> {
        self.write("queue a request", move |db| enqueue(db, &request, once.as_ref(), waiting_max)).await
    }

    async fn claim_async(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<AsyncRecord>, StoreError> {
        self.write("claim a queued request", move |db| claim(db, now, lease_until)).await
    }

    async fn defer_async(&self, id: u128, due_at: Timestamp) -> Result<(), StoreError> {
        self.write("put a queued request back", move |db| {
            let sql = "UPDATE async_request SET due_at = ?2 WHERE id = ?1 AND ended_at IS NULL";
            execute(db, sql, params![id.to_be_bytes(), time(due_at)]).map(drop)
        })
        .await
    }

    async fn end_async(&self, id: u128, now: Timestamp, response: StoredResponse) -> Result<(), StoreError> {
        self.write("record the answer to a queued request", move |db| {
            let sql =
                "UPDATE async_request SET ended_at = ?2, response = ?3 WHERE id = ?1 AND ended_at IS NULL";
            execute(db, sql, params![id.to_be_bytes(), time(now), response.0]).map(drop)
        })
        .await
    }

    async fn next_async_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read("find when a queued request is due", |db| {
            let sql = "SELECT min(due_at) FROM async_request WHERE ended_at IS NULL";
            let found = first(db, sql, [], |row| row.get::<Option<i64>>())?;
            found.flatten().map(from_time).transpose()
        })
        .await
    }

    async fn find_async(&self, entity: EntityKey, id: u128) -> Result<Option<AsyncRecord>, StoreError> {
        let found = self.read("find a queued request", move |db| by_id(db, id)).await?;
        Ok(found.filter(|record| record.request.entity == entity))
    }

    async fn purge_async(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.write("forget answered requests", move |db| {
            let sql = "DELETE FROM async_request WHERE id IN \
                       (SELECT id FROM async_request WHERE ended_at < ?1 AND ended_at IS NOT NULL \
                        ORDER BY ended_at LIMIT ?2)";
            execute(db, sql, params![time(before), PURGE_MAX])
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::path::Path;

    use payment_runs_engine::ports::{OnceKey, OnceStore};

    use super::*;
    use crate::sqlite::executor::Executor;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).unwrap()
    }

    fn request(id: u128, second: i64) -> AsyncRequest {
        let (entity, client) = (EntityKey::FIRST, "client".to_owned());
        AsyncRequest { id, entity, client, accepted_at: at(second), body: b"body".to_vec() }
    }

    fn once(key: &str, fingerprint: u8) -> AcceptOnce {
        AcceptOnce {
            key: OnceKey { client: "client".to_owned(), key: key.to_owned(), fingerprint: [fingerprint; 32] },
            expires_at: at(1_000),
            response: StoredResponse(b"accepted".to_vec()),
        }
    }

    fn open(folder: &Path) -> SqliteStore {
        SqliteStore::open(folder.join("queue.db"), Executor::Inline).unwrap()
    }

    async fn claimed(store: &SqliteStore, second: i64) -> Option<(u128, u32)> {
        let claimed = store.claim_async(at(second), at(second + 60)).await.unwrap();
        claimed.map(|record| (record.request.id, record.attempts))
    }

    #[tokio::test]
    async fn requests_are_claimed_oldest_first_and_again_after_their_lease() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for (id, second) in [(2, 0), (1, 0)] {
            assert_eq!(store.enqueue_async(request(id, second), None, 10).await.unwrap(), Enqueued::Accepted);
        }
        assert_eq!(claimed(&store, 1).await, Some((1, 1)));
        assert_eq!(claimed(&store, 1).await, Some((2, 1)));
        assert_eq!(claimed(&store, 1).await, None);
        assert_eq!(store.next_async_at().await.unwrap(), Some(at(61)));
        drop(store);
        // Whoever held the leases is gone, and the queue is not.
        let store = open(folder.path());
        assert_eq!(claimed(&store, 60).await, None);
        assert_eq!(claimed(&store, 61).await, Some((1, 2)));
        store.defer_async(1, at(70)).await.unwrap();
        assert_eq!(claimed(&store, 69).await, Some((2, 2)));
        assert_eq!(claimed(&store, 70).await, Some((1, 3)));
    }

    #[tokio::test]
    async fn the_first_answer_stands_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.enqueue_async(request(1, 0), None, 10).await.unwrap();
        let waiting = store.find_async(EntityKey::FIRST, 1).await.unwrap().unwrap();
        assert_eq!((waiting.request, waiting.attempts, waiting.outcome), (request(1, 0), 0, None));
        store.end_async(1, at(5), StoredResponse(b"first".to_vec())).await.unwrap();
        store.end_async(1, at(6), StoredResponse(b"second".to_vec())).await.unwrap();
        store.defer_async(1, at(0)).await.unwrap();
        assert_eq!(claimed(&store, 10).await, None);
        assert_eq!(store.next_async_at().await.unwrap(), None);
        let ended = store.find_async(EntityKey::FIRST, 1).await.unwrap().unwrap();
        assert_eq!(ended.outcome, Some((at(5), StoredResponse(b"first".to_vec()))));
        assert_eq!(store.find_async(EntityKey(2), 1).await.unwrap(), None);
        assert_eq!(store.purge_async(at(5)).await.unwrap(), 0);
        assert_eq!(store.purge_async(at(6)).await.unwrap(), 1);
        assert_eq!(store.find_async(EntityKey::FIRST, 1).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        assert_eq!(store.enqueue_async(request(1, 0), None, 1).await.unwrap(), Enqueued::Accepted);
        assert_eq!(store.enqueue_async(request(2, 0), Some(once("k", 1)), 1).await.unwrap(), Enqueued::Full);
        assert_eq!(store.find_once(&once("k", 1).key, at(0)).await.unwrap(), Replay::New);
        store.end_async(1, at(1), StoredResponse(Vec::new())).await.unwrap();
        assert_eq!(store.enqueue_async(request(2, 0), None, 1).await.unwrap(), Enqueued::Accepted);
    }

    #[tokio::test]
    async fn a_repeated_request_is_queued_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let enqueue = async |id, once| store.enqueue_async(request(id, 0), Some(once), 10).await.unwrap();
        assert_eq!(enqueue(1, once("k", 1)).await, Enqueued::Accepted);
        let answered = Replay::Answered(StoredResponse(b"accepted".to_vec()));
        assert_eq!(enqueue(2, once("k", 1)).await, Enqueued::Known(answered));
        assert_eq!(enqueue(3, once("k", 2)).await, Enqueued::Known(Replay::Mismatch));
        assert_eq!(claimed(&store, 1).await, Some((1, 1)));
        assert_eq!(claimed(&store, 1).await, None);
    }
}
