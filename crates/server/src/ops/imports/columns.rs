//! Comma-separated values: a line that names the columns, then records, each of which becomes a JSON object.

use csv_core::ReadRecordResult;
use payment_runs_engine::import::{LineFault, LineFaultCode};
use payment_runs_engine::payment_method::card_number::holds_card_number;
use payment_runs_stubs::{Category, ColumnKind, Location, Rejection};

use super::split::LINE_BYTES_MAX;

/// Columns that a body may have: more than any kind of line has fields.
const COLUMNS_MAX: usize = 64;

/// Characters of a column's name that a message repeats.
const NAME_CHARS_MAX: usize = 64;

/// Bytes of a body that are read together: a mark of UTF-8 is recognised only when all of it is there.
const MARK_BYTES: usize = 3;

/// What a record is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// As a JSON object, without what was left empty.
    Json(&'a [u8]),
    /// No object.
    Bad(LineFault),
}

/// A column by its name, and what it holds.
struct Column {
    /// The name as JSON, with the colon after it.
    key: Vec<u8>,
    kind: ColumnKind,
}

/// Reads comma-separated values as they arrive. A record may have line ends inside quotes; empty lines are none.
pub(super) struct Columns<F> {
    reader: csv_core::Reader,
    column: F,
    /// The first bytes of the body, until there are enough; gone then.
    first: Option<Vec<u8>>,
    /// What the first line names.
    named: Option<Vec<Column>>,
    values: Vec<u8>,
    ends: Vec<usize>,
    /// How much of the record under way has arrived.
    filled: (usize, usize),
    /// The record under way has too many bytes or values.
    is_too_long: bool,
    json: Vec<u8>,
}

impl<F: Fn(&str) -> Option<ColumnKind>> Columns<F> {
    /// Columns whose names are known by a function.
    pub(super) fn new(column: F) -> Self {
        Self {
            reader: csv_core::Reader::new(),
            column,
            first: Some(Vec::with_capacity(MARK_BYTES)),
            named: None,
            values: vec![0; LINE_BYTES_MAX],
            ends: vec![0; COLUMNS_MAX],
            filled: (0, 0),
            is_too_long: false,
            json: Vec::new(),
        }
    }

    /// Takes bytes in, and gives each record that ends in them. Nothing means that the body has ended.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(), Rejection> {
        let has_ended = bytes.is_empty();
        if let Some(mut first) = self.first.take() {
            let (more, rest) = bytes.split_at(bytes.len().min(MARK_BYTES - first.len()));
            first.extend_from_slice(more);
            if first.len() < MARK_BYTES && !has_ended {
                self.first = Some(first);
                return Ok(());
            }
            bytes = rest;
            if !first.is_empty() {
                self.read(&first, &mut each)?;
            }
        }
        if bytes.is_empty() && !has_ended { Ok(()) } else { self.read(bytes, &mut each) }
    }

    /// Reads on. Nothing means that the body has ended.
    fn read(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Record<'_>)) -> Result<(), Rejection> {
        loop {
            let (filled, ended) = self.filled;
            let (values, ends) = (&mut self.values[filled..], &mut self.ends[ended..]);
            let (result, taken, written, finished) = self.reader.read_record(bytes, values, ends);
            bytes = &bytes[taken..];
            self.filled = (filled + written, ended + finished);
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Ok(()),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    self.is_too_long = true;
                    self.filled = (0, 0);
                }
                ReadRecordResult::Record => {
                    self.end_record(each)?;
                    self.filled = (0, 0);
                }
            }
        }
    }

    fn end_record(&mut self, each: &mut impl FnMut(Record<'_>)) -> Result<(), Rejection> {
        let is_too_long = std::mem::take(&mut self.is_too_long);
        let (filled, ended) = self.filled;
        let (values, ends) = (&self.values[..filled], &self.ends[..ended]);
        let Some(columns) = &self.named else {
            if is_too_long {
                return Err(bad_head("the line that names the columns is too long"));
            }
            self.named = Some(head(values, ends, &self.column)?);
            return Ok(());
        };
        self.json.clear();
        let written =
            if is_too_long { Err(too_long()) } else { write_object(columns, values, ends, &mut self.json) };
        each(match written {
            Ok(()) => Record::Json(&self.json),
            Err(fault) => Record::Bad(fault),
        });
        Ok(())
    }
}

/// The fault of a line that has too many bytes.
pub(super) fn too_long() -> LineFault {
    LineFault::new("", LineFaultCode::Malformed, format!("has more than {LINE_BYTES_MAX} bytes"))
}

/// The fault of a line that is no text.
pub(super) fn no_text() -> LineFault {
    LineFault::new("", LineFaultCode::Malformed, "is not UTF-8")
}

fn bad_head(message: impl Into<String>) -> Rejection {
    Rejection::at(Category::InvalidValue, Location::Body, "", message)
}

fn head(
    values: &[u8],
    ends: &[usize],
    column: impl Fn(&str) -> Option<ColumnKind>,
) -> Result<Vec<Column>, Rejection> {
    let mut columns: Vec<Column> = Vec::new();
    for (at, value) in cells(values, ends).enumerate() {
        let Ok(mut name) = std::str::from_utf8(value) else {
            return Err(bad_head("the line that names the columns is not UTF-8"));
        };
        if at == 0 {
            name = name.strip_prefix('\u{feff}').unwrap_or(name);
        }
        let name = name.trim();
        let Some(kind) = column(name) else {
            let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
            let shown = if holds_card_number(&shown) { String::new() } else { shown };
            return Err(bad_head(format!(
                "the first line names a column '{shown}', which these lines do not have"
            )));
        };
        let mut key = serde_json::to_vec(name).unwrap_or_default();
        key.push(b':');
        if columns.iter().any(|column| column.key == key) {
            return Err(bad_head(format!("the first line names the column '{name}' twice")));
        }
        columns.push(Column { key, kind });
    }
    Ok(columns)
}

fn cells<'a>(values: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| &values[start..*end])
}

fn write_object(
    columns: &[Column],
    values: &[u8],
    ends: &[usize],
    json: &mut Vec<u8>,
) -> Result<(), LineFault> {
    if ends.len() != columns.len() {
        let message =
            format!("has {} values where the first line names {} columns", ends.len(), columns.len());
        return Err(LineFault::new("", LineFaultCode::Malformed, message));
    }
    json.push(b'{');
    for (column, value) in columns.iter().zip(cells(values, ends)) {
        let text = std::str::from_utf8(value).map_err(|_| no_text())?;
        if text.is_empty() {
            continue;
        }
        if json.len() > 1 {
            json.push(b',');
        }
        json.extend_from_slice(&column.key);
        write_value(column.kind, text, json);
    }
    json.push(b'}');
    Ok(())
}

/// What does not read as its column's kind stays text, and is refused as such.
fn write_value(kind: ColumnKind, text: &str, json: &mut Vec<u8>) {
    let plain = text.trim();
    match kind {
        ColumnKind::Number if is_number(plain) => json.extend_from_slice(plain.as_bytes()),
        ColumnKind::Bool if plain.eq_ignore_ascii_case("true") => json.extend_from_slice(b"true"),
        ColumnKind::Bool if plain.eq_ignore_ascii_case("false") => json.extend_from_slice(b"false"),
        // Writing to a vector cannot fail, and text has a JSON form.
        _ => drop(serde_json::to_writer(json, text)),
    }
}

/// Whether a text is a number as JSON writes it.
fn is_number(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b'-' | b'0'..=b'9')) && text.parse::<serde_json::Number>().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn kind(name: &str) -> Option<ColumnKind> {
        match name {
            "number" | "name" => Some(ColumnKind::Text),
            "amount" => Some(ColumnKind::Number),
            "auto_pay" => Some(ColumnKind::Bool),
            _ => None,
        }
    }

    fn records(body: &[u8], size: usize) -> Result<Vec<String>, Rejection> {
        let mut columns = Columns::new(kind);
        let mut records = Vec::new();
        let mut each = |record: Record<'_>| {
            records.push(match record {
                Record::Json(json) => String::from_utf8(json.to_vec()).unwrap(),
                Record::Bad(fault) => fault.message,
            });
        };
        for piece in body.chunks(size) {
            columns.push(piece, &mut each)?;
        }
        columns.push(b"", &mut each)?;
        Ok(records)
    }

    #[test]
    fn records_become_objects() {
        let body = "\u{feff}number, name ,amount,auto_pay\r\n\
                    I1,\"Ada, \"\"Countess\"\"\nof Lovelace\",12.50,TRUE\r\n\
                    \r\n\
                    I2,,-1e2,\n\
                    I3,=1+1, 7 ,no\n\
                    I4,x\n\
                    I5,é,.5,false";
        let objects = [
            r#"{"number":"I1","name":"Ada, \"Countess\"\nof Lovelace","amount":12.50,"auto_pay":true}"#,
            r#"{"number":"I2","amount":-1e2}"#,
            r#"{"number":"I3","name":"=1+1","amount":7,"auto_pay":"no"}"#,
            "has 2 values where the first line names 4 columns",
            r#"{"number":"I5","name":"é","amount":".5","auto_pay":false}"#,
        ];
        for size in [1, 3, 1_000] {
            assert_eq!(records(body.as_bytes(), size).unwrap(), objects, "pieces of {size}");
        }
    }

    #[test]
    fn bad_columns_are_refused_before_any_record() {
        let message = |body: &str| records(body.as_bytes(), 8).unwrap_err().faults[0].message.clone();
        assert!(message("number,colour\nI1,red\n").contains("'colour'"));
        assert!(message("number,number\nI1,I2\n").contains("twice"));
        assert!(!message("4242424242424242\nI1\n").contains("4242"));
        assert!(records(b"number\xff\nI1\n", 8).is_err());
        assert!(records(b"", 8).unwrap().is_empty());
    }

    #[test]
    fn a_record_that_is_too_long_is_passed_over() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        let body = format!("number,name\nI1,a\nI2,{long}\nI3,\"b\"\n{}\nI5,c\n", ",".repeat(500));
        let too_long = too_long().message;
        let expected = [
            r#"{"number":"I1","name":"a"}"#,
            &too_long,
            r#"{"number":"I3","name":"b"}"#,
            &too_long,
            r#"{"number":"I5","name":"c"}"#,
        ];
        for size in [1_000, usize::MAX] {
            assert_eq!(records(body.as_bytes(), size).unwrap(), expected);
        }
        assert_eq!(records(b"number\n\xff\nI2\n", 100).unwrap(), ["is not UTF-8", r#"{"number":"I2"}"#]);
    }
}
