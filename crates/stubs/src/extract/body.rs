//! Bodies.

use axum::body::HttpBody as _;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest as _, Request};
use bytes::Bytes;
use garde::Validate;
use http::header::CONTENT_TYPE;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::Semaphore;

use super::scan::scan;
use super::{Contract, Incoming, TextRule};
use crate::{Category, FAULTS_MAX, Fault, Location, Rejection, Stream};

/// Bodies from this size on are parsed on a thread that may block: they take milliseconds, in which a worker of the
/// runtime would serve nobody else.
pub(crate) const BLOCKING_BYTES_MIN: usize = 256 * 1024;

/// Bodies from this size on are parsed in turn, [`LARGE_AT_ONCE`] at a time: what comes of one takes several times its memory.
const LARGE_BYTES_MIN: usize = 4 * 1024 * 1024;

/// Large bodies that are parsed at once.
const LARGE_AT_ONCE: usize = 2;

static LARGE: Semaphore = Semaphore::const_new(LARGE_AT_ONCE);

/// Fields of a form. The documents have one form, which has six.
const FORM_FIELDS_MAX: usize = 16;

/// How a body is written.
#[derive(Clone, Copy)]
enum Form {
    Json,
    UrlEncoded,
}

impl Incoming {
    /// Reads a JSON body that must be there; `None` after adding its faults.
    pub async fn json<T>(&mut self) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()> + Send + 'static,
    {
        self.required(Form::Json).await
    }

    /// Reads a JSON body that may be absent.
    pub async fn optional_json<T>(&mut self) -> Option<Option<T>>
    where
        T: DeserializeOwned + Validate<Context = ()> + Send + 'static,
    {
        self.optional(Form::Json).await
    }

    /// Reads a form that must be there; `None` after adding its faults.
    pub async fn form<T>(&mut self) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()> + Send + 'static,
    {
        self.required(Form::UrlEncoded).await
    }

    /// Reads a form that may be absent.
    pub async fn optional_form<T>(&mut self) -> Option<Option<T>>
    where
        T: DeserializeOwned + Validate<Context = ()> + Send + 'static,
    {
        self.optional(Form::UrlEncoded).await
    }

    /// Hands over the body unread if it has one of the media types; `None` after adding the fault.
    pub fn stream(&mut self, content_types: &[&'static str]) -> Option<Stream> {
        let essence = self.essence();
        let Some(content_type) = content_types.iter().find(|known| known.eq_ignore_ascii_case(&essence))
        else {
            let expected = content_types.join(" or ");
            self.refuse(Category::UnsupportedMediaType, &format!("the body must be {expected}"));
            return None;
        };
        Some(Stream { content_type, body: std::mem::take(&mut self.body) })
    }

    async fn required<T>(&mut self, form: Form) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()> + Send + 'static,
    {
        let bytes = self.read(form).await?;
        if bytes.is_empty() && matches!(form, Form::Json) {
            self.whole_body(Category::MalformedJson, "the body is empty");
            return None;
        }
        self.parse(form, bytes).await
    }

    async fn optional<T>(&mut self, form: Form) -> Option<Option<T>>
    where
        T: DeserializeOwned + Validate<Context = ()> + Send + 'static,
    {
        let bytes = self.read(form).await?;
        if bytes.is_empty() { Some(None) } else { self.parse(form, bytes).await.map(Some) }
    }

    /// The whole body, within the limit that a layer set (`DefaultBodyLimit`).
    async fn read(&mut self, form: Form) -> Option<Bytes> {
        let body = std::mem::take(&mut self.body);
        if !body.is_end_stream() && !self.has_content_type(form) {
            let expected = match form {
                Form::Json => "application/json",
                Form::UrlEncoded => "application/x-www-form-urlencoded",
            };
            self.refuse(Category::UnsupportedMediaType, &format!("the body must be {expected}"));
            return None;
        }
        let mut request = Request::new(body);
        *request.extensions_mut() = self.parts.extensions.clone();
        match Bytes::from_request(request, &()).await {
            Ok(bytes) => {
                self.bytes = Some(bytes.clone());
                Some(bytes)
            }
            Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))) => {
                self.refuse(Category::BodyTooLarge, "the body is larger than the server accepts");
                None
            }
            Err(_) => {
                self.refuse(Category::MalformedJson, "the body could not be read to its end");
                None
            }
        }
    }

    fn has_content_type(&self, form: Form) -> bool {
        let essence = self.essence();
        match form {
            Form::Json => {
                essence == "application/json"
                    || essence.strip_prefix("application/").is_some_and(|rest| rest.ends_with("+json"))
            }
            Form::UrlEncoded => essence == "application/x-www-form-urlencoded",
        }
    }

    /// The media type without its parameters, in small letters; empty where it is missing.
    fn essence(&self) -> String {
        let value = self.parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    async fn parse<T>(&mut self, form: Form, bytes: Bytes) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()> + Send + 'static,
    {
        let contract = self.contract;
        let rule = self.parts.extensions.get::<TextRule>().copied();
        let parsed = if bytes.len() < BLOCKING_BYTES_MIN {
            parse(contract, form, rule, &bytes)
        } else {
            let turn = if bytes.len() < LARGE_BYTES_MIN { None } else { LARGE.acquire().await.ok() };
            let task = tokio::task::spawn_blocking(move || (parse(contract, form, rule, &bytes), turn));
            let Ok((parsed, _)) = task.await else {
                self.refuse(Category::Internal, "reading the body failed");
                return None;
            };
            parsed
        };
        parsed.map_err(|faults| self.faults.extend(faults)).ok()
    }

    fn refuse(&mut self, category: Category, message: &str) {
        self.refusal.get_or_insert_with(|| Rejection::at(category, Location::Body, "", message));
    }

    fn whole_body(&mut self, category: Category, message: &str) {
        self.faults.push(whole(category, message.to_owned()));
    }
}

fn parse<T>(
    contract: &'static Contract,
    form: Form,
    rule: Option<TextRule>,
    bytes: &[u8],
) -> Result<T, Vec<Fault>>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    match form {
        Form::Json => parse_json(contract, rule, bytes),
        Form::UrlEncoded => parse_form(contract, bytes),
    }
}

/// The value, unless there are faults of its texts and numbers; these come before those of its shape.
fn beside<T>(mut held: Vec<Fault>, parsed: Result<T, Vec<Fault>>) -> Result<T, Vec<Fault>> {
    match parsed {
        Ok(value) if held.is_empty() => Ok(value),
        Ok(_) => Err(held),
        Err(faults) => {
            // A number that is not held may be told by the schema, too.
            let faults: Vec<Fault> = faults.into_iter().filter(|fault| !held.contains(fault)).collect();
            held.extend(faults);
            held.truncate(FAULTS_MAX + 1);
            Err(held)
        }
    }
}

/// Reads a value from JSON whose shape is within bounds: serde, then garde, and on refusal every fault that the schema finds.
pub(crate) fn parse_json<T>(
    contract: &Contract,
    rule: Option<TextRule>,
    bytes: &[u8],
) -> Result<T, Vec<Fault>>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    let mut held = scan(bytes).map_err(|fault| vec![fault])?;
    held.extend(rule.map(|rule| rule.faults(bytes)).unwrap_or_default());
    beside(held, parse_shape(contract, bytes))
}

fn parse_shape<T>(contract: &Contract, bytes: &[u8]) -> Result<T, Vec<Fault>>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    let refused = match serde_json::from_slice::<T>(bytes) {
        Ok(value) => match value.validate() {
            Ok(()) => return Ok(value),
            Err(report) => first_of(&report),
        },
        Err(_) => locate::<T>(bytes),
    };
    // Serde stops at the first fault, so a syntax error may stand behind it.
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) => Err(contract.list_json(bytes, refused)),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message = format!("the body is no well-formed JSON at line {line} column {column}");
            Err(vec![whole(Category::MalformedJson, message)])
        }
    }
}

fn parse_form<T>(contract: &'static Contract, bytes: &[u8]) -> Result<T, Vec<Fault>>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    if bytes.split(|byte| *byte == b'&').nth(FORM_FIELDS_MAX).is_some() {
        let message = format!("the form has more than {FORM_FIELDS_MAX} fields");
        return Err(vec![whole(Category::InvalidValue, message)]);
    }
    let refused = match serde_html_form::from_bytes::<T>(bytes) {
        Ok(value) => match value.validate() {
            Ok(()) => return Ok(value),
            Err(report) => report.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Err(contract.list_texts(super::Part::Body, &super::coerce::pairs(bytes), &refused))
}

/// Where serde stopped, for the rare body that only serde refuses (a field given twice).
fn locate<T: DeserializeOwned>(bytes: &[u8]) -> Fault {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => whole(Category::InvalidValue, "the body is not valid".to_owned()),
        Err(error) => {
            let field = error.path().to_string();
            let field = if field == "." { String::new() } else { field };
            let message = error.inner().to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            // Serde tells of it at the object, not at the field.
            let twice = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'));
            match twice {
                Some(name) => {
                    let field = super::faults::below(&field, name);
                    Fault { field, ..whole(Category::InvalidValue, "is given more than once".to_owned()) }
                }
                None => Fault { field, ..whole(Category::InvalidValue, message.to_owned()) },
            }
        }
    }
}

fn first_of(report: &garde::Report) -> Fault {
    match report.iter().next() {
        Some((path, error)) => {
            Fault { field: path.to_string(), ..whole(Category::InvalidValue, error.to_string()) }
        }
        None => whole(Category::InvalidValue, "the body is not valid".to_owned()),
    }
}

fn whole(category: Category, message: String) -> Fault {
    Fault { location: Location::Body, field: String::new(), message, category }
}
