//! Which gateways take nothing, so that a run does not wait half a minute for each of its charges.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::policy::Next;
use crate::ids::GatewayId;

/// What the charges of this process have shown of each gateway.
#[derive(Debug, Default)]
pub(super) struct GatewayHealth(Mutex<BTreeMap<GatewayId, Record>>);

#[derive(Debug, Default)]
struct Record {
    /// Charges that the gateway has answered.
    answers: u64,
    /// Whether it takes nothing.
    is_down: bool,
}

/// How many charges a gateway had answered when a charge began.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswersBefore(u64);

impl GatewayHealth {
    /// Notes that a charge begins.
    pub(super) fn begin(&self, gateway: GatewayId) -> AnswersBefore {
        AnswersBefore(self.with(gateway, |record| record.answers))
    }

    /// Whether a gateway takes nothing. It then gets one delivery of each charge until it answers one.
    pub(super) fn is_down(&self, gateway: GatewayId) -> bool {
        self.with(gateway, |record| record.is_down)
    }

    /// Takes in a delivery. A gateway is down when it has answered no charge at all while the whole policy was spent on one: a
    /// busy gateway, which turns away some deliveries and takes others, is not.
    pub(super) fn note(&self, gateway: GatewayId, before: AnswersBefore, next: &Next) {
        let (Next::Settle(outcome) | Next::LookUp(outcome)) = next else { return };
        self.with(gateway, |record| {
            if outcome.gateway_trouble().is_none() {
                record.answers += 1;
                record.is_down = false;
            } else if record.answers == before.0 {
                record.is_down = true;
            }
        });
    }

    fn with<T>(&self, gateway: GatewayId, act: impl FnOnce(&mut Record) -> T) -> T {
        act(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(gateway).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{NotSentCause, Outcome};

    /// The charges of a run are under way together: one that was turned away again and again says nothing about the others.
    #[test]
    fn a_gateway_that_answers_other_charges_is_not_down() {
        let gateway = GatewayId::from_u128(1);
        let turned_away =
            Next::Settle(Outcome::NotSent { cause: NotSentCause::TooManyRequests, why: "429".to_owned() });
        let approved = Next::Settle(Outcome::Approved { reference: "ch_1".to_owned() });
        let health = GatewayHealth::default();
        let (first, second) = (health.begin(gateway), health.begin(gateway));
        health.note(gateway, first, &approved);
        health.note(gateway, second, &turned_away);
        assert!(!health.is_down(gateway));
        let (third, fourth) = (health.begin(gateway), health.begin(gateway));
        health.note(gateway, third, &turned_away);
        assert!(health.is_down(gateway));
        health.note(gateway, fourth, &approved);
        assert!(!health.is_down(gateway));
    }
}
