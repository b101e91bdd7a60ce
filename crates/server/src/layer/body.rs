//! Reads a request's body whole, within bounds, inflating it on the way. Bodies of streaming operations are handed on as
//! they arrive.

use std::io::Read;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderValue, Method};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use payment_runs_stubs::{Category, Location, Rejection};

use super::refuse;
use super::streamed::{inflated, is_streamed, operation_of};
use crate::app::BODY_BYTES_MAX;

/// Bodies that inflate to more than this are inflated off the request threads.
const INFLATE_INLINE_BYTES_MAX: usize = 16 * 1024;

/// Reads the body, inflates it, and hands both on as one piece.
pub(crate) async fn read_body(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if matches!(parts.method, Method::GET | Method::HEAD) || operation_of(&parts).is_none() {
        // Nobody would look at it. The listener drops it.
        return next.run(Request::from_parts(parts, Body::empty())).await;
    }
    if is_streamed(&parts) {
        return match gzip_coding(&mut parts) {
            Ok(false) => next.run(Request::from_parts(parts, body)).await,
            Ok(true) => {
                parts.headers.remove(CONTENT_LENGTH);
                next.run(Request::from_parts(parts, inflated(body))).await
            }
            Err(rejection) => refuse(&parts, &rejection),
        };
    }
    match plain_body(&mut parts, body).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(rejection) => refuse(&parts, &rejection),
    }
}

async fn plain_body(parts: &mut Parts, body: Body) -> Result<Bytes, Rejection> {
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let sent = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(_) => {
            return Err(Rejection::new(
                Category::MalformedJson,
                "the body ended early or did not come in time",
            ));
        }
    };
    if sent.is_empty() {
        // Nothing is not compressed, whatever the header says.
        parts.headers.remove(CONTENT_ENCODING);
        return Ok(sent);
    }
    if !gzip_coding(parts)? {
        return Ok(sent);
    }
    let plain = if sent.len() <= INFLATE_INLINE_BYTES_MAX / 8 {
        inflate(&sent, BODY_BYTES_MAX)
    } else {
        let off = tokio::task::spawn_blocking(move || inflate(&sent, BODY_BYTES_MAX)).await;
        off.unwrap_or_else(|_| Err(Rejection::new(Category::Internal, "the body could not be inflated")))
    }?;
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(plain.len()));
    Ok(plain)
}

/// Takes the header that says how the body is written: whether it is compressed.
fn gzip_coding(parts: &mut Parts) -> Result<bool, Rejection> {
    match parts.headers.remove(CONTENT_ENCODING).as_ref().map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(name) if name.eq_ignore_ascii_case(b"identity") => Ok(false),
        Some(name) if name.eq_ignore_ascii_case(b"gzip") => Ok(true),
        Some(_) => Err(Rejection::at(
            Category::UnsupportedMediaType,
            Location::Header,
            "Content-Encoding",
            "only `gzip` is understood",
        )),
    }
}

/// Inflates a body; one that would grow over the bound is refused as soon as it does.
pub(super) fn inflate(sent: &[u8], bytes_max: usize) -> Result<Bytes, Rejection> {
    let mut plain = Vec::new();
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(sent).take(bound).read_to_end(&mut plain);
    match read {
        Ok(_) if plain.len() > bytes_max => Err(too_large()),
        Ok(_) => Ok(Bytes::from(plain)),
        Err(_) => Err(Rejection::new(Category::MalformedJson, "the body is not valid gzip")),
    }
}

fn too_large() -> Rejection {
    Rejection::new(
        Category::BodyTooLarge,
        format!("the body has more than {BODY_BYTES_MAX} bytes, counted after inflation"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn inflates_up_to_the_bound() {
        let plain = vec![b'a'; 1000];
        assert_eq!(inflate(&gzip(&plain), 1000).unwrap(), plain);
        assert_eq!(inflate(&gzip(&plain), 999).unwrap_err().category, Category::BodyTooLarge);
    }

    #[tokio::test]
    async fn no_body_needs_no_coding_and_others_are_refused() {
        let read = |body: &'static str| async move {
            let request = http::Request::builder().header(CONTENT_ENCODING, "br").body(()).unwrap();
            plain_body(&mut request.into_parts().0, Body::from(body)).await
        };
        assert_eq!(read("").await.unwrap(), "");
        assert_eq!(read("{}").await.unwrap_err().category, Category::UnsupportedMediaType);
    }

    #[test]
    fn a_bomb_and_garbage_are_refused() {
        let bomb = gzip(&vec![0_u8; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert_eq!(inflate(&bomb, 100_000).unwrap_err().category, Category::BodyTooLarge);
        assert_eq!(inflate(b"not gzip", 100).unwrap_err().category, Category::MalformedJson);
        let whole = gzip(b"cut in the middle");
        assert_eq!(inflate(&whole[..whole.len() - 9], 100).unwrap_err().category, Category::MalformedJson);
    }
}
