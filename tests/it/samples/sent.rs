//! The client sends the documented requests as documented, and understands the documented responses.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, Uri};
use payment_runs_client::Connection;
use payment_runs_tests::samples::{Sample, documented};
use serde_json::Value;

/// What arrived at the server that answers with a sample.
#[derive(Debug, Clone)]
struct Received {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// Answers every request with the sample's response and keeps what it received.
struct Counterpart {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

#[derive(Clone)]
struct Answering {
    status: StatusCode,
    body: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Counterpart {
    async fn start(sample: &Sample) -> Self {
        let response = sample.response.clone().unwrap();
        let received = Arc::default();
        let state = Answering {
            status: StatusCode::from_u16(response.status).unwrap(),
            body: response.body.unwrap_or_default().to_string(),
            received: Arc::clone(&received),
        };
        let router = axum::Router::new().fallback(answer).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "the counterpart lives as long as the test")]
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, received }
    }

    /// A client with the token of the documented request.
    fn client(&self) -> Connection {
        let builder = Connection::builder(&self.url).bearer_token("00000000000000000000000000000000");
        builder.idempotency_keys(false).http_client(payment_runs_tests::http_client()).build().unwrap()
    }

    /// The only request, which must be the documented one.
    fn assert_received(&self, sample: &Sample) {
        let all = self.received.lock().unwrap().clone();
        let [received] = all.as_slice() else { panic!("{} requests arrived", all.len()) };
        let documented = sample.request.clone().unwrap();
        assert_eq!(received.method.as_str(), documented.method);
        assert_eq!(received.uri.to_string(), documented.path);
        for (name, value) in &documented.headers {
            // A request without a body has no content type; the documented example of a list shows one all the same.
            if name.eq_ignore_ascii_case("content-type") && documented.body.is_none() {
                continue;
            }
            let sent = received.headers.get(name.as_str()).and_then(|sent| sent.to_str().ok());
            if name.eq_ignore_ascii_case("authorization") {
                assert!(sent.is_some_and(|sent| sent.starts_with("Bearer ")), "{name}: {sent:?}");
            } else {
                assert_eq!(sent, value.as_str(), "{name}");
            }
        }
        let body: Option<Value> =
            (!received.body.is_empty()).then(|| serde_json::from_slice(&received.body).unwrap());
        assert_eq!(body, documented.body);
        assert!(!received.headers.contains_key("api-version"), "no undocumented header is sent");
        assert!(!received.headers.contains_key("idempotency-key"));
        insta::assert_snapshot!(format!("sent_{}", sample.operation), written(received, body.as_ref()));
    }
}

/// A request as text, without what differs between machines and versions.
fn written(received: &Received, body: Option<&Value>) -> String {
    const LEFT_OUT: [&str; 3] = ["content-length", "host", "user-agent"];
    let mut headers: Vec<String> = received
        .headers
        .iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let body = body.map(|body| serde_json::to_string_pretty(body).unwrap()).unwrap_or_default();
    format!("{} {}\n{}\n\n{body}", received.method, received.uri, headers.join("\n"))
}

async fn answer(
    State(answering): State<Answering>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answering.received.lock().unwrap().push(Received { method, uri, headers, body });
    Response::builder()
        .status(answering.status)
        .header("content-type", "application/json")
        .body(answering.body.into())
        .unwrap()
}

fn body<T: serde::de::DeserializeOwned>(sample: &Sample) -> T {
    serde_json::from_value(sample.request.clone().unwrap().body.unwrap()).unwrap()
}

fn assert_understood<T: serde::Serialize>(answer: &T, sample: &Sample) {
    assert_eq!(serde_json::to_value(answer).unwrap(), sample.response.clone().unwrap().body.unwrap());
}

#[tokio::test]
async fn create_payment_run() {
    let sample = documented("v1", "createPaymentRun", "account");
    let counterpart = Counterpart::start(&sample).await;
    let client = counterpart.client();
    let request: payment_runs_types::v1::CreatePaymentRunRequest = body(&sample);
    let answer = client.v1().create_payment_run().body(request).send().await.unwrap();
    assert_understood(&*answer, &sample);
    counterpart.assert_received(&sample);
}

#[tokio::test]
async fn update_payment_run() {
    let sample = documented("v1", "updatePaymentRun", "apply-unapplied-payments");
    let counterpart = Counterpart::start(&sample).await;
    let client = counterpart.client();
    let request: payment_runs_types::v1::UpdatePaymentRunRequest = body(&sample);
    let path = sample.request.clone().unwrap().path;
    let key = path.rsplit('/').next().unwrap();
    let call = client.v1().update_payment_run().payment_run_key(key).body(request);
    let answer = call.send().await.unwrap();
    assert_understood(&*answer, &sample);
    counterpart.assert_received(&sample);
}

#[tokio::test]
async fn list_payment_runs_of_v2() {
    let sample = documented("v2", "listPaymentRuns", "list");
    let counterpart = Counterpart::start(&sample).await;
    let client = counterpart.client();
    let answer = client.v2().list_payment_runs().send().await.unwrap();
    assert_understood(&*answer, &sample);
    counterpart.assert_received(&sample);
}
