//! Makes a failing schedule short: parts of its world and faults are left out as long as it still fails in the same way.

use crate::schedule::{Config, Report, SimError, Template, run_script};
use crate::script::{Entry, Script};

/// Schedules that are played to find a shorter one, at most: some seconds.
const TRIES_MAX: u32 = 1_000;

/// A failing schedule, as short as it could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The short schedule, with its history.
    pub report: Report,
    /// Its script, which repeats it exactly.
    pub script: Script,
    /// How many entries the script of the whole schedule has.
    pub entries_before: usize,
    /// Schedules that were played.
    pub tries: u32,
}

/// Shortens a schedule that fails. `None` when the script does not repeat the failure, which would be a fault of the
/// simulator.
pub fn shrink(config: &Config, template: &Template, failed: &Report) -> Result<Option<Shrunk>, SimError> {
    let Some(kind) = failed.violations.first().map(|violation| kind_of(violation)) else { return Ok(None) };
    let quiet = Config { keeps_history: false, ..config.clone() };
    let mut hunt = Hunt { config: &quiet, template, seed: failed.seed, kind, tries: 0 };
    let entries = failed.script.entries();
    let entries_before = entries.len();
    if !hunt.still_fails(&entries) {
        return Ok(None);
    }
    let entries = hunt.reduce(entries);
    let script: Script = entries.into_iter().collect();
    let loud = Config { keeps_history: true, ..config.clone() };
    let report = run_script(&loud, template, failed.seed, Some(&script))?;
    Ok(Some(Shrunk { report, script, entries_before, tries: hunt.tries }))
}

struct Hunt<'a> {
    config: &'a Config,
    template: &'a Template,
    seed: u64,
    kind: String,
    tries: u32,
}

impl Hunt<'_> {
    /// Whether a script with these entries fails in the same way.
    fn still_fails(&mut self, entries: &[Entry]) -> bool {
        self.tries += 1;
        let script: Script = entries.iter().cloned().collect();
        let report = run_script(self.config, self.template, self.seed, Some(&script));
        report.is_ok_and(|report| report.violations.iter().any(|one| kind_of(one) == self.kind))
    }

    /// Leaves out ever smaller groups of neighbours, until no single entry can be spared.
    fn reduce(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let mut size = entries.len().div_ceil(2);
        while size > 0 && self.tries < TRIES_MAX {
            let mut has_shrunk = false;
            let mut at = 0;
            while at < entries.len() && self.tries < TRIES_MAX {
                let mut fewer = entries.clone();
                fewer.drain(at..(at + size).min(entries.len()));
                if self.still_fails(&fewer) {
                    entries = fewer;
                    has_shrunk = true;
                } else {
                    at += size;
                }
            }
            if size > 1 || !has_shrunk {
                size /= 2;
            }
        }
        entries
    }
}

/// What a violation says without the names in it: words with figures.
fn kind_of(violation: &str) -> String {
    let is_plain = |word: &&str| !word.contains(|letter: char| letter.is_ascii_digit());
    violation.split_whitespace().filter(is_plain).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_violation_leaves_names_out() {
        assert_eq!(kind_of("payment 00ab was charged twice"), "payment was charged twice");
        assert_eq!(kind_of("P-00000012 is still in state 0"), kind_of("P-7 is still in state 1"));
        assert_ne!(kind_of("P-1 is still held"), kind_of("P-1 is lost"));
    }
}
