//! gzip of request bodies.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use http::header::CONTENT_ENCODING;

/// Bodies up to this size are sent as they are: compressing them gains nothing.
const PLAIN_BYTES_MAX: usize = 1_000;

/// Bodies from this size are compressed on a thread of their own, since they would hold up the runtime.
const BLOCKING_BYTES_MIN: usize = 256 * 1_024;

/// Compresses a request's body in place. Streams, small bodies and bodies that carry an encoding stay as they are.
pub(crate) async fn compress(request: &mut reqwest::Request) -> std::io::Result<()> {
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let Some(plain) = request.body().and_then(reqwest::Body::as_bytes) else { return Ok(()) };
    if plain.len() <= PLAIN_BYTES_MAX {
        return Ok(());
    }
    let compressed = if plain.len() < BLOCKING_BYTES_MIN {
        gzip(plain)?
    } else {
        let plain = Bytes::copy_from_slice(plain);
        tokio::task::spawn_blocking(move || gzip(&plain)).await.map_err(std::io::Error::other)??
    };
    *request.body_mut() = Some(compressed.into());
    request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(())
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}
