//! Listing every fault of a part of a request, with wire paths, by the contract's own schema.

use std::sync::OnceLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::{Location as Pointer, LocationSegment};
use jsonschema::{Keyword, ValidationError, Validator};
use payment_runs_types::{Date, DateTime, Decimal, OffsetDateTime};
use serde_json::{Value, json};

use super::coerce::{self, Pairs};
use super::pieces::Pieces;
use crate::{Category, FAULTS_MAX, Fault, Location};

/// Bodies up to this size are validated as one tree of values; larger ones piece by piece, so that a refused body needs no tree of
/// its whole size.
const WHOLE_BYTES_MAX: usize = 8 * 1024;

/// Enum values that a message lists; longer lists are cut.
const VALUES_LISTED_MAX: usize = 25;

/// A generated document: `{"$defs": {component: schema}, "operations": {operation: {part: schema}}}` as JSON Schema
/// 2020-12. It is parsed at its first use.
#[derive(Debug)]
pub struct Document {
    text: &'static str,
    parsed: OnceLock<Value>,
}

impl Document {
    /// A document from its text.
    pub const fn new(text: &'static str) -> Self {
        Self { text, parsed: OnceLock::new() }
    }

    /// The parsed document.
    pub fn value(&self) -> &Value {
        self.parsed.get_or_init(|| serde_json::from_str(self.text).unwrap_or_default())
    }
}

/// A part of a request that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Parameters of the path, as one object.
    Path,
    /// The query, as one object.
    Query,
    /// The documented headers, as one object.
    Headers,
    /// The body.
    Body,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Path, Self::Query, Self::Headers, Self::Body];

    const fn key(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Headers => "headers",
            Self::Body => "body",
        }
    }

    const fn location(self) -> Location {
        match self {
            Self::Path => Location::Path,
            Self::Query => Location::Query,
            Self::Headers => Location::Header,
            Self::Body => Location::Body,
        }
    }

    /// The categories of a value that is wrong and of one that is missing.
    const fn categories(self) -> (Category, Category) {
        match self {
            Self::Body => (Category::InvalidValue, Category::MissingField),
            Self::Path | Self::Query | Self::Headers => {
                (Category::InvalidParameter, Category::MissingParameter)
            }
        }
    }
}

/// What a contract is about.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Operation(&'static str),
    /// A component that is a body of its own, such as a line of a stream.
    Component(&'static str),
}

/// The schemas of one operation, each compiled at its first use, which is the first refusal.
#[derive(Debug)]
pub struct Contract {
    document: &'static Document,
    subject: Subject,
    compiled: [OnceLock<Option<Validator>>; 4],
}

impl Contract {
    /// The schemas of an operation of a document.
    pub const fn new(document: &'static Document, operation: &'static str) -> Self {
        Self { document, subject: Subject::Operation(operation), compiled: [const { OnceLock::new() }; 4] }
    }

    /// The schema of a component, as that of a body.
    pub const fn of_component(document: &'static Document, component: &'static str) -> Self {
        Self { document, subject: Subject::Component(component), compiled: [const { OnceLock::new() }; 4] }
    }

    /// The schema of a part, if the operation has that part.
    pub fn schema(&self, part: Part) -> Option<&'static Value> {
        match self.subject {
            Subject::Operation(operation) => {
                self.document.value().get("operations")?.get(operation)?.get(part.key())
            }
            Subject::Component(component) if part == Part::Body => {
                self.document.value().get("$defs")?.get(component)
            }
            Subject::Component(_) => None,
        }
    }

    /// The compiled schema of a part; `None` if the operation lacks the part, or its schema does not compile.
    pub fn validator(&self, part: Part) -> Option<&Validator> {
        self.compiled[part as usize].get_or_init(|| self.compile(part)).as_ref()
    }

    /// The components that schemas refer to.
    pub(crate) fn definitions(&self) -> &'static Value {
        &self.document.value()["$defs"]
    }

    #[cfg(test)]
    pub(super) fn was_used(&self, part: Part) -> bool {
        self.compiled[part as usize].get().is_some()
    }

    fn compile(&self, part: Part) -> Option<Validator> {
        let mut schema = json!({"allOf": [self.schema(part)?]});
        schema["$defs"] = self.document.value()["$defs"].clone();
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .with_format("date", |text: &str| text.parse::<Date>().is_ok())
            .with_format("date-time", |text: &str| text.parse::<OffsetDateTime>().is_ok())
            .with_format("zuora-date-time", |text: &str| text.parse::<DateTime>().is_ok())
            .with_keyword("x-exact-decimal", |_, _, _| Ok(Box::new(ExactDecimal)))
            .build(&schema)
            .ok()
    }

    /// The faults of a JSON body; `refused` where the schema finds none.
    pub(super) fn list_json(&self, json: &[u8], refused: Fault) -> Vec<Fault> {
        let faults = if json.len() <= WHOLE_BYTES_MAX {
            self.list(Part::Body, &value_of(json))
        } else {
            self.list_pieces(&Pieces::of(json))
        };
        if faults.is_empty() { vec![refused] } else { faults }
    }

    /// The faults of a body that is too large to be judged whole: first those of what stands around its lists.
    fn list_pieces(&self, pieces: &Pieces<'_>) -> Vec<Fault> {
        let mut faults = self.list(Part::Body, &value_of(&pieces.outline()));
        let names: Vec<String> = pieces.lists().iter().map(|list| pieces.name(list)).collect();
        // Those of elements are found again with their lists.
        let within =
            |field: &str, name: &str| field.strip_prefix(name).is_some_and(|rest| rest.starts_with('['));
        faults.retain(|fault| !names.iter().any(|name| within(&fault.field, name)));
        for (list, name) in pieces.lists().iter().zip(&names) {
            if let Some(max) = self.elements_max(name).filter(|max| list.len() > *max) {
                let message = format!("must have at most {max} elements");
                let (location, category) = (Location::Body, Category::InvalidValue);
                faults.push(Fault { location, field: name.clone(), message, category });
                continue;
            }
            for (first, window) in pieces.windows(list) {
                if faults.len() > FAULTS_MAX {
                    return faults;
                }
                self.list_window(name, first, &value_of(&window), &mut faults);
            }
        }
        faults
    }

    /// Adds the faults of the elements of a list, of which `window` holds nothing but those from `first` on.
    fn list_window(&self, name: &str, first: usize, window: &Value, faults: &mut Vec<Fault>) {
        let Some(validator) = self.validator(Part::Body) else { return };
        if validator.is_valid(window) {
            return;
        }
        let before = faults.len();
        for error in validator.iter_errors(window) {
            add(faults, Part::Body, &error);
        }
        let mut at = before;
        while let Some(fault) = faults.get_mut(at) {
            match moved(&fault.field, name, first) {
                Some(field) => (fault.field, at) = (field, at + 1),
                // It is about what the window leaves out.
                None => drop(faults.remove(at)),
            }
        }
        faults.truncate(FAULTS_MAX + 1);
    }

    /// How many elements the array of this name may have.
    fn elements_max(&self, name: &str) -> Option<usize> {
        let definitions = self.definitions();
        let properties = coerce::resolve(self.schema(Part::Body)?, definitions).get("properties")?;
        let max = coerce::resolve(properties.get(name)?, definitions).get("maxItems")?.as_u64()?;
        usize::try_from(max).ok()
    }

    /// The faults of values that arrived as text; `refused` where the schema finds none.
    pub(super) fn list_texts(&self, part: Part, pairs: &Pairs, refused: &str) -> Vec<Fault> {
        let defs = &self.document.value()["$defs"];
        let (value, repeated) = coerce::object(self.schema(part).unwrap_or(&Value::Null), defs, pairs);
        let fault = |field: String, message: &str| Fault {
            location: part.location(),
            field,
            message: message.to_owned(),
            category: part.categories().0,
        };
        let mut faults: Vec<Fault> =
            repeated.into_iter().map(|name| fault(name, "is given more than once")).collect();
        faults.extend(self.list(part, &value));
        if faults.is_empty() {
            faults.push(fault(String::new(), refused));
        }
        faults
    }

    /// The first faults that the schema finds, one more than [`FAULTS_MAX`] where there are more.
    fn list(&self, part: Part, value: &Value) -> Vec<Fault> {
        let Some(validator) = self.validator(part) else { return Vec::new() };
        let mut faults = Vec::new();
        for error in validator.iter_errors(value) {
            add(&mut faults, part, &error);
            if faults.len() > FAULTS_MAX {
                break;
            }
        }
        faults.truncate(FAULTS_MAX + 1);
        faults
    }
}

/// The value of a text that is known to be well-formed.
fn value_of(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_default()
}

/// The path of a fault in an element of a list, counted from its first element; nothing where it lies elsewhere.
fn moved(field: &str, name: &str, first: usize) -> Option<String> {
    let (index, rest) = field.strip_prefix(name)?.strip_prefix('[')?.split_once(']')?;
    let index = index.parse::<usize>().ok()?.checked_add(first)?;
    Some(format!("{name}[{index}]{rest}"))
}

/// Translates one error of the validator.
fn add(faults: &mut Vec<Fault>, part: Part, error: &ValidationError<'_>) {
    let (wrong, missing) = part.categories();
    let path = wire_path(part, error.instance_path());
    let mut push = |field: String, message: String, category: Category| {
        faults.push(Fault { location: part.location(), field, message, category });
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            push(below(&path, name), "is required".to_owned(), missing);
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                push(below(&path, name), "is not a known field".to_owned(), Category::UnknownField);
            }
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            match the_one_branch(error.instance(), context) {
                Some(branch) => branch.iter().for_each(|inner| add(faults, part, inner)),
                None => push(path, "has none of the allowed shapes".to_owned(), wrong),
            }
        }
        other => push(path, message(other, error), wrong),
    }
}

/// The errors of the only branch that a value that is not `null` can mean.
fn the_one_branch<'e>(
    instance: &Value,
    context: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e [ValidationError<'static>]> {
    if instance.is_null() {
        return None;
    }
    let only_null = |branch: &[ValidationError<'static>]| {
        matches!(branch, [error] if matches!(error.kind(), ValidationErrorKind::Type { .. })
            && type_names(error) == "null")
    };
    let mut branches = context.iter().filter(|branch| !only_null(branch));
    match (branches.next(), branches.next()) {
        (Some(branch), None) => Some(branch),
        _ => None,
    }
}

/// `data[3].amount`; of parameters only their name.
fn wire_path(part: Part, pointer: &Pointer) -> String {
    let mut path = String::new();
    for segment in pointer.segments() {
        match segment {
            LocationSegment::Property(name) => path = below(&path, &name),
            LocationSegment::Index(at) if part == Part::Body => path = format!("{path}[{at}]"),
            LocationSegment::Index(_) => {}
        }
    }
    path
}

pub(super) fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What is wrong, without the value itself: it may be long, or a card number.
fn message(kind: &ValidationErrorKind, error: &ValidationError<'_>) -> String {
    match kind {
        ValidationErrorKind::Type { .. } => format!("must be of type {}", type_names(error)),
        ValidationErrorKind::Enum { options } => format!("must be one of {}", listed(options)),
        ValidationErrorKind::Constant { expected_value } => format!("must be {expected_value}"),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::Pattern { pattern } => format!("must match `{pattern}`"),
        ValidationErrorKind::Format { format } => format!("must be a {}", format_name(format)),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be greater than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} elements"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} elements"),
        ValidationErrorKind::UniqueItems => "must not hold the same element twice".to_owned(),
        ValidationErrorKind::OneOfMultipleValid { .. } => "has several of the allowed shapes".to_owned(),
        ValidationErrorKind::Custom { message, .. } => message.clone(),
        _ => "is not valid".to_owned(),
    }
}

fn format_name(format: &str) -> &str {
    match format {
        "date" => "date in the format yyyy-mm-dd, from 1900 on",
        "date-time" => "time in the format yyyy-mm-ddThh:mm:ss with `Z` or an offset",
        "zuora-date-time" => "time in the format yyyy-mm-dd hh:mm:ss",
        other => other,
    }
}

fn type_names(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Type { kind: jsonschema::error::TypeKind::Single(one) } => one.to_string(),
        ValidationErrorKind::Type { kind: jsonschema::error::TypeKind::Multiple(several) } => {
            let names: Vec<String> = several.iter().map(|one| one.to_string()).collect();
            names.join(" or ")
        }
        _ => String::new(),
    }
}

fn listed(options: &Value) -> String {
    let values: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let rest = values.len().saturating_sub(VALUES_LISTED_MAX);
    let shown = values.iter().take(VALUES_LISTED_MAX).copied().collect::<Vec<_>>().join(", ");
    if rest == 0 { shown } else { format!("{shown} and {rest} more") }
}

/// Money: a number whose digits [`Decimal`] holds exactly. JSON Schema has no keyword for that.
struct ExactDecimal;

impl<'i> Keyword<'i> for ExactDecimal {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            return Ok(());
        }
        Err(ValidationError::custom("has more digits than can be held exactly"))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        !instance.is_number() || serde_json::from_value::<Decimal>(instance.clone()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OperationInfo, ops, v1, v2};

    #[test]
    fn every_schema_compiles() {
        let apis: [(&'static Document, &[&OperationInfo]); 3] = [
            (&v1::shared::SCHEMAS, v1::OPERATIONS),
            (&v2::shared::SCHEMAS, v2::OPERATIONS),
            (&ops::shared::SCHEMAS, ops::OPERATIONS),
        ];
        let mut compiled = 0;
        for (document, operations) in apis {
            for operation in operations {
                let contract = Contract::new(document, operation.id);
                for part in Part::ALL.into_iter().filter(|part| contract.schema(*part).is_some()) {
                    assert!(contract.validator(part).is_some(), "{} {part:?}", operation.id);
                    compiled += 1;
                }
            }
        }
        assert!(compiled > 60, "only {compiled} schemas were found");
    }
}
