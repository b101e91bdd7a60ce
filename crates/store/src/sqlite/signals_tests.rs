//! Whoever waits is told by the one who commits, though the caller is gone by then.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::future::Future;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

use payment_runs_engine::ports::{Webhooks as _, Work as _};
use rusqlite::Connection;

use super::failure::Failure;
use super::{Executor, Signals, SqliteStore};

/// Longer than a commit takes on any machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A job that keeps its thread busy until the word is given.
fn long_job() -> (mpsc::Sender<()>, impl FnOnce(&Connection) -> Result<(), Failure> + Send + 'static) {
    let (free, held) = mpsc::channel();
    let job = move |_: &Connection| {
        let _ = held.recv();
        Ok(())
    };
    (free, job)
}

#[tokio::test]
async fn what_is_committed_is_told_though_the_caller_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), Executor::thread()).unwrap();
    let (free, until_free) = long_job();
    let mut context = Context::from_waker(Waker::noop());
    // The writer is busy, so that the second job has to wait.
    let mut busy = Box::pin(store.write("wait", until_free));
    assert!(busy.as_mut().poll(&mut context).is_pending());
    let tell = |signals: &Signals, _: Option<&()>| {
        signals.wake();
        signals.ring_webhooks();
    };
    let mut told = Box::pin(store.write_and_tell("tell", |_| Ok(()), tell));
    assert!(told.as_mut().poll(&mut context).is_pending());
    drop(told);
    let (changed, rung) = (store.changed(), store.webhooks_changed());
    free.send(()).unwrap();
    tokio::time::timeout(PATIENCE, async { tokio::join!(changed, rung) }).await.unwrap();
    busy.await.unwrap();
}

/// Reads of callers who are gone keep nobody waiting.
#[tokio::test]
async fn nobody_reads_for_a_caller_who_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), Executor::Thread { readers: 1 }).unwrap();
    let (free, until_free) = long_job();
    let mut context = Context::from_waker(Waker::noop());
    let mut busy = Box::pin(store.read("wait", until_free));
    assert!(busy.as_mut().poll(&mut context).is_pending());
    let (note, noted) = mpsc::channel();
    let mut gone = Box::pin(store.read("note", move |_| {
        let _ = note.send(());
        Ok(())
    }));
    assert!(gone.as_mut().poll(&mut context).is_pending());
    drop(gone);
    free.send(()).unwrap();
    store.read("go on", |_| Ok(())).await.unwrap();
    assert!(noted.try_recv().is_err(), "it was read all the same");
    busy.await.unwrap();
}
