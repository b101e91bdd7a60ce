//! How a simulated payment method behaves when it is charged: a closed table, named by a slug
//! that is written into every token, so that a token alone says how its charges end.

/// A refusal as the dialect words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decline {
    /// The `code` of the error, such as `card_declined`.
    pub code: &'static str,
    /// The `decline_code`, where the network gives one.
    pub decline_code: Option<&'static str>,
    /// The sentence for people.
    pub message: &'static str,
}

/// How a charge ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The money is collected.
    Approve,
    /// The charge is refused.
    Decline(Decline),
    /// The charge is never settled: it stays `processing`.
    StayProcessing,
}

/// What a payment method does when it is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// The name inside tokens. Letters and digits only, because `_` separates a token's parts.
    pub slug: &'static str,
    /// How long the charge is `processing` before it ends, in milliseconds; 0 ends it at once.
    pub settles_after_ms: i64,
    /// How it ends.
    pub ending: Ending,
}

/// The three minutes for which the delayed test accounts stay `processing`.
const DELAYED_SETTLEMENT_MS: i64 = 180_000;

const fn declines(
    slug: &'static str,
    code: &'static str,
    decline_code: Option<&'static str>,
    message: &'static str,
) -> Behaviour {
    Behaviour { slug, settles_after_ms: 0, ending: Ending::Decline(Decline { code, decline_code, message }) }
}

const CARD_DECLINED: &str = "Your card was declined.";

/// The charge succeeds.
pub const APPROVE: Behaviour = Behaviour { slug: "approve", settles_after_ms: 0, ending: Ending::Approve };
/// The charge is pending and never settles.
pub const PROCESSING: Behaviour =
    Behaviour { slug: "processing", settles_after_ms: 0, ending: Ending::StayProcessing };
/// The charge is pending for three minutes and then succeeds.
pub const APPROVE_LATER: Behaviour =
    Behaviour { slug: "approveLater", settles_after_ms: DELAYED_SETTLEMENT_MS, ending: Ending::Approve };
/// The charge is pending for three minutes and then fails.
pub const DECLINE_LATER: Behaviour = Behaviour {
    slug: "declineLater",
    settles_after_ms: DELAYED_SETTLEMENT_MS,
    ending: Ending::Decline(Decline {
        code: "payment_intent_payment_attempt_failed",
        decline_code: None,
        message: "The payment failed.",
    }),
};
/// The issuer gives no reason.
pub const DECLINE: Behaviour = declines("decline", "card_declined", Some("generic_decline"), CARD_DECLINED);
/// The card can be stored, and is declined when it is charged.
pub const CHARGE_FAIL: Behaviour =
    declines("chargeFail", "card_declined", Some("generic_decline"), CARD_DECLINED);
/// Not enough money.
pub const INSUFFICIENT_FUNDS: Behaviour = declines(
    "insufficientFunds",
    "card_declined",
    Some("insufficient_funds"),
    "Your card has insufficient funds.",
);
/// Reported lost.
pub const LOST_CARD: Behaviour = declines("lostCard", "card_declined", Some("lost_card"), CARD_DECLINED);
/// Reported stolen.
pub const STOLEN_CARD: Behaviour =
    declines("stolenCard", "card_declined", Some("stolen_card"), CARD_DECLINED);
/// Past its expiry date.
pub const EXPIRED_CARD: Behaviour =
    declines("expiredCard", "expired_card", Some("expired_card"), "Your card has expired.");
/// A wrong security code.
pub const INCORRECT_CVC: Behaviour = declines(
    "incorrectCvc",
    "incorrect_cvc",
    Some("incorrect_cvc"),
    "Your card's security code is incorrect.",
);
/// The issuer's systems failed.
pub const PROCESSING_ERROR: Behaviour = declines(
    "processingError",
    "processing_error",
    Some("processing_error"),
    "An error occurred while processing your card. Try again in a little bit.",
);
/// Too much or too often.
pub const VELOCITY_EXCEEDED: Behaviour = declines(
    "velocityExceeded",
    "card_declined",
    Some("card_velocity_exceeded"),
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
);
/// Blocked as fraud.
pub const FRAUDULENT: Behaviour = declines("fraudulent", "card_declined", Some("fraudulent"), CARD_DECLINED);
/// The cardholder would have to authenticate, which nobody can do off session.
pub const AUTHENTICATION_REQUIRED: Behaviour = declines(
    "authenticationRequired",
    "authentication_required",
    Some("authentication_required"),
    "Your card was declined. This transaction requires authentication.",
);
/// The bank account was closed.
pub const ACCOUNT_CLOSED: Behaviour =
    declines("accountClosed", "account_closed", None, "The customer's bank account has been closed.");
/// No such bank account.
pub const NO_ACCOUNT: Behaviour =
    declines("noAccount", "no_account", None, "The customer's bank account could not be located.");
/// Not enough money on the bank account.
pub const BANK_INSUFFICIENT_FUNDS: Behaviour = declines(
    "bankInsufficientFunds",
    "insufficient_funds",
    None,
    "The customer's account has insufficient funds to cover this payment.",
);
/// The customer did not authorise debits.
pub const DEBIT_NOT_AUTHORIZED: Behaviour = declines(
    "debitNotAuthorized",
    "debit_not_authorized",
    None,
    "The customer has notified their bank that this payment was unauthorized.",
);
/// The account is not in the charge's currency.
pub const INVALID_CURRENCY: Behaviour = declines(
    "invalidCurrency",
    "invalid_currency",
    None,
    "The bank was unable to process this payment because of its currency.",
);
/// A debit that comes back without a reason.
pub const BANK_DECLINE: Behaviour =
    declines("bankDecline", "payment_intent_payment_attempt_failed", None, "The payment failed.");

/// Every behaviour; a token names one of them.
pub const BEHAVIOURS: &[&Behaviour] = &[
    &APPROVE,
    &PROCESSING,
    &APPROVE_LATER,
    &DECLINE_LATER,
    &DECLINE,
    &CHARGE_FAIL,
    &INSUFFICIENT_FUNDS,
    &LOST_CARD,
    &STOLEN_CARD,
    &EXPIRED_CARD,
    &INCORRECT_CVC,
    &PROCESSING_ERROR,
    &VELOCITY_EXCEEDED,
    &FRAUDULENT,
    &AUTHENTICATION_REQUIRED,
    &ACCOUNT_CLOSED,
    &NO_ACCOUNT,
    &BANK_INSUFFICIENT_FUNDS,
    &DEBIT_NOT_AUTHORIZED,
    &INVALID_CURRENCY,
    &BANK_DECLINE,
];

/// What is known of a charge at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Collected.
    Succeeded,
    /// Refused.
    Declined(Decline),
    /// Not settled yet.
    Processing,
}

impl Behaviour {
    /// The behaviour with this slug.
    pub fn named(slug: &str) -> Option<&'static Behaviour> {
        BEHAVIOURS.iter().copied().find(|behaviour| behaviour.slug == slug)
    }

    /// How a charge made at `charged_at_ms` stands at `now_ms`.
    pub fn standing(&self, charged_at_ms: i64, now_ms: i64) -> Standing {
        if now_ms.saturating_sub(charged_at_ms) < self.settles_after_ms {
            return Standing::Processing;
        }
        match self.ending {
            Ending::Approve => Standing::Succeeded,
            Ending::Decline(decline) => Standing::Declined(decline),
            Ending::StayProcessing => Standing::Processing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slug_is_unique_and_fits_into_a_token() {
        for (index, behaviour) in BEHAVIOURS.iter().enumerate() {
            assert!(behaviour.slug.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{}", behaviour.slug);
            assert_eq!(Behaviour::named(behaviour.slug), Some(*behaviour));
            assert!(BEHAVIOURS.iter().skip(index + 1).all(|other| other.slug != behaviour.slug));
        }
    }

    #[test]
    fn a_delayed_charge_is_processing_until_it_settles() {
        assert_eq!(APPROVE.standing(1_000, 1_000), Standing::Succeeded);
        assert_eq!(APPROVE_LATER.standing(1_000, 180_999), Standing::Processing);
        assert_eq!(APPROVE_LATER.standing(1_000, 181_000), Standing::Succeeded);
        assert!(matches!(DECLINE_LATER.standing(1_000, 181_000), Standing::Declined(_)));
        assert_eq!(PROCESSING.standing(0, i64::MAX), Standing::Processing);
    }
}
