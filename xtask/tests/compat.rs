//! What counts as breaking a released contract.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use xtask::spec_compat::compare;

/// One operation that takes and answers what the changes are made to.
fn released() -> Value {
    let thing = |kind: &str| {
        json!({
            "type": "object",
            "description": kind,
            "required": ["id"],
            "properties": {
                "id": { "type": "string", "maxLength": 32 },
                "state": { "type": "string", "enum": ["open", "closed"] },
                "note": { "type": "string", "nullable": true },
                "tags": { "type": "array", "maxItems": 5, "items": { "type": "string" } },
            },
        })
    };
    let body = |name: &str| json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } });
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Things", "version": "1.0.0" },
        "paths": { "/things": { "post": {
            "operationId": "createThing",
            "parameters": [{ "$ref": "#/components/parameters/Size" }],
            "requestBody": { "required": true, "content": body("Sent") },
            "responses": {
                "200": { "description": "Done.", "content": body("Answered") },
                "400": { "description": "Refused.", "content": body("Answered") },
            },
        } } },
        "components": {
            "parameters": { "Size": {
                "name": "size", "in": "query", "schema": { "type": "integer", "format": "int32", "maximum": 40 }
            } },
            "schemas": { "Sent": thing("sent"), "Answered": thing("answered") },
        },
    })
}

const SENT: &str = "/components/schemas/Sent";
const ANSWERED: &str = "/components/schemas/Answered";
const POST: &str = "/paths/~1things/post";

/// Sets (or, with null, removes) one place and tells what breaks.
fn after(pointer: &str, value: Value) -> Vec<String> {
    let mut new = released();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = new.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key).unwrap();
    } else {
        parent.insert(key.to_owned(), value);
    }
    compare("things.yaml", &released(), &new).unwrap().into_iter().map(|broken| broken.what).collect()
}

#[test]
fn the_same_contract_breaks_nothing() {
    assert_eq!(compare("things.yaml", &released(), &released()).unwrap(), []);
}

#[test]
fn what_callers_can_live_with() {
    for (pointer, value) in [
        (format!("{SENT}/description"), json!("other words")),
        (format!("{SENT}/properties/id/maxLength"), json!(64)),
        (format!("{SENT}/properties/more"), json!({ "type": "string" })),
        (format!("{SENT}/properties/state/enum"), json!(["open", "closed", "new"])),
        (format!("{SENT}/properties/id/nullable"), json!(true)),
        (format!("{SENT}/required"), Value::Null),
        (format!("{ANSWERED}/properties/id/maxLength"), json!(16)),
        (format!("{ANSWERED}/properties/more"), json!({ "type": "string" })),
        (format!("{ANSWERED}/properties/state/enum"), json!(["open", "closed", "new"])),
        (format!("{ANSWERED}/properties/note/nullable"), Value::Null),
        (format!("{ANSWERED}/required"), json!(["id", "state"])),
        ("/components/parameters/Size/schema/maximum".to_owned(), json!(99)),
        (format!("{POST}/responses/409"), json!({ "description": "Conflict." })),
        ("/paths/~1others".to_owned(), json!({})),
    ] {
        assert_eq!(after(&pointer, value.clone()), Vec::<String>::new(), "{pointer} = {value}");
    }
}

#[test]
fn what_breaks_callers() {
    for (pointer, value, told) in [
        (format!("{SENT}/properties/id/maxLength"), json!(16), "`maxLength` went from 32 to 16"),
        (format!("{SENT}/properties/tags/maxItems"), json!(4), "`maxItems` went from 5 to 4"),
        (format!("{SENT}/properties/state/enum"), json!(["open"]), "the value \"closed\" is gone"),
        (format!("{SENT}/required"), json!(["id", "note"]), "\"note\" became required"),
        (format!("{SENT}/properties/note/nullable"), Value::Null, "null is refused now"),
        (format!("{SENT}/additionalProperties"), json!(false), "unknown fields are refused now"),
        (format!("{SENT}/properties/id"), json!({ "type": "boolean" }), "schema types changed"),
        (format!("{ANSWERED}/properties/id/maxLength"), Value::Null, "`maxLength` went from 32 to none"),
        (format!("{ANSWERED}/properties/note"), Value::Null, "the field `note` is gone"),
        (format!("{ANSWERED}/required"), Value::Null, "\"id\" is no longer required"),
        (format!("{ANSWERED}/properties/id/nullable"), json!(true), "may be null now"),
        ("/components/parameters/Size/schema/maximum".to_owned(), json!(20), "`maximum` went from 40 to 20"),
        ("/components/parameters/Size/required".to_owned(), json!(true), "required"),
        (POST.to_owned(), Value::Null, "removed"),
    ] {
        let broken = after(&pointer, value.clone());
        assert!(broken.iter().any(|what| what.contains(told)), "{pointer} = {value}: {broken:?}");
    }
}

#[test]
fn the_project_holds_to_its_release() {
    let report = xtask::spec_compat::run(&xtask::root(), xtask::spec_compat::RELEASED.as_ref()).unwrap();
    assert_eq!(report.breaks, []);
}

#[test]
fn every_document_of_the_project_can_be_compared() {
    let report = xtask::spec_compat::run(&xtask::root(), "openapi".as_ref()).unwrap();
    assert_eq!(report.compared, ["openapi/ops.yaml", "openapi/v1.yaml", "openapi/v2.yaml"]);
    assert_eq!(report.breaks, []);
}
