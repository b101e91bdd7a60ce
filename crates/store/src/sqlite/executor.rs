//! Where jobs run: on threads of their own in production, at once on the caller's thread in simulation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, ThreadId};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::failure::{Failure, is_busy};
use super::open_error::OpenError;
use super::open_file::{OpenFile, Opening, Origin};
use super::schema;

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

type Jobs = Arc<Mutex<mpsc::Receiver<Job>>>;

/// The connections, and the threads that own them.
pub(crate) enum Engine {
    Thread(Threads),
    /// Absent once it is closed.
    Inline(Mutex<Option<OpenFile>>),
}

pub(crate) struct Threads {
    /// Absent once the threads are to end.
    lanes: Mutex<Option<Lanes>>,
    /// The writer, which ends last; absent once somebody has waited for it.
    writer: Mutex<Option<JoinHandle<()>>>,
    ids: Vec<ThreadId>,
}

#[derive(Clone)]
struct Lanes {
    writer: mpsc::Sender<Job>,
    readers: mpsc::Sender<Job>,
}

/// Whoever panicked with a lock left nothing half done behind it: a job that panics is rolled back.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub(crate) fn open(
        path: &Path,
        executor: Executor,
        is_restored: bool,
    ) -> Result<(Self, Origin), OpenError> {
        // Where nobody else may read the file, nobody copies it.
        let has_mark = executor != Executor::InlineAlone;
        let file = OpenFile::open(path, Opening { is_restored, has_mark })?;
        let origin = file.origin;
        let engine = match executor {
            Executor::InlineAlone => {
                schema::keep_others_out(&file.db, path)?;
                Self::Inline(Mutex::new(Some(file)))
            }
            Executor::Inline => Self::Inline(Mutex::new(Some(file))),
            Executor::Thread { readers } => Self::Thread(Threads::start(file, readers)?),
        };
        Ok((engine, origin))
    }

    /// Closes the file in order, after the jobs that wait. Whoever comes later is told that it is closed.
    pub(crate) fn close(&self) {
        match self {
            Self::Thread(threads) => threads.close(),
            Self::Inline(file) => drop(locked(file).take()),
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
            Self::Inline(file) => {
                let mut file = locked(file);
                job(&mut file.as_mut().ok_or(Failure::Closed)?.db)
            }
            Self::Thread(threads) => {
                let lanes = locked(&threads.lanes).clone().ok_or(Failure::Closed)?;
                let lane = if writes { lanes.writer } else { lanes.readers };
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
    fn start(file: OpenFile, readers: usize) -> Result<Self, OpenError> {
        let (write_lane, write_jobs) = mpsc::channel(WRITE_QUEUE_MAX);
        let (read_lane, read_jobs) = mpsc::channel(READ_QUEUE_MAX);
        let (write_jobs, read_jobs) = (Arc::new(Mutex::new(write_jobs)), Arc::new(Mutex::new(read_jobs)));
        let reading: Vec<JoinHandle<()>> = (0..readers.max(1))
            .map(|_| {
                let (mut db, jobs) = (schema::open_reader(&file.path)?, Arc::clone(&read_jobs));
                start_thread("store-reader", move || work_off(&mut db, &jobs))
            })
            .collect::<Result<_, _>>()?;
        let mut ids: Vec<ThreadId> = reading.iter().map(|reader| reader.thread().id()).collect();
        let writer = start_thread("store-writer", move || {
            let mut file = file;
            work_off(&mut file.db, &write_jobs);
            // Two connections that are closed at once each take the other for one that goes on, and leave the log. So the
            // writer is closed last, and alone.
            for reader in reading {
                if reader.join().is_err() {
                    tracing::error!("a database thread panicked");
                }
            }
            drop(file);
        })?;
        ids.push(writer.thread().id());
        let lanes = Lanes { writer: write_lane, readers: read_lane };
        Ok(Self { lanes: Mutex::new(Some(lanes)), writer: Mutex::new(Some(writer)), ids })
    }

    /// Ends the threads after the jobs that wait, and waits until the file is closed and unlocked.
    fn close(&self) {
        drop(locked(&self.lanes).take());
        // A job that drops the last clone of the store cannot wait for its own end.
        if self.ids.contains(&std::thread::current().id()) {
            return;
        }
        let mut writer = locked(&self.writer);
        if writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("a database thread panicked");
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.close();
    }
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|source| OpenError::Thread { source })
}

/// Does jobs until there is nobody left who could bring one.
fn work_off(db: &mut Connection, jobs: &Jobs) {
    loop {
        // The guard is dropped before the job runs: only waiting for a job is done in turn.
        let job = locked(jobs).blocking_recv();
        let Some(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(|| job(db))).is_err() {
            tracing::error!("a database transaction panicked and was rolled back");
        }
    }
}

fn in_transaction<T>(
    db: &mut Connection,
    behavior: TransactionBehavior,
    job: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = db.transaction_with_behavior(behavior)?;
    let value = job(&transaction)?;
    transaction.commit().map_err(|error| {
        let breaks_rule = error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
        // A busy commit is rolled back for certain. After a failed write or flush the outcome is unknown.
        if is_busy(&error) || breaks_rule { Failure::Sql(error) } else { Failure::Commit(error) }
    })?;
    Ok(value)
}
