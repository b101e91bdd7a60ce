//! Imports: many objects brought in line by line. Each line is judged alone; a bad one is recorded with every reason, and
//! the good ones are kept.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::account::{AccountStatus, RetryRule, Stamps};
use crate::document::DocumentKind;
use crate::ids::{AccountId, BillRunId, CreditMemoId, DocumentId, ImportId, Key, PaymentId, PaymentMethodId};
use crate::money::{Currency, Money, MoneyError};
use crate::payment_method::card_number::{CARD_NUMBER_MESSAGE, holds_card_number};
use crate::payment_method::{Instrument, PaymentMethodKind};
use crate::refusal::{Field, Refusal};

/// The bytes that a line may have, its end not counted: more than all fields of a line with all their text.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Reasons that are kept of one line; a line has few fields, so more would only repeat themselves.
pub const LINE_FAULTS_MAX: usize = 20;

/// Refused lines of an import whose reasons are all kept.
pub const REFUSED_IN_FULL_MAX: u64 = 500;

/// Refused lines of an import that are kept at all, beyond the first ones with one reason each. Further ones are counted only: a
/// file with so many bad lines has one fault that repeats itself, and would take more of the disk than what it brings.
pub const REFUSED_KEPT_MAX: u64 = 5_000;

/// Bytes of the fields and messages that are kept of one line, its first reason not counted.
const LINE_FAULT_BYTES_MAX: usize = 3_072;

/// What the lines of an import hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ImportKind {
    /// Accounts.
    Accounts,
    /// Payment methods.
    PaymentMethods,
    /// Invoices and debit memos.
    Documents,
    /// Credit memos, unapplied payments and credit balance.
    Credits,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LineFormat {
    /// An object of names and values.
    Named,
    /// Values in columns.
    Columns,
}

/// An import and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Identifier.
    pub id: ImportId,
    /// A name for people.
    pub name: Option<String>,
    /// What its lines hold.
    pub kind: ImportKind,
    /// How they are written.
    pub format: LineFormat,
    /// The number of the first line that was not taken yet, from 1.
    pub next_line: u64,
    /// Lines that were stored.
    pub stored: u64,
    /// Lines that were refused.
    pub refused: u64,
    /// Who began it and who last sent lines, and when.
    pub stamps: Stamps,
}

/// A new import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    /// Identifier.
    pub id: ImportId,
    /// A name for people.
    pub name: Option<String>,
    /// What its lines hold.
    pub kind: ImportKind,
    /// How they are written.
    pub format: LineFormat,
}

/// What is wrong with a line, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LineFaultCode {
    /// It cannot be read as a line of its kind at all.
    Malformed,
    /// A field is missing.
    MissingField,
    /// A field is not known.
    UnknownField,
    /// A value is not allowed.
    InvalidValue,
    /// What a field names does not exist.
    NotFound,
    /// Its number is taken.
    Taken,
    /// A rule forbids it.
    Forbidden,
}

/// One thing that is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineFault {
    /// The field at fault; empty when it is the line as a whole.
    pub field: String,
    /// What is wrong, for programs.
    pub code: LineFaultCode,
    /// What is wrong, for people. It never repeats a value that could be a card number.
    pub message: String,
}

impl LineFault {
    /// One fault.
    pub fn new(field: impl Into<String>, code: LineFaultCode, message: impl Into<String>) -> Self {
        Self { field: field.into(), code, message: message.into() }
    }
}

/// A line that was refused, with every reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// The number of the line, from 1.
    pub line: u64,
    /// Why, at most [`LINE_FAULTS_MAX`] reasons.
    pub faults: Vec<LineFault>,
}

/// An amount in major units, `mantissa / 10^scale`, whose currency is not known before its account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MajorAmount {
    /// All digits.
    pub mantissa: i128,
    /// Digits after the point.
    pub scale: u32,
}

impl MajorAmount {
    /// The largest amount of one object, in minor units: 15 digits, which every reader of decimal numbers keeps.
    pub const MINOR_MAX: i64 = 999_999_999_999_999;

    /// In minor units of a currency: not negative, not more precise than the currency.
    pub fn to_minor(self, currency: Currency) -> Result<i64, AmountFault> {
        match Money::from_scaled(self.mantissa, self.scale, currency) {
            Ok(money) if money.minor < 0 => Err(AmountFault::Negative),
            Ok(money) if money.minor > Self::MINOR_MAX => Err(AmountFault::TooLarge),
            Ok(money) => Ok(money.minor),
            Err(MoneyError::TooPrecise { currency, places }) => {
                Err(AmountFault::TooPrecise { currency, places })
            }
            Err(_) => Err(AmountFault::TooLarge),
        }
    }
}

/// Why an amount is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountFault {
    /// It is less than nothing.
    #[error("must not be negative")]
    Negative,
    /// It has too many digits.
    #[error("is too large")]
    TooLarge,
    /// It has more decimal places than its currency.
    #[error("must have at most {places} decimal places in {currency}")]
    TooPrecise {
        /// The currency.
        currency: Currency,
        /// Its decimal places.
        places: u8,
    },
}

/// A line of an import of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedAccount {
    /// Identifier.
    pub id: AccountId,
    /// Number.
    pub number: String,
    /// Name.
    pub name: String,
    /// Currency.
    pub currency: Currency,
    /// Auto-pay. Payment methods come after their accounts, so that none is needed yet.
    pub auto_pay: bool,
    /// Batch.
    pub batch: Option<String>,
    /// Bill cycle day, 0 to 31.
    pub bill_cycle_day: u8,
    /// Gateway, by identifier or name.
    pub gateway: Option<Key>,
    /// Organization, by identifier or name.
    pub organization: Option<Key>,
    /// Status.
    pub status: AccountStatus,
    /// Credit balance.
    pub credit_balance: Option<MajorAmount>,
}

/// A line of an import of payment methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedPaymentMethod {
    /// Identifier, which the line may bring, so that documents can name it.
    pub id: PaymentMethodId,
    /// The account, by identifier or number.
    pub account: Key,
    /// What it is.
    pub kind: PaymentMethodKind,
    /// The kind as the line wrote it.
    pub kind_name: String,
    /// Mask and token.
    pub instrument: Instrument,
    /// Whether it becomes the account's default.
    pub make_default: bool,
    /// Whether it is closed.
    pub closed: bool,
    /// A retry rule of its own.
    pub retry_rule: Option<RetryRule>,
}

/// A line of an import of invoices and debit memos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedDocument {
    /// Identifier.
    pub id: DocumentId,
    /// Invoice or debit memo.
    pub kind: DocumentKind,
    /// Number.
    pub number: String,
    /// The account, by identifier or number.
    pub account: Key,
    /// Amount.
    pub amount: MajorAmount,
    /// What is still owed of it; all when absent.
    pub balance: Option<MajorAmount>,
    /// Currency; the account's when absent.
    pub currency: Option<Currency>,
    /// Invoice date or effective date.
    pub document_date: Date,
    /// Due date; the document date when absent.
    pub due_date: Option<Date>,
    /// Auto-pay.
    pub auto_pay: bool,
    /// Whether it is posted.
    pub post: bool,
    /// The bill run that made it.
    pub bill_run: Option<BillRunId>,
    /// Its own payment method, by identifier.
    pub payment_method: Option<Key>,
    /// Free text.
    pub comment: Option<String>,
    /// Reason code.
    pub reason_code: Option<String>,
}

/// What a line of an import of credits makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditTarget {
    /// A posted credit memo of this number.
    CreditMemo(CreditMemoId, String),
    /// A processed external payment of this number, of which nothing is applied.
    UnappliedPayment(PaymentId, String),
    /// More credit balance of the account.
    CreditBalance,
}

/// A line of an import of credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedCredit {
    /// What it makes.
    pub target: CreditTarget,
    /// The account, by identifier or number.
    pub account: Key,
    /// Amount.
    pub amount: MajorAmount,
    /// Currency; the account's when absent.
    pub currency: Option<Currency>,
    /// Day on which it counts; the oldest is used first.
    pub date: Date,
    /// Free text.
    pub comment: Option<String>,
}

/// What a line brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// An account.
    Account(ImportedAccount),
    /// A payment method.
    PaymentMethod(ImportedPaymentMethod),
    /// An invoice or a debit memo.
    Document(ImportedDocument),
    /// A credit.
    Credit(ImportedCredit),
}

impl Imported {
    /// The kind of import that it belongs to.
    pub const fn kind(&self) -> ImportKind {
        match self {
            Self::Account(_) => ImportKind::Accounts,
            Self::PaymentMethod(_) => ImportKind::PaymentMethods,
            Self::Document(_) => ImportKind::Documents,
            Self::Credit(_) => ImportKind::Credits,
        }
    }
}

/// A line as it was read: what it brings, or why it brings nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The number of the line, from 1.
    pub number: u64,
    /// What it brings.
    pub content: Result<Imported, Vec<LineFault>>,
}

/// Lines that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineBatch {
    /// The number of the first one.
    pub first_line: u64,
    /// The number after the last one. Numbers between the two that no line has are empty lines.
    pub next_line: u64,
    /// The lines, by number.
    pub lines: Vec<Line>,
}

/// What is kept of lines that were refused after so many others of the same import.
pub fn keep_refused(lines: &mut Vec<RefusedLine>, refused_before: u64) {
    let room = |max: u64| usize::try_from(max.saturating_sub(refused_before)).unwrap_or(usize::MAX);
    lines.truncate(room(REFUSED_KEPT_MAX));
    for (at, line) in lines.iter_mut().enumerate() {
        let mut bytes_left = if at < room(REFUSED_IN_FULL_MAX) { LINE_FAULT_BYTES_MAX } else { 0 };
        let fits = |fault: &LineFault| {
            let bytes = fault.field.len() + fault.message.len();
            let fits = bytes <= bytes_left;
            bytes_left = bytes_left.saturating_sub(bytes);
            fits
        };
        let more = line.faults.iter().skip(1).map(fits).take_while(|fits| *fits).count();
        line.faults.truncate(1 + more);
    }
}

/// The name of a field in the lines of an import.
pub const fn field_name(field: Field) -> &'static str {
    match field {
        Field::Account => "account",
        Field::AutoPay => "auto_pay",
        Field::Balance => "balance",
        Field::Batch => "batch",
        Field::BillCycleDay => "bill_cycle_day",
        Field::BillRun => "bill_run",
        Field::CreditBalance => "credit_balance",
        Field::Currency => "currency",
        Field::Gateway => "payment_gateway",
        Field::Organizations => "organization",
        Field::Number => "number",
        Field::Name => "name",
        Field::Amount => "amount",
        Field::PaymentMethod => "payment_method",
        Field::DueDate => "due_date",
        Field::Status => "status",
        _ => "",
    }
}

/// A refusal as a fault of the line that led to it.
pub fn line_fault(refusal: &Refusal) -> LineFault {
    let fault = fault_of(refusal);
    // A refusal may name what the line named, which may have been put into the wrong field.
    if holds_card_number(&fault.message) {
        return LineFault { message: CARD_NUMBER_MESSAGE.to_owned(), ..fault };
    }
    fault
}

fn fault_of(refusal: &Refusal) -> LineFault {
    match refusal {
        Refusal::NotFound { field, .. } => {
            LineFault::new(field_name(*field), LineFaultCode::NotFound, refusal.to_string())
        }
        Refusal::NumberTaken { .. } => LineFault::new("number", LineFaultCode::Taken, refusal.to_string()),
        Refusal::Invalid { field, message } => {
            LineFault::new(field_name(*field), LineFaultCode::InvalidValue, message.clone())
        }
        Refusal::Money { field, source } => {
            LineFault::new(field_name(*field), LineFaultCode::InvalidValue, source.to_string())
        }
        Refusal::Excludes { field, .. } => {
            LineFault::new(field_name(*field), LineFaultCode::Forbidden, refusal.to_string())
        }
        Refusal::OneNeeded { fields } => {
            let field = fields.first().map_or("", |field| field_name(*field));
            LineFault::new(field, LineFaultCode::MissingField, refusal.to_string())
        }
        Refusal::WrongState { .. } | Refusal::InProgress { .. } => {
            LineFault::new("", LineFaultCode::Forbidden, refusal.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn amounts_wait_for_their_currency() {
        let amount = |mantissa, scale| MajorAmount { mantissa, scale };
        let yen = Currency::from_code("JPY").unwrap();
        assert_eq!(amount(105, 1).to_minor(Currency::USD), Ok(1_050));
        assert_eq!(
            amount(105, 1).to_minor(yen).unwrap_err().to_string(),
            "must have at most 0 decimal places in JPY"
        );
        assert_eq!(amount(-1, 2).to_minor(Currency::USD), Err(AmountFault::Negative));
        assert_eq!(amount(i128::MAX, 0).to_minor(yen), Err(AmountFault::TooLarge));
        assert_eq!(amount(1, 0).to_minor(yen), Ok(1));
    }

    fn refused(count: u64, faults: usize) -> Vec<RefusedLine> {
        let fault = LineFault::new("field", LineFaultCode::InvalidValue, "x".repeat(300));
        (0..count).map(|line| RefusedLine { line, faults: vec![fault.clone(); faults] }).collect()
    }

    #[test]
    fn reasons_are_kept_within_bounds() {
        let mut lines = refused(REFUSED_KEPT_MAX + 10, 3);
        keep_refused(&mut lines, 0);
        let kept: Vec<usize> = lines.iter().map(|line| line.faults.len()).collect();
        let full = usize::try_from(REFUSED_IN_FULL_MAX).unwrap();
        assert_eq!(u64::try_from(kept.len()).unwrap(), REFUSED_KEPT_MAX);
        assert!(kept[..full].iter().all(|faults| *faults == 3));
        assert!(kept[full..].iter().all(|faults| *faults == 1));

        let mut later = refused(20, 3);
        keep_refused(&mut later, REFUSED_KEPT_MAX - 10);
        assert_eq!(later.len(), 10);
        keep_refused(&mut later, REFUSED_KEPT_MAX + 10);
        assert!(later.is_empty());
    }

    #[test]
    fn reasons_of_one_line_have_so_many_bytes() {
        let mut lines = refused(1, LINE_FAULTS_MAX);
        keep_refused(&mut lines, 0);
        assert_eq!(lines[0].faults.len(), 1 + LINE_FAULT_BYTES_MAX / 305);
    }
}
