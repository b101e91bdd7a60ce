//! Tables of what is read and what is refused, and properties of the readers and of cursors.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use jiff::Timestamp;
use jiff::civil::date;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{EntityKey, OrganizationId};
use payment_runs_engine::search::{Condition, Position, Sort, Value};
use payment_runs_engine::settings::Settings;
use proptest::prelude::*;

use super::cursor::Place;
use super::filter::read_filters;
use super::sort::read_sorts;
use super::*;
use crate::query::DIALECT as QUERY;
use crate::time::Zone;
use crate::v2::DIALECT as V2;

const KEY: [u8; 32] = [7; 32];

fn zone() -> Zone {
    Zone::of(&Settings { time_zone: "America/Los_Angeles".to_owned(), ..Settings::default() })
}

fn filter(dialect: &Dialect, text: &str) -> Result<Condition, String> {
    let mut faults = Vec::new();
    let mut read = read_filters(dialect, &zone(), &[text.to_owned()], &mut faults);
    match faults.pop() {
        Some(fault) => {
            assert_eq!((fault.field.as_str(), fault.category), ("filter[]", Category::InvalidParameter));
            Err(fault.message)
        }
        None => Ok(read.pop().unwrap()),
    }
}

fn sort(dialect: &Dialect, text: &str) -> Result<Vec<(RunField, bool)>, String> {
    let mut faults = Vec::new();
    let read = read_sorts(dialect, &[text.to_owned()], &mut faults);
    match faults.pop() {
        Some(fault) => Err(fault.message),
        None => Ok(read.into_iter().map(|sort| (sort.field, sort.ascending)).collect()),
    }
}

fn time(text: &str) -> Value {
    Value::Time(text.parse::<Timestamp>().unwrap())
}

#[test]
fn conditions_are_typed_by_their_field() {
    use Operator as O;
    use RunField as F;
    let text = |text: &str| Value::Text(text.to_owned());
    for (dialect, written, field, operator, values) in [
        (&V2, "batch.EQ:Batch1", F::Batch, O::Equal, vec![text("Batch1")]),
        (&V2, "batch.SW:Bat:ch", F::Batch, O::StartsWith, vec![text("Bat:ch")]),
        (&V2, "batch.EQ:", F::Batch, O::Equal, vec![text("")]),
        (&V2, "batch.NE:null", F::Batch, O::NotEqual, vec![Value::Null]),
        (&V2, "bill_cycle_day.LT:15", F::BillCycleDay, O::Less, vec![Value::Integer(15)]),
        (&V2, "collect_payment.EQ:true", F::CollectPayment, O::Equal, vec![Value::Bool(true)]),
        (&V2, "target_date.GT:2024-07-31", F::TargetDate, O::Greater, vec![Value::Date(date(2024, 7, 31))]),
        (
            &V2,
            "created_time.LT:2024-07-31T11:00:00+02:00",
            F::CreatedAt,
            O::Less,
            vec![time("2024-07-31T09:00:00Z")],
        ),
        (
            &V2,
            "created_time.LT:2024-07-31 11:00:00",
            F::CreatedAt,
            O::Less,
            vec![time("2024-07-31T18:00:00Z")],
        ),
        (&V2, "id.EQ:000000000000000000000000000000ab", F::Id, O::Equal, vec![Value::Id(0xab)]),
        (&V2, "id.NE:elsewhere", F::Id, O::NotEqual, vec![text("elsewhere")]),
        (
            &V2,
            "state.IN:[pending, failed]",
            F::Status,
            O::In,
            vec![Value::Status(RunStatus::Pending), Value::Status(RunStatus::Error)],
        ),
        (&QUERY, "STATUS.eq:completed", F::Status, O::Equal, vec![Value::Status(RunStatus::Completed)]),
        (&QUERY, "status.EQ:NULL", F::Status, O::Equal, vec![Value::Null]),
        (&QUERY, "numberOfPayments.GE:2", F::Payments, O::GreaterOrEqual, vec![Value::Integer(2)]),
        (&QUERY, "paymentrunnumber.le:PR-7", F::Number, O::LessOrEqual, vec![text("PR-7")]),
        (
            &QUERY,
            "updatedDate.GT:2024-01-01T00:00:00Z",
            F::UpdatedAt,
            O::Greater,
            vec![time("2024-01-01T00:00:00Z")],
        ),
        (&QUERY, "id.IN:[a,null]", F::Id, O::In, vec![text("a"), Value::Null]),
    ] {
        assert_eq!(filter(dialect, written), Ok(Condition { field, operator, values }), "{written}");
    }
}

#[test]
fn conditions_that_make_no_sense_are_refused_with_what_does() {
    let refused = |dialect: &Dialect, written: &str, part: &str| {
        let message = filter(dialect, written).unwrap_err();
        assert!(message.contains(part), "{written}: {message}");
    };
    for (written, part) in [
        ("", "must be written as field.OPERATOR:value"),
        ("batch", "must be written as field.OPERATOR:value"),
        ("batch.EQ", "must be written as field.OPERATOR:value"),
        ("batch:EQ", "must be written as field.OPERATOR:value"),
        ("colour.EQ:red", "'colour' cannot be filtered by; the fields are id, "),
        ("Batch.EQ:x", "'Batch' cannot be filtered by"),
        ("items[account_id].EQ:x", "cannot be filtered by"),
        ("batch.eq:x", "'eq' is not an operator; the operators are EQ, NE, LT, GT, SW, IN"),
        ("batch.GE:x", "'GE' is not an operator"),
        ("batch.LT:x", "'batch' cannot be compared with LT"),
        ("target_date.SW:2024", "'target_date' cannot be compared with SW"),
        ("target_date.LT:null", "'null' of 'target_date' can only be tested with EQ, NE and IN"),
        ("target_date.EQ:31.07.2024", "'31.07.2024' of 'target_date' must be a date"),
        ("created_time.EQ:2024-07-31", "must be a time such as"),
        ("bill_cycle_day.EQ:first", "must be a whole number"),
        ("collect_payment.EQ:True", "must be true or false"),
        ("state.EQ:Pending", "must be one of pending, processing, completed, canceled, failed"),
        ("state.IN:pending", "must be a list such as [a,b]"),
        ("state.IN:[]", "a list must not be empty"),
    ] {
        refused(&V2, written, part);
    }
    refused(&QUERY, "createddate.EQ:2024-01-01T00:00:00Z", "the fields are id, updateddate, executeddate,");
    refused(&QUERY, "status.LT:Completed", "'status' cannot be compared with LT");
    refused(&QUERY, "status.EQ:Processed", "must be one of Pending, Processing, Completed, Error, Canceled");
    let long = format!("id.IN:[{}]", vec!["a"; LIST_VALUES_MAX + 1].join(","));
    refused(&V2, &long, "at most 100 values");
}

#[test]
fn every_faulty_condition_is_told() {
    let mut faults = Vec::new();
    let texts = ["colour.EQ:red", "batch.EQ:Batch1", "state.EQ:gone"].map(str::to_owned);
    let read = read_filters(&V2, &zone(), &texts, &mut faults);
    assert_eq!((read.len(), faults.len()), (1, 2));
    let many = vec!["batch.EQ:x".to_owned(); FILTERS_MAX + 1];
    faults.clear();
    assert_eq!(read_filters(&V2, &zone(), &many, &mut faults), []);
    assert_eq!(faults[0].message, "must be given at most 50 times");
}

#[test]
fn orders_name_a_field_and_a_way() {
    use RunField as F;
    for (dialect, written, read) in [
        (&V2, "created_time.desc", vec![(F::CreatedAt, false)]),
        (&V2, "state.asc,created_time.desc", vec![(F::Status, true), (F::CreatedAt, false)]),
        (&V2, "state.asc,state.desc", vec![(F::Status, true)]),
        (&V2, "custom_objects.asc", vec![]),
        (&V2, "", vec![]),
        (&QUERY, "TargetDate.DESC", vec![(F::TargetDate, false)]),
        (&QUERY, "targetdate.asc", vec![(F::TargetDate, true)]),
    ] {
        assert_eq!(sort(dialect, written), Ok(read), "{written}");
    }
    for (dialect, written, part) in [
        (&V2, "created_time", "must be written as field.asc or field.desc"),
        (&V2, "created_time.DESC", "must be written as field.asc or field.desc"),
        (&V2, "-created_time.asc", "'-created_time' cannot be sorted by; the fields are"),
        (&QUERY, "createddate.ASC", "'createddate' cannot be sorted by; the fields are id, updateddate"),
        (&QUERY, "id.ASC,status.ASC", "must name at most one field"),
    ] {
        let message = sort(dialect, written).unwrap_err();
        assert!(message.contains(part), "{written}: {message}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        ".*".prop_map(Value::Text),
        any::<u128>().prop_map(Value::Id),
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Bool),
        (-100_000_000_000_i64..100_000_000_000)
            .prop_map(|ms| Value::Time(Timestamp::from_millisecond(ms).unwrap())),
        (1_i16..9999, 1_i8..13).prop_map(|(year, month)| Value::Date(date(year, month, 28))),
        proptest::sample::select(RunStatus::ALL.to_vec()).prop_map(Value::Status),
    ]
}

fn places() -> impl Strategy<Value = Place> {
    let fields =
        || proptest::sample::select(RunField::KINDS.iter().map(|(field, _)| *field).collect::<Vec<_>>());
    let operators =
        proptest::sample::select(OPERATORS.iter().map(|(_, operator)| *operator).collect::<Vec<_>>());
    let conditions = (fields(), operators, proptest::collection::vec(values(), 1..3))
        .prop_map(|(field, operator, values)| Condition { field, operator, values });
    let sorts = (fields(), any::<bool>(), values());
    let parts =
        (proptest::collection::vec(conditions, 0..3), proptest::collection::vec(sorts, 0..3), any::<u128>());
    parts.prop_map(|(conditions, sorts, id)| Place {
        conditions,
        sort: sorts
            .iter()
            .map(|(field, ascending, _)| Sort { field: *field, ascending: *ascending })
            .collect(),
        after: Position { values: sorts.into_iter().map(|(_, _, value)| value).collect(), id: Value::Id(id) },
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in any::<String>(), field in "[a-z_]{0,12}", operator in "[A-Z]{2}") {
        for dialect in [&V2, &QUERY] {
            for (known, _) in dialect.fields {
                let _ = filter(dialect, &format!("{known}.{operator}:{text}"));
            }
            let _ = filter(dialect, &text);
            let _ = filter(dialect, &format!("{field}.{operator}:{text}"));
            let _ = sort(dialect, &text);
            let _ = Place::read(&KEY, dialect, &Scope::entity(EntityKey::FIRST), &text);
        }
    }

    #[test]
    fn what_is_read_is_of_the_fields_kind(at in 0_usize..18, operator in 0_usize..8, text in "[a-zA-Z0-9:. -]{0,24}") {
        let (known, field) = V2.fields[at % V2.fields.len()];
        if let Ok(condition) = filter(&V2, &format!("{known}.{}:{text}", OPERATORS[operator].0)) {
            prop_assert_eq!(condition.field, field);
            for value in condition.values {
                let fits = matches!(
                    (field.kind(), value),
                    (_, Value::Null)
                        | (ValueKind::Text | ValueKind::Id, Value::Text(_))
                        | (ValueKind::Id, Value::Id(_))
                        | (ValueKind::Integer, Value::Integer(_))
                        | (ValueKind::Bool, Value::Bool(_))
                        | (ValueKind::Date, Value::Date(_))
                        | (ValueKind::Time, Value::Time(_))
                        | (ValueKind::Status, Value::Status(_))
                );
                prop_assert!(fits);
            }
        }
    }

    #[test]
    fn a_cursor_brings_its_place_back_and_nothing_else_does(place in places(), flip in any::<prop::sample::Index>()) {
        let scope = Scope::entity(EntityKey::FIRST);
        let text = place.sign(&KEY, &V2, &scope).unwrap();
        prop_assert_eq!(Place::read(&KEY, &V2, &scope, &text), Some(place));
        prop_assert_eq!(Place::read(&KEY, &QUERY, &scope, &text), None);
        prop_assert_eq!(Place::read(&[8; 32], &V2, &scope, &text), None);
        prop_assert_eq!(Place::read(&KEY, &V2, &Scope::entity(EntityKey(2)), &text), None);
        let narrow = Scope { entity: EntityKey::FIRST, organizations: Some(vec![OrganizationId::from_u128(1)]) };
        prop_assert_eq!(Place::read(&KEY, &V2, &narrow, &text), None);
        let mut altered = text.clone().into_bytes();
        // The last character may hold bits that stand for nothing, so it is left alone.
        let at = flip.index(altered.len() - 1);
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        prop_assert_eq!(Place::read(&KEY, &V2, &scope, &String::from_utf8(altered).unwrap()), None);
    }
}
