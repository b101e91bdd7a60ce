//! What travels beside the body: identifiers, compression, versions, and who may call.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Caller;
use payment_runs_tests::world::text;
use serde_json::json;

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_id_comes_back_and_a_wrong_one_is_refused() {
    let server = TestServer::start().await;
    let call = |id: &'static str| server.caller.call("GET", "/v1/payment-runs").header("zuora-track-id", id);
    let answer = call("job 7/step-2").send().await;
    assert_eq!(answer.header("zuora-track-id"), Some("job 7/step-2"));
    assert_eq!(answer.header("zuora-request-id").map(str::len), Some(36));
    for wrong in ["a:b", "a;b", "a\"b", "a'b"] {
        assert_eq!(call(wrong).send().await.status, 400, "{wrong}");
    }
    let none = server.caller.get("/v1/payment-runs").await;
    assert_eq!(none.header("zuora-track-id"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_travel_compressed_both_ways() {
    let server = TestServer::start().await;
    let body = serde_json::to_vec(&json!({ "runDate": "2099-01-01 00:00:00" })).unwrap();
    let call = server.caller.call("POST", "/v1/payment-runs").header("content-type", "application/json");
    let created = call.header("content-encoding", "gzip").raw(gzip(&body)).await;
    assert_eq!(created.status, 200, "{}", created.body);
    for _ in 0..5 {
        server.caller.create("/v1/payment-runs", json!({ "runDate": "2099-01-01 00:00:00" })).await;
    }

    let http = payment_runs_tests::http_builder().no_gzip().build().unwrap();
    let ask = |path: String| {
        http.get(server.url(&path)).bearer_auth(server.token()).header("accept-encoding", "gzip")
    };
    let long = ask("/v1/payment-runs".to_owned()).send().await.unwrap();
    assert_eq!(long.headers()["content-encoding"], "gzip");
    let mut plain = String::new();
    GzDecoder::new(&long.bytes().await.unwrap()[..]).read_to_string(&mut plain).unwrap();
    assert!(plain.len() > 1000 && plain.contains("PR-00000001"), "{plain}");

    let short = ask(format!("/v1/payment-runs/{}", text(&created.body, "id"))).send().await.unwrap();
    assert!(!short.headers().contains_key("content-encoding"), "answers up to 1000 bytes are not compressed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_compressed_from_1001_bytes_on() {
    let server = TestServer::start().await;
    let http = payment_runs_tests::http_builder().no_gzip().build().unwrap();
    // The message of an unknown endpoint holds its path, so a path can give the answer any length.
    let ask = |letters: usize, coding: &'static str| {
        let path = format!("/v1/{}", "a".repeat(letters));
        http.get(server.url(&path)).bearer_auth(server.token()).header("accept-encoding", coding).send()
    };
    let base = ask(1, "identity").await.unwrap().bytes().await.unwrap().len();
    for (bytes, coding) in [(1000, None), (1001, Some("gzip"))] {
        let letters = bytes + 1 - base;
        let plain = ask(letters, "identity").await.unwrap().bytes().await.unwrap();
        assert_eq!(plain.len(), bytes);
        let answer = ask(letters, "gzip").await.unwrap();
        let told = answer.headers().get("content-encoding").and_then(|value| value.to_str().ok());
        assert_eq!(told, coding, "{bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_get_their_errors_with_status_200() {
    let server = TestServer::start().await;
    let call = |version: &'static str| {
        server.caller.call("GET", "/v1/payment-runs/PR-99999999").header("zuora-version", version)
    };
    let old = call("211.0").send().await;
    assert_eq!((old.status, &old.body["success"]), (200, &json!(false)));
    assert_eq!(old.body["reasons"][0]["code"], 50_000_040, "{}", old.body);
    assert_eq!(call("2024-05-20").send().await.status, 404);
    let nowhere = server.caller.call("GET", "/v1/nothing").header("zuora-version", "211.0").send().await;
    assert_eq!(nowhere.status, 404, "what is not served has no version: {}", nowhere.body);
    assert_eq!(server.caller.get("/v1/payment-runs/PR-99999999").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_surface_turns_strangers_away_in_its_own_shape() {
    let server = TestServer::start().await;
    let stranger = server.caller.anonymous();
    let v1 = stranger.get("/v1/payment-runs").await;
    assert_eq!((v1.status, &v1.body["message"]), (401, &json!("Authentication error")), "{}", v1.body);
    let query = stranger.get("/object-query/payment-runs").await;
    assert_eq!((query.status, query.body.get("success")), (401, None));
    let v2 = stranger.get("/v2/payment_runs").await;
    assert_eq!((v2.status, &v2.body["type"]), (401, &json!("unauthorized")));
    let ops = stranger.get("/ops/payment-runs/PR-00000001/progress").await;
    assert_eq!((ops.status, &ops.body["type"]), (401, &json!("unauthorized")));
    assert_eq!(
        server.caller.with_token("0123456789abcdef0123456789abcdef").get("/v1/payment-runs").await.status,
        401
    );
    assert_eq!(stranger.request_token("nobody", "nothing").await.status, 401);
    assert_eq!(stranger.get("/healthz").await.status, 200);
    assert_eq!(stranger.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_told_apart() {
    let server = TestServer::start().await;
    for (method, path, status) in [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/object-query/nothing", 404),
        ("GET", "/ops/nothing", 404),
        ("GET", "/", 404),
        ("PATCH", "/v1/payment-runs", 405),
        ("DELETE", "/v1/payment-runs", 405),
        ("PUT", "/v2/payment_runs", 405),
    ] {
        let answer = server.caller.call(method, path).send().await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert!(answer.body.is_object(), "{method} {path} answers in the shape of its surface");
        assert!(answer.header("zuora-request-id").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_json_is_told_so_in_the_shape_of_the_surface() {
    let server = TestServer::start().await;
    let ask = |caller: &Caller, method: &'static str, path: &'static str, accept: &'static str| {
        caller.call(method, path).header("accept", accept).send()
    };
    let caller = &server.caller;
    let v1 = ask(caller, "GET", "/v1/payment-runs", "text/html, application/xml;q=0.9").await;
    let reason = json!({
        "code": 50_000_045, "message": "'Accept' must allow application/json, the only media type of answers",
    });
    assert_eq!((v1.status, &v1.body["reasons"]), (406, &json!([reason])), "{}", v1.body);
    let query = ask(caller, "GET", "/object-query/payment-runs", "application/json;q=0").await;
    assert_eq!((query.status, &query.body["reasons"]), (406, &json!([reason])), "{}", query.body);
    let v2 = ask(caller, "DELETE", "/v2/payment_runs/PR-00000001", "application/problem+json").await;
    assert_eq!((v2.status, &v2.body["errors"][0]["code"]), (406, &json!("not_acceptable")), "{}", v2.body);
    assert_eq!(v2.body["errors"][0]["parameter"], "Accept", "{}", v2.body);
    let ops = ask(caller, "GET", "/ops/payment-runs/PR-00000001/progress", "text/plain").await;
    assert_eq!((ops.status, &ops.body["errors"][0]["code"]), (406, &json!("not_acceptable")), "{}", ops.body);
    let token = ask(&caller.anonymous(), "POST", "/oauth/token", "text/html").await;
    assert_eq!(token.status, 406, "{}", token.body);
    assert!(
        token.body["message"].as_str().is_some_and(|text| text.contains("application/json")),
        "{}",
        token.body
    );

    assert_eq!(
        ask(caller, "GET", "/v1/nothing", "text/html").await.status,
        404,
        "what is not there comes first"
    );
    assert_eq!(ask(&caller.anonymous(), "GET", "/v1/payment-runs", "text/html").await.status, 401);
    for fine in ["*/*", "application/*", "text/html, application/json;q=0.1"] {
        assert_eq!(ask(caller, "GET", "/v1/payment-runs", fine).await.status, 200, "{fine}");
    }
}
