//! The body with which version 1 creates a payment run, where another operation takes it along.

use bytes::Bytes;
use payment_runs_types::v1::CreatePaymentRunRequest;

use crate::extract::{BLOCKING_BYTES_MIN, parse_json};
use crate::v1::create_payment_run::CONTRACT;
use crate::{Category, Rejection};

/// Reads the body as `createPaymentRun` itself does; a refusal lists every fault with its wire path.
pub async fn read_payment_run_body(bytes: Bytes) -> Result<CreatePaymentRunRequest, Rejection> {
    if bytes.len() < BLOCKING_BYTES_MIN {
        return parse_json(&CONTRACT, None, &bytes).map_err(Rejection::from_faults);
    }
    match tokio::task::spawn_blocking(move || parse_json(&CONTRACT, None, &bytes)).await {
        Ok(parsed) => parsed.map_err(Rejection::from_faults),
        Err(_) => Err(Rejection::new(Category::Internal, "reading the body failed")),
    }
}
