//! Samples of refusals that no request can bring about from outside say what the server would say.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

use http_body_util::BodyExt;
use payment_runs_engine::ports::{Replay, StoreError};
use serde_json::Value;

use super::*;
use crate::failure::{Place, Resource, Surface, store_failure, write_failure};
use crate::layer::known_replay;

async fn assert_sample(sample: &str, rejection: &Rejection) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/samples/own/v2/");
    let text = std::fs::read_to_string(format!("{folder}{sample}.response.json")).expect(sample);
    let sample: Value = serde_json::from_str(&text).unwrap();
    let resource = Resource::General;
    let place = Place { surface: Surface::V2, resource, request_id: "", old_version: false };
    let (parts, body) = write_failure(&place, rejection).into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((Value::from(parts.status.as_u16()), &body), (sample["status"].clone(), &sample["body"]));
    let waits = |value: Option<&str>| value.map(str::to_owned);
    let told = waits(parts.headers.get("retry-after").and_then(|value| value.to_str().ok()));
    assert_eq!(told, waits(sample["headers"]["retry-after"].as_str()));
}

#[tokio::test]
async fn conditions_of_the_server_are_told_as_in_the_samples() {
    let in_flight = known_replay(Replay::InFlight).unwrap_err();
    assert_sample("createPaymentRun/key-in-flight", &in_flight).await;
    assert_sample("listPaymentRuns/server-stopping", &store_failure(&StoreError::Closed)).await;
    let unreachable = Rejection::new(Category::External, "the payment gateway cannot be reached: try again");
    assert_sample("createPaymentRun/bad-gateway", &unreachable).await;
}
