//! Identifiers of a request and its line in the log. Neither bodies nor queries are logged.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use payment_runs_stubs::{Category, Location, Rejection, RequestId, TrackId};

use super::refuse;
use super::version::{OldVersion, is_old_version};
use crate::app::App;

/// The caller's own identifier of a call, echoed back.
static TRACK_ID: HeaderName = HeaderName::from_static("zuora-track-id");
/// Our identifier of a call, on every response.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("zuora-request-id");
/// Characters in a track identifier at most, as documented.
const TRACK_ID_CHARS_MAX: usize = 64;

/// Gives the request its identifiers, and the response the headers that tell them.
pub(crate) async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = app.now();
    let request_id = dashed(app.ports.ids.next_id());
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let track_id = track_id(request.headers());
    if let Ok(Some(track_id)) = &track_id {
        request.extensions_mut().insert(TrackId(track_id.clone()));
    }
    if is_old_version(&app, request.headers()) {
        request.extensions_mut().insert(OldVersion);
    }
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let mut response = match &track_id {
        Ok(_) => next.run(request).await,
        Err(rejection) => refuse(&request.into_parts().0, rejection),
    };
    let headers = response.headers_mut();
    // A repeated answer has the identifier of the request that it first answered.
    if !headers.contains_key(&REQUEST_ID) {
        insert(headers, &REQUEST_ID, &request_id);
    }
    if let Ok(Some(track_id)) = &track_id {
        insert(headers, &TRACK_ID, track_id);
    }
    let duration_ms = app.now().duration_since(started).as_millis();
    tracing::info!(
        request.id = %request_id,
        http.method = %method,
        http.route = route.as_deref().unwrap_or("unknown"),
        http.status = response.status().as_u16(),
        duration_ms = i64::try_from(duration_ms).unwrap_or(i64::MAX),
        "answered",
    );
    response
}

fn insert(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name.clone(), value);
    }
}

/// An identifier's 36 characters, as the public documentation shows identifiers of requests and entities.
pub(crate) fn dashed(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The caller's identifier, if it is one: printable US-ASCII without colon, semicolon and quotes.
pub(super) fn track_id(headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    let Some(value) = headers.get(&TRACK_ID) else { return Ok(None) };
    let fits = |byte: u8| (0x20..0x7f).contains(&byte) && !b":;\"'".contains(&byte);
    let bytes = value.as_bytes();
    if bytes.len() <= TRACK_ID_CHARS_MAX && bytes.iter().all(|byte| fits(*byte)) {
        return Ok(Some(String::from_utf8_lossy(bytes).into_owned()));
    }
    Err(Rejection::at(
        Category::InvalidParameter,
        Location::Header,
        "Zuora-Track-Id",
        "must be at most 64 characters of US-ASCII without colon, semicolon and quotes",
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn read(value: &[u8]) -> Result<Option<String>, Rejection> {
        let mut headers = HeaderMap::new();
        headers.insert(TRACK_ID.clone(), HeaderValue::from_bytes(value).unwrap());
        track_id(&headers)
    }

    #[test]
    fn track_ids_are_bounded_and_plain() {
        assert_eq!(track_id(&HeaderMap::new()), Ok(None));
        assert_eq!(read(b"job 7/a-b_c"), Ok(Some("job 7/a-b_c".to_owned())));
        assert!(read(&[b'a'; 64]).is_ok());
        for wrong in [&[b'a'; 65][..], b"a:b", b"a;b", b"a\"b", b"a'b", "ä".as_bytes()] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn request_ids_have_36_characters() {
        assert_eq!(dashed(0x8ad0_9be4), "00000000-0000-0000-0000-00008ad09be4");
    }
}
