//! SQLite is built without the code that loads extensions, so no SQL can bring foreign code into the process.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use rusqlite::Connection;

#[test]
fn extensions_cannot_be_loaded() {
    let db = Connection::open_in_memory().unwrap();
    let mut options = db.prepare("SELECT compile_options FROM pragma_compile_options").unwrap();
    let options: Vec<String> = options.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(options.iter().any(|option| option == "OMIT_LOAD_EXTENSION"), "{options:?}");
    let refused = db.query_row("SELECT load_extension('x')", [], |_| Ok(())).unwrap_err().to_string();
    assert!(refused.contains("no such function"), "{refused}");
}
