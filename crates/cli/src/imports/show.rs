//! How far an import is, and what became of it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use indicatif::{HumanCount, ProgressBar};
use payment_runs_client::Connection;
use payment_runs_types::ops::{Import, ImportFault};
use serde_json::json;

use super::number;

const COLORED: &str = "{bar:30.cyan/blue} {bytes} of {total_bytes}  {msg}";
const PLAIN: &str = "{bar:30} {bytes} of {total_bytes}  {msg}";
const ENDLESS: &str = "{spinner} {bytes}  {msg}";

/// Lines with faults that are shown to people when no file was named for them.
const FAULTS_SHOWN: usize = 10;

/// Shows how far an import is: a bar on a terminal, nothing elsewhere.
pub(super) struct Watch {
    bar: ProgressBar,
    /// The number of the line with which this call began.
    first_line: u64,
}

impl Watch {
    /// Begins to measure the time.
    pub(super) fn new(size: Option<u64>, first_line: i64) -> Self {
        let (colored, plain) = if size.is_some() { (COLORED, PLAIN) } else { (ENDLESS, ENDLESS) };
        let bar = crate::bar(size, colored, plain);
        Self { bar, first_line: number(first_line) }
    }

    /// The file was sent up to a byte.
    pub(super) fn show(&self, position: u64, import: &Import) {
        self.bar.set_position(position);
        let outcome = self.outcome(import.clone());
        self.bar.set_message(format!(
            "{} lines, {} refused, {} a second",
            HumanCount(outcome.lines),
            HumanCount(number(import.lines_refused)),
            HumanCount(outcome.lines_per_second()),
        ));
    }

    /// Everything was sent.
    pub(super) fn finish(self, import: Import) -> Outcome {
        self.bar.finish_and_clear();
        self.outcome(import)
    }

    fn outcome(&self, import: Import) -> Outcome {
        let lines = number(import.next_line).saturating_sub(self.first_line);
        Outcome { lines, took: self.bar.elapsed(), import }
    }
}

/// What became of an import.
pub(super) struct Outcome {
    /// The import in the end.
    pub(super) import: Import,
    /// Lines that were sent in this call.
    lines: u64,
    /// How long that took.
    took: Duration,
}

impl Outcome {
    fn lines_per_second(&self) -> u64 {
        let took_ms = self.took.as_millis().max(1);
        u64::try_from(u128::from(self.lines) * 1_000 / took_ms).unwrap_or(u64::MAX)
    }

    /// Tells it on standard output.
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        let seconds = self.took.as_secs_f64();
        if as_json {
            let import = serde_json::to_value(&self.import)?;
            let rate = self.lines_per_second();
            println!(
                "{}",
                json!({ "import": import, "lines": self.lines, "seconds": seconds, "lines_per_second": rate })
            );
            return Ok(());
        }
        println!(
            "{} lines in {seconds:.1} s, {} a second; the import {} has {} lines stored, {} refused",
            HumanCount(self.lines),
            HumanCount(self.lines_per_second()),
            self.import.id,
            HumanCount(number(self.import.lines_stored)),
            HumanCount(number(self.import.lines_refused)),
        );
        Ok(())
    }
}

/// Tells which lines were refused, and why: all of them to a file, or the first ones to standard error.
pub(super) async fn faults(
    connection: &Connection,
    import: &Import,
    to: Option<&Path>,
) -> anyhow::Result<()> {
    let mut faults = pin!(connection.ops().list_import_faults().id(import.id.clone()).stream());
    let mut file = match to {
        Some(path) => {
            let file = File::create(path);
            Some(BufWriter::new(file.with_context(|| format!("`{}` could not be made", path.display()))?))
        }
        None => None,
    };
    let mut shown = 0;
    while let Some(fault) = faults.try_next().await.context("the refused lines could not be listed")? {
        if let Some(file) = &mut file {
            serde_json::to_writer(&mut *file, &fault)?;
            file.write_all(b"\n").context("a refused line could not be written")?;
        } else if shown < FAULTS_SHOWN {
            shown += 1;
            eprintln!("{}", line(&fault));
        } else {
            eprintln!("…; --faults-to FILE writes all of them");
            break;
        }
    }
    if let Some(mut file) = file {
        file.flush().context("the refused lines could not be written")?;
    }
    Ok(())
}

/// A refused line in words.
fn line(fault: &ImportFault) -> String {
    let reasons: Vec<String> = fault
        .errors
        .iter()
        .map(|error| match &error.parameter {
            Some(field) => format!("{field}: {}", error.message),
            None => error.message.clone(),
        })
        .collect();
    format!("line {}: {}", fault.line, reasons.join("; "))
}
