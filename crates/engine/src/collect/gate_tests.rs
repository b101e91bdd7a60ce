#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! What the gate lets through, for every account that a gateway can name or hide.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::*;
use crate::collect::ledger_guard::bench::{Complete, guard};
use crate::money::{Currency, Money};
use crate::ports::Doubt;

const ID: GatewayId = GatewayId::from_u128(1);
const ADDRESS: &str = "https://bank";

/// A gateway that names its account from a script; the last answer repeats.
struct Named {
    settings: GatewaySettings,
    accounts: Mutex<VecDeque<Result<Option<String>, AccountUnavailable>>>,
    /// What was asked of it: `a` for the account, `c` for a charge, `l` for a look-up, `t` for a token.
    calls: Mutex<String>,
}

impl Named {
    fn note(&self, call: char) {
        self.calls.lock().unwrap().push(call);
    }
}

impl EncodeCharge for Named {
    fn encode(&self, _: &Charge) -> Vec<u8> {
        Vec::new()
    }
}

#[async_trait]
impl Gateway for Named {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }
    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        self.note('a');
        // So that others come while the answer is under way.
        tokio::task::yield_now().await;
        let mut accounts = self.accounts.lock().unwrap();
        if accounts.len() > 1 { accounts.pop_front().unwrap() } else { accounts[0].clone() }
    }
    async fn charge(&self, _: &ChargeRequest) -> Delivery {
        self.note('c');
        Delivery::Unknown { doubt: Doubt::Unclear, why: "charged".to_owned() }
    }
    async fn look_up(&self, _: &str) -> LookUp {
        self.note('l');
        LookUp::NeverSeen
    }
    async fn list_charges(&self, _: Timestamp, _: Option<&str>) -> Result<ChargePage, ListError> {
        Ok(ChargePage::default())
    }
    async fn tokenize(&self, _: &InstrumentDetails, _: &str) -> Result<Tokenized, TokenizeError> {
        self.note('t');
        Ok(Tokenized::default())
    }
}

/// One account that is kept, and how many payments are in doubt at it.
#[derive(Default)]
struct Kept {
    account: Mutex<Option<String>>,
    in_doubt: u64,
}

#[async_trait]
impl GatewayAccounts for Kept {
    async fn ensure_gateway_account(&self, _: GatewayId, account: &str) -> Result<String, StoreError> {
        let mut kept = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.get_or_insert_with(|| account.to_owned()).clone())
    }
    async fn put_gateway_account(&self, _: GatewayId, account: &str) -> Result<(), StoreError> {
        *self.account.lock().unwrap() = Some(account.to_owned());
        Ok(())
    }
    async fn count_in_doubt(&self, _: GatewayId) -> Result<u64, StoreError> {
        Ok(self.in_doubt)
    }
}

struct Bench {
    gateway: Arc<Named>,
    kept: Arc<Kept>,
    gate: AccountGate,
}

type Answer = Result<Option<String>, AccountUnavailable>;

fn bench(kept: Option<&str>, in_doubt: u64, answers: impl IntoIterator<Item = Answer>) -> Bench {
    let settings = GatewaySettings {
        concurrency: 1,
        rate_per_s: None,
        timeout: Duration::from_secs(1),
        key_life: Duration::from_hours(24),
        supports_look_up: true,
    };
    let accounts = Mutex::new(answers.into_iter().collect());
    let gateway = Arc::new(Named { settings, accounts, calls: Mutex::default() });
    let kept = Arc::new(Kept { account: Mutex::new(kept.map(str::to_owned)), in_doubt });
    let guard = guard(Arc::new(Complete::default()));
    let gate = AccountGate::new(gateway.clone(), kept.clone(), guard, ID, ADDRESS.to_owned());
    Bench { gateway, kept, gate }
}

impl Bench {
    async fn charge(&self) -> Delivery {
        let money = Money::new(1_000, Currency::USD);
        let body = Arc::from(&b"body"[..]);
        let request = ChargeRequest { idempotency_key: "key".to_owned(), money, body };
        match self.gate.charge(&request).await {
            // A charge that waited for the comparison is delivered again.
            Delivery::NotSent { cause: NotSentCause::LedgerCompared, .. } => self.gate.charge(&request).await,
            delivery => delivery,
        }
    }

    fn calls(&self) -> String {
        self.gateway.calls.lock().unwrap().clone()
    }

    fn account(&self) -> Option<String> {
        self.kept.account.lock().unwrap().clone()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an answer of the port")]
fn named(account: &str) -> Answer {
    Ok(Some(account.to_owned()))
}

fn unavailable(cause: NotSentCause) -> AccountUnavailable {
    AccountUnavailable { cause, why: "no answer".to_owned(), retry_after: Some(Duration::from_secs(7)) }
}

#[tokio::test]
async fn the_account_is_asked_for_once_and_kept() {
    let bench = bench(None, 0, [named("acct_1"), named("acct_2")]);
    for _ in 0..2 {
        assert!(matches!(bench.charge().await, Delivery::Unknown { .. }));
    }
    assert_eq!(bench.gate.look_up("key").await, LookUp::NeverSeen);
    assert_eq!(bench.calls(), "accl");
    assert_eq!(bench.account().as_deref(), Some("acct_1"));
}

#[tokio::test]
async fn the_address_stands_for_an_account_that_is_not_named() {
    let bench = bench(None, 0, [Ok(None)]);
    bench.charge().await;
    assert_eq!((bench.calls().as_str(), bench.account().as_deref()), ("ac", Some(ADDRESS)));
}

#[tokio::test]
async fn nothing_reaches_another_account_until_the_right_one_is_back() {
    // Also where nothing is in doubt: only a start lets payments go to another account.
    let bench =
        bench(Some("acct_1"), 0, [named("acct_2"), named("acct_2"), named("acct_2"), named("acct_1")]);
    let why =
        "the payments belong to the gateway account acct_1, and the gateway charges at acct_2".to_owned();
    let not_sent =
        Delivery::NotSent { cause: NotSentCause::AnotherAccount, why: why.clone(), retry_after: None };
    assert_eq!(bench.charge().await, not_sent);
    assert_eq!(bench.gate.look_up("key").await, LookUp::CannotTell { why: why.clone() });
    let details = InstrumentDetails::BankAccount {
        number: "1".to_owned(),
        routing_number: None,
        holder_name: None,
        holder_email: None,
        kind: crate::payment_method::PaymentMethodKind::Ach,
    };
    assert_eq!(bench.gate.tokenize(&details, "key").await, Err(TokenizeError::Unavailable { why }));
    assert_eq!((bench.calls().as_str(), bench.account().as_deref()), ("aaa", Some("acct_1")));
    assert!(bench.gate.tokenize(&details, "key").await.is_ok());
    assert!(matches!(bench.charge().await, Delivery::Unknown { .. }));
    assert_eq!(bench.calls(), "aaaatc");
    assert!(!NotSentCause::AnotherAccount.is_passing());
}

#[tokio::test]
async fn a_gateway_that_does_not_say_is_sent_nothing() {
    for cause in [NotSentCause::NoConnection, NotSentCause::Credentials, NotSentCause::AccountUnconfirmed] {
        let bench = bench(Some("acct_1"), 0, [Err(unavailable(cause)), named("acct_1")]);
        let AccountUnavailable { cause, why, retry_after } = unavailable(cause);
        assert_eq!(bench.charge().await, Delivery::NotSent { cause, why, retry_after });
        assert_eq!(bench.calls(), "a");
        assert!(matches!(bench.charge().await, Delivery::Unknown { .. }));
        assert_eq!(bench.calls(), "aac");
    }
}

#[tokio::test]
async fn charges_that_wait_share_one_answer() {
    let answers = [Err(unavailable(NotSentCause::NoConnection)), named("acct_1")];
    let bench = bench(Some("acct_1"), 0, answers);
    let deliveries = futures_util::future::join_all((0..20).map(|_| bench.charge())).await;
    assert!(deliveries.iter().all(|one| matches!(one, Delivery::NotSent { .. })), "{deliveries:?}");
    assert_eq!(bench.calls(), "a");
    futures_util::future::join_all((0..20).map(|_| bench.charge())).await;
    assert_eq!(bench.calls(), format!("aa{}", "c".repeat(20)));
}

#[tokio::test]
async fn a_start_refuses_another_account_while_payments_are_in_doubt() {
    let refused = bench(Some("acct_1"), 3, [named("acct_2")]);
    let (account, found) = ("acct_1".to_owned(), "acct_2".to_owned());
    assert_eq!(refused.gate.start(false).await.unwrap(), Start::Refused { account, found, in_doubt: 3 });
    assert_eq!(refused.account().as_deref(), Some("acct_1"));
    assert!(matches!(refused.charge().await, Delivery::NotSent { .. }), "it is no confirmation");

    for (in_doubt, has_moved) in [(0, false), (3, true)] {
        let moved = bench(Some("acct_1"), in_doubt, [named("acct_2")]);
        assert_eq!(moved.gate.start(has_moved).await.unwrap(), Start::Confirmed);
        assert_eq!(moved.account().as_deref(), Some("acct_2"));
        moved.charge().await;
        assert_eq!(moved.calls(), "ac", "it is confirmed");
    }

    let unavailable = unavailable(NotSentCause::NoConnection);
    let blind = bench(Some("acct_1"), 3, [Err(unavailable.clone()), named("acct_2")]);
    assert_eq!(blind.gate.start(true).await.unwrap(), Start::Unconfirmed(unavailable));
    assert!(matches!(blind.charge().await, Delivery::NotSent { cause: NotSentCause::AnotherAccount, .. }));
}
