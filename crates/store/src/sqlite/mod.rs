//! The store on one SQLite file.

#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method's path would fix the lifetime of the row, which the helpers leave free"
)]

mod access;
mod async_requests;
mod backup;
mod codes;
mod command;
mod events;
mod executor;
mod exports;
#[cfg(test)]
mod extension_tests;
mod failure;
mod imports;
mod ledger;
mod listing;
mod lock;
mod mark;
#[cfg(test)]
mod migration_tests;
mod once;
mod open_error;
mod open_file;
mod place;
#[cfg(test)]
mod plan_tests;
mod query;
mod read;
mod reconcile;
mod room;
mod row;
mod schedules;
mod schema;
mod search;
mod sequence;
#[cfg(test)]
mod signals_tests;
mod sql;
mod webhook;
mod work;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use payment_runs_engine::ids::EntityKey;
use payment_runs_engine::ports::StoreError;
use rusqlite::Connection;
use tokio::sync::Notify;

pub use backup::{BackedUp, BackupError, back_up};
use executor::Engine;
pub use executor::Executor;
use failure::Failure;
pub use open_error::OpenError;
pub use open_file::Origin;
pub use sequence::Sequence;

/// The store on one SQLite file. Clones share the file, which is closed when the last of them is dropped.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    path: PathBuf,
    origin: Origin,
    signals: Arc<Signals>,
    /// The entity whose chunk was claimed last.
    served: Mutex<Option<EntityKey>>,
    /// Whether a damaged page was met since the file was opened.
    is_damaged: AtomicBool,
}

/// Why a damaged file fails its check though the pages that the check reads are sound.
#[derive(Debug, thiserror::Error)]
#[error("a damaged page was met since the start")]
struct DamageMet;

/// Who waits for what others write. It is told by whoever commits, and not by the caller, who may be gone by then.
#[derive(Debug, Default)]
struct Signals {
    changed: Notify,
    webhooks: Notify,
    events: Notify,
}

impl Signals {
    /// Wakes everybody who waits for work, and whoever waits next.
    fn wake(&self) {
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// Something happened that webhooks may be told.
    fn ring_events(&self) {
        self.events.notify_one();
    }

    /// A webhook or a delivery was changed by a caller.
    fn ring_webhooks(&self) {
        self.webhooks.notify_one();
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file, which is made when absent, and brings its schema up to date. A file that another process or another store
    /// has open, by whatever name, is refused: two writers would not see each other's leases in time. So is a plain copy of a file
    /// that a server had open, and a file of 0 bytes.
    pub fn open(path: impl AsRef<Path>, executor: Executor) -> Result<Self, OpenError> {
        Self::open_at(path.as_ref(), executor, false)
    }

    /// The same, and takes a plain copy of a file that a server had open, too: whoever restored it knows what it lacks.
    pub fn open_restored(path: impl AsRef<Path>, executor: Executor) -> Result<Self, OpenError> {
        Self::open_at(path.as_ref(), executor, true)
    }

    fn open_at(path: &Path, executor: Executor, is_restored: bool) -> Result<Self, OpenError> {
        let (engine, origin) = Engine::open(path, executor, is_restored)?;
        let inner = Inner {
            engine,
            path: path.to_owned(),
            origin,
            signals: Arc::default(),
            served: Mutex::default(),
            is_damaged: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How the file was found.
    pub fn origin(&self) -> Origin {
        self.inner.origin
    }

    /// Closes the file in order for all clones, after what was asked for before, and waits for it: it blocks the caller. Whoever
    /// asks for anything later is told [`StoreError::Closed`]. The last clone that is dropped does the same.
    pub fn close(&self) {
        self.inner.engine.close();
    }

    /// Sets the next number that an entity's sequence gives. For data sets and tests whose numbers are known beforehand.
    pub async fn pin_sequence(
        &self,
        entity: EntityKey,
        sequence: Sequence,
        next: i64,
    ) -> Result<(), StoreError> {
        self.write("pin a sequence", move |db| sequence::pin(db, entity, sequence, next)).await
    }

    /// Runs `job` in one durable transaction of the writer.
    async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.inner.engine.write(job, |_| ()).await;
        self.note_damage(done).map_err(|failure| failure.into_store(doing))
    }

    /// The same, and then tells who waits for it, whether or not the caller is still there: with the value, or with none when
    /// nobody knows whether it was stored.
    async fn write_and_tell<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
        tell: impl FnOnce(&Signals, Option<&T>) + Send + 'static,
    ) -> Result<T, StoreError> {
        self.try_write_and_tell(job, tell).await.map_err(|failure| failure.into_store(doing))
    }

    /// Like [`Self::write_and_tell`], with the failure as it is.
    async fn try_write_and_tell<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
        tell: impl FnOnce(&Signals, Option<&T>) + Send + 'static,
    ) -> Result<T, Failure> {
        let signals = Arc::clone(&self.inner.signals);
        let then = move |done: &Result<T, Failure>| match done {
            Ok(value) => tell(&signals, Some(value)),
            Err(Failure::Commit(_)) => tell(&signals, None),
            Err(_) => {}
        };
        let done = self.inner.engine.write(job, then).await;
        self.note_damage(done)
    }

    /// Runs `job` over one snapshot of the committed data.
    async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.try_read(job).await.map_err(|failure| failure.into_store_read(doing))
    }

    /// Like [`Self::read`], with the failure as it is.
    async fn try_read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let done = self.inner.engine.read(job).await;
        self.note_damage(done)
    }

    fn note_damage<T>(&self, done: Result<T, Failure>) -> Result<T, Failure> {
        if done.as_ref().is_err_and(Failure::is_damage) {
            self.inner.is_damaged.store(true, Ordering::Release);
        }
        done
    }

    /// Fails when a damaged page was met since the start.
    fn check_damage(&self) -> Result<(), StoreError> {
        if self.inner.is_damaged.load(Ordering::Acquire) {
            return Err(StoreError::Damaged { source: Box::new(DamageMet) });
        }
        Ok(())
    }
}
