#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use payment_runs_engine::ids::{AccountId, EntityKey, GatewayId, LedgerId};
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::ports::ChargeSubject;
use proptest::prelude::*;

use super::*;
use crate::simulator::request::{parse_charge, parse_method};

fn charge() -> Charge {
    Charge {
        gateway: GatewayId::from_u128(1),
        key: "ledger-d1-0".into(),
        money: Money::new(1_099, Currency::USD),
        token: "pm_card_visa".into(),
        customer: None,
        method_kind: PaymentMethodKind::CreditCard,
        subject: ChargeSubject {
            ledger: LedgerId::from_u128(7),
            entity: EntityKey::FIRST,
            account: AccountId::from_u128(0xa),
            documents: vec![DocumentId::from_u128(0xd)],
        },
    }
}

#[test]
fn the_body_of_a_charge_never_changes() {
    // Stored bodies are compared byte by byte with these; a new order would strand every key in flight.
    let text = |charge: &Charge| String::from_utf8(charge_body(charge)).unwrap().replace('&', "\n");
    insta::assert_snapshot!(text(&charge()), @r"
    amount=1099
    confirm=true
    currency=usd
    error_on_requires_action=true
    metadata%5Baccount%5D=0000000000000000000000000000000a
    metadata%5Bdocument%5D=0000000000000000000000000000000d
    metadata%5Bentity%5D=1
    metadata%5Bledger%5D=00000000000000000000000000000007
    metadata%5Breference%5D=ledger-d1-0
    off_session=true
    payment_method=pm_card_visa
    payment_method_types%5B%5D=card
    ");
    let documents = (1..=3).map(DocumentId::from_u128).collect();
    let subject = ChargeSubject { documents, ..charge().subject };
    insta::assert_snapshot!(text(&Charge { subject, ..charge() }), @r"
    amount=1099
    confirm=true
    currency=usd
    error_on_requires_action=true
    metadata%5Baccount%5D=0000000000000000000000000000000a
    metadata%5Bdocument%5D=00000000000000000000000000000001
    metadata%5Bdocuments%5D=3
    metadata%5Bdocuments_digest%5D=0b64f478d99c825f63acfab02a6523db
    metadata%5Bentity%5D=1
    metadata%5Bledger%5D=00000000000000000000000000000007
    metadata%5Breference%5D=ledger-d1-0
    off_session=true
    payment_method=pm_card_visa
    payment_method_types%5B%5D=card
    ");
    let subject = ChargeSubject { documents: Vec::new(), ..charge().subject };
    insta::assert_snapshot!(text(&Charge { subject, ..charge() }), @r"
    amount=1099
    confirm=true
    currency=usd
    error_on_requires_action=true
    metadata%5Baccount%5D=0000000000000000000000000000000a
    metadata%5Bentity%5D=1
    metadata%5Bledger%5D=00000000000000000000000000000007
    metadata%5Breference%5D=ledger-d1-0
    off_session=true
    payment_method=pm_card_visa
    payment_method_types%5B%5D=card
    ");
}

#[test]
fn every_kind_names_its_type() {
    for (kind, name) in [
        (PaymentMethodKind::CreditCard, "card"),
        (PaymentMethodKind::CreditCardReferenceTransaction, "card"),
        (PaymentMethodKind::Ach, "us_bank_account"),
        (PaymentMethodKind::Sepa, "sepa_debit"),
    ] {
        let body = charge_body(&Charge { method_kind: kind, ..charge() });
        assert!(String::from_utf8(body).unwrap().ends_with(&format!("payment_method_types%5B%5D={name}")));
    }
}

#[test]
fn instruments_are_read_by_the_gateway_as_they_were_meant() {
    let card = InstrumentDetails::Card {
        number: "4000000000009995".into(),
        expiration_month: 3,
        expiration_year: 2031,
        holder_name: Some("Ada & Co".into()),
    };
    let token = parse_method(&instrument_body(&card)).unwrap().token;
    assert_eq!((token.behaviour.slug, token.exp_month, token.exp_year), ("insufficientFunds", 3, 2031));

    let account = |kind, number: &str, routing: Option<&str>| InstrumentDetails::BankAccount {
        number: number.into(),
        routing_number: routing.map(str::to_owned),
        holder_name: None,
        holder_email: None,
        kind,
    };
    let ach = account(PaymentMethodKind::Ach, "000000000009", Some("110000000"));
    assert_eq!(parse_method(&instrument_body(&ach)).unwrap().token.behaviour.slug, "processing");
    let sepa = account(PaymentMethodKind::Sepa, "DE62370400440532013001", None);
    assert_eq!(parse_method(&instrument_body(&sepa)).unwrap().token.behaviour.slug, "bankDecline");
}

proptest! {
    /// Whatever the texts hold, the gateway reads back what was meant, and twice gives the same bytes.
    #[test]
    fn a_charge_survives_its_encoding(
        minor in 1_i64..=999_999_999_999,
        key in "\\PC{1,40}",
    ) {
        let charge = Charge { key: key.clone(), money: Money::new(minor, Currency::USD), ..charge() };
        let body = charge_body(&charge);
        prop_assert_eq!(&body, &charge_body(&charge.clone()));
        let read = parse_charge(&body).unwrap();
        prop_assert_eq!(read.amount_minor, minor);
        prop_assert_eq!(&read.currency, b"usd");
        prop_assert_eq!(read.reference(), Some(&*key));
    }

    /// Two charges that differ have different bodies.
    #[test]
    fn different_charges_have_different_bodies(one in 1_i64..1_000, two in 1_i64..1_000, number in 0_u8..4) {
        let body = |minor, number: u8| charge_body(&Charge {
            money: Money::new(minor, Currency::USD),
            key: number.to_string(),
            ..charge()
        });
        prop_assert_eq!(body(one, number) == body(two, 0), one == two && number == 0);
    }

    /// A reference arrives at the search as it was meant, quotes and all.
    #[test]
    fn a_search_carries_any_reference(reference in "[a-z'\\\\\"&=+%#é ]{0,20}") {
        let query = search_query(&reference);
        prop_assert!(query.bytes().all(|byte| byte.is_ascii_graphic()));
        let (_, text) = form_urlencoded::parse(query.as_bytes()).next().unwrap();
        let escaped = text.strip_prefix("metadata['reference']:'").unwrap().strip_suffix('\'').unwrap();
        prop_assert_eq!(escaped.replace("\\'", "'").replace("\\\\", "\\").len(), reference.len());
    }
}
