//! A file of lines, cut into pieces that are sent one by one. However long the file is, one piece is in memory.

use std::io::BufRead;

use anyhow::{Context as _, bail};
use payment_runs_engine::import::LINE_BYTES_MAX;
use payment_runs_engine::separated_values::Records;
use payment_runs_types::ops::ImportFormat;

/// A piece ends with the line in which it reaches so many bytes.
const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// Lines of a piece at most, so that the progress moves and a piece that is lost costs little.
const PIECE_LINES_MAX: u64 = 10_000;

/// How much of a JSON line is sent: one byte more than the server takes, so that it refuses the line under its number.
const JSON_LINE_BYTES_MAX: usize = LINE_BYTES_MAX + 1;

/// Lines that follow each other.
#[derive(Debug)]
pub(super) struct Piece {
    /// As they are sent: those of CSV with the line that names the columns.
    pub(super) body: Vec<u8>,
    /// The number of the first one, from 1.
    pub(super) first_line: u64,
    /// How far the file was read for them, in bytes.
    pub(super) end: u64,
}

/// Cuts a file into pieces.
pub(super) struct Pieces<R> {
    input: R,
    cutter: Cutter,
    /// The line that names the columns.
    head: Vec<u8>,
    /// The number of the next line.
    next_line: u64,
    /// How much was read, in bytes.
    position: u64,
}

/// How the end of a line is found.
enum Cutter {
    /// By its line feed.
    Lines,
    /// As the server finds it, since there may be line feeds inside quotes.
    Records(Box<Records>),
}

impl<R: BufRead> Pieces<R> {
    /// A file from its beginning. Of CSV the line with the names is read at once.
    pub(super) fn new(input: R, format: &ImportFormat) -> anyhow::Result<Self> {
        let is_csv = *format == ImportFormat::Csv;
        let cutter = if is_csv { Cutter::Records(Box::default()) } else { Cutter::Lines };
        let mut pieces = Self { input, cutter, head: Vec::new(), next_line: 0, position: 0 };
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
        match &mut self.cutter {
            Cutter::Lines => self.read_json_line(line),
            Cutter::Records(_) => self.read_record(line),
        }
    }

    fn read_json_line(&mut self, line: &mut Vec<u8>) -> anyhow::Result<bool> {
        let start = line.len();
        loop {
            let bytes = self.input.fill_buf().context(UNREADABLE)?;
            if bytes.is_empty() {
                return Ok(line.len() > start);
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(bytes.len(), |at| at + 1);
            let room = JSON_LINE_BYTES_MAX.saturating_sub(line.len() - start);
            line.extend_from_slice(&bytes[..length.min(room)]);
            self.input.consume(length);
            self.position += u64::try_from(length).unwrap_or(0);
            if end.is_some() {
                if length > room {
                    line.push(b'\n');
                }
                return Ok(true);
            }
        }
    }

    /// Adds the next record as it stands in the file, so that the server finds the same one.
    fn read_record(&mut self, line: &mut Vec<u8>) -> anyhow::Result<bool> {
        let Cutter::Records(records) = &mut self.cutter else { return Ok(false) };
        let mut has_ended = false;
        loop {
            if let Some(record) = records.next_record() {
                line.extend_from_slice(record.bytes);
                if record.is_cut() {
                    line.push(b'\n');
                }
                return Ok(true);
            }
            if has_ended {
                return Ok(false);
            }
            let bytes = self.input.fill_buf().context(UNREADABLE)?;
            let length = bytes.len();
            has_ended = length == 0;
            if has_ended {
                records.finish();
            } else {
                records.push(bytes);
            }
            self.input.consume(length);
            self.position += u64::try_from(length).unwrap_or(0);
        }
    }
}

const UNREADABLE: &str = "the file could not be read";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::io::BufReader;

    use payment_runs_engine::separated_values::RecordFault;

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

    /// The records of a body, and what is wrong with each.
    fn records(body: &[u8]) -> Vec<(Vec<u8>, Option<RecordFault>)> {
        let mut records = Records::default();
        records.push(body);
        records.finish();
        let mut all = Vec::new();
        while let Some(record) = records.next_record() {
            all.push((record.text().to_vec(), record.fault));
        }
        all
    }

    #[test]
    fn columns_are_named_in_each_piece_and_quotes_hold_lines_together() {
        for size in [1, 3, 1_000] {
            let file = b"a,b\r\n1,\"x\r\ny\"\r\n\r\n2,\"\"\"\n\"\r\n3,z";
            assert_eq!(pieces(file, &ImportFormat::Csv, size, 1).len(), 1);
            let rest = pieces(file, &ImportFormat::Csv, size, 3);
            assert_eq!(rest, [(3, "a,b\r\n3,z".to_owned())]);
            assert!(pieces(b"a,b\n\n", &ImportFormat::Csv, size, 1).is_empty());
        }
    }

    /// Whatever is wrong with a file, the server finds in the pieces what it would find in the file, under the same numbers.
    #[test]
    fn malformed_records_are_the_same_in_a_piece_as_in_the_file() {
        let long = "y".repeat(LINE_BYTES_MAX + 5);
        let file = format!(
            "a,b\n1,\"x\n2,\"y\"\n3,\"y\" z\n4, \"y\"\n5,\"{long}\n6,{long}\n\u{feff}7,z\n8,a\rb\n9,z\n10,\"\n11,{long}\n12,z\n13,a\r"
        );
        let whole = records(file.as_bytes());
        assert_eq!(whole.len(), 14, "every line of text is one");
        assert_eq!(whole.iter().filter(|(_, fault)| fault.is_some()).count(), 10);
        for first in 1..=13 {
            let mut rest =
                Pieces::new(BufReader::with_capacity(7, file.as_bytes()), &ImportFormat::Csv).unwrap();
            rest.skip_to(first).unwrap();
            let body = rest.next().unwrap().unwrap().body;
            let skipped = usize::try_from(first).unwrap();
            assert_eq!(records(&body)[1..], whole[skipped..], "from line {first}");
            // A piece that ends behind a line says the same of that line.
            let mut one = Pieces::new(file.as_bytes(), &ImportFormat::Csv).unwrap();
            one.skip_to(first).unwrap();
            let mut body = one.head.clone();
            assert!(one.read_line(&mut body).unwrap());
            let alone = records(&body);
            assert_eq!((alone.len(), alone[1].1.is_some()), (2, whole[skipped].1.is_some()), "line {first}");
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
        let file = format!("a,b\n1,\"{}\n2,z\n", "x".repeat(5_000_000));
        let all = pieces(file.as_bytes(), &ImportFormat::Csv, 8_192, 1);
        let faults: Vec<_> = records(all[0].1.as_bytes()).into_iter().map(|(_, fault)| fault).collect();
        assert_eq!(faults, [None, Some(RecordFault::TooLong), None]);
        assert!(all[0].1.len() < 2 * LINE_BYTES_MAX);
    }

    #[test]
    fn another_file_is_noticed() {
        let mut pieces = Pieces::new(b"{}\n{}\n".as_slice(), &ImportFormat::Ndjson).unwrap();
        assert!(pieces.skip_to(4).unwrap_err().to_string().contains("the file ends with line 2"));
    }
}
