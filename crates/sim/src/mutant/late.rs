//! Plans that are stored too late.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use payment_runs_engine::ports::{ChunkClaim, EncodeCharge, Ids, Opened, StoreError, Work};
use payment_runs_store::{Executor, SqliteStore};

use crate::bank::BankEncoder;
use crate::pool::lock;

/// Plans chunks in a copy of the database that is thrown away, and stores the plan only when there are outcomes.
pub(super) struct LateWriter {
    path: PathBuf,
    /// Chunks that were opened in a copy only, with the identifiers that were given out there.
    open: Mutex<Vec<(ChunkClaim, Vec<u128>)>>,
}

/// Gives identifiers out and remembers them.
struct Recorder {
    ids: Arc<dyn Ids>,
    given: Mutex<Vec<u128>>,
}

impl Ids for Recorder {
    fn next_id(&self) -> u128 {
        let id = self.ids.next_id();
        lock(&self.given).push(id);
        id
    }
}

/// Gives the same identifiers out again.
struct Player(Mutex<std::vec::IntoIter<u128>>);

impl Ids for Player {
    fn next_id(&self) -> u128 {
        lock(&self.0).next().unwrap_or_default()
    }
}

impl LateWriter {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), open: Mutex::default() }
    }

    /// Opens a chunk in a copy. A chunk that is stored as planned is opened as it should be.
    pub(super) async fn open_chunk(
        &self,
        store: &SqliteStore,
        claim: &ChunkClaim,
        now: Timestamp,
        encoder: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Opened, StoreError> {
        let copy = self.path.with_extension("copy");
        copy_database(&self.path, &copy).map_err(in_copy)?;
        let recorder = Arc::new(Recorder { ids: ids.clone(), given: Mutex::default() });
        let opened = {
            let scratch = SqliteStore::open(&copy, Executor::Inline).map_err(in_copy)?;
            scratch.open_chunk(claim, now, encoder.clone(), recorder.clone()).await?
        };
        if !opened.fresh {
            return store.open_chunk(claim, now, encoder, ids).await;
        }
        let given = std::mem::take(&mut *lock(&recorder.given));
        lock(&self.open).push((claim.clone(), given));
        Ok(opened)
    }

    /// Stores the plan after all, now that there is something to say about it.
    pub(super) async fn write(
        &self,
        store: &SqliteStore,
        claim: &ChunkClaim,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let found = lock(&self.open).iter().position(|(one, _)| same_chunk(one, claim));
        let Some(index) = found else { return Ok(()) };
        let given = lock(&self.open)[index].1.clone();
        let player = Arc::new(Player(Mutex::new(given.into_iter())));
        store.open_chunk(claim, now, Arc::new(BankEncoder), player).await?;
        lock(&self.open).remove(index);
        Ok(())
    }
}

fn same_chunk(one: &ChunkClaim, other: &ChunkClaim) -> bool {
    (one.run, one.chunk, one.epoch) == (other.run, other.chunk, other.epoch)
}

/// Copies a database file with its write-ahead log.
pub(crate) fn copy_database(from: &Path, to: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal"] {
        let with_suffix = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        let (from, to) = (with_suffix(from), with_suffix(to));
        if from.exists() {
            std::fs::copy(from, to)?;
        } else if to.exists() {
            std::fs::remove_file(to)?;
        }
    }
    Ok(())
}

fn in_copy(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Write { doing: "copy the database", source: Box::new(error) }
}
