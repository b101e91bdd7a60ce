//! Searches against a plain filter over the same runs in memory.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::date;
use payment_runs_engine::account::Stamps;
use payment_runs_engine::ids::{AccountId, OrganizationId, UserId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::run::{Count, Run, RunFilter, RunOptions, RunStatus, Tallies, Tally};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::sqlite::executor::Executor;

const ENTITY: EntityKey = EntityKey::FIRST;
const ZONE: &str = "America/Los_Angeles";
/// More pages than any search here has.
const PAGES_MAX: usize = 100;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_767_225_600_000 + ms).unwrap()
}

fn zone() -> TimeZone {
    TimeZone::get(ZONE).unwrap()
}

/// Moments that share seconds and days.
fn moments() -> impl Strategy<Value = Timestamp> {
    select(vec![0, 1, 999, 1_000, 1_001, 27_000_000, 30_000_000]).prop_map(at)
}

fn texts() -> impl Strategy<Value = String> {
    select(vec!["Batch1", "batch1", "BATCH2", "Batch", "", "b%", "ü", "Ü"]).prop_map(str::to_owned)
}

fn ids() -> impl Strategy<Value = u128> {
    select(vec![1, 2, 0x8ad0_9be4_8db5_aba7_018d_b604_776d_4854, u128::MAX])
}

fn runs() -> impl Strategy<Value = Vec<(Run, Tallies)>> {
    let dates = (option::of(select(vec![date(2025, 12, 31), date(2026, 1, 1)])), option::of(moments()));
    let times = (moments(), moments(), option::of(moments()), option::of(moments()));
    let filter = (option::of(ids()), option::of(texts()), option::of(1_u8..4));
    let flags = (any::<bool>(), select(RunStatus::ALL.to_vec()));
    let counts = vec((0_i64..3, 0_i64..3, 0_i64..3), 0..3);
    let one = (dates, times, filter, flags, counts).prop_map(|(dates, times, filter, flags, counts)| {
        let run = Run {
            id: RunId::from_u128(0),
            number: String::new(),
            status: flags.1,
            filter: RunFilter {
                account: filter.0.map(AccountId::from_u128),
                batch: filter.1,
                bill_cycle_day: filter.2,
                ..RunFilter::default()
            },
            options: RunOptions { collect_payment: flags.0, ..RunOptions::default() },
            target_date: dates.0,
            run_at: dates.1,
            organizations: Vec::new(),
            occurrence: None,
            record_count: 0,
            executed_at: times.2,
            completed_at: times.3,
            error_message: None,
            stamps: Stamps { updated_at: times.1, ..Stamps::new(times.0, UserId::from_u128(7)) },
        };
        let currencies = [Currency::USD, Currency::from_code("JPY").unwrap()];
        let tally = |(payments, errors, processing): (i64, i64, i64)| Tally {
            payments: Count { number: payments, amount_minor: payments * 100 },
            errors: Count { number: errors, amount_minor: 1 },
            processing: Count { number: processing, amount_minor: 1 },
            ..Tally::default()
        };
        (run, currencies.into_iter().zip(counts.into_iter().map(tally)).collect::<Tallies>())
    });
    vec(one, 0..12).prop_map(|mut runs| {
        for (index, (run, _)) in (1_u32..).zip(&mut runs) {
            run.id = RunId::from_u128(u128::from(index) << 64);
            run.number = format!("{}-{index:08}", if index % 2 == 0 { "PR" } else { "pr" });
        }
        runs
    })
}

/// Values of a field's kind.
fn values(field: RunField) -> BoxedStrategy<Value> {
    let kind = match field.kind() {
        ValueKind::Text => {
            prop_oneof![texts(), select(vec!["PR-00000002", "pr-0000000"]).prop_map(str::to_owned)]
                .prop_map(Value::Text)
                .boxed()
        }
        ValueKind::Id => prop_oneof![
            ids().prop_map(Value::Id),
            (1_u128..13).prop_map(|index| Value::Id(index << 64)),
            select(vec!["", "8", "8AD0", "zz"]).prop_map(|text| Value::Text(text.to_owned())),
        ]
        .boxed(),
        ValueKind::Integer => (-1_i64..5).prop_map(Value::Integer).boxed(),
        ValueKind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        ValueKind::Date => select(vec![date(2025, 12, 31), date(2026, 1, 1)]).prop_map(Value::Date).boxed(),
        ValueKind::Time => moments().prop_map(Value::Time).boxed(),
        ValueKind::Status => select(RunStatus::ALL.to_vec()).prop_map(Value::Status).boxed(),
    };
    prop_oneof![5 => kind, 1 => Just(Value::Null)].boxed()
}

fn fields() -> impl Strategy<Value = RunField> {
    select(RunField::KINDS.iter().map(|(field, _)| *field).collect::<Vec<_>>())
}

fn conditions() -> impl Strategy<Value = Condition> {
    fields().prop_flat_map(|field| {
        let one = select(vec![
            Operator::Equal,
            Operator::NotEqual,
            Operator::Less,
            Operator::Greater,
            Operator::LessOrEqual,
            Operator::GreaterOrEqual,
        ]);
        let compared = (one, values(field).prop_map(|value| vec![value])).boxed();
        let listed = vec(values(field), 1..4).prop_map(|values| (Operator::In, values)).boxed();
        let prefix = texts().prop_map(|text| (Operator::StartsWith, vec![Value::Text(text)])).boxed();
        let chosen = match field.kind() {
            ValueKind::Text | ValueKind::Id => prop_oneof![4 => compared, 1 => listed, 1 => prefix].boxed(),
            _ => prop_oneof![4 => compared, 1 => listed].boxed(),
        };
        chosen.prop_map(move |(operator, values)| Condition { field, operator, values })
    })
}

fn searches() -> impl Strategy<Value = RunSearch> {
    let sorts = vec((fields(), any::<bool>()).prop_map(|(field, ascending)| Sort { field, ascending }), 0..3);
    (vec(conditions(), 0..3), sorts, any::<bool>(), 1_u32..5).prop_map(
        |(conditions, sort, ignore_case, limit)| RunSearch {
            conditions,
            sort,
            ignore_case,
            time_zone: zone(),
            after: None,
            limit,
        },
    )
}

/// A value as it is compared by conditions: moments to the second, folded text, identifiers as text where a text is asked.
fn seen(value: &Value, ignore_case: bool, as_text: bool) -> Value {
    match value {
        Value::Time(at) => Value::Integer(at.as_millisecond().div_euclid(1_000)),
        Value::Text(text) if ignore_case => Value::Text(text.to_ascii_lowercase()),
        Value::Id(id) if as_text => Value::Text(format!("{id:032x}")),
        other => other.clone(),
    }
}

fn order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Id(one), Value::Id(other)) => one.cmp(other),
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Date(one), Value::Date(other)) => one.cmp(other),
        (Value::Time(one), Value::Time(other)) => one.cmp(other),
        (Value::Status(one), Value::Status(other)) => one.cmp(other),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => panic!("{one:?} was compared with {other:?}"),
    }
}

fn holds(condition: &Condition, found: &(Run, Tallies), ignore_case: bool) -> bool {
    let own = condition.field.value(&found.0, &found.1, &zone());
    let meets = |asked: &Value| {
        let own = seen(&own, ignore_case, matches!(asked, Value::Text(_)));
        let asked = seen(asked, ignore_case, false);
        let is_equal = own == asked;
        let has_order = own != Value::Null && asked != Value::Null;
        match condition.operator {
            Operator::Equal | Operator::In => is_equal,
            Operator::NotEqual => !is_equal,
            Operator::Less => has_order && order(&own, &asked).is_lt(),
            Operator::Greater => has_order && order(&own, &asked).is_gt(),
            Operator::LessOrEqual => has_order && order(&own, &asked).is_le(),
            Operator::GreaterOrEqual => has_order && order(&own, &asked).is_ge(),
            Operator::StartsWith => match (own, asked) {
                (Value::Text(own), Value::Text(prefix)) => own.starts_with(&prefix),
                _ => false,
            },
        }
    };
    condition.values.iter().any(meets)
}

fn expected(runs: &[(Run, Tallies)], search: &RunSearch) -> Vec<RunId> {
    let case = search.ignore_case;
    let mut found: Vec<&(Run, Tallies)> =
        runs.iter().filter(|run| search.conditions.iter().all(|one| holds(one, run, case))).collect();
    let sorted = |value: Value| match value {
        Value::Text(text) if case => Value::Text(text.to_ascii_lowercase()),
        other => other,
    };
    found.sort_by(|one, other| {
        let mut keys = search.sort.iter().map(|sort| {
            let value = |found: &(Run, Tallies)| sorted(sort.field.value(&found.0, &found.1, &zone()));
            let order = order(&value(one), &value(other));
            if sort.ascending { order } else { order.reverse() }
        });
        let by_id = one.0.id.cmp(&other.0.id);
        let by_id = if breaks_ties_upwards(search) { by_id } else { by_id.reverse() };
        keys.find(|order| order.is_ne()).unwrap_or(by_id)
    });
    found.iter().map(|found| found.0.id).collect()
}

async fn filled(runs: &[(Run, Tallies)]) -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("search.db"), Executor::Inline).unwrap();
    let runs = runs.to_vec();
    let write = move |db: &Connection| {
        for (run, tallies) in &runs {
            row::run::insert(db, ENTITY, run)?;
            for (currency, tally) in tallies {
                // Half in one chunk, half in another: only sums are right.
                row::tally::add(db, ENTITY, run.id, 1, *currency, tally)?;
                row::tally::add(db, ENTITY, run.id, 2, *currency, &Tally::default())?;
            }
        }
        Ok(())
    };
    store.write("fill a store", write).await.unwrap();
    (folder, store)
}

/// Every page of a search, each after the last run of the one before.
async fn all_pages(store: &SqliteStore, mut search: RunSearch) -> Vec<FoundRun> {
    let mut all = Vec::new();
    for _ in 0..PAGES_MAX {
        let page = store.search_runs(&Scope::entity(ENTITY), &search).await.unwrap();
        assert!(page.len() <= usize::try_from(search.limit).unwrap());
        let Some(last) = page.last() else { return all };
        search.after = Some(search.position(&last.run, &last.tallies));
        all.extend(page);
    }
    panic!("the pages do not end: {search:?}")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn pages_hold_what_a_plain_filter_finds(runs in runs(), searches in vec(searches(), 12)) {
        block_on(async {
            let (_folder, store) = filled(&runs).await;
            for search in searches {
                let wanted = expected(&runs, &search);
                let found = all_pages(&store, search.clone()).await;
                let ids: Vec<RunId> = found.iter().map(|found| found.run.id).collect();
                assert_eq!(ids, wanted, "{search:#?}");
                for found in found {
                    let own = runs.iter().find(|(run, _)| run.id == found.run.id).unwrap();
                    assert_eq!((&found.run, &found.tallies), (&own.0, &own.1));
                }
            }
        });
    }
}

fn everything() -> RunSearch {
    RunSearch {
        conditions: vec![],
        sort: vec![],
        ignore_case: false,
        time_zone: zone(),
        after: None,
        limit: 10,
    }
}

fn plain_run(index: u128) -> Run {
    Run {
        id: RunId::from_u128(index),
        number: format!("PR-{index:08}"),
        status: RunStatus::Pending,
        filter: RunFilter::default(),
        options: RunOptions::default(),
        target_date: None,
        run_at: None,
        organizations: Vec::new(),
        occurrence: None,
        record_count: 0,
        executed_at: None,
        completed_at: None,
        error_message: None,
        stamps: Stamps::new(at(0), UserId::from_u128(7)),
    }
}

#[test]
fn every_field_has_an_expression() {
    for (field, _) in RunField::KINDS {
        assert!(EXPRESSIONS.iter().any(|(listed, _)| listed == field), "{field:?}");
    }
}

#[test]
fn scope_and_deletion_hide_runs() {
    let organization = |number| OrganizationId::from_u128(number);
    let mut own = plain_run(1);
    own.organizations = vec![organization(1)];
    let mut shared = plain_run(2);
    shared.organizations = vec![organization(1), organization(2)];
    let deleted = plain_run(4);
    let runs: Vec<_> =
        [own, shared, plain_run(3), deleted].into_iter().map(|run| (run, Tallies::new())).collect();
    block_on(async {
        let (_folder, store) = filled(&runs).await;
        let delete = |db: &Connection| {
            db.execute("UPDATE run SET is_deleted = 1 WHERE number = 'PR-00000004'", [])?;
            Ok(())
        };
        store.write("delete a run", delete).await.unwrap();
        let found = async |scope: Scope| -> Vec<u128> {
            let found = store.search_runs(&scope, &everything()).await.unwrap();
            found.iter().map(|found| found.run.id.as_u128()).collect()
        };
        assert_eq!(found(Scope::entity(ENTITY)).await, [3, 2, 1]);
        assert_eq!(found(Scope { entity: ENTITY, organizations: Some(vec![organization(1)]) }).await, [1]);
        assert_eq!(found(Scope::entity(EntityKey(2))).await, [0_u128; 0]);
    });
}

#[test]
fn the_first_charge_is_the_first_that_was_sent() {
    let run = plain_run(1);
    block_on(async {
        let (_folder, store) = filled(&[(run.clone(), Tallies::new())]).await;
        let found =
            async || store.search_runs(&Scope::entity(ENTITY), &everything()).await.unwrap().remove(0);
        assert_eq!(found().await.first_charge_at, None);
        for (index, state, ms) in [(1_u128, 5, 10), (2, 3, 2_000), (3, 4, 3_000)] {
            let insert = move |db: &Connection| {
                let sql = "INSERT INTO payment (entity, id, account, number, run, chunk, kind, state, currency, \
                     amount_minor, unapplied_minor, gateway, effective_date, standalone, created_at, created_by, \
                     updated_at, updated_by, idempotency_key, body) VALUES (?1, ?2, zeroblob(16), ?3, ?4, 0, 0, ?5, \
                     'USD', 1, 0, zeroblob(16), '2026-01-01', 0, ?6, zeroblob(16), 0, zeroblob(16), ?3, x'00')";
                let id = index.to_be_bytes();
                let number = format!("P-{index}");
                let run = RunId::from_u128(1).to_bytes();
                let created_at = at(ms).as_millisecond();
                db.execute(sql, rusqlite::params![ENTITY.0, id, number, run, state, created_at])?;
                Ok(())
            };
            store.write("insert a payment", insert).await.unwrap();
        }
        assert_eq!(found().await.first_charge_at, Some(at(2_000)));
    });
}

#[test]
fn a_page_without_conditions_reads_runs_by_their_key() {
    block_on(async {
        let (_folder, store) = filled(&[]).await;
        let plan = |db: &Connection| {
            let query = compile(&Scope::entity(ENTITY), &everything())?;
            let sql = format!("EXPLAIN QUERY PLAN {}", query.sql);
            let mut statement = db.prepare(&sql)?;
            let mut rows = statement.query(params_from_iter(query.values))?;
            let mut plan = Vec::new();
            while let Some(row) = rows.next()? {
                plan.push(row.get::<_, String>(3)?);
            }
            Ok(plan)
        };
        let plan = store.read("explain a search", plan).await.unwrap().join("\n");
        assert!(plan.contains("USING PRIMARY KEY") && !plan.contains("TEMP B-TREE"), "{plan}");
    });
}
