//! The port [`Ledger`].

use std::sync::Arc;

use async_trait::async_trait;
use payment_runs_engine::account::{Account, Scope};
use payment_runs_engine::audit::{AuditQuery, AuditRecord};
use payment_runs_engine::command::{Command, Load, Request};
use payment_runs_engine::document::{CreditMemo, Document, DocumentItem, DocumentKind};
use payment_runs_engine::ids::{AccountId, EntityKey, Key, RunId};
use payment_runs_engine::payment::Payment;
use payment_runs_engine::payment_method::PaymentMethod;
use payment_runs_engine::ports::ledger::{
    DecisionPosition, DecisionQuery, PaymentQuery, Progress, RecordResult, RunQuery,
};
use payment_runs_engine::ports::{
    BoxFuture, EncodeCharge, Executed, Ids, Ledger, LedgerError, Once, PreviewQuery, Previewed, StoreError,
    Work,
};
use payment_runs_engine::run::{Decision, Run, Tallies};

use super::room::check_room;
use super::row::account::is_account_visible;
use super::sql::first;
use super::work::preview;
use super::{Signals, SqliteStore, command, read, row};

/// Whether the command may change what there is to do next.
fn is_work(command: &Command) -> bool {
    matches!(
        command,
        Command::CreateRun(_)
            | Command::UpdateRun(..)
            | Command::DeleteRun(..)
            | Command::CancelRun(_)
            | Command::StopRun(_)
            | Command::CreateSchedule(_)
            | Command::UpdateSchedule(..)
            | Command::EndSchedule(_)
    )
}

#[async_trait]
impl Ledger for SqliteStore {
    async fn execute(
        &self,
        request: Request,
        once: Option<Once>,
        encoder: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Executed, LedgerError> {
        let is_work = is_work(&request.command);
        let job = move |db: &rusqlite::Connection| command::execute(db, request, once, &*encoder, &*ids);
        let tell = move |signals: &Signals, _: Option<&Executed>| {
            if is_work {
                signals.wake();
            }
            signals.ring_events();
        };
        let executed = self.try_write_and_tell(job, tell).await;
        executed.map_err(|failure| failure.into_ledger("carry out a command"))
    }

    async fn load(&self, entity: EntityKey, load: Load) -> Result<(), StoreError> {
        self.write("load objects", move |db| command::load(db, entity, &load)).await
    }

    async fn find_account(&self, scope: &Scope, key: &Key) -> Result<Option<Account>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("find an account", move |db| row::account::find(db, &scope, &key)).await
    }

    async fn find_payment_method(
        &self,
        scope: &Scope,
        key: &Key,
    ) -> Result<Option<PaymentMethod>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("find a payment method", move |db| row::payment_method::find(db, &scope, &key)).await
    }

    async fn find_document(
        &self,
        scope: &Scope,
        kind: DocumentKind,
        key: &Key,
    ) -> Result<Option<Document>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("find a document", move |db| row::document::find(db, &scope, kind, &key)).await
    }

    async fn document_items(
        &self,
        scope: &Scope,
        document: &Document,
    ) -> Result<Vec<DocumentItem>, StoreError> {
        let (scope, account, id) = (scope.clone(), document.account, document.id);
        self.read("read the items of a document", move |db| {
            if !is_account_visible(db, &scope, account)? {
                return Ok(Vec::new());
            }
            row::document::items(db, scope.entity, account, id)
        })
        .await
    }

    async fn find_credit_memo(&self, scope: &Scope, key: &Key) -> Result<Option<CreditMemo>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("find a credit memo", move |db| row::credit::find(db, &scope, &key)).await
    }

    async fn find_payment(&self, scope: &Scope, key: &Key) -> Result<Option<Payment>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("find a payment", move |db| row::payment::find(db, &scope, &key)).await
    }

    async fn list_payments(&self, scope: &Scope, query: PaymentQuery) -> Result<Vec<Payment>, StoreError> {
        let scope = scope.clone();
        self.read("list payments", move |db| read::payments(db, &scope, &query)).await
    }

    async fn list_audit_records(
        &self,
        scope: &Scope,
        query: AuditQuery,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let scope = scope.clone();
        self.read("list audit records", move |db| read::audit_records(db, &scope, &query)).await
    }

    async fn find_audited_run(&self, scope: &Scope, key: &Key) -> Result<Option<RunId>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("find a payment run", move |db| row::run::find_audited(db, &scope, &key)).await
    }

    async fn find_run(&self, scope: &Scope, key: &Key) -> Result<Option<Run>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("find a payment run", move |db| row::run::find(db, &scope, &key)).await
    }

    async fn list_runs(&self, scope: &Scope, query: RunQuery) -> Result<Vec<Run>, StoreError> {
        let scope = scope.clone();
        self.read("list payment runs", move |db| read::runs(db, &scope, &query)).await
    }

    async fn run_tallies(&self, entity: EntityKey, run: RunId) -> Result<Tallies, StoreError> {
        self.read("sum the counters of a run", move |db| row::tally::sum(db, entity, run)).await
    }

    async fn preview_run(&self, query: PreviewQuery) -> Result<Previewed, LedgerError> {
        let job = move |db: &rusqlite::Connection| preview::preview(db, &query);
        self.try_read(job).await.map_err(|failure| failure.into_ledger_read("preview a payment run"))
    }

    async fn run_progress(&self, scope: &Scope, key: &Key) -> Result<Option<Progress>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("read the progress of a run", move |db| read::progress(db, &scope, &key)).await
    }

    async fn list_decisions(
        &self,
        entity: EntityKey,
        run: RunId,
        query: DecisionQuery,
    ) -> Result<Vec<(DecisionPosition, Decision)>, StoreError> {
        self.read("list decisions", move |db| read::decisions(db, entity, run, &query)).await
    }

    async fn list_records(
        &self,
        entity: EntityKey,
        run: RunId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<RecordResult>, StoreError> {
        self.read("list the records of a run", move |db| read::records(db, entity, run, from, limit)).await
    }

    async fn account_numbers(
        &self,
        entity: EntityKey,
        accounts: &[AccountId],
    ) -> Result<Vec<(AccountId, String)>, StoreError> {
        let accounts = accounts.to_vec();
        self.read("find the numbers of accounts", move |db| read::account_numbers(db, entity, &accounts))
            .await
    }

    fn runs_changed(&self) -> BoxFuture<'_, ()> {
        Work::changed(self)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.read("check that it can be read", |db| {
            first(db, "SELECT 1 FROM sequence LIMIT 1", [], |_| Ok(())).map(drop)
        })
        .await?;
        self.check_damage()?;
        check_room(&self.inner.path)?;
        // A transaction without a change never reaches the disk, and neither does a row that is put as it was. The first page
        // does, whatever version is put there.
        self.write("check that it can be written", |db| {
            let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok(db.pragma_update(None, "user_version", version)?)
        })
        .await
    }
}
