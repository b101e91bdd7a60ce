//! The audit trail, oldest first.

use payment_runs_engine::account::Scope;
use payment_runs_engine::audit::{AuditQuery, AuditRecord};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::sqlite::failure::Failure;
use crate::sqlite::query::Query;
use crate::sqlite::sql::{BlobId, Columns, all, to_json};

const SELECTED: &str = "id, at, user, kind, run, chunk, payment, state, detail";

pub(crate) fn audit_records(
    db: &Connection,
    scope: &Scope,
    asked: &AuditQuery,
) -> Result<Vec<AuditRecord>, Failure> {
    let query = query(scope, asked)?;
    all(db, &query.sql, params_from_iter(query.values), read)
}

/// The statement of [`payment_runs_engine::ports::Ledger::list_audit_records`].
pub(crate) fn query(scope: &Scope, asked: &AuditQuery) -> Result<Query, Failure> {
    let index = match (asked.payment, asked.run) {
        (Some(_), _) => "INDEXED BY event_payment",
        (None, Some(_)) => "INDEXED BY event_run",
        (None, None) => "",
    };
    let mut query = Query::new(format!("SELECT {SELECTED} FROM event {index} WHERE 1"));
    query.and_equal("entity", Some(Value::Integer(i64::from(scope.entity.0))));
    // The second condition of each lets its partial index be used.
    if let Some(payment) = asked.payment {
        query.and_equal("payment", Some(Value::Blob(payment.to_blob().to_vec())));
        query.and("payment IS NOT NULL");
    }
    if let Some(run) = asked.run {
        query.and_equal("run", Some(Value::Blob(run.to_blob().to_vec())));
        query.and("run IS NOT NULL");
    }
    if let Some(after) = asked.after {
        let after = query.mark(after);
        query.and(&format!("id > {after}"));
    }
    if let Some(organizations) = &scope.organizations {
        let allowed = query.mark(to_json(organizations)?);
        query.and(&visible(&allowed));
    }
    query.sql.push_str(" ORDER BY id");
    query.limit(asked.limit, 0);
    Ok(query)
}

/// What a caller that is bound to organizations sees: what is about a payment goes with the payment's account, what is about
/// a run alone goes with the run. Anything else belongs to the whole entity.
fn visible(allowed: &str) -> String {
    let of_account = format!(
        "EXISTS (SELECT 1 FROM payment CROSS JOIN account ON account.entity = payment.entity AND account.id = payment.account \
         WHERE payment.entity = event.entity AND payment.id = event.payment \
         AND lower(hex(account.organization)) IN (SELECT value FROM json_each({allowed})))"
    );
    let of_run = format!(
        "EXISTS (SELECT 1 FROM run WHERE run.entity = event.entity AND run.id = event.run \
         AND json_array_length(run.organizations) > 0 \
         AND NOT EXISTS (SELECT 1 FROM json_each(run.organizations) AS own \
         WHERE own.value NOT IN (SELECT value FROM json_each({allowed}))))"
    );
    format!("CASE WHEN payment IS NOT NULL THEN {of_account} ELSE {of_run} END")
}

fn read(row: &mut Columns<'_>) -> Result<AuditRecord, Failure> {
    Ok(AuditRecord {
        id: row.get()?,
        at: row.time()?,
        user: row.opt_id()?,
        kind: row.code()?,
        run: row.opt_id()?,
        chunk: row.opt_number()?,
        payment: row.opt_id()?,
        state: row.opt_code()?,
        detail: row.get()?,
    })
}
