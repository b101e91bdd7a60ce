//! What an operation learns of a request beside its documented parts.

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, Method, Uri};

/// Request extension: the server's own identifier of a call. A layer in front of the router sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Request extension: the caller's identifier of a call, already checked. A layer in front of the router sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackId(pub String);

/// Request extension: the scopes that the caller's token is good for. A layer in front of the router sets it when it has found
/// out who calls; without it only public operations are carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantedScopes(pub Vec<&'static str>);

/// What an operation learns of a request beside its documented parts. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The HTTP method.
    pub method: Method,
    /// The target as it arrived, with its query.
    pub uri: Uri,
    /// From [`RequestId`]; empty when no layer set one.
    pub request_id: String,
    /// From [`TrackId`].
    pub track_id: Option<String>,
    /// What the layers in front of the router left: session, limits and so on.
    pub extensions: Extensions,
    /// The body's bytes after decompression, for fingerprints; only where the operation reads its body whole.
    pub body: Option<Bytes>,
}

impl RequestContext {
    /// The context of a request whose body was not read yet.
    pub fn from_parts(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            track_id: parts.extensions.get::<TrackId>().map(|id| id.0.clone()),
            extensions: parts.extensions.clone(),
            body: None,
        }
    }

    /// What a layer left in the extensions under this type.
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.extensions.get()
    }
}
