//! The port [`Exports`].

use std::sync::LazyLock;

use async_trait::async_trait;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{PaymentId, RunId};
use payment_runs_engine::payment::Payment;
use payment_runs_engine::ports::{Exports, StoreError};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::failure::Failure;
use super::row::{self, payment::SELECTED};
use super::sql::{BlobId, all};

/// A page of the payments of a run.
pub(crate) static PAYMENTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {SELECTED} FROM payment INDEXED BY payment_run WHERE entity = ?1 AND run = ?2 AND id > ?3 \
         ORDER BY id LIMIT ?4"
    )
});

#[async_trait]
impl Exports for SqliteStore {
    async fn export_payments(
        &self,
        scope: &Scope,
        run: RunId,
        after: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        let scope = scope.clone();
        self.read("export payments", move |db| payments(db, &scope, run, after, limit)).await
    }
}

fn payments(
    db: &Connection,
    scope: &Scope,
    run: RunId,
    after: Option<PaymentId>,
    limit: u32,
) -> Result<Vec<Payment>, Failure> {
    let after = after.unwrap_or(PaymentId::from_u128(0));
    let values = params![scope.entity.0, run.to_blob(), after.to_blob(), limit];
    let mut payments = all(db, &PAYMENTS, values, row::payment::read)?;
    for payment in &mut payments {
        payment.parts = row::payment::parts(db, scope.entity, payment.id)?;
    }
    Ok(payments)
}
