//! What a plan is made from, and what it is.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::account::{Account, GatewayConfig};
use crate::document::{CreditMemo, Document};
use crate::ids::{AccountId, CreditMemoId, DocumentId, GatewayId, PaymentId, PaymentMethodId};
use crate::money::Currency;
use crate::payment::{Payment, PaymentPart};
use crate::payment_method::PaymentMethod;
use crate::run::{DataRecord, Decision, Run, Tallies};
use crate::settings::Settings;

/// The rules that hold for a whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRules {
    /// The run.
    pub run: Run,
    /// What the entity has configured.
    pub settings: Settings,
    /// Every gateway of the entity.
    pub gateways: Vec<GatewayConfig>,
    /// Whether the run was stopped: then nothing new is sent and every document is left, with that reason.
    pub stopping: bool,
}

/// One account with all that the plan may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// Its open documents that meet the run's filters, by due date, then number, then identifier. In a run with data
    /// records: those that records name, and all open ones where a record names none.
    pub documents: Vec<Document>,
    /// The payment methods it may need: the default one, the documents' own, the records' own.
    pub payment_methods: Vec<PaymentMethod>,
    /// Posted credit memos with something left, by effective date, then number. Empty unless the run uses them.
    pub credit_memos: Vec<CreditMemo>,
    /// Processed payments with something left, by effective date, then number. Empty unless the run uses them.
    pub unapplied_payments: Vec<Payment>,
}

/// A data record with what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordView {
    /// Position in the request, from 0.
    pub position: u32,
    /// The record as it came.
    pub record: DataRecord,
    /// The account, if it exists.
    pub account: Option<AccountId>,
    /// The document it names, also a closed or foreign one, so that the refusal can say why. A record without a document
    /// takes the open ones among its account's [`AccountView::documents`].
    pub document: Option<Document>,
    /// The payment method it names, if it exists.
    pub payment_method: Option<PaymentMethod>,
}

/// Everything the plan of a chunk depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkView {
    /// The run's rules.
    pub rules: RunRules,
    /// The time of the decision (UTC).
    pub now: Timestamp,
    /// The accounts in the order of their identifiers.
    pub accounts: Vec<AccountView>,
    /// The data records of the chunk by account, then position; empty for a run with filters.
    pub records: Vec<RecordView>,
    /// Documents of these accounts that an earlier chunk of a run with data records has decided about: the records of one
    /// account may fill several chunks. Empty for a run with filters, whose chunks never share a document.
    pub decided: BTreeSet<DocumentId>,
    /// Credits of these accounts that an earlier chunk of the run has used and counted: an account may fill several
    /// chunks, and each credit counts once in a run.
    pub used: BTreeSet<CreditSource>,
}

/// A payment the chunk will make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPayment {
    /// Identifier, taken from the port of identifiers when the plan was made.
    pub id: PaymentId,
    /// Who pays.
    pub account: AccountId,
    /// Currency.
    pub currency: Currency,
    /// Minor units; more than 0.
    pub amount_minor: i64,
    /// What is charged.
    pub payment_method: PaymentMethodId,
    /// Through which gateway.
    pub gateway: GatewayId,
    /// What the gateway knows the method by.
    pub token: String,
    /// The documents it pays; empty only for a standalone payment.
    pub parts: Vec<PaymentPart>,
    /// Free text.
    pub comment: Option<String>,
    /// A standalone payment settles nothing.
    pub standalone: bool,
    /// The data record it comes from; the first one of a consolidated payment.
    pub record: Option<u32>,
    /// How much of it is for which data record, by position; empty in a run with filters.
    pub record_shares: Vec<RecordShare>,
    /// How many data records count as processed or failed with this payment's outcome, for [`super::settle_records`].
    /// A record with several payments counts with the first of them.
    pub records_counted: u32,
}

/// The part of a payment that a data record asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordShare {
    /// Position in the request, from 0.
    pub position: u32,
    /// Minor units of the payment's currency.
    pub amount_minor: i64,
}

/// Where a credit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CreditSource {
    /// A credit memo.
    CreditMemo(CreditMemoId),
    /// A payment with an unapplied amount.
    UnappliedPayment(PaymentId),
    /// The account's credit balance.
    CreditBalance(AccountId),
}

/// A credit applied to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditUse {
    /// Where it comes from.
    pub source: CreditSource,
    /// Whose it is.
    pub account: AccountId,
    /// What it pays.
    pub document: DocumentId,
    /// Minor units of the document's currency; more than 0.
    pub amount_minor: i64,
    /// The data record it was applied for.
    pub record: Option<u32>,
}

/// What became of a data record when the chunk was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordOutcome {
    /// Position in the request, from 0.
    pub position: u32,
    /// Code and message of the refusal; `None` means accepted.
    pub error: Option<(String, String)>,
    /// What it set out to collect, with its currency; absent when refused.
    pub amount_to_collect: Option<(i64, Currency)>,
}

/// What a chunk does: written in one transaction before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChunkPlan {
    /// One decision per document that met the filters.
    pub decisions: Vec<Decision>,
    /// Credits to apply at once.
    pub credit_uses: Vec<CreditUse>,
    /// Payments to write as intents.
    pub payments: Vec<PlannedPayment>,
    /// What became of each data record.
    pub records: Vec<RecordOutcome>,
    /// What the chunk adds to the run's counters at once. Every planned payment counts as processing and its documents'
    /// rest as unprocessed, until its outcome is recorded.
    pub tallies: Tallies,
}
