//! A file of lines, cut into pieces that are sent one by one. However long the file is, one piece is in memory.

use std::io::BufRead;

use anyhow::{Context as _, bail};
use csv_core::ReadRecordResult;
use payment_runs_types::ops::ImportFormat;

/// A piece ends with the line in which it reaches so many bytes.
const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// Lines of a piece at most, so that the progress moves and a piece that is lost costs little.
const PIECE_LINES_MAX: u64 = 10_000;

/// How much of a JSON line is sent: one byte more than the server takes, so that it refuses the line under its number.
const JSON_LINE_BYTES_MAX: usize = 64 * 1024 + 1;

/// Bytes of a record of CSV at most. A longer one is rather a quote that is never closed.
const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Lines that follow each other.
#[derive(Debug)]
pub(super) struct Piece {
    /// As they are sent: those of CSV with the line that names the columns.
    pub(super) body: Vec<u8>,
    /// The number of the first one, from 1.
    pub(super) first_line: u64,
    /// Where they end in the file, in bytes.
    pub(super) end: u64,
}

/// Cuts a file into pieces.
pub(super) struct Pieces<R> {
    input: R,
    ends: Ends,
    /// The line that names the columns.
    head: Vec<u8>,
    /// The number of the next line.
    next_line: u64,
    /// How much was read, in bytes.
    position: u64,
}

impl<R: BufRead> Pieces<R> {
    /// A file from its beginning. Of CSV the line with the names is read at once.
    pub(super) fn new(input: R, format: &ImportFormat) -> anyhow::Result<Self> {
        let is_csv = *format == ImportFormat::Csv;
        let ends = if is_csv { Ends::Records(Box::default()) } else { Ends::Lines };
        let mut pieces = Self { input, ends, head: Vec::new(), next_line: 0, position: 0 };
        if is_csv {
            let mut head = Vec::new();
            pieces.read_line(&mut head)?;
            pieces.head = head;
        }
        pieces.next_line = 1;
        Ok(pieces)
    }

    /// Passes over the lines before a number.
    pub(super) fn skip_to(&mut self, line: u64) -> anyhow::Result<()> {
        let mut passed = Vec::new();
        while self.next_line < line {
            passed.clear();
            if !self.read_line(&mut passed)? {
                bail!(
                    "the import goes on with line {line}, but the file ends with line {}: is it the same file?",
                    self.next_line.saturating_sub(1)
                );
            }
            self.next_line += 1;
        }
        Ok(())
    }

    /// The next piece; nothing at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Piece>> {
        let first_line = self.next_line;
        let mut body = self.head.clone();
        while body.len() < PIECE_BYTES_MAX && self.next_line - first_line < PIECE_LINES_MAX {
            if !self.read_line(&mut body)? {
                break;
            }
            self.next_line += 1;
        }
        let is_empty = self.next_line == first_line;
        Ok((!is_empty).then_some(Piece { body, first_line, end: self.position }))
    }

    /// Adds the next line with its end; `false` when there is none.
    fn read_line(&mut self, line: &mut Vec<u8>) -> anyhow::Result<bool> {
        let start = line.len();
        loop {
            let bytes = self.input.fill_buf().context("the file could not be read")?;
            if bytes.is_empty() {
                return Ok(match &mut self.ends {
                    Ends::Lines => line.len() > start,
                    Ends::Records(records) => records.end(),
                });
            }
            let (length, has_ended) = self.ends.find(bytes);
            let (most, is_json) = match self.ends {
                Ends::Lines => (JSON_LINE_BYTES_MAX, true),
                Ends::Records(_) => (RECORD_BYTES_MAX, false),
            };
            let room = most.saturating_sub(line.len() - start);
            line.extend_from_slice(&bytes[..length.min(room)]);
            self.input.consume(length);
            self.position += u64::try_from(length).unwrap_or(0);
            if length > room && !is_json {
                bail!(
                    "line {} has more than {RECORD_BYTES_MAX} bytes: is a quote not closed?",
                    self.next_line
                );
            }
            if has_ended {
                if length > room {
                    line.push(b'\n');
                }
                return Ok(true);
            }
        }
    }
}

/// How the end of a line is found.
enum Ends {
    /// By its line feed.
    Lines,
    /// As a reader of CSV finds it, since there may be line feeds inside quotes.
    Records(Box<Records>),
}

impl Ends {
    /// How many bytes belong to the line under way, and whether it ends with them.
    fn find(&mut self, bytes: &[u8]) -> (usize, bool) {
        match self {
            Self::Lines => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (bytes.len(), false),
            },
            Self::Records(records) => records.find(bytes),
        }
    }
}

/// Reads records only for their ends.
struct Records {
    reader: csv_core::Reader,
    values: [u8; 4 * 1024],
    ends: [usize; 64],
}

impl Default for Records {
    fn default() -> Self {
        Self { reader: csv_core::Reader::new(), values: [0; 4 * 1024], ends: [0; 64] }
    }
}

impl Records {
    fn find(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut length = 0;
        while length < bytes.len() {
            let (result, taken, _, _) =
                self.reader.read_record(&bytes[length..], &mut self.values, &mut self.ends);
            length += taken;
            if result == ReadRecordResult::Record {
                return (length, true);
            }
        }
        (length, false)
    }

    /// The file has ended; whether a record ends with it.
    fn end(&mut self) -> bool {
        loop {
            match self.reader.read_record(&[], &mut self.values, &mut self.ends).0 {
                ReadRecordResult::Record => return true,
                ReadRecordResult::End | ReadRecordResult::InputEmpty => return false,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::io::BufReader;

    use super::*;

    /// The first line and the text of each piece, read in buffers of a size.
    fn pieces(file: &[u8], format: &ImportFormat, size: usize, from: u64) -> Vec<(u64, String)> {
        let mut pieces = Pieces::new(BufReader::with_capacity(size, file), format).unwrap();
        pieces.skip_to(from).unwrap();
        let mut all = Vec::new();
        while let Some(piece) = pieces.next().unwrap() {
            all.push((piece.first_line, String::from_utf8(piece.body).unwrap()));
        }
        assert_eq!(pieces.position, u64::try_from(file.len()).unwrap(), "everything was read");
        all
    }

    #[test]
    fn a_small_file_is_one_piece() {
        for size in [1, 3, 1_000] {
            let file = b"{}\n\n{}\r\n{}";
            assert_eq!(
                pieces(file, &ImportFormat::Ndjson, size, 1),
                [(1, String::from_utf8_lossy(file).into())]
            );
            assert_eq!(pieces(file, &ImportFormat::Ndjson, size, 3), [(3, "{}\r\n{}".to_owned())]);
            assert!(pieces(file, &ImportFormat::Ndjson, size, 5).is_empty());
            assert!(pieces(b"", &ImportFormat::Ndjson, size, 1).is_empty());
        }
    }

    #[test]
    fn columns_are_named_in_each_piece_and_quotes_hold_lines_together() {
        for size in [1, 3, 1_000] {
            let file = b"a,b\r\n1,\"x\r\ny\"\r\n\r\n2,\"\"\"\n\"\r\n3,z";
            let all = pieces(file, &ImportFormat::Csv, size, 1);
            assert_eq!(all.len(), 1);
            let rest = pieces(file, &ImportFormat::Csv, size, 3);
            let mut reader = csv_core::Reader::new();
            assert_eq!(rest[0].0, 3);
            assert!(rest[0].1.starts_with("a,b") && rest[0].1.ends_with("3,z"), "{rest:?}");
            // What is left is the line with the names and one record.
            let mut bytes = rest[0].1.as_bytes();
            let mut records = 0;
            loop {
                let (result, taken, _, _) = reader.read_record(bytes, &mut [0; 64], &mut [0; 8]);
                bytes = &bytes[taken..];
                match result {
                    ReadRecordResult::Record => records += 1,
                    ReadRecordResult::End => break,
                    _ => {}
                }
            }
            assert_eq!(records, 2);
            assert!(pieces(b"a,b\n\n", &ImportFormat::Csv, size, 1).is_empty());
        }
    }

    #[test]
    fn pieces_are_bounded_and_lose_nothing() {
        let file = (1..=25_000).map(|line| line.to_string()).collect::<Vec<_>>().join("\n") + "\n";
        let all = pieces(file.as_bytes(), &ImportFormat::Ndjson, 8_192, 1);
        assert_eq!(all.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [1, 10_001, 20_001]);
        assert_eq!(all.iter().map(|(_, text)| text.as_str()).collect::<String>(), file);
        let wide = format!("{}\n", "x".repeat(60_000)).repeat(40);
        let all = pieces(wide.as_bytes(), &ImportFormat::Ndjson, 8_192, 1);
        assert!(all.iter().all(|(_, text)| text.len() <= PIECE_BYTES_MAX + 60_001));
        assert_eq!(all.iter().map(|(_, text)| text.len()).sum::<usize>(), wide.len());
    }

    #[test]
    fn lines_without_end_take_no_memory() {
        let file = format!("{{}}\n{}\n{{}}\n", "x".repeat(5_000_000));
        let all = pieces(file.as_bytes(), &ImportFormat::Ndjson, 8_192, 1);
        let lines: Vec<usize> = all[0].1.lines().map(str::len).collect();
        assert_eq!(lines, [2, JSON_LINE_BYTES_MAX, 2], "it is refused for its length, under its number");
        let file = format!("a,b\n1,\"{}", "x".repeat(5_000_000));
        let mut open = Pieces::new(file.as_bytes(), &ImportFormat::Csv).unwrap();
        assert!(open.next().unwrap_err().to_string().starts_with("line 1 has more than"));
    }

    #[test]
    fn another_file_is_noticed() {
        let mut pieces = Pieces::new(b"{}\n{}\n".as_slice(), &ImportFormat::Ndjson).unwrap();
        assert!(pieces.skip_to(4).unwrap_err().to_string().contains("the file ends with line 2"));
    }
}
