//! Failures that come as HTTP 200 with `"success": false`, as versions of the v1 API before 2024-05-20 answer.

use http::{StatusCode, header};
use reqwest::{Response, ResponseBuilderExt as _};
use serde::Deserialize;

/// The status that the category of a code, its last two digits, has in versions that use HTTP statuses. From the v1
/// reference, "Error handling".
const STATUS_OF_CATEGORY: [(i64, StatusCode); 15] = [
    (10, StatusCode::FORBIDDEN),
    (11, StatusCode::UNAUTHORIZED),
    (20, StatusCode::BAD_REQUEST),
    (21, StatusCode::BAD_REQUEST),
    (22, StatusCode::BAD_REQUEST),
    (23, StatusCode::BAD_REQUEST),
    (27, StatusCode::BAD_REQUEST),
    (30, StatusCode::BAD_REQUEST),
    (40, StatusCode::NOT_FOUND),
    (45, StatusCode::METHOD_NOT_ALLOWED),
    (50, StatusCode::CONFLICT),
    (60, StatusCode::INTERNAL_SERVER_ERROR),
    (61, StatusCode::INTERNAL_SERVER_ERROR),
    (70, StatusCode::TOO_MANY_REQUESTS),
    (99, StatusCode::INTERNAL_SERVER_ERROR),
];

/// As much of an answer as tells whether it is a failure.
#[derive(Deserialize)]
struct Probe {
    success: Option<bool>,
    /// Read loosely: a failure stays one, however it explains itself.
    #[serde(default)]
    reasons: serde_json::Value,
}

/// Gives an answer the status it would have in the latest version of the API, so that a caller meets failures in one
/// form. JSON answers with status 200 are read whole for it; everything else passes untouched.
pub(crate) async fn settle(response: Response) -> reqwest::Result<Response> {
    if response.status() != StatusCode::OK || !is_json(&response) {
        return Ok(response);
    }
    let (url, headers, version) = (response.url().clone(), response.headers().clone(), response.version());
    let body = response.bytes().await?;
    let status = failure(&body).unwrap_or(StatusCode::OK);
    let mut rebuilt = http::Response::new(body);
    *rebuilt.status_mut() = status;
    *rebuilt.version_mut() = version;
    *rebuilt.headers_mut() = headers;
    let (mut parts, body) = rebuilt.into_parts();
    if let Ok(with_url) = http::Response::builder().url(url).body(()) {
        parts.extensions.extend(with_url.into_parts().0.extensions);
    }
    Ok(http::Response::from_parts(parts, body).into())
}

fn is_json(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.trim_start().starts_with("application/json"))
}

/// The status of a failure; `None` for anything else.
fn failure(body: &[u8]) -> Option<StatusCode> {
    if !may_fail(body) {
        return None;
    }
    let probe: Probe = serde_json::from_slice(body).ok()?;
    if probe.success != Some(false) {
        return None;
    }
    let category =
        probe.reasons.pointer("/0/code").and_then(serde_json::Value::as_i64).map(|code| code.rem_euclid(100));
    let known = STATUS_OF_CATEGORY.iter().find(|(known, _)| Some(*known) == category);
    Some(known.map_or(StatusCode::BAD_REQUEST, |(_, status)| *status))
}

/// Whether `"success": false` stands anywhere. Nearly every answer is a success, and this spares parsing it twice.
fn may_fail(body: &[u8]) -> bool {
    const KEY: &[u8] = b"\"success\"";
    let mut rest = body;
    while let Some(at) = rest.windows(KEY.len()).position(|window| window == KEY) {
        rest = &rest[at + KEY.len()..];
        let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        if value.is_some_and(|value| value.starts_with(b"false")) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_at_the_top_counts() {
        for (body, status) in [
            (r#"{"success": true, "id": "1"}"#, None),
            (r#"{"id": "\"success\": false"}"#, None),
            (r#"{"data": [{"success": false}], "success": true}"#, None),
            (r#"{"success" : false}"#, Some(400)),
            (r#"{"success":false,"reasons":[{"code":50000040,"message":"no such run"}]}"#, Some(404)),
            (r#"{"success":false,"reasons":[{"code":53100350,"message":"locked"}]}"#, Some(409)),
            (r#"{"success":false,"reasons":[{"code":53100377,"message":"new category"}]}"#, Some(400)),
            (r#"{"success":false"#, None),
        ] {
            assert_eq!(failure(body.as_bytes()).map(|status| status.as_u16()), status, "{body}");
        }
    }
}
