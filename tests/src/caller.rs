//! A caller of a running server, whose every answer is judged by the contract.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::PATIENCE;
use crate::contract::contract;

/// Calls a server and judges what it answers.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    base: String,
    token: Arc<Mutex<Option<String>>>,
    headers: Vec<(String, String)>,
}

/// An answer that the contract allows.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The JSON body; null when there is none.
    pub body: Value,
    /// The body's bytes, inflated.
    pub bytes: Vec<u8>,
}

/// A call that is being put together.
pub struct Call {
    request: reqwest::RequestBuilder,
    method: String,
    path: String,
}

impl Caller {
    /// A caller without a token.
    pub fn new(base: impl Into<String>) -> Self {
        Self { http: crate::http_client(), base: base.into(), token: Arc::default(), headers: Vec::new() }
    }

    /// Gets a token and becomes its caller, together with every clone.
    pub async fn log_in(&self, id: &str, secret: &str) {
        let answer = self.request_token(id, secret).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        *self.token.lock().unwrap() = answer.body["access_token"].as_str().map(str::to_owned);
    }

    /// Asks for a token.
    pub async fn request_token(&self, id: &str, secret: &str) -> Answer {
        let form = format!("client_id={id}&client_secret={secret}&grant_type=client_credentials");
        let call =
            self.call("POST", "/oauth/token").header("content-type", "application/x-www-form-urlencoded");
        call.raw(form.into_bytes()).await
    }

    /// The token.
    pub fn token(&self) -> Option<String> {
        self.token.lock().unwrap().clone()
    }

    /// The same caller without its token.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: Arc::default(), ..self.clone() }
    }

    /// The same caller with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Arc::new(Mutex::new(Some(token.to_owned()))), ..self.clone() }
    }

    /// The same caller, who sends this header with every call.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Begins a call.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.parse().expect("a method"), url);
        if let Some(token) = self.token.lock().unwrap().as_ref() {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Call { request, method: method.to_owned(), path: path.to_owned() }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).send().await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path).json(&body).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path).json(&body).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path).send().await
    }

    /// POST that must succeed; gives the body.
    pub async fn create(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Waits until an object says so, asking again and again; panics when it cannot be read, or does not come to that in time.
    pub async fn wait_for(&self, path: &str, what: impl Fn(&Value) -> bool) -> Value {
        /// So many questions follow each other at once, in order to see what does not last.
        const EAGER: u32 = 2_000;
        /// The pause between later ones, which keeps them within the quotas of a clock that stands still.
        const PAUSE: Duration = Duration::from_millis(5);
        let began = Instant::now();
        let mut beat = interval(PAUSE);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for question in 0_u32.. {
            let Answer { status, body, .. } = self.get(path).await;
            assert_eq!(status, 200, "{path}: {body}");
            if what(&body) {
                return body;
            }
            assert!(began.elapsed() < PATIENCE, "{path} never came to be as awaited: {body}");
            if question >= EAGER {
                beat.tick().await;
            }
        }
        unreachable!("the time is up long before the questions are")
    }
}

impl Call {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sends a JSON body.
    pub async fn json(self, body: &Value) -> Answer {
        let bytes = serde_json::to_vec(body).expect("a value is JSON");
        self.header("content-type", "application/json").raw(bytes).await
    }

    /// Sends bytes.
    pub async fn raw(mut self, body: Vec<u8>) -> Answer {
        self.request = self.request.body(body);
        self.send().await
    }

    /// Sends the call and gives the answer as it begins, unjudged: for streams.
    pub async fn open(self) -> reqwest::Response {
        self.request.send().await.expect("the server answers")
    }

    /// Sends the call and judges the answer.
    pub async fn send(self) -> Answer {
        let response = self.request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.bytes().await.expect("the body arrives").to_vec();
        let faults = contract().judge(&self.method, &self.path, status, &headers, &bytes);
        let text = String::from_utf8_lossy(&bytes);
        assert!(faults.is_empty(), "{} {} answered {status} {text}\nbut {faults:#?}", self.method, self.path);
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, body, bytes }
    }
}

impl Answer {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Status and the messages of a v1 failure, for snapshots.
    pub fn v1_failure(&self) -> Value {
        let reasons = self.body["reasons"].as_array().cloned().unwrap_or_default();
        let reasons: Vec<Value> =
            reasons.iter().map(|reason| json!([reason["code"], reason["message"]])).collect();
        json!({ "status": self.status, "success": self.body["success"], "reasons": reasons })
    }
}
