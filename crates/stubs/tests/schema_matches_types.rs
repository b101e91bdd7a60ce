//! What a component's schema accepts, its model accepts (serde, then garde), and nothing else.
//!
//! One exception, by name: money. The schema says `number`; the model takes only numbers whose digits it can hold
//! exactly.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop with a message")]

mod support;

use std::collections::BTreeMap;

use payment_runs_stubs::{ops, v1, v2};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use support::judge::{definitions, validator};
use support::values::Schemas;
use support::{APIS, contract};

/// Random values for each component, on top of every neighbour of a full one.
const RANDOM_VALUES: usize = 64;

/// The most disagreements that are worth printing.
const SHOWN_MAX: usize = 20;

fn accepts(api: &str, component: &str, value: &Value) -> Result<(), String> {
    let answer = match api {
        "v1" => v1::accepts(component, value),
        "v2" => v2::accepts(component, value),
        "ops" => ops::accepts(component, value),
        other => panic!("no stubs are generated for {other}"),
    };
    answer.unwrap_or_else(|| panic!("{api} has no model of {component}: run `cargo xtask codegen`"))
}

/// What the two judges disagree on, as one line each; and how many values each verdict fell on.
struct Comparison {
    disagreements: Vec<String>,
    accepted: usize,
    refused: usize,
}

fn compare(api: &str, definitions: &Map<String, Value>, component: &str) -> Comparison {
    let schemas = Schemas { definitions };
    let schema = &definitions[component];
    let full = schemas.full(schema);
    let mut values = schemas.neighbours(schema, &full);
    values.push(full);
    values.extend(random(schemas, schema));
    let validator = validator(definitions, &json!({"$ref": format!("#/components/schemas/{component}")}));
    let mut comparison = Comparison { disagreements: Vec::new(), accepted: 0, refused: 0 };
    for value in values {
        let by_schema = validator.validate(&value).err().map(|error| error.to_string());
        let by_model = accepts(api, component, &value);
        match (&by_schema, &by_model) {
            (None, Ok(())) => comparison.accepted += 1,
            (Some(_), Err(_)) => comparison.refused += 1,
            (None, Err(why)) if is_money(why) => {}
            _ => {
                let line = format!(
                    "{api} {component}: schema {}, model {} on {}",
                    by_schema.map_or("accepts".to_owned(), |why| format!("refuses ({})", short(&why))),
                    by_model
                        .map_or_else(|why| format!("refuses ({})", short(&why)), |()| "accepts".to_owned()),
                    short(&value.to_string()),
                );
                comparison.disagreements.push(line);
            }
        }
    }
    comparison
}

/// The named exception.
fn is_money(why: &str) -> bool {
    why.contains("significant digits")
}

fn random(schemas: Schemas<'_>, schema: &Value) -> Vec<Value> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = schemas.random(schema, 0);
    (0..RANDOM_VALUES).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

fn short(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let mut chars = text.trim().chars();
    let start: String = chars.by_ref().take(CHARS_MAX).collect();
    if chars.next().is_some() { format!("{start}…") } else { start }
}

fn matches(api: &str) {
    let definitions = definitions(&contract(api));
    let mut disagreements = Vec::new();
    let mut idle = BTreeMap::new();
    for component in definitions.keys() {
        let comparison = compare(api, &definitions, component);
        disagreements.extend(comparison.disagreements);
        if comparison.accepted == 0 || comparison.refused == 0 {
            idle.insert(component, (comparison.accepted, comparison.refused));
        }
    }
    disagreements.dedup();
    let shown = disagreements.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(
        disagreements.is_empty(),
        "openapi/{api}.yaml and the models judge {} values differently:\n{shown}\nrun `cargo xtask codegen`; if that \
         changes nothing, mend the generator in `xtask/src/codegen`",
        disagreements.len(),
    );
    assert!(idle.is_empty(), "no value of these was both accepted and refused: {idle:?}");
}

#[test]
fn schema_matches_types_in_v1() {
    matches("v1");
}

#[test]
fn schema_matches_types_in_v2() {
    matches("v2");
}

#[test]
fn schema_matches_types_in_ops() {
    matches("ops");
}

#[test]
fn every_document_is_compared() {
    assert_eq!(APIS, ["v1", "v2", "ops"]);
}

/// Changes one keyword of a schema and expects a disagreement about it.
fn bites(pointer: &str, new: Value) {
    let mut document = contract("v2");
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let schema = document["components"]["schemas"].pointer_mut(parent).unwrap();
    schema.as_object_mut().unwrap().insert(key.to_owned(), new);
    let component = pointer.split('/').nth(1).unwrap();
    let comparison = compare("v2", &definitions(&document), component);
    assert!(!comparison.disagreements.is_empty(), "a change of {pointer} went unseen");
}

#[test]
fn changed_keywords_are_found() {
    let create = "/CreatePaymentRunRequest";
    bites(&format!("{create}/properties/batch/maxLength"), json!(51));
    bites(&format!("{create}/properties/batch/maxLength"), json!(49));
    bites(&format!("{create}/properties/batch/nullable"), json!(true));
    bites(&format!("{create}/properties/currency/minLength"), json!(2));
    bites(&format!("{create}/properties/bill_cycle_day/pattern"), json!("^([0-9]|[12][0-9]|30)$"));
    bites(&format!("{create}/properties/target_date/format"), json!("date-time"));
    bites(&format!("{create}/properties/collect_payment/type"), json!("string"));
    bites(&format!("{create}/additionalProperties"), json!(true));
    bites(&format!("{create}/required"), json!(["batch"]));
    bites("/PaymentRun/properties/bill_cycle_day/maximum", json!(30));
    bites("/PaymentRun/properties/bill_cycle_day/minimum", json!(1));
    bites(
        "/PaymentRunState/enum",
        json!(["processing", "pending", "completed", "canceled", "failed", "new"]),
    );
    bites("/ErrorResponse/required", json!(["type"]));
}
