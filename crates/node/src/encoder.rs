//! Writes each charge as the gateway it goes through wants it.

use std::sync::Arc;

use payment_runs_engine::ports::{Charge, EncodeCharge, Gateways};

/// Encodes through the gateway of the charge. The fallback writes the charges of gateways that this process does not know:
/// it will not send them, but a process that knows the gateway may.
pub(crate) struct EncodeByGateway<G> {
    pub(crate) gateways: Arc<G>,
    pub(crate) fallback: Arc<dyn EncodeCharge>,
}

impl<G: Gateways> EncodeCharge for EncodeByGateway<G> {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        match self.gateways.find(charge.gateway) {
            Some(gateway) => gateway.encode(charge),
            None => self.fallback.encode(charge),
        }
    }
}
