//! Developer commands as a library, so that tests can run the same checks.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a developer's tool may stop with a message")]

use std::path::{Path, PathBuf};

pub mod codegen;
pub mod dependencies;
pub mod exercised;
pub mod foreign;
pub mod spec;
pub mod spec_compat;
pub mod test_command;

/// The project's root folder.
///
/// # Panics
///
/// Never: this package stands in a folder of the root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the project's root").to_path_buf()
}
