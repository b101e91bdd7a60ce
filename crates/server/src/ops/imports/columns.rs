//! Comma-separated values: a line that names the columns, then records, each of which becomes a JSON object.

use csv_core::ReadRecordResult;
use payment_runs_engine::import::{LINE_BYTES_MAX, LineFault, LineFaultCode};
use payment_runs_engine::payment_method::card_number::holds_card_number;
use payment_runs_engine::separated_values::Records;
use payment_runs_stubs::{Category, ColumnKind, Location, Rejection};

/// Columns that a body may have: more than any kind of line has fields.
const COLUMNS_MAX: usize = 64;

/// Characters of a column's name that a message repeats.
const NAME_CHARS_MAX: usize = 64;

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
    records: Records,
    column: F,
    /// What the first line names.
    named: Option<Vec<Column>>,
    values: Values,
    json: Vec<u8>,
}

impl<F: Fn(&str) -> Option<ColumnKind>> Columns<F> {
    /// Columns whose names are known by a function.
    pub(super) fn new(column: F) -> Self {
        Self { records: Records::default(), column, named: None, values: Values::default(), json: Vec::new() }
    }

    /// Takes bytes in, and gives each record that ends in them. Nothing means that the body has ended.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Record<'_>)) -> Result<(), Rejection> {
        let Self { records, column, named, values, json } = self;
        if bytes.is_empty() {
            records.finish();
        } else {
            records.push(bytes);
        }
        while let Some(record) = records.next_record() {
            let fault = record.fault.map(|fault| malformed(fault.to_string()));
            let cells = fault.map_or_else(|| values.read(record.text()), Err);
            let Some(columns) = &*named else {
                let cells = cells.map_err(|fault| bad_head(&fault.message))?;
                *named = Some(head(cells, &*column)?);
                continue;
            };
            json.clear();
            each(match cells.and_then(|cells| write_object(columns, cells, json)) {
                Ok(()) => Record::Json(json),
                Err(fault) => Record::Bad(fault),
            });
        }
        Ok(())
    }
}

/// Reads the values of a record that is well-formed.
struct Values {
    reader: csv_core::Reader,
    bytes: Vec<u8>,
    ends: [usize; COLUMNS_MAX],
}

impl Default for Values {
    fn default() -> Self {
        // One byte more, so that a single value of that length does not fill it up.
        let bytes = vec![0; LINE_BYTES_MAX + 1];
        Self { reader: csv_core::Reader::new(), bytes, ends: [0; COLUMNS_MAX] }
    }
}

impl Values {
    fn read<'a>(&'a mut self, text: &[u8]) -> Result<impl Iterator<Item = &'a [u8]>, LineFault> {
        self.reader.reset();
        let (_, _, written, ended) = self.reader.read_record(text, &mut self.bytes, &mut self.ends);
        let (bytes, ends) = (&mut self.bytes[written..], &mut self.ends[ended..]);
        let (result, _, more, rest) = self.reader.read_record(b"", bytes, ends);
        if result != ReadRecordResult::Record {
            return Err(malformed(format!("has more than {COLUMNS_MAX} values")));
        }
        let (bytes, ends) = (&self.bytes[..written + more], &self.ends[..ended + rest]);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        Ok(starts.zip(ends).map(|(start, end)| &bytes[start..*end]))
    }
}

/// The fault of a line that cannot be read.
pub(super) fn malformed(message: String) -> LineFault {
    LineFault::new("", LineFaultCode::Malformed, message)
}

/// The fault of a line that is no text.
pub(super) fn no_text() -> LineFault {
    malformed("is not UTF-8".to_owned())
}

/// The columns cannot be known, and with them no line.
fn bad_head(message: &str) -> Rejection {
    let message = format!("the line that names the columns {message}");
    Rejection::at(Category::InvalidValue, Location::Body, "", message)
}

fn head<'a>(
    cells: impl Iterator<Item = &'a [u8]>,
    column: impl Fn(&str) -> Option<ColumnKind>,
) -> Result<Vec<Column>, Rejection> {
    let mut columns: Vec<Column> = Vec::new();
    for value in cells {
        let name = std::str::from_utf8(value).map_err(|_| bad_head("is not UTF-8"))?.trim();
        let Some(kind) = column(name) else {
            let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
            let shown = if holds_card_number(&shown) { String::new() } else { shown };
            return Err(bad_head(&format!("has '{shown}', which is no field of these lines")));
        };
        let mut key = serde_json::to_vec(name).unwrap_or_default();
        key.push(b':');
        if columns.iter().any(|column| column.key == key) {
            return Err(bad_head(&format!("has '{name}' twice")));
        }
        columns.push(Column { key, kind });
    }
    Ok(columns)
}

/// Writes a record, which has a value for each column.
fn write_object<'a>(
    columns: &[Column],
    cells: impl Iterator<Item = &'a [u8]>,
    json: &mut Vec<u8>,
) -> Result<(), LineFault> {
    json.push(b'{');
    for (column, value) in columns.iter().zip(cells) {
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
    use proptest::prelude::*;

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
        assert!(message("number,\"name\nI1,a\n").contains("names the columns opens a quote"));
        assert!(records(b"number\xff\nI1\n", 8).is_err());
        assert!(records(b"", 8).unwrap().is_empty());
    }

    #[test]
    fn a_record_that_is_too_long_is_passed_over() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        let body = format!("number,name\nI1,a\nI2,{long}\nI3,\"b\"\n{}\nI5,c\n", ",".repeat(500));
        let too_long = format!("has more than {LINE_BYTES_MAX} bytes");
        let wide = "has 501 values where the first line names 2 columns";
        let expected = [
            r#"{"number":"I1","name":"a"}"#,
            &too_long,
            r#"{"number":"I3","name":"b"}"#,
            wide,
            r#"{"number":"I5","name":"c"}"#,
        ];
        for size in [1_000, usize::MAX] {
            assert_eq!(records(body.as_bytes(), size).unwrap(), expected);
        }
        assert_eq!(records(b"number\n\xff\nI2\n", 100).unwrap(), ["is not UTF-8", r#"{"number":"I2"}"#]);
    }

    /// A record as a writer of others writes it.
    fn line(values: &[String], quote: csv::QuoteStyle) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new().quote_style(quote).from_writer(Vec::new());
        writer.write_record(values).unwrap();
        writer.into_inner().unwrap()
    }

    fn object(values: &[String]) -> String {
        let named = ["number", "name"].iter().zip(values).filter(|(_, value)| !value.is_empty());
        let values =
            named.map(|(name, value)| format!("\"{name}\":{}", serde_json::to_string(value).unwrap()));
        format!("{{{}}}", values.collect::<Vec<_>>().join(","))
    }

    fn value(pattern: &'static str) -> impl Strategy<Value = String> {
        pattern.prop_filter("a mark begins files only", |text| !text.starts_with('\u{feff}'))
    }

    /// Whether a record of these values goes on over several lines.
    fn is_long(values: &[String]) -> bool {
        values.iter().any(|value| value.contains('\n'))
    }

    fn quotes() -> impl Strategy<Value = csv::QuoteStyle> {
        prop_oneof![Just(csv::QuoteStyle::Necessary), Just(csv::QuoteStyle::Always)]
    }

    proptest! {
        #[test]
        fn what_a_second_reader_reads_is_read(
            lines in prop::collection::vec(prop::collection::vec(value("[ab, \"\r\n\u{e9}\u{feff}]{0,8}"), 2), 1..20),
            quote in quotes(),
            size in 1_usize..50,
        ) {
            let mut body = b"number,name\r\n".to_vec();
            for values in &lines {
                body.extend(line(values, quote));
            }
            let mut reader = csv::Reader::from_reader(body.as_slice());
            let read = reader.records().map(|record| record.unwrap());
            let expected: Vec<String> = read.map(|record| object(&record.iter().map(str::to_owned).collect::<Vec<_>>())).collect();
            prop_assert_eq!(expected.len(), lines.len());
            prop_assert_eq!(records(&body, size).unwrap(), expected);
        }

        /// Malformed lines among records of one line or of several: all of them come, in their order, and none holds another. A
        /// quote that is not closed stands before records of one line only: the first line of a longer one may close it.
        #[test]
        fn a_malformed_line_takes_no_other_with_it(
            lines in prop::collection::vec(
                (prop::option::weighted(0.3, 0_usize..5), prop::collection::vec(value("[ab,\"\r\n\u{e9}]{0,8}"), 2), quotes()),
                1..20,
            ),
            size in 1_usize..50,
        ) {
            const MALFORMED: [&str; 5] =
                ["x,\"Ada", "x,\"Ada\" y", "x, \"Ada\"", "x,a\rb", "\u{feff}number,name"];
            const OPEN: usize = 0;
            let mut body = b"number,name\n".to_vec();
            let mut expected = Vec::new();
            let last_long = lines.iter().rposition(|(malformed, values, _)| malformed.is_none() && is_long(values));
            for (at, (malformed, values, quote)) in lines.into_iter().enumerate() {
                if let Some(which) = malformed {
                    let is_open = which == OPEN && last_long.is_some_and(|last| at < last);
                    let which = if is_open { OPEN + 1 } else { which };
                    body.extend(MALFORMED[which].as_bytes());
                    body.push(b'\n');
                    expected.push(None);
                } else {
                    let line = line(&values, quote);
                    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_slice());
                    let record = reader.records().next().unwrap().unwrap();
                    expected.push(Some(object(&record.iter().map(str::to_owned).collect::<Vec<_>>())));
                    body.extend(line);
                }
            }
            let found = records(&body, size).unwrap();
            prop_assert_eq!(found.len(), expected.len(), "{:?}", found);
            for (found, expected) in found.iter().zip(&expected) {
                match expected {
                    Some(object) => prop_assert_eq!(found, object),
                    None => prop_assert!(!found.starts_with('{'), "{found}"),
                }
            }
            let stored = found.iter().filter(|line| line.starts_with('{')).count();
            let refused = found.len() - stored;
            prop_assert_eq!(stored, expected.iter().flatten().count());
            prop_assert_eq!(stored + refused, expected.len());
        }

        /// Quotes that open and close by chance: each record that is cut is read as a second reader reads it alone, and each
        /// line of text that belongs to none is refused alone, so that no line is counted twice or not at all.
        #[test]
        fn what_is_cut_is_stored_or_refused(
            lines in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(value("[ab,\"\r\n]{0,8}"), 2).prop_map(|values| line(&values, csv::QuoteStyle::Necessary)),
                    "x,\"[ab\"]{0,3}\n".prop_map(String::into_bytes),
                    "[ab,\" ]{0,6}\n".prop_map(String::into_bytes),
                ],
                1..20,
            ),
            size in 1_usize..50,
        ) {
            let body = [&b"number,name\n"[..], &lines.concat()].concat();
            let mut cut = Records::default();
            cut.push(&body);
            cut.finish();
            let (mut expected, mut text_lines) = (Vec::new(), 0);
            while let Some(record) = cut.next_record() {
                text_lines += record.text().split(|byte| *byte == b'\n').count();
                let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(record.bytes);
                let read = record.fault.is_none().then(|| reader.records().next().unwrap().unwrap());
                expected.push(read.map(|read| object(&read.iter().map(str::to_owned).collect::<Vec<_>>())));
            }
            let found = records(&body, size).unwrap();
            prop_assert_eq!(found.len(), expected.len() - 1, "the first record names the columns");
            for (found, expected) in found.iter().zip(&expected[1..]) {
                prop_assert_eq!(found.starts_with('{').then_some(found), expected.as_ref());
            }
            let all = body.split(|byte| *byte == b'\n');
            let not_empty = all.clone().filter(|line| !line.is_empty() && *line != b"\r").count();
            prop_assert!((not_empty..=all.count()).contains(&text_lines), "{text_lines} of {not_empty}");
        }
    }
}
