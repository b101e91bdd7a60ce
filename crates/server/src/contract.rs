//! The contract, served as it is checked in, and a page to read it with.
//!
//! The page brings everything it needs, so that it works without a network. All of it is public: it tells nothing that
//! the repository does not.

use std::io::Read;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

/// Where the page is; without the slash, callers are sent here.
const PAGE_PATH: &str = "/openapi/";
/// The same path as people type it.
const PAGE_PATH_TYPED: &str = "/openapi";
/// For files whose path never changes: a browser asks each time whether they did.
const REVALIDATED: &str = "no-cache";
/// For files whose path names their version: a browser keeps them for a year, the longest that caches honour.
const KEPT: &str = "public, max-age=31536000, immutable";
/// What the page may do: load from this server only. Redoc writes its styles into the page and searches in a worker.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// A file that is part of the program.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    cache: &'static str,
    /// Whether the bytes are compressed with gzip.
    compressed: bool,
    bytes: &'static [u8],
}

/// Everything served here.
const ASSETS: &[Asset] = &[
    document("/openapi/v1.yaml", include_bytes!("../../../openapi/v1.yaml")),
    document("/openapi/v2.yaml", include_bytes!("../../../openapi/v2.yaml")),
    document("/openapi/ops.yaml", include_bytes!("../../../openapi/ops.yaml")),
    part(PAGE_PATH, "text/html; charset=utf-8", include_bytes!("../assets/reference/index.html")),
    part("/openapi/page.css", "text/css; charset=utf-8", include_bytes!("../assets/reference/page.css")),
    part("/openapi/page.js", "text/javascript; charset=utf-8", include_bytes!("../assets/reference/page.js")),
    Asset {
        path: "/openapi/redoc-2.5.3.js",
        content_type: "text/javascript; charset=utf-8",
        cache: KEPT,
        compressed: true,
        bytes: include_bytes!("../assets/reference/redoc.standalone.js.gz"),
    },
];

const fn document(path: &'static str, bytes: &'static [u8]) -> Asset {
    part(path, "application/yaml", bytes)
}

const fn part(path: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    Asset { path, content_type, cache: REVALIDATED, compressed: false, bytes }
}

/// The routes.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = get(|| async { Redirect::permanent(PAGE_PATH) });
    ASSETS.iter().fold(Router::new().route(PAGE_PATH_TYPED, page), |router, asset| {
        router.route(asset.path, get(move |headers: HeaderMap| async move { asset.answer(&headers) }))
    })
}

/// Whether a path is one of those above.
pub(crate) fn is_contract_path(path: &str) -> bool {
    path == PAGE_PATH_TYPED || ASSETS.iter().any(|asset| asset.path == path)
}

impl Asset {
    fn answer(&self, request: &HeaderMap) -> Response {
        let mut response = Body::from(Bytes::from_static(self.bytes)).into_response();
        if self.compressed && !accepts_gzip(request) {
            response = self.inflated().into_response();
        } else if self.compressed {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let headers = response.headers_mut();
        if self.compressed {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(self.cache));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
        response
    }

    /// The plain bytes, for the rare caller without gzip. The file is ours, so it needs no bound.
    fn inflated(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        match GzDecoder::new(self.bytes).read_to_end(&mut plain) {
            Ok(_) => plain,
            Err(error) => {
                tracing::error!(path = self.path, %error, "a file of the program cannot be inflated");
                Vec::new()
            }
        }
    }
}

/// Whether the caller takes gzip: it is named, and not with a weight of zero.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").and_then(|text| text.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}
