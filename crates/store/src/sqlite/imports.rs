//! The port [`Imports`].

use std::sync::Arc;

use async_trait::async_trait;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{ImportId, UserId};
use payment_runs_engine::import::{Import, RefusedLine};
use payment_runs_engine::ports::{Ids, Imports, StoreError, TakeLines, Taken};

use super::{SqliteStore, command, row};

#[async_trait]
impl Imports for SqliteStore {
    async fn take_lines(&self, lines: TakeLines, ids: Arc<dyn Ids>) -> Result<Taken, StoreError> {
        self.write("take lines of an import", move |db| command::take_lines(db, lines, &*ids)).await
    }

    async fn find_import(
        &self,
        scope: &Scope,
        user: UserId,
        import: ImportId,
    ) -> Result<Option<Import>, StoreError> {
        let scope = scope.clone();
        self.read("find an import", move |db| row::import::find(db, &scope, user, import)).await
    }

    async fn list_imports(
        &self,
        scope: &Scope,
        user: UserId,
        before: Option<ImportId>,
        limit: u32,
    ) -> Result<Vec<Import>, StoreError> {
        let scope = scope.clone();
        self.read("list imports", move |db| row::import::list(db, &scope, user, before, limit)).await
    }

    async fn list_refused_lines(
        &self,
        scope: &Scope,
        import: ImportId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<RefusedLine>, StoreError> {
        let entity = scope.entity;
        self.read("list refused lines", move |db| row::import::refused(db, entity, import, after, limit))
            .await
    }
}
