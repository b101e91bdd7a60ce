//! A file of an earlier version is brought up to date with all that is in it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use rusqlite::Connection;

use super::open_file::{OpenFile, Opening};
use super::schema;

/// The steps before the one that made the audit trail wider.
const STEPS_BEFORE: usize = 3;

#[test]
fn the_audit_trail_of_an_earlier_version_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let old = Connection::open(&path).unwrap();
    for sql in &schema::MIGRATIONS[..STEPS_BEFORE] {
        old.execute_batch(sql).unwrap();
    }
    old.pragma_update(None, "user_version", i64::try_from(STEPS_BEFORE).unwrap()).unwrap();
    old.execute_batch(
        "INSERT INTO event (entity, run, id, at, kind, payment, state, detail) VALUES
             (1, zeroblob(16), 2, 20, 9, zeroblob(16), 3, 'x'), (1, x'', 1, 10, 8, zeroblob(16), 0, NULL);
         INSERT INTO once (client, key, fingerprint, expires_at) VALUES ('c', 'k', zeroblob(32), 9);",
    )
    .unwrap();
    drop(old);

    let file = OpenFile::open(&path, Opening::default()).unwrap();
    let db = &file.db;
    let mut statement =
        db.prepare("SELECT id, run IS NULL, at, kind, state, detail FROM event ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, bool>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, i64>(3)?,
            row.get::<_, i64>(4)?,
            row.get::<_, Option<String>>(5)?,
        ))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, [(1, true, 10, 8, 0, None), (2, false, 20, 9, 3, Some("x".to_owned()))]);
    assert!(db.execute("DELETE FROM event", []).is_err(), "the trail is guarded as before");
    let waiting: i64 =
        db.query_row("SELECT count(*) FROM once WHERE payment IS NULL", [], |row| row.get(0)).unwrap();
    assert_eq!(waiting, 1);
}
