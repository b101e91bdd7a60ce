//! A real HTTP server that answers from a script and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::{Router, serve};
use http::{HeaderMap, Method};
use payment_runs_client::{Connection, ConnectionBuilder, RetryPolicy};
use tokio::net::TcpListener;

/// No test sends more than this.
const BODY_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Waits of a millisecond: repeats are what is tested, not patience.
pub(crate) const FAST: RetryPolicy = RetryPolicy {
    attempts_max: 4,
    delay_base: Duration::from_millis(1),
    delay_max: Duration::from_millis(2),
    retry_after_max: Duration::from_secs(1),
};

/// What the server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What the server answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// An answer in JSON.
pub(crate) fn json(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

impl Answer {
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A listening server. Token requests are answered `token-1`, `token-2`, … unless others are scripted.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    inner: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    token_answers: VecDeque<Answer>,
    asked: Vec<Asked>,
    tokens: Vec<Asked>,
    expires_in: i64,
}

impl Server {
    /// Listens on a free port; `answers` are given in order, whatever is asked.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answers)
    }

    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    pub(crate) fn on(listener: TcpListener, answers: impl IntoIterator<Item = Answer>) -> Self {
        let script =
            Script { answers: answers.into_iter().collect(), expires_in: 3_599, ..Script::default() };
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { url, inner: Arc::new(Mutex::new(script)) };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { serve(listener, router).await });
        server
    }

    /// Tokens expire after so many seconds.
    pub(crate) fn tokens_expire_in(self, seconds: i64) -> Self {
        self.inner.lock().unwrap().expires_in = seconds;
        self
    }

    /// Answers the next token requests.
    pub(crate) fn answer_tokens(self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.inner.lock().unwrap().token_answers.extend(answers);
        self
    }

    /// Everything that was asked but tokens.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }

    /// The token requests.
    pub(crate) fn tokens(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().tokens.clone()
    }

    /// A connection with credentials and short waits.
    pub(crate) fn builder(&self) -> ConnectionBuilder {
        Connection::builder(&self.url).credentials("the-id", "the-secret").retry(FAST)
    }

    pub(crate) fn connect(&self) -> Connection {
        self.builder().build().unwrap()
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap().to_vec();
    let target = parts.uri.path_and_query().unwrap().to_string();
    let is_token = target == "/oauth/token";
    let asked = Asked { method: parts.method, target, headers: parts.headers, body };
    let mut script = server.inner.lock().unwrap();
    let answer = if is_token {
        script.tokens.push(asked);
        let (count, expires_in) = (script.tokens.len(), script.expires_in);
        let usual = format!(
            r#"{{"access_token":"token-{count}","token_type":"bearer","expires_in":{expires_in},"scope":"s","jti":"j"}}"#
        );
        script.token_answers.pop_front().unwrap_or_else(|| json(200, &usual))
    } else {
        script.asked.push(asked);
        script
            .answers
            .pop_front()
            .unwrap_or_else(|| json(418, r#"{"message":"nothing is left in the script"}"#))
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}
