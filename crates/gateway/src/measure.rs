//! How many charges a gateway answers in a second when nothing but the calls is done. The rate of
//! a whole payment run is judged against this number, taken on the same machine in the same minute.
#![expect(clippy::disallowed_methods, reason = "a measurement is about real time")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use thiserror::Error;
use tokio::task::JoinSet;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeRate {
    /// Calls that were answered 200.
    pub calls: usize,
    /// How long all of them took together.
    pub elapsed: Duration,
}

impl ChargeRate {
    /// Whole calls in a second.
    pub fn per_second(&self) -> u64 {
        let nanoseconds = self.elapsed.as_nanos().max(1);
        u64::try_from(self.calls as u128 * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
    }
}

/// A measurement that failed.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// The address is none.
    #[error("`{url}` is no address")]
    Address {
        /// As given.
        url: String,
        /// Why.
        #[source]
        source: http::uri::InvalidUri,
    },
    /// A call failed.
    #[error("a charge failed")]
    Call(#[source] Box<dyn Error + Send + Sync>),
    /// A call was answered otherwise than expected.
    #[error("a charge was answered {0}")]
    Status(u16),
}

type Calls = Client<HttpConnector, Full<Bytes>>;

/// Makes `charges` charges of one minor unit, each with its own key and reference, `in_flight` at
/// a time, by that many fixed workers. Every charge must be approved. `label` keeps the keys of one
/// measurement apart from those of another at the same gateway.
pub async fn measure_charge_rate(
    url: &str,
    in_flight: usize,
    charges: usize,
    label: &str,
) -> Result<ChargeRate, MeasureError> {
    let uri: Uri = format!("{}/v1/payment_intents", url.trim_end_matches('/'))
        .parse()
        .map_err(|source| MeasureError::Address { url: url.to_owned(), source })?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Calls =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(in_flight).build(connector);
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..in_flight.clamp(1, charges.max(1)) {
        let (client, uri, next, label) = (client.clone(), uri.clone(), Arc::clone(&next), label.to_owned());
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= charges {
                    return Ok(());
                }
                charge(&client, &uri, &label, number).await?;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|error| MeasureError::Call(error.into()))??;
    }
    Ok(ChargeRate { calls: charges, elapsed: began.elapsed() })
}

async fn charge(client: &Calls, uri: &Uri, label: &str, number: usize) -> Result<(), MeasureError> {
    let body = format!(
        "amount=1&confirm=true&currency=usd&description=P-{number:08}&error_on_requires_action=true\
         &metadata%5Bpayment_number%5D=P-{number:08}&metadata%5Breference%5D={label}{number:016x}\
         &off_session=true&payment_method=pm_card_visa&payment_method_types%5B%5D=card"
    );
    let request = Request::post(uri.clone())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, "Bearer sk_test_measure")
        .header("idempotency-key", format!("{label}-{number}"))
        .body(Full::from(body))
        .map_err(|error| MeasureError::Call(error.into()))?;
    let response = client.request(request).await.map_err(|error| MeasureError::Call(error.into()))?;
    let status = response.status().as_u16();
    // The answer is read whole, as anyone would who needs it.
    response.into_body().collect().await.map_err(|error| MeasureError::Call(error.into()))?;
    if status == 200 { Ok(()) } else { Err(MeasureError::Status(status)) }
}
