//! Where jobs run: on threads of their own in production, at once on the caller's thread in simulation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::failure::Failure;
use super::lock::FileLock;
use super::schema::{self, OpenError};

/// Jobs that may wait for the writer; whoever brings one more waits for room.
const WRITE_QUEUE_MAX: usize = 64;
/// Jobs that may wait for a reader.
const READ_QUEUE_MAX: usize = 256;
/// Readers of [`Executor::thread`]. Reads are short, and few cores stand behind them.
const READERS: usize = 4;

/// Where the store's transactions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// One writer thread, and this many threads that read beside it (at least one).
    Thread {
        /// Threads that read.
        readers: usize,
    },
    /// On the caller's thread, one at a time, so that the same calls always give the same file. It blocks the caller.
    Inline,
    /// The same, and no other connection may read the file meanwhile, which saves most of what locking it costs.
    InlineAlone,
}

impl Executor {
    /// Threads, with the usual number of readers.
    pub const fn thread() -> Self {
        Self::Thread { readers: READERS }
    }
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The connections, and the threads that own them.
pub(crate) enum Engine {
    Thread(Threads),
    Inline { db: Mutex<Connection>, _lock: FileLock },
}

pub(crate) struct Threads {
    /// Absent only while the threads are being ended.
    lanes: Option<Lanes>,
    handles: Vec<JoinHandle<()>>,
}

struct Lanes {
    writer: mpsc::Sender<Job>,
    readers: mpsc::Sender<Job>,
}

impl Engine {
    pub(crate) fn open(path: &Path, executor: Executor) -> Result<Self, OpenError> {
        let (writer, lock) = schema::open_writer(path)?;
        match executor {
            Executor::InlineAlone => {
                schema::keep_others_out(&writer, path)?;
                Ok(Self::Inline { db: Mutex::new(writer), _lock: lock })
            }
            Executor::Inline => Ok(Self::Inline { db: Mutex::new(writer), _lock: lock }),
            Executor::Thread { readers } => Threads::start(path, writer, lock, readers).map(Self::Thread),
        }
    }

    /// Runs a job in one transaction that is durable when this returns `Ok`. `then` follows it in any case, also when the caller
    /// has gone away meanwhile.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
        then: impl FnOnce(&Result<T, Failure>) + Send + 'static,
    ) -> Result<T, Failure> {
        let job = move |db: &mut Connection| {
            let done = in_transaction(db, TransactionBehavior::Immediate, job);
            then(&done);
            done
        };
        self.run(true, job).await
    }

    /// Runs a job over one snapshot. Nobody reads for a caller who has gone away before its turn came.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.run(false, move |db| in_transaction(db, TransactionBehavior::Deferred, job)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        writes: bool,
        job: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        match self {
            Self::Inline { db, .. } => {
                // A job that panicked was rolled back, so the connection is as good as before.
                let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
                job(&mut db)
            }
            Self::Thread(threads) => {
                let lanes = threads.lanes.as_ref().ok_or(Failure::Closed)?;
                let lane = if writes { &lanes.writer } else { &lanes.readers };
                let (answer, answered) = oneshot::channel();
                let job: Job = Box::new(move |db| {
                    // The caller may have gone away: what is to be written is written all the same.
                    if writes || !answer.is_closed() {
                        drop(answer.send(job(db)));
                    }
                });
                lane.send(job).await.map_err(|_| Failure::Closed)?;
                answered.await.unwrap_or(Err(Failure::Panicked))
            }
        }
    }
}

impl Threads {
    fn start(path: &Path, writer: Connection, lock: FileLock, readers: usize) -> Result<Self, OpenError> {
        let lock = Arc::new(lock);
        let (write_lane, write_jobs) = mpsc::channel(WRITE_QUEUE_MAX);
        let (read_lane, read_jobs) = mpsc::channel(READ_QUEUE_MAX);
        let mut handles =
            vec![start_thread("store-writer", writer, &lock, Arc::new(Mutex::new(write_jobs)))?];
        let read_jobs = Arc::new(Mutex::new(read_jobs));
        for _ in 0..readers.max(1) {
            let db = schema::open_reader(path)?;
            handles.push(start_thread("store-reader", db, &lock, Arc::clone(&read_jobs))?);
        }
        Ok(Self { lanes: Some(Lanes { writer: write_lane, readers: read_lane }), handles })
    }
}

/// Ends the threads after the jobs that wait, so that the file is closed and unlocked when the last clone is gone.
impl Drop for Threads {
    fn drop(&mut self) {
        self.lanes = None;
        for handle in self.handles.drain(..) {
            if handle.thread().id() != std::thread::current().id() && handle.join().is_err() {
                tracing::error!("a database thread panicked");
            }
        }
    }
}

fn start_thread(
    name: &str,
    mut db: Connection,
    lock: &Arc<FileLock>,
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
) -> Result<JoinHandle<()>, OpenError> {
    let lock = Arc::clone(lock);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            loop {
                // The guard is dropped before the job runs: only waiting for a job is done in turn.
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                let Some(job) = job else { break };
                if catch_unwind(AssertUnwindSafe(|| job(&mut db))).is_err() {
                    tracing::error!("a database transaction panicked and was rolled back");
                }
            }
            // The file is closed before it is unlocked.
            drop(db);
            drop(lock);
        })
        .map_err(|source| OpenError::Thread { source })
}

fn in_transaction<T>(
    db: &mut Connection,
    behavior: TransactionBehavior,
    job: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = db.transaction_with_behavior(behavior)?;
    let value = job(&transaction)?;
    transaction.commit().map_err(|error| match error.sqlite_error_code() {
        // A busy commit is rolled back for certain; after a failed write or flush nobody knows.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::ConstraintViolation) => {
            Failure::Sql(error)
        }
        _ => Failure::Commit(error),
    })?;
    Ok(value)
}
