//! The conformance suite against SQLite, with both executors.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail by panicking")]

use payment_runs_store::conformance::{self, Stand};
use payment_runs_store::{Executor, SqliteStore};

macro_rules! cases {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        mod thread {
            $(#[tokio::test]
            async fn $name() {
                super::with_store(super::Executor::thread(), async |stand| {
                    super::conformance::$module::$name(stand).await;
                })
                .await;
            })+
        }
        mod inline {
            $(#[tokio::test]
            async fn $name() {
                super::with_store(super::Executor::Inline, async |stand| {
                    super::conformance::$module::$name(stand).await;
                })
                .await;
            })+
        }
    };
}

payment_runs_store::for_each_case!(cases);

async fn with_store(executor: Executor, case: impl AsyncFnOnce(Stand<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), executor).unwrap();
    case(Stand::new(&store)).await;
}
