//! Operations as data, for layers that act before a request is read.

use http::Method;

/// One documented operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationInfo {
    /// `operationId`: `createPaymentRun`.
    pub id: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// Path template as the document writes it, without the server's prefix: `/payment_runs/{id}`.
    pub path: &'static str,
    /// Path template with the server's prefix, as the router matches it: `/v2/payment_runs/{id}`.
    pub route: &'static str,
    /// The first tag: `Payment runs`.
    pub tag: &'static str,
    /// Anyone may call it: the document asks for no credentials.
    pub public: bool,
    /// Its body is a stream that the operation reads as it arrives, and that nothing in front of it may hold whole.
    pub streamed: bool,
    /// The media types of its successes; failures are JSON whatever they are.
    pub answers: &'static [&'static str],
}

impl OperationInfo {
    /// The operation behind a method and the route that the router matched (`axum::extract::MatchedPath`). A HEAD
    /// request without an operation of its own belongs to the route's GET.
    pub fn find(operations: &[&'static Self], method: &Method, route: &str) -> Option<&'static Self> {
        let find = |method: &Method| {
            operations
                .iter()
                .find(|operation| operation.method == *method && operation.route == route)
                .copied()
        };
        find(method).or_else(|| if method == Method::HEAD { find(&Method::GET) } else { None })
    }
}
