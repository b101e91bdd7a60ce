//! The ledger: commands and questions about accounts, documents, payments and runs.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use super::gateway::EncodeCharge;
use super::once::{Once, StoredResponse};
use super::preview::{PreviewQuery, Previewed};
use super::{BoxFuture, Ids, StoreError};
use crate::account::{Account, Scope};
use crate::audit::{AuditQuery, AuditRecord};
pub use crate::command::Output;
use crate::command::{Load, Request};
use crate::document::{CreditMemo, Document, DocumentItem, DocumentKind};
use crate::ids::{AccountId, EntityKey, Key, PaymentId, RunId, UserId};
use crate::money::Currency;
use crate::payment::{Payment, PaymentKind, PaymentState};
use crate::payment_method::PaymentMethod;
use crate::refusal::Refusal;
use crate::run::{DataRecord, Decision, Run, RunStatus, SkipReason, Tallies};

/// Why a command did not happen. In every case nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The caller's fault; every reason at once.
    #[error("the command was refused")]
    Refused(Vec<Refusal>),
    /// The store's fault.
    #[error("the command could not be stored")]
    Store(#[from] StoreError),
}

/// A command's result.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is made once and moved once")]
pub enum Executed {
    /// It was done now.
    Fresh(Output),
    /// The same request was answered before, like this.
    Replayed(StoredResponse),
    /// The same request is being worked on.
    InFlight,
    /// The idempotency key belongs to another request.
    Mismatch,
}

/// A field by which the v1 list of runs is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunSort {
    /// Number, the default.
    Number,
    /// Target date.
    TargetDate,
    /// Status.
    Status,
    /// When it was created.
    CreatedAt,
    /// Who created it.
    CreatedBy,
    /// When it was changed.
    UpdatedAt,
    /// Who changed it.
    UpdatedBy,
}

/// A condition on runs: equality, or `None` for null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunCondition {
    /// Created by.
    CreatedBy(Option<UserId>),
    /// Created at one of these instants, to the second.
    CreatedAt(Vec<Timestamp>),
    /// Status.
    Status(Option<RunStatus>),
    /// Target date.
    TargetDate(Option<Date>),
    /// Changed by.
    UpdatedBy(Option<UserId>),
    /// Changed at one of these instants, to the second.
    UpdatedAt(Vec<Timestamp>),
    /// Matches nothing, because the value can belong to no run.
    Never,
}

/// Which runs, in what order, which page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunQuery {
    /// Conditions, all of which hold.
    pub conditions: Vec<RunCondition>,
    /// Sort fields; `true` is ascending. The number breaks ties. Empty: number descending.
    pub sort: Vec<(RunSort, bool)>,
    /// How many to pass over.
    pub offset: u64,
    /// How many to give at most.
    pub limit: u32,
}

/// A field by which the v1 list of payments is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaymentSort {
    /// Number.
    Number,
    /// Identifier of the account.
    Account,
    /// Amount in major units, whatever the currency.
    Amount,
    /// What documents have taken, in major units.
    AppliedAmount,
    /// What no document has taken yet, in major units.
    UnappliedAmount,
    /// Who created it.
    CreatedBy,
    /// When it was created.
    CreatedAt,
    /// Day on which it counts.
    EffectiveDate,
    /// Who changed it.
    UpdatedBy,
    /// When it was changed.
    UpdatedAt,
}

/// A condition on payments: equality, or `None` for null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentCondition {
    /// Number.
    Number(String),
    /// Electronic or external.
    Kind(PaymentKind),
    /// Currency.
    Currency(Currency),
    /// Day on which it counts.
    EffectiveDate(Date),
    /// Created by.
    CreatedBy(Option<UserId>),
    /// Created at one of these instants, to the second.
    CreatedAt(Vec<Timestamp>),
    /// Changed by.
    UpdatedBy(Option<UserId>),
    /// Changed at one of these instants, to the second.
    UpdatedAt(Vec<Timestamp>),
    /// Matches nothing, because the value can belong to no payment.
    Never,
}

/// Which payments, in what order, which page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentQuery {
    /// Of this account.
    pub account: Option<Key>,
    /// Of this run.
    pub run: Option<RunId>,
    /// In one of these states; empty means any.
    pub states: Vec<PaymentState>,
    /// Further conditions, all of which hold.
    pub conditions: Vec<PaymentCondition>,
    /// Sort fields; `true` is ascending. The number breaks ties, highest first. Empty: newest first, by identifier.
    pub sort: Vec<(PaymentSort, bool)>,
    /// Oldest first instead of newest first; without sort fields only.
    pub oldest_first: bool,
    /// After this payment, in the order by identifier.
    pub after: Option<PaymentId>,
    /// How many to pass over.
    pub offset: u64,
    /// How many to give at most.
    pub limit: u32,
}

/// Which decisions of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionQuery {
    /// Only picked up (`true`) or only skipped ones (`false`).
    pub picked: Option<bool>,
    /// Only those skipped for this reason.
    pub reason: Option<SkipReason>,
    /// After this position.
    pub after: Option<DecisionPosition>,
    /// How many at most.
    pub limit: u32,
}

/// Where a decision stands in a run: chunk, then ordinal in the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionPosition {
    /// The chunk.
    pub chunk: u32,
    /// The ordinal.
    pub ordinal: u32,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The run.
    pub run: Run,
    /// Documents found by the selection so far.
    pub documents_selected: u64,
    /// Whether the selection is complete.
    pub selection_complete: bool,
    /// Whether it was told to stop and still has work in flight.
    pub stopping: bool,
    /// Chunks cut so far, and how many of them are done.
    pub chunks: (u32, u32),
    /// The counters.
    pub tallies: Tallies,
}

/// A data record with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordResult {
    /// Position in the request, from 0.
    pub position: u32,
    /// The record as it came.
    pub record: DataRecord,
    /// Code and message of the error, if it failed or its payment was declined.
    pub error: Option<(String, String)>,
    /// Whether the run has decided about it.
    pub decided: bool,
    /// What it set out to collect.
    pub amount_to_collect: Option<(i64, Currency)>,
    /// What it did with the money.
    pub transactions: Vec<RecordTransaction>,
}

/// One movement of money for a data record.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is made once and moved once")]
pub enum RecordTransaction {
    /// A payment, and how much of it was for this record.
    Payment {
        /// The payment, without its parts.
        payment: Payment,
        /// Minor units for this record.
        applied_minor: i64,
    },
    /// A credit.
    Credit {
        /// Where it came from.
        source: crate::plan::CreditSource,
        /// Minor units.
        applied_minor: i64,
    },
}

/// Commands and questions. Every question sees committed data only, and only what is in scope.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Carries a command out in one transaction, together with its idempotency record.
    async fn execute(
        &self,
        request: Request,
        once: Option<Once>,
        encoder: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Executed, LedgerError>;
    /// Loads whole objects in one transaction, over those with the same identifiers. What happened here stays: a
    /// document or credit memo that money has moved for or that a payment holds, an account's credit balance, what a payment
    /// method has counted, and every payment are left as they are.
    async fn load(&self, entity: EntityKey, load: Load) -> Result<(), StoreError>;
    /// An account.
    async fn find_account(&self, scope: &Scope, key: &Key) -> Result<Option<Account>, StoreError>;
    /// A payment method.
    async fn find_payment_method(
        &self,
        scope: &Scope,
        key: &Key,
    ) -> Result<Option<PaymentMethod>, StoreError>;
    /// An invoice or a debit memo.
    async fn find_document(
        &self,
        scope: &Scope,
        kind: DocumentKind,
        key: &Key,
    ) -> Result<Option<Document>, StoreError>;
    /// The items of a document, in their order.
    async fn document_items(
        &self,
        scope: &Scope,
        document: &Document,
    ) -> Result<Vec<DocumentItem>, StoreError>;
    /// A credit memo.
    async fn find_credit_memo(&self, scope: &Scope, key: &Key) -> Result<Option<CreditMemo>, StoreError>;
    /// A payment with its parts.
    async fn find_payment(&self, scope: &Scope, key: &Key) -> Result<Option<Payment>, StoreError>;
    /// Payments with their parts, in the order asked for.
    async fn list_payments(&self, scope: &Scope, query: PaymentQuery) -> Result<Vec<Payment>, StoreError>;
    /// The audit trail of the entity, oldest first. A caller that is bound to organizations sees records of the runs and
    /// payments in its scope.
    async fn list_audit_records(
        &self,
        scope: &Scope,
        query: AuditQuery,
    ) -> Result<Vec<AuditRecord>, StoreError>;
    /// The identifier of a run, also of a deleted one, for its audit trail.
    async fn find_audited_run(&self, scope: &Scope, key: &Key) -> Result<Option<RunId>, StoreError>;
    /// A run that is not deleted.
    async fn find_run(&self, scope: &Scope, key: &Key) -> Result<Option<Run>, StoreError>;
    /// Runs that are not deleted.
    async fn list_runs(&self, scope: &Scope, query: RunQuery) -> Result<Vec<Run>, StoreError>;
    /// The counters of a run.
    async fn run_tallies(&self, entity: EntityKey, run: RunId) -> Result<Tallies, StoreError>;
    /// What a run would do if it were created and started now. Reads one snapshot and writes nothing; the run is refused
    /// as its creation would be.
    async fn preview_run(&self, query: PreviewQuery) -> Result<Previewed, LedgerError>;
    /// How far a run is.
    async fn run_progress(&self, scope: &Scope, key: &Key) -> Result<Option<Progress>, StoreError>;
    /// What a run decided, in order, each with its position.
    async fn list_decisions(
        &self,
        entity: EntityKey,
        run: RunId,
        query: DecisionQuery,
    ) -> Result<Vec<(DecisionPosition, Decision)>, StoreError>;
    /// A run's data records from a position on, at most `limit`.
    async fn list_records(
        &self,
        entity: EntityKey,
        run: RunId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<RecordResult>, StoreError>;
    /// Accounts by identifier, for messages and exports; missing ones are left out.
    async fn account_numbers(
        &self,
        entity: EntityKey,
        accounts: &[AccountId],
    ) -> Result<Vec<(AccountId, String)>, StoreError>;
    /// Waits until a run may have moved on: it was created, changed, cut, planned, stopped or ended. Outcomes alone are not told,
    /// nor is what other processes do.
    fn runs_changed(&self) -> BoxFuture<'_, ()>;
    /// Whether the store can be read and written now.
    async fn check(&self) -> Result<(), StoreError>;
}
