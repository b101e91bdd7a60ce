//! Answers that are given before the request's body was read.
//!
//! The next request of a connection stands behind that body. So the rest of a short body is read and dropped before the answer is
//! sent, and the connection is kept. After any other body the answer says `Connection: close`, so that the client sends its next
//! request on another connection.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use axum::{BoxError, Router};
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tower::ServiceExt as _;

use super::bounds::{DRAIN_BYTES_MAX, DRAIN_TIMEOUT};

/// Tells the stream below that the connection ends while its client may still send.
#[derive(Debug, Clone, Default)]
pub(super) struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    /// Whether it does.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A request's body, and what was seen of it.
struct Unread<B> {
    body: B,
    /// Somebody has asked for the body, so that a client that waits for `100 Continue` has been told to send it.
    is_asked_for: bool,
    /// Nothing more comes of it.
    has_failed: bool,
}

/// The body as the operation reads it. Whoever lent it takes it back.
struct Lent<B>(Arc<Mutex<Unread<B>>>);

impl<B> HttpBody for Lent<B>
where
    B: HttpBody<Data = Bytes, Error = BoxError> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut unread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unread.is_asked_for = true;
        let frame = Pin::new(&mut unread.body).poll_frame(context);
        unread.has_failed |= matches!(frame, Poll::Ready(Some(Err(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).body.size_hint()
    }
}

/// Serves a request, and sees to what is left of its body.
pub(super) async fn serve<B>(router: Router, request: Request<B>, abandoned: Abandoned) -> Response
where
    B: HttpBody<Data = Bytes, Error = BoxError> + Send + Unpin + 'static,
{
    let (parts, body) = request.into_parts();
    let asks_first = parts.headers.contains_key(EXPECT);
    let unread = Arc::new(Mutex::new(Unread { body, is_asked_for: false, has_failed: false }));
    let lent = Body::new(Lent(Arc::clone(&unread)));
    let served = router.oneshot(Request::from_parts(parts, lent)).await;
    let mut response = served.unwrap_or_else(|never| match never {});
    // While the answer is sent, somebody else still reads: then the body is theirs.
    let Some(unread) = Arc::into_inner(unread) else { return response };
    let Unread { body, is_asked_for, has_failed } =
        unread.into_inner().unwrap_or_else(PoisonError::into_inner);
    let is_held_back = asks_first && !is_asked_for;
    if has_failed || is_held_back || !drain(body).await {
        abandoned.0.store(true, Ordering::Release);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads what is left of a body and drops it; whether that was all of it.
async fn drain<B>(mut body: B) -> bool
where
    B: HttpBody<Data = Bytes, Error = BoxError> + Unpin,
{
    if body.is_end_stream() {
        return true;
    }
    if body.size_hint().lower() > DRAIN_BYTES_MAX {
        return false;
    }
    let to_its_end = async {
        let mut left = DRAIN_BYTES_MAX;
        while let Some(frame) = body.frame().await {
            let bytes = frame.ok().map(|frame| frame.data_ref().map_or(0, Bytes::len));
            let rest = bytes.and_then(|bytes| left.checked_sub(u64::try_from(bytes).ok()?));
            let Some(rest) = rest else { return false };
            left = rest;
        }
        true
    };
    tokio::time::timeout(DRAIN_TIMEOUT, to_its_end).await.unwrap_or(false)
}
