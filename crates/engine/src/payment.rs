//! Payments: an intent that becomes an outcome exactly once.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::account::Stamps;
use crate::ids::{AccountId, DocumentId, GatewayId, PaymentId, PaymentMethodId, RunId};
use crate::money::Currency;
use crate::payment_method::card_number::without_card_numbers;

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PaymentState {
    /// Decided and durable; the charge may or may not have been sent.
    Intent,
    /// The gateway accepted it and will tell the result later.
    Pending,
    /// Nobody could tell what became of the charge; only a look-up or a person moves it on.
    Unknown,
    /// The money was collected.
    Processed,
    /// The gateway declined; no money moved.
    Declined,
    /// It was given up, and no charge was ever sent.
    Canceled,
}

/// What happens to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PaymentEvent {
    /// The gateway approved.
    Approve,
    /// The gateway declined.
    Decline,
    /// The gateway will tell later.
    Defer,
    /// The outcome is not known.
    Lose,
    /// It was not sent and never will be.
    Cancel,
}

impl PaymentState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Intent, Self::Pending, Self::Unknown, Self::Processed, Self::Declined, Self::Canceled];

    /// The whole machine: a pair that is not listed is refused.
    pub const TRANSITIONS: &'static [(Self, PaymentEvent, Self)] = &[
        (Self::Intent, PaymentEvent::Approve, Self::Processed),
        (Self::Intent, PaymentEvent::Decline, Self::Declined),
        (Self::Intent, PaymentEvent::Defer, Self::Pending),
        (Self::Intent, PaymentEvent::Lose, Self::Unknown),
        (Self::Intent, PaymentEvent::Cancel, Self::Canceled),
        (Self::Pending, PaymentEvent::Approve, Self::Processed),
        (Self::Pending, PaymentEvent::Decline, Self::Declined),
        (Self::Unknown, PaymentEvent::Approve, Self::Processed),
        (Self::Unknown, PaymentEvent::Decline, Self::Declined),
        (Self::Unknown, PaymentEvent::Defer, Self::Pending),
        // Only a look-up can tell, and only where nothing is sent any more: its run was stopped.
        (Self::Unknown, PaymentEvent::Cancel, Self::Canceled),
    ];

    /// The state after an event, if the machine allows it.
    pub fn after(self, event: PaymentEvent) -> Option<Self> {
        Self::TRANSITIONS.iter().find(|(from, on, _)| *from == self && *on == event).map(|(_, _, to)| *to)
    }

    /// Whether the documents stay held, because money may have moved.
    pub fn is_in_doubt(self) -> bool {
        matches!(self, Self::Intent | Self::Pending | Self::Unknown)
    }
}

/// How the money comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PaymentKind {
    /// Charged through a gateway.
    Electronic,
    /// Received elsewhere and only recorded here.
    External,
}

/// The part of a payment that goes to one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentPart {
    /// The document.
    pub document: DocumentId,
    /// Minor units of the payment's currency.
    pub amount_minor: i64,
}

/// What the gateway said last about a payment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GatewayAnswer {
    /// The gateway's name for the charge.
    pub reference: Option<String>,
    /// Its code, such as `card_declined`.
    pub code: Option<String>,
    /// Its words.
    pub message: Option<String>,
}

impl GatewayAnswer {
    /// The answer as it is stored: a gateway may repeat the number of a card.
    #[must_use]
    pub fn without_card_numbers(self) -> Self {
        let hide = |text: Option<String>| text.map(|text| without_card_numbers(&text));
        Self { reference: hide(self.reference), code: hide(self.code), message: hide(self.message) }
    }
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Identifier.
    pub id: PaymentId,
    /// Number, such as `P-00000001`.
    pub number: String,
    /// Who pays.
    pub account: AccountId,
    /// The run that made it.
    pub run: Option<RunId>,
    /// Electronic or external.
    pub kind: PaymentKind,
    /// Where it stands.
    pub state: PaymentState,
    /// Currency of all its amounts.
    pub currency: Currency,
    /// Total in minor units.
    pub amount_minor: i64,
    /// What no document has taken yet, in minor units; only a processed payment has any.
    pub unapplied_minor: i64,
    /// What is charged.
    pub payment_method: Option<PaymentMethodId>,
    /// Through which gateway.
    pub gateway: Option<GatewayId>,
    /// The idempotency key of its charge, which is the reference in the gateway's books. A payment that was not sent has none.
    #[serde(default)]
    pub charge_key: Option<String>,
    /// The gateway's last answer.
    pub answer: GatewayAnswer,
    /// Day on which it counts.
    pub effective_date: Date,
    /// The caller's own reference.
    pub reference_id: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// A standalone payment settles no document and counts in no balance.
    pub standalone: bool,
    /// When its outcome became definite (UTC).
    pub settled_at: Option<Timestamp>,
    /// Which documents it pays.
    pub parts: Vec<PaymentPart>,
    /// Who and when.
    pub stamps: Stamps,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definite_states_are_final() {
        for (from, event, to) in PaymentState::TRANSITIONS {
            assert!(from.is_in_doubt(), "{from:?} is final, yet {event:?} leads to {to:?}");
        }
    }

    #[test]
    fn every_pair_leads_to_one_state_at_most() {
        for (index, (from, event, _)) in PaymentState::TRANSITIONS.iter().enumerate() {
            let again =
                PaymentState::TRANSITIONS[index + 1..].iter().any(|(f, e, _)| f == from && e == event);
            assert!(!again, "{from:?} on {event:?} is listed twice");
        }
    }
}
