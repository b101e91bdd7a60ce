//! Why a request was refused, in words that no API's error shape has yet coloured.

use http::StatusCode;

/// The most faults that one refusal lists. A broken bulk body has one per record; the first hundred tell the story.
pub const FAULTS_MAX: usize = 100;

/// What kind of fault it is. The table [`Category::status`] gives the HTTP status; each API adds its own codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// The caller may not do this.
    Permission,
    /// The caller did not prove who they are.
    Authentication,
    /// A value of the body breaks its type, format or bounds.
    InvalidValue,
    /// The body has a field that the operation does not know.
    UnknownField,
    /// The body lacks a required field.
    MissingField,
    /// A required parameter (path, query, header) is missing.
    MissingParameter,
    /// A parameter breaks its type, format or bounds.
    InvalidParameter,
    /// Every value is fine alone, but the state or the combination forbids the request.
    BusinessRule,
    /// There is no such object or path.
    NotFound,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// No documented media type of the answer is acceptable to the caller.
    NotAcceptable,
    /// The body's media type or encoding is not the documented one.
    UnsupportedMediaType,
    /// The body is larger than the server accepts.
    BodyTooLarge,
    /// Another request holds what this one needs.
    Conflict,
    /// What is sent leaves a gap after what was sent before.
    Gap,
    /// The idempotency key is that of a request that is under way.
    IdempotencyKeyInUse,
    /// The idempotency key was used before for another request.
    IdempotencyMismatch,
    /// The server failed.
    Internal,
    /// The server cannot serve now; the same request may succeed later.
    Temporary,
    /// A quota is used up.
    OverLimit,
    /// The body is no well-formed JSON or form.
    MalformedJson,
    /// A system that the server depends on failed.
    External,
    /// The operation is documented but not served yet.
    NotImplemented,
    /// The request took longer than the server lets it.
    TimedOut,
}

impl Category {
    /// Every category with its HTTP status.
    pub const STATUSES: [(Self, StatusCode); 24] = [
        (Self::Permission, StatusCode::FORBIDDEN),
        (Self::Authentication, StatusCode::UNAUTHORIZED),
        (Self::InvalidValue, StatusCode::BAD_REQUEST),
        (Self::UnknownField, StatusCode::BAD_REQUEST),
        (Self::MissingField, StatusCode::BAD_REQUEST),
        (Self::MissingParameter, StatusCode::BAD_REQUEST),
        (Self::InvalidParameter, StatusCode::BAD_REQUEST),
        (Self::BusinessRule, StatusCode::BAD_REQUEST),
        (Self::NotFound, StatusCode::NOT_FOUND),
        (Self::MethodNotAllowed, StatusCode::METHOD_NOT_ALLOWED),
        (Self::NotAcceptable, StatusCode::NOT_ACCEPTABLE),
        (Self::UnsupportedMediaType, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (Self::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE),
        (Self::Conflict, StatusCode::CONFLICT),
        (Self::Gap, StatusCode::CONFLICT),
        (Self::IdempotencyKeyInUse, StatusCode::CONFLICT),
        (Self::IdempotencyMismatch, StatusCode::UNPROCESSABLE_ENTITY),
        (Self::Internal, StatusCode::INTERNAL_SERVER_ERROR),
        (Self::Temporary, StatusCode::SERVICE_UNAVAILABLE),
        (Self::OverLimit, StatusCode::TOO_MANY_REQUESTS),
        (Self::MalformedJson, StatusCode::BAD_REQUEST),
        (Self::External, StatusCode::BAD_GATEWAY),
        (Self::NotImplemented, StatusCode::NOT_IMPLEMENTED),
        (Self::TimedOut, StatusCode::GATEWAY_TIMEOUT),
    ];

    /// The HTTP status of this category.
    pub const fn status(self) -> StatusCode {
        Self::STATUSES[self as usize].1
    }
}

/// Which part of the request a fault lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// The body.
    Body,
    /// The query string.
    Query,
    /// A header.
    Header,
    /// A parameter of the path.
    Path,
    /// The request as a whole.
    None,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it lies.
    pub location: Location,
    /// Wire path of the field (`data[3].amount`) or name of the parameter; empty for the part as a whole.
    pub field: String,
    /// What is wrong, for the caller to read. It never repeats a whole body.
    pub message: String,
    /// What kind of fault it is.
    pub category: Category,
}

/// Why a request was refused. `Api::refuse` turns it into an API's own error shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Decides the status.
    pub category: Category,
    /// At least one, at most [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// Seconds to wait before the request is worth repeating.
    pub retry_after_s: Option<u64>,
}

impl Rejection {
    /// A refusal of the request as a whole.
    pub fn new(category: Category, message: impl Into<String>) -> Self {
        Self::at(category, Location::None, "", message)
    }

    /// A refusal for one fault at one place.
    pub fn at(
        category: Category,
        location: Location,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let fault = Fault { location, field: field.into(), message: message.into(), category };
        Self { category, faults: vec![fault], retry_after_s: None }
    }

    /// The operation is documented but not served yet.
    pub fn not_implemented() -> Self {
        Self::new(Category::NotImplemented, "this operation is not served yet")
    }

    /// There is no such object or path.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Category::NotFound, message)
    }

    /// The state or the combination of values forbids the request.
    pub fn business_rule(message: impl Into<String>) -> Self {
        Self::new(Category::BusinessRule, message)
    }

    /// A refusal for several faults. Of more than [`FAULTS_MAX`] the last one that is told says so. The first one decides the category.
    /// Without any it is an internal error, since somebody refused without saying why.
    pub fn from_faults(mut faults: Vec<Fault>) -> Self {
        if faults.len() > FAULTS_MAX {
            shorten(&mut faults, FAULTS_MAX);
        }
        match faults.first() {
            Some(first) => Self { category: first.category, faults, retry_after_s: None },
            None => Self::new(Category::Internal, "the request was refused without a reason"),
        }
    }

    /// The same refusal with its first faults, and a last one that says that there are more. At least one is kept.
    #[must_use]
    pub fn with_first_faults(&self, count: usize) -> Self {
        let mut faults = self.faults.clone();
        shorten(&mut faults, count.max(1));
        Self { category: self.category, faults, retry_after_s: self.retry_after_s }
    }

    /// Tells the caller how long to wait.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.category.status()
    }
}

/// Keeps so many faults, of which the last one says that there are more, unless it is the only one.
fn shorten(faults: &mut Vec<Fault>, count: usize) {
    faults.truncate(count);
    if count > 1
        && let Some(last) = faults.last_mut()
    {
        last.field.clear();
        "there are more faults than are told".clone_into(&mut last.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_statuses_is_in_order() {
        for (at, (category, status)) in Category::STATUSES.into_iter().enumerate() {
            assert_eq!(category as usize, at, "{category:?} stands in the wrong place");
            assert_eq!(category.status(), status);
        }
    }

    #[test]
    fn faults_are_bounded_and_the_first_decides() {
        let fault = |category| Fault {
            location: Location::Body,
            field: "data".to_owned(),
            message: "wrong".to_owned(),
            category,
        };
        let mut faults = vec![fault(Category::MissingField)];
        faults.extend((0..FAULTS_MAX).map(|_| fault(Category::InvalidValue)));
        let rejection = Rejection::from_faults(faults);
        assert_eq!(rejection.category, Category::MissingField);
        assert_eq!(rejection.faults.len(), FAULTS_MAX);
        assert_eq!(rejection.faults[FAULTS_MAX - 1].message, "there are more faults than are told");
        assert_eq!(Rejection::from_faults(Vec::new()).category, Category::Internal);
    }
}
