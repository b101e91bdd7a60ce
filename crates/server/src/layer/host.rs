//! A request of HTTP/1.1 names one host, so that nothing between client and server can take it for another request.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Uri, Version};
use payment_runs_stubs::{Category, Location, Rejection};

use super::refuse;

/// Refuses requests that name no host, several, or another one than their target.
pub(crate) async fn one_host(request: Request, next: Next) -> Response {
    match fault(request.version(), request.uri(), request.headers()) {
        None => next.run(request).await,
        Some(message) => {
            let rejection = Rejection::at(Category::InvalidParameter, Location::Header, "Host", message);
            refuse(&request.into_parts().0, &rejection)
        }
    }
}

fn fault(version: Version, target: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Some("is given more than once"),
        (None, None) if version == Version::HTTP_11 => return Some("is required"),
        (None, None) => return None,
        (Some(host), None) => host.to_str().ok().map(str::trim),
    };
    // An empty one is what a target without a host has.
    let Some(host) = host else { return Some("must be a host, with a port or without") };
    let named = host.parse::<Authority>().ok().filter(|named| !named.as_str().contains(['@', ',']));
    if named.is_none() && !host.is_empty() {
        return Some("must be a host, with a port or without");
    }
    let asked = target.authority()?;
    let is_same = named.is_some_and(|named| place(&named, target) == place(asked, target));
    (!is_same).then_some("must be the host of the target")
}

/// Host and port, written in one way.
fn place(authority: &Authority, target: &Uri) -> (String, u16) {
    let default = if target.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    (authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(default))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn judged(version: Version, target: &str, hosts: &[&str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        fault(version, &target.parse().unwrap(), &headers)
    }

    #[test]
    fn one_host_is_named() {
        let judged = |hosts: &[&str]| judged(Version::HTTP_11, "/healthz", hosts);
        for host in ["a", "a:80", "127.0.0.1:8080", "[::1]:1", "[::1]", "A.example", ""] {
            assert_eq!(judged(&[host]), None, "{host}");
        }
        assert_eq!(judged(&[]), Some("is required"));
        for hosts in [&["a", "a"][..], &["a", "b"], &["", ""]] {
            assert_eq!(judged(hosts), Some("is given more than once"));
        }
        for host in ["a b", "a/b", "a,b", "http://a", "u@a"] {
            assert!(judged(&[host]).is_some(), "{host}");
        }
    }

    #[test]
    fn older_clients_need_none() {
        assert_eq!(judged(Version::HTTP_10, "/healthz", &[]), None);
        assert_eq!(judged(Version::HTTP_10, "/healthz", &["a", "b"]), Some("is given more than once"));
    }

    #[test]
    fn a_whole_target_names_the_same_host() {
        let judged = |target: &str, host: &str| judged(Version::HTTP_11, target, &[host]).is_none();
        assert!(judged("http://a/healthz", "a") && judged("http://a/healthz", "A:80"));
        assert!(judged("https://a:443/healthz", "a") && judged("http://a:8080/healthz", "a:8080"));
        assert!(!judged("http://a/healthz", "b") && !judged("http://a/healthz", ""));
        assert!(!judged("http://a:8080/healthz", "a") && !judged("http://a/healthz", "a:443"));
    }
}
