//! The plans that SQLite makes for the hot statements: none may scan a table that grows.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use payment_runs_engine::account::Scope;
use payment_runs_engine::audit::AuditQuery;
use payment_runs_engine::ids::{AccountId, EntityKey, PaymentId, RunId};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ledger::{
    DecisionPosition, DecisionQuery, PaymentCondition, PaymentQuery, PaymentSort, RunQuery,
};
use payment_runs_engine::run::SkipReason;
use rusqlite::Connection;

use super::open_file::{OpenFile, Opening};
use super::{command, query, read, row, webhook, work};

/// The plan of a statement, a line per step, made in a file without statistics, as every new one is.
fn plan(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps =
        statement.query_map(rusqlite::params_from_iter(vec![0; sql_parameters(db, sql)]), |row| row.get(3));
    steps.unwrap().map(Result::unwrap).collect()
}

fn sql_parameters(db: &Connection, sql: &str) -> usize {
    db.prepare(sql).unwrap().parameter_count()
}

fn open() -> (tempfile::TempDir, OpenFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = OpenFile::open(&folder.path().join("plans.db"), Opening::default()).unwrap();
    (folder, file)
}

/// Steps that read a whole table, or that sort. The virtual table of JSON lists is no table.
fn costly(steps: &[String]) -> Vec<&String> {
    steps
        .iter()
        .filter(|step| {
            (step.starts_with("SCAN ") && !step.contains("json_each")) || step.contains("TEMP B-TREE")
        })
        .collect()
}

#[test]
fn the_work_reads_only_what_it_needs() {
    let (_folder, file) = open();
    let db = &file.db;
    let mut faults = Vec::new();
    for (sql, index) in [
        (
            work::select::SCAN,
            "COVERING INDEX document_open (entity=? AND (account,due_date,number,id)>(?,?,?,?))",
        ),
        (
            work::select::SCAN_RECORDS,
            "COVERING INDEX run_record_account (entity=? AND run=? AND (account,position)>(?,?))",
        ),
        (
            &work::view::RANGE,
            "INDEX document_open (entity=? AND (account,due_date,number,id)>(?,?,?,?) AND (account,due_date,number,id)<(?,?,?,?))",
        ),
        (
            work::view::RANGE_RECORDS,
            "INDEX run_record_account (entity=? AND run=? AND (account,position)>(?,?) AND (account,position)<(?,?))",
        ),
        (work::view::FIRST_OF_ACCOUNT, "PRIMARY KEY (entity=? AND run=? AND ordinal<?)"),
        (work::view::DECIDED, "PRIMARY KEY (entity=? AND run=? AND chunk>? AND chunk<?)"),
        (work::view::USED, "PRIMARY KEY (entity=? AND run=? AND chunk>? AND chunk<?)"),
        (&work::open::INTENTS, "INDEX payment_intent (entity=? AND run=? AND chunk=?)"),
        (work::finish::ANY_INTENT, "INDEX payment_intent (entity=? AND run=? AND chunk=?)"),
        (work::finish::FINISHED, "INDEX run_working"),
        (work::finish::KEPT_BACK, "INDEX payment_kept_back (entity=? AND run=?)"),
        (&work::look_up::DUE, "INDEX payment_look_up (next_look_up_at>? AND next_look_up_at<?)"),
        (&work::look_up::ASTRAY, "INDEX payment_look_up (next_look_up_at>?)"),
        (work::claim::NEXT, "INDEX run_waiting"),
        (work::claim::LEFT, "INDEX run_selecting (selection_lease_until<?)"),
        (work::claim::WAITING, "INDEX run_waiting (start_at<?)"),
        (row::schedule::PENDING, "INDEX run_pending_occurrence (entity=? AND schedule=?)"),
        (command::ACTIVE_SCHEDULES, "COVERING INDEX schedule_active (entity=?)"),
        (&webhook::AFTER, "PRIMARY KEY (entity=? AND id>? AND id<?)"),
        (webhook::WAITING, "INDEX webhook_delivery_waiting (entity=? AND webhook=?)"),
        (webhook::FORGET, "PRIMARY KEY (entity=? AND webhook=? AND ordinal<?)"),
        (work::claim::LEFT_CHUNK, "INDEX chunk_claimable (lease_until>? AND lease_until<?)"),
        (work::claim::FRESH_CHUNK, "INDEX chunk_claimable (lease_until=? AND entity>?)"),
        (&row::document::OPEN, "INDEX document_open (entity=? AND account=?)"),
        (&row::credit::OPEN, "INDEX credit_memo_open (entity=? AND account=?)"),
        (&row::payment::UNAPPLIED, "INDEX payment_unapplied (entity=? AND account=?)"),
        (work::settle::PAYMENT, "PRIMARY KEY (entity=? AND id=?)"),
        (work::settle::PARTS, "PRIMARY KEY (entity=? AND account=? AND id=?)"),
        (read::records::PAGE, "PRIMARY KEY (entity=? AND run=? AND position>?)"),
        (&read::records::PAYMENTS, "PRIMARY KEY (entity=? AND run=? AND position=?)"),
        (read::records::CREDITS, "INDEX credit_application_record (entity=? AND run=? AND record=?)"),
    ] {
        let steps = plan(db, sql);
        let scans_index_only = ["run_working", "run_waiting"];
        let costly: Vec<_> = costly(&steps)
            .into_iter()
            .filter(|step| !scans_index_only.iter().any(|index| step.contains(index)))
            .collect();
        if !costly.is_empty() || !steps.iter().any(|step| step.contains(index)) {
            faults.push(format!("{index} is not used, or not alone:\n{sql}\n{steps:#?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn lists_walk_an_index() {
    let (_folder, file) = open();
    let db = &file.db;
    let scope = Scope::entity(EntityKey::FIRST);
    let (account, run) = (AccountId::from_u128(1), RunId::from_u128(2));
    let payments = |account, run, states: &[PaymentState]| {
        let asked = PaymentQuery { run, states: states.to_vec(), limit: 10, ..PaymentQuery::default() };
        query::payments(&scope, account, &asked).unwrap().sql
    };
    let by_number = PaymentQuery { sort: vec![(PaymentSort::Number, false)], ..PaymentQuery::default() };
    let number = vec![PaymentCondition::Number("P-00000001".to_owned())];
    let one_number = PaymentQuery { conditions: number, ..PaymentQuery::default() };
    let states = [PaymentState::Unknown, PaymentState::Pending];
    let after = Some(DecisionPosition { chunk: 1, ordinal: 2 });
    let decisions = |query: DecisionQuery| query::decisions(EntityKey::FIRST, run, &query).sql;
    let page = DecisionQuery { after, limit: 10, ..DecisionQuery::default() };
    let runs = RunQuery { limit: 20, ..RunQuery::default() };
    let audit = |asked: AuditQuery| read::audit::query(&scope, &asked).unwrap().sql;
    let after = Some(9);
    let of_run = AuditQuery { run: Some(run), after, ..AuditQuery::default() };
    let of_payment = AuditQuery { payment: Some(PaymentId::from_u128(3)), after, ..AuditQuery::default() };
    let mut faults = Vec::new();
    for (sql, index) in [
        (payments(None, None, &[][..]), "PRIMARY KEY (entity=?)"),
        (payments(None, None, &states[..]), "PRIMARY KEY (entity=?)"),
        (payments(Some(account), None, &states[..]), "INDEX payment_account (entity=? AND account=?)"),
        (payments(None, Some(run), &[][..]), "INDEX payment_run (entity=? AND run=?)"),
        (payments(None, None, &[PaymentState::Unknown][..]), "INDEX payment_state (entity=? AND state=?)"),
        (audit(AuditQuery::default()), "PRIMARY KEY (entity=?)"),
        (audit(AuditQuery { after: Some(9), ..AuditQuery::default() }), "PRIMARY KEY (entity=? AND id>?)"),
        (audit(of_run), "INDEX event_run (entity=? AND run=? AND id>?)"),
        (audit(of_payment), "INDEX event_payment (entity=? AND payment=? AND id>?)"),
        (query::payments(&scope, None, &by_number).unwrap().sql, "INDEX payment_number (entity=?)"),
        (
            query::payments(&scope, None, &one_number).unwrap().sql,
            "INDEX payment_number (entity=? AND number=?)",
        ),
        (decisions(page.clone()), "PRIMARY KEY (entity=? AND run=? AND (chunk,ordinal)>(?,?))"),
        (decisions(DecisionQuery { picked: Some(false), ..page.clone() }), "INDEX decision_skipped"),
        (decisions(DecisionQuery { reason: Some(SkipReason::RetryRule), ..page }), "INDEX decision_skipped"),
        (query::runs(&scope, &runs).unwrap().sql, "INDEX run_number (entity=?)"),
    ] {
        let steps = plan(db, &sql);
        if !costly(&steps).is_empty() || !steps.iter().any(|step| step.contains(index)) {
            faults.push(format!("{index} is not used, or not alone:\n{sql}\n{steps:#?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn events_are_only_ever_appended() {
    let (_folder, file) = open();
    let db = &file.db;
    db.execute("INSERT INTO event (entity, run, id, at, kind) VALUES (1, NULL, 1, 0, 99)", []).unwrap();
    for sql in ["UPDATE event SET at = 1", "DELETE FROM event"] {
        let error = db.execute(sql, []).unwrap_err();
        assert!(error.to_string().contains("events are never"), "{error}");
    }
}

#[test]
fn hot_statements_are_prepared_once() {
    let (_folder, file) = open();
    let db = &file.db;
    let mut faults = Vec::new();
    for sql in [
        work::select::SCAN,
        &work::view::RANGE,
        work::settle::PAYMENT,
        work::settle::PARTS,
        work::settle::UPDATE,
        work::balances::HOLD,
        work::balances::PAY_AND_RELEASE,
        &row::document::OPEN,
        &row::credit::OPEN,
        &row::payment::UNAPPLIED,
    ] {
        let mut statement = db.prepare(sql).unwrap();
        for value in 0..10 {
            let values = vec![value; statement.parameter_count()];
            let mut rows = statement.query(rusqlite::params_from_iter(values)).unwrap();
            while rows.next().unwrap().is_some() {}
        }
        let count = statement.get_status(rusqlite::StatementStatus::RePrepare);
        if count > 0 {
            faults.push(format!("prepared {count} times more:\n{sql}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
