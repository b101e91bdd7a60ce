#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use garde::Validate;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json, to_value};
use utoipa::openapi::Components;

use crate::generated::everything::{
    self, Answer, Codes, Color, Custom, Key, Kinds, Lists, Named, Open, Thing, Tree,
};
use crate::{ops, v1, v2};

#[path = "model_tests/witness.rs"]
mod witness;

/// Serde and garde together.
fn accepts<T: DeserializeOwned + Validate<Context: Default>>(value: &Value) -> Result<T, String> {
    let parsed: T = T::deserialize(value).map_err(|error| error.to_string())?;
    parsed.validate().map_err(|report| report.to_string())?;
    Ok(parsed)
}

/// What is accepted is written back as it was read.
fn round_trips<T: DeserializeOwned + Serialize + Validate<Context: Default>>(value: &Value) {
    let parsed: T = accepts(value).unwrap();
    assert_eq!(to_value(&parsed).unwrap(), *value);
}

/// The contract's schema and the type agree, whichever way.
fn agree<T: DeserializeOwned + Validate<Context: Default>>(name: &str, value: &Value) -> bool {
    let typed = accepts::<T>(value);
    let schema = validator(everything::SCHEMAS, name).is_valid(value);
    assert_eq!(typed.is_ok(), schema, "{name} {value}: {:?}", typed.err());
    schema
}

fn validator(schemas: &str, name: &str) -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(schemas).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn kinds() -> Value {
    json!({
        "text": "abc", "textOrNull": null, "whole": 3, "wholeOrNull": 4, "money": 0.01, "moneyOrNull": null,
        "day": "2024-02-29", "color": "red", "colorOrNull": null,
    })
}

fn with(mut base: Value, field: &str, value: Value) -> Value {
    base[field] = value;
    base
}

#[test]
fn the_four_kinds_of_field_stay_distinct() {
    let full = json!({
        "text": "abc", "textOrNull": "x", "textMaybe": "a", "textMaybeOrNull": null, "whole": 3, "wholeOrNull": null,
        "wholeMaybe": 1, "wholeMaybeOrNull": null, "money": 12.5, "moneyOrNull": 99.95, "moneyMaybe": -3,
        "moneyMaybeOrNull": null, "day": "2024-02-29", "dayMaybeOrNull": null, "at": "2024-07-28T09:15:30Z",
        "localTime": "2024-07-28 23:40:21", "flag": true, "flagMaybeOrNull": null, "color": "dark green",
        "colorOrNull": "-createdDate", "colorMaybe": "4th", "colorMaybeOrNull": null, "type": "t",
        "anything": [null, {"a": 1}],
    });
    round_trips::<Kinds>(&full);
    round_trips::<Kinds>(&kinds());
    let parsed: Kinds = accepts(&full).unwrap();
    assert_eq!(parsed.text_maybe_or_null, Some(None));
    assert_eq!(parsed.color_or_null, Some(Color::CreatedDate));
}

#[test]
fn each_constraint_is_checked_as_the_contract_says() {
    let cases = [
        ("text", json!(""), false),
        ("text", json!("ééééé"), true),
        ("text", json!("éééééé"), false),
        ("textOrNull", json!("A"), false),
        ("textMaybe", Value::Null, false),
        ("textMaybeOrNull", json!("a"), false),
        ("whole", json!(10), false),
        ("whole", json!(9.0), true),
        ("whole", json!(1.5), false),
        ("wholeMaybe", json!(0), false),
        ("wholeMaybe", Value::Null, false),
        ("wholeMaybeOrNull", json!(-6), false),
        ("wholeMaybeOrNull", json!(2_147_483_648_i64), false),
        ("money", json!(0), false),
        ("money", json!("1"), false),
        ("moneyOrNull", json!(99.96), false),
        ("moneyOrNull", json!(0.01), true),
        ("moneyMaybe", json!(100), false),
        ("moneyMaybe", json!(99.99), true),
        ("moneyMaybeOrNull", json!(-1.51), false),
        ("day", json!("2023-02-29"), false),
        ("at", json!("2024-07-28T09:15:30"), false),
        ("at", json!("2024-07-28T09:15:30+02:00"), true),
        ("localTime", json!("2024-07-28T23:40:21"), true),
        ("localTime", json!("2024-07-28"), false),
        ("color", json!("blue"), false),
        ("color", json!("Unknown"), true),
        ("colorMaybe", Value::Null, false),
        ("colorMaybeOrNull", json!("blue"), false),
        ("anything", Value::Null, true),
        ("extra", json!(1), false),
    ];
    for (field, value, accepted) in cases {
        assert_eq!(
            agree::<Kinds>("Kinds", &with(kinds(), field, value.clone())),
            accepted,
            "{field}: {value}"
        );
    }
    for field in ["text", "textOrNull", "whole", "wholeOrNull", "moneyOrNull", "color", "colorOrNull"] {
        let mut value = kinds();
        value.as_object_mut().unwrap().remove(field);
        assert!(!agree::<Kinds>("Kinds", &value), "{field} is required");
    }
}

#[test]
fn objects_are_read_only_from_objects() {
    assert!(!agree::<Tree>("Tree", &json!([{}, []])));
    assert!(!agree::<Lists>("Lists", &json!([])));
    assert!(!agree::<Custom>("Custom", &json!(["n", 1])));
}

#[test]
fn lists_and_maps_are_checked_inside() {
    let cases = [
        (json!({"texts": ["abc"]}), true),
        (json!({"texts": []}), false),
        (json!({"texts": ["abcd"]}), false),
        (json!({"texts": ["a", "b", "c", "d"]}), false),
        (json!({"textsOrNull": null}), true),
        (json!({"textsOrNull": ["y"]}), false),
        (json!({"wholes": [1.0, 3]}), true),
        (json!({"wholes": [4]}), false),
        (json!({"days": ["2024-02-30"]}), false),
        (json!({"moneys": [1, 0.99]}), false),
        (json!({"colors": ["red", "blue"]}), false),
        (json!({"colors": ["red", "red", "red"]}), false),
        (json!({"kinds": [kinds(), with(kinds(), "text", json!("abcdef"))]}), false),
        (json!({"byName": {"a": 1.0}}), true),
        (json!({"byName": {"a": 1.5}}), false),
        (json!({"colorsByName": {"a": "blue"}}), false),
        (json!({"free": {"a": [null]}}), true),
        (json!({"unheard": "of"}), true),
    ];
    for (value, accepted) in cases {
        assert_eq!(agree::<Lists>("Lists", &value), accepted, "{value}");
    }
}

#[test]
fn custom_fields_are_kept_and_other_names_refused() {
    let value = json!({"name": "n", "size": 1, "a__c": 1.5, "b__c": null, "c__c": {"deep": [1]}});
    round_trips::<Custom>(&value);
    assert!(agree::<Custom>("Custom", &value));
    assert!(!agree::<Custom>("Custom", &json!({"name": "n", "other": 1})));
    assert!(agree::<Custom>("Custom", &json!({"name": "n", "size": 1.0})));
    let error = from_value::<Custom>(json!({"name": "n", "other": 1})).unwrap_err().to_string();
    assert_eq!(error, "unknown field `other`");
    let mut custom: Custom = from_value(json!({"name": "n"})).unwrap();
    custom.custom_fields.insert("other".to_owned(), json!(1));
    assert_eq!(custom.validate().unwrap_err().to_string(), "custom_fields: unknown field `other`\n");
}

#[test]
fn open_objects_keep_what_they_do_not_name() {
    round_trips::<Open>(&json!({"name": "n", "x": "red"}));
    assert!(!agree::<Open>("Open", &json!({"x": "blue"})));
}

#[test]
fn named_lists_maps_and_texts_are_checked() {
    assert!(agree::<Named>("Named", &json!({"a": "red", "b": null})));
    assert!(!agree::<Named>("Named", &json!({"a": "blue"})));
    assert!(agree::<Codes>("Codes", &json!([1, 2.0])));
    assert!(!agree::<Codes>("Codes", &json!([1, 2, 3])));
    assert!(!agree::<Key>("Key", &json!("k")));
}

#[test]
fn parts_are_merged_and_alternatives_told_apart() {
    let thing = json!({"id": "k1", "kinds": kinds(), "tree": {"parent": {}, "children": [{"children": []}]}});
    round_trips::<Thing>(&thing);
    assert!(agree::<Thing>("Thing", &thing));
    assert!(!agree::<Thing>("Thing", &json!({"kinds": kinds()})));
    assert!(matches!(accepts::<Answer>(&thing).unwrap(), Answer::Thing(_)));
    assert!(matches!(accepts::<Answer>(&json!({"message": "no"})).unwrap(), Answer::Refusal(_)));
    assert!(!agree::<Answer>("Answer", &json!({})));
    round_trips::<Tree>(&json!({"parent": {"parent": {}}}));
}

#[test]
fn enums_keep_values_they_do_not_know() {
    let color: Color = from_value(json!("blue")).unwrap();
    assert_eq!(color, Color::Unknown("blue".to_owned()));
    assert_eq!(to_value(&color).unwrap(), json!("blue"));
    assert_eq!("Unknown".parse::<Color>().unwrap(), Color::UnknownValue);
    assert_eq!(Color::DarkGreen.to_string(), "dark green");
    assert_eq!(Color::ALL.len(), 6);
    let error = color.validate().unwrap_err().to_string();
    assert_eq!(error, "must be one of red, dark green, -createdDate, 4th, Unknown, self\n");
}

#[test]
fn what_is_only_written_is_not_printed() {
    let refusal = everything::Refusal { message: "m".to_owned(), secret: Some("hunter2".to_owned()) };
    assert_eq!(format!("{refusal:?}"), r#"Refusal { message: "m", secret: "…" }"#);
}

#[test]
fn schemars_answers_with_the_contract() {
    let schema = schemars::schema_for!(Thing).to_value();
    let defs = schema["$defs"].as_object().unwrap();
    assert_eq!(defs.len(), 8, "{:?}", defs.keys());
    let all: Value = serde_json::from_str(everything::SCHEMAS).unwrap();
    for (name, schema) in defs {
        assert_eq!(*schema, all["$defs"][name], "{name}");
    }
    let built = jsonschema::validator_for(&schema).unwrap();
    assert!(built.is_valid(&json!({"id": "k1", "kinds": kinds()})));
    assert!(!built.is_valid(&json!({"id": "k", "kinds": kinds()})));
    assert_eq!(v1::ErrorResponse::schema_name(), v2::ErrorResponse::schema_name());
    assert_ne!(v1::ErrorResponse::schema_id(), v2::ErrorResponse::schema_id());
}
