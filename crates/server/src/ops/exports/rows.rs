//! Rows as lines of JSON or as comma-separated values.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A JSON object a line.
    Named,
    /// Comma-separated values, below a line with their names.
    Columns,
}

impl Format {
    /// The media type.
    pub(super) const fn media(self) -> &'static str {
        match self {
            Self::Named => "application/x-ndjson",
            Self::Columns => "text/csv",
        }
    }
}

/// Writes rows.
pub(super) struct Writer {
    format: Format,
    columns: &'static [&'static str],
    written: Vec<u8>,
}

impl Writer {
    /// A writer that has written the names of the columns, where there are any.
    pub(super) fn new(format: Format, columns: &'static [&'static str]) -> Self {
        let mut writer = Self { format, columns, written: Vec::new() };
        if format == Format::Columns {
            writer.record(columns.iter().map(|name| (*name).to_owned()));
        }
        writer
    }

    /// Writes a row.
    pub(super) fn row(&mut self, row: &impl Serialize) {
        // Rows are models with text keys, which always have a JSON form, and writing to a vector cannot fail.
        match self.format {
            Format::Named => {
                drop(serde_json::to_writer(&mut self.written, row));
                self.written.push(b'\n');
            }
            Format::Columns => {
                let row = serde_json::to_value(row).unwrap_or_default();
                self.record(self.columns.iter().map(|name| cell(&row[*name])).collect::<Vec<_>>());
            }
        }
    }

    /// Takes what was written since the last time.
    pub(super) fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.written))
    }

    fn record(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut writer = csv::Writer::from_writer(std::mem::take(&mut self.written));
        drop(writer.write_record(cells));
        self.written = writer.into_inner().unwrap_or_default();
    }
}

/// A value as a cell: nothing for null, JSON for what has parts. Spreadsheets take a text that begins like a formula for
/// one, so that an apostrophe is put before it, which they hide.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(format: Format, rows: &[Value]) -> String {
        let mut writer = Writer::new(format, &["number", "amount", "message", "parts"]);
        for row in rows {
            writer.row(row);
        }
        String::from_utf8_lossy(&writer.take()).into_owned()
    }

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        let rows = [
            json!({"number": "P-1", "amount": 1.5, "message": "a \"quoted\", long\none", "parts": [{"id": "d"}]}),
            json!({"number": "=1+1", "amount": -2, "message": null, "parts": []}),
            json!({"number": "@SUM(A1)", "amount": 0, "message": "-cmd", "parts": true}),
        ];
        let expected = "number,amount,message,parts\n\
            P-1,1.5,\"a \"\"quoted\"\", long\none\",\"[{\"\"id\"\":\"\"d\"\"}]\"\n\
            '=1+1,-2,,[]\n\
            '@SUM(A1),0,'-cmd,true\n";
        assert_eq!(written(Format::Columns, &rows), expected);
        let lines = written(Format::Named, &rows);
        let read: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect();
        assert_eq!(read, rows, "programs get what is stored");
    }
}
