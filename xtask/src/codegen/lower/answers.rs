//! Answers: one type of success and one of failure per operation.

use serde_json::{Map, Value, json};

use super::{ASYNC_HEADER, Lowering, is_header};
use crate::spec::ir::{Content, Kind, Media, Operation, Response, Status};

/// The status that says: accepted, the work is not done yet.
const ACCEPTED: Status = Status::Code(202);

/// The lowered `responses`.
pub(super) struct Answers {
    pub(super) responses: Map<String, Value>,
}

/// The answers of one operation that carry the same type.
#[derive(Clone, Debug)]
pub(super) struct Success {
    statuses: Vec<Status>,
    shape: Shape,
    /// This is the 202 answer of an operation that has another one too.
    pub(super) asynchronous: bool,
    /// The operation becomes two, so that the caller's choice between them replaces the header.
    pub(super) split: bool,
}

/// What an answer carries, as far as types go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Nothing,
    Json(Value),
    /// Content types as written.
    Stream(Vec<String>),
}

impl Success {
    /// Rust name of the client's operation.
    pub(super) fn ident(&self, operation: &Operation) -> String {
        if self.asynchronous { format!("{}_async", operation.ident) } else { operation.ident.clone() }
    }

    /// Headers that ask for this answer.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        if self.asynchronous {
            headers.push((ASYNC_HEADER.to_owned(), "true".to_owned()));
        }
        if let [only] = self.stream_types() {
            headers.push(("accept".to_owned(), only.clone()));
        }
        headers
    }

    /// The content types of a streamed answer; empty for others.
    pub(super) fn stream_types(&self) -> &[String] {
        if let Shape::Stream(types) = &self.shape { types } else { &[] }
    }
}

impl Lowering<'_> {
    /// The successes of an operation by type: usually one, or one and that of status 202.
    pub(super) fn successes(&mut self, operation: &Operation) -> Vec<Success> {
        let mut found: Vec<Success> = Vec::new();
        for response in operation.successes() {
            let shape = self.success_shape(operation, response);
            if let Some(same) = found.iter_mut().find(|success| success.shape == shape) {
                same.statuses.push(response.status);
            } else {
                let statuses = vec![response.status];
                found.push(Success { statuses, shape, asynchronous: false, split: false });
            }
        }
        match found.as_mut_slice() {
            [] | [_] => {}
            [one, other] if one.statuses == [ACCEPTED] || other.statuses == [ACCEPTED] => {
                one.asynchronous = one.statuses == [ACCEPTED];
                other.asynchronous = !one.asynchronous;
                one.split = true;
                other.split = true;
                if !operation.params.iter().any(|param| is_header(param, ASYNC_HEADER)) {
                    let what = format!("`{}` answers 202, but no header asks for it", operation.id);
                    self.fault(&operation.pointer, what, "add the header parameter `async`");
                }
            }
            _ => {
                let what =
                    format!("`{}` has successes of different types, which no client can tell", operation.id);
                let mend = "give all 2xx answers one schema; only 202 beside an `async` header may differ";
                self.fault(&operation.pointer, what, mend);
                found.truncate(1);
            }
        }
        found
    }

    /// A success that may also be the failure body (`oneOf`) keeps the success alone; the transport finds the failure.
    fn success_shape(&mut self, operation: &Operation, response: &Response) -> Shape {
        let shape = self.shape(response.content.as_ref());
        let Some(content) = &response.content else { return shape };
        let api = self.api;
        let Some(component) = api.component(&content.schema) else { return shape };
        let Kind::OneOf(one_of) = &component.schema.kind else { return shape };
        let failures: Vec<Shape> =
            operation.failures().map(|failure| self.shape(failure.content.as_ref())).collect();
        let mut kept = one_of
            .variants
            .iter()
            .map(|variant| Shape::Json(self.schema(variant)))
            .filter(|variant| !failures.contains(variant));
        match (kept.next(), kept.next()) {
            (Some(only), None) => only,
            _ => shape,
        }
    }

    fn shape(&mut self, content: Option<&Content>) -> Shape {
        match content {
            None => Shape::Nothing,
            Some(Content { media: Media::Json, schema, .. }) => Shape::Json(self.schema(schema)),
            Some(content) => Shape::Stream(content.content_types.clone()),
        }
    }

    /// The statuses of one success, and the failures of one type.
    ///
    /// Failures of several types keep the most frequent one. The client hands out the others as they are: as an
    /// unexpected status, or as a body out of contract where a range of the kept ones covers them.
    pub(super) fn answers(&mut self, operation: &Operation, success: &Success) -> Answers {
        let mut responses = Map::new();
        for status in &success.statuses {
            responses.insert(status.to_string(), response(&success.shape));
        }
        let mut shapes: Vec<(Shape, Vec<Status>)> = Vec::new();
        for failure in operation.failures() {
            let shape = self.shape(failure.content.as_ref());
            match shapes.iter_mut().find(|(other, _)| *other == shape) {
                Some((_, statuses)) => statuses.push(failure.status),
                None => shapes.push((shape, vec![failure.status])),
            }
        }
        let most = shapes.iter().map(|(_, statuses)| statuses.len()).max();
        let chosen = shapes.into_iter().find(|(_, statuses)| Some(statuses.len()) == most);
        if let Some((shape, statuses)) = chosen {
            for status in statuses {
                responses.insert(status.to_string(), response(&shape));
            }
        }
        Answers { responses }
    }
}

fn response(shape: &Shape) -> Value {
    let (content_type, schema) = match shape {
        Shape::Nothing => return json!({ "description": "" }),
        Shape::Json(schema) => ("application/json", schema.clone()),
        Shape::Stream(_) => ("application/octet-stream", json!({ "type": "string", "format": "binary" })),
    };
    json!({ "description": "", "content": { content_type: { "schema": schema } } })
}
