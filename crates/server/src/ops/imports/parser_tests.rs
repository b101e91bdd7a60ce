//! The readers of lines against whatever may arrive, in whatever pieces.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use payment_runs_engine::import::{ImportKind, LINE_FAULTS_MAX, Line, LineFormat};
use payment_runs_engine::payment_method::card_number::holds_card_number;
use payment_runs_engine::ports::Ids;

use super::lines::LineReader;
use crate::corpus;

/// How many times as many cases as the configuration says.
const EFFORT: u32 = 2;
/// The sizes of the pieces in which a body arrives, beside all of it at once.
const PIECES: [usize; 3] = [1, 5, 64];
const KINDS: [ImportKind; 4] =
    [ImportKind::Accounts, ImportKind::PaymentMethods, ImportKind::Documents, ImportKind::Credits];

struct Counting(AtomicU64);

impl Ids for Counting {
    fn next_id(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// The lines of a body that arrives in pieces, and where its next line would be; `None` where its columns are refused.
fn read(kind: ImportKind, format: LineFormat, body: &[u8], piece: usize) -> Option<(Vec<Line>, u64)> {
    let mut reader = LineReader::new(kind, format, Arc::new(Counting(AtomicU64::new(1))), 1, 1);
    let mut lines = Vec::new();
    for bytes in body.chunks(piece.max(1)) {
        reader.push(bytes, |line, _| lines.push(line)).ok()?;
    }
    reader.push(b"", |line, _| lines.push(line)).ok()?;
    Some((lines, reader.next_line()))
}

fn check(format: LineFormat, body: &[u8]) {
    for kind in KINDS {
        let whole = read(kind, format, body, body.len());
        for piece in PIECES {
            assert_eq!(read(kind, format, body, piece), whole, "in pieces of {piece}");
        }
        let Some((lines, next)) = whole else { continue };
        assert!(lines.is_sorted_by(|one, other| one.number < other.number));
        assert!(lines.iter().all(|line| (1..next).contains(&line.number)));
        for line in lines {
            let Err(faults) = line.content else { continue };
            assert!((1..=LINE_FAULTS_MAX).contains(&faults.len()), "{faults:?}");
            for fault in faults {
                let tells = [&fault.field, &fault.message].into_iter().any(|text| holds_card_number(text));
                assert!(!tells, "{fault:?}");
            }
        }
    }
}

#[test]
fn lines_of_names_and_values() {
    const WORDS: &[&str] = &[
        "\n",
        "\r\n",
        "{",
        "}",
        "\"",
        "\\",
        ",",
        ":",
        "null",
        "1e9",
        "-0.001",
        "\"amount\"",
        "\"number\"",
        "\"account\"",
        "4000 0000 0000 0341",
        "\u{feff}",
    ];
    corpus::throw_at("import-ndjson", EFFORT, WORDS, |input| check(LineFormat::Named, input));
}

#[test]
fn lines_of_columns() {
    const WORDS: &[&str] = &[
        "\n",
        "\r",
        "\r\n",
        ",",
        "\"",
        "\"\"",
        ",,",
        ";",
        "number",
        "name",
        "currency",
        "amount",
        "account",
        "4000 0000 0000 0341",
        "\u{feff}",
        "true",
    ];
    corpus::throw_at("import-csv", EFFORT, WORDS, |input| check(LineFormat::Columns, input));
}
