//! A request gets so much time and no more: also one whose body never ends.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use payment_runs_stubs::{Category, Rejection, RequestId};

use super::{OldVersion, refuse};
use crate::app::App;
use crate::failure::Surface;

/// How long a request may take, as documented. The operations API is left out: it takes and gives streams, which have bounds
/// of their own.
const REQUEST_TIME_MAX: SignedDuration = SignedDuration::from_secs(120);

/// Answers in time. A request that is given up may have had its effect, or have it still.
pub(crate) async fn bound(State(app): State<App>, request: Request, next: Next) -> Response {
    if Surface::of(request.uri().path()) == Surface::Ops {
        return next.run(request).await;
    }
    let parts = outline(&request);
    let end = app.now().checked_add(REQUEST_TIME_MAX).unwrap_or(Timestamp::MAX);
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = app.ports.clock.sleep_until(end) => refuse(&parts, &timed_out()),
    }
}

/// As much of a request as a refusal needs.
fn outline(request: &Request) -> Parts {
    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    if let Some(id) = request.extensions().get::<RequestId>() {
        parts.extensions.insert(id.clone());
    }
    if request.extensions().get::<OldVersion>().is_some() {
        parts.extensions.insert(OldVersion);
    }
    parts
}

fn timed_out() -> Rejection {
    let message = format!(
        "the request took longer than {} seconds: it is not known whether it took effect",
        REQUEST_TIME_MAX.as_secs()
    );
    Rejection::new(Category::TimedOut, message)
}
