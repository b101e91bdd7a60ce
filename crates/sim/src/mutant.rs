//! Protocols that are wrong on purpose, to prove that the checkers notice. They are wrappers around the ports: the
//! engine and the store are the real ones here, too.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use payment_runs_engine::ports::{
    ChunkClaim, EncodeCharge, Ids, Opened, Outcome, Settlement, StoreError, Work,
};
use payment_runs_store::{Executor, SqliteStore};

use crate::pool::lock;

/// One way to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// Charges are sent before anything about them is stored, under keys that a restart does not make again.
    NoDurableIntent,
    /// Every delivery has a key of its own.
    NewKeyOnRetry,
    /// A charge whose outcome is not known counts as declined.
    ForgetUnknown,
    /// Keys are re-sent however old they are.
    ResendAfterExpiry,
    /// A delivery that was not answered counts as not sent.
    TimeoutIsNotSent,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 5] = [
        Self::NoDurableIntent,
        Self::NewKeyOnRetry,
        Self::ForgetUnknown,
        Self::ResendAfterExpiry,
        Self::TimeoutIsNotSent,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoDurableIntent => "no_durable_intent",
            Self::NewKeyOnRetry => "new_key_on_retry",
            Self::ForgetUnknown => "forget_unknown",
            Self::ResendAfterExpiry => "resend_after_expiry",
            Self::TimeoutIsNotSent => "timeout_is_not_sent",
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no mutant has.
#[derive(Debug, thiserror::Error)]
#[error("there is no mutant `{0}`")]
pub struct UnknownMutant(String);

impl FromStr for Mutant {
    type Err = UnknownMutant;
    fn from_str(text: &str) -> Result<Self, UnknownMutant> {
        let found = Self::ALL.into_iter().find(|mutant| mutant.name() == text);
        found.ok_or_else(|| UnknownMutant(text.to_owned()))
    }
}

/// Spoils outcomes before they are recorded.
pub(crate) fn spoil_settlements(mutant: Option<Mutant>, settlements: &mut [Settlement]) {
    if mutant != Some(Mutant::ForgetUnknown) {
        return;
    }
    for settlement in settlements {
        if let Outcome::Unknown { why } = &settlement.outcome {
            let (code, message) = ("timeout".to_owned(), why.clone());
            settlement.outcome = Outcome::Declined { code, message, reference: None };
        }
    }
}

/// Plans chunks in a copy of the database that is thrown away, and stores the plan only when there are outcomes.
pub(crate) struct LateWriter {
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
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), open: Mutex::default() }
    }

    /// Opens a chunk in a copy. A chunk that is stored as planned is opened as it should be.
    pub(crate) async fn open_chunk(
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
    pub(crate) async fn write(
        &self,
        store: &SqliteStore,
        claim: &ChunkClaim,
        now: Timestamp,
        encoder: Arc<dyn EncodeCharge>,
    ) -> Result<(), StoreError> {
        let found = lock(&self.open).iter().position(|(one, _)| same_chunk(one, claim));
        let Some(index) = found else { return Ok(()) };
        let given = lock(&self.open)[index].1.clone();
        let player = Arc::new(Player(Mutex::new(given.into_iter())));
        store.open_chunk(claim, now, encoder, player).await?;
        lock(&self.open).remove(index);
        Ok(())
    }
}

fn same_chunk(one: &ChunkClaim, other: &ChunkClaim) -> bool {
    (one.run, one.chunk, one.epoch) == (other.run, other.chunk, other.epoch)
}

/// Copies a database file with its write-ahead log.
fn copy_database(from: &Path, to: &Path) -> std::io::Result<()> {
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
