//! Reading requests: what generated handlers call.
//!
//! The happy path is serde, then garde. Only when one of them refuses is the request read a second time, against the
//! contract's own schema, to list every fault with its wire path ([`Contract`]).

mod body;
mod coerce;
mod faults;
mod held;
mod params;
#[cfg(test)]
mod parser_tests;
mod pieces;
mod scan;
pub mod text;

pub(crate) use body::{BLOCKING_BYTES_MIN, parse_json};

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::request::Parts;

pub(crate) use coerce::{kind, resolve};
pub use faults::{Contract, Document, Part};
pub use held::TextRule;

use crate::{Fault, OperationInfo, Rejection, RequestContext};

/// A request while its parts are read. Every part adds its faults, so that a refusal tells them all.
#[derive(Debug)]
pub struct Incoming {
    parts: Parts,
    body: Body,
    bytes: Option<Bytes>,
    contract: &'static Contract,
    faults: Vec<Fault>,
    refusal: Option<Rejection>,
}

impl Incoming {
    /// Starts reading a request of the operation that the contract describes.
    pub fn new(request: Request, contract: &'static Contract) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts, body, bytes: None, contract, faults: Vec::new(), refusal: None }
    }

    /// Refuses a caller that may not do what the operation does. Nothing of the request has been read yet then.
    pub fn check_scopes(&self, operation: &OperationInfo) -> Result<(), Rejection> {
        operation.check_scopes(self.parts.extensions.get())
    }

    /// What the operation learns of the request beside its documented parts.
    pub fn context(&self) -> RequestContext {
        RequestContext { body: self.bytes.clone(), ..RequestContext::from_parts(&self.parts) }
    }

    /// Why the request is refused. A fault of the request as a whole (its size, its media type) comes before those of
    /// its values.
    pub fn rejection(self) -> Rejection {
        self.refusal.unwrap_or_else(|| Rejection::from_faults(self.faults))
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use payment_runs_types::v2::CreatePaymentRunRequest;

    use super::{Contract, Document, Incoming, Part};

    static SCHEMAS: Document = Document::new(include_str!("../generated/v2/schemas.json"));

    async fn read(contract: &'static Contract, body: &'static str) -> Option<CreatePaymentRunRequest> {
        let mut request = Request::new(body.into());
        request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
        Incoming::new(request, contract).json().await
    }

    #[tokio::test]
    async fn a_good_request_compiles_no_schema() {
        static CONTRACT: Contract = Contract::new(&SCHEMAS, "createPaymentRun");
        assert!(read(&CONTRACT, r#"{"target_date": "2024-07-28"}"#).await.is_some());
        assert!(!CONTRACT.was_used(Part::Body), "a good body must not wait for a validator");
        assert!(read(&CONTRACT, r#"{"target_date": "2024-07"}"#).await.is_none());
        assert!(CONTRACT.was_used(Part::Body));
    }
}
