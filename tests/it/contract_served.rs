//! The server tells its own contract: the documents as they are checked in, and a page that needs no other host.

use std::collections::BTreeSet;

use payment_runs_tests::TestServer;
use payment_runs_tests::contract::root;

/// Gets a path without a token, and its bytes as they were before compression.
async fn get(server: &TestServer, path: &str) -> (reqwest::StatusCode, http::HeaderMap, Vec<u8>) {
    let response = payment_runs_tests::http_client().get(server.url(path)).send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, response.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_served_byte_for_byte() {
    let server = TestServer::start().await;
    for api in ["v1", "v2", "ops"] {
        let (status, headers, bytes) = get(&server, &format!("/openapi/{api}.yaml")).await;
        assert_eq!((status.as_u16(), &headers["content-type"]), (200, &"application/yaml".parse().unwrap()));
        assert_eq!(bytes, std::fs::read(root().join(format!("openapi/{api}.yaml"))).unwrap(), "{api}");
        assert_eq!(headers["zuora-request-id"].len(), 36);
    }
    let (status, ..) = get(&server, "/openapi/v3.yaml").await;
    assert_eq!(status, 401, "only what is listed is public");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_page_names_no_foreign_host() {
    let server = TestServer::start().await;
    let (status, headers, bytes) = get(&server, "/openapi").await;
    assert_eq!(status, 200, "the page is also found without its slash");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains('*'), "{policy}");
    assert!(!policy.contains("http"), "the browser is told to load from this server only: {policy}");

    let page = String::from_utf8(bytes).unwrap();
    let links: BTreeSet<&str> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()))
        .filter(|link| !link.starts_with('?') && *link != "data:,")
        .collect();
    let expected = ["ops.yaml", "page.css", "page.js", "redoc-2.5.3.js", "v1.yaml", "v2.yaml"];
    assert_eq!(links, BTreeSet::from(expected));
    for link in links {
        let (status, _, bytes) = get(&server, &format!("/openapi/{link}")).await;
        assert_eq!(status, 200, "{link}");
        let ours = link.starts_with("page.");
        assert!(!ours || !String::from_utf8(bytes).unwrap().contains("://"), "{link} names a host");
    }
    assert!(!page.contains("//"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundle_is_kept_by_browsers_and_reaches_callers_without_gzip() {
    let server = TestServer::start().await;
    let (_, headers, inflated) = get(&server, "/openapi/redoc-2.5.3.js").await;
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    let plain = payment_runs_tests::http_builder().no_gzip().build().unwrap();
    let plain = plain.get(server.url("/openapi/redoc-2.5.3.js")).send().await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    assert_eq!(plain.bytes().await.unwrap(), inflated);
    assert!(inflated.len() > 1_000_000 && String::from_utf8(inflated).unwrap().contains("ReDoc"));
}
