//! Located errors: what is wrong in a document, where, and how to mend it.

use std::fmt;

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The document, as the user names it: `openapi/v1.yaml`.
    pub file: String,
    /// JSON pointer of the place; empty for the whole document.
    pub pointer: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{}#{pointer}\n  {}\n  mend: {}", self.file, self.what, self.mend)
    }
}

/// Everything that is wrong, in the order it was met. Never empty.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.0 {
            writeln!(f, "{fault}")?;
        }
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} fault{plural}", self.0.len())
    }
}
