//! The file of a store: who may open it, by which name, and what it leaves behind.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod damage;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use payment_runs_engine::ids::EntityKey;
use payment_runs_engine::ports::{Access as _, Ledger as _, StoreError};
use payment_runs_store::{BackupError, Executor, OpenError, Origin, Sequence, SqliteStore, back_up};

/// Names the file that the child process of a test works on.
const FILE: &str = "PAYMENT_RUNS_STORE_TEST_FILE";
/// How often a store is closed right after calls. It left its log once in five times.
const CLOSES: u32 = 40;
/// Calls that a close meets.
const READS: usize = 8;

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Executor::thread()).unwrap()
}

fn refusal(path: &Path) -> OpenError {
    SqliteStore::open(path, Executor::thread()).unwrap_err()
}

/// A change that is committed and lies in the log.
async fn change(store: &SqliteStore) {
    store
        .ensure_entity(EntityKey(7), payment_runs_engine::ids::EntityId::from_u128(7), "Late")
        .await
        .unwrap();
}

async fn entities(store: &SqliteStore) -> usize {
    store.entities().await.unwrap().len()
}

/// Copies a file without this process opening it, which would drop the locks of whoever has it open here.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[cfg(unix)]
#[test]
fn a_file_is_opened_once_by_whatever_name() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("store.db");
    drop(open(&path));
    let near = folder.path().join("near.db");
    let symbolic = other.path().join("symbolic.db");
    let hard = folder.path().join("sub/hard.db");
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::os::unix::fs::symlink(&path, &symbolic).unwrap();
    std::fs::hard_link(&path, &near).unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    let store = open(&path);
    let is_in_use = |name: &Path| assert!(matches!(refusal(name), OpenError::InUse { .. }), "{name:?}");
    for name in [&path, &near, &symbolic, &hard] {
        is_in_use(name);
    }
    let locks: Vec<_> =
        names(folder.path()).into_iter().filter(|name| name.starts_with("payment-runs-")).collect();
    assert_eq!(locks.len(), 1);
    std::fs::remove_file(folder.path().join(&locks[0])).unwrap();
    is_in_use(&path);
    let moved = folder.path().join("moved.db");
    std::fs::rename(&path, &moved).unwrap();
    is_in_use(&moved);
    let log = refusal(&path);
    assert!(matches!(log, OpenError::LogAlone { .. }), "the name is free, but its log is in use: {log:?}");
    std::fs::rename(&moved, &path).unwrap();
    drop(store);
    drop(open(&hard));
}

#[tokio::test]
async fn a_file_that_is_closed_in_order_is_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut origin = Origin::New;
    for _ in 0..CLOSES {
        let store = open(&path);
        assert_eq!(store.origin(), origin);
        origin = Origin::Closed;
        change(&store).await;
        let mut reads = tokio::task::JoinSet::new();
        for _ in 0..READS {
            let store = store.clone();
            reads.spawn(async move { store.check().await });
        }
        tokio::task::yield_now().await;
        let closing = store.clone();
        tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
        assert_eq!(names(folder.path()), ["store.db"]);
        for read in reads.join_all().await {
            assert!(matches!(read, Ok(()) | Err(StoreError::Closed)), "{read:?}");
        }
        let late = store.check().await.unwrap_err();
        assert!(matches!(late, StoreError::Closed), "{late:?}");
    }
}

#[tokio::test]
async fn a_plain_copy_of_an_open_file_is_refused_unless_it_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (path, alone) = (folder.path().join("store.db"), folder.path().join("alone.db"));
    let store = open(&path);
    change(&store).await;
    copy(&path, &alone);
    for _ in 0..2 {
        let error = refusal(&alone);
        assert!(matches!(error, OpenError::Copy { .. }), "{error:?}");
        assert!(error.to_string().contains("--restored"), "{error}");
        // Whoever looks into it does not make it better.
        let looked: i64 = rusqlite::Connection::open(&alone)
            .unwrap()
            .query_row("SELECT count(*) FROM entity", [], |row| row.get(0))
            .unwrap();
        assert_eq!(looked, 0, "the change was in the log");
    }
    std::fs::write(with_suffix(&alone, "-wal"), []).unwrap();
    assert!(matches!(refusal(&alone), OpenError::Copy { .. }), "an empty log is none");
    let restored = SqliteStore::open_restored(&alone, Executor::Inline).unwrap();
    assert_eq!((restored.origin(), entities(&restored).await), (Origin::Copy, 0));
    drop(restored);
    assert_eq!(SqliteStore::open(&alone, Executor::Inline).unwrap().origin(), Origin::Closed);

    let both = folder.path().join("both.db");
    for suffix in ["", "-wal"] {
        copy(&with_suffix(&path, suffix), &with_suffix(&both, suffix));
    }
    let both = open(&both);
    assert_eq!((both.origin(), entities(&both).await), (Origin::LeftOpen, 1));
}

#[tokio::test]
async fn a_copy_that_sqlite_makes_of_an_open_file_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    change(&store).await;
    let (vacuumed, paged) = (folder.path().join("vacuumed.db"), folder.path().join("paged.db"));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("VACUUM INTO ?1", [vacuumed.to_str().unwrap()]).unwrap();
    other.backup("main", &paged, None::<fn(_)>).unwrap();
    for copy in [vacuumed, paged] {
        let copied = open(&copy);
        assert_eq!((copied.origin(), entities(&copied).await), (Origin::Copy, 1), "{copy:?}");
        drop(copied);
        assert_eq!(open(&copy).origin(), Origin::Closed);
    }
}

#[test]
fn a_file_of_no_bytes_is_refused_and_so_is_a_log_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::fs::write(&path, []).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Empty { .. }) && error.to_string().contains("0 bytes"), "{error:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "it was not touched");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(with_suffix(&path, "-wal"), [7; 4096]).unwrap();
    assert!(matches!(refusal(&path), OpenError::LogAlone { .. }));
    std::fs::remove_file(with_suffix(&path, "-wal")).unwrap();
    assert_eq!(open(&path).origin(), Origin::New);
    assert_eq!(names(folder.path()), ["store.db"]);
}

/// Opens the file in a process that is then killed.
fn leave_open(path: &Path) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_leaves_its_file_open", "--ignored"])
        .env(FILE, path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success(), "it ended itself by force");
    assert!(with_suffix(path, "-wal").exists());
}

/// A process that is killed leaves its log, and the next start goes on, even when it had only just begun.
#[test]
fn a_file_that_was_left_open_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    for kills in 1..=3 {
        leave_open(&path);
        if kills == 3 {
            assert_eq!(open(&path).origin(), Origin::LeftOpen);
            assert_eq!(names(folder.path()), ["store.db"], "also the lock of the killed one is gone");
            assert_eq!(open(&path).origin(), Origin::Closed);
        }
    }
}

#[test]
#[ignore = "it is started by another test, and aborts"]
fn child_that_leaves_its_file_open() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let _store = open(Path::new(&path));
    std::process::abort();
}

/// What cannot be written at the end stays in the log, as after a crash.
#[tokio::test]
async fn a_sequence_that_was_pinned_last_is_there_after_the_close() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    for next in 2..50 {
        store.pin_sequence(EntityKey::FIRST, Sequence::PaymentRun, next).await.unwrap();
    }
    store.close();
    let alone = folder.path().join("alone.db");
    std::fs::copy(&path, &alone).unwrap();
    let last: i64 = rusqlite::Connection::open(&alone)
        .unwrap()
        .query_row("SELECT max(next) FROM sequence", [], |row| row.get(0))
        .unwrap();
    assert_eq!(last, 49);
}

/// The copy is whole although somebody writes all the time, and it is a file that was closed in order.
#[tokio::test]
async fn a_backup_of_a_file_at_work_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("store.db"), folder.path().join("backup.db"));
    let store = open(&path);
    change(&store).await;
    let making = {
        let (path, backup) = (path.clone(), backup.clone());
        tokio::task::spawn_blocking(move || back_up(&path, &backup).unwrap())
    };
    let mut next = 2;
    while !making.is_finished() {
        store.pin_sequence(EntityKey::FIRST, Sequence::PaymentRun, next).await.unwrap();
        next += 1;
    }
    let made = making.await.unwrap();
    assert_eq!((made.bytes, made.rows["entity"]), (std::fs::metadata(&backup).unwrap().len(), 1));
    let again = back_up(&path, &backup).unwrap_err();
    assert!(matches!(again, BackupError::Exists { .. }), "{again:?}");
    assert!(with_suffix(&path, "-wal").exists(), "the server's log is left alone");
    store.check().await.unwrap();
    let restored = SqliteStore::open(&backup, Executor::Inline).unwrap();
    assert_eq!((restored.origin(), entities(&restored).await), (Origin::Closed, 1));
    drop((restored, store));
    assert_eq!(names(folder.path()), ["backup.db", "store.db"], "nothing is left over");
}

#[test]
fn a_backup_leaves_what_a_crash_left_and_takes_no_plain_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let backup = |name: &str| back_up(&path, &folder.path().join(name));
    let missing = backup("missing.db").unwrap_err();
    assert!(matches!(missing, BackupError::Open(OpenError::Find { .. })), "{missing:?}");
    drop(open(&path));
    backup("closed.db").unwrap();
    assert_eq!(names(folder.path()), ["closed.db", "store.db"], "a closed file stays alone");
    leave_open(&path);
    backup("crashed.db").unwrap();
    assert_eq!(open(&folder.path().join("crashed.db")).origin(), Origin::Closed);
    std::fs::copy(&path, folder.path().join("plain.db")).unwrap();
    let plain = back_up(&folder.path().join("plain.db"), &folder.path().join("never.db")).unwrap_err();
    assert!(matches!(plain, BackupError::Open(OpenError::Copy { .. })), "{plain:?}");
    assert!(!folder.path().join("never.db").exists());
    assert_eq!(open(&path).origin(), Origin::LeftOpen, "the log is still there");
}

#[tokio::test]
async fn a_backup_of_a_damaged_file_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("store.db"), folder.path().join("backup.db"));
    let store = open(&path);
    for entity in 2..2_000_i32 {
        let id = payment_runs_engine::ids::EntityId::from_u128(u128::from(entity.unsigned_abs()));
        store.ensure_entity(EntityKey(entity), id, &"x".repeat(200)).await.unwrap();
    }
    store.close();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 4096 * 8].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let error = back_up(&path, &backup).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. } | BackupError::Copy(_)), "{error:?}");
    let left = names(folder.path());
    assert!(
        left.iter().all(|name| name.starts_with("store.db")),
        "neither a backup nor a part of one: {left:?}"
    );
}

/// A store that another program keeps from writing says so; nothing is stored, and later all goes on.
#[tokio::test]
async fn a_file_that_another_program_holds_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    other.execute_batch("ROLLBACK").unwrap();
    store.check().await.unwrap();
}

/// A damaged page is told as such, and the file counts as damaged until it is opened again.
#[tokio::test]
async fn a_damaged_page_fails_every_later_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    change(&store).await;
    drop(store);
    damage::spoil_root_page(&path, "entity");
    let store = open(&path);
    store.check().await.unwrap();
    let error = store.entities().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}
