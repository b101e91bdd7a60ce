//! What the models say of themselves, through utoipa, is what the documents say.

use super::{Components, Value, everything, json, ops, to_value, v1, v2};

fn document(file: &str) -> Value {
    let text = std::fs::read_to_string(xtask::root().join(file)).unwrap();
    xtask::spec::read(file, &text).unwrap()
}

fn assert_same(file: &str, components: Components) {
    let code = json!({"components": to_value(components).unwrap()});
    let found = xtask::spec::canon::schema_differences(&document(file), &code);
    assert!(found.is_empty(), "run `cargo xtask codegen`\n{}", found.join("\n"));
}

#[test]
fn every_shape_is_described() {
    assert_same("xtask/tests/fixture/everything.yaml", everything::components());
}

#[test]
fn v1_models_match_the_contract() {
    assert_same("openapi/v1.yaml", v1::components());
}

#[test]
fn v2_models_match_the_contract() {
    assert_same("openapi/v2.yaml", v2::components());
}

#[test]
fn ops_models_match_the_contract() {
    assert_same("openapi/ops.yaml", ops::components());
}

/// A change to what the code says.
type Change<'a> = &'a dyn Fn(&mut Value);

/// The comparison has teeth: each change to what the code says is found, and only it.
#[test]
fn a_changed_model_is_found() {
    let document = document("openapi/v1.yaml");
    let sound = json!({"components": to_value(v1::components()).unwrap()});
    let mutations: [(&str, Change<'_>); 5] = [
        ("maxLength", &|value| value["properties"]["batch"]["maxLength"] = json!(51)),
        ("additionalProperties", &|value| value["additionalProperties"] = json!(true)),
        ("nullable", &|value| value["properties"]["targetDate"]["type"] = json!(["string", "null"])),
        ("required", &|value| value["required"] = json!(["batch"])),
        ("properties/extra", &|value| value["properties"]["extra"] = json!({"type": "string"})),
    ];
    for (what, mutate) in mutations {
        let mut code = sound.clone();
        mutate(code.pointer_mut("/components/schemas/CreatePaymentRunRequest").unwrap());
        let found = xtask::spec::canon::schema_differences(&document, &code);
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert!(found[0].contains(what), "{what}: {found:?}");
    }
}
