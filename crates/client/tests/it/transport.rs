//! What the transport does to calls, seen from a real server.

use std::io::{Read as _, Write as _};

use crate::support::{Answer, Server, json};
use futures_util::future::join_all;
use http::Method;
use payment_runs_client::types::{v1, v2};
use payment_runs_client::{Error, RefusalBody};
use tokio::net::TcpListener;

const RUN: &str = r#"{"id":"1","number":"PR-00000001","status":"Pending","createdById":"u","createdDate":"2024-01-01 00:00:00",
    "updatedById":"u","updatedDate":"2024-01-01 00:00:00","success":true}"#;
const BUSY: &str = r#"{"success":false,"reasons":[{"code":50000061,"message":"try again"}]}"#;

fn request() -> v1::CreatePaymentRunRequest {
    v1::CreatePaymentRunRequest { currency: Some("USD".to_owned()), ..Default::default() }
}

/// A body above the size from which bodies are compressed.
fn large_request() -> v1::CreatePaymentRunRequest {
    let record =
        |n| v1::PaymentRunDataRecord { account_id: Some(format!("account-{n}")), ..Default::default() };
    v1::CreatePaymentRunRequest { data: Some((0..100).map(record).collect()), ..Default::default() }
}

#[tokio::test]
async fn one_token_serves_all_calls() {
    let server = Server::start((0..8).map(|_| json(200, RUN))).await;
    let connection = server.connect();
    let calls = (0..8).map(|_| connection.v1().get_payment_run().payment_run_key("1").send());
    for call in join_all(calls).await {
        assert_eq!(call.unwrap().number, "PR-00000001");
    }
    let tokens = server.tokens();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(tokens[0].header("authorization"), None);
    let form = String::from_utf8(tokens[0].body.clone()).unwrap();
    assert_eq!(form, "client_id=the-id&client_secret=the-secret&grant_type=client_credentials");
    assert!(server.asked().iter().all(|asked| asked.header("authorization") == Some("Bearer token-1")));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let refused = || json(401, r#"{"message":"Authentication error"}"#);
    let server = Server::start([refused(), json(200, RUN), refused(), refused()]).await;
    let connection = server.connect();
    connection.v1().create_payment_run().body(request()).send().await.unwrap();
    let error: Error = connection.v1().create_payment_run().body(request()).send().await.unwrap_err().into();
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.status, 401);
    assert_eq!(refusal.to_string(), "the server answered 401 Unauthorized: Authentication error");
    let asked = server.asked();
    let used: Vec<_> = asked.iter().map(|asked| asked.header("authorization").unwrap()).collect();
    assert_eq!(used, ["Bearer token-1", "Bearer token-2", "Bearer token-2", "Bearer token-3"]);
    assert_eq!(asked[0].header("idempotency-key"), asked[1].header("idempotency-key"));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let server = Server::start([json(200, RUN), json(200, RUN)]).await.tokens_expire_in(0);
    let connection = server.connect();
    for _ in 0..2 {
        connection.v1().get_payment_run().payment_run_key("1").send().await.unwrap();
    }
    assert_eq!(server.tokens().len(), 2);
}

#[tokio::test]
async fn refused_credentials_are_told_and_nothing_is_sent() {
    let refusal = json(401, r#"{"code":90000011,"message":"bad credentials"}"#);
    let server = Server::start([]).await.answer_tokens([refusal]);
    let error: Error =
        server.connect().v1().get_payment_run().payment_run_key("1").send().await.unwrap_err().into();
    let told = "the call was not sent: no bearer token: \
                the server granted no token (status 401 Unauthorized): bad credentials";
    assert_eq!(error.to_string(), told);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn token_requests_are_repeated() {
    let server = Server::start([json(200, RUN)]).await.answer_tokens([json(503, "{}")]);
    server.connect().v1().get_payment_run().payment_run_key("1").send().await.unwrap();
    assert_eq!(server.tokens().len(), 2);
}

#[tokio::test]
async fn calls_that_wait_for_a_token_share_its_failure() {
    let server = Server::start([]).await.answer_tokens((0..100).map(|_| json(503, "{}")));
    let connection = server.connect();
    let call = || connection.v1().get_payment_run().payment_run_key("1").send();
    for answer in join_all((0..8).map(|_| call())).await {
        let told = Error::from(answer.unwrap_err()).to_string();
        assert!(told.contains("no bearer token") && told.contains("503"), "{told}");
    }
    assert_eq!(server.tokens().len(), 4, "as often as one call asks");
    call().await.unwrap_err();
    assert_eq!(server.tokens().len(), 8, "a call that comes later asks anew");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_post_is_repeated_under_one_key() {
    let server =
        Server::start([json(503, BUSY), json(429, BUSY).with("retry-after", "0"), json(200, RUN)]).await;
    let connection = server.connect();
    connection.v1().create_payment_run().body(request()).send().await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    let key = asked[0].header("idempotency-key").unwrap();
    assert_eq!(key.len(), 32);
    for again in &asked[1..] {
        assert_eq!(again.header("idempotency-key"), Some(key));
        assert_eq!(again.body, asked[0].body);
    }
}

#[tokio::test]
async fn calls_have_different_keys_and_keep_their_own() {
    let server = Server::start((0..3).map(|_| json(200, RUN))).await;
    let connection = server.connect();
    for _ in 0..2 {
        connection.v1().create_payment_run().body(request()).send().await.unwrap();
    }
    connection.v1().create_payment_run().idempotency_key("mine").body(request()).send().await.unwrap();
    let asked = server.asked();
    assert_ne!(asked[0].header("idempotency-key"), asked[1].header("idempotency-key"));
    assert_eq!(asked[2].header("idempotency-key"), Some("mine"));
}

#[tokio::test]
async fn a_post_without_a_key_is_never_repeated() {
    let server = Server::start([json(503, BUSY), json(200, RUN)]).await;
    let connection = server.builder().idempotency_keys(false).build().unwrap();
    let error: Error = connection.v1().create_payment_run().body(request()).send().await.unwrap_err().into();
    assert_eq!(error.status().unwrap(), 503);
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("idempotency-key"), None);
}

#[tokio::test]
async fn a_put_is_repeated_without_a_key() {
    let server = Server::start([json(502, BUSY), json(500, BUSY), json(200, RUN)]).await;
    let connection = server.connect();
    let body = v1::UpdatePaymentRunRequest { currency: Some(None), ..Default::default() };
    connection.v1().update_payment_run().payment_run_key("1").body(body).send().await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.method == Method::PUT && asked.body == br#"{"currency":null}"#));
    assert!(asked.iter().all(|asked| asked.header("idempotency-key").is_none()));
}

#[tokio::test]
async fn repeats_end() {
    let server = Server::start((0..9).map(|_| json(503, BUSY))).await;
    let error: Error =
        server.connect().v1().get_payment_run().payment_run_key("1").send().await.unwrap_err().into();
    assert_eq!(error.status().unwrap(), 503);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_long_retry_after_is_handed_to_the_caller() {
    let server = Server::start([json(429, BUSY).with("retry-after", "7200")]).await;
    let error: Error =
        server.connect().v1().get_payment_run().payment_run_key("1").send().await.unwrap_err().into();
    assert_eq!(error.refusal().unwrap().retry_after.unwrap().as_secs(), 7_200);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_broken_connection_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connection = payment_runs_client::Connection::builder(format!("http://{address}"))
        .bearer_token("given")
        .retry(crate::support::FAST)
        .build()
        .unwrap();
    let call = connection.v1().get_payment_run().payment_run_key("1").send();
    let serving = async {
        drop(listener.accept().await.unwrap());
        Server::on(listener, [json(200, RUN)])
    };
    let (answer, server) = futures_util::future::join(call, serving).await;
    assert_eq!(answer.unwrap().id, "1");
    assert_eq!(server.asked()[0].header("authorization"), Some("Bearer given"));
}

#[tokio::test]
async fn large_bodies_are_compressed() {
    let server = Server::start((0..3).map(|_| json(200, RUN))).await;
    let connection = server.connect();
    connection.v1().create_payment_run().body(large_request()).send().await.unwrap();
    connection.v1().create_payment_run().body(request()).send().await.unwrap();
    let plain = server.builder().compress_requests(false).build().unwrap();
    plain.v1().create_payment_run().body(large_request()).send().await.unwrap();

    let asked = server.asked();
    assert_eq!(asked[0].header("content-encoding"), Some("gzip"));
    let length: usize = asked[0].header("content-length").unwrap().parse().unwrap();
    assert_eq!(length, asked[0].body.len());
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(asked[0].body.as_slice()).read_to_end(&mut inflated).unwrap();
    assert_eq!(inflated, serde_json::to_vec(&large_request()).unwrap());
    assert_eq!(asked[1].header("content-encoding"), None);
    assert_eq!(asked[2].header("content-encoding"), None);
    assert_eq!(asked[2].body, inflated);
}

#[tokio::test]
async fn compressed_answers_are_read() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(RUN.as_bytes()).unwrap();
    let compressed = Answer { body: encoder.finish().unwrap(), ..json(200, "") };
    let server = Server::start([compressed.with("content-encoding", "gzip")]).await;
    let run = server.connect().v1().get_payment_run().payment_run_key("1").send().await.unwrap();
    assert_eq!(run.status, v1::PaymentRunStatus::Pending);
    assert_eq!(server.asked()[0].header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_logical_failure_is_a_failure() {
    let body = r#"{"success":false,"processId":"CBCFED6580B4E076","reasons":[
        {"code":50000040,"message":"no run 1"},{"code":53100320,"message":"and more"}]}"#;
    let server = Server::start([json(200, body).with("zuora-request-id", "r-1")]).await;
    let error: Error =
        server.connect().v1().get_payment_run().payment_run_key("1").send().await.unwrap_err().into();
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.status, 404);
    assert_eq!(refusal.request_id.as_deref(), Some("r-1"));
    let told = "the server answered 404 Not Found: no run 1 [50000040]; and more [53100320] (request r-1)";
    assert_eq!(error.to_string(), told);
    assert!(matches!(&refusal.body, RefusalBody::V1(body) if body.process_id.is_some()));
}

#[tokio::test]
async fn a_logical_failure_that_passes_is_repeated() {
    let locked = r#"{"success":false,"reasons":[{"code":53100370,"message":"over the limit"}]}"#;
    let server = Server::start([json(200, locked), json(200, RUN)]).await;
    server.connect().v1().get_payment_run().payment_run_key("1").send().await.unwrap();
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn headers_of_every_call() {
    let server = Server::start([json(200, RUN), json(200, RUN)]).await;
    let connection =
        server.builder().track_id("batch 7").header("Zuora-Version", "2025-08-12").build().unwrap();
    connection.v1().get_payment_run().payment_run_key("a/b").send().await.unwrap();
    connection.v1().get_payment_run().payment_run_key("1").zuora_track_id("own").send().await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].target, "/v1/payment-runs/a%2Fb");
    assert_eq!(asked[0].header("zuora-track-id"), Some("batch 7"));
    assert_eq!(asked[0].header("zuora-version"), Some("2025-08-12"));
    assert_eq!(asked[0].header("api-version"), None);
    assert_eq!(asked[0].header("accept"), Some("application/json"));
    assert_eq!(asked[1].header("zuora-track-id"), Some("own"));
}

#[tokio::test]
async fn calls_that_need_no_token_send_none() {
    let server = Server::start([json(200, r#"{"status":"ok"}"#)]).await;
    server.connect().ops().get_health().send().await.unwrap();
    assert!(server.tokens().is_empty());
    assert_eq!(server.asked()[0].header("authorization"), None);
}

#[tokio::test]
async fn the_two_forms_of_a_v2_create() {
    let accepted = json(202, r#"{"request_id":"r-9"}"#);
    let server = Server::start([accepted, json(201, r#"{"id":"2"}"#)]).await;
    let connection = server.connect();
    let body = v2::CreatePaymentRunRequest { batch: Some("Batch1".to_owned()), ..Default::default() };
    let queued = connection.v2().create_payment_run_async().body(body.clone()).send().await.unwrap();
    assert_eq!(queued.request_id, "r-9");
    let fields = vec![v2::PaymentRunField::Id, v2::PaymentRunField::State];
    let created = connection.v2().create_payment_run().fields(fields).body(body).send().await.unwrap();
    assert_eq!(created.id.as_deref(), Some("2"));
    let asked = server.asked();
    assert_eq!(asked[0].target, "/v2/payment_runs");
    assert_eq!(asked[0].header("async"), Some("true"));
    assert_eq!(asked[1].target, "/v2/payment_runs?fields%5B%5D=id%2Cstate");
    assert_eq!(asked[1].header("async"), None);
}

#[tokio::test]
async fn answers_out_of_contract_are_told_apart() {
    let server = Server::start([json(200, r#"{"id":7}"#), json(302, "{}")]).await;
    let connection = server.connect();
    let call = || connection.v1().get_payment_run().payment_run_key("1").send();
    let error: Error = call().await.unwrap_err().into();
    assert!(matches!(&error, Error::Payload { body, .. } if **body == *br#"{"id":7}"#), "{error:?}");
    let error: Error = call().await.unwrap_err().into();
    assert!(matches!(&error, Error::Unexpected(answer) if answer.status() == 302), "{error:?}");
    let error: Error = connection.v1().get_payment_run().send().await.unwrap_err().into();
    assert_eq!(error.to_string(), "the call is incomplete: `payment_run_key` is required and was not set");
}
