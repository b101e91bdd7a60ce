//! The document that utoipa derives from the stubs and models says what the checked-in contract says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop with a message")]

mod support;

use payment_runs_stubs::{ops, v1, v2};
use serde_json::{Value, json};
use support::canonical::{canonical, component_names, differences};
use support::{APIS, contract};
use utoipa::OpenApi as _;

const MEND: &str =
    "run `cargo xtask codegen`; if that changes nothing, mend the generator in `xtask/src/codegen`";

fn derived(api: &str) -> Value {
    let document = match api {
        "v1" => v1::Doc::openapi(),
        "v2" => v2::Doc::openapi(),
        "ops" => ops::Doc::openapi(),
        other => panic!("no stubs are generated for {other}"),
    };
    serde_json::to_value(document).unwrap()
}

fn compare(api: &str, contract: &Value) -> Vec<String> {
    let code = derived(api);
    // Inline schemas become components of the code only; they are compared where they stand in the contract.
    let common = component_names(contract);
    differences(&canonical(contract, &common), &canonical(&code, &common))
}

#[test]
fn contract_matches_code() {
    for api in APIS {
        let found = compare(api, &contract(api));
        assert!(found.is_empty(), "openapi/{api}.yaml and the code differ:\n{}\n{MEND}", found.join("\n"));
    }
}

/// Changes the contract in one place and expects exactly that place to be told.
fn bites(api: &str, place: &str, new: Value, told: &str) {
    let mut contract = contract(api);
    let (parent, key) = place.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let parent = contract.pointer_mut(parent).unwrap_or_else(|| panic!("{api} has no {parent}"));
    let map = parent.as_object_mut().unwrap();
    if new.is_null() {
        map.shift_remove(&key).unwrap_or_else(|| panic!("{api} has no {place}"));
    } else {
        map.insert(key, new);
    }
    let found = compare(api, &contract);
    assert!(
        !found.is_empty() && found.iter().all(|line| line.contains(told)),
        "a change of {place} in {api} was told as {found:#?}, not as {told}"
    );
}

#[test]
fn a_changed_bound_of_a_field_is_found() {
    let batch = "/schemas/CreatePaymentRunRequest/properties/batch";
    bites("v2", &format!("/components{batch}/maxLength"), json!(51), &format!("{batch}/maxLength"));
}

#[test]
fn a_changed_bound_of_a_parameter_is_found() {
    let told = "/parameters/query page_size/schema/maximum: contract 100.0, code 99.0";
    bites("v2", "/components/parameters/PageSize/schema/maximum", json!(100), told);
}

#[test]
fn a_dropped_status_is_found() {
    let told = "/operations/GET ~1payment_runs/responses/405: only in the code";
    bites("v2", "/paths/~1payment_runs/get/responses/405", Value::Null, told);
}

#[test]
fn a_dropped_header_of_an_answer_is_found() {
    let told = "/responses/429/headers/retry-after: only in the code";
    bites("v2", "/components/responses/TooManyRequests/headers/retry-after", Value::Null, told);
}

#[test]
fn a_renamed_parameter_is_found() {
    let told = "/parameters/header zuora-org-id";
    bites("v2", "/components/parameters/OrganizationIds/name", json!("zuora-org-id"), told);
}

#[test]
fn a_new_requirement_is_found() {
    bites("v2", "/components/schemas/PaymentRun/required", json!(["id"]), "/schemas/PaymentRun/required");
}

#[test]
fn a_new_value_of_a_list_is_found() {
    let told = "/schemas/PaymentRunState/enum";
    bites("v2", "/components/schemas/PaymentRunState/enum", json!(["pending"]), told);
}

#[test]
fn a_field_that_may_be_null_is_found() {
    let told = "/schemas/CreatePaymentRunRequest/properties/batch/type";
    bites("v2", "/components/schemas/CreatePaymentRunRequest/properties/batch/nullable", json!(true), told);
}

#[test]
fn another_body_is_found() {
    let place = "/paths/~1payment_runs/post/requestBody/content/application~1json/schema/$ref";
    let told = "/operations/POST ~1payment_runs/requestBody/content/application~1json/$ref";
    bites("v2", place, json!("#/components/schemas/UpdatePaymentRunRequest"), told);
}

#[test]
fn an_operation_open_to_anyone_is_found() {
    bites("v2", "/paths/~1payment_runs/get/security", json!([]), "/operations/GET ~1payment_runs/security");
}

#[test]
fn another_server_is_found() {
    bites("v2", "/servers", json!([{"url": "/v3"}]), "/servers/0");
}
