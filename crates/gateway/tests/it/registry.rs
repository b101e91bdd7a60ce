//! Bounds on the calls to a gateway.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{MachineClock, config, gateway_with};
use payment_runs_engine::ids::GatewayId;
use payment_runs_engine::ports::Gateways;
use payment_runs_gateway::registry::GatewayRegistry;

const ID: GatewayId = GatewayId::from_u128(1);

fn registry(concurrency: usize, rate_per_s: Option<u32>) -> GatewayRegistry {
    let mut config = config("http://127.0.0.1:9");
    config.settings.concurrency = concurrency;
    config.settings.rate_per_s = rate_per_s;
    let registry = GatewayRegistry::new(Arc::new(MachineClock));
    registry.insert(ID, Arc::new(gateway_with(&config)));
    registry
}

/// Whether a place is free at once.
async fn is_free(registry: &GatewayRegistry) -> bool {
    let waits = tokio::time::timeout(Duration::ZERO, registry.admit(ID)).await;
    waits.is_ok()
}

#[tokio::test]
async fn places_are_bounded_and_given_back() {
    let registry = registry(2, None);
    let first = registry.admit(ID).await;
    let second = registry.admit(ID).await;
    assert!(!is_free(&registry).await);
    drop(first);
    assert!(is_free(&registry).await);
    drop(second);
}

#[tokio::test]
async fn a_rate_holds_the_second_call_back() {
    let registry = registry(100, Some(1));
    drop(registry.admit(ID).await);
    assert!(!is_free(&registry).await);
}

#[tokio::test]
async fn an_unknown_gateway_is_not_found_and_holds_nobody_back() {
    let registry = registry(1, None);
    let unknown = GatewayId::from_u128(2);
    assert!(registry.find(ID).is_some());
    assert!(registry.find(unknown).is_none());
    let _first = registry.admit(unknown).await;
    let _second = registry.admit(unknown).await;
}
