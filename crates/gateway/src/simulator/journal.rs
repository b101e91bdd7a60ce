//! The journal of charges: what the simulated bank swears happened.
//!
//! Every charge is one line of JSON, handed to the operating system before its answer is written,
//! so it outlives the simulator's process. A delivery that is answered from a saved answer is a
//! line, too, marked as a replay: it is counted, but it moved no money. One line names the account at which the bank
//! charges, so that a bank that starts again is the same one.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::behaviour::Standing;
use super::intent::{Hex, Intent};
use super::request::reference_in;

/// No line is longer: a request has at most 64 KiB, and escapes make at most six bytes of one.
const LINE_BYTES_MAX: u64 = 512 * 1024;
/// Room for a usual line, so that reading does not start by growing.
const LINE_CAPACITY: usize = 1_024;

/// How the line of the account begins, and no other one.
const ACCOUNT_LINE_START: &[u8] = b"{\"account\":";

/// The line that names the account.
#[derive(Debug, Serialize, Deserialize)]
struct AccountLine {
    account: String,
}

/// How a charge stood when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalOutcome {
    /// The money was collected.
    Succeeded,
    /// The charge was refused.
    Declined,
    /// The charge was accepted and not settled yet.
    Processing,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The order in which the bank saw the deliveries; unique.
    pub sequence: u64,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// The payment intent charged, `pi_…`.
    pub payment_intent: String,
    /// The `Idempotency-Key` header, where there was one.
    pub idempotency_key: Option<String>,
    /// The caller's own reference (`metadata[reference]`), where there was one.
    pub reference: Option<String>,
    /// Amount in minor units.
    pub amount_minor: i64,
    /// Three lower-case letters.
    pub currency: String,
    /// The token charged.
    pub payment_method: String,
    /// How the charge stood.
    pub outcome: JournalOutcome,
    /// The error code of a refused charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The decline code of a refused charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<String>,
    /// Whether this delivery was answered from the answer of an earlier one: no money moved.
    pub replay: bool,
    /// Stands for the parameters, in hexadecimal; what the key is checked against.
    pub fingerprint: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// All metadata, in the order given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<(String, String)>,
    /// Whether the key answers 500 although the charge was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub saved_error: bool,
}

impl JournalEntry {
    /// The entry of a charge.
    pub fn of_charge(intent: &Intent) -> Self {
        let standing = intent.standing(intent.at_ms);
        let (outcome, decline) = match standing {
            Standing::Succeeded => (JournalOutcome::Succeeded, None),
            Standing::Processing => (JournalOutcome::Processing, None),
            Standing::Declined(decline) => (JournalOutcome::Declined, Some(decline)),
        };
        Self {
            sequence: intent.sequence,
            at_ms: intent.at_ms,
            payment_intent: format!("pi_{}", intent.id.hex()),
            idempotency_key: intent.idempotency_key.as_deref().map(str::to_owned),
            reference: reference_in(&intent.metadata).map(str::to_owned),
            amount_minor: intent.amount_minor,
            currency: intent.currency().to_owned(),
            payment_method: intent.payment_method.to_string(),
            outcome,
            code: decline.map(|decline| decline.code.to_owned()),
            decline_code: decline.and_then(|decline| decline.decline_code).map(str::to_owned),
            replay: false,
            fingerprint: Hex(&intent.fingerprint).to_string(),
            description: intent.description.as_deref().map(str::to_owned),
            metadata: intent
                .metadata
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            saved_error: intent.saved_error,
        }
    }

    /// The entry of a delivery that was answered from that charge's answer.
    pub fn of_replay(intent: &Intent, sequence: u64, at_ms: i64) -> Self {
        Self { sequence, at_ms, replay: true, ..Self::of_charge(intent) }
    }

    /// Whether this line stands for money taken, or about to be.
    pub fn moved_money(&self) -> bool {
        !self.replay && self.outcome != JournalOutcome::Declined
    }
}

/// What a journal adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalTotals {
    /// Charges made, whatever their outcome.
    pub charges: u64,
    /// Deliveries answered from a saved answer.
    pub replays: u64,
    /// Charges that succeeded.
    pub succeeded: u64,
    /// Charges that were refused.
    pub declined: u64,
    /// Charges that are not settled yet.
    pub processing: u64,
    /// Minor units collected, by currency, sorted; processing charges are not in it.
    pub collected: Vec<(String, i128)>,
    /// References for which money was taken more than once, sorted.
    pub charged_twice: Vec<String>,
}

impl JournalTotals {
    /// Adds up a journal.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a JournalEntry>) -> Self {
        let mut totals = Self::default();
        let mut collected: HashMap<&str, i128> = HashMap::new();
        let mut charged: HashMap<&str, u32> = HashMap::new();
        for entry in entries {
            if entry.replay {
                totals.replays += 1;
                continue;
            }
            totals.charges += 1;
            match entry.outcome {
                JournalOutcome::Declined => totals.declined += 1,
                JournalOutcome::Processing => totals.processing += 1,
                JournalOutcome::Succeeded => {
                    totals.succeeded += 1;
                    *collected.entry(&entry.currency).or_default() += i128::from(entry.amount_minor);
                }
            }
            if let (true, Some(reference)) = (entry.moved_money(), &entry.reference) {
                *charged.entry(reference).or_default() += 1;
            }
        }
        totals.collected = collected.into_iter().map(|(currency, sum)| (currency.to_owned(), sum)).collect();
        totals.collected.sort_unstable();
        totals.charged_twice = charged
            .into_iter()
            .filter(|(_, times)| *times > 1)
            .map(|(reference, _)| reference.to_owned())
            .collect();
        totals.charged_twice.sort_unstable();
        totals
    }
}

/// A journal file that cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file cannot be opened.
    #[error("cannot open the journal {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the journal {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the journal")]
    Write(#[source] io::Error),
    /// A line is no journal entry.
    #[error("line {line} of the journal {} is no entry", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A line that no journal holds.
    #[error("line {line} of the journal {} is longer than {LINE_BYTES_MAX} bytes", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
    },
    /// A line names a payment intent or token that is none.
    #[error("line {line} of the journal names no known {what}")]
    Foreign {
        /// Counted from 1.
        line: u64,
        /// The field.
        what: &'static str,
    },
}

/// Reads a journal file, for example to reconcile it after its simulator has ended. A last line
/// that was cut short is left out: its charge was never answered, and never recorded.
pub fn read_journal(path: &Path) -> Result<Vec<JournalEntry>, JournalError> {
    let file = File::open(path).map_err(|source| JournalError::Open { path: path.to_owned(), source })?;
    read_lines(&file, path).map(|lines| lines.entries)
}

/// What a journal file holds.
#[derive(Debug, Default)]
struct Lines {
    account: Option<String>,
    entries: Vec<JournalEntry>,
    /// The length in bytes of the lines that are whole.
    whole_bytes: u64,
}

fn read_lines(file: &File, path: &Path) -> Result<Lines, JournalError> {
    let mut reader = BufReader::new(file);
    let mut lines = Lines::default();
    let mut text = Vec::with_capacity(LINE_CAPACITY);
    for line in 1_u64.. {
        text.clear();
        let read = reader
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut text)
            .map_err(|source| JournalError::Read { path: path.to_owned(), source })?;
        if text.pop() != Some(b'\n') {
            if read as u64 == LINE_BYTES_MAX {
                return Err(JournalError::TooLong { path: path.to_owned(), line });
            }
            break;
        }
        let no_line = |source| JournalError::Line { path: path.to_owned(), line, source };
        if text.starts_with(ACCOUNT_LINE_START) {
            let AccountLine { account } = serde_json::from_slice(&text).map_err(no_line)?;
            lines.account = Some(account);
        } else {
            lines.entries.push(serde_json::from_slice(&text).map_err(no_line)?);
        }
        lines.whole_bytes += read as u64;
    }
    Ok(lines)
}

/// The journal on disk.
#[derive(Debug)]
pub struct JournalFile {
    end: Mutex<End>,
}

/// Where the next line goes.
#[derive(Debug)]
struct End {
    file: File,
    /// The length of all lines that are whole.
    whole_bytes: u64,
}

impl JournalFile {
    /// Opens or creates the file and reads what it holds: the account, if it names one, and the entries. A line that was cut
    /// short is removed.
    pub fn open(path: &Path) -> Result<(Self, Option<String>, Vec<JournalEntry>), JournalError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| JournalError::Open { path: path.to_owned(), source })?;
        let Lines { account, entries, whole_bytes } = read_lines(&file, path)?;
        file.set_len(whole_bytes)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(|source| JournalError::Read { path: path.to_owned(), source })?;
        Ok((Self { end: Mutex::new(End { file, whole_bytes }) }, account, entries))
    }

    /// Appends the line that names the account, which it gives back.
    pub fn append_account(&self, account: String) -> Result<String, JournalError> {
        let line = AccountLine { account };
        self.append_line(&line).map_err(JournalError::Write)?;
        Ok(line.account)
    }

    /// Appends one line. When this returns, the operating system has it: it survives the end of
    /// this process, though not a power cut. A line that could not be written whole is taken back.
    pub fn append(&self, entry: &JournalEntry) -> io::Result<()> {
        self.append_line(entry)
    }

    fn append_line(&self, line: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let whole_bytes = end.whole_bytes;
        if let Err(error) = end.file.write_all(&line) {
            end.file.set_len(whole_bytes)?;
            end.file.seek(SeekFrom::Start(whole_bytes))?;
            return Err(error);
        }
        end.whole_bytes = whole_bytes + line.len() as u64;
        Ok(())
    }

    /// A journal that no line can be written to.
    #[cfg(test)]
    pub(super) fn unwritable(path: &Path) -> io::Result<Self> {
        let end = End { file: File::open(path)?, whole_bytes: 0 };
        Ok(Self { end: Mutex::new(end) })
    }
}
