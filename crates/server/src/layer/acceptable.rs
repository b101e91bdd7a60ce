//! Answers are JSON, but for streams: a caller who takes neither is told so before any work is done.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::ACCEPT;
use payment_runs_stubs::{Category, Location, Rejection};

use super::refuse;
use super::streamed::operation_of;
use crate::contract::is_contract_path;

/// The media type of most answers, and of every failure.
const JSON: &str = "application/json";

/// Refuses callers who take neither JSON, in which every failure is told, nor what the operation answers. A path that is
/// not served is told as such, and the contract's own files are not JSON.
pub(crate) async fn acceptable(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_served = request.extensions().get::<MatchedPath>().is_some();
    if !is_served || is_contract_path(request.uri().path()) || takes(headers, JSON) {
        return next.run(request).await;
    }
    let operation = operation_of(request.method(), request.extensions());
    let answers = operation.map_or(&[JSON][..], |operation| operation.answers);
    if answers.iter().any(|media| takes(headers, media)) {
        return next.run(request).await;
    }
    let message = match answers {
        [JSON] => "must allow application/json, the only media type of answers".to_owned(),
        others => format!("must allow {}", others.join(" or ")),
    };
    let rejection = Rejection::at(Category::NotAcceptable, Location::Header, "Accept", message);
    refuse(&request.into_parts().0, &rejection)
}

/// Whether the most specific media range that covers a media type has a weight above zero. Without the header everything
/// is fine.
pub(super) fn takes(headers: &HeaderMap, media: &str) -> bool {
    // What is not ASCII spoils its own range and no other.
    let values = headers.get_all(ACCEPT).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let text = values.collect::<Vec<_>>().join(",");
    let best =
        text.split(',').filter_map(|range| read_range(range, media)).max_by_key(|(precision, _)| *precision);
    text.trim().is_empty() || best.is_some_and(|(_, is_wanted)| is_wanted)
}

/// How precisely a media range covers a media type, and whether it wants it; nothing where it does not cover it.
fn read_range(range: &str, media: &str) -> Option<(u8, bool)> {
    let mut parts = range.split(';').map(str::trim);
    let precision = match parts.next()?.to_ascii_lowercase().as_str() {
        // Some old clients write the star alone.
        "*/*" | "*" => 0,
        exact if exact == media => 2,
        wide if wide.strip_suffix('*').is_some_and(|kind| kind.ends_with('/') && media.starts_with(kind)) => {
            1
        }
        _ => return None,
    };
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let is_refused = weight.and_then(|text| text.parse::<f32>().ok()) == Some(0.0);
    Some((precision, !is_refused))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn takes_json(accept: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        takes(&headers, JSON)
    }

    #[test]
    fn streams_are_asked_for_by_their_own_names() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, "text/*, application/x-ndjson;q=0".parse().unwrap());
        assert!(takes(&headers, "text/csv"));
        assert!(!takes(&headers, "application/x-ndjson"));
        assert!(!takes(&headers, JSON));
    }

    #[test]
    fn json_may_be_asked_for_in_many_ways() {
        assert!(takes(&HeaderMap::new(), JSON));
        for accept in [
            "",
            "*/*",
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/*;q=0.1",
            "text/html, application/json;q=0.9",
            "text/html, image/gif, *; q=.2, */*; q=.2",
            "application/json, */*;q=0",
        ] {
            assert!(takes_json(accept), "{accept}");
        }
        for accept in [
            "text/html",
            "application/xml, text/*",
            "application/problem+json",
            "application/json;q=0",
            "*/*, application/json; q=0.0",
            "application/*;q=0, */*",
            "json",
        ] {
            assert!(!takes_json(accept), "{accept}");
        }
    }

    #[test]
    fn several_headers_count_as_one() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, "text/html".parse().unwrap());
        headers.append(ACCEPT, "application/json".parse().unwrap());
        assert!(takes(&headers, JSON));
    }
}
