//! What the schema of a parameter accepts, the generated struct accepts (serde, then garde), and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop with a message")]

mod support;

use payment_runs_stubs::extract::Part;
use payment_runs_stubs::{ops, v1, v2};
use serde_json::{Map, Value, json};
use support::judge::{complete, definitions, validator};
use support::values::{Schemas, kind};
use support::{contract, upgrade};

/// The most disagreements that are worth printing.
const SHOWN_MAX: usize = 20;

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

fn accepts(api: &str, operation: &str, part: Part, texts: &[(String, String)]) -> Result<(), String> {
    let answer = match api {
        "v1" => v1::accepts_parameters(operation, part, texts),
        "v2" => v2::accepts_parameters(operation, part, texts),
        "ops" => ops::accepts_parameters(operation, part, texts),
        other => panic!("no stubs are generated for {other}"),
    };
    answer.unwrap_or_else(|| panic!("{operation} of {api} has no {part:?}: run `cargo xtask codegen`"))
}

/// One parameter as the contract has it.
struct Parameter {
    name: String,
    part: Part,
    required: bool,
    commas: bool,
    schema: Value,
}

impl Parameter {
    fn of(document: &Value, parameter: &Value) -> Self {
        let target = parameter.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        let parameter = target.map_or(parameter, |pointer| document.pointer(pointer).unwrap());
        let part = match parameter["in"].as_str().unwrap() {
            "path" => Part::Path,
            "query" => Part::Query,
            "header" => Part::Headers,
            other => panic!("parameters in {other} are not generated"),
        };
        let mut schema = upgrade::schema_of(&parameter["schema"]);
        complete(&mut schema);
        Self {
            name: parameter["name"].as_str().unwrap().to_owned(),
            part,
            required: parameter["required"] == json!(true),
            commas: parameter["x-comma-list"] == json!(true)
                || parameter["explode"] == json!(false)
                || (part != Part::Query && parameter["explode"] != json!(true)),
            schema,
        }
    }

    fn is_list(&self) -> bool {
        kind(&self.schema) == "array"
    }

    /// The text as JSON, the way this parameter is written.
    fn json(&self, schemas: Schemas<'_>, text: &str) -> Value {
        if !self.is_list() {
            return scalar(kind(schemas.resolve(&self.schema)), text);
        }
        let item = kind(schemas.resolve(&self.schema["items"])).to_owned();
        if self.commas {
            let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
            pieces.map(|piece| scalar(&item, piece)).collect()
        } else {
            json!([scalar(&item, text)])
        }
    }

    fn texts(&self, schemas: Schemas<'_>) -> Vec<String> {
        let schema = if self.is_list() { &self.schema["items"] } else { &self.schema };
        let mut texts = schemas.parameter_texts(schema);
        if self.is_list() {
            texts.extend(texts.clone().iter().map(|text| format!("{text}, {text}")));
        }
        texts
    }

    /// A text that the schema accepts.
    fn sample(&self, schemas: Schemas<'_>) -> (String, String) {
        let text = match schemas.full(&self.schema) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        (self.name.clone(), text)
    }
}

fn scalar(kind: &str, text: &str) -> Value {
    let number = || text.parse::<i64>().ok().map(Value::from);
    match kind {
        "integer" => number().unwrap_or_else(|| json!(text)),
        "boolean" if ["true", "false"].contains(&text) => json!(text == "true"),
        _ => json!(text),
    }
}

/// Every text of every parameter, judged by the schema and by the code.
fn compare(api: &str, document: &Value) -> Vec<String> {
    let definitions = definitions(document);
    let mut found = Vec::new();
    for (_, item) in document["paths"].as_object().unwrap() {
        for operation in METHODS.iter().filter_map(|method| item.get(method)) {
            let lists = [&item["parameters"], &operation["parameters"]];
            let parameters = lists.into_iter().filter_map(Value::as_array).flatten();
            let parameters: Vec<Parameter> = parameters.map(|p| Parameter::of(document, p)).collect();
            let id = operation["operationId"].as_str().unwrap();
            for parameter in &parameters {
                compare_one(api, id, parameter, &parameters, &definitions, &mut found);
            }
        }
    }
    found
}

fn compare_one(
    api: &str,
    operation: &str,
    parameter: &Parameter,
    all: &[Parameter],
    definitions: &Map<String, Value>,
    found: &mut Vec<String>,
) {
    let schemas = Schemas { definitions };
    let others = all.iter().filter(|other| other.part == parameter.part && other.required);
    let others: Vec<(String, String)> =
        others.filter(|other| other.name != parameter.name).map(|other| other.sample(schemas)).collect();
    let validator = validator(definitions, &parameter.schema);
    let mut judge = |by_schema: bool, texts: Vec<(String, String)>, told: &str| {
        let by_code = accepts(api, operation, parameter.part, &texts);
        if by_schema != by_code.is_ok() {
            let name = &parameter.name;
            found.push(format!("{api} {operation} {name}={told:?}: schema {by_schema}, code {by_code:?}"));
        }
    };
    judge(!parameter.required, others.clone(), "absent");
    for text in parameter.texts(schemas) {
        let by_schema = validator.is_valid(&parameter.json(schemas, &text));
        let mut texts = others.clone();
        texts.push((parameter.name.clone(), text.clone()));
        judge(by_schema, texts.clone(), &text);
        // A name given twice is a list, or wrong.
        texts.push((parameter.name.clone(), text.clone()));
        judge(by_schema && parameter.is_list(), texts, &format!("{text} twice"));
    }
}

#[test]
fn schema_matches_parameters() {
    for api in support::APIS {
        let found = compare(api, &contract(api));
        let shown = found.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(
            found.is_empty(),
            "openapi/{api}.yaml and the code judge {} texts differently:\n{shown}\nrun `cargo xtask codegen`; if that \
             changes nothing, mend the generator in `xtask/src/codegen/stubs`",
            found.len(),
        );
    }
}

#[test]
fn changed_parameters_are_found() {
    for (pointer, new) in [
        ("/PageSize/schema/maximum", json!(98)),
        ("/PageSize/schema/minimum", json!(0)),
        ("/PageSize/schema/type", json!("string")),
        ("/PageSize/required", json!(true)),
        ("/TrackId/schema/maxLength", json!(63)),
        ("/TrackId/schema/pattern", json!("^[ !#-&(-9<-}]*$")),
        ("/IdempotencyKey/schema/minLength", json!(0)),
        ("/Async/schema/type", json!("string")),
        ("/Id/schema/maxLength", json!(9)),
        ("/Fields/x-comma-list", json!(false)),
        ("/Fields/schema/items/$ref", json!("#/components/schemas/PaymentRunSummaryField")),
    ] {
        let mut document = contract("v2");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parameters = document.pointer_mut("/components/parameters").unwrap();
        parameters.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), new);
        assert!(!compare("v2", &document).is_empty(), "a change of {pointer} went unseen");
    }
}
