//! Receivables: invoices and debit memos, and the credits that pay them without a charge.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::account::Stamps;
use crate::ids::{AccountId, BillRunId, CreditMemoId, DocumentId, PaymentId, PaymentMethodId};
use crate::money::Currency;

/// What kind of receivable a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DocumentKind {
    /// An invoice.
    Invoice,
    /// A debit memo.
    DebitMemo,
}

/// Life of an invoice, a debit memo or a credit memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DocumentStatus {
    /// Not yet owed.
    Draft,
    /// Owed.
    Posted,
    /// Never owed.
    Canceled,
}

/// One line of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentItem {
    /// Amount in minor units of the document's currency, tax excluded.
    pub amount_minor: i64,
    /// Tax in minor units.
    pub tax_minor: i64,
    /// What is charged for.
    pub charge_name: Option<String>,
    /// First day of the service.
    pub service_start: Option<Date>,
    /// Last day of the service.
    pub service_end: Option<Date>,
}

/// An invoice or a debit memo: money a customer owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Identifier.
    pub id: DocumentId,
    /// Number, unique among documents of its kind in the entity.
    pub number: String,
    /// Invoice or debit memo.
    pub kind: DocumentKind,
    /// Who owes it.
    pub account: AccountId,
    /// Draft, posted or canceled.
    pub status: DocumentStatus,
    /// Currency of all its amounts.
    pub currency: Currency,
    /// Total in minor units.
    pub amount_minor: i64,
    /// What is still owed, in minor units.
    pub balance_minor: i64,
    /// What payments have paid, in minor units.
    pub paid_minor: i64,
    /// What credit memos and credit balance have paid, in minor units.
    pub credited_minor: i64,
    /// Invoice date or effective date.
    pub document_date: Date,
    /// When it is due.
    pub due_date: Date,
    /// Whether runs collect it without being asked.
    pub auto_pay: bool,
    /// The bill run that made it.
    pub bill_run: Option<BillRunId>,
    /// The payment method of its own (a payment profile).
    pub payment_method: Option<PaymentMethodId>,
    /// The payment that holds it while its outcome is not known.
    pub held_by: Option<PaymentId>,
    /// Free text.
    pub comment: Option<String>,
    /// Reason code of a debit memo.
    pub reason_code: Option<String>,
    /// When it was posted (UTC).
    pub posted_at: Option<Timestamp>,
    /// Who and when.
    pub stamps: Stamps,
}

/// A credit memo: money the company owes a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditMemo {
    /// Identifier.
    pub id: CreditMemoId,
    /// Number, unique in the entity.
    pub number: String,
    /// Whose it is.
    pub account: AccountId,
    /// Draft, posted or canceled.
    pub status: DocumentStatus,
    /// Currency of all its amounts.
    pub currency: Currency,
    /// Total in minor units.
    pub amount_minor: i64,
    /// What has not been used yet, in minor units.
    pub unapplied_minor: i64,
    /// Effective date; the oldest is used first.
    pub effective_date: Date,
    /// Reason code.
    pub reason_code: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// Who and when.
    pub stamps: Stamps,
}
