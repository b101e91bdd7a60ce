//! Operations whose bodies are streams: nothing in front of them reads the body, and what is compressed is inflated as it
//! arrives.

use std::io;

use async_compression::tokio::bufread::GzipDecoder;
use axum::body::Body;
use axum::extract::MatchedPath;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::request::Parts;
use http::{Extensions, Method};
use payment_runs_stubs::{OperationInfo, ops, v1, v2};
use tokio::io::AsyncBufReadExt as _;
use tokio_util::io::{ReaderStream, StreamReader};

/// What is inflated at once, in bytes, so that a bomb goes off slowly.
const PIECE_BYTES: usize = 32 * 1024;

/// The operation behind a method and the route that the router matched.
fn operation_at(method: &Method, route: &str) -> Option<&'static OperationInfo> {
    [v1::OPERATIONS, v2::OPERATIONS, ops::OPERATIONS]
        .into_iter()
        .find_map(|operations| OperationInfo::find(operations, method, route))
}

/// The operation that a request is for; none where nothing is served.
pub(super) fn operation_of(method: &Method, extensions: &Extensions) -> Option<&'static OperationInfo> {
    operation_at(method, extensions.get::<MatchedPath>()?.as_str())
}

/// Whether a request is for an operation that reads its body as it arrives.
pub(super) fn is_streamed(parts: &Parts) -> bool {
    operation_of(&parts.method, &parts.extensions).is_some_and(|operation| operation.streamed)
}

/// A compressed body, inflated piece by piece. The pieces are small however well it was compressed. It may be several
/// compressed files put together; one that is empty stays empty.
pub(super) fn inflated(body: Body) -> Body {
    let mut sent = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    Body::from_stream(
        stream::once(async move {
            let is_empty = sent.fill_buf().await?.is_empty();
            let mut decoder = GzipDecoder::new(sent);
            decoder.multiple_members(true);
            let pieces = (!is_empty).then(|| ReaderStream::with_capacity(decoder, PIECE_BYTES));
            Ok::<_, io::Error>(stream::iter(pieces).flatten())
        })
        .try_flatten(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::io::Write as _;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http_body_util::BodyExt as _;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// The pieces that come out when it goes in in pieces of this size.
    async fn pieces(sent: &[u8], size: usize) -> Result<Vec<Bytes>, String> {
        let sent: Vec<io::Result<Bytes>> =
            sent.chunks(size).map(|one| Ok(Bytes::copy_from_slice(one))).collect();
        let mut body = inflated(Body::from_stream(stream::iter(sent)));
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.map_err(|error| error.to_string())?.into_data().unwrap());
        }
        Ok(pieces)
    }

    #[tokio::test]
    async fn what_was_compressed_comes_out_again() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        for size in [1, 1_000, usize::MAX] {
            assert_eq!(pieces(&gzip(&plain), size).await.unwrap().concat(), plain, "pieces of {size}");
        }
        let twice = [gzip(b"one"), gzip(b"two")].concat();
        assert_eq!(pieces(&twice, 7).await.unwrap().concat(), b"onetwo", "files may be put together");
        assert!(pieces(b"", 1).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_cut_body_and_garbage_are_noticed() {
        let whole = gzip(b"cut in the middle");
        for cut in [1, 5, 9, whole.len() - 1] {
            assert!(pieces(&whole[..cut], 4).await.is_err(), "cut after {cut}");
        }
        assert!(pieces(b"not gzip at all", 4).await.is_err());
    }

    #[tokio::test]
    async fn a_bomb_goes_off_slowly() {
        let bomb = gzip(&vec![0_u8; 10_000_000]);
        assert!(bomb.len() < 20_000);
        let pieces = pieces(&bomb, usize::MAX).await.unwrap();
        assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), 10_000_000);
        assert!(pieces.iter().all(|piece| piece.len() <= 256 * 1024));
    }

    #[test]
    fn only_lines_of_imports_are_streamed() {
        let all = [v1::OPERATIONS, v2::OPERATIONS, ops::OPERATIONS].concat();
        let ids: Vec<&str> =
            all.iter().filter(|operation| operation.streamed).map(|operation| operation.id).collect();
        assert_eq!(ids, ["sendImportLines"]);
        let export = operation_at(&Method::GET, "/ops/exports/decisions").unwrap();
        assert_eq!(export.answers, ["application/x-ndjson", "text/csv"]);
    }
}
