//! Is every documented operation called with success by a test? The kit of the integration tests writes down what it judged;
//! this looks at what is not among it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::codegen;

/// Names the file to the tests, as a path below the project's root; without it they write nothing down.
pub const VARIABLE: &str = "PAYMENT_RUNS_EXERCISED_FILE";

/// Where the tests write, below the project's root.
pub const FILE: &str = "target/exercised/operations";

/// Forgets what earlier tests wrote, and makes room for new ones.
pub fn clear(root: &Path) -> Result<()> {
    let file = path(root);
    let folder = file.parent().context("the file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    std::fs::write(&file, "").with_context(|| format!("empty {}", file.display()))
}

/// Fails with the operations that no test has called with success.
pub fn check(root: &Path) -> Result<usize> {
    let file = path(root);
    let lines = std::fs::read_to_string(&file)
        .with_context(|| format!("read {}, which `cargo xtask test` writes", file.display()))?;
    let apis = codegen::load_all(root)?;
    let operations: Vec<(&str, &str)> = apis
        .iter()
        .flat_map(|api| api.operations.iter().map(|operation| (api.name.as_str(), operation.id.as_str())))
        .collect();
    let missing = missing(&operations, &lines);
    if missing.is_empty() {
        return Ok(operations.len());
    }
    bail!("no integration test calls these with success:\n  {}", missing.join("\n  "))
}

fn path(root: &Path) -> PathBuf {
    root.join(FILE)
}

/// The operations without a line that says that they answered with a status of success.
fn missing(operations: &[(&str, &str)], lines: &str) -> Vec<String> {
    let done: BTreeSet<(&str, &str)> = lines.lines().filter_map(success).collect();
    let left = operations.iter().filter(|operation| !done.contains(operation));
    left.map(|(api, operation)| format!("{api} {operation}")).collect()
}

/// The API and the operation of a line, if it tells of a success: `v1 createPaymentRun 200`.
fn success(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ');
    let (api, operation, status) = (words.next()?, words.next()?, words.next()?);
    let status: u16 = status.parse().ok()?;
    ((200..300).contains(&status) && words.next().is_none()).then_some((api, operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_counts() {
        let operations = [("v1", "getA"), ("v2", "getA"), ("v1", "createB"), ("ops", "getC")];
        let lines = "v1 getA 200\nv2 getA 404\nv1 createB 201\nops getC 20\n\nops getC 200 half a line";
        assert_eq!(missing(&operations, lines), ["v2 getA", "ops getC"]);
        assert_eq!(missing(&operations, "").len(), 4);
    }
}
