//! Reading requests: what generated handlers call.
//!
//! The happy path is serde, then garde. Only when one of them refuses is the request read a second time, against the
//! contract's own schema, to list every fault with its wire path ([`Contract`]).

mod body;
mod coerce;
mod faults;
mod params;
pub mod text;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::request::Parts;

pub use faults::{Contract, Document, Part};

use crate::{Fault, Rejection, RequestContext};

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
