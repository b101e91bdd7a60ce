//! Commands: everything a caller can change, each one a single transaction.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::account::{Account, AccountStatus, GatewayConfig, Scope};
use crate::document::{CreditMemo, Document, DocumentItem, DocumentKind};
use crate::ids::{
    AccountId, BillRunId, DocumentId, Key, OrganizationId, PaymentId, PaymentMethodId, RunId, UserId,
};
use crate::import::{Import, NewImport};
use crate::money::Currency;
use crate::payment::{GatewayAnswer, Payment};
use crate::payment_method::{Instrument, PaymentMethod, PaymentMethodKind};
use crate::ports::ledger::Progress;
use crate::ports::{Outcome, Settlement};
use crate::run::{DataRecord, DeletePolicy, Run, RunFilter, RunOptions};
use crate::run_schedule::{NewSchedule, Schedule, ScheduleChange};

/// A command with who gives it, where and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What it may see and change.
    pub scope: Scope,
    /// Who gives it.
    pub user: UserId,
    /// When (UTC).
    pub now: Timestamp,
    /// What is to be done.
    pub command: Command,
}

/// A change to a field that can be emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Change<T> {
    /// Leave it.
    #[default]
    Keep,
    /// Give it a value.
    Set(T),
    /// Empty it.
    Clear,
}

impl<T> Change<T> {
    /// The field after the change.
    pub fn apply(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Set(value) => Some(value),
            Self::Clear => None,
        }
    }
}

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Identifier.
    pub id: AccountId,
    /// Number; the store gives one (`A00000001`) when absent.
    pub number: Option<String>,
    /// Name.
    pub name: String,
    /// Currency.
    pub currency: Currency,
    /// Auto-pay; absent means: on exactly when there is an electronic payment method.
    pub auto_pay: Option<bool>,
    /// Batch.
    pub batch: Option<String>,
    /// Bill cycle day, 0 to 31.
    pub bill_cycle_day: u8,
    /// Gateway, by identifier or name.
    pub gateway: Option<Key>,
    /// A payment method that exists already, to become the default.
    pub payment_method: Option<Key>,
    /// A payment method made with the account, to become the default.
    pub new_payment_method: Option<NewPaymentMethod>,
    /// Organization, by name or identifier.
    pub organization: Option<Key>,
}

/// A change of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountChange {
    /// Name.
    pub name: Option<String>,
    /// Auto-pay.
    pub auto_pay: Option<bool>,
    /// Batch.
    pub batch: Option<String>,
    /// Bill cycle day.
    pub bill_cycle_day: Option<u8>,
    /// Gateway, by identifier or name.
    pub gateway: Change<Key>,
    /// Default payment method.
    pub default_payment_method: Option<Key>,
    /// Status.
    pub status: Option<AccountStatus>,
}

/// A new payment method, already tokenised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPaymentMethod {
    /// Identifier.
    pub id: PaymentMethodId,
    /// The account, by identifier or number; ignored inside [`NewAccount`].
    pub account: Option<Key>,
    /// What it is.
    pub kind: PaymentMethodKind,
    /// The kind as the caller wrote it.
    pub kind_name: String,
    /// Mask and token.
    pub instrument: Instrument,
    /// Whether it becomes the account's default.
    pub make_default: bool,
}

/// A change of a payment method.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentMethodChange {
    /// Month of expiry.
    pub expiration_month: Option<u8>,
    /// Year of expiry.
    pub expiration_year: Option<u16>,
    /// Whether the entity's retry rule holds.
    pub use_default_retry_rule: Option<bool>,
    /// Most failures in a row.
    pub max_consecutive_failures: Change<u32>,
    /// Hours without an attempt after a failure.
    pub retry_window_hours: Change<u32>,
}

/// A new invoice or debit memo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// Identifier.
    pub id: DocumentId,
    /// Invoice or debit memo.
    pub kind: DocumentKind,
    /// Number; the store gives one (`INV00000001`, `DM00000001`) when absent.
    pub number: Option<String>,
    /// The account, by identifier or number.
    pub account: Key,
    /// Currency; the account's when absent.
    pub currency: Option<Currency>,
    /// Items, whose sum is the amount.
    pub items: Vec<DocumentItem>,
    /// Invoice date or effective date.
    pub document_date: Date,
    /// Due date; the document date when absent.
    pub due_date: Option<Date>,
    /// Auto-pay.
    pub auto_pay: bool,
    /// Whether it is posted at once.
    pub post: bool,
    /// The bill run that made it.
    pub bill_run: Option<BillRunId>,
    /// Its own payment method.
    pub payment_method: Option<Key>,
    /// Free text.
    pub comment: Option<String>,
    /// Reason code.
    pub reason_code: Option<String>,
}

/// A new credit memo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCreditMemo {
    /// Identifier.
    pub id: crate::ids::CreditMemoId,
    /// Number; the store gives one (`CM00000001`) when absent.
    pub number: Option<String>,
    /// The account, by identifier or number.
    pub account: Key,
    /// Currency; the account's when absent.
    pub currency: Option<Currency>,
    /// Minor units; more than 0.
    pub amount_minor: i64,
    /// Effective date.
    pub effective_date: Date,
    /// Whether it is posted at once.
    pub post: bool,
    /// Free text.
    pub comment: Option<String>,
    /// Reason code.
    pub reason_code: Option<String>,
}

/// A document that a new payment pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPaymentPart {
    /// Invoice or debit memo.
    pub kind: DocumentKind,
    /// The document, by identifier or number.
    pub document: Key,
    /// Minor units.
    pub amount_minor: i64,
}

/// A new payment. An external one is processed at once; an electronic one becomes an intent that the caller then charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// Identifier.
    pub id: PaymentId,
    /// The account, by identifier or number.
    pub account: Key,
    /// Currency.
    pub currency: Currency,
    /// Minor units; more than 0.
    pub amount_minor: i64,
    /// Whether a gateway charges it.
    pub electronic: bool,
    /// Day on which it counts.
    pub effective_date: Date,
    /// What is charged; the account's default when absent.
    pub payment_method: Option<Key>,
    /// Through which gateway; the account's, then the default one, when absent.
    pub gateway: Option<Key>,
    /// Which documents it pays; the rest stays unapplied.
    pub parts: Vec<NewPaymentPart>,
    /// Free text.
    pub comment: Option<String>,
    /// The caller's own reference.
    pub reference_id: Option<String>,
    /// A standalone payment settles nothing.
    pub standalone: bool,
    /// Stands for the request in the key of the charge: the same when the caller repeats it under its idempotency key, else
    /// a fresh identifier.
    pub charge_request: u128,
}

/// A new payment run.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Identifier.
    pub id: RunId,
    /// Which documents; names are resolved by the caller of the command.
    pub filter: RunFilter,
    /// How.
    pub options: RunOptions,
    /// Target date; for a scheduled run without one, the day of the run.
    pub target_date: Option<Date>,
    /// When it starts (UTC, on the hour); absent means at once.
    pub run_at: Option<Timestamp>,
    /// The organizations it is for.
    pub organizations: Vec<OrganizationId>,
    /// Exactly what to collect, instead of filters.
    pub records: Vec<DataRecord>,
}

/// A change of a pending run: each field alone; the result is checked as a whole with [`crate::run_rules`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunChange {
    /// Account.
    pub account: Change<AccountId>,
    /// Batch.
    pub batch: Change<String>,
    /// Bill cycle day.
    pub bill_cycle_day: Change<u8>,
    /// Bill run.
    pub bill_run: Change<BillRunId>,
    /// Currency.
    pub currency: Change<Currency>,
    /// Gateway.
    pub gateway: Change<crate::ids::GatewayId>,
    /// Target date.
    pub target_date: Change<Date>,
    /// Start.
    pub run_at: Change<Timestamp>,
    /// Credit balance.
    pub apply_credit_balance: Option<bool>,
    /// Credit memos.
    pub auto_apply_credit_memo: Option<bool>,
    /// Unapplied payments.
    pub auto_apply_unapplied_payment: Option<bool>,
    /// Charge what remains.
    pub collect_payment: Option<bool>,
    /// One payment per account and currency.
    pub consolidated_payment: Option<bool>,
    /// Closed payment methods.
    pub process_payment_with_closed_pm: Option<bool>,
    /// Documents' own payment methods.
    pub use_custom_payment_methods: Change<bool>,
    /// Skip the retry rules.
    pub ignore_retry_rule: Option<bool>,
    /// Organizations.
    pub organizations: Option<Vec<OrganizationId>>,
    /// Data records in place of those there are; none of them makes it a run with filters again.
    pub records: Option<Vec<DataRecord>>,
}

/// What a person found out about a payment in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Whether the money was collected; otherwise the payment was declined.
    pub collected: bool,
    /// The gateway's name for the charge; the one that is known stays when absent.
    pub reference: Option<String>,
    /// The gateway's code.
    pub code: Option<String>,
    /// The gateway's words.
    pub message: Option<String>,
    /// How it was found out, for the audit trail; not empty.
    pub comment: String,
}

impl Resolution {
    /// The outcome that this amounts to.
    pub fn outcome(&self) -> Outcome {
        if self.collected {
            return Outcome::Approved { reference: self.reference.clone().unwrap_or_default() };
        }
        Outcome::Declined {
            code: self.code.clone().unwrap_or_default(),
            message: self.message.clone().unwrap_or_default(),
            reference: self.reference.clone(),
        }
    }

    /// What the payment keeps of it.
    pub fn answer(&self) -> GatewayAnswer {
        GatewayAnswer {
            reference: self.reference.clone(),
            code: self.code.clone(),
            message: self.message.clone(),
        }
    }
}

/// Everything a caller can change.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Creates an account.
    CreateAccount(NewAccount),
    /// Changes an account.
    UpdateAccount(Key, AccountChange),
    /// Creates a payment method.
    CreatePaymentMethod(NewPaymentMethod),
    /// Changes a payment method.
    UpdatePaymentMethod(Key, PaymentMethodChange),
    /// Erases a payment method's data.
    ScrubPaymentMethod(Key),
    /// Creates an invoice or debit memo.
    CreateDocument(NewDocument),
    /// Posts an invoice or debit memo.
    PostDocument(DocumentKind, Key),
    /// Creates a credit memo.
    CreateCreditMemo(NewCreditMemo),
    /// Posts a credit memo.
    PostCreditMemo(Key),
    /// Creates a payment; an electronic one is only an intent after this.
    CreatePayment(NewPayment),
    /// Records what came of a single electronic payment.
    SettlePayment(Settlement),
    /// Creates a run.
    CreateRun(NewRun),
    /// Changes a pending run.
    UpdateRun(Key, RunChange),
    /// Hides a run that the policy lets go; its payments and its audit trail stay.
    DeleteRun(Key, DeletePolicy),
    /// Gives a pending run up.
    CancelRun(Key),
    /// Creates a schedule with its first run.
    CreateSchedule(NewSchedule),
    /// Changes a schedule that has not ended, together with its pending run.
    UpdateSchedule(Key, ScheduleChange),
    /// Ends a schedule for good and gives its pending run up; runs at work go on. Ending it again changes nothing.
    EndSchedule(Key),
    /// Stops a run at work: what is under way ends, the rest is left, and then the run is canceled. Stopping it again changes
    /// nothing.
    StopRun(Key),
    /// Records what a person found out about a payment of unknown or pending outcome.
    ResolvePayment(Key, Resolution),
    /// Begins an import.
    CreateImport(NewImport),
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// An account.
    Account(Account),
    /// A payment method.
    PaymentMethod(PaymentMethod),
    /// An invoice or a debit memo.
    Document(Document),
    /// A credit memo.
    CreditMemo(CreditMemo),
    /// A payment that needs nothing more.
    Payment(Payment),
    /// A single electronic payment whose charge is now to be sent.
    PaymentIntent(Payment, crate::ports::Intent),
    /// A run.
    Run(Run),
    /// A run with its counters.
    Progress(Progress),
    /// A schedule.
    Schedule(Schedule),
    /// An import.
    Import(Import),
    /// The object is gone.
    Deleted,
}

/// Whole objects for bulk loading, with their identifiers, numbers and tokens made by the caller.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Load {
    /// Accounts.
    pub accounts: Vec<Account>,
    /// Payment methods.
    pub payment_methods: Vec<PaymentMethod>,
    /// Documents, with their items left out.
    pub documents: Vec<Document>,
    /// Credit memos.
    pub credit_memos: Vec<CreditMemo>,
    /// Processed payments with an unapplied amount.
    pub payments: Vec<Payment>,
    /// Gateways.
    pub gateways: Vec<GatewayConfig>,
}
