//! Answers as people and programs read them.

use std::fmt::Write as _;

use serde::Serialize;

/// What stands where there is nothing.
pub(crate) const NOTHING: &str = "-";

/// An answer: a table for people, JSON for programs, and a word more for people.
#[derive(Debug)]
pub(crate) struct Shown {
    table: Table,
    json: serde_json::Value,
    note: Option<&'static str>,
}

#[derive(Debug)]
struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Shown {
    /// An answer as the server gave it, and the table that people see of it.
    pub(crate) fn new(
        answer: &impl Serialize,
        head: &[&'static str],
        rows: Vec<Vec<String>>,
    ) -> anyhow::Result<Self> {
        let json = serde_json::to_value(answer)?;
        Ok(Self { table: Table { head: head.to_vec(), rows }, json, note: None })
    }

    /// One object as people see it: a line for each field that is set and is no list; programs get all of it.
    pub(crate) fn fields(answer: &impl Serialize) -> anyhow::Result<Self> {
        let json = serde_json::to_value(answer)?;
        let mut rows = Vec::new();
        collect_fields(&json, "", &mut rows);
        Ok(Self { table: Table { head: vec!["FIELD", "VALUE"], rows }, json, note: None })
    }

    /// Adds a word for people, which goes to standard error.
    pub(crate) fn with_note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// The table as text.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        self.table.text()
    }

    /// The answer as programs get it.
    #[cfg(test)]
    pub(crate) fn json(&self) -> &serde_json::Value {
        &self.json
    }

    /// Writes the answer to the standard streams.
    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", self.json);
        } else {
            print!("{}", self.table.text());
        }
        if let Some(note) = self.note {
            eprintln!("{note}");
        }
    }
}

/// How deep the fields of an object are shown.
const DEPTH_MAX: usize = 3;

/// Adds the fields of an object with their names from the top, such as `payment_run.batch`.
fn collect_fields(value: &serde_json::Value, name: &str, rows: &mut Vec<Vec<String>>) {
    let row = |text: String| vec![name.to_owned(), text];
    match value {
        serde_json::Value::Null => {}
        serde_json::Value::Object(fields) if name.matches('.').count() < DEPTH_MAX => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                collect_fields(value, &name, rows);
            }
        }
        serde_json::Value::Array(items) => {
            let are_plain = items.iter().all(|item| !item.is_object() && !item.is_array());
            if are_plain && !items.is_empty() {
                rows.push(row(items.iter().map(plain).collect::<Vec<_>>().join(",")));
            } else if !are_plain {
                for (at, item) in items.iter().enumerate() {
                    collect_fields(item, &format!("{name}[{at}]"), rows);
                }
            }
        }
        other => rows.push(row(plain(other))),
    }
}

/// A value without the marks of JSON.
pub(crate) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => NOTHING.to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value that may be absent.
pub(crate) fn maybe<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
}

/// A switch in words.
pub(crate) fn yes_or_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

impl Table {
    /// Columns as wide as their widest cell, a line for each row.
    fn text(&self) -> String {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain([self.head[at].len()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        let head = self.head.iter().map(ToString::to_string).collect();
        for row in [&head].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                // Writing to a text cannot fail.
                let _ = write!(line, "{cell:<width$}  ");
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}
