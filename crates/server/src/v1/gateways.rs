//! The list of payment gateways, and how a body names one.

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::ids::GatewayId;
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{ListPaymentGatewaysResponse, PaymentGateway};

use crate::call::Call;

/// Every gateway of the entity.
pub(super) async fn list(call: &Call<'_>) -> Result<ListPaymentGatewaysResponse, Rejection> {
    let gateways = call.gateways().await?;
    let write = |gateway: GatewayConfig| PaymentGateway {
        id: gateway.id.to_string(),
        name: gateway.name,
        type_: gateway.kind,
        is_active: gateway.is_active,
        is_default: gateway.is_default,
    };
    Ok(ListPaymentGatewaysResponse {
        paymentgateways: gateways.into_iter().map(write).collect(),
        success: true,
    })
}

/// The gateway with this name or identifier.
pub(super) fn named<'a>(gateways: &'a [GatewayConfig], text: &str) -> Option<&'a GatewayConfig> {
    let id = text.parse::<GatewayId>().ok();
    let by_name = gateways.iter().find(|gateway| gateway.name == text);
    by_name.or_else(|| gateways.iter().find(|gateway| Some(gateway.id) == id))
}

/// The gateway that serves accounts without one of their own.
pub(super) fn default(gateways: &[GatewayConfig]) -> Option<&GatewayConfig> {
    gateways.iter().filter(|gateway| gateway.is_default && gateway.is_active).min_by_key(|gateway| gateway.id)
}
