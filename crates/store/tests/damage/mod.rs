//! Damage to a database file that nobody has open.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Overwrites the first page of a table.
pub(crate) fn spoil_root_page(path: &Path, table: &str) {
    let db = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let root: u32 = db.query_row(sql, [table], |row| row.get(0)).unwrap();
    let page_size: u32 = db.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    drop(db);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let spoilt = vec![0xa5; usize::try_from(page_size).unwrap()];
    file.write_all_at(&spoilt, u64::from((root - 1) * page_size)).unwrap();
}
