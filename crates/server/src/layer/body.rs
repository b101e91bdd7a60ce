//! Reads a request's body whole, within bounds, inflating it on the way. Bodies of streaming operations are handed on as
//! they arrive.

use std::io::Read;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderValue, Method};
use http_body_util::BodyExt as _;
use payment_runs_stubs::{Category, Location, OperationInfo, Rejection};

use super::budget::{HeldBytes, Holder};
use super::limit::address_of;
use super::refuse;
use super::streamed::{inflated, operation_of};
use crate::app::{App, body_bytes_max};
use crate::auth::Caller;
use crate::limits::network;

/// Bodies that inflate to more than this are inflated off the request threads.
const INFLATE_INLINE_BYTES_MAX: usize = 16 * 1024;

/// Bytes that are inflated before it is asked whether they may be held.
const INFLATE_PIECE_BYTES: u64 = 64 * 1024;

/// Reads the body, inflates it, and hands both on as one piece. Its bytes count as held until the request is answered.
pub(crate) async fn read_body(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let operation = operation_of(&parts.method, &parts.extensions)
        .filter(|_| !matches!(parts.method, Method::GET | Method::HEAD));
    let Some(operation) = operation else {
        // Nobody would look at it. The listener drops it.
        return next.run(Request::from_parts(parts, Body::empty())).await;
    };
    if operation.streamed {
        return match gzip_coding(&mut parts) {
            Ok(false) => next.run(Request::from_parts(parts, body)).await,
            Ok(true) => {
                parts.headers.remove(CONTENT_LENGTH);
                next.run(Request::from_parts(parts, inflated(body))).await
            }
            Err(rejection) => refuse(&parts, &rejection),
        };
    }
    let mut held = app.bodies.open(holder_of(&parts));
    match plain_body(&mut parts, body, operation, &mut held).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(rejection) => refuse(&parts, &rejection),
    }
}

fn holder_of(parts: &Parts) -> Holder {
    match parts.extensions.get::<Caller>() {
        Some(caller) => Holder::Client(caller.client.clone()),
        None => Holder::Address(network(address_of(&parts.extensions))),
    }
}

async fn plain_body(
    parts: &mut Parts,
    body: Body,
    operation: &OperationInfo,
    held: &mut HeldBytes,
) -> Result<Bytes, Rejection> {
    let bytes_max = body_bytes_max(operation);
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > bytes_max) {
        return Err(too_large(bytes_max));
    }
    if operation.plain_bytes_max.is_some() && !body.is_end_stream() && gzip_coding(parts)? {
        return Err(wrong_coding("must be left out: the body of this operation is not compressed"));
    }
    let sent = collect(body, bytes_max, held).await?;
    if sent.is_empty() {
        // Nothing is not compressed, whatever the header says.
        parts.headers.remove(CONTENT_ENCODING);
        return Ok(sent);
    }
    if !gzip_coding(parts)? {
        return Ok(sent);
    }
    let sent_bytes = sent.len();
    let plain = if sent_bytes <= INFLATE_INLINE_BYTES_MAX / 8 {
        inflate(&sent, bytes_max, |bytes| held.grow(bytes))?
    } else {
        inflate_elsewhere(sent, bytes_max, held).await?
    };
    held.shrink(sent_bytes);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(plain.len()));
    Ok(plain)
}

/// The body as it was sent.
async fn collect(mut body: Body, bytes_max: usize, held: &mut HeldBytes) -> Result<Bytes, Rejection> {
    let mut sent = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Rejection::new(Category::MalformedJson, "the body ended early or did not come in time")
        })?;
        let data = frame.into_data().unwrap_or_default();
        if data.len() > bytes_max - sent.len() {
            return Err(too_large(bytes_max));
        }
        held.grow(data.len())?;
        if sent.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        sent.extend_from_slice(&data);
    }
    Ok(Bytes::from(sent))
}

/// Inflates a body off the request threads. What is held goes with the work, which goes on when the caller hangs up.
async fn inflate_elsewhere(sent: Bytes, bytes_max: usize, held: &mut HeldBytes) -> Result<Bytes, Rejection> {
    let mut lent = held.lend();
    let work = move || {
        let plain = inflate(&sent, bytes_max, |bytes| lent.grow(bytes));
        (plain, lent)
    };
    let failed = |_| Rejection::new(Category::Internal, "the body could not be inflated");
    let (plain, lent) = tokio::task::spawn_blocking(work).await.map_err(failed)?;
    *held = lent;
    plain
}

/// Takes the header that says how the body is written: whether it is compressed.
fn gzip_coding(parts: &mut Parts) -> Result<bool, Rejection> {
    match parts.headers.remove(CONTENT_ENCODING).as_ref().map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(name) if name.eq_ignore_ascii_case(b"identity") => Ok(false),
        Some(name) if name.eq_ignore_ascii_case(b"gzip") => Ok(true),
        Some(_) => Err(wrong_coding("only `gzip` is understood")),
    }
}

fn wrong_coding(message: &str) -> Rejection {
    Rejection::at(Category::UnsupportedMediaType, Location::Header, "Content-Encoding", message)
}

/// Inflates a body; one that would grow over the bound is refused as soon as it does. `hold` is asked for each piece.
pub(super) fn inflate(
    sent: &[u8],
    bytes_max: usize,
    mut hold: impl FnMut(usize) -> Result<(), Rejection>,
) -> Result<Bytes, Rejection> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(sent);
    loop {
        let before = plain.len();
        let piece = decoder.by_ref().take(INFLATE_PIECE_BYTES).read_to_end(&mut plain);
        piece.map_err(|_| Rejection::new(Category::MalformedJson, "the body is not valid gzip"))?;
        if plain.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        if plain.len() == before {
            return Ok(Bytes::from(plain));
        }
        hold(plain.len() - before)?;
    }
}

fn too_large(bytes_max: usize) -> Rejection {
    let message = format!("the body has more than {bytes_max} bytes, counted after inflation");
    Rejection::new(Category::BodyTooLarge, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::io::Write;
    use std::sync::Arc;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use payment_runs_stubs::v1;

    use super::super::budget::BodyBudget;
    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// Everything may be held.
    #[expect(clippy::unnecessary_wraps, reason = "it stands for a budget")]
    fn free(_: usize) -> Result<(), Rejection> {
        Ok(())
    }

    fn nobody() -> HeldBytes {
        Arc::new(BodyBudget::default()).open(Holder::Address([127, 0, 0, 1].into()))
    }

    async fn read(operation: &str, coding: &'static str, body: Vec<u8>) -> Result<Bytes, Category> {
        let request = http::Request::builder().header(CONTENT_ENCODING, coding).body(()).unwrap();
        let operation = v1::OPERATIONS.iter().find(|known| known.id == operation).unwrap();
        let mut parts = request.into_parts().0;
        let read = plain_body(&mut parts, Body::from(body), operation, &mut nobody()).await;
        read.map_err(|rejection| rejection.category)
    }

    #[test]
    fn inflates_up_to_the_bound() {
        let plain = vec![b'a'; 1000];
        assert_eq!(inflate(&gzip(&plain), 1000, free).unwrap(), plain);
        assert_eq!(inflate(&gzip(&plain), 999, free).unwrap_err().category, Category::BodyTooLarge);
    }

    #[tokio::test]
    async fn no_body_needs_no_coding_and_others_are_refused() {
        assert_eq!(read("createInvoice", "br", vec![]).await.unwrap(), "");
        assert_eq!(read("createInvoice", "br", b"{}".to_vec()).await, Err(Category::UnsupportedMediaType));
    }

    #[tokio::test]
    async fn a_request_for_a_token_is_short_and_plain() {
        let most = vec![b'a'; 8192];
        assert_eq!(read("createToken", "identity", most.clone()).await.unwrap(), most);
        let over = vec![b'a'; 8193];
        assert_eq!(read("createToken", "identity", over).await, Err(Category::BodyTooLarge));
        assert_eq!(read("createToken", "gzip", gzip(b"a=b")).await, Err(Category::UnsupportedMediaType));
    }

    #[tokio::test]
    async fn what_is_inflated_counts_as_held() {
        // Whoever is not known holds little, compressed or not.
        let bomb = gzip(&vec![b' '; 4 * 1024 * 1024]);
        assert_eq!(read("createInvoice", "gzip", bomb).await, Err(Category::OverLimit));
        let plain = vec![b' '; 2 * 1024 * 1024];
        assert_eq!(read("createInvoice", "identity", plain).await, Err(Category::OverLimit));
    }

    #[test]
    fn a_bomb_and_garbage_are_refused() {
        let bomb = gzip(&vec![0_u8; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert_eq!(inflate(&bomb, 100_000, free).unwrap_err().category, Category::BodyTooLarge);
        assert_eq!(inflate(b"not gzip", 100, free).unwrap_err().category, Category::MalformedJson);
        let whole = gzip(b"cut in the middle");
        assert_eq!(
            inflate(&whole[..whole.len() - 9], 100, free).unwrap_err().category,
            Category::MalformedJson
        );
    }
}
