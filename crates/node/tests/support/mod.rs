//! What the node's tests share: a small HTTP client, and something to collect.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::account::{Account, AccountStatus, Stamps};
use payment_runs_engine::command::Load;
use payment_runs_engine::document::{Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{AccountId, DocumentId, PaymentMethodId, UserId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment_method::{Instrument, PaymentMethod, PaymentMethodKind};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl Answer {
    /// The text of a field of a JSON body, however deep it is.
    pub(crate) fn text(&self, field: &str) -> String {
        let start = format!("\"{field}\":\"");
        let from = self.body.find(&start).map(|at| at + start.len());
        let from = from.unwrap_or_else(|| panic!("no text `{field}` in {}", self.body));
        self.body[from..].split('"').next().unwrap().to_owned()
    }
}

/// Sends a request; `token` is the bearer token.
pub(crate) async fn send(method: Method, url: &str, token: Option<&str>, kind: &str, body: &str) -> Answer {
    let client: Client<_, Full<hyper::body::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(url).header("content-type", kind);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::from(body.to_owned())).unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, body: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// Reads a resource.
pub(crate) async fn get(url: &str, token: Option<&str>) -> Answer {
    send(Method::GET, url, token, "application/json", "").await
}

/// Asks for a token.
pub(crate) async fn ask_token(url: &str, id: &str, secret: &str) -> Answer {
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    send(Method::POST, &format!("{url}/oauth/token"), None, "application/x-www-form-urlencoded", &form).await
}

/// Creates a run over everything due by the end of 2025.
pub(crate) async fn create_run(url: &str, token: &str) -> Answer {
    let body = r#"{"targetDate": "2025-12-31"}"#;
    send(Method::POST, &format!("{url}/v1/payment-runs"), Some(token), "application/json", body).await
}

/// Waits until the run has the status, for at most a minute of real time.
pub(crate) async fn wait_for_status(url: &str, token: &str, run: &str, status: &str) {
    let path = format!("{url}/v1/payment-runs/{run}");
    wait_until(async || get(&path, Some(token)).await.text("status") == status).await;
}

/// Waits until something holds, for at most a minute of real time.
pub(crate) async fn wait_until(mut holds: impl AsyncFnMut() -> bool) {
    let held = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), held).await.unwrap();
}

/// So many accounts with a good card and one posted invoice of 10.00 each, due at the end of 2025.
pub(crate) fn receivables(count: u128) -> Load {
    let stamps = Stamps::new(Timestamp::UNIX_EPOCH, UserId::from_u128(1));
    let mut load = Load::default();
    for number in 1..=count {
        let (account, method) = (AccountId::from_u128(number), PaymentMethodId::from_u128(number));
        load.accounts.push(Account {
            id: account,
            number: format!("A{number}"),
            name: format!("Customer {number}"),
            currency: Currency::USD,
            auto_pay: true,
            batch: None,
            bill_cycle_day: 1,
            gateway: None,
            default_payment_method: Some(method),
            status: AccountStatus::Active,
            organization: None,
            credit_balance_minor: 0,
            stamps,
        });
        load.payment_methods.push(PaymentMethod::unused(
            method,
            Some(account),
            (PaymentMethodKind::CreditCardReferenceTransaction, "CreditCardReferenceTransaction".to_owned()),
            Instrument { token: Some("pm_card_visa".to_owned()), ..Instrument::default() },
            stamps,
        ));
        load.documents.push(invoice(DocumentId::from_u128(number), account, stamps));
    }
    load
}

fn invoice(id: DocumentId, account: AccountId, stamps: Stamps) -> Document {
    let due_date = Date::constant(2025, 12, 31);
    Document {
        id,
        number: format!("I{}", id.as_u128()),
        kind: DocumentKind::Invoice,
        account,
        status: DocumentStatus::Posted,
        currency: Currency::USD,
        amount_minor: 1_000,
        balance_minor: 1_000,
        paid_minor: 0,
        credited_minor: 0,
        document_date: due_date,
        due_date,
        auto_pay: true,
        bill_run: None,
        payment_method: None,
        held_by: None,
        comment: None,
        reason_code: None,
        posted_at: Some(Timestamp::UNIX_EPOCH),
        stamps,
    }
}
