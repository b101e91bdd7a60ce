#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! What is sent, asked and concluded, for every answer a gateway can give.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::fixtures::now;
use crate::ids::{EntityKey, GatewayId, PaymentId};
use crate::money::{Currency, Money};
use crate::ports::{
    AccountUnavailable, BoxFuture, Charge, ChargePage, ChargeRequest, Delivery, EncodeCharge,
    GatewaySettings, InstrumentDetails, ListError, ReportedCharge, TokenizeError, Tokenized,
};

const HOUR: Duration = Duration::from_hours(1);
const MONEY: Money = Money::new(1_000, Currency::USD);

/// A clock whose sleepers wake at once, by moving it.
struct LeapClock(Mutex<Timestamp>);

impl Clock for LeapClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
    fn elapsed(&self) -> Duration {
        crate::ports::since_epoch(self.now())
    }
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut time = self.0.lock().unwrap();
        *time = (*time).max(at);
        Box::pin(std::future::ready(()))
    }
}

/// A gateway that answers from a script; the last answer repeats.
struct Script {
    settings: GatewaySettings,
    charges: Mutex<VecDeque<Delivery>>,
    look_up: LookUp,
    /// What was asked of it: `c` for a charge, `l` for a look-up.
    calls: Mutex<String>,
}

#[async_trait]
impl Gateway for Script {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }
    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        Ok(None)
    }
    async fn charge(&self, request: &ChargeRequest) -> Delivery {
        assert_eq!((request.idempotency_key.as_str(), &*request.body), ("key", &b"body"[..]));
        self.calls.lock().unwrap().push('c');
        let mut charges = self.charges.lock().unwrap();
        if charges.len() > 1 { charges.pop_front().unwrap() } else { charges[0].clone() }
    }
    async fn look_up(&self, key: &str) -> LookUp {
        assert_eq!(key, "key");
        self.calls.lock().unwrap().push('l');
        self.look_up.clone()
    }
    async fn list_charges(&self, _: Timestamp, _: Option<&str>) -> Result<ChargePage, ListError> {
        Ok(ChargePage::default())
    }
    async fn tokenize(&self, _: &InstrumentDetails, _: &str) -> Result<Tokenized, TokenizeError> {
        Ok(Tokenized::default())
    }
}

impl EncodeCharge for Script {
    fn encode(&self, _: &Charge) -> Vec<u8> {
        Vec::new()
    }
}

struct One(Option<Arc<Script>>);

impl Gateways for One {
    fn find(&self, _: GatewayId) -> Option<Arc<dyn Gateway>> {
        self.0.clone().map(|script| script as Arc<dyn Gateway>)
    }
    fn admit(&self, _: GatewayId) -> BoxFuture<'_, Box<dyn Send>> {
        Box::pin(std::future::ready(Box::new(()) as Box<dyn Send>))
    }
}

/// The charge that was asked for, as the gateway reports it.
fn report() -> ReportedCharge {
    ReportedCharge { reference: "ch_1".to_owned(), key: Some("key".to_owned()), money: Some(MONEY) }
}

fn approved() -> Delivery {
    Delivery::Approved(report())
}

fn declined() -> Delivery {
    Delivery::Declined { code: "no".to_owned(), message: "no".to_owned(), reference: None }
}

fn pending() -> Delivery {
    Delivery::Pending(report())
}

fn refused() -> Delivery {
    Delivery::Refused { code: "no".to_owned(), message: "no".to_owned() }
}

fn unknown() -> Delivery {
    Delivery::Unknown { doubt: Doubt::Unanswered, why: "lost".to_owned() }
}

fn unclear_answer() -> Delivery {
    Delivery::Unknown { doubt: Doubt::Unclear, why: "lost".to_owned() }
}

fn conflict() -> Delivery {
    Delivery::Unknown { doubt: Doubt::Conflict, why: "lost".to_owned() }
}

fn not_sent() -> Delivery {
    Delivery::NotSent { cause: NotSentCause::NoConnection, why: "refused".to_owned(), retry_after: None }
}

fn turned_away() -> Delivery {
    Delivery::NotSent { cause: NotSentCause::Credentials, why: "refused".to_owned(), retry_after: None }
}

/// What an answer amounts to where nothing else is known.
fn outcome(delivery: Delivery) -> Outcome {
    match delivery {
        Delivery::Approved(charge) => Outcome::Approved { reference: charge.reference },
        Delivery::Pending(charge) => Outcome::Pending { reference: charge.reference },
        Delivery::Declined { code, message, reference } => Outcome::Declined { code, message, reference },
        Delivery::Refused { code, message } => Outcome::Declined { code, message, reference: None },
        Delivery::NotSent { cause, why, .. } => Outcome::NotSent { cause, why },
        Delivery::Unknown { doubt, why } => Outcome::Unknown { doubt, why },
    }
}

fn cannot_tell() -> LookUp {
    LookUp::CannotTell { why: "lost".to_owned() }
}

/// One world: a gateway that remembers keys for two hours, and an intent that is new.
#[allow(clippy::struct_excessive_bools, reason = "each is one way in which worlds differ")]
struct World {
    state: PaymentState,
    age: Duration,
    sent: bool,
    charges: Vec<Delivery>,
    look_up: LookUp,
    looks_up: bool,
    look_ups: u32,
    key_life: Duration,
    run_stopped: bool,
    bars_delivery: bool,
    settling_time: Duration,
    /// Whether the store lets another delivery begin.
    may_begin: bool,
}

impl World {
    fn new(charges: &[Delivery]) -> Self {
        let look_up = cannot_tell();
        Self {
            state: PaymentState::Intent,
            age: Duration::ZERO,
            sent: false,
            charges: charges.to_vec(),
            look_up,
            looks_up: true,
            look_ups: 0,
            key_life: 2 * HOUR,
            run_stopped: false,
            bars_delivery: false,
            settling_time: Duration::ZERO,
            may_begin: true,
        }
    }

    /// What is concluded, what was called, and how long it took.
    async fn resolve(self) -> (Option<Outcome>, String, Duration) {
        let settings = GatewaySettings {
            concurrency: 1,
            rate_per_s: None,
            timeout: Duration::from_secs(1),
            key_life: self.key_life,
            supports_look_up: self.looks_up,
        };
        let script = Arc::new(Script {
            settings,
            charges: Mutex::new(self.charges.into()),
            look_up: self.look_up,
            calls: Mutex::default(),
        });
        let clock = Arc::new(LeapClock(Mutex::new(now())));
        let gateways = Arc::new(One(Some(script.clone())));
        let collector = Collector::new(gateways, clock.clone(), SendPolicy::default());
        let collector = collector.settling_after(self.settling_time);
        let created_at = now().checked_sub(self.age).unwrap();
        let (look_ups, run_stopped, bars_delivery) = (self.look_ups, self.run_stopped, self.bars_delivery);
        let intent =
            Intent { look_ups, run_stopped, bars_delivery, ..intent(self.state, created_at, self.sent) };
        let begin = ready(self.may_begin);
        let outcome = collector.resolve_in_doubt(&intent, &Stopping::never(), begin).await;
        let calls = script.calls.lock().unwrap().clone();
        let took = clock.now().duration_since(now()).unsigned_abs();
        (outcome, calls, took)
    }
}

fn intent(state: PaymentState, created_at: Timestamp, may_have_been_sent: bool) -> Intent {
    Intent {
        entity: EntityKey::FIRST,
        payment: PaymentId::from_u128(1),
        state,
        gateway: GatewayId::from_u128(1),
        request: ChargeRequest {
            idempotency_key: "key".to_owned(),
            money: MONEY,
            body: Arc::from(&b"body"[..]),
        },
        created_at,
        look_ups: 0,
        deliveries: 0,
        may_have_been_sent,
        run_stopped: false,
        bars_delivery: false,
    }
}

async fn check(name: &str, world: World, known: Option<Delivery>, calls: &str) {
    let (concluded, called, _) = world.resolve().await;
    assert_eq!((concluded, called.as_str()), (known.map(outcome), calls), "{name}");
}

#[tokio::test]
async fn a_new_intent_is_sent_until_it_is_answered() {
    for answer in [approved(), declined(), pending()] {
        check("at once", World::new(std::slice::from_ref(&answer)), Some(answer.clone()), "c").await;
        check("refused first", World::new(&[not_sent(), answer.clone()]), Some(answer.clone()), "cc").await;
        check("lost first", World::new(&[unknown(), answer.clone()]), Some(answer), "cc").await;
    }
}

#[tokio::test]
async fn only_what_was_never_sent_is_given_up() {
    let all = "c".repeat(9);
    check("never sent", World::new(&[not_sent()]), Some(not_sent()), &all).await;
    check("turned away", World::new(&[turned_away()]), Some(turned_away()), "c").await;
    let lost = || Some(Delivery::Unknown { doubt: Doubt::Unanswered, why: "refused".to_owned() });
    let world = World { sent: true, ..World::new(&[not_sent()]) };
    check("sent by another worker", world, lost(), &format!("{all}l")).await;
    let world = World::new(&[unknown(), not_sent()]);
    check("sent by this worker", world, lost(), &format!("{all}l")).await;
    let world = World::new(&[unknown(), turned_away()]);
    check("turned away later", world, lost(), "ccl").await;
    check("never answered", World::new(&[unknown()]), Some(unknown()), "ccccl").await;
    check("answered without sense", World::new(&[unclear_answer()]), Some(unclear_answer()), "cl").await;
    let world = World { look_up: LookUp::NeverSeen, ..World::new(&[unknown()]) };
    check("perhaps under way", world, Some(unknown()), "ccccl").await;
    let world = World { look_up: LookUp::Found(approved()), ..World::new(&[unknown()]) };
    check("answered when asked", world, Some(approved()), "ccccl").await;
    let world = World { looks_up: false, ..World::new(&[unknown()]) };
    check("cannot be asked", world, Some(unknown()), "cccc").await;
}

/// A refusal says only that its own delivery did nothing.
#[tokio::test]
async fn a_refusal_after_doubt_is_no_decline() {
    check("at once", World::new(&[refused()]), Some(refused()), "c").await;
    check("after a stop", World::new(&[not_sent(), refused()]), Some(refused()), "cc").await;
    let why = "refused after a delivery in doubt: no: no".to_owned();
    let doubtful = || Some(Delivery::Unknown { doubt: Doubt::Unclear, why: why.clone() });
    check("after doubt", World::new(&[unknown(), refused()]), doubtful(), "ccl").await;
    let found = World { look_up: LookUp::Found(approved()), ..World::new(&[unknown(), refused()]) };
    check("after doubt, found", found, Some(approved()), "ccl").await;
    let crashed = World { sent: true, ..World::new(&[refused()]) };
    check("after a crash", crashed, doubtful(), "cl").await;
    let later = World { state: PaymentState::Unknown, sent: true, ..World::new(&[refused()]) };
    check("by the look-ups", later, None, "lc").await;
}

/// Nothing is delivered again by itself once the gateway contradicts the request.
#[tokio::test]
async fn a_contradiction_bars_every_other_delivery() {
    check("another request", World::new(&[conflict()]), Some(conflict()), "cl").await;
    let found = World { look_up: LookUp::Found(approved()), ..World::new(&[conflict()]) };
    check("another request, found", found, Some(approved()), "cl").await;
    let half = Money::new(500, Currency::USD);
    let wrong = Delivery::Approved(ReportedCharge { money: Some(half), ..report() });
    let why = format!("the gateway reports ch_1, of {half} USD instead of {MONEY} USD");
    let contradicted = || Some(Delivery::Unknown { doubt: Doubt::WrongCharge, why: why.clone() });
    check("another amount", World::new(std::slice::from_ref(&wrong)), contradicted(), "cl").await;
    for state in [PaymentState::Unknown, PaymentState::Pending] {
        let told = |bars_delivery| World {
            state,
            bars_delivery,
            look_up: LookUp::Found(wrong.clone()),
            ..World::new(&[approved()])
        };
        check("found with another amount", told(false), contradicted(), "l").await;
        check("found so once more", told(true), None, "l").await;
    }
    let barred = |run_stopped, look_up| World {
        state: PaymentState::Unknown,
        bars_delivery: true,
        run_stopped,
        look_up,
        ..World::new(&[approved()])
    };
    for run_stopped in [false, true] {
        check("barred", barred(run_stopped, LookUp::NeverSeen), None, "l").await;
        check("barred, no answer", barred(run_stopped, cannot_tell()), None, "l").await;
        check("barred, found", barred(run_stopped, LookUp::Found(declined())), Some(declined()), "l").await;
    }
}

#[tokio::test]
async fn an_old_key_is_never_sent_before_the_gateway_was_asked() {
    for sent in [false, true] {
        let old = |look_up| World { age: HOUR, sent, look_up, ..World::new(&[approved()]) };
        check("found", old(LookUp::Found(declined())), Some(declined()), "l").await;
        let (outcome_of_old, calls, _) = old(LookUp::NeverSeen).resolve().await;
        if sent {
            assert!(
                matches!(outcome_of_old, Some(Outcome::Unknown { .. })),
                "a delivery may still be under way"
            );
            assert_eq!(calls, "l");
        } else {
            assert_eq!((outcome_of_old, calls.as_str()), (Some(outcome(approved())), "lc"));
        }
        check("cannot tell", old(cannot_tell()), Some(unclear_answer()), "l").await;
        let world = World { looks_up: false, ..old(LookUp::NeverSeen) };
        let (outcome, calls, _) = world.resolve().await;
        assert!(matches!(outcome, Some(Outcome::Unknown { .. })) && calls.is_empty());
        let young =
            World { age: HOUR.saturating_sub(Duration::from_millis(1)), sent, ..World::new(&[approved()]) };
        check("young", young, Some(approved()), "c").await;
    }
}

#[tokio::test]
async fn a_gateway_without_keys_gets_a_lost_charge_once() {
    let world =
        |look_up, charges: &[Delivery]| World { key_life: Duration::ZERO, look_up, ..World::new(charges) };
    check("answered", world(LookUp::NeverSeen, &[approved()]), Some(approved()), "c").await;
    check("kept back first", world(LookUp::NeverSeen, &[not_sent(), approved()]), Some(approved()), "cc")
        .await;
    let (outcome, calls, _) = world(LookUp::NeverSeen, &[unknown(), approved()]).resolve().await;
    assert!(
        matches!(outcome, Some(Outcome::Unknown { .. })),
        "the first delivery may still arrive: {outcome:?}"
    );
    assert_eq!(calls, "cl");
    check("found", world(LookUp::Found(approved()), &[unknown()]), Some(approved()), "cl").await;
}

#[tokio::test]
async fn a_key_that_grows_old_between_deliveries_is_asked_about() {
    let age = HOUR.saturating_sub(Duration::from_millis(40));
    let world = World { age, look_up: LookUp::Found(approved()), ..World::new(&[unknown()]) };
    check("grew old", world, Some(approved()), "cl").await;
}

#[tokio::test]
async fn pauses_double_and_follow_the_gateway_within_bounds() {
    let (_, _, took) = World::new(&[not_sent()]).resolve().await;
    let longest = Duration::from_millis(100 * (1 + 2 + 4 + 8 + 16 + 32 + 64 + 128));
    assert!((longest / 2..=longest).contains(&took), "{took:?}");
    for (asked, expected) in [(7, 7), (3_600, 30)] {
        let retry_after = Some(Duration::from_secs(asked));
        let (cause, why) = (NotSentCause::TooManyRequests, "busy".to_owned());
        let busy = Delivery::NotSent { cause, why, retry_after };
        let (concluded, _, took) = World::new(&[busy, approved()]).resolve().await;
        assert_eq!((concluded, took), (Some(outcome(approved())), Duration::from_secs(expected)));
    }
}

#[tokio::test]
async fn a_pending_payment_is_only_asked_about() {
    let world = |look_up| World { state: PaymentState::Pending, look_up, ..World::new(&[approved()]) };
    check("found", world(LookUp::Found(declined())), Some(declined()), "l").await;
    check("still pending", world(LookUp::Found(pending())), None, "l").await;
    check("never seen", world(LookUp::NeverSeen), None, "l").await;
    check("cannot tell", world(cannot_tell()), None, "l").await;
}

#[tokio::test]
async fn an_unknown_payment_is_asked_about_and_sent_again_only_under_a_young_key() {
    let world = |look_up, age, answer| World {
        state: PaymentState::Unknown,
        sent: true,
        look_ups: 1_000,
        age,
        look_up,
        ..World::new(&[answer])
    };
    let (young, old) = (Duration::ZERO, HOUR);
    check("found", world(LookUp::Found(approved()), old, declined()), Some(approved()), "l").await;
    check("never seen, old", world(LookUp::NeverSeen, old, declined()), None, "l").await;
    let taken = World { may_begin: false, ..world(LookUp::NeverSeen, young, declined()) };
    check("young, and somebody else delivers it", taken, None, "l").await;
    check("never seen, young", world(LookUp::NeverSeen, young, declined()), Some(declined()), "lc").await;
    check("cannot tell, young", world(cannot_tell(), young, approved()), Some(approved()), "lc").await;
    check("cannot tell, old", world(cannot_tell(), old, approved()), None, "l").await;
    check("not sent", world(cannot_tell(), young, not_sent()), None, "lc").await;
    check("lost again", world(cannot_tell(), young, unknown()), None, "lc").await;
    check("contradicted", world(cannot_tell(), young, conflict()), Some(conflict()), "lc").await;
}

#[tokio::test]
async fn without_its_gateway_a_payment_is_never_taken_for_paid() {
    let clock = Arc::new(LeapClock(Mutex::new(now())));
    let collector = Collector::new(Arc::new(One(None)), clock, SendPolicy::default());
    for (state, sent, expected) in [
        (PaymentState::Intent, false, "NotSent"),
        (PaymentState::Intent, true, "Unknown"),
        (PaymentState::Unknown, true, "None"),
        (PaymentState::Pending, true, "None"),
    ] {
        let outcome = collector.resolve(&intent(state, now(), sent), &Stopping::never()).await;
        assert!(format!("{outcome:?}").contains(expected), "{state:?} {sent}: {outcome:?}");
    }
}

#[tokio::test]
async fn nothing_is_begun_once_the_work_stops() {
    let (stopper, stopping) = Stopping::pair();
    stopper.stop();
    let collector =
        Collector::new(Arc::new(One(None)), Arc::new(LeapClock(Mutex::new(now()))), SendPolicy::default());
    assert!(collector.admit(&intent(PaymentState::Intent, now(), false), &stopping).await.is_none());
    let words = Words { stopping: &stopping, halted: &stopping, deliver_by: None };
    assert!(
        matches!(words.or(std::future::ready(())).await, Err(Interruption::WorkStops)),
        "the work's end comes first"
    );
}

#[tokio::test]
async fn nothing_of_a_stopped_run_is_sent() {
    let world = |sent, look_up| World { run_stopped: true, sent, look_up, ..World::new(&[approved()]) };
    let given_up = || {
        let (cause, why) = (NotSentCause::Stopped, RUN_STOPPED.to_owned());
        Some(Delivery::NotSent { cause, why, retry_after: None })
    };
    check("never sent", world(false, LookUp::Found(approved())), given_up(), "").await;
    check("found", world(true, LookUp::Found(declined())), Some(declined()), "l").await;
    for look_up in [cannot_tell(), LookUp::NeverSeen] {
        let (outcome, calls, _) = world(true, look_up).resolve().await;
        assert!(matches!(outcome, Some(Outcome::Unknown { .. })), "a delivery may still be under way");
        assert_eq!(calls, "l");
    }

    let doubtful = |look_up, settling_time| World {
        state: PaymentState::Unknown,
        settling_time,
        key_life: Duration::ZERO,
        ..world(true, look_up)
    };
    let (over, ahead) = (Duration::ZERO, HOUR);
    check("found later", doubtful(LookUp::Found(approved()), ahead), Some(approved()), "l").await;
    check("never seen, not settled", doubtful(LookUp::NeverSeen, ahead), None, "l").await;
    check("never seen, settled", doubtful(LookUp::NeverSeen, over), given_up(), "l").await;
    check("cannot tell, settled", doubtful(cannot_tell(), over), None, "l").await;
    let remembered = World { key_life: HOUR, ..doubtful(LookUp::NeverSeen, over) };
    check("never seen, in the key's life", remembered, None, "l").await;
    let pending = World { state: PaymentState::Pending, ..doubtful(LookUp::NeverSeen, over) };
    check("pending", pending, None, "l").await;
}

/// A run that is stopped while a charge waits for its next delivery: no other one begins.
#[tokio::test]
async fn a_stop_ends_the_deliveries_of_a_charge() {
    for (charges, look_up, expected) in [
        (vec![not_sent()], LookUp::Found(approved()), Some("NotSent")),
        (vec![unknown()], LookUp::Found(approved()), Some("Approved")),
        (vec![unknown()], LookUp::NeverSeen, Some("Unknown")),
        (vec![approved()], LookUp::NeverSeen, Some("Approved")),
    ] {
        let (brake, halted) = Stopping::pair();
        let script = Arc::new(Script {
            settings: GatewaySettings {
                concurrency: 1,
                rate_per_s: None,
                timeout: Duration::from_secs(1),
                key_life: 2 * HOUR,
                supports_look_up: true,
            },
            charges: Mutex::new(charges.into()),
            look_up,
            calls: Mutex::default(),
        });
        let clock = Arc::new(StopsAtPause(Mutex::new(Some(brake))));
        let collector = Collector::new(Arc::new(One(Some(script.clone()))), clock, SendPolicy::default());
        let intent = intent(PaymentState::Intent, now(), false);
        let outcome = collector.resolve_unless(&intent, &Stopping::never(), &halted).await;
        assert!(format!("{outcome:?}").contains(expected.unwrap()), "{outcome:?}");
        let deliveries = script.calls.lock().unwrap().matches('c').count();
        assert_eq!(deliveries, 1);
    }
}

/// A clock on which a pause never ends, and in the first of which the run is stopped.
struct StopsAtPause(Mutex<Option<crate::stopping::Stopper>>);

impl Clock for StopsAtPause {
    fn now(&self) -> Timestamp {
        now()
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        if let Some(brake) = self.0.lock().unwrap().take() {
            brake.stop();
        }
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_key_is_young_for_half_its_life() {
    for (age_s, expected) in
        [(-5_i64, KeyAge::Young), (0, KeyAge::Young), (3_599, KeyAge::Young), (3_600, KeyAge::Old)]
    {
        let created_at = now().checked_sub(SignedDuration::from_secs(age_s)).unwrap();
        assert_eq!(key_age(created_at, now(), 2 * HOUR), expected, "{age_s}");
    }
    // A gateway that remembers no keys remembers none however the clock is set.
    for age_s in [-3_600, -1, 0, 1] {
        let created_at = now().checked_sub(SignedDuration::from_secs(age_s)).unwrap();
        assert_eq!(key_age(created_at, now(), Duration::ZERO), KeyAge::Old, "{age_s}");
    }
}

/// However far the time of day is set forward, and whatever other workers have heard.
#[tokio::test]
async fn a_payment_is_given_up_only_after_the_settling_time() {
    let script = Arc::new(Script {
        settings: GatewaySettings {
            concurrency: 1,
            rate_per_s: None,
            timeout: Duration::from_secs(1),
            key_life: Duration::ZERO,
            supports_look_up: true,
        },
        charges: Mutex::new([approved()].into()),
        look_up: LookUp::NeverSeen,
        calls: Mutex::default(),
    });
    let clock = Arc::new(LeapClock(Mutex::new(now())));
    let gateways = Arc::new(One(Some(script.clone())));
    let collector =
        Collector::new(gateways, clock.clone(), SendPolicy::default()).settling_after(Duration::from_mins(1));
    let stopped = Intent { run_stopped: true, ..intent(PaymentState::Unknown, now(), true) };
    let ask = async |intent: &Intent, after_s: u64| {
        *clock.0.lock().unwrap() += Duration::from_secs(after_s);
        collector.resolve_in_doubt(intent, &Stopping::never(), ready(true)).await
    };
    // However often the store has counted, this worker hears it for the first time.
    let stopped = Intent { look_ups: 1_000, ..stopped };
    assert_eq!(ask(&stopped, 0).await, None);
    assert_eq!(ask(&stopped, 59).await, None);
    // Another worker has delivered it in between, so that all counts anew.
    let again = Intent { deliveries: 1, ..stopped };
    assert_eq!(ask(&again, 1).await, None);
    assert_eq!(ask(&again, 59).await, None);
    assert!(matches!(ask(&again, 1).await, Some(Outcome::NotSent { .. })));
    assert_eq!(script.calls.lock().unwrap().matches('c').count(), 0);
}

/// A run at a gateway that is down does not wait half a minute for each of its payments.
#[tokio::test]
async fn a_gateway_that_is_down_is_tried_once_for_each_charge() {
    let charges = |charges: Vec<Delivery>| {
        Arc::new(Script {
            settings: GatewaySettings {
                concurrency: 1,
                rate_per_s: None,
                timeout: Duration::from_secs(1),
                key_life: 2 * HOUR,
                supports_look_up: false,
            },
            charges: Mutex::new(charges.into()),
            look_up: cannot_tell(),
            calls: Mutex::default(),
        })
    };
    let all = SendPolicy::default();
    let down = vec![not_sent(); usize::try_from(all.deliveries_max).unwrap() + 1];
    let script = charges([down, vec![approved(), not_sent(), approved()]].concat());
    let clock = Arc::new(LeapClock(Mutex::new(now())));
    let collector = Collector::new(Arc::new(One(Some(script.clone()))), clock, all);
    let mut calls = Vec::new();
    for _ in 0..4 {
        script.calls.lock().unwrap().clear();
        collector.resolve(&intent(PaymentState::Intent, now(), false), &Stopping::never()).await.unwrap();
        calls.push(script.calls.lock().unwrap().len());
    }
    // Once it answers, it is waited for again.
    assert_eq!(calls, [9, 1, 1, 2]);
}
