//! The state machines, pair by pair.

use crate::document::DocumentKind;
use crate::payment::{PaymentEvent, PaymentState};
use crate::plan::{SettledPart, SettlementView, settle_payment, settle_records};
use crate::ports::{Doubt, NotSentCause, Outcome};
use crate::run::{Count, DeletePolicy, RunEvent, RunStatus};

const PAYMENT_EVENTS: [PaymentEvent; 5] = [
    PaymentEvent::Approve,
    PaymentEvent::Decline,
    PaymentEvent::Defer,
    PaymentEvent::Lose,
    PaymentEvent::Cancel,
];

#[test]
fn payments_move_as_the_table_says_and_not_otherwise() {
    use PaymentState as S;
    let expected = |state, event| match (state, event) {
        (S::Intent | S::Pending | S::Unknown, PaymentEvent::Approve) => Some(S::Processed),
        (S::Intent | S::Pending | S::Unknown, PaymentEvent::Decline) => Some(S::Declined),
        (S::Intent | S::Unknown, PaymentEvent::Defer) => Some(S::Pending),
        (S::Intent, PaymentEvent::Lose) => Some(S::Unknown),
        (S::Intent | S::Unknown, PaymentEvent::Cancel) => Some(S::Canceled),
        _ => None,
    };
    for state in S::ALL {
        for event in PAYMENT_EVENTS {
            assert_eq!(state.after(event), expected(state, event), "{state:?} on {event:?}");
        }
    }
}

#[test]
fn runs_move_as_the_table_says_and_not_otherwise() {
    use {DeletePolicy as D, RunEvent as E, RunStatus as S};
    let expected = |status, event| match (status, event) {
        (S::Pending, E::Start) => Some(S::Processing),
        (S::Pending, E::Cancel) | (S::Processing, E::Stop) => Some(S::Canceled),
        (S::Processing, E::Complete) => Some(S::Completed),
        (S::Processing, E::Fail) => Some(S::Error),
        _ => None,
    };
    for status in S::ALL {
        for event in [E::Start, E::Complete, E::Fail, E::Cancel, E::Stop] {
            assert_eq!(status.after(event), expected(status, event), "{status:?} on {event:?}");
        }
        assert_eq!(status.can_update(), status == S::Pending);
        assert_eq!(status.can_delete(D::CanceledOrError), matches!(status, S::Canceled | S::Error));
        assert_eq!(status.can_delete(D::CanceledOrPending), matches!(status, S::Canceled | S::Pending));
    }
}

fn outcomes() -> [Outcome; 6] {
    let text = || "x".to_owned();
    [
        Outcome::Approved { reference: text() },
        Outcome::Declined { code: text(), message: text(), reference: None },
        Outcome::Pending { reference: text() },
        Outcome::Unknown { doubt: Doubt::Unanswered, why: text() },
        Outcome::NotSent { cause: NotSentCause::Stopped, why: text() },
        Outcome::NotSent { cause: NotSentCause::Credentials, why: text() },
    ]
}

#[test]
fn an_outcome_pays_releases_and_counts_once() {
    let part = |kind, amount_minor, balance_minor| SettledPart { kind, amount_minor, balance_minor };
    for state in PaymentState::ALL {
        for outcome in outcomes() {
            let parts = vec![part(DocumentKind::Invoice, 30, 30), part(DocumentKind::DebitMemo, 20, 70)];
            let view = SettlementView { state, amount_minor: 50, parts };
            let Some(mut effect) = settle_payment(&view, &outcome) else {
                assert!(!state.is_in_doubt() || state != PaymentState::Intent, "{state:?} {outcome:?}");
                continue;
            };
            assert!(state.is_in_doubt());
            assert_eq!(effect.pays_documents, effect.state == PaymentState::Processed);
            assert_eq!(effect.releases_documents, !effect.state.is_in_doubt());
            let (whole, none) = (Count { number: 1, amount_minor: 50 }, Count::default());
            let less = Count { number: -1, amount_minor: -50 };
            let is_final = !effect.state.is_in_doubt();
            assert_eq!(effect.tally.processing, if is_final { less } else { none });
            assert_eq!(effect.tally.payments, if effect.pays_documents { whole } else { none });
            let is_error = effect.state == PaymentState::Declined || outcome.is_kept_back();
            assert_eq!(effect.tally.errors, if is_error { whole } else { none });
            if effect.pays_documents {
                assert_eq!(effect.tally.unprocessed_invoices, Count { number: -1, amount_minor: -30 });
                assert_eq!(effect.tally.unprocessed_debit_memos, Count { number: 0, amount_minor: -20 });
            }
            settle_records(&mut effect, 2);
            let (processed, failed) = (effect.tally.processed_records, effect.tally.error_records);
            assert_eq!(processed + failed, if is_final { 2 } else { 0 });
            assert_eq!(processed > 0, effect.pays_documents);
        }
    }
}
