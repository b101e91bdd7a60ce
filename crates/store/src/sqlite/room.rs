//! Room on the disk that holds the database file.

use std::path::Path;

use payment_runs_engine::ports::StoreError;

/// Less room than this counts as a full disk, in bytes: a batch of payments and its log would not fit for long.
const ROOM_MIN_BYTES: u64 = 4 * 1024 * 1024;

/// Why a server stops saying that it is ready before a write has failed.
#[derive(Debug, thiserror::Error)]
#[error("the disk is full: {left_bytes} bytes are left")]
struct NoRoom {
    left_bytes: u64,
}

/// Fails when the disk that holds the file is full, or nearly so. A disk that cannot be asked counts as having room.
pub(super) fn check_room(path: &Path) -> Result<(), StoreError> {
    match left_bytes(path) {
        Some(left_bytes) if left_bytes < ROOM_MIN_BYTES => {
            let source = Box::new(NoRoom { left_bytes });
            Err(StoreError::Write { doing: "keep room for what is to be written", source })
        }
        _ => Ok(()),
    }
}

/// What a process without privileges may still write.
#[cfg(unix)]
fn left_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn left_bytes(_: &Path) -> Option<u64> {
    None
}
