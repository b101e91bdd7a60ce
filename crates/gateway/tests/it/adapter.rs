//! The adapter against the running simulator, over real sockets.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{
    charge_of, collect, config, gateway, gateway_with, request, request_for, simulator, simulator_with,
};
use payment_runs_engine::payment_method::PaymentMethodKind;
use payment_runs_engine::ports::{
    Delivery, Doubt, Gateway, InstrumentDetails, LookUp, NotSentCause, Outcome, TokenizeError,
};
use payment_runs_gateway::simulator::{JournalOutcome, JournalTotals, Simulator, SimulatorConfig};
use payment_runs_gateway::stripe::{ConfigError, SecretKey, StripeConfig, StripeGateway};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

fn card(number: &str) -> InstrumentDetails {
    InstrumentDetails::Card {
        number: number.into(),
        expiration_month: 12,
        expiration_year: 2031,
        holder_name: Some("Ada".into()),
    }
}

#[tokio::test]
async fn every_test_number_ends_as_it_is_known_to() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    for (index, (number, ending)) in [
        ("4242424242424242", "approved"),
        ("5555555555554444", "approved"),
        ("378282246310005", "approved"),
        ("4000000000000341", "generic_decline"),
        ("4000000000000002", "generic_decline"),
        ("4000000000009995", "insufficient_funds"),
        ("4000000000009987", "lost_card"),
        ("4000000000009979", "stolen_card"),
        ("4000000000000069", "expired_card"),
        ("4000000000000127", "incorrect_cvc"),
        ("4000000000000119", "processing_error"),
        ("4000000000006975", "card_velocity_exceeded"),
        ("4100000000000019", "fraudulent"),
        ("4000002760003184", "authentication_required"),
    ]
    .into_iter()
    .enumerate()
    {
        let stored = gateway.tokenize(&card(number), number).await.unwrap();
        assert!(stored.mask.unwrap().ends_with(&number[number.len() - 4..]));
        let request = request_for(&gateway, index as u128, &stored.token.unwrap());
        let outcome = match gateway.charge(&request).await {
            Delivery::Approved(_) => "approved".to_owned(),
            Delivery::Declined { code, reference, .. } => {
                assert!(reference.unwrap().starts_with("pi_"));
                code
            }
            other => format!("{other:?}"),
        };
        assert_eq!(outcome, ending, "{number}");
    }
    let totals = JournalTotals::of(&simulator.journal());
    assert_eq!((totals.succeeded, totals.declined), (3, 11));
}

#[tokio::test]
async fn bank_accounts_are_stored_and_charged() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let account = |kind, number: &str, routing: Option<&str>| InstrumentDetails::BankAccount {
        number: number.into(),
        routing_number: routing.map(str::to_owned),
        holder_name: Some("Ada".into()),
        holder_email: None,
        kind,
    };
    for (index, (details, ending)) in [
        (account(PaymentMethodKind::Ach, "000123456789", Some("110000000")), "approved"),
        (account(PaymentMethodKind::Ach, "000000000009", Some("110000000")), "pending"),
        (account(PaymentMethodKind::Ach, "000111111113", Some("110000000")), "account_closed"),
        (account(PaymentMethodKind::Sepa, "DE89370400440532013000", None), "approved"),
        (account(PaymentMethodKind::Sepa, "DE08370400440532013003", None), "pending"),
        (account(PaymentMethodKind::Sepa, "DE65370400440002222227", None), "insufficient_funds"),
    ]
    .into_iter()
    .enumerate()
    {
        let stored = gateway.tokenize(&details, &format!("bank-{index}")).await.unwrap();
        let request = request_for(&gateway, index as u128, &stored.token.unwrap());
        let outcome = match gateway.charge(&request).await {
            Delivery::Approved(_) => "approved".to_owned(),
            Delivery::Pending(_) => "pending".to_owned(),
            Delivery::Declined { code, .. } => code,
            other => format!("{other:?}"),
        };
        assert_eq!(outcome, ending, "{details:?} {index}");
    }
}

#[tokio::test]
async fn a_malformed_number_is_refused_and_never_repeated() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let error = gateway.tokenize(&card("4242424242424241"), "t1").await.unwrap_err();
    assert!(matches!(&error, TokenizeError::Refused { code, .. } if code == "incorrect_number"), "{error}");
    assert!(!format!("{error} {error:?}").contains("4242424242"));
    assert!(!format!("{:?}", card("4242424242424241")).contains("4242"));
}

#[tokio::test]
async fn the_same_key_makes_the_same_token() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let token = |key| {
        let gateway = &gateway;
        async move { gateway.tokenize(&card("4242424242424242"), key).await.unwrap().token.unwrap() }
    };
    assert_eq!(token("a").await, token("a").await);
    assert_ne!(token("a").await, token("b").await);
}

#[tokio::test]
async fn the_same_key_twice_is_one_charge() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let request = request(&gateway, 1);
    let first = gateway.charge(&request).await;
    assert!(matches!(first, Delivery::Approved(_)));
    assert_eq!(gateway.charge(&request).await, first);
    let totals = JournalTotals::of(&simulator.journal());
    assert_eq!((totals.charges, totals.replays), (1, 1));
}

#[tokio::test]
async fn many_deliveries_at_once_are_one_charge() {
    let simulator = simulator_with(SimulatorConfig { latency_ms: 5, ..SimulatorConfig::default() }).await;
    let gateway = Arc::new(gateway(&simulator));
    let request = request(&*gateway, 1);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (gateway, request) = (Arc::clone(&gateway), request.clone());
            tokio::spawn(async move { collect(&gateway, request).await })
        })
        .collect();
    for call in calls {
        let outcome = call.await.unwrap();
        assert!(matches!(outcome, Outcome::Approved { .. }), "{outcome:?}");
    }
    assert_eq!(JournalTotals::of(&simulator.journal()).charges, 1);
}

#[tokio::test]
async fn a_key_reused_with_other_parameters_is_unknown() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let first = request(&gateway, 1);
    gateway.charge(&first).await;
    let mut other = request(&gateway, 2);
    other.idempotency_key = first.idempotency_key;
    let outcome = gateway.charge(&other).await;
    assert!(
        matches!(&outcome, Delivery::Unknown { doubt: Doubt::Conflict, why } if why.contains("same parameters")),
        "{outcome:?}"
    );
    assert_eq!(simulator.journal().len(), 1);
}

/// Runs one check for each fault, all at once: most of their time is waiting between deliveries.
async fn for_each_fault<F: Future<Output = ()> + Send + 'static>(
    faults: &[&'static str],
    check: impl Fn(&'static str) -> F,
) {
    let mut checks: JoinSet<()> = faults.iter().map(|fault| check(fault)).collect();
    while let Some(ended) = checks.join_next().await {
        ended.unwrap();
    }
}

/// Each fault strikes about half of all deliveries: the engine ends with the truth, and however many
/// deliveries that took, money moved once at most.
#[tokio::test]
async fn lost_answers_end_with_the_truth_and_one_charge() {
    for_each_fault(
        &[
            "drop-before-charge=0.5",
            "drop-after-charge=0.5",
            "cut-answer=0.5",
            "garbled-answer=0.5",
            "error-500=0.5",
            "error-500-after-charge=0.5",
            "lock-timeout-429=0.5",
            "rate-limit-429=0:0.5",
            "in-flight-409=0.5",
            "late-charge-ms=3:0.5",
            "delay-ms=2:0.5",
            "duplicate=0.5",
        ],
        check_lost_answers,
    )
    .await;
}

async fn check_lost_answers(fault: &'static str) {
    let faults = fault.parse().unwrap();
    let simulator = simulator_with(SimulatorConfig { faults, ..SimulatorConfig::default() }).await;
    let gateway = Arc::new(gateway(&simulator));
    let mut calls: JoinSet<Outcome> = (0..40)
        .map(|number| {
            let gateway = Arc::clone(&gateway);
            async move { collect(&gateway, request(&*gateway, number)).await }
        })
        .collect();
    let mut approved = 0;
    while let Some(outcome) = calls.join_next().await {
        match outcome.unwrap() {
            Outcome::Approved { .. } => approved += 1,
            Outcome::Unknown { .. } | Outcome::NotSent { .. } => {}
            other => panic!("{fault}: {other:?}"),
        }
    }
    let totals = JournalTotals::of(&simulator.journal());
    assert_eq!(totals.charged_twice, Vec::<String>::new(), "{fault}");
    // One charge in sixteen meets the fault at each of its four unanswered deliveries.
    assert!(approved >= 30 && totals.charges >= approved, "{fault}: {approved} of {totals:?}");
    simulator.stop().await;
}

/// With the fault certain, no delivery gets through: what is left must be told as it is.
#[tokio::test]
async fn what_never_gets_through_is_unknown_unless_it_was_turned_away_unread() {
    for_each_fault(&["drop-before-charge=1", "error-500=1", "saved-500=1", "in-flight-409=1"], |fault| {
        check_never_through(fault, "unknown", "never seen")
    })
    .await;
    for_each_fault(
        &[
            "drop-after-charge=1",
            "cut-answer=1",
            "garbled-answer=1",
            "error-500-after-charge=1",
            "saved-500-after-charge=1",
        ],
        |fault| check_never_through(fault, "unknown", "approved"),
    )
    .await;
    for_each_fault(&["lock-timeout-429=1", "rate-limit-429=0:1"], |fault| {
        check_never_through(fault, "not sent", "never seen")
    })
    .await;
}

async fn check_never_through(fault: &'static str, ending: &'static str, found: &'static str) {
    let faults = fault.parse().unwrap();
    let simulator = simulator_with(SimulatorConfig { faults, ..SimulatorConfig::default() }).await;
    let gateway = gateway(&simulator);
    let request = request(&gateway, 1);
    let outcome = match gateway.charge(&request).await {
        Delivery::Unknown { .. } => "unknown".to_owned(),
        Delivery::NotSent { .. } => "not sent".to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(outcome, ending, "{fault}");
    let look_up = match gateway.look_up(&request.idempotency_key).await {
        LookUp::Found(Delivery::Approved(_)) => "approved".to_owned(),
        LookUp::NeverSeen => "never seen".to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(look_up, found, "{fault}");
    assert!(JournalTotals::of(&simulator.journal()).charges <= 1, "{fault}");
    simulator.stop().await;
}

#[tokio::test]
async fn a_long_wait_that_the_gateway_asks_for_is_passed_on() {
    let faults = "rate-limit-429=30:1".parse().unwrap();
    let simulator = simulator_with(SimulatorConfig { faults, ..SimulatorConfig::default() }).await;
    let gateway = gateway(&simulator);
    let outcome = gateway.charge(&request(&gateway, 1)).await;
    assert!(
        matches!(outcome, Delivery::NotSent { retry_after: Some(wait), .. } if wait == Duration::from_secs(30)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_unknown_and_found_by_its_reference() {
    let faults = "delay-ms=60000:1".parse().unwrap();
    let simulator = simulator_with(SimulatorConfig { faults, ..SimulatorConfig::default() }).await;
    let patient = gateway(&simulator);
    let mut config = config(&simulator.url());
    // Long enough for the charge to get there on a busy machine.
    config.settings.timeout = Duration::from_secs(2);
    let gateway = gateway_with(&config);
    let request = request(&gateway, 1);
    let outcome = gateway.charge(&request).await;
    assert!(
        matches!(&outcome, Delivery::Unknown { why, .. } if why.contains("within 2000 ms")),
        "{outcome:?}"
    );
    assert!(matches!(patient.look_up(&request.idempotency_key).await, LookUp::Found(Delivery::Approved(_))));
}

#[tokio::test]
async fn a_gateway_that_is_not_there_was_sent_nothing() {
    let simulator = simulator().await;
    let url = simulator.url();
    simulator.stop().await;
    let gateway = gateway_with(&config(&url));
    let outcome = gateway.charge(&request(&gateway, 1)).await;
    assert!(matches!(outcome, Delivery::NotSent { retry_after: None, .. }), "{outcome:?}");
    assert!(matches!(gateway.look_up("R").await, LookUp::CannotTell { .. }));
    let error = gateway.tokenize(&card("4242424242424242"), "t").await.unwrap_err();
    assert!(matches!(error, TokenizeError::Unavailable { .. }));
}

#[tokio::test]
async fn a_wrong_secret_key_is_turned_away_unread_and_never_shown() {
    let expected = Some("sk_test_right".to_owned());
    let simulator =
        simulator_with(SimulatorConfig { secret_key: expected, ..SimulatorConfig::default() }).await;
    let mut config = config(&simulator.url());
    config.secret_key = SecretKey::new("sk_test_wrong");
    let gateway = gateway_with(&config);
    let outcome = gateway.charge(&request(&gateway, 1)).await;
    assert!(matches!(outcome, Delivery::NotSent { cause: NotSentCause::Credentials, .. }), "{outcome:?}");
    assert!(!format!("{outcome:?} {gateway:?} {config:?}").contains("sk_test_wrong"));
    config.secret_key = SecretKey::new("sk_test_right");
    let gateway = gateway_with(&config);
    assert!(matches!(gateway.charge(&request(&gateway, 1)).await, Delivery::Approved(_)));
}

#[tokio::test]
async fn a_token_nobody_knows_is_refused() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let outcome = gateway.charge(&request_for(&gateway, 1, "pm_gone")).await;
    assert!(matches!(&outcome, Delivery::Refused { code, .. } if code == "resource_missing"), "{outcome:?}");
    assert!(simulator.journal().is_empty());
}

#[tokio::test]
async fn look_ups_tell_what_they_know() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    for (number, token) in
        [(1, "pm_card_visa"), (2, "pm_card_chargeDeclined"), (3, "pm_usBankAccount_processing")]
    {
        let request = request_for(&gateway, number, token);
        let outcome = gateway.charge(&request).await;
        assert_eq!(gateway.look_up(&request.idempotency_key).await, LookUp::Found(outcome), "{token}");
    }
    assert_eq!(gateway.look_up("nobody").await, LookUp::NeverSeen);

    let mut lagging = config(&simulator.url());
    lagging.look_up_is_authoritative = false;
    let look_up = gateway_with(&lagging).look_up("nobody").await;
    assert!(matches!(look_up, LookUp::CannotTell { .. }), "{look_up:?}");
}

#[tokio::test]
async fn without_look_up_nobody_can_tell() {
    let simulator =
        simulator_with(SimulatorConfig { supports_lookup: false, ..SimulatorConfig::default() }).await;
    let mut config = config(&simulator.url());
    for supports_look_up in [true, false] {
        config.settings.supports_look_up = supports_look_up;
        let look_up = gateway_with(&config).look_up("R").await;
        assert!(matches!(look_up, LookUp::CannotTell { .. }), "{look_up:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_ignores_keys_gets_a_doubtful_charge_once() {
    let faults = "drop-after-charge=1".parse().unwrap();
    let simulator =
        simulator_with(SimulatorConfig { faults, honours_keys: false, ..SimulatorConfig::default() }).await;
    let mut config = config(&simulator.url());
    config.settings.key_life = Duration::ZERO;
    let gateway = Arc::new(gateway_with(&config));
    let request = request(&*gateway, 1);
    assert!(matches!(collect(&gateway, request.clone()).await, Outcome::Approved { .. }));
    assert!(matches!(gateway.look_up(&request.idempotency_key).await, LookUp::Found(Delivery::Approved(_))));
    assert_eq!(JournalTotals::of(&simulator.journal()).charges, 1);
}

#[tokio::test]
async fn a_restart_with_the_journal_keeps_charges_keys_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Some(folder.path().join("journal.ndjson"));
    let first =
        simulator_with(SimulatorConfig { journal: journal.clone(), ..SimulatorConfig::default() }).await;
    let before = gateway(&first);
    let token = before.tokenize(&card("4000000000009995"), "t").await.unwrap().token.unwrap();
    let approved = request(&before, 1);
    let outcome = before.charge(&approved).await;
    let declined = request_for(&before, 2, &token);
    let decline = before.charge(&declined).await;
    first.stop().await;

    let second = simulator_with(SimulatorConfig { journal, ..SimulatorConfig::default() }).await;
    let after = gateway(&second);
    assert_eq!(after.charge(&approved).await, outcome);
    assert_eq!(after.charge(&declined).await, decline);
    assert_eq!(after.look_up(&approved.idempotency_key).await, LookUp::Found(outcome));
    let again = after.charge(&request_for(&after, 3, &token)).await;
    assert!(matches!(&again, Delivery::Declined { code, .. } if code == "insufficient_funds"), "{again:?}");
    let totals = JournalTotals::of(&second.journal());
    assert_eq!((totals.charges, totals.replays), (3, 2));
}

#[tokio::test]
async fn every_call_names_the_version_of_the_dialect_and_waits_until_the_time_that_it_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 8_192];
        let length = stream.read(&mut request).await.unwrap();
        let answer = b"HTTP/1.1 429 Too Many Requests\r\ndate: Tue, 01 Dec 2026 10:00:00 GMT\r\n\
            retry-after: Tue, 01 Dec 2026 10:00:42 GMT\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let gateway = gateway_with(&config(&url));
    let delivery = gateway.charge(&request(&gateway, 1)).await;
    let wait = Some(Duration::from_secs(42));
    assert!(
        matches!(&delivery, Delivery::NotSent { retry_after, .. } if *retry_after == wait),
        "{delivery:?}"
    );
    assert!(peer.await.unwrap().contains("stripe-version: 2024-06-20\r\n"));
}

/// A peer that takes the whole request, charges who knows what, and says nothing sensible.
#[tokio::test]
async fn answers_that_are_no_http_are_unknown() {
    for bytes in [&b""[..], b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let peer = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4_096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(bytes).await;
            }
        });
        let gateway = gateway_with(&config(&url));
        let outcome = gateway.charge(&request(&gateway, 1)).await;
        assert!(matches!(outcome, Delivery::Unknown { .. }), "{outcome:?} {bytes:?}");
        peer.abort();
    }
}

#[test]
fn what_is_no_gateway_is_refused() {
    let config = StripeConfig::new("ftp://gateway.example", SecretKey::new("sk"));
    let refused = StripeGateway::over_http(&config);
    assert!(matches!(refused, Err(ConfigError::Shape { .. })));
    let config = StripeConfig::new("http://gateway.example", SecretKey::new("sk\nx"));
    assert!(matches!(StripeGateway::over_http(&config), Err(ConfigError::SecretKey)));
}

#[tokio::test]
async fn the_journal_tells_what_was_charged() {
    let simulator = simulator().await;
    let gateway = gateway(&simulator);
    let request = request(&gateway, 7);
    gateway.charge(&request).await;
    let journal = simulator.journal();
    let entry = &journal[0];
    let charge = charge_of(7, "pm_card_visa");
    assert_eq!(entry.reference.as_deref(), Some(request.idempotency_key.as_str()));
    assert_eq!(entry.idempotency_key.as_deref(), Some(request.idempotency_key.as_str()));
    assert_eq!((entry.amount_minor, entry.currency.as_str()), (charge.money.minor, "usd"));
    assert_eq!((entry.outcome, entry.replay), (JournalOutcome::Succeeded, false));
    assert!(entry.at_ms > 0);
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused() {
    let simulator = simulator().await;
    let taken = SimulatorConfig { listen: simulator.address(), ..SimulatorConfig::default() };
    let error = Simulator::start(taken).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains(&simulator.address().to_string()), "{error}");
}
