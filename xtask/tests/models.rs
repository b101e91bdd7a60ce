//! The generated models describe themselves as the contract describes them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use payment_runs_types::{ops, v1, v2};
use serde_json::{Value, json};
use utoipa::openapi::Components;

fn differences(api: &str, components: Components) -> Vec<String> {
    let file = format!("openapi/{api}.yaml");
    let text = std::fs::read_to_string(xtask::root().join(&file)).unwrap();
    let document = xtask::spec::read(&file, &text).unwrap();
    let code = json!({"components": serde_json::to_value(components).unwrap()});
    xtask::spec::canon::schema_differences(&document, &code)
}

fn assert_same(api: &str, components: Components) {
    let found = differences(api, components);
    assert!(found.is_empty(), "run `cargo xtask codegen`\n{}", found.join("\n"));
}

#[test]
fn v1_models_match_the_contract() {
    assert_same("v1", v1::components());
}

#[test]
fn v2_models_match_the_contract() {
    assert_same("v2", v2::components());
}

#[test]
fn ops_models_match_the_contract() {
    assert_same("ops", ops::components());
}

/// The comparison has teeth: each change to what the code says is found.
#[test]
fn a_changed_model_is_found() {
    let file = "openapi/v1.yaml";
    let document =
        xtask::spec::read(file, &std::fs::read_to_string(xtask::root().join(file)).unwrap()).unwrap();
    let sound = json!({"components": serde_json::to_value(v1::components()).unwrap()});
    let request = "/components/schemas/CreatePaymentRunRequest";
    let mutations: [(&str, &dyn Fn(&mut Value)); 5] = [
        ("maxLength", &|value| value["properties"]["batch"]["maxLength"] = json!(51)),
        ("additionalProperties", &|value| value["additionalProperties"] = json!(true)),
        ("nullable", &|value| value["properties"]["targetDate"]["type"] = json!(["string", "null"])),
        ("required", &|value| value["required"] = json!(["batch"])),
        ("properties/extra", &|value| value["properties"]["extra"] = json!({"type": "string"})),
    ];
    for (what, mutate) in mutations {
        let mut code = sound.clone();
        mutate(code.pointer_mut(request).unwrap());
        let found = xtask::spec::canon::schema_differences(&document, &code);
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert!(found[0].contains(what), "{what}: {found:?}");
    }
}
