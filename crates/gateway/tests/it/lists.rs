//! The list of charges, over real sockets.

use jiff::Timestamp;
use payment_runs_engine::ports::{Delivery, Gateway, LISTED_PAGE_MAX, ListError, ListedState, NotSentCause};

use crate::support::{charge_of, gateway, request_for, simulator};

#[tokio::test]
async fn charges_are_listed_newest_first_over_several_pages() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let count = LISTED_PAGE_MAX * 2 + 1;
    let mut keys = Vec::new();
    for index in 0..count {
        let token = if index == 0 { "pm_card_chargeDeclined" } else { "pm_card_visa" };
        let request = request_for(&gateway, index as u128, token);
        gateway.charge(&request).await;
        keys.insert(0, request.idempotency_key);
    }
    let (mut listed, mut sizes, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let page = gateway.list_charges(Timestamp::UNIX_EPOCH, cursor.as_deref()).await.unwrap();
        sizes.push(page.charges.len());
        listed.extend(page.charges);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [LISTED_PAGE_MAX, LISTED_PAGE_MAX, 1]);
    let found: Vec<_> = listed.iter().filter_map(|charge| charge.key.clone()).collect();
    assert_eq!(found, keys);
    assert!(matches!(listed[count - 1].state, ListedState::Declined { .. }), "{:?}", listed[count - 1]);
    assert!(listed[..count - 1].iter().all(|charge| charge.state == ListedState::Approved));

    let charge = charge_of(count as u128 - 1, "pm_card_visa");
    let subject = &listed[0].subject;
    assert_eq!((listed[0].money, listed[0].is_of(charge.subject.ledger)), (Some(charge.money), true));
    assert_eq!(
        (subject.account, subject.entity),
        (Some(charge.subject.account), Some(charge.subject.entity))
    );
    assert_eq!(subject.document, charge.subject.documents.first().copied());

    let later = listed[0].created_at + std::time::Duration::from_secs(1);
    assert_eq!(gateway.list_charges(later, None).await.unwrap().charges, []);
    let unknown = gateway.list_charges(Timestamp::UNIX_EPOCH, Some("pi_nobody")).await;
    assert!(
        matches!(&unknown, Err(ListError::Unavailable(why)) if why.cause == NotSentCause::LedgerUnchecked),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_gateway_that_is_gone_lists_nothing() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let request = request_for(&gateway, 1, "pm_card_visa");
    assert!(matches!(gateway.charge(&request).await, Delivery::Approved(_)));
    simulator.stop().await;
    let listed = gateway.list_charges(Timestamp::UNIX_EPOCH, None).await;
    assert!(
        matches!(&listed, Err(ListError::Unavailable(why)) if why.cause == NotSentCause::NoConnection),
        "{listed:?}"
    );
}
