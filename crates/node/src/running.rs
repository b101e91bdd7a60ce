//! Work that goes on as long as the node, and the way to end it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use payment_runs_engine::ports::{BoxFuture, Spawner as _};
use tokio::sync::{oneshot, watch};

use crate::system::SystemSpawner;

/// How long work that has panicked is left alone before it begins anew.
const PAUSE: Duration = Duration::from_secs(1);

/// A worker at work, and the way to end it.
pub(crate) struct RunningWorker {
    /// Whoever drops this says that the work is to end.
    stop: watch::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl RunningWorker {
    /// Runs what `begin` makes in the background; it is given a future that is ready when it is to end. Work that panics begins
    /// anew: all that it needs is in the store, and a server that answers while nobody works would leave runs waiting for ever.
    pub(crate) fn start<F>(
        name: &'static str,
        spawner: &SystemSpawner,
        begin: impl Fn(BoxFuture<'static, ()>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(());
        let (end, ended) = oneshot::channel();
        let task = async move {
            while AssertUnwindSafe(begin(heard(stopped.clone()))).catch_unwind().await.is_err() {
                tracing::error!(name, "work has panicked and begins anew");
                // The pause is a real one also where a test holds the time. A stop cuts it short.
                if tokio::time::timeout(PAUSE, heard(stopped.clone())).await.is_ok() {
                    break;
                }
            }
            // Nobody may be waiting any more.
            let _ = end.send(());
        };
        spawner.spawn(name, Box::pin(task));
        Self { stop, ended }
    }

    /// Lets what is in hand end, at most this long.
    pub(crate) async fn stop(self, at_most: Duration) {
        drop(self.stop);
        if tokio::time::timeout(at_most, self.ended).await.is_err() {
            tracing::warn!("a worker did not end in time; its work is taken up at the next start");
        }
    }
}

/// Ready when the work is to end: when the other half is gone, be it because the node was stopped or dropped.
fn heard(mut stopped: watch::Receiver<()>) -> BoxFuture<'static, ()> {
    Box::pin(async move { while stopped.changed().await.is_ok() {} })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn work_that_panics_begins_anew_and_ends_when_it_is_to() {
        let spawner = SystemSpawner::default();
        let (begun, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let counts = (begun.clone(), ended.clone());
        let worker = RunningWorker::start("flighty", &spawner, move |stop| {
            let (counts, tell) = (counts.clone(), tell.clone());
            async move {
                let time = counts.0.fetch_add(1, Ordering::SeqCst);
                assert!(time > 0, "the first time goes wrong");
                let _ = tell.send(());
                stop.await;
                counts.1.fetch_add(1, Ordering::SeqCst);
            }
        });
        let second = tokio::time::timeout(PATIENCE, told.recv()).await;
        assert_eq!(second, Ok(Some(())), "it is at work again");
        worker.stop(PATIENCE).await;
        assert_eq!((begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst)), (2, 1));
    }

    #[tokio::test]
    async fn work_ends_with_its_node() {
        let spawner = SystemSpawner::default();
        drop(RunningWorker::start("orphan", &spawner, |stop| stop));
        assert!(spawner.drain(PATIENCE).await, "it ends though nobody stopped it");
    }
}
