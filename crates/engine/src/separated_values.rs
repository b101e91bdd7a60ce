//! Comma-separated values, cut into records as RFC 4180 writes them. Server and command line cut with the same code, so that
//! both count the same lines.
//!
//! A record that is malformed costs no other line: its first line is given alone, with what is wrong, and the reading goes on
//! with the line after that.

use crate::import::LINE_BYTES_MAX;

/// Lines of text over which a record may go on inside quotes: more than any imported text needs, and few enough that a file
/// full of open quotes, which is looked at again from each of its lines, takes seconds and not hours.
pub const RECORD_LINES_MAX: usize = 256;

/// The mark that some programs put before a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes that are kept of a line that is too long: one more than a line with a carriage return may have, so that who
/// reads what was kept refuses it, too.
const KEPT_BYTES_MAX: usize = LINE_BYTES_MAX + 2;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The input ends inside quotes, or they hold too much.
    #[error("opens a quote that is not closed within {RECORD_LINES_MAX} lines and {LINE_BYTES_MAX} bytes")]
    OpenQuote,
    /// Something other than a comma or a line end stands behind a closing quote.
    #[error("has text behind a closing quote; a quote inside quotes is written twice")]
    TextBehindQuote,
    /// A quoted value begins with blanks.
    #[error("has blanks before a quote")]
    BlankBeforeQuote,
    /// A carriage return outside quotes stands alone.
    #[error("has a carriage return without a line feed")]
    CarriageReturn,
    /// A later line begins as only a file does.
    #[error("begins with a byte order mark, as where two files were put together")]
    ByteOrderMark,
    /// It has more than [`LINE_BYTES_MAX`] bytes.
    #[error("has more than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// It has not as many values as the first record.
    #[error("has {values} values where the first line names {names} columns")]
    Width {
        /// How many it has.
        values: usize,
        /// How many the first record has.
        names: usize,
    },
}

/// A record, or a line that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its bytes with the line end, if it has one. Those of a line that is too long are cut off.
    pub bytes: &'a [u8],
    /// What is wrong with it; it is then one line.
    pub fault: Option<RecordFault>,
}

impl<'a> Record<'a> {
    /// Its bytes without the line end.
    pub fn text(&self) -> &'a [u8] {
        line_text(self.bytes)
    }

    /// Whether only the beginning of a line that is too long was kept.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() == KEPT_BYTES_MAX && !self.bytes.ends_with(b"\n")
    }
}

/// Where in a record a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// At the beginning of a value.
    #[default]
    Start,
    /// In a value without quotes that has nothing but blanks so far.
    Blank,
    /// In a value without quotes. A quote in it stands for itself, as in `19" rack`.
    Plain,
    /// Inside quotes.
    Quoted,
    /// Behind a quote that closes, unless another one follows.
    Closed,
    /// Behind a carriage return outside quotes.
    CarriageReturn,
}

/// What a byte leads to.
enum Step {
    To(State),
    End,
    Bad(RecordFault),
}

const fn step(state: State, byte: u8) -> Step {
    match (state, byte) {
        (State::Quoted, b'"') => Step::To(State::Closed),
        (State::Quoted, _) | (State::Start | State::Closed, b'"') => Step::To(State::Quoted),
        (State::Blank, b'"') => Step::Bad(RecordFault::BlankBeforeQuote),
        (_, b'\n') => Step::End,
        (State::CarriageReturn, _) => Step::Bad(RecordFault::CarriageReturn),
        (_, b'\r') => Step::To(State::CarriageReturn),
        (_, b',') => Step::To(State::Start),
        (State::Closed, _) => Step::Bad(RecordFault::TextBehindQuote),
        (State::Start | State::Blank, b' ' | b'\t') => Step::To(State::Blank),
        (State::Start | State::Blank | State::Plain, _) => Step::To(State::Plain),
    }
}

/// Cuts an input that arrives in pieces into records. Empty lines are none.
#[derive(Debug, Default)]
pub struct Records {
    buffer: Vec<u8>,
    /// The beginning of the input was looked at.
    has_begun: bool,
    /// No more input comes.
    has_ended: bool,
    /// Values of the first record.
    width: Option<usize>,
    /// Where in the buffer the record under way begins.
    start: usize,
    /// Where in the buffer the next byte to be looked at stands.
    at: usize,
    state: State,
    /// Commas between the values of the record under way.
    commas: usize,
    /// Line ends inside its quotes.
    lines: usize,
    /// Where in the buffer its first line ends, once it has.
    first_line_end: Option<usize>,
    /// What is wrong with the line under way, whose end is looked for.
    bad: Option<RecordFault>,
}

/// Where a record ends in the buffer, and what is wrong with it.
struct Found {
    end: usize,
    fault: Option<RecordFault>,
}

impl Records {
    /// Takes a piece of the input. What it holds is given by [`Self::next_record`], before the next piece is taken.
    pub fn push(&mut self, input: &[u8]) {
        let passed = std::mem::take(&mut self.start);
        self.buffer.drain(..passed);
        self.at -= passed;
        self.first_line_end = self.first_line_end.map(|end| end - passed);
        self.buffer.extend_from_slice(input);
    }

    /// The input has ended.
    pub fn finish(&mut self) {
        self.has_ended = true;
    }

    /// The next record; nothing where more input is needed, or where the input has ended and all of it was given.
    pub fn next_record(&mut self) -> Option<Record<'_>> {
        if !self.pass_mark() {
            return None;
        }
        loop {
            let found = match self.look() {
                None if self.has_ended => self.look_at_end()?,
                found => found?,
            };
            let start = std::mem::replace(&mut self.start, found.end);
            self.begin();
            let kept = found.fault.map_or(found.end, |_| found.end.min(start + KEPT_BYTES_MAX));
            if found.fault.is_some() || !line_text(&self.buffer[start..kept]).is_empty() {
                return Some(Record { bytes: &self.buffer[start..kept], fault: found.fault });
            }
        }
    }

    /// Passes over the mark before the first line; `false` where more input is needed to see whether there is one.
    fn pass_mark(&mut self) -> bool {
        if self.has_begun {
            return true;
        }
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.start = BYTE_ORDER_MARK.len();
            self.at = self.start;
        }
        self.has_begun = self.has_ended || self.at > 0 || !BYTE_ORDER_MARK.starts_with(&self.buffer);
        self.has_begun
    }

    /// Begins a record at the place where the last one ends.
    fn begin(&mut self) {
        self.at = self.start;
        self.state = State::Start;
        self.commas = 0;
        self.lines = 0;
        self.first_line_end = None;
        self.bad = None;
    }

    /// Looks for the end of the record under way.
    fn look(&mut self) -> Option<Found> {
        while self.bad.is_none() {
            let byte = *self.buffer.get(self.at)?;
            let fault = match step(self.state, byte) {
                Step::Bad(fault) => Some(fault),
                Step::To(state) => self.go_on(state, byte),
                Step::End => {
                    self.at += 1;
                    return Some(self.end_record());
                }
            };
            if let (Some(_), Some(end)) = (fault, self.first_line_end) {
                return Some(Found { end, fault });
            }
            self.bad = fault;
        }
        self.look_for_line_end()
    }

    /// Passes over a byte of the record under way; a fault where it goes on for too long.
    fn go_on(&mut self, state: State, byte: u8) -> Option<RecordFault> {
        self.at += 1;
        self.commas += usize::from(byte == b',' && state == State::Start);
        self.state = state;
        if byte == b'\n' {
            self.first_line_end.get_or_insert(self.at);
            self.lines += 1;
        }
        let is_too_long = self.at - self.start >= KEPT_BYTES_MAX;
        match self.first_line_end {
            None => is_too_long.then_some(RecordFault::TooLong),
            Some(_) if state != State::Quoted => is_too_long.then_some(RecordFault::TooLong),
            Some(_) => (is_too_long || self.lines >= RECORD_LINES_MAX).then_some(RecordFault::OpenQuote),
        }
    }

    /// The record whose end was reached. One of several lines that is no good is taken for a quote that a later line closed
    /// by chance.
    fn end_record(&mut self) -> Found {
        let text = line_text(&self.buffer[self.start..self.at]);
        let values = self.commas + 1;
        let fault = if text.len() > LINE_BYTES_MAX {
            Some(RecordFault::TooLong)
        } else if text.starts_with(BYTE_ORDER_MARK) {
            Some(RecordFault::ByteOrderMark)
        } else if text.is_empty() {
            None
        } else {
            let names = *self.width.get_or_insert(values);
            (values != names).then_some(RecordFault::Width { values, names })
        };
        let first = self.first_line_end.unwrap_or(self.at);
        Found { end: fault.map_or(self.at, |_| first), fault }
    }

    /// Looks for the end of a line that is no good, of which a bounded part is kept.
    fn look_for_line_end(&mut self) -> Option<Found> {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        if let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
            return Some(Found { end: self.at + length + 1, fault: self.bad });
        }
        self.buffer.truncate(self.start + KEPT_BYTES_MAX);
        self.at = self.buffer.len();
        None
    }

    /// What the last line is, which has no line end; nothing where there is none.
    fn look_at_end(&mut self) -> Option<Found> {
        if self.start == self.buffer.len() {
            return None;
        }
        let fault = match self.state {
            State::Quoted => Some(RecordFault::OpenQuote),
            State::CarriageReturn => Some(RecordFault::CarriageReturn),
            _ => None,
        };
        match self.bad.or(fault) {
            None => Some(self.end_record()),
            fault => Some(Found { end: self.first_line_end.unwrap_or(self.buffer.len()), fault }),
        }
    }
}

/// A line without its end.
fn line_text(line: &[u8]) -> &[u8] {
    match line.strip_suffix(b"\n") {
        Some(text) => text.strip_suffix(b"\r").unwrap_or(text),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts and faults of an input that arrives in pieces.
    fn records(input: &[u8], piece: usize) -> Vec<(String, Option<RecordFault>)> {
        let mut records = Records::default();
        let mut all = Vec::new();
        for bytes in input.chunks(piece).map(Some).chain([None]) {
            match bytes {
                Some(bytes) => records.push(bytes),
                None => records.finish(),
            }
            while let Some(record) = records.next_record() {
                all.push((String::from_utf8_lossy(record.text()).into_owned(), record.fault));
            }
        }
        all
    }

    #[test]
    fn records_may_hold_line_ends_and_quotes() {
        let input = b"\xef\xbb\xbf\"a\",b\r\n\r\n1,\"x\r\n\"\"y\"\"\"\r\n\n2,19\" rack\n,\n3,";
        let texts = ["\"a\",b", "1,\"x\r\n\"\"y\"\"\"", "2,19\" rack", ",", "3,"];
        let expected: Vec<_> = texts.iter().map(|text| ((*text).to_owned(), None)).collect();
        for piece in [1, 2, 3, 100] {
            assert_eq!(records(input, piece), expected, "pieces of {piece}");
        }
        assert!(records(b"", 1).is_empty() && records(b"\xef\xbb\xbf", 1).is_empty());
    }

    /// An input, and the texts and faults of its records behind the first.
    type Case = (&'static str, &'static [(&'static str, Option<RecordFault>)]);

    #[test]
    fn a_malformed_record_costs_its_first_line_alone() {
        const fn width(values: usize) -> RecordFault {
            RecordFault::Width { values, names: 2 }
        }
        const CASES: [Case; 9] = [
            ("1,\"Ada\n2,Bob\n", &[("1,\"Ada", Some(RecordFault::OpenQuote)), ("2,Bob", None)]),
            ("1,\"Ada\n2,\"Bob\"\n", &[("1,\"Ada", Some(RecordFault::TextBehindQuote)), ("2,\"Bob\"", None)]),
            (
                "1,\"Ada\n2,\",B\"\n3,\"\"",
                &[("1,\"Ada", Some(width(3))), ("2,\",B\"", None), ("3,\"\"", None)],
            ),
            ("1,\"Ada\" x\n2,y", &[("1,\"Ada\" x", Some(RecordFault::TextBehindQuote)), ("2,y", None)]),
            ("1, \"Ada\"\n2,y", &[("1, \"Ada\"", Some(RecordFault::BlankBeforeQuote)), ("2,y", None)]),
            ("1,a\rb\n2,y", &[("1,a\rb", Some(RecordFault::CarriageReturn)), ("2,y", None)]),
            ("1,a\r", &[("1,a\r", Some(RecordFault::CarriageReturn))]),
            ("\u{feff}1,a\n2,y", &[("\u{feff}1,a", Some(RecordFault::ByteOrderMark)), ("2,y", None)]),
            ("1\n2,y\n3,4,5", &[("1", Some(width(1))), ("2,y", None), ("3,4,5", Some(width(3)))]),
        ];
        for (input, expected) in CASES {
            let input = format!("a,b\n{input}");
            let found = records(input.as_bytes(), 1);
            let found: Vec<_> = found.iter().skip(1).map(|(text, fault)| (text.as_str(), *fault)).collect();
            assert_eq!(found, expected, "{input:?}");
            assert_eq!(records(input.as_bytes(), 1), records(input.as_bytes(), 1_000), "{input:?}");
        }
    }

    #[test]
    fn no_record_is_longer_than_its_bounds() {
        let most = "x".repeat(LINE_BYTES_MAX);
        let input = format!("a\n{most}\r\n{most}y\r\n{most}{most}\"\nb\n\"{}\"\n", "\n".repeat(300));
        for piece in [1_000, LINE_BYTES_MAX, input.len()] {
            let found = records(input.as_bytes(), piece);
            let faults: Vec<_> = found.iter().map(|(_, fault)| *fault).collect();
            let long = Some(RecordFault::TooLong);
            let open = Some(RecordFault::OpenQuote);
            assert_eq!(faults, [None, None, long, long, None, open, open], "pieces of {piece}");
            assert!(found.iter().all(|(text, _)| text.len() <= KEPT_BYTES_MAX));
        }
        let mut records = Records::default();
        for _ in 0..1_000 {
            records.push(&[b'x'; 1_000]);
            assert_eq!(records.next_record(), None);
        }
        assert!(records.buffer.capacity() <= 2 * LINE_BYTES_MAX);
    }

    #[test]
    fn a_file_of_open_quotes_is_read_in_bounded_time() {
        let lines = 20_000;
        let found = records("a\",\"b\n".repeat(lines).as_bytes(), 64 * 1024);
        assert_eq!(found.len(), lines);
        assert!(found.iter().all(|(_, fault)| *fault == Some(RecordFault::OpenQuote)));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_an_input_arrives(
            words in prop::collection::vec(prop::sample::select(&["a", "\"", ",", "\n", "\r", " ", "\u{feff}"][..]), 0..60),
            piece in 1_usize..20,
        ) {
            let input = words.concat();
            prop_assert_eq!(records(input.as_bytes(), piece), records(input.as_bytes(), 1_000));
            let mut found = Records::default();
            found.push(input.as_bytes());
            found.finish();
            let mut kept = Vec::new();
            while let Some(record) = found.next_record() {
                if record.fault.is_some() {
                    prop_assert!(!record.text().contains(&b'\n'), "a fault is of one line");
                }
                kept.extend_from_slice(record.bytes);
            }
            let visible = |bytes: &[u8]| -> Vec<u8> {
                bytes.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect()
            };
            let without_mark = input.strip_prefix('\u{feff}').unwrap_or(&input);
            prop_assert_eq!(visible(&kept), visible(without_mark.as_bytes()));
        }
    }
}
