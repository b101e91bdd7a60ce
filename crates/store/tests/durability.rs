//! What a file keeps when its process ends, and who may open it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod damage;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{EntityKey, Key};
use payment_runs_engine::ports::{Ids, Ledger, Schedules, StoreError, Work};
use payment_runs_engine::run::RunStatus;
use payment_runs_store::conformance::{Encoder, Numbers, Stand, large, schedules, work};
use payment_runs_store::{Executor, OpenError, Sequence, SqliteStore};

/// Names the file that the child process of a test works on.
const FILE: &str = "PAYMENT_RUNS_STORE_TEST_FILE";

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Executor::thread()).unwrap()
}

#[tokio::test]
async fn a_file_is_opened_by_one_store_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    for executor in [Executor::thread(), Executor::Inline] {
        let error = SqliteStore::open(&path, executor).unwrap_err();
        assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
        assert!(error.to_string().contains("in use"), "{error}");
    }
    let clone = store.clone();
    drop(store);
    assert!(SqliteStore::open(&path, Executor::Inline).is_err(), "a clone still has it open");
    drop(clone);
    SqliteStore::open(&path, Executor::Inline).unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(open(&path));
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let error = SqliteStore::open(&path, Executor::Inline).unwrap_err();
    assert!(matches!(error, OpenError::TooNew { found: 999, .. }), "{error:?}");
}

#[tokio::test]
async fn a_closed_and_reopened_file_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    store.pin_sequence(EntityKey::FIRST, Sequence::PaymentRun, 6).await.unwrap();
    work::a_second_opening_gives_the_intents_back(Stand::new(&store)).await;
    drop(store);
    // The run that the case left behind at work is there, with its intents, in a store of the other kind.
    let store = SqliteStore::open(&path, Executor::Inline).unwrap();
    let far = jiff::Timestamp::from_second(4_000_000_000).unwrap();
    let claim = store.claim_chunk(far, far).await.unwrap().unwrap();
    let opened = store.open_chunk(&claim, far, Arc::new(Encoder), Arc::new(Numbers::new(1))).await.unwrap();
    assert_eq!((opened.fresh, opened.intents.len()), (false, 2));
    let scope = payment_runs_engine::account::Scope::entity(EntityKey::FIRST);
    let pinned = payment_runs_engine::ids::Key::new("PR-00000006");
    assert!(store.find_run(&scope, &pinned).await.unwrap().is_some());
}

/// A process that is killed right after a transaction was acknowledged loses nothing of it, leaves nothing half done, and
/// leaves no lock behind.
#[test]
fn a_killed_process_leaves_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--ignored", "--nocapture"])
        .env(FILE, &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "it ended itself by force");

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = open(&path);
        store.check().await.unwrap();
        let far = jiff::Timestamp::from_second(4_000_000_000).unwrap();
        let mut intents = 0;
        while let Some(claim) =
            store.claim_chunk(far, far + jiff::SignedDuration::from_secs(1)).await.unwrap()
        {
            let opened =
                store.open_chunk(&claim, far, Arc::new(Encoder), Arc::new(Numbers::new(1))).await.unwrap();
            assert!(!opened.fresh, "all of it was planned");
            intents += opened.intents.len();
        }
        assert_eq!(intents, 12);
    });
}

#[tokio::test]
#[ignore = "it is started by another test, and aborts"]
async fn child_that_is_killed() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let store = open(Path::new(&path));
    large::a_large_account_is_opened_in_order(Stand::new(&store)).await;
    std::process::abort();
}

#[tokio::test]
async fn a_write_that_cannot_be_made_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let claim = payment_runs_engine::ports::ChunkClaim {
        entity: EntityKey::FIRST,
        run: payment_runs_engine::ids::RunId::from_u128(1),
        chunk: Some(0),
        epoch: 1,
        stage: payment_runs_engine::ports::ChunkStage::Ready,
    };
    let error = store.close_chunk(&claim, jiff::Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseLost), "a chunk that does not exist is nobody's: {error:?}");
}

/// Identifiers whose maker is gone.
struct Nobody;

impl Ids for Nobody {
    fn next_id(&self) -> u128 {
        panic!("there is nobody to make an identifier")
    }
}

/// Whatever cuts the work off between the start of an occurrence and the making of the next one takes both back.
#[tokio::test]
async fn an_occurrence_starts_together_with_the_next_one_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let schedule = schedules::daily_schedule(Stand::new(&store)).await;
    let pending = schedule.next.clone().unwrap();
    let (due, until) = (pending.at, pending.at + jiff::SignedDuration::from_secs(30));
    let error = store.claim_selection(due, until, Arc::new(Nobody)).await.unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }), "{error:?}");
    drop(store);

    let store = open(&path);
    let scope = Scope::entity(EntityKey::FIRST);
    let find =
        async || store.find_schedule(&scope, &Key::new(schedule.id.to_string())).await.unwrap().unwrap();
    assert_eq!(find().await, schedule, "nothing has happened");
    assert_eq!(store.next_run_at().await.unwrap(), Some(due));
    let claim = store.claim_selection(due, until, Arc::new(Numbers::new(9_000))).await.unwrap().unwrap();
    assert_eq!(claim.run, pending.run);
    drop(store);

    let store = open(&path);
    let begun =
        async || store.find_schedule(&scope, &Key::new(schedule.id.to_string())).await.unwrap().unwrap();
    assert_eq!((begun().await.started, begun().await.last_run), (1, Some(pending.run)));
    let again = store.claim_selection(due, until, Arc::new(Numbers::new(9_100))).await.unwrap().unwrap();
    assert_eq!(again.run, pending.run, "the selection that was left behind goes on");
    assert_eq!(begun().await.started, 1, "without starting anything anew");
    assert_eq!(store.next_run_at().await.unwrap(), begun().await.next.map(|next| next.at));
}

/// A run that cannot be read keeps no other from ending, and does not come up again.
#[tokio::test]
async fn a_run_that_cannot_be_read_ends_in_error_and_others_end_as_they_should() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let [broken, sound] = work::two_runs_at_their_end(Stand::new(&open(&path))).await;
    let edit = |sql: &str| {
        let file = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(file.execute(sql, [broken.to_bytes()]).unwrap(), 1);
    };
    edit("UPDATE run SET target_date = 'never' WHERE id = ?1");
    let now = jiff::Timestamp::from_second(4_000_000_000).unwrap();
    let store = open(&path);
    assert_eq!(store.finish_runs(now).await.unwrap().len(), 2);
    assert!(store.finish_runs(now).await.unwrap().is_empty());
    drop(store);
    edit("UPDATE run SET target_date = '2026-01-01' WHERE id = ?1");
    let store = open(&path);
    let run = async |id: payment_runs_engine::ids::RunId| {
        let scope = Scope::entity(EntityKey::FIRST);
        store.find_run(&scope, &Key::new(id.to_string())).await.unwrap().unwrap()
    };
    assert_eq!((run(sound).await.status, run(sound).await.completed_at), (RunStatus::Completed, Some(now)));
    let failed = run(broken).await;
    assert_eq!((failed.status, failed.completed_at), (RunStatus::Error, Some(now)));
    assert!(failed.error_message.unwrap().contains("never"));
}

/// Runs whose counters lie on a damaged page end in error, and do not come up again.
#[tokio::test]
async fn runs_on_a_damaged_page_end_in_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    work::two_runs_at_their_end(Stand::new(&open(&path))).await;
    damage::spoil_root_page(&path, "chunk_tally");
    let now = jiff::Timestamp::from_second(4_000_000_000).unwrap();
    let store = open(&path);
    for ended in [1, 1, 0] {
        assert_eq!(store.finish_runs(now).await.unwrap().len(), ended);
    }
    drop(store);
    let db = rusqlite::Connection::open(&path).unwrap();
    let sql =
        "SELECT count(*) FROM run WHERE status = 3 AND error_message = 'a page of the database is damaged'";
    assert_eq!(db.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap(), 2);
}
