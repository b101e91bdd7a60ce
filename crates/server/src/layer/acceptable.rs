//! Answers are JSON: a caller who takes anything but that is told so before any work is done.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::ACCEPT;
use payment_runs_stubs::{Category, Location, Rejection};

use super::refuse;
use crate::contract::is_contract_path;

/// Refuses callers who do not take JSON. A path that is not served is told as such, and the contract's own files are not
/// JSON.
pub(crate) async fn acceptable(request: Request, next: Next) -> Response {
    let is_served = request.extensions().get::<MatchedPath>().is_some();
    if !is_served || is_contract_path(request.uri().path()) || takes_json(request.headers()) {
        return next.run(request).await;
    }
    let message = "must allow application/json, the only media type of answers";
    let rejection = Rejection::at(Category::NotAcceptable, Location::Header, "Accept", message);
    refuse(&request.into_parts().0, &rejection)
}

/// Whether the most specific media range that covers JSON has a weight above zero. Without the header everything is fine.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut values =
        headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default()).peekable();
    if values.peek().is_none() {
        return true;
    }
    let text = values.collect::<Vec<_>>().join(",");
    let best = text.split(',').filter_map(read_range).max_by_key(|(precision, _)| *precision);
    text.trim().is_empty() || best.is_some_and(|(_, is_wanted)| is_wanted)
}

/// How precisely a media range covers JSON, and whether it wants it; nothing where it does not cover JSON.
fn read_range(range: &str) -> Option<(u8, bool)> {
    let mut parts = range.split(';').map(str::trim);
    let precision = match parts.next()?.to_ascii_lowercase().as_str() {
        // Some old clients write the star alone.
        "*/*" | "*" => 0,
        "application/*" => 1,
        "application/json" => 2,
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

    fn takes(accept: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        takes_json(&headers)
    }

    #[test]
    fn json_may_be_asked_for_in_many_ways() {
        assert!(takes_json(&HeaderMap::new()));
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
            assert!(takes(accept), "{accept}");
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
            assert!(!takes(accept), "{accept}");
        }
    }

    #[test]
    fn several_headers_count_as_one() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, "text/html".parse().unwrap());
        headers.append(ACCEPT, "application/json".parse().unwrap());
        assert!(takes_json(&headers));
    }
}
