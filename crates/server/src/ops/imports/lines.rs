//! Lines of all kinds and formats: bytes in, lines out.

use std::sync::Arc;

use payment_runs_engine::import::{
    ImportKind, Imported, LINE_FAULTS_MAX, Line, LineFault, LineFaultCode, LineFormat,
};
use payment_runs_engine::payment_method::card_number::{CARD_NUMBER_MESSAGE, holds_card_number};
use payment_runs_engine::ports::Ids;
use payment_runs_engine::separated_values::RecordFault;
use payment_runs_stubs::{Category, ColumnKind, Fault, Lines, Rejection, ops};
use payment_runs_types::ops::{ImportAccount, ImportCredit, ImportDocument, ImportPaymentMethod};

use crate::card_numbers::NO_CARD_NUMBERS;

use super::columns::{Columns, Record, malformed, no_text};
use super::read;
use super::split::{Splitter, Text};

static ACCOUNTS: Lines<ImportAccount> = Lines::new(&ops::SCHEMAS, "ImportAccount");
static PAYMENT_METHODS: Lines<ImportPaymentMethod> = Lines::new(&ops::SCHEMAS, "ImportPaymentMethod");
static DOCUMENTS: Lines<ImportDocument> = Lines::new(&ops::SCHEMAS, "ImportDocument");
static CREDITS: Lines<ImportCredit> = Lines::new(&ops::SCHEMAS, "ImportCredit");

/// Characters of a field's name that a fault repeats.
const FIELD_CHARS_MAX: usize = 64;

/// What a column holds in lines of a kind.
fn column(kind: ImportKind) -> fn(&str) -> Option<ColumnKind> {
    match kind {
        ImportKind::Accounts => |name| ACCOUNTS.column(name),
        ImportKind::PaymentMethods => |name| PAYMENT_METHODS.column(name),
        ImportKind::Documents => |name| DOCUMENTS.column(name),
        ImportKind::Credits => |name| CREDITS.column(name),
    }
}

/// Reads a line. Texts that hold a card number are faults beside those of the line's shape.
fn read_json(kind: ImportKind, json: &[u8], ids: &dyn Ids) -> Result<Imported, Vec<LineFault>> {
    let mut held: Vec<LineFault> = NO_CARD_NUMBERS.faults(json).into_iter().map(line_fault).collect();
    match read_shape(kind, json, ids) {
        Ok(brings) if held.is_empty() => Ok(brings),
        Ok(_) => Err(held),
        Err(faults) => {
            held.extend(faults);
            held.truncate(LINE_FAULTS_MAX);
            Err(held)
        }
    }
}

fn read_shape(kind: ImportKind, json: &[u8], ids: &dyn Ids) -> Result<Imported, Vec<LineFault>> {
    let faults = |faults: Vec<Fault>| faults.into_iter().map(line_fault).collect::<Vec<_>>();
    match kind {
        ImportKind::Accounts => ACCOUNTS.read(json).map_err(faults).and_then(|line| read::account(line, ids)),
        ImportKind::PaymentMethods => {
            PAYMENT_METHODS.read(json).map_err(faults).and_then(|line| read::payment_method(line, ids))
        }
        ImportKind::Documents => {
            DOCUMENTS.read(json).map_err(faults).and_then(|line| read::document(line, ids))
        }
        ImportKind::Credits => CREDITS.read(json).map_err(faults).and_then(|line| read::credit(line, ids)),
    }
}

/// A fault of a body as that of a line. Neither name nor message gives away a card number that was put into a wrong place.
fn line_fault(fault: Fault) -> LineFault {
    let code = match fault.category {
        Category::MalformedJson => LineFaultCode::Malformed,
        Category::MissingField => LineFaultCode::MissingField,
        Category::UnknownField => LineFaultCode::UnknownField,
        _ => LineFaultCode::InvalidValue,
    };
    if code == LineFaultCode::Malformed {
        return LineFault::new("", code, "is not well-formed JSON");
    }
    let field: String = fault.field.chars().take(FIELD_CHARS_MAX).collect();
    let field = if holds_card_number(&field) { String::new() } else { field };
    if holds_card_number(&fault.message) {
        return LineFault::new(field, code, CARD_NUMBER_MESSAGE);
    }
    LineFault::new(field, code, fault.message)
}

/// What is known of a column by its name.
type KnownColumn = fn(&str) -> Option<ColumnKind>;

/// Where lines are cut.
enum Cutter {
    Named(Splitter),
    Columns(Box<Columns<KnownColumn>>),
}

/// The lines of one body.
pub(super) struct LineReader {
    kind: ImportKind,
    cutter: Cutter,
    ids: Arc<dyn Ids>,
    /// The number of the next line of the body.
    next: u64,
    /// Lines before this one were taken before, and are not even read.
    from: u64,
}

impl LineReader {
    /// Lines of a body that begins with line `first`, of which those from `from` on are wanted.
    pub(super) fn new(
        kind: ImportKind,
        format: LineFormat,
        ids: Arc<dyn Ids>,
        first: u64,
        from: u64,
    ) -> Self {
        let cutter = match format {
            LineFormat::Named => Cutter::Named(Splitter::default()),
            LineFormat::Columns => Cutter::Columns(Box::new(Columns::new(column(kind)))),
        };
        Self { kind, cutter, ids, next: first, from }
    }

    /// The number of the next line of the body.
    pub(super) fn next_line(&self) -> u64 {
        self.next
    }

    /// Takes bytes in, and gives each wanted line that ends in them with its length; nothing means that the body has ended.
    /// Empty lines are counted only.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Line, usize)) -> Result<(), Rejection> {
        let Self { kind, cutter, ids, next, from } = self;
        let mut read = |content: Result<&[u8], LineFault>| {
            let number = *next;
            *next += 1;
            if number < *from {
                return;
            }
            let (content, length) = match content {
                Ok(json) if json.iter().all(u8::is_ascii_whitespace) => return,
                Ok(json) if std::str::from_utf8(json).is_err() => (Err(vec![no_text()]), json.len()),
                Ok(json) => (read_json(*kind, json, ids.as_ref()), json.len()),
                Err(fault) => (Err(vec![fault]), 0),
            };
            each(Line { number, content }, length);
        };
        match cutter {
            Cutter::Named(splitter) => {
                let mut text = |text: Text<'_>| match text {
                    Text::Whole(json) => read(Ok(json)),
                    Text::TooLong => read(Err(malformed(RecordFault::TooLong.to_string()))),
                };
                if bytes.is_empty() {
                    splitter.finish(text);
                } else {
                    splitter.push(bytes, &mut text);
                }
                Ok(())
            }
            Cutter::Columns(columns) => columns.push(bytes, |record| match record {
                Record::Json(json) => read(Ok(json)),
                Record::Bad(fault) => read(Err(fault)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::sync::atomic::{AtomicU64, Ordering};

    use payment_runs_engine::import::field_name;
    use payment_runs_engine::refusal::Field;

    use super::*;

    struct Counting(AtomicU64);
    impl Ids for Counting {
        fn next_id(&self) -> u128 {
            u128::from(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    fn lines(kind: ImportKind, format: LineFormat, from: u64, body: &str) -> Vec<Line> {
        let mut reader = LineReader::new(kind, format, Arc::new(Counting(AtomicU64::new(1))), 1, from);
        let mut lines = Vec::new();
        reader.push(body.as_bytes(), |line, _| lines.push(line)).unwrap();
        reader.push(b"", |line, _| lines.push(line)).unwrap();
        lines
    }

    fn faults(line: &Line) -> Vec<(&str, LineFaultCode)> {
        line.content.as_ref().unwrap_err().iter().map(|fault| (fault.field.as_str(), fault.code)).collect()
    }

    #[test]
    fn every_reason_of_a_line_is_told() {
        let body = r#"{"type":"Invoice","number":"I1","account":"A1","amount":1,"document_date":"2026-01-01"}

{"type":"Bill","number":"","amount":"x","document_date":"2026-01-01","colour":"red"}
{"type":"Invoice"
{"type":"Invoice","number":"I2","account":"A1","amount":1,"document_date":"2026-01-01","currency":"ZZZ","bill_run":"b"}"#;
        let lines = lines(ImportKind::Documents, LineFormat::Named, 1, body);
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 3, 4, 5]);
        assert!(lines[0].content.is_ok());
        let mut found = faults(&lines[1]);
        found.sort_by_key(|(field, _)| *field);
        let wrong = LineFaultCode::InvalidValue;
        assert_eq!(
            found,
            [
                ("account", LineFaultCode::MissingField),
                ("amount", wrong),
                ("colour", LineFaultCode::UnknownField),
                ("number", wrong),
                ("type", wrong),
            ]
        );
        assert_eq!(faults(&lines[2]), [("", LineFaultCode::Malformed)]);
        assert_eq!(faults(&lines[3]), [("bill_run", wrong), ("currency", wrong)]);
    }

    #[test]
    fn lines_taken_before_are_passed_over_unread() {
        let lines = lines(ImportKind::Accounts, LineFormat::Named, 3, "{\nnot JSON\n{}\n");
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [3]);
        assert_eq!(faults(&lines[0]).len(), 3);
    }

    #[test]
    fn card_numbers_are_neither_taken_nor_told() {
        let number = "4242 4242 4242 4242";
        let bodies = [
            format!(r#"{{"account":"A1","type":"CreditCard","token":"{number}"}}"#),
            format!(r#"{{"account":"A1","type":"CreditCard","token":"pm_1","mask":"{number}"}}"#),
            format!(r#"{{"account":"A1","type":"CreditCard","token":"pm_1","holder_name":"Ada {number}"}}"#),
            format!(r#"{{"account":"A1","type":"CreditCard","token":"pm_1","{number}":1}}"#),
            format!(r#"{{"account":"A1","type":"CreditCard","token":"pm_1","card_number":"{number}"}}"#),
            format!(r#"{{"account":"A1","type":"{number}","token":"pm_1"}}"#),
            format!(r#"{{"account":"{number}","type":"CreditCard","token":"pm_1"}}"#),
            r#"{"account":"A1","type":"CreditCard","token":"pm_1","expiration_year":4242424242424242}"#
                .to_owned(),
        ];
        for body in bodies {
            let lines = lines(ImportKind::PaymentMethods, LineFormat::Named, 1, &body);
            let told = format!("{:?}", lines[0].content.as_ref().unwrap_err());
            assert!(!told.contains("4242"), "{told}");
        }
    }

    #[test]
    fn columns_are_read_like_names() {
        let csv = "type,number,account,amount,date\nCreditMemo,CM1,A1,5,2026-01-01\nCreditBalance,,A1,5,2026-01-01\n\
                   CreditMemo,,A1,5,2026-01-01\nCreditBalance,X,A1,5,2026-01-01\n";
        let lines = lines(ImportKind::Credits, LineFormat::Columns, 1, csv);
        assert!(lines[0].content.is_ok() && lines[1].content.is_ok(), "{lines:?}");
        assert_eq!(faults(&lines[2]), [("number", LineFaultCode::MissingField)]);
        assert_eq!(faults(&lines[3]), [("number", LineFaultCode::InvalidValue)]);
    }

    #[test]
    fn faults_of_stored_lines_name_fields_of_lines() {
        let known = |name: &str| {
            let kinds = [
                ImportKind::Accounts,
                ImportKind::PaymentMethods,
                ImportKind::Documents,
                ImportKind::Credits,
            ];
            kinds.into_iter().any(|kind| column(kind)(name).is_some())
        };
        let fields = [
            Field::Account,
            Field::AutoPay,
            Field::Balance,
            Field::Batch,
            Field::BillCycleDay,
            Field::BillRun,
            Field::CreditBalance,
            Field::Currency,
            Field::Gateway,
            Field::Organizations,
            Field::Number,
            Field::Name,
            Field::Amount,
            Field::PaymentMethod,
            Field::DueDate,
            Field::Status,
        ];
        for field in fields {
            assert!(known(field_name(field)), "{field:?} is `{}`", field_name(field));
        }
    }
}
