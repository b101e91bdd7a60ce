//! `cargo xtask spec compat`: no released contract may break those who call it.
//!
//! The crate `drift` walks two documents and tells what changed. It judges operations, parameters, bodies and statuses;
//! what it leaves open about schemas is judged here, by direction: a request may only become laxer, an answer only
//! stricter. Whatever neither understands counts as a break.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use drift::{Change, ChangeClass, ChangeComparison, ChangeInfo, ChangePath};
use serde_json::Value;

use crate::spec;

mod judge;

/// Where the documents of the last release stand.
pub const RELEASED: &str = "openapi/released";

/// One thing that breaks callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Break {
    /// The document.
    pub file: String,
    /// Where, in the released document.
    pub place: String,
    /// What changed.
    pub what: String,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}\n  {}", self.file, self.place, self.what)
    }
}

/// The outcome of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The documents that were compared.
    pub compared: Vec<String>,
    /// Sorted, each once.
    pub breaks: Vec<Break>,
}

/// Compares every document of `base` (relative to `root`) with the one of its name in `openapi/`.
pub fn run(root: &Path, base: &Path) -> Result<Report> {
    let mut report = Report::default();
    let Ok(entries) = std::fs::read_dir(root.join(base)) else { return Ok(report) };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.with_context(|| format!("list {}", base.display()))?.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "yaml") {
            names.extend(name.to_str().map(str::to_owned));
        }
    }
    names.sort();
    for name in names {
        let file = format!("openapi/{name}");
        let old = document(root, &base.join(&name))?;
        if root.join(&file).exists() {
            let new = document(root, Path::new(&file))?;
            report.breaks.extend(compare(&file, &old, &new)?);
        } else {
            report.breaks.push(Break {
                file: file.clone(),
                place: "#/".to_owned(),
                what: "the API is gone".to_owned(),
            });
        }
        report.compared.push(file);
    }
    Ok(report)
}

fn document(root: &Path, path: &Path) -> Result<Value> {
    let file = path.to_string_lossy();
    let text = std::fs::read_to_string(root.join(path)).with_context(|| format!("read {file}"))?;
    Ok(spec::read(&file, &text)?)
}

/// What breaks callers of `old` when the server follows `new`.
pub fn compare(file: &str, old: &Value, new: &Value) -> Result<Vec<Break>> {
    let mut breaks = Vec::new();
    for change in drift::compare(old, new).with_context(|| format!("compare {file}"))? {
        for info in &change.changes {
            for (place, what) in broken(old, new, &change, info) {
                breaks.push(Break { file: file.to_owned(), place, what });
            }
        }
    }
    for (place, what) in judge::nullability(old, new) {
        breaks.push(Break { file: file.to_owned(), place, what });
    }
    breaks.sort();
    breaks.dedup();
    Ok(breaks)
}

/// The places that one change breaks, with the reason.
fn broken(old: &Value, new: &Value, change: &Change, info: &ChangeInfo) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in &change.paths {
        let place = whole(path.old.base_and_subpath().0, &info.old_subpath);
        match info.class {
            ChangeClass::Trivial | ChangeClass::ForwardIncompatible => {}
            // A caller must take any status of these classes for a failure, documented or not.
            ChangeClass::BackwardIncompatible if adds_a_failure(&info.message) => {}
            ChangeClass::BackwardIncompatible | ChangeClass::Incompatible => {
                found.push((place, info.message.clone()));
            }
            ChangeClass::Unhandled => {
                let reasons = judged(old, new, path, info);
                found.extend(reasons.into_iter().map(|reason| (place.clone(), reason)));
            }
        }
    }
    found
}

fn adds_a_failure(message: &str) -> bool {
    let status = message.strip_prefix("operation added a new response code ");
    status.is_some_and(|status| status.starts_with(['4', '5']))
}

fn judged(old: &Value, new: &Value, path: &ChangePath, info: &ChangeInfo) -> Vec<String> {
    let at = |document: &Value, base: &str, below: &str| {
        document.pointer(whole(base, below).trim_start_matches('#')).cloned()
    };
    let before = at(old, path.old.base_and_subpath().0, &info.old_subpath);
    let after = at(new, path.new.base_and_subpath().0, &info.new_subpath);
    match (before, after, path.comparison) {
        (Some(before), Some(after), ChangeComparison::Input) => judge::request(&before, &after),
        (Some(before), Some(after), ChangeComparison::Output) => judge::answer(&before, &after),
        _ => vec![format!("{} (not understood, so taken for a break)", info.message)],
    }
}

fn whole(base: &str, below: &str) -> String {
    if below.is_empty() { base.to_owned() } else { format!("{base}/{below}") }
}
