//! Bodies that are never held whole.

use axum::body::Body;

/// A body that may have one of several media types.
#[derive(Debug)]
pub struct Stream {
    /// One of the documented media types.
    pub content_type: &'static str,
    /// The bytes.
    pub body: Body,
}
