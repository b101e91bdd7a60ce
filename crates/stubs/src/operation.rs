//! Operations as data, for layers that act before a request is read.

use http::Method;

use crate::{Category, GrantedScopes, Rejection};

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
    /// The scopes that a caller needs: all those of one of these lists. Without any list anyone may call it: the document
    /// asks for no credentials.
    pub scopes: &'static [&'static [&'static str]],
    /// Its body is a stream that the operation reads as it arrives, and that nothing in front of it may hold whole.
    pub streamed: bool,
    /// Its body is not compressed, and has so many bytes at most. Where the document does not say, the server has a bound of its own.
    pub plain_bytes_max: Option<usize>,
    /// Its body can hold a list of more than a hundred entries, a value without a schema, or a value that contains itself. Other
    /// bodies have a lower size limit; streams have none.
    pub has_long_body: bool,
    /// The media types of its successes; failures are JSON whatever they are.
    pub answers: &'static [&'static str],
}

impl OperationInfo {
    /// Whether anyone may call it.
    pub const fn is_public(&self) -> bool {
        self.scopes.is_empty()
    }

    /// Refuses a caller who is not known, or who lacks a scope. Generated handlers ask this first; a layer that reads bodies
    /// asks it before it does.
    pub fn check_scopes(&self, granted: Option<&GrantedScopes>) -> Result<(), Rejection> {
        let Some(first) = self.scopes.first() else { return Ok(()) };
        let Some(GrantedScopes(granted)) = granted else {
            return Err(Rejection::new(Category::Authentication, "Authentication error"));
        };
        if self.scopes.iter().any(|needed| needed.iter().all(|scope| granted.contains(scope))) {
            return Ok(());
        }
        let missing: Vec<String> =
            first.iter().filter(|scope| !granted.contains(scope)).map(|scope| format!("'{scope}'")).collect();
        let message = format!("this client lacks the permission {}", missing.join(" and "));
        Err(Rejection::new(Category::Permission, message))
    }

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
