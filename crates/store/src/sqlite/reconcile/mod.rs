//! The ledger, as a reconciliation reads and writes it.

mod settle;
mod unmatched;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, GatewayId, PaymentId};
use payment_runs_engine::money::Money;
use payment_runs_engine::ports::{
    Differences, Ids, MatchDecision, Matched, PROCESSED_PAGE_MAX, Reconciliation, StoreError,
    UnmatchedPayment,
};
use payment_runs_engine::reconcile::{Finding, KnownPayment};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::failure::Failure;
use super::sql::{BlobId, Columns, all, execute, first, time};

const KNOWN: &str = "SELECT entity, id, number, account, state, amount_minor, currency, idempotency_key, reference, \
     created_at FROM payment";

fn read_known(row: &mut Columns<'_>) -> Result<KnownPayment, Failure> {
    let (entity, id, number) = (EntityKey(row.get()?), row.id()?, row.get()?);
    let (account, state, minor) = (row.id()?, row.code()?, row.get()?);
    let money = Money::new(minor, row.currency()?);
    let (key, reference, at) = (row.get()?, row.get()?, row.time()?);
    Ok(KnownPayment { entity, id, number, account, state, money, key, reference, at })
}

fn payments_of(
    db: &Connection,
    gateway: GatewayId,
    keys: &[String],
    references: &[String],
) -> Result<Vec<KnownPayment>, Failure> {
    let mut found: Vec<KnownPayment> = Vec::new();
    let by_key = format!("{KNOWN} WHERE idempotency_key = ?1");
    for key in keys {
        found.extend(first(db, &by_key, params![key], read_known)?);
    }
    let by_reference = format!("{KNOWN} WHERE gateway = ?1 AND reference = ?2");
    for reference in references {
        found.extend(first(db, &by_reference, params![gateway.to_blob(), reference], read_known)?);
    }
    found.sort_by_key(|payment| payment.id);
    found.dedup_by_key(|payment| payment.id);
    Ok(found)
}

fn processed_since(
    db: &Connection,
    gateway: GatewayId,
    since: Timestamp,
    after: Option<PaymentId>,
) -> Result<Vec<KnownPayment>, Failure> {
    // Reads every payment: a reconciliation is seldom, and nobody waits for it.
    let sql = format!(
        "{KNOWN} WHERE state = 3 AND kind = 0 AND gateway = ?1 AND created_at >= ?2 AND id > ?3 ORDER BY id LIMIT ?4"
    );
    let after = after.map_or([0; 16], BlobId::to_blob);
    let limit = i64::try_from(PROCESSED_PAGE_MAX).unwrap_or(i64::MAX);
    all(db, &sql, params![gateway.to_blob(), time(since), after, limit], read_known)
}

#[async_trait]
impl Reconciliation for SqliteStore {
    async fn payments_of(
        &self,
        gateway: GatewayId,
        keys: Vec<String>,
        references: Vec<String>,
    ) -> Result<Vec<KnownPayment>, StoreError> {
        self.read("find the payments of charges", move |db| payments_of(db, gateway, &keys, &references))
            .await
    }

    async fn processed_since(
        &self,
        gateway: GatewayId,
        since: Timestamp,
        after: Option<PaymentId>,
    ) -> Result<Vec<KnownPayment>, StoreError> {
        self.read("list processed payments", move |db| processed_since(db, gateway, since, after)).await
    }

    async fn settle_differences(
        &self,
        work: Differences,
        ids: Arc<dyn Ids>,
    ) -> Result<Vec<Finding>, StoreError> {
        let is_applied = work.is_applied;
        let job = move |db: &Connection| {
            // What would be done is what is done, taken back.
            db.execute_batch("SAVEPOINT reconciliation")?;
            let findings = settle::Settler::new(db, &work, ids.as_ref()).settle_all()?;
            let end = if is_applied { "" } else { "ROLLBACK TO reconciliation; " };
            db.execute_batch(&format!("{end}RELEASE reconciliation"))?;
            Ok(findings)
        };
        self.write_and_tell("settle differences", job, |signals, _| {
            signals.wake();
            signals.ring_events();
        })
        .await
    }

    async fn end_charging_hold(&self) -> Result<(), StoreError> {
        self.write("end a charging hold", |db| execute(db, "DELETE FROM charging_hold", []).map(drop)).await
    }

    async fn unmatched_payments(&self) -> Result<Vec<UnmatchedPayment>, StoreError> {
        self.read("list unmatched payments", unmatched::list).await
    }

    async fn match_payment(
        &self,
        number: &str,
        decision: MatchDecision,
        now: Timestamp,
    ) -> Result<Matched, StoreError> {
        let number = number.to_owned();
        self.write("match a payment", move |db| unmatched::decide(db, &number, &decision, now)).await
    }
}
