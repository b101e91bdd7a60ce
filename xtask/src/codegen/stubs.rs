//! The stubs emitter.

use anyhow::Result;

use super::OutputFile;
use crate::spec::ir::Api;

/// Emits nothing yet.
pub fn emit(_api: &Api) -> Result<Vec<OutputFile>> {
    Ok(Vec::new())
}
