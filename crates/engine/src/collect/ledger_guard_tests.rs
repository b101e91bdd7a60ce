#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! What is noticed, for every list that a gateway can give.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::bench::{Complete, LEDGER, guard};
use super::*;
use crate::fixtures::now;
use crate::ports::{
    Charge, ChargeRequest, Delivery, EncodeCharge, GatewaySettings, InstrumentDetails, ListedCharge,
    ListedState, ListedSubject, LookUp, TokenizeError, Tokenized,
};

const ID: GatewayId = GatewayId::from_u128(1);

/// A gateway that gives its list page by page from a script.
#[derive(Default)]
struct Listing {
    pages: Mutex<VecDeque<Result<ChargePage, ListError>>>,
    asked: Mutex<Vec<(Timestamp, Option<String>)>>,
}

impl EncodeCharge for Listing {
    fn encode(&self, _: &Charge) -> Vec<u8> {
        Vec::new()
    }
}

#[async_trait]
impl Gateway for Listing {
    fn settings(&self) -> &GatewaySettings {
        unreachable!("the settings are not read")
    }
    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        Ok(None)
    }
    async fn charge(&self, _: &ChargeRequest) -> Delivery {
        unreachable!("nothing is charged")
    }
    async fn look_up(&self, _: &str) -> LookUp {
        LookUp::NeverSeen
    }
    async fn list_charges(&self, since: Timestamp, cursor: Option<&str>) -> Result<ChargePage, ListError> {
        self.asked.lock().unwrap().push((since, cursor.map(str::to_owned)));
        self.pages.lock().unwrap().pop_front().unwrap_or_else(|| Ok(ChargePage::default()))
    }
    async fn tokenize(&self, _: &InstrumentDetails, _: &str) -> Result<Tokenized, TokenizeError> {
        Ok(Tokenized::default())
    }
}

fn charge(ordinal: u32, ledger: LedgerId) -> ListedCharge {
    ListedCharge {
        reference: format!("ch_{ordinal}"),
        key: Some(format!("{ledger}-c{ordinal}")),
        money: None,
        state: ListedState::Approved,
        created_at: now() + Duration::from_secs(u64::from(ordinal)),
        subject: ListedSubject::default(),
    }
}

fn page(charges: impl IntoIterator<Item = ListedCharge>, next: Option<&str>) -> ChargePage {
    ChargePage { charges: charges.into_iter().collect(), next: next.map(str::to_owned) }
}

fn gateway(pages: impl IntoIterator<Item = Result<ChargePage, ListError>>) -> Listing {
    Listing { pages: Mutex::new(pages.into_iter().collect()), asked: Mutex::default() }
}

fn ledger(keys: impl IntoIterator<Item = u32>) -> Arc<Complete> {
    let keys = keys.into_iter().map(|one| format!("{LEDGER}-c{one}")).collect();
    Arc::new(Complete { keys: Mutex::new(keys), ..Complete::default() })
}

#[tokio::test]
async fn a_ledger_that_knows_its_charges_is_complete_up_to_the_newest() {
    let ledger = ledger([1, 2]);
    let other = LedgerId::from_u128(8);
    let pages = [page([charge(9, other), charge(2, LEDGER)], Some("more")), page([charge(1, LEDGER)], None)];
    let gateway = gateway(pages.map(Ok));
    let guard = guard(ledger.clone());
    guard.check(&gateway, ID).await.unwrap();
    assert_eq!(guard.held(), None);
    assert_eq!(*ledger.listed_until.lock().unwrap(), Some(now() + Duration::from_secs(9)));
    let since = now() - LISTING_MARGIN;
    assert_eq!(*gateway.asked.lock().unwrap(), [(since, None), (since, Some("more".to_owned()))]);
}

#[tokio::test]
async fn one_unknown_charge_of_this_ledger_holds_everything_also_after_a_restart() {
    let restored = ledger([1]);
    let first = guard(restored.clone());
    let pages = [page([charge(1, LEDGER)], Some("more")), page([charge(2, LEDGER)], None)];
    first.check(&gateway(pages.map(Ok)), ID).await.unwrap();
    assert!(first.held().is_some_and(|why| why.contains("-c2")), "{:?}", first.held());
    assert_eq!(*restored.listed_until.lock().unwrap(), Some(now()), "it is not complete");

    let second = guard(restored.clone());
    assert_eq!(second.held(), None, "nobody has looked");
    let quiet = gateway([]);
    second.check(&quiet, ID).await.unwrap();
    assert_eq!((second.held(), quiet.asked.lock().unwrap().len()), (first.held(), 0));
}

#[tokio::test]
async fn an_operator_can_hold_everything_without_a_list() {
    let ledger = ledger([]);
    let guard = guard(ledger.clone());
    guard.hold("told so").await.unwrap();
    assert_eq!(guard.held().as_deref(), Some("told so"));
    assert_eq!(ledger.hold.lock().unwrap().as_ref().map(|hold| hold.why.as_str()), Some("told so"));
}

#[tokio::test]
async fn what_cannot_be_listed_is_not_known_and_what_has_no_list_is_let_through() {
    let unavailable = AccountUnavailable {
        cause: NotSentCause::NoConnection,
        why: "no line".to_owned(),
        retry_after: None,
    };
    let pages = [Err(ListError::Unavailable(unavailable.clone())), Ok(page([charge(1, LEDGER)], None))];
    let (known, down) = (guard(ledger([1])), gateway(pages));
    assert_eq!(known.check(&down, ID).await, Err(unavailable));
    known.check(&down, ID).await.unwrap();
    assert_eq!(known.held(), None);

    let none = guard(ledger([]));
    none.check(&gateway([Err(ListError::NotSupported { why: "404".to_owned() })]), ID).await.unwrap();
    assert_eq!(none.held(), None);

    let broken = ledger([1]);
    *broken.is_broken.lock().unwrap() = true;
    let guard = guard(broken);
    let failed = guard.check(&gateway([Ok(page([charge(1, LEDGER)], None))]), ID).await;
    assert_eq!(failed.map_err(|error| error.cause), Err(NotSentCause::LedgerUnchecked));
}

#[tokio::test]
async fn a_long_list_is_read_until_enough_is_known() {
    let size = u32::try_from(crate::ports::LISTED_PAGE_MAX).unwrap();
    let count = u32::try_from(KNOWN_CHARGES_ENOUGH).unwrap();
    let pages = (0..count / size + 5).rev().map(|index| {
        Ok(page((index * size..(index + 1) * size).rev().map(|one| charge(one, LEDGER)), Some("more")))
    });
    let gateway = gateway(pages);
    guard(ledger(0..count + 5 * size)).check(&gateway, ID).await.unwrap();
    assert_eq!(gateway.asked.lock().unwrap().len(), KNOWN_CHARGES_ENOUGH / crate::ports::LISTED_PAGE_MAX);
}
