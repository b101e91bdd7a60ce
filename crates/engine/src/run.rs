//! Payment runs: what a caller asks for, where a run stands, and its counters.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::account::Stamps;
use crate::document::DocumentKind;
use crate::ids::{
    AccountId, BillRunId, DocumentId, GatewayId, Key, OrganizationId, PaymentId, PaymentMethodId, RunId,
};
use crate::money::Currency;
use crate::run_schedule::Occurrence;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RunStatus {
    /// Waiting for its time.
    Pending,
    /// At work.
    Processing,
    /// Nothing remains to be sent.
    Completed,
    /// The run itself could not go on.
    Error,
    /// Given up before or during its work.
    Canceled,
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RunEvent {
    /// Its time has come.
    Start,
    /// Nothing remains to be sent.
    Complete,
    /// It cannot go on.
    Fail,
    /// Somebody gave it up while it was waiting.
    Cancel,
    /// Somebody stopped it at work; what was in flight has ended.
    Stop,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Processing, Self::Completed, Self::Error, Self::Canceled];

    /// The whole machine: a pair that is not listed is refused.
    pub const TRANSITIONS: &'static [(Self, RunEvent, Self)] = &[
        (Self::Pending, RunEvent::Start, Self::Processing),
        (Self::Pending, RunEvent::Cancel, Self::Canceled),
        (Self::Processing, RunEvent::Complete, Self::Completed),
        (Self::Processing, RunEvent::Fail, Self::Error),
        (Self::Processing, RunEvent::Stop, Self::Canceled),
    ];

    /// The status after an event, if the machine allows it.
    pub fn after(self, event: RunEvent) -> Option<Self> {
        Self::TRANSITIONS.iter().find(|(from, on, _)| *from == self && *on == event).map(|(_, _, to)| *to)
    }

    /// Whether the run may be changed.
    pub fn can_update(self) -> bool {
        self == Self::Pending
    }

    /// Whether a run in this status may be deleted.
    pub fn can_delete(self, policy: DeletePolicy) -> bool {
        match policy {
            DeletePolicy::CanceledOrError => matches!(self, Self::Canceled | Self::Error),
            DeletePolicy::CanceledOrPending => matches!(self, Self::Canceled | Self::Pending),
        }
    }
}

/// Which runs may be deleted; the public APIs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeletePolicy {
    /// The rule of v1.
    CanceledOrError,
    /// The rule of v2: a pending run that is deleted never starts.
    CanceledOrPending,
}

/// Which documents a run looks at. All given filters must hold; none given means all accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunFilter {
    /// One account. Excludes every other filter.
    pub account: Option<AccountId>,
    /// Accounts of this batch.
    pub batch: Option<String>,
    /// Accounts with this bill cycle day, 1 to 31.
    pub bill_cycle_day: Option<u8>,
    /// Documents of this bill run.
    pub bill_run: Option<BillRunId>,
    /// Documents in this currency.
    pub currency: Option<Currency>,
    /// Accounts whose effective gateway is this one; it is also the gateway charged.
    pub gateway: Option<GatewayId>,
}

/// How a run collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the options are independent switches of the contract")]
pub struct RunOptions {
    /// Use the account's credit balance. Excludes both of the next two.
    pub apply_credit_balance: bool,
    /// Use posted credit memos.
    pub auto_apply_credit_memo: bool,
    /// Use unapplied payments.
    pub auto_apply_unapplied_payment: bool,
    /// Charge what remains.
    pub collect_payment: bool,
    /// One payment for all documents of an account and currency.
    pub consolidated_payment: bool,
    /// Charge closed payment methods, too.
    pub process_payment_with_closed_pm: bool,
    /// Charge a document's own payment method where it has one. `None`: never said, which means yes.
    pub use_custom_payment_methods: Option<bool>,
    /// Skip the retry rules.
    pub ignore_retry_rule: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            apply_credit_balance: false,
            auto_apply_credit_memo: false,
            auto_apply_unapplied_payment: false,
            collect_payment: true,
            consolidated_payment: false,
            process_payment_with_closed_pm: false,
            use_custom_payment_methods: None,
            ignore_retry_rule: false,
        }
    }
}

/// One record of a run that was told exactly what to collect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DataRecord {
    /// The account, by identifier or number.
    pub account: Option<Key>,
    /// Whether `account` is a number.
    pub account_is_number: bool,
    /// Invoice or debit memo; absent means every open document of the account.
    pub document_kind: Option<DocumentKind>,
    /// The document, by identifier or number.
    pub document: Option<Key>,
    /// Whether `document` is a number.
    pub document_is_number: bool,
    /// How much to collect, in major units as mantissa and scale, since the currency is known only later.
    pub amount: Option<(i64, u32)>,
    /// A payment method other than the account's default.
    pub payment_method: Option<Key>,
    /// A gateway other than the account's.
    pub gateway: Option<Key>,
    /// Free text for the payment.
    pub comment: Option<String>,
    /// A payment that settles no document.
    pub standalone: bool,
    /// Currency of a standalone payment.
    pub currency: Option<String>,
    /// Custom fields, whose names end with `__c`, as they came (JSON text).
    pub custom_fields: BTreeMap<String, serde_json::Value>,
    /// What is wrong with the record's shape, such as an account named twice. The record then fails with this message
    /// when its turn comes, and the others go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A payment run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Identifier.
    pub id: RunId,
    /// Number, such as `PR-00000001`.
    pub number: String,
    /// Where it stands.
    pub status: RunStatus,
    /// Which documents.
    pub filter: RunFilter,
    /// How.
    pub options: RunOptions,
    /// Documents due on or before this day are collected.
    pub target_date: Option<Date>,
    /// When a scheduled run starts (UTC, on the hour of the entity's time zone); an immediate run has none.
    pub run_at: Option<Timestamp>,
    /// The organizations it was created for.
    pub organizations: Vec<OrganizationId>,
    /// The schedule's occurrence that it is, for a run that a schedule made.
    pub occurrence: Option<Occurrence>,
    /// Number of data records; 0 for a run with filters.
    pub record_count: u32,
    /// When its work began (UTC).
    pub executed_at: Option<Timestamp>,
    /// When its work ended (UTC).
    pub completed_at: Option<Timestamp>,
    /// Why it could not go on, or why payments of it could not be sent.
    pub error_message: Option<String>,
    /// Who and when.
    pub stamps: Stamps,
}

impl Run {
    /// The target date as callers see it: its own, else the day in the entity's time zone on which a scheduled run starts.
    pub fn shown_target_date(&self, time_zone: &TimeZone) -> Option<Date> {
        self.target_date.or_else(|| self.run_at.map(|at| at.to_zoned(time_zone.clone()).date()))
    }
}

/// Counters of a run in one currency. They are kept as the work goes on, never counted afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Documents that met the filters but were skipped.
    pub skipped: i64,
    /// Invoices picked up, and their balances before the run in minor units.
    pub invoices: Count,
    /// Debit memos picked up.
    pub debit_memos: Count,
    /// Payments approved.
    pub payments: Count,
    /// Payments declined.
    pub errors: Count,
    /// Payments whose outcome is still open.
    pub processing: Count,
    /// Credit memos used.
    pub credit_memos: Count,
    /// Unapplied payments used.
    pub unapplied_payments: Count,
    /// Uses of credit balance.
    pub credit_balance: Count,
    /// Invoices picked up that are still owed, wholly or in part.
    pub unprocessed_invoices: Count,
    /// Debit memos picked up that are still owed, wholly or in part.
    pub unprocessed_debit_memos: Count,
    /// Data records that were collected.
    pub processed_records: i64,
    /// Data records that failed.
    pub error_records: i64,
}

/// How many, and how much in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// How many.
    pub number: i64,
    /// Minor units.
    pub amount_minor: i64,
}

/// The counters of a run by currency.
pub type Tallies = BTreeMap<Currency, Tally>;

/// Why a document that met the run's filters was not picked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The account pays only when asked.
    AutoPayOffAccount,
    /// The document is paid only when asked.
    AutoPayOffDocument,
    /// The account is not active.
    AccountInactive,
    /// There is no electronic payment method.
    NoPaymentMethod,
    /// The payment method is closed or scrubbed.
    PaymentMethodClosed,
    /// The gateway is switched off.
    GatewayInactive,
    /// There is no gateway.
    NoGateway,
    /// A retry rule forbids another attempt now.
    RetryRule,
    /// Another payment for the document is not decided yet.
    PaymentInProgress,
    /// Nothing is charged in this run, and no credit was left for the document.
    CreditNotApplied,
    /// A data record asks for nothing.
    ZeroAmount,
    /// The payment method or gateway cannot take the currency.
    CurrencyMismatch,
    /// The run was stopped before the document's turn.
    Stopped,
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::AutoPayOffAccount,
        Self::AutoPayOffDocument,
        Self::AccountInactive,
        Self::NoPaymentMethod,
        Self::PaymentMethodClosed,
        Self::GatewayInactive,
        Self::NoGateway,
        Self::RetryRule,
        Self::PaymentInProgress,
        Self::CreditNotApplied,
        Self::ZeroAmount,
        Self::CurrencyMismatch,
        Self::Stopped,
    ];
}

/// What a run decided about one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The document.
    pub document: DocumentId,
    /// Its kind.
    pub kind: DocumentKind,
    /// Its number.
    pub number: String,
    /// Its account.
    pub account: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// What was owed when the decision fell, in minor units.
    pub balance_minor: i64,
    /// Why it was skipped; `None` means picked up.
    pub skipped: Option<SkipReason>,
    /// Credits applied to it, in minor units.
    pub credit_minor: i64,
    /// What is charged for it, in minor units.
    pub charge_minor: i64,
    /// The payment that charges it.
    pub payment: Option<PaymentId>,
    /// The payment method charged.
    pub payment_method: Option<PaymentMethodId>,
}
